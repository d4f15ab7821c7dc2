//! The shapes that hosts send before a call, one a row: written from their contracts.

use super::{answer, denied, is_nothing, user};
use serde_json::{Value, json};

/// What a call comes to.
enum Is {
    Fine,
    Denied(&'static str),
}
use Is::{Denied, Fine};

/// A payload of `host` for its tool `name`.
pub fn before(host: &str, name: &str, input: &Value) -> Value {
    match host {
        "gemini" => json!({
            "session_id": "s1", "transcript_path": "/t", "cwd": "/w", "timestamp": "2026-01-01T00:00:00Z",
            "hook_event_name": "BeforeTool", "tool_name": name, "tool_input": input,
        }),
        "opencode" => json!({
            "hook": "tool.execute.before", "tool": name, "sessionID": "ses_1", "callID": "call_1",
            "args": input, "directory": "/w",
        }),
        "cursor" => json!({
            "conversation_id": "c1", "generation_id": "g1", "hook_event_name": "preToolUse", "cwd": "/w",
            "tool_name": name, "tool_input": input, "tool_use_id": "t1",
        }),
        "cline" => json!({
            "clineVersion": "3.40.0", "hookName": "PreToolUse", "taskId": "1", "workspaceRoots": ["/w"],
            "preToolUse": {"toolName": name, "parameters": input},
        }),
        _ => json!({
            "session_id": "s1", "turn_id": "1", "transcript_path": "/t", "cwd": "/w", "permission_mode": "default",
            "hook_event_name": "PreToolUse", "tool_name": name, "tool_input": input, "tool_use_id": "toolu_1",
        }),
    }
}

fn run(rows: &[(&str, &str, Value, Is)]) {
    let user = user();
    for (host, name, input, is) in rows {
        let answer = answer(&user, host, before(host, name, input).to_string().as_bytes());
        match (is, denied(host, &answer)) {
            (Fine, None) => assert!(is_nothing(host, &answer), "{host} {name} {input}: {answer}"),
            (Denied(part), Some(reason)) => {
                assert!(reason.starts_with("rampart: denied: "), "{host} {name}: {reason}");
                assert!(reason.contains(part), "{host} {name} {input}: {reason}");
            }
            (_, found) => panic!("{host} {name} {input}: {found:?} {answer}"),
        }
    }
}

#[test]
fn commands_of_every_host() {
    let patch =
        |path: &str| format!("*** Begin Patch\n*** Update File: {path}\n@@\n-a\n+b\n*** End Patch");
    run(&[
        ("claude-code", "Bash", json!({"command": "ls", "description": "look"}), Fine),
        (
            "claude-code",
            "Bash",
            json!({"command": "cd /tmp && x-deny -f"}),
            Denied("[test/no] use x-other"),
        ),
        ("claude-code", "Bash", json!({"command": "echo x-deny"}), Fine),
        ("claude-code", "Bash", json!({"description": "none"}), Denied("no command")),
        ("claude-code", "Bash", json!({"command": ["x-deny"]}), Denied("test/no")),
        ("claude-code", "Bash", json!({"command": 7}), Denied("is no string")),
        ("claude-code", "Bash", json!({"command": "ls", "cmd": "x-deny"}), Denied("differ")),
        ("claude-code", "Bash", json!({"command": "ls\u{0}x-deny"}), Denied("NUL")),
        ("claude-code", "PowerShell", json!({"command": "Get-Date"}), Fine),
        (
            "claude-code",
            "code_execution",
            json!({"code": "import os; os.system('x-deny')"}),
            Denied("test/no"),
        ),
        ("claude-code", "Monitor", json!({"url": "wss://x-paste.example/s"}), Denied("test/paste")),
        (
            "codex",
            "shell",
            json!({"command": ["bash", "-lc", "x-deny"], "workdir": "/w"}),
            Denied("test/no"),
        ),
        ("codex", "exec_command", json!({"cmd": "x-deny"}), Denied("test/no")),
        ("codex", "Bash", json!({"command": "ls"}), Fine),
        (
            "codex",
            "Bash",
            json!({"command": format!("apply_patch <<'E'\n{}\nE", patch("/x-secret/a"))}),
            Denied("test/secret"),
        ),
        ("codex", "write_stdin", json!({"session_id": 1, "chars": "x-deny\n"}), Denied("test/no")),
        (
            "gemini",
            "run_shell_command",
            json!({"command": "x-deny", "dir_path": "src"}),
            Denied("test/no"),
        ),
        ("gemini", "run_shell_command", json!({"command": "ls"}), Fine),
        ("opencode", "bash", json!({"command": "x-deny", "workdir": "/"}), Denied("test/no")),
        ("opencode", "bash", json!({"command": "ls", "description": "x"}), Fine),
        (
            "cursor",
            "Shell",
            json!({"command": "x-deny", "working_directory": "/w"}),
            Denied("test/no"),
        ),
        ("cursor", "Shell", json!({"command": "ls"}), Fine),
        ("copilot", "bash", json!({"command": "x-deny"}), Denied("test/no")),
        ("copilot", "bash", json!("{\"command\": \"x-deny\"}"), Denied("test/no")),
        ("copilot", "bash", json!("{\"command\": \"ls\"}"), Fine),
        (
            "cline",
            "execute_command",
            json!({"command": "x-deny", "requires_approval": false}),
            Denied("test/no"),
        ),
        ("cline", "run_commands", json!({"commands": ["ls", "x-deny"]}), Denied("test/no")),
        ("cline", "run_commands", json!({"commands": ["ls", "true"]}), Fine),
    ]);
}

#[test]
fn files_and_addresses_of_every_host() {
    let patch = |path: &str| {
        format!("*** Begin Patch\n*** Add File: ok\n+x\n*** Move to: {path}\n*** End Patch")
    };
    let many = |count| "*** Add File: a\n".repeat(count);
    run(&[
        ("claude-code", "Read", json!({"file_path": "/x-secret/a"}), Denied("test/secret")),
        ("claude-code", "Read", json!({"file_path": "/w/../x-secret/a"}), Denied("test/secret")),
        ("claude-code", "Read", json!({"file_path": "../x-secret/a"}), Denied("test/secret")),
        ("claude-code", "Read", json!({"file_path": "/w/a"}), Fine),
        (
            "claude-code",
            "Read",
            json!({"file_path": "/w/a", "path": "/x-secret/a"}),
            Denied("differ"),
        ),
        ("claude-code", "Glob", json!({"pattern": "/x-secret/*"}), Denied("test/secret")),
        (
            "claude-code",
            "Grep",
            json!({"pattern": "x", "path": "/x-secret/d"}),
            Denied("test/secret"),
        ),
        ("claude-code", "Grep", json!({"pattern": "x"}), Fine),
        (
            "claude-code",
            "Write",
            json!({"file_path": "/x-secret/a", "content": "x"}),
            Denied("test/secret"),
        ),
        ("claude-code", "Write", json!({"content": "x"}), Denied("no path")),
        (
            "claude-code",
            "Edit",
            json!({"file_path": "/w/a", "old_string": "/x-secret/a", "new_string": ""}),
            Fine,
        ),
        (
            "claude-code",
            "NotebookEdit",
            json!({"notebook_path": "/x-secret/a"}),
            Denied("test/secret"),
        ),
        (
            "claude-code",
            "WebFetch",
            json!({"url": "https://x-paste.example/x", "prompt": "read"}),
            Denied("test/paste"),
        ),
        (
            "claude-code",
            "WebFetch",
            json!({"url": "https://docs.example/x-paste.example", "prompt": "read"}),
            Fine,
        ),
        ("claude-code", "WebSearch", json!({"query": "x"}), Fine),
        ("claude-code", "TodoWrite", json!({"todos": []}), Fine),
        ("claude-code", "mcp__fs__delete_file", json!({"path": "/w/a"}), Denied("servers/mcp")),
        (
            "claude-code",
            "mcp__fs__read_file",
            json!({"path": "/x-secret/a"}),
            Denied("test/secret"),
        ),
        ("claude-code", "mcp__x__run_command", json!({"command": "x-deny"}), Denied("test/no")),
        ("claude-code", "mcp__x__find", json!({"q": "x"}), Fine),
        ("claude-code", "Teleport", json!({}), Denied("unknown tool")),
        ("claude-code", "bash", json!({"command": "ls"}), Denied("unknown tool")),
        ("codex", "apply_patch", json!({"command": patch("/x-secret/a")}), Denied("test/secret")),
        ("codex", "apply_patch", json!({"input": patch("/w/b")}), Fine),
        (
            "codex",
            "apply_patch",
            json!({"command": ["apply_patch", patch("/x-secret/a")]}),
            Denied("test/secret"),
        ),
        ("codex", "apply_patch", json!({"input": "nothing"}), Denied("no patch")),
        (
            "codex",
            "apply_patch",
            json!({"input": format!("*** Begin Patch\n{}", many(101))}),
            Denied("more than 100"),
        ),
        ("codex", "view_image", json!({"path": "/x-secret/a.png"}), Denied("test/secret")),
        ("codex", "teleport", json!({}), Denied("unknown tool")),
        (
            "gemini",
            "read_many_files",
            json!({"paths": ["/w/a", "/x-secret/b"]}),
            Denied("test/secret"),
        ),
        (
            "gemini",
            "write_file",
            json!({"file_path": "/x-secret/b", "content": ""}),
            Denied("test/secret"),
        ),
        ("gemini", "replace", json!({"file_path": "/w/a"}), Fine),
        (
            "gemini",
            "web_fetch",
            json!({"prompt": "sum up https://x-paste.example/a please"}),
            Denied("test/paste"),
        ),
        ("gemini", "web_fetch", json!({"prompt": "sum up https://docs.example/a please"}), Fine),
        ("gemini", "mcp_fs_delete_file", json!({}), Denied("servers/mcp")),
        ("gemini", "teleport", json!({}), Denied("unknown tool")),
        ("opencode", "read", json!({"filePath": "/x-secret/b"}), Denied("test/secret")),
        ("opencode", "edit", json!({"filePath": "/w/b", "oldString": "a"}), Fine),
        ("opencode", "patch", json!({"patchText": patch("/x-secret/b")}), Denied("test/secret")),
        ("opencode", "webfetch", json!({"url": "http://x-paste.example"}), Denied("test/paste")),
        ("opencode", "batch", json!({"tool_calls": []}), Denied("unknown tool")),
        ("cursor", "Read", json!({"target_file": "/x-secret/b"}), Denied("test/secret")),
        ("cursor", "Delete", json!({"path": "/x-secret/b"}), Denied("test/secret")),
        ("cursor", "Write", json!({"path": "/w/b"}), Fine),
        ("cursor", "WebFetch", json!({"url": "http://x-paste.example"}), Denied("test/paste")),
        ("cursor", "MCP:delete_file", json!({}), Denied("servers/mcp")),
        ("cursor", "Teleport", json!({}), Denied("unknown tool")),
        ("copilot", "str_replace_editor", json!({"path": "/x-secret/b"}), Denied("test/secret")),
        ("copilot", "view", json!({"path": "/w/b"}), Fine),
        ("copilot", "web_fetch", json!({"url": "http://x-paste.example"}), Denied("test/paste")),
        ("copilot", "github-mcp-server-delete_repo", json!({}), Denied("servers/mcp")),
        ("copilot", "teleport", json!({}), Denied("unknown tool")),
        (
            "cline",
            "write_to_file",
            json!({"path": "/x-secret/b", "content": ""}),
            Denied("test/secret"),
        ),
        (
            "cline",
            "read_files",
            json!({"files": [{"path": "/w/a"}, {"path": "/x-secret/b"}]}),
            Denied("test/secret"),
        ),
        ("cline", "replace_in_file", json!({"path": "b"}), Fine),
        (
            "cline",
            "use_mcp_tool",
            json!({"server_name": "fs", "tool_name": "delete_file", "arguments": {"a": 1}}),
            Denied("servers/mcp"),
        ),
        (
            "cline",
            "use_mcp_tool",
            json!({"server_name": "fs", "tool_name": "find", "arguments": {"a": 1}}),
            Fine,
        ),
        ("cline", "teleport", json!({}), Denied("unknown tool")),
    ]);
}

/// What a host sends in two versions is read in both.
#[test]
fn older_and_newer_shapes() {
    let user = user();
    let cline = |part: Value| {
        let mut payload = json!({"clineVersion": "4", "hookName": "PreToolUse", "taskId": "1", "workspaceRoots": []});
        payload.as_object_mut().unwrap().extend(part.as_object().unwrap().clone());
        payload
    };
    let rows = [
        cline(
            json!({"tool_call": {"id": "1", "name": "run_commands", "input": {"commands": ["x-deny"]}}}),
        ),
        cline(
            json!({"preToolUse": {"tool": "execute_command", "parameters": {"command": "x-deny"}}}),
        ),
        json!({"hookName": "tool_call", "taskId": "1", "tool_call": {"id": "1", "name": "bash", "input": {"command": "x-deny"}}}),
    ];
    for payload in rows {
        let answer = answer(&user, "cline", payload.to_string().as_bytes());
        assert!(denied("cline", &answer).unwrap().contains("test/no"), "{payload}");
    }
}
