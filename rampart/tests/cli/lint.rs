//! `rampart policy lint`: exit statuses, and what editors read.

use crate::support::User;
use serde_json::{Value, json};

const GOOD: &str =
    "default_action: deny\npolicies: [{name: p, rules: [{action: watch, when: {program: x}}]}]\n";
const WARNS: &str = "default_action: deny\npolicies: [{name: p, rules: [{action: watch, when: {operands: [/é/]}}]}]\n";
const WRONG: &str = "policies:\n  - name: p\n    rules: [{action: deny, when: {programm: x}}]\n";
/// Read without an error, but not what its example says.
const FAILS: &str = "default_action: deny\npolicies: [{name: p, rules: [{action: watch, when: {operands: [/a/]}, examples: {match: [ls]}}]}]\n";

#[test]
fn statuses() {
    let user = User::new();
    for (name, text) in [("good", GOOD), ("warns", WARNS), ("wrong", WRONG), ("fails", FAILS)] {
        user.write(&format!("{name}.yaml"), text);
    }
    for (files, strict, status, last) in [
        (&["good.yaml"][..], true, 0, "1 file: 0 errors, 0 warnings, 0 notes"),
        (&["warns.yaml"], false, 0, "1 file: 0 errors, 1 warning, 0 notes"),
        (&["warns.yaml"], true, 1, "1 file: 0 errors, 1 warning, 0 notes"),
        // Each file by itself: the same policy name in several is no mistake.
        (&["good.yaml", "warns.yaml"], false, 0, "2 files: 0 errors, 1 warning, 0 notes"),
        (&["good.yaml", "wrong.yaml"], false, 2, "2 files: 1 error, 0 warnings, 0 notes"),
        (&["fails.yaml"], false, 2, "1 file: 1 error, 1 warning, 0 notes"),
    ] {
        let strictly = if strict { &["--strict"][..] } else { &[] };
        let found = user.rampart(&[&["policy", "lint"], strictly, files].concat());
        assert_eq!(found.status, status, "{files:?}: {}{}", found.stdout, found.stderr);
        assert_eq!(found.stdout.lines().last(), Some(last), "{}", found.stdout);
    }
    let found = user.rampart(&["policy", "lint", "none.yaml"]);
    assert_eq!(found.status, 2);
    assert!(found.stderr.contains("cannot read `none.yaml`: no such file"), "{}", found.stderr);
}

#[test]
fn for_editors() {
    let user = User::new();
    let lint = |text: &str| {
        let found = user.rampart_with(&["policy", "lint", "--json", "-"], text.as_bytes());
        assert_eq!(found.stdout.lines().count(), 1);
        (found.status, serde_json::from_str::<Value>(&found.stdout).unwrap())
    };
    let (status, report) = lint(WRONG);
    assert_eq!((status, &report["errors"], &report["files"]), (2, &json!(1), &json!(1)));
    let excerpt = "    rules: [{action: deny, when: {programm: x}}]";
    assert_eq!(
        report["diagnostics"],
        json!([{
            "file": "<stdin>", "line": 3, "column": 35, "end_column": 43, "level": "error",
            "message": "unknown key `programm` in a condition",
            "help": "did you mean `program`?", "excerpt": excerpt,
        }])
    );
    let (status, report) = lint(WARNS);
    assert_eq!((status, &report["warnings"]), (0, &json!(1)));
    let one = &report["diagnostics"][0];
    assert_eq!((&one["code"], &one["level"]), (&json!("never-matches"), &json!("warning")));
    // Columns count characters, not bytes.
    let line = WARNS.lines().nth(1).unwrap();
    let start = line.chars().position(|c| c == '/').unwrap() + 1;
    assert_eq!((&one["column"], &one["end_column"]), (&json!(start), &json!(start + 3)));
}

/// What is shipped has nothing that a user would be warned of.
#[test]
fn shipped_policies() {
    let user = User::new();
    for (name, text) in policies::SOURCES.iter().chain(policies::PACK_SOURCES) {
        let found = user.rampart_with(&["policy", "lint", "--strict", "-"], text.as_bytes());
        assert_eq!(found.status, 0, "{name}: {}", found.stdout);
    }
}
