//! The reader of MCP's messages.

use crate::mcp::message::{From, Message, folded, parse};
use serde_json::{Map, Value, json};

/// Any line, from either side: what is accepted is what every parser reads in it, and says the same when
/// it is written again.
pub fn mcp(line: &[u8]) {
    for from in [From::Client, From::Server] {
        let Ok(message) = parse(line, from) else {
            continue;
        };
        // One that takes the last of equal names.
        let plain: Value = serde_json::from_slice(line).expect("it was read");
        assert_eq!(plain["jsonrpc"], "2.0");
        let again = written(&message);
        for name in ["id", "method", "result", "error"] {
            let same = plain.get(name).is_none() || again.get(name) == plain.get(name);
            // A notification says nothing of an `id`, and nobody may read one.
            assert!(same, "{name}: {again} of {plain}");
        }
        if let Some(params) = again.get("params").filter(|_| plain.get("params").is_some()) {
            assert_eq!(Some(params), plain.get("params"));
        }
        if from == From::Client {
            assert!(is_clear(&plain), "{plain}");
        }
        assert_eq!(parse(again.to_string().as_bytes(), from), Ok(message));
    }
}

fn written(message: &Message) -> Value {
    match message {
        Message::Request { id, method, params } => {
            json!({"jsonrpc": "2.0", "id": id.json(), "method": method, "params": params})
        }
        Message::Notification { method, params } => {
            json!({"jsonrpc": "2.0", "method": method, "params": params})
        }
        Message::Response { id, content, is_result } => {
            let name = if *is_result { "result" } else { "error" };
            json!({"jsonrpc": "2.0", "id": id.json(), name: content})
        }
    }
}

/// Whether no object in it has a name that somebody takes for another.
fn is_clear(value: &Value) -> bool {
    let names = |members: &Map<String, Value>| {
        let mut all: Vec<String> = members.keys().map(|name| folded(name)).collect();
        all.sort();
        all.windows(2).all(|two| two[0] != two[1])
    };
    match value {
        Value::Object(members) => names(members) && members.values().all(is_clear),
        Value::Array(items) => items.iter().all(is_clear),
        _ => true,
    }
}
