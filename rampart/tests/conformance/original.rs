//! The glob dialect, one pattern at a time, each as the condition of a rule.

use crate::support::fires;
use serde_json::{Value, json};

/// What is wrong with our answer to `row`, if anything.
pub fn judge(row: &Value) -> Result<(), String> {
    let patterns = row.get("pattern").or_else(|| row.get("patterns")).unwrap();
    let action = row["action"].as_str().unwrap_or("deny");
    let (key, call) = match row["fn"].as_str().unwrap() {
        "MatchGlob" | "matchAnyForOS" => {
            ("session_matches", json!({"session": row["name"], "tool": "x"}))
        }
        "matchPathGlob" => ("path_matches", json!({"path": row["name"], "tool": "read"})),
        "matchPathFirstForActionOS" => {
            ("path_matches", json!({"path": row["path"], "tool": "read"}))
        }
        "matchCommandAnyForActionOS" | "matchCommandFirstForActionOS" => {
            ("command_matches", json!({"command": row["command"]}))
        }
        "matchFirstCommandEnvAssignmentForOS" => {
            ("command_env_assignments", json!({"command": row["command"]}))
        }
        other => return Err(format!("unknown function {other}")),
    };
    // The original names the pattern that matched; ours says whether one did.
    let wanted = match &row["want"] {
        Value::Bool(wanted) => *wanted,
        Value::String(pattern) => !pattern.is_empty(),
        _ => true,
    };
    let mut call = call;
    call["command"] = call.get("command").cloned().unwrap_or_default();
    let got = fires(&json!({ key: patterns }), action, &call);
    if got == wanted { Ok(()) } else { Err(format!("expected {wanted}, got {got}")) }
}
