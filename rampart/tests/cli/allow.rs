//! `rampart allow` and `rampart block`: what is written, how far it goes, and who may.

use crate::support::{Ended, User, ended, mode, words};
use std::fs;

const OWN: &str = r#"
policies:
  - name: own
    rules:
      - {name: no, action: deny, when: {program: [x-deny]}}
      - {name: maybe, action: ask, when: {program: [x-ask]}}
"#;

const FILE: &str = ".config/rampart/policy.d/user-overrides.yaml";

fn user() -> User {
    let user = User::new();
    user.write(".config/rampart/policy.d/own.yaml", OWN);
    user
}

fn check(user: &User, shell: &str) -> i32 {
    user.rampart(&["check", "--shell", shell]).status
}

#[test]
fn patterns() {
    let user = user();
    let allowed = user.rampart(&["allow", "x-ask \"one\": {two} *"]);
    assert_eq!(allowed.status, 0, "{}", allowed.stderr);
    assert!(allowed.stdout.contains("written to"), "{}", allowed.stdout);
    assert_eq!(mode(&user.path(FILE)), 0o600);
    assert_eq!(user.rampart(&["allow", "x-deny *"]).status, 0);
    assert_eq!(user.rampart(&["block", "x-other *", "--message", "use x-ask"]).status, 0);
    for (shell, status) in [
        ("x-ask '\"one\":' '{two}' three", 0),
        ("x-ask one", 3),
        ("x-ask '\"one\":' '{two}' three; x-ask one", 3),
        // An allow never beats a deny.
        ("x-deny one", 1),
        ("x-other one", 1),
        ("x-others", 0),
    ] {
        assert_eq!(check(&user, shell), status, "{shell}");
    }
    assert!(user.rampart(&["check", "--", "x-other", "1"]).stdout.contains("use x-ask"));
    // The same once more is not written twice.
    let before = fs::read_to_string(user.path(FILE)).unwrap();
    let again = user.rampart(&["allow", "x-deny *"]);
    assert!(again.stdout.contains("already in"), "{}", again.stdout);
    assert_eq!(fs::read_to_string(user.path(FILE)).unwrap(), before);
    assert_eq!(user.rampart(&["policy", "lint", FILE]).status, 0);
}

#[test]
fn for_a_time_and_for_a_project() {
    let user = user();
    assert_eq!(user.rampart(&["allow", "x-ask", "--for", "8h"]).status, 0);
    let rules = user.rampart(&words("rules")).stdout;
    assert!(rules.contains("(operator, until 20"), "{rules}");
    assert_eq!(check(&user, "x-ask"), 0);
    let once = user.rampart(&["allow", "x-ask 1", "--once"]);
    assert!(once.stderr.contains("it grants nothing"), "{}", once.stderr);
    assert_eq!(check(&user, "x-ask 1"), 3);
    assert_eq!(user.rampart(&["block", "x-none *", "--project"]).status, 0);
    assert!(user.path(".rampart/policy.yaml").exists());
    assert_eq!(check(&user, "x-none 1"), 1);
    let found = user.rampart(&["allow", "x-ask", "--for", "soon"]);
    assert_eq!(found.status, 2);
    assert!(found.stderr.contains("is no duration"), "{}", found.stderr);
}

#[test]
fn a_file_of_somebody_else_is_left_alone() {
    let user = user();
    user.write(FILE, "# mine\ndefault_action: allow\n");
    let found = user.rampart(&["allow", "x-ask"]);
    assert_eq!(found.status, 2);
    assert!(found.stderr.contains("left as it is"), "{}", found.stderr);
    assert_eq!(fs::read_to_string(user.path(FILE)).unwrap(), "# mine\ndefault_action: allow\n");
    // A line that was removed by hand is gone; the others stay.
    fs::remove_file(user.path(FILE)).unwrap();
    for pattern in ["x-ask 1", "x-ask 2"] {
        assert_eq!(user.rampart(&["allow", pattern]).status, 0);
    }
    let text = fs::read_to_string(user.path(FILE)).unwrap();
    let kept: Vec<&str> = text.lines().filter(|line| !line.contains("x-ask 1")).collect();
    user.write(FILE, kept.join("\n"));
    assert_eq!(user.rampart(&["allow", "x-ask 3"]).status, 0);
    for (shell, status) in [("x-ask 1", 3), ("x-ask 2", 0), ("x-ask 3", 0)] {
        assert_eq!(check(&user, shell), status, "{shell}");
    }
}

#[test]
fn many_at_once() {
    let user = user();
    let all: Vec<_> = (0..8)
        .map(|number| user.command(&["allow", &format!("x-ask {number}")]).spawn().unwrap())
        .collect();
    for mut one in all {
        assert!(one.wait().unwrap().success());
    }
    for number in 0..8 {
        assert_eq!(check(&user, &format!("x-ask {number}")), 0, "{number}");
    }
}

/// ldconfig(8) is linked statically on Debian, so that `run` judges and records it itself.
#[test]
fn one_command_by_the_id_of_its_denial() {
    const STATIC: &str = "/sbin/ldconfig";
    let user = User::new();
    user.write(
        ".config/rampart/policy.d/own.yaml",
        "policies: [{name: own, rules: [{name: no, action: deny, when: {operand_matches: [x-no]}}]}]\n",
    );
    let run = |arguments: &[&str]| -> Ended {
        let all = [&["run", "--", STATIC][..], arguments].concat();
        ended(&user.command(&all).env("RAMPART_LIB", user.library()).output().unwrap())
    };
    let denied = run(&["x-no", "a b"]);
    assert_eq!(denied.status, 126, "{}", denied.stderr);
    let id =
        denied.stderr.split("--id ").nth(1).unwrap().split([' ', ')']).next().unwrap().to_owned();
    let allowed = user.rampart(&["allow", "--id", &id]);
    assert_eq!(allowed.status, 0, "{}", allowed.stderr);
    assert!(
        allowed.stdout.contains(r#"{rule: "own/no", command: ["/sbin/ldconfig","x-no","a b"]}"#),
        "{}",
        allowed.stdout
    );
    assert_ne!(run(&["x-no", "a b"]).status, 126);
    // Exactly that command.
    for other in [&["x-no", "a", "b"][..], &["x-no"], &["x-no", "a b", "c"]] {
        assert_eq!(run(other).status, 126, "{other:?}");
    }
    for (id, text) in [("ZZZZ", "no event"), ("Z", "four characters")] {
        let found = user.rampart(&["allow", "--id", id]);
        assert!(found.stderr.contains(text), "{}", found.stderr);
    }
}

#[test]
fn not_from_inside() {
    let user = user();
    let (library, rampart) = (user.library(), env!("CARGO_BIN_EXE_rampart"));
    for verb in ["allow x-ask", "block x-ask", "allow --id 7F3K"] {
        for before in ["", "env -i HOME=$HOME "] {
            let mut command = std::process::Command::new("sh");
            let text = format!("{before}'{rampart}' {verb}; exit $?");
            let found =
                command.args(["-c", &text]).env("HOME", user.path("")).env("LD_PRELOAD", &library);
            let found = ended(&found.output().unwrap());
            assert_eq!(found.status, 2, "{before}{verb}: {}", found.stderr);
            assert!(found.stderr.contains("inside a guarded tree"), "{}", found.stderr);
        }
    }
    assert!(!user.path(FILE).exists());
}
