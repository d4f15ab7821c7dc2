//! Rules on what a tool put out: `check --response` and the member `response` of `--jsonl`.

use crate::support::User;
use serde_json::{Value, json};

const POLICY: &str = r#"
default_action: deny
policies:
  - name: leaks
    match: {tool: [exec, read]}
    rules:
      - {name: known, action: allow, when: {response_matches: ["KEY-EXAMPLE"]}}
      - {name: key, action: deny, message: "a key", when: {response_matches: ["KEY-[0-9]+"], response_not_matches: ["revoked"]}}
      - {name: cat, action: ask, when: {response_matches: ["do as I say"], program: [cat]}}
      - {name: none, action: deny, when: {response_not_matches: ["(?s)."]}}
  - name: all
    rules:
      - {name: odd, action: watch, when: {response_matches: ["\\bodd\\b"]}}
      - {name: late, action: deny, expires_at: 2001-01-01, when: {response_matches: ["."]}}
      - {name: call, action: deny, when: {program: [x-deny]}}
"#;

#[test]
fn what_a_call_put_out() {
    let user = User::new();
    user.write("policy.yaml", POLICY);
    let cases = [
        (json!({"command": "x-deny", "response": "fine"}), "allow", ""),
        (json!({"command": "ls", "response": "KEY-17"}), "deny", "key"),
        (json!({"tool": "read", "path": "/a", "response": "x KEY-17 y"}), "deny", "key"),
        (json!({"tool": "fetch", "url": "https://x.test", "response": "KEY-17"}), "allow", ""),
        (json!({"command": "ls", "response": "KEY-17, revoked"}), "allow", ""),
        (json!({"command": "ls", "response": "KEY-EXAMPLE KEY-17"}), "allow", "known"),
        // Nobody can be asked about a call that is over.
        (json!({"command": "cat x", "response": "do as I say"}), "deny", "cat"),
        (json!({"command": "head x", "response": "do as I say"}), "allow", ""),
        (json!({"command": "ls", "response": ""}), "deny", "none"),
        (json!({"command": "ls", "response": "an odd thing"}), "watch", "odd"),
        (json!({"command": "ls", "response": {"b64": "/0tFWS0x"}}), "deny", "key"),
        // Without an output, response rules are not looked at.
        (json!({"command": "x-deny"}), "deny", "call"),
        (json!({"command": "ls"}), "deny", ""),
    ];
    let input: Vec<String> = cases.iter().map(|(case, ..)| format!("{case}\n")).collect();
    let arguments = ["check", "--policy", "policy.yaml", "--jsonl"];
    let found = user.rampart_with(&arguments, input.concat().as_bytes());
    assert_eq!(found.status, 0, "{}", found.stderr);
    assert_eq!(found.stdout.lines().count(), cases.len());
    for ((case, action, rule), line) in cases.iter().zip(found.stdout.lines()) {
        let answer: Value = serde_json::from_str(line).unwrap();
        assert_eq!((&answer["action"], &answer["rule"]), (&json!(action), &json!(rule)), "{case}");
    }
}

#[test]
fn an_output_on_standard_input_or_in_a_file() {
    let user = User::new();
    user.write("policy.yaml", POLICY);
    user.write("out.txt", "KEY-17");
    let check = ["check", "--policy", "policy.yaml", "--response"];
    let run = |more: &[&str], input: &[u8]| user.rampart_with(&[&check, more].concat(), input);
    for (more, input, status, text) in [
        (&["-"][..], "KEY-17", 1, "leaks/key"),
        (&["-", "--", "ls"], "nothing", 0, "no rule matches"),
        (&["out.txt", "--", "ls"], "", 1, "a key"),
        (&["none.txt"], "", 2, "no such file"),
    ] {
        let found = run(more, input.as_bytes());
        assert_eq!(found.status, status, "{more:?}: {}{}", found.stdout, found.stderr);
        assert!((found.stdout + &found.stderr).contains(text), "{more:?}");
    }
}

#[test]
fn an_output_that_is_too_long_is_not_searched_in_part() {
    let user = User::new();
    user.write("policy.yaml", POLICY);
    let check = ["check", "--policy", "policy.yaml", "--response", "-"];
    let exact = "x".repeat(1024 * 1024);
    assert_eq!(user.rampart_with(&check, exact.as_bytes()).status, 0);
    let found = user.rampart_with(&check, format!("{exact}x").as_bytes());
    assert_eq!(found.status, 1, "{}", found.stdout);
    assert!(found.stdout.contains("exceeds 1048576 bytes"), "{}", found.stdout);
    // A tool that no such rule is about may put out what it likes.
    let other = [&check[..], &["--tool", "fetch", "--url", "https://x.test"]].concat();
    assert_eq!(user.rampart_with(&other, format!("{exact}x").as_bytes()).status, 0);
}

#[test]
fn expressions_are_checked_when_they_are_loaded() {
    let user = User::new();
    for (regex, text) in [
        ("(", "not a regular expression: unclosed group"),
        (r"a{1000}{1000}{1000}", "is too large once compiled"),
        (&"x".repeat(501), "longer than 500 characters"),
    ] {
        let when = format!("{{response_matches: ['{regex}']}}");
        user.write(
            "bad.yaml",
            format!("policies: [{{name: p, rules: [{{action: deny, when: {when}}}]}}]"),
        );
        let found = user.rampart(&["policy", "compile", "bad.yaml"]);
        assert_eq!(found.status, 2, "{regex}");
        assert!(found.stderr.contains(text), "{regex}: {}", found.stderr);
        assert!(found.stderr.contains("bad.yaml:1:"), "{}", found.stderr);
    }
}
