//! What a tool of an MCP server is, as far as its name tells, in the original's order: words that
//! destroy, names that everybody uses, words that change something, and then nothing is known.

/// The tool class, and whether it is one of ours with a command, a path or an address.
pub fn class(name: &str) -> &'static str {
    let lower = name.to_ascii_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| lower.contains(word));
    if has(&DESTRUCTIVE) {
        return "mcp-destructive";
    }
    if let Some((_, class)) = EXACT.iter().find(|(exact, _)| *exact == lower) {
        return class;
    }
    if has(&DANGEROUS) { "mcp-dangerous" } else { "mcp" }
}

/// The tool's own name in what a host calls it: `mcp__server__tool`, `mcp_server_tool`,
/// `MCP:tool`; `None` if that is no tool of an MCP server.
pub fn tool_of(name: &str) -> Option<&str> {
    if let Some(rest) = name.strip_prefix("mcp__") {
        return Some(rest.split_once("__").map_or(rest, |(_, tool)| tool));
    }
    name.strip_prefix("MCP:").or_else(|| name.strip_prefix("mcp_")).map(str::trim)
}

const DESTRUCTIVE: [&str; 10] =
    ["delete", "destroy", "remove", "drop", "purge", "kill", "format", "wipe", "truncate", "reset"];

const EXACT: [(&str, &str); 19] = [
    // Those of the file server that everybody knows; the original has the first of them only.
    ("read_text_file", "read"),
    ("read_media_file", "read"),
    ("read_multiple_files", "read"),
    ("list_directory_with_sizes", "read"),
    ("list_allowed_directories", "read"),
    ("directory_tree", "read"),
    ("search_files", "read"),
    ("get_file_info", "read"),
    ("edit_file", "write"),
    ("read_file", "read"),
    ("list_directory", "read"),
    ("write_file", "write"),
    ("create_directory", "write"),
    ("move_file", "mcp-dangerous"),
    ("execute_command", "exec"),
    ("run_command", "exec"),
    ("shell", "exec"),
    ("fetch", "fetch"),
    ("http_request", "fetch"),
];

const DANGEROUS: [&str; 15] = [
    "stop",
    "shutdown",
    "reboot",
    "restart",
    "migrate",
    "resize",
    "modify",
    "update",
    "patch",
    "configure",
    "execute",
    "exec",
    "run",
    "send",
    "post",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_the_class() {
        let cases = [
            ("mcp__github__delete_repo", Some("mcp-destructive")),
            ("mcp__fs__read_file", Some("read")),
            ("mcp__fs__write_file", Some("write")),
            ("mcp__x__run_query", Some("mcp-dangerous")),
            ("mcp__x__search", Some("mcp")),
            ("mcp__x", Some("mcp")),
            ("MCP:shell", Some("exec")),
            ("mcp_x_list", Some("mcp")),
            ("Bash", None),
        ];
        for (name, expected) in cases {
            assert_eq!(tool_of(name).map(class), expected, "{name}");
        }
    }
}
