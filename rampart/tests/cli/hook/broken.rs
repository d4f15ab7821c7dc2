//! Payloads that are none, and surroundings that are broken: a host takes silence for "go on".

use super::answers::after;
use super::payloads::before;
use super::{HOSTS, answer, denied, is_nothing, user};
use serde_json::json;

/// Payloads that say nothing that could be believed.
fn broken(host: &str) -> Vec<(&'static str, Vec<u8>)> {
    let tool = if host == "claude-code" { "Bash" } else { "bash" };
    let good = before(host, tool, &json!({"command": "ls"})).to_string();
    let long = before(host, tool, &json!({"command": "x".repeat(5 << 20)})).to_string();
    let mut nul = good.clone().into_bytes();
    nul.insert(nul.len() / 2, 0);
    let event = if host == "opencode" { "hook" } else { "event" };
    vec![
        ("empty", Vec::new()),
        ("blank", b" \n".to_vec()),
        ("half", good.as_bytes()[..good.len() / 2].to_vec()),
        ("5 MiB", long.into_bytes()),
        ("a NUL byte", nul),
        ("no UTF-8", [b"{\"a\":\"\xff\"".as_slice(), &good.as_bytes()[1..]].concat()),
        ("two", format!("{good}{good}").into_bytes()),
        ("an array", format!("[{good}]").into_bytes()),
        ("null", b"null".to_vec()),
        ("a number", b"7".to_vec()),
        ("nothing in it", b"{}".to_vec()),
        ("deep", "[".repeat(100_000).into_bytes()),
        ("another event", format!("{{\"{event}\":\"SessionStart\"}}").into_bytes()),
        ("a name twice", good.replacen('{', "{\"cwd\":\"/a\",\"cwd\":\"/b\",", 1).into_bytes()),
        (
            "a command twice",
            good.replacen("\"command\"", "\"command\":\"x-deny\",\"command\"", 1).into_bytes(),
        ),
        ("an input of text", before(host, tool, &json!("ls")).to_string().into_bytes()),
        ("an input of numbers", before(host, tool, &json!([1])).to_string().into_bytes()),
        ("no tool", before(host, "", &json!({})).to_string().into_bytes()),
        ("a relative directory", good.replace("\"/w\"", "\"w\"").into_bytes()),
    ]
}

#[test]
fn whatever_comes_is_answered_in_the_hosts_form() {
    let user = user();
    for host in HOSTS {
        for (what, payload) in broken(host) {
            // Cline names no directory but a list of roots, which may be anything.
            if host == "cline" && what == "a relative directory" {
                continue;
            }
            let answer = answer(&user, host, &payload);
            let reason =
                denied(host, &answer).unwrap_or_else(|| panic!("{host}, {what}: {answer}"));
            assert!(reason.starts_with("rampart: denied: "), "{host}, {what}: {reason}");
        }
    }
}

/// After a call the output is there already: it is held back in the host's own form, never passed on.
#[test]
fn whatever_comes_after_a_call_is_answered_in_the_hosts_form() {
    let user = user();
    for host in HOSTS {
        let tool = if host == "claude-code" { "Bash" } else { "bash" };
        let (input, secret) = (json!({"command": "ls"}), json!("KEY-654321"));
        let good = after(host, tool, &input, &secret).to_string();
        let long = after(host, tool, &input, &json!("x".repeat(5 << 20))).to_string();
        let nul = good.replacen("KEY-", "KEY\0-", 1).into_bytes();
        let twice = good.replacen('{', "{\"cwd\":\"/a\",\"cwd\":\"/b\",", 1);
        let payloads: [(&str, Vec<u8>); 8] = [
            ("half", good.as_bytes()[..good.len() - 4].to_vec()),
            ("5 MiB", long.into_bytes()),
            ("a NUL byte", nul),
            ("two", format!("{good}{good}").into_bytes()),
            ("a name twice", twice.into_bytes()),
            ("an array", format!("[{good}]").into_bytes()),
            ("an input of text", after(host, tool, &json!("ls"), &secret).to_string().into_bytes()),
            ("no tool", after(host, "", &input, &secret).to_string().into_bytes()),
        ];
        for (what, payload) in payloads {
            let answer = answer(&user, host, &payload);
            let place = match host {
                "claude-code" | "copilot" => "/decision",
                "codex" | "gemini" => "/reason",
                "cursor" => "/permission",
                "cline" => "/errorMessage",
                _ => "/output",
            };
            assert!(answer.pointer(place).is_some(), "{host}, {what}: {answer}");
            let text = answer.to_string();
            assert!(text.contains("rampart: denied: "), "{host}, {what}: {answer}");
            assert!(!text.contains("654321"), "{host}, {what}: {answer}");
        }
    }
}

#[test]
fn a_broken_policy_denies() {
    let user = user();
    user.write("hook.policy", "version: \"1\"\npolicies: 7\n");
    for host in HOSTS {
        let answer = answer(
            &user,
            host,
            before(host, "bash", &json!({"command": "ls"})).to_string().as_bytes(),
        );
        assert!(denied(host, &answer).unwrap().contains("the policy cannot be used"), "{answer}");
    }
}

#[test]
fn modes() {
    let user = user();
    let payload = before("codex", "bash", &json!({"command": "x-deny"})).to_string();
    for (mode, is_denied) in
        [("enforce", true), ("", true), ("x", true), ("monitor", false), ("disabled", false)]
    {
        for input in [payload.as_str(), "{"] {
            let mut command =
                user.command(&["hook", "--format", "codex", "--policy", "hook.policy"]);
            let file = user.write("input", input);
            let input = std::fs::File::open(file).unwrap();
            let output = command.env("RAMPART_MODE", mode).stdin(input).output().unwrap();
            let answer = serde_json::from_slice(&output.stdout).unwrap();
            assert_eq!(denied("codex", &answer).is_some(), is_denied, "{mode}: {answer}");
            assert!(is_denied || is_nothing("codex", &answer));
        }
    }
}
