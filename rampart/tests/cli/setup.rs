//! `rampart setup`: what is put into the files of agents, and that nothing else changes there.

use super::support::User;
use serde_json::Value;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

/// Agents, their files, and what others may have written there.
const FILES: [(&str, &str, &str); 4] = [
    (
        "claude-code",
        ".claude/settings.json",
        "{\n  \"model\": \"opus\",\n  \"hooks\": {\n    \"PreToolUse\": [\n      { \"matcher\": \"Bash\", \"hooks\": [{\"type\": \"command\", \"command\": \"/usr/bin/true\"}] }\n    ],\n    \"Stop\": []\n  }\n}\n",
    ),
    ("codex", ".codex/hooks.json", "{\"hooks\":{\"SessionStart\":[{\"hooks\":[]}]}}"),
    (
        "gemini",
        ".gemini/settings.json",
        "{\n\t\"ui\": {\n\t\t\"theme\": \"x\"\n\t},\n\t\"hooks\": {}\n}\n",
    ),
    (
        "cursor",
        ".cursor/hooks.json",
        "{\n    \"version\": 1,\n    \"hooks\": {\n        \"stop\": []\n    }\n}",
    ),
];

#[test]
fn files_come_back_byte_for_byte() {
    for (agent, file, text) in FILES {
        let user = User::new();
        let path = user.write(file, text);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let dry = user.rampart(&["setup", agent, "--dry-run"]);
        assert_eq!((dry.status, fs::read_to_string(&path).unwrap().as_str()), (0, text));
        assert!(dry.stdout.contains(&format!("hook --format {agent}")), "{}", dry.stdout);
        for _ in 0..2 {
            let done = user.rampart(&["setup", agent]);
            assert_eq!(done.status, 0, "{agent}: {}", done.stderr);
        }
        let now = fs::read_to_string(&path).unwrap();
        assert_eq!(
            now.matches(&format!("hook --format {agent}")).count(),
            if agent == "claude-code" { 3 } else { 2 }
        );
        let parsed: Value = serde_json::from_str(&now).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
        let verified = user.rampart(&["setup", agent, "--verify"]);
        assert_eq!(verified.status, 0, "{agent}: {}", verified.stderr);
        let removed = user.rampart(&["setup", agent, "--remove"]);
        assert_eq!(removed.status, 0, "{agent}: {}", removed.stderr);
        assert_eq!(fs::read_to_string(&path).unwrap(), text, "{agent}");
        assert_eq!(user.rampart(&["setup", agent, "--verify"]).status, 1);
        // Where somebody has written meanwhile, only what is ours goes.
        assert_eq!(user.rampart(&["setup", agent]).status, 0);
        let edited = fs::read_to_string(&path).unwrap().replacen('{', "{\"later\": 1,", 1);
        fs::write(&path, &edited).unwrap();
        assert_eq!(user.rampart(&["setup", agent, "--remove"]).status, 0);
        let left: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
        assert_eq!(left["later"], 1);
        assert!(!left.to_string().contains("--format") && parsed.to_string().contains("--format"));
    }
}

/// Codex hands on what its `shell_environment_policy` says: the library is among it, whatever else is.
#[test]
fn codex_keeps_the_library() {
    let text = "model = \"o5\"\n\n[shell_environment_policy]\ninherit = \"core\"\n# mine\n\n[tui]\nnotifications = true";
    let user = User::new();
    let path = user.write(".codex/config.toml", text);
    let library = user.library();
    let setup = |words: &[&str]| {
        let done = user.command(words).env("RAMPART_LIB", &library).output().unwrap();
        assert!(done.status.success(), "{words:?}: {done:?}");
    };
    setup(&["setup", "codex"]);
    let now = fs::read_to_string(&path).unwrap();
    assert!(now.starts_with(text) && now.contains("[shell_environment_policy.set]"), "{now}");
    assert!(now.contains(&format!("LD_PRELOAD = \"{}\"", library.display())), "{now}");
    setup(&["setup", "codex", "--verify"]);
    setup(&["setup", "codex", "--remove"]);
    assert_eq!(fs::read_to_string(&path).unwrap(), text);
    assert!(!user.path(".codex/hooks.json").exists());
}

#[test]
fn files_that_were_not_there_go() {
    let all = [
        ("claude-code", ".claude/settings.json"),
        ("codex", ".codex/hooks.json"),
        ("gemini", ".gemini/settings.json"),
        ("cursor", ".cursor/hooks.json"),
        ("copilot", ".copilot/hooks/rampart.json"),
        ("opencode", ".config/opencode/plugins/rampart.js"),
        ("cline", "Documents/Cline/Hooks/PostToolUse"),
    ];
    for (agent, file) in all {
        let user = User::new();
        assert_eq!(user.rampart(&["setup", agent]).status, 0, "{agent}");
        let text = fs::read_to_string(user.path(file)).unwrap();
        assert!(
            text.contains(&format!("{} hook --format {agent}", env!("CARGO_BIN_EXE_rampart"))),
            "{text}"
        );
        if file.ends_with(".json") {
            serde_json::from_str::<Value>(&text).unwrap();
        }
        let verified = user.rampart(&["setup", agent, "--verify"]);
        assert_eq!(verified.status, 0, "{agent}: {}", verified.stderr);
        assert_eq!(user.rampart(&["setup", agent, "--remove"]).status, 0);
        assert!(!user.path(file).exists(), "{agent}");
    }
}

#[test]
fn what_is_not_understood_is_left_alone() {
    let user = User::new();
    let path = user.write(".claude/settings.json", "{ // mine\n}");
    let refused = user.rampart(&["setup", "claude-code"]);
    assert_eq!(refused.status, 1);
    assert!(refused.stderr.contains("is no JSON"), "{}", refused.stderr);
    fs::remove_file(&path).unwrap();
    symlink(user.write("elsewhere.json", "{}"), &path).unwrap();
    let refused = user.rampart(&["setup", "claude-code"]);
    assert!(refused.stderr.contains("symbolic link"), "{}", refused.stderr);
    user.write("Documents/Cline/Hooks/PreToolUse", "#!/bin/sh\nmine\n");
    let refused = user.rampart(&["setup", "cline"]);
    assert!(refused.stderr.contains("not Rampart's"), "{}", refused.stderr);
    assert!(!user.path("Documents/Cline/Hooks/PostToolUse").exists());
    let mut inside = user.command(&["setup", "codex"]);
    inside.env("LD_PRELOAD", user.library()).env("RAMPART_TREE", "x");
    assert_eq!(inside.output().unwrap().status.code(), Some(2));
}

#[test]
fn every_agent_that_is_installed_is_protected() {
    let user = User::new();
    let none = user.command(&["protect"]).env("PATH", "/nonexistent").output().unwrap();
    assert!(String::from_utf8_lossy(&none.stdout).contains("no agent"));
    for name in ["claude", "gemini"] {
        user.write(&format!("bin/{name}"), "");
    }
    let done = user.command(&["protect"]).env("PATH", user.path("bin")).output().unwrap();
    assert!(done.status.success());
    for (file, is_there) in [
        (".claude/settings.json", true),
        (".gemini/settings.json", true),
        (".codex/hooks.json", false),
    ] {
        assert_eq!(user.path(file).exists(), is_there, "{file}");
    }
}
