//! `rampart hook`: what each host sends, and that whatever it sends is answered in its own form.

mod answers;
mod broken;
mod payloads;
mod recorded;

use super::support::User;
use serde_json::Value;
use std::sync::OnceLock;

/// Rules on programs that do not exist, on places and on what tools put out.
const POLICY: &str = r#"
version: "1"
default_action: allow
policies:
  - name: test
    rules:
      - {name: no, action: deny, message: "use x-other", when: {program: [x-deny]}}
      - {name: maybe, action: ask, message: "is it meant", when: {program: [x-ask]}}
      - {name: secret, action: deny, when: {path_matches: ["/x-secret/**"]}}
      - {name: paste, action: deny, when: {domain_matches: ["x-paste.example"]}}
      - {name: key, action: deny, when: {response_matches: ["KEY-[0-9]{6}"]}}
      - {name: orders, action: ask, when: {response_matches: ["(?i)ignore all rules"]}}
  - name: servers
    match: {tool: ["mcp-destructive"]}
    rules: [{name: mcp, action: deny, when: {default: true}}]
"#;

fn user() -> User {
    // Compiled once: hundreds of calls use it.
    static IMAGE: OnceLock<Vec<u8>> = OnceLock::new();
    let user = User::new();
    let image = IMAGE.get_or_init(|| {
        user.write("hook.yaml", POLICY);
        let done = user.rampart(&["policy", "compile", "-o", "hook.img", "hook.yaml"]);
        assert_eq!(done.status, 0, "{}", done.stderr);
        std::fs::read(user.path("hook.img")).unwrap()
    });
    user.write("hook.policy", image);
    user
}

/// What the hook answers. It always ends with 0, and never says anything beside the answer.
fn answer(user: &User, host: &str, payload: &[u8]) -> Value {
    let ended = user.rampart_with(&["hook", "--format", host, "--policy", "hook.policy"], payload);
    assert_eq!((ended.status, ended.stderr.as_str()), (0, ""), "{host}");
    let value: Value = serde_json::from_str(&ended.stdout).expect(&ended.stdout);
    assert!(value.is_object(), "{host}: {value}");
    value
}

/// How `host` says no before a call, or nothing at all: the reason, or `None`.
fn denied(host: &str, answer: &Value) -> Option<String> {
    let reason = match host {
        "claude-code" | "codex" | "copilot" => {
            let specific = answer.get("hookSpecificOutput")?;
            assert_eq!(specific["hookEventName"], "PreToolUse");
            assert_eq!(specific["permissionDecision"], "deny", "{answer}");
            if host == "copilot" {
                assert_eq!(answer["permissionDecision"], "deny");
            }
            specific["permissionDecisionReason"].as_str()
        }
        "gemini" => (answer["decision"] == "deny").then(|| answer["reason"].as_str()).flatten(),
        "cursor" => {
            (answer["permission"] == "deny").then(|| answer["agent_message"].as_str()).flatten()
        }
        "cline" => (answer["cancel"] == true).then(|| answer["errorMessage"].as_str()).flatten(),
        _ => answer["deny"].as_str(),
    };
    reason.map(str::to_owned)
}

/// Whether `answer` says nothing, so that the host goes on.
fn is_nothing(host: &str, answer: &Value) -> bool {
    let nothing =
        if host == "cline" { serde_json::json!({"cancel": false}) } else { serde_json::json!({}) };
    *answer == nothing
}

const HOSTS: [&str; 7] =
    ["claude-code", "codex", "gemini", "opencode", "cursor", "copilot", "cline"];
