//! `rampart check --jsonl`: order, robustness, and that it answers at once.

use crate::support::User;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::process::Stdio;

const ARGUMENTS: [&str; 4] = ["check", "--policy", "policy.yaml", "--jsonl"];

fn answers(input: &[u8]) -> Vec<Value> {
    let user = User::new();
    let found = user.rampart_with(&ARGUMENTS, input);
    assert_eq!(found.status, 0, "{}", found.stderr);
    let lines = found.stdout.lines();
    lines.map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn one_answer_a_line_in_order() {
    let cases = [
        (json!({"id": 1, "command": "x-deny"}), "deny", "no"),
        (json!({"id": "two", "argv": ["x-ask", "a"]}), "ask", "maybe"),
        (json!({"argv": ["x-webhook"]}), "webhook", "hook"),
        (json!({"id": null, "argv": ["x-watch"]}), "watch", "look"),
        (json!({"tool": "exec", "params": {"cmd": "x-deny"}}), "deny", "no"),
        (json!({"tool": "read", "path": "/x-secret/a"}), "deny", "secret"),
        (json!({"tool": "read", "input": {"file": "/x-secret/a"}}), "deny", "secret"),
        (json!({"tool": "fetch", "url": "https://x-paste.example/"}), "deny", "paste"),
        (json!({"tool": "mcp", "params": {"q": "a X-Param b"}}), "deny", "agent"),
        (json!({"tool": "exec"}), "allow", ""),
        (json!({"command": "x-allow", "cwd": "/", "response": "text", "label": 1}), "allow", ""),
    ];
    let input: Vec<String> = cases.iter().map(|(case, ..)| format!("{case}\n")).collect();
    let found = answers(input.concat().as_bytes());
    assert_eq!(found.len(), cases.len());
    for ((case, action, rule), answer) in cases.iter().zip(found) {
        assert_eq!((&answer["action"], &answer["rule"]), (&json!(action), &json!(rule)), "{case}");
        assert_eq!(answer.get("id"), case.get("id"), "{case}");
        let policy = if rule.is_empty() { "" } else { "test" };
        assert_eq!(answer["policy"], policy, "{case}");
        let matched = if rule.is_empty() {
            json!([])
        } else {
            json!([{"policy": "test", "rule": rule, "action": action}])
        };
        assert_eq!(answer["matched"], matched, "{case}");
    }
}

/// A host says any directory; what a command would make there lies where that leads.
#[test]
fn a_directory_that_is_a_link() {
    let policy = "version: '1'\ndefault_action: allow\npolicies: [{name: p, rules: \
        [{name: vault, action: deny, when: {writes: ['**/vault/**']}}]}]";
    let root = tempfile::tempdir().unwrap();
    let at = |name: &str| root.path().join(name);
    std::fs::create_dir(at("vault")).unwrap();
    std::fs::create_dir(at("work")).unwrap();
    std::os::unix::fs::symlink("../vault", at("work/link")).unwrap();
    std::fs::write(at("policy.yaml"), policy).unwrap();
    let user = User::new();
    for (directory, command, action) in [
        ("work/link", "tee new", "deny"),
        ("work", "tee link/new", "deny"),
        ("work", "mkdir -p link/1/2/3/4/5/6/7/8/9/10; tee link/1/2/3/4/5/6/7/8/9/10", "deny"),
        ("work", "tee new", "allow"),
        ("work", "tee 1/2/3/4/5/6/7/8/9/10", "allow"),
    ] {
        let case = json!({"command": command, "cwd": at(directory)});
        let policy = at("policy.yaml");
        let words = ["check", "--policy", policy.to_str().unwrap(), "--jsonl"];
        let found = user.rampart_with(&words, format!("{case}\n").as_bytes());
        let answer: Value = serde_json::from_str(&found.stdout).unwrap();
        assert_eq!(answer["action"], action, "{case}: {answer}");
    }
}

#[test]
fn ambiguous_input_is_denied() {
    let cases = [
        r#"{"id":7,"command":"x-allow","params":{"command":"x-deny"}}"#,
        r#"{"id":7,"params":{"command":["x-allow"]}}"#,
        r#"{"id":7,"command":"x-allow","command":"x-deny"}"#,
        r#"{"id":7,"tool":"write","params":{"path":"/a","file_path":"/b"}}"#,
    ];
    for answer in answers(cases.join("\n").as_bytes()) {
        assert_eq!(answer["action"], "deny", "{answer}");
        assert_eq!(answer["reason"], "ambiguous-input", "{answer}");
        assert!(answer["message"].as_str().unwrap().starts_with("ambiguous input"), "{answer}");
        assert_eq!(answer["id"], 7, "{answer}");
    }
}

#[test]
fn bad_lines_do_not_end_the_run() {
    let input = b"{\"command\":\"x-deny\"}\nnonsense\n\n{\"id\":4}\n\xff\xfe\n{\"id\":6,\"command\":\"x-deny\"}";
    let found = answers(input);
    assert_eq!(found.len(), 6);
    for (index, answer) in found.iter().enumerate() {
        match index {
            0 | 5 => assert_eq!(answer["action"], "deny", "{answer}"),
            _ => {
                assert_eq!(answer["line"], index + 1, "{answer}");
                let error = answer["error"].as_str().unwrap();
                assert!(error.starts_with(&format!("line {}: ", index + 1)), "{answer}");
                assert!(answer.get("action").is_none(), "{answer}");
            }
        }
    }
    assert_eq!((&found[3]["id"], &found[5]["id"]), (&json!(4), &json!(6)));
    assert!(answers(b"").is_empty());
}

#[test]
fn many_and_long_lines() {
    let mut input = Vec::new();
    for index in 0..5000 {
        let program = ["x-deny", "x-allow"][index % 2];
        input.extend(format!("{}\n", json!({"id": index, "argv": [program]})).into_bytes());
    }
    let long = format!("x-deny {}", "a".repeat(300_000));
    input.extend(format!("{}\n", json!({"id": "long", "command": long})).into_bytes());
    let found = answers(&input);
    for (index, answer) in found.iter().take(5000).enumerate() {
        assert_eq!(
            (&answer["id"], &answer["action"]),
            (&json!(index), &json!(["deny", "allow"][index % 2]))
        );
    }
    assert_eq!((&found[5000]["id"], &found[5000]["action"]), (&json!("long"), &json!("deny")));
}

#[test]
fn what_is_too_long_is_never_allowed() {
    // More than memory is brought for, and more than is read.
    let long = format!("x-allow {}", "a".repeat(56 << 20));
    let mut input = format!("{}\n", json!({"command": long})).into_bytes();
    input.resize(input.len() + (65 << 20), b' ');
    input.extend_from_slice(b"\n{\"command\":\"x-deny\"}\n");
    let found = answers(&input);
    assert_eq!(found.len(), 3);
    assert_eq!((&found[0]["action"], &found[0]["reason"]), (&json!("ask"), &json!("too-complex")));
    assert_eq!(found[1]["error"], "line 2: is longer than 64 MiB");
    assert_eq!(found[2]["action"], "deny");
}

#[test]
fn whoever_waits_gets_an_answer() {
    let user = User::new();
    let mut child =
        user.command(&ARGUMENTS).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    for (program, action) in [("x-deny", "deny"), ("x-allow", "allow"), ("x-ask", "ask")] {
        writeln!(input, "{}", json!({"argv": [program]})).unwrap();
        input.flush().unwrap();
        let mut line = String::new();
        output.read_line(&mut line).unwrap();
        let answer: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(answer["action"], action);
    }
    drop(input);
    assert!(child.wait().unwrap().success());
}

#[test]
fn a_reader_that_leaves_is_no_error() {
    let user = User::new();
    let mut child = user
        .command(&ARGUMENTS)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let mut input = child.stdin.take().unwrap();
    let _ = writeln!(input, "{}", json!({"argv": ["x-deny"]}));
    drop(input);
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(141));
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
}
