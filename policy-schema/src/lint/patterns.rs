//! Findings about single patterns: those that can never match, and those that another one covers.

use super::{Lint, items, key, member};
use crate::yaml::{Kind, Node};

/// Conditions whose patterns are compared with absolute, clean paths.
const PATHS: [&str; 9] = [
    "operands",
    "reads",
    "writes",
    "redirects_to",
    "reads_from",
    "writes_to",
    "path_matches",
    "cwd_matches",
    "exe_path",
];

/// Conditions whose patterns are globs.
const GLOBS: [&str; 16] = [
    "command_matches",
    "command_not_matches",
    "command_env_assignments",
    "path_matches",
    "path_not_matches",
    "url_matches",
    "domain_matches",
    "session_matches",
    "session_not_matches",
    "program",
    "subcommand",
    "operands",
    "operand_matches",
    "reads",
    "writes",
    "pipes_into",
];

/// A pattern's text, if the node is one. What starts with `$` stands for a named list.
fn text(node: &Node) -> Option<&str> {
    match &node.kind {
        Kind::Text(text) if !text.starts_with('$') => Some(text),
        _ => None,
    }
}

impl Lint<'_> {
    /// What is odd about the patterns of a condition, its groups included.
    pub fn condition(&mut self, when: &Node) {
        for name in PATHS {
            self.each(when, name, |text| path(name, text));
        }
        self.each(when, "domain_matches", domain);
        self.each(when, "url_matches", url);
        for name in GLOBS {
            self.each(when, name, |text| class(name, text));
            self.covered(when, name);
        }
        for name in ["any", "all", "not"] {
            for part in items(member(when, name)) {
                self.condition(part);
            }
        }
        self.excluded(when);
    }

    fn each(&mut self, when: &Node, name: &str, look: impl Fn(&str) -> Option<(String, String)>) {
        for node in items(member(when, name)) {
            if let Some((message, help)) = text(node).and_then(&look) {
                self.warn(&node.range, ("never-matches", message.into(), &help));
            }
        }
    }

    /// Patterns that stand twice, or that one ending in `*` takes in.
    fn covered(&mut self, when: &Node, name: &str) {
        let all: Vec<(&Node, &str)> =
            items(member(when, name)).iter().filter_map(|node| Some((node, text(node)?))).collect();
        // Long lists are made by programs, which do not read this.
        for (at, (node, pattern)) in all.iter().enumerate().take(500) {
            let others = all.iter().take(500).enumerate();
            let cover = others.filter(|(other, _)| *other != at).find_map(|(other, (_, cover))| {
                let prefix =
                    cover.strip_suffix('*').filter(|rest| !rest.contains(['*', '?', '[', '\\']));
                let within = prefix.is_some_and(|prefix| {
                    !is_path(name) && pattern.starts_with(prefix) && pattern != cover
                });
                (within || (pattern == cover && other < at)).then_some(cover)
            });
            if let Some(cover) = cover {
                let message = match pattern == cover {
                    true => format!("`{pattern}` stands twice"),
                    false => format!("`{pattern}` is covered by `{cover}`"),
                };
                self.note(&node.range, ("redundant-pattern", message.into(), "remove it"));
            }
        }
    }

    /// An exclusion that takes everything away.
    fn excluded(&mut self, when: &Node) {
        for (name, of) in [
            ("command_not_matches", "command_matches"),
            ("path_not_matches", "path_matches"),
            ("session_not_matches", "session_matches"),
        ] {
            let excluded = items(member(when, name));
            let everything = |node: &Node| matches!(text(node), Some("*" | "**"));
            let wanted = items(member(when, of));
            let all_of = !wanted.is_empty()
                && wanted.iter().all(|node| {
                    text(node).is_some() && excluded.iter().any(|other| text(other) == text(node))
                });
            if (all_of || excluded.iter().any(everything))
                && let Some(place) = key(when, name)
            {
                let message = format!("`{name}` takes away everything that the rule could match");
                self.warn(&place, ("never-matches", message.into(), "narrow it"));
            }
        }
    }
}

fn is_path(name: &str) -> bool {
    PATHS.contains(&name)
}

fn path(name: &str, text: &str) -> Option<(String, String)> {
    if text.len() > 1
        && let Some(directory) = text.strip_suffix('/')
    {
        let message = format!("`{text}` never matches: a path does not end in a slash");
        let help =
            format!("write `{directory}` for the directory, `{directory}/**` for what is in it");
        return Some((message, help));
    }
    // For those of commands the same is an error.
    let is_clean = !text.contains("//") && !text.split('/').any(|part| matches!(part, "." | ".."));
    if name == "path_matches" && !is_clean && text.starts_with('/') {
        let message = format!("`{text}` never matches: paths are compared after resolving");
        return Some((message, "write it without `.`, `..` and `//`".to_owned()));
    }
    None
}

fn domain(text: &str) -> Option<(String, String)> {
    let bare = text.split_once("://").map_or(text, |(_, rest)| rest);
    let host = bare.split(['/', '?', '#']).next().unwrap_or(bare);
    let digits = |port: &str| port.bytes().all(|byte| byte.is_ascii_digit() || byte == b'*');
    // More than one colon is an address of IPv6.
    let host = match host.rsplit_once(':') {
        Some((name, port)) if !name.contains(':') && digits(port) => name,
        _ => host,
    };
    if bare.len() == text.len() && host.len() == text.len() && !text.ends_with('.') {
        return None;
    }
    if text.starts_with('*') && !text.contains(['/', ':']) && !text.ends_with('.') {
        return None;
    }
    let message = format!("`{text}` never matches: a domain is a host name alone");
    Some((message, format!("write `{}`, or `url_matches`", host.trim_end_matches('.'))))
}

fn url(text: &str) -> Option<(String, String)> {
    let is_open = text.starts_with(['*', '?', '[']);
    (!is_open && !text.contains("://") && !text.contains(":*") && !text.ends_with('*')).then(|| {
        let message = format!("`{text}` never matches: an address starts with its scheme");
        (message, format!("write `https://{text}`, `*://{text}`, or `domain_matches`"))
    })
}

/// A `[` that is never closed is an ordinary character, which few mean.
fn class(name: &str, text: &str) -> Option<(String, String)> {
    // The programs of that name need no quoting.
    if name == "program" && text.bytes().all(|byte| byte == b'[') {
        return None;
    }
    let open = text.rfind('[')?;
    let is_closed = text.get(open..).is_some_and(|rest| rest.contains(']'));
    let message = || format!("`{text}` has a `[` without `]`, which is an ordinary character then");
    (!is_closed).then(|| (message(), "close it, or write `[[]` for the character".to_owned()))
}
