//! What a host's hook answers, in the host's own words: one JSON object on standard output, exit
//! status 0. Hosts take an error, a word on standard error or no answer for "go on", so whatever
//! happens is said here.
//!
//! What goes ahead is answered with an empty object and not with "allow", which would silence the
//! host's own questions.

use super::Host;
use super::payload::Event;
use serde_json::{Value, json};

/// What is to be said.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// Nothing: the host goes on as it would without us.
    Nothing,
    /// The call is not to be made.
    Deny(String),
    /// The host is to ask the person in front of it.
    Ask(String),
    /// The output is held back: why, and what the model is to see in its place.
    HoldBack(String, Value),
    /// The output stands, and this is to be said beside it.
    Add(String),
}

/// The answer as `host` understands it at `event`. Where a host cannot express one, the stricter
/// that it can.
pub fn written(host: Host, event: Event, answer: &Answer) -> Value {
    match answer {
        Answer::Nothing => match host {
            Host::Cline => json!({"cancel": false}),
            _ => json!({}),
        },
        Answer::Deny(reason) if event == Event::Before => deny(host, reason),
        Answer::Ask(reason) if host.asks() => consent(host, "ask", reason),
        Answer::Ask(reason) => deny(host, reason),
        Answer::Deny(reason) => hold_back(host, reason, &Value::String(reason.clone())),
        Answer::HoldBack(reason, shown) => hold_back(host, reason, shown),
        Answer::Add(text) => add(host, event, text),
    }
}

fn consent(host: Host, decision: &str, reason: &str) -> Value {
    let specific = json!({
        "hookEventName": "PreToolUse",
        "permissionDecision": decision,
        "permissionDecisionReason": reason,
    });
    match host {
        Host::Copilot => json!({
            "permissionDecision": decision,
            "permissionDecisionReason": reason,
            "hookSpecificOutput": specific,
        }),
        _ => json!({"hookSpecificOutput": specific}),
    }
}

fn deny(host: Host, reason: &str) -> Value {
    match host {
        Host::ClaudeCode | Host::Codex | Host::Copilot => consent(host, "deny", reason),
        Host::Gemini => json!({"decision": "deny", "reason": reason}),
        Host::Cursor => {
            json!({"permission": "deny", "user_message": reason, "agent_message": reason})
        }
        Host::Cline => json!({"cancel": true, "errorMessage": reason}),
        Host::Opencode | Host::Mcp => json!({"deny": reason}),
    }
}

fn hold_back(host: Host, reason: &str, shown: &Value) -> Value {
    let text = match shown {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    match host {
        Host::ClaudeCode => json!({
            "decision": "block",
            "reason": reason,
            "hookSpecificOutput": {
                "hookEventName": "PostToolUse",
                "updatedToolOutput": shown,
                "updatedMCPToolOutput": shown,
            },
        }),
        // These replace the output by the reason.
        Host::Codex => json!({"decision": "block", "reason": both(reason, &text)}),
        Host::Gemini => json!({"decision": "deny", "reason": both(reason, &text)}),
        Host::Copilot => json!({
            "decision": "block",
            "modifiedResult": {"resultType": "success", "textResultForLlm": text},
            "additionalContext": reason,
        }),
        // It can only replace what MCP tools put out.
        Host::Cursor => json!({
            "permission": "deny",
            "user_message": reason,
            "agent_message": reason,
            "additional_context": reason,
            "updated_mcp_tool_output": shown,
        }),
        Host::Cline => json!({"cancel": true, "errorMessage": reason}),
        Host::Opencode | Host::Mcp => json!({"output": both(reason, &text)}),
    }
}

fn both(reason: &str, text: &str) -> String {
    match text.is_empty() || text == reason {
        true => reason.to_owned(),
        false => format!("{reason}\n\n{text}"),
    }
}

fn add(host: Host, event: Event, text: &str) -> Value {
    let name = match (host, event) {
        (Host::Gemini, _) => "AfterTool",
        (_, Event::Failed) => "PostToolUseFailure",
        _ => "PostToolUse",
    };
    match host {
        Host::ClaudeCode | Host::Codex | Host::Gemini => {
            json!({"hookSpecificOutput": {"hookEventName": name, "additionalContext": text}})
        }
        Host::Copilot => json!({"additionalContext": text}),
        Host::Cursor => json!({"additional_context": text}),
        Host::Cline => json!({"cancel": false, "contextModification": text}),
        Host::Opencode | Host::Mcp => json!({"append": text}),
    }
}
