//! `rampart init`: what it writes, what it never writes over, and what the log suggests.

use crate::support::{User, ended};
use std::fs;

const PROJECT: &str = ".rampart/policy.yaml";
const OWN: &str = ".config/rampart/policy.d/own.yaml";

/// The file with everything that it suggests in force, as somebody would edit it.
fn taken(text: &str) -> String {
    let line = |line: &str| match line.strip_prefix('#') {
        Some(yaml) if !yaml.starts_with(' ') || yaml.starts_with("  ") => format!("{yaml}\n"),
        _ => format!("{line}\n"),
    };
    text.lines().map(line).collect()
}

#[test]
fn a_policy_to_start_from() {
    for (arguments, file) in [
        (&["init"][..], PROJECT),
        (&["init", "--project", "--profile", "guard"], PROJECT),
        (&["init", "--user"], OWN),
        (&["init", "--user", "--profile", "monitor"], OWN),
    ] {
        let user = User::new();
        let before = user.rampart(&["check", "--", "x-none"]).status;
        let found = user.rampart(arguments);
        assert_eq!(found.status, 0, "{arguments:?}: {}", found.stderr);
        assert!(found.stdout.contains(&format!("{file}\n")), "{}", found.stdout);
        let text = fs::read_to_string(user.path(file)).unwrap();
        if !arguments.contains(&"--profile") {
            // Nothing in it holds yet.
            let lines = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
            assert_eq!(lines.collect::<Vec<_>>(), ["version: \"1\""], "{text}");
            assert_eq!(user.rampart(&["check", "--", "x-none"]).status, before);
        }
        let lint = user.rampart(&["policy", "lint", file]);
        assert_eq!(lint.status, 0, "{}", lint.stdout);
        // Once taken, it is a policy.
        user.write("taken.yaml", taken(&text));
        let lint = user.rampart(&["policy", "lint", "taken.yaml"]);
        assert_eq!(lint.status, 0, "{}", lint.stdout);
        let names: Vec<_> = fs::read_dir(user.path(file).parent().unwrap()).unwrap().collect();
        assert_eq!(names.len(), 1, "{names:?}");
    }
    let user = User::new();
    let found = user.rampart(&["init", "--profile", "none"]);
    assert_eq!(found.status, 2);
    assert!(found.stderr.contains("there is no profile"), "{}", found.stderr);
    assert!(!user.path(PROJECT).exists());
}

#[test]
fn at_the_root_of_the_work_tree() {
    let user = User::new();
    fs::create_dir_all(user.path("repo/.git")).unwrap();
    fs::create_dir_all(user.path("repo/a/b")).unwrap();
    let found = user.command(&["init"]).current_dir(user.path("repo/a/b")).output().unwrap();
    assert_eq!(ended(&found).status, 0);
    assert!(user.path("repo/.rampart/policy.yaml").exists());
}

#[test]
fn nothing_is_written_over() {
    let user = User::new();
    user.write(PROJECT, "default_action: ask\n");
    fs::create_dir_all(user.path(OWN).parent().unwrap()).unwrap();
    std::os::unix::fs::symlink("/nonexistent/own.yaml", user.path(OWN)).unwrap();
    for arguments in [&["init"][..], &["init", "--user"], &["init", "--profile", "standard"]] {
        let found = user.rampart(arguments);
        assert_eq!(found.status, 2, "{arguments:?}");
        assert!(found.stderr.contains("is there already"), "{}", found.stderr);
    }
    assert_eq!(fs::read_to_string(user.path(PROJECT)).unwrap(), "default_action: ask\n");
    assert!(fs::symlink_metadata(user.path(OWN)).unwrap().is_symlink());
}

#[test]
fn a_person_s_own_policy_is_not_written_from_inside() {
    let user = User::new();
    let (library, rampart) = (user.library(), env!("CARGO_BIN_EXE_rampart"));
    for (verb, status) in [("init --user", 2), ("init --user --from-audit", 2), ("init", 0)] {
        let mut command = std::process::Command::new("sh");
        let text = format!("env -i HOME=$HOME '{rampart}' {verb}; exit $?");
        command.args(["-c", &text]).current_dir(user.path(""));
        command.env("HOME", user.path("")).env("LD_PRELOAD", &library);
        let found = ended(&command.output().unwrap());
        assert_eq!(found.status, status, "{verb}: {}", found.stderr);
        assert_eq!(found.stderr.contains("inside a guarded tree"), status == 2, "{}", found.stderr);
    }
    assert!(!user.path(OWN).exists());
    assert!(user.path(PROJECT).exists());
}

/// A log as the library would leave it: who was stopped, who was asked about, what was not whole.
fn log(user: &User) {
    let project = user.path("");
    let project = project.display();
    let event = |number: u32, outcome: &str, action: &str, rule: &str, more: &str| {
        format!(
            r#"{{"v":1,"id":"01JDBF7Z000000000000000{number:03}","time":"2026-11-23T07:59:59.{number:06}Z","outcome":"{outcome}","action":"{action}","reason":"rule","policy":"own","rule":"{rule}","matched":[],"cwd":"{project}",{more}}}"#
        ) + "\n"
    };
    let mut text = String::new();
    for number in 0..3 {
        text += &event(number, "denied", "deny", "no", r#""argv":["x-deny","a b","*"]"#);
    }
    text += &event(10, "denied", "ask", "maybe", r#""argv":["x-ask","never"]"#);
    text += &event(11, "allowed", "ask", "maybe", r#""argv":["x-ask","agreed"]"#);
    text += &event(12, "denied", "deny", "no", r#""argv":["x-deny","--token","[masked]"]"#);
    text += &event(13, "denied", "deny", "no", r#""command":"x-deny; {{list: x}} # y""#);
    // Somewhere else.
    text += &event(14, "denied", "ask", "maybe", r#""argv":["x-ask","secret-place"]"#)
        .replace(&format!("\"cwd\":\"{project}\""), "\"cwd\":\"/elsewhere\"");
    user.write("audit/spool-0.jsonl", text);
}

const OWN_RULES: &str = "
policies:
  - name: own
    rules:
      - {name: no, action: deny, when: {program: [x-deny]}}
      - {name: maybe, action: ask, when: {program: [x-ask]}}
      - {name: idle, action: ask, when: {program: [x-idle]}}
";

#[test]
fn what_the_log_suggests() {
    let user = User::new();
    user.write(".config/rampart/policy.d/rules.yaml", OWN_RULES);
    log(&user);
    let rampart = |arguments: &[&str]| {
        ended(
            &user.command(arguments).env("RAMPART_AUDIT_DIR", user.path("audit")).output().unwrap(),
        )
    };
    let found = rampart(&["init", "--user", "--from-audit"]);
    assert_eq!(found.status, 0, "{}", found.stderr);
    let text = fs::read_to_string(user.path(OWN)).unwrap();
    for part in [
        r#"#  - {rule: "own/no", command: ["x-deny","a b","*"]}"#,
        "stopped 3 × by own/no",
        r#"#  - {rule: "own/maybe", command: ["x-ask","agreed"]}"#,
        r#"#      - {action: deny, when: {command_matches: ["x-ask never"]}}"#,
        "own/idle (ask)",
        "Left out: 1 events",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
    // What was agreed to is not denied, what is not whole is not suggested, and nothing holds yet.
    assert!(!text.contains(r#"command_matches: ["x-ask agreed"]"#), "{text}");
    assert!(!text.contains("masked]"), "{text}");
    let check = |line: &str| user.rampart(&["check", "--shell", line]).status;
    for (line, status) in [("x-deny 'a b' '*'", 1), ("x-ask never", 3), ("x-ask agreed", 3)] {
        assert_eq!(check(line), status, "{line}");
    }
    // Once taken it holds for exactly those.
    user.write(OWN, taken(&text.replace("#default_action: ask\n", "")));
    for (line, status) in [
        ("x-deny 'a b' '*'", 0),
        ("x-deny 'a b' c", 1),
        ("x-ask never", 1),
        ("x-ask agreed", 0),
        ("x-ask other", 3),
    ] {
        assert_eq!(check(line), status, "{line}");
    }
    // A project's file loosens nothing and tells nothing of other places.
    let found = rampart(&["init", "--from-audit"]);
    assert_eq!(found.status, 0, "{}", found.stderr);
    let text = fs::read_to_string(user.path(PROJECT)).unwrap();
    assert!(!text.contains("disable") && !text.contains("secret-place"), "{text}");
    assert!(text.contains(r#"command_matches: ["x-ask never"]"#), "{text}");
}
