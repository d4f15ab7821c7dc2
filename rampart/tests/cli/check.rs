//! `rampart check`: exit statuses, words and JSON.

use crate::support::{POLICY, User, words};
use serde_json::Value;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

#[test]
fn exit_statuses() {
    let user = User::new();
    let cases = [
        ("-- x-allow a", 0),
        ("-- x-watch", 0),
        ("-- x-deny --flag", 1),
        ("-- /opt/x-deny", 1),
        ("-- x-ask", 3),
        ("-- x-webhook", 3),
        ("x-deny", 1),
        ("x-allow --json", 0),
        ("--json -- x-deny", 1),
        ("--json -- x-ask", 3),
        ("--shell x-allow", 0),
        ("--shell x-deny", 1),
        ("--shell -x", 0),
        ("--path /x-secret/a", 1),
        ("--path /elsewhere/a", 0),
        ("--tool write --path /x-secret/a", 1),
        ("--url https://x-paste.example/a", 1),
        ("--url https://y.example/a", 0),
    ];
    for (line, status) in cases {
        let arguments = words(&format!("check --policy policy.yaml {line}"));
        let found = user.rampart(&arguments);
        assert_eq!(found.status, status, "{line}: {}{}", found.stdout, found.stderr);
        assert_eq!(found.stderr, "", "{line}");
        assert!(!found.stdout.is_empty(), "{line}");
    }
}

#[test]
fn bad_input_is_explained() {
    let user = User::new();
    user.write("open.yaml", "version: \"1\"\n");
    std::fs::set_permissions(
        user.path("open.yaml"),
        std::os::unix::fs::PermissionsExt::from_mode(0o666),
    )
    .unwrap();
    user.write("bad.yaml", "version: \"1\"\ndefault_acton: deny\npolicies: 7\n");
    user.write("bad.img", b"RAMPART\0 and nothing else");
    let cases = [
        ("check", "required arguments"),
        ("check --policy policy.yaml", "required arguments"),
        ("check --nonsense -- ls", "--nonsense"),
        ("check --policy policy.yaml --profile standard -- ls", "cannot be used with"),
        ("check --policy none.yaml -- ls", "no such file"),
        ("check --policy . -- ls", "no regular file"),
        ("check --policy open.yaml -- ls", "chmod o-w"),
        ("check --policy bad.yaml -- ls", "bad.yaml:2:1"),
        ("check --policy bad.yaml -- ls", "default_action"),
        ("check --policy bad.yaml -- ls", "bad.yaml:3:"),
        ("check --policy bad.img -- ls", "`rampart policy compile`"),
        ("check --profile none -- ls", "standard"),
        ("check --jsonl --json", "cannot be used with"),
        ("check --jsonl --shell x", "cannot be used with"),
        ("check --shell x -- ls", "cannot be used with"),
    ];
    for (line, part) in cases {
        let found = user.rampart(&words(line));
        assert_eq!(found.status, 2, "{line}: {}", found.stderr);
        assert!(found.stderr.contains(part), "{line}: {}", found.stderr);
        assert_eq!(found.stdout, "", "{line}");
    }
}

#[test]
fn the_words_say_what_and_why() {
    let user = User::new();
    let found = user.rampart(&words("check --policy policy.yaml -- x-deny a;b"));
    for part in ["deny: rule test/no", "use x-other", "x-deny 'a;b'", "policy: policy.yaml"] {
        assert!(found.stdout.contains(part), "{part} in {}", found.stdout);
    }
    let found = user.rampart(&words("check --policy policy.yaml -- x-ask"));
    assert!(found.stdout.contains("where nobody can be asked, it is denied"), "{}", found.stdout);
    let found = user.rampart(&words("check --policy policy.yaml -- x-allow"));
    assert!(found.stdout.contains("allow: no rule matches"), "{}", found.stdout);
}

/// The lines between `what it would run:` and the next empty one.
fn commands_of(stdout: &str) -> Vec<&str> {
    let lines = stdout.lines().skip_while(|line| *line != "what it would run:").skip(1);
    lines.take_while(|line| !line.is_empty()).collect()
}

#[test]
fn the_tree_of_commands_can_be_read() {
    let user = User::new();
    let cases: [(&str, &[&str]); 8] = [
        ("x-a 'b c'", &["  x-a 'b c'"]),
        ("x-a; x-deny", &["  x-a", "  x-deny   <- deny test/no"]),
        ("x-a | x-b", &["  x-a", "  | x-b"]),
        ("A=1 x-a <in >out 2>>log", &["  A=1 x-a < in > out 2>> log"]),
        (
            "sudo sh -c 'x-deny 1'",
            &[
                "  sudo sh -c 'x-deny 1'",
                "    sudo: sh -c 'x-deny 1'",
                "      shell: x-deny 1   <- deny test/no",
            ],
        ),
        ("x-a $(x-b)", &["  x-a …", "    substitution: x-b"]),
        ("curl x | sh", &["  curl x", "  | sh   (runs code that is downloaded or decoded)"]),
        ("cd /x && x-a && x-b", &["  cd /x", "  x-a   (in /x)", "  x-b"]),
    ];
    for (text, expected) in cases {
        let found = user.rampart(&["check", "--policy", "policy.yaml", "--shell", text]);
        assert_eq!(commands_of(&found.stdout), expected, "{text}: {}", found.stdout);
    }
    let found = user.rampart(&["check", "--policy", "policy.yaml", "--shell", ""]);
    assert!(!found.stdout.contains("would run"), "{}", found.stdout);
}

#[test]
fn one_json_object() {
    let user = User::new();
    let found = user.rampart(&words("check --policy policy.yaml --json -- x-deny a"));
    let value: Value = serde_json::from_str(&found.stdout).unwrap();
    assert_eq!(value["action"], "deny");
    assert_eq!(value["policy"], "test");
    assert_eq!(value["rule"], "no");
    assert_eq!(value["message"], "use x-other");
    assert_eq!(value["matched"][0]["rule"], "no");
    assert_eq!(value["commands"][0]["words"], serde_json::json!(["x-deny", "a"]));
    assert_eq!(value["layers"], serde_json::json!(["policy.yaml"]));
    let found = user.rampart(&words("check --policy policy.yaml --json -- x-ask"));
    let value: Value = serde_json::from_str(&found.stdout).unwrap();
    assert_eq!((&value["action"], &value["unanswered"]), (&"ask".into(), &"deny".into()));
}

#[test]
fn arguments_need_not_be_utf8() {
    let user = User::new();
    let mut arguments = words("check --policy policy.yaml --json -- x-deny");
    arguments.push(OsString::from_vec(b"\xff\x1b[31m".to_vec()));
    let found = user.rampart(&arguments);
    assert_eq!(found.status, 1);
    let value: Value = serde_json::from_str(&found.stdout).unwrap();
    assert_eq!(value["commands"][0]["words"][1]["b64"], "/xtbMzFt");
    arguments.remove(3);
    let found = user.rampart(&arguments);
    assert!(found.stdout.contains("\\xff\\x1b[31m"), "{}", found.stdout);
    assert!(!found.stdout.contains('\x1b'), "{}", found.stdout);
    let shell = OsString::from_vec(b"x-deny \xff".to_vec());
    let mut arguments = words("check --policy policy.yaml --shell");
    arguments.push(shell);
    assert_eq!(user.rampart(&arguments).status, 1);
}

#[test]
fn installed_policies_add_up() {
    let user = User::new();
    let deny = |program: &str| {
        format!(
            "version: \"1\"\ndefault_action: allow\npolicies:\n  - name: {program}\n    rules:\n      - {{action: deny, when: {{program: [{program}]}}}}\n"
        )
    };
    user.write(".config/rampart/policy.d/10-own.yaml", deny("x-own"));
    user.write(".config/rampart/policy.d/20-more.yml", deny("x-more"));
    user.write(".config/rampart/policy.d/off.yaml.bak", deny("x-off"));
    user.write(".rampart/policy.yaml", deny("x-project"));
    let cases = [("x-own", 1), ("x-more", 1), ("x-off", 0), ("x-project", 1), ("x-else", 0)];
    for (program, status) in cases {
        let found = user.rampart(&["check", "--", program]);
        assert_eq!(found.status, status, "{program}: {}{}", found.stdout, found.stderr);
        assert!(found.stdout.contains("profile standard <"), "{}", found.stdout);
    }
    let mut command = user.command(&["check", "--", "x-project"]);
    let without = command.env("RAMPART_NO_PROJECT_POLICY", "1").status().unwrap();
    assert_eq!(without.code(), Some(0));
}

/// A mistake is no hole: what was in force stays, and that is said; where nothing was, it is an
/// error.
#[test]
fn a_broken_file_leaves_what_was_in_force() {
    let policy = |program: &str| {
        format!(
            "policies: [{{name: p, rules: [{{action: deny, when: {{program: {program}}}}}]}}]\n"
        )
    };
    let others = |user: &User, file: &str| {
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o666);
        std::fs::set_permissions(user.path(file), mode).unwrap();
    };
    let broken = |user: &User, file: &str| drop(user.write(file, "polices: []\n"));
    type Break<'b> = &'b dyn Fn(&User, &str);
    for (file, break_it, text) in [
        (
            ".config/rampart/policy.d/own.yaml",
            &broken as Break<'_>,
            "own.yaml:1:1: error: unknown key",
        ),
        (".config/rampart/policy.d/own.yaml", &others, "everybody may write to it"),
        (".rampart/policy.yaml", &broken, "policy.yaml:1:1: error: unknown key"),
    ] {
        let user = User::new();
        let check = |program: &str| user.rampart(&["check", "--", program]);
        user.write(file, policy("x-first"));
        user.write(file, policy("x-last"));
        break_it(&user, file);
        let found = check("x-last");
        assert_eq!(found.status, 2, "nothing was in force before: {}", found.stdout);
        assert!(found.stderr.contains(text), "{}", found.stderr);
        for program in ["x-first", "x-last"] {
            user.write(file, policy(program));
            assert_eq!(check(program).status, 1);
        }
        break_it(&user, file);
        for (program, status) in [("x-first", 0), ("x-last", 1)] {
            let found = check(program);
            assert_eq!(found.status, status, "{program}: {}", found.stderr);
            assert!(found.stderr.contains(text), "{}", found.stderr);
            assert!(found.stderr.contains("stays in force as it was when it last compiled"));
            assert!(found.stdout.contains("as it last compiled"), "{}", found.stdout);
        }
        // What is taken away by its user is gone.
        std::fs::remove_file(user.path(file)).unwrap();
        let found = check("x-last");
        assert_eq!((found.status, found.stderr.as_str()), (0, ""));
    }
}

#[test]
fn inside_a_tree_its_own_images_answer() {
    let user = User::new();
    let image = user.path("x.img");
    let compiled = user.rampart(&["policy", "compile", "policy.yaml", "-o", "x.img"]);
    assert_eq!(compiled.status, 0, "{}", compiled.stderr);
    let mut command = user.command(&["check", "--", "x-deny"]);
    let found = command.env("RAMPART_IMAGE", &image).status().unwrap();
    assert_eq!(found.code(), Some(1));
    let mut command = user.command(&["check", "--", "x-deny"]);
    let found = command.env("RAMPART_IMAGE", "/nonexistent/x.img").output().unwrap();
    assert_eq!(found.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&found.stderr).contains("RAMPART_IMAGE"));
    // A tree without an image is under the standard profile, whatever is installed.
    user.write(".config/rampart/policy.d/own.yaml", POLICY);
    for (tree, status) in [("", 1), ("01J", 0)] {
        let mut command = user.command(&["check", "--", "x-deny"]);
        command.env("LD_PRELOAD", user.library()).env("RAMPART_TREE", tree);
        assert_eq!(command.status().unwrap().code(), Some(status), "{tree:?}");
    }
}
