//! `rampart policy test`: examples, test cases, suites.

use crate::support::{POLICY, User, words};
use serde_json::{Value, json};

const TESTED: &str = r#"
policies:
  - name: p
    rules:
      - name: a
        action: deny
        message: Not that.
        when: {program: x-a}
        examples: {match: [x-a, "y-a"], not_match: [[x-a]]}
tests:
  - {name: one, params: {command: "x-a 1"}, expect: deny, expect_message: "Not*"}
  - {name: two, tool: read, params: {path: /x}, expect: allow}
  - {name: three, params: {command: x-a}, expect: deny, expect_message: "Other*"}
  - {name: four, params: {command: x-a, cmd: y}, expect: deny, expect_message: "ambiguous*"}
"#;

#[test]
fn what_passes_and_what_fails() {
    let user = User::new();
    user.write("t.yaml", TESTED.replace("[[x-a]]", "[x-b]"));
    let found = user.rampart(&words("policy test t.yaml"));
    assert_eq!(found.status, 1, "{}", found.stderr);
    for part in [
        "t.yaml:9:33: error: rule `p/a` does not fire for an example that it must match",
        "t.yaml:12:5: error: test `two` expects allow, but the answer is deny (default)",
        "t.yaml:13:5: error: test `three` expects a message like `Other*`, but it is `Not that.` (p/a)",
        "\n4 passed, 3 failed\n",
    ] {
        assert!(found.stdout.contains(part), "{part}: {}", found.stdout);
    }
    let found = user.rampart(&words("policy test --json t.yaml"));
    let json: Value = serde_json::from_str(&found.stdout).unwrap();
    assert_eq!((found.status, &json["passed"], &json["failed"]), (1, &json!(4), &json!(3)));
    let kinds: Vec<_> =
        json["tests"].as_array().unwrap().iter().map(|test| &test["kind"]).collect();
    assert_eq!(kinds, ["example", "example", "example", "test", "test", "test", "test"]);
    assert_eq!(json["tests"][0]["name"], "p/a matches `x-a`");
    assert_eq!(json["tests"][2]["name"], "p/a does not match `x-b`");
}

#[test]
fn suites_name_their_policy() {
    let user = User::new();
    let tests = "tests: [{name: t, params: {command: x-deny}, expect: deny}]";
    let standard = "tests: [{name: t, params: {command: 'rm -rf /'}, expect: deny}]";
    for (file, text, status, part) in [
        ("sub/suite.yaml", format!("policy: ../policy.yaml\n{tests}"), 0, "1 passed, 0 failed"),
        ("suite.yaml", format!("policy: standard\n{standard}"), 0, "1 passed, 0 failed"),
        (
            "suite.yaml",
            format!("policy: monitor\n{standard}"),
            1,
            "expects deny, but the answer is",
        ),
        ("suite.yaml", format!("policy: none.yaml\n{tests}"), 2, "none.yaml"),
        ("suite.yaml", format!("policy: ''\n{tests}"), 2, "without the policy"),
        ("suite.yaml", format!("policy: standard\nrules: []\n{tests}"), 2, "unknown key `rules`"),
        (
            "suite.yaml",
            "policy: standard\ntests: [{params: {}, expect: dney}]".into(),
            2,
            "did you mean `deny`",
        ),
        ("suite.yaml", "polices: []".into(), 2, "did you mean `policies`"),
    ] {
        user.write(file, &text);
        let found = user.rampart(&["policy", "test", file]);
        assert_eq!(found.status, status, "{text}: {}{}", found.stdout, found.stderr);
        assert!((found.stdout + &found.stderr).contains(part), "{text}");
    }
}

#[test]
fn what_is_run_without_a_name() {
    let user = User::new();
    let found = user.rampart(&words("policy test"));
    assert_eq!(found.status, 2);
    assert!(found.stderr.contains("rampart-tests.yaml"), "{}", found.stderr);
    user.write(".rampart/policy.yaml", POLICY);
    assert_eq!(user.rampart(&words("policy test")).stdout, "0 passed, 0 failed\n");
    user.write(
        "rampart-tests.yaml",
        "policy: policy.yaml\ntests: [{params: {command: x}, expect: allow}]",
    );
    let found = user.rampart(&words("policy test -v"));
    assert_eq!(found.stdout, "rampart-tests.yaml:2: test passed: test 1\n1 passed, 0 failed\n");
}
