//! One JSON-RPC message of a line, read so that everybody reads the same in it.
//!
//! Parsers differ in which of two equal names they take, and some (Go's) take `Name` for `name`. What
//! could be judged as one thing and executed as another is refused, not repaired.

use crate::cases::strict;
use serde_json::{Map, Value};

/// Longest line, in bytes, as in the original.
pub const LONGEST: usize = 4 * 1024 * 1024;

/// Longest id, in bytes.
const LONGEST_ID: usize = 1024;

/// The id of a request. Numbers that are no whole ones of 64 bits are refused: they lose digits.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Id {
    /// A string.
    Text(String),
    /// A whole number below zero.
    Negative(i64),
    /// A whole number.
    Number(u64),
}

impl Id {
    /// The one in a message; `None` if that is none.
    pub fn of(value: &Value) -> Option<Self> {
        match value {
            Value::String(text) if text.len() <= LONGEST_ID => Some(Self::Text(text.clone())),
            Value::Number(number) => {
                number.as_u64().map(Self::Number).or_else(|| number.as_i64().map(Self::Negative))
            }
            _ => None,
        }
    }

    /// As it stands in a message.
    pub fn json(&self) -> Value {
        match self {
            Self::Text(text) => text.as_str().into(),
            Self::Negative(number) => (*number).into(),
            Self::Number(number) => (*number).into(),
        }
    }
}

/// What a line says.
#[derive(Clone, Debug, PartialEq)]
pub enum Message {
    /// Something is wanted.
    Request {
        /// By which the answer is known.
        id: Id,
        /// What.
        method: String,
        /// With what.
        params: Map<String, Value>,
    },
    /// Something is told.
    Notification {
        /// What.
        method: String,
        /// With what.
        params: Map<String, Value>,
    },
    /// An answer.
    Response {
        /// To which request.
        id: Id,
        /// `result`, or `error`.
        content: Value,
        /// Whether it is `result`.
        is_result: bool,
    },
}

/// A line that nobody may act on.
#[derive(Clone, Debug, PartialEq)]
pub struct Refused {
    /// The id in it, if there is one that is sure.
    pub id: Option<Id>,
    /// What is wrong.
    pub why: String,
}

/// Who wrote a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum From {
    /// What a client asks for is refused if two of its names differ in case only, at any depth.
    Client,
    /// What a server answers may hold anything below its outer members.
    Server,
}

/// The members of JSON-RPC.
const OUTER: [&str; 6] = ["jsonrpc", "id", "method", "params", "result", "error"];

/// The members of `params` that decide what is done.
const INNER: [&str; 6] = ["name", "arguments", "uri", "_meta", "requestId", "cursor"];

/// Reads a line.
///
/// # Errors
/// If it is no message, or not the same to everybody.
pub fn parse(line: &[u8], from: From) -> Result<Message, Refused> {
    let refused = |id: Option<Id>, why: String| Refused { id, why };
    let (members, duplicate) = strict::object(line).map_err(|why| refused(None, why))?;
    let id = members.get("id").and_then(Id::of);
    if let Some(name) = duplicate {
        let id = id.filter(|_| name != "id");
        return Err(refused(id, format!("has `{}` twice", shown(&name))));
    }
    let fail = |why: String| refused(id.clone(), why);
    if let Some(name) = misspelled(&members, &OUTER) {
        let id = id.clone().filter(|_| folded(&name) != "id");
        return Err(refused(
            id,
            format!("has `{}`, which some read as another member", shown(&name)),
        ));
    }
    let depth = if from == From::Client { usize::MAX } else { 2 };
    if let Some(name) = shadowed(&members, depth) {
        return Err(fail(format!("has `{}` twice, in different case", shown(&name))));
    }
    if members.get("jsonrpc").and_then(Value::as_str) != Some("2.0") {
        return Err(fail("is no JSON-RPC 2.0".to_owned()));
    }
    let content = match (members.get("method"), members.get("result"), members.get("error")) {
        (Some(Value::String(method)), None, None) => {
            return asked(&members, method, id.clone()).map_err(fail);
        }
        (None, Some(result), None) => (result.clone(), true),
        (None, None, Some(error)) => (error.clone(), false),
        _ => return Err(fail("is neither a request nor an answer".to_owned())),
    };
    match id.clone() {
        Some(id) => Ok(Message::Response { id, content: content.0, is_result: content.1 }),
        None => Err(fail("answers nothing: its `id` is none".to_owned())),
    }
}

fn asked(members: &Map<String, Value>, method: &str, id: Option<Id>) -> Result<Message, String> {
    let params = match members.get("params") {
        None => Map::new(),
        Some(Value::Object(params)) => params.clone(),
        Some(_) => return Err("has `params` that are no object".to_owned()),
    };
    if let Some(name) = misspelled(&params, &INNER) {
        return Err(format!(
            "has `{}` in `params`, which some read as another member",
            shown(&name)
        ));
    }
    let method = method.to_owned();
    match (members.contains_key("id"), id) {
        (true, Some(id)) => Ok(Message::Request { id, method, params }),
        (true, None) => Err(format!(
            "has an `id` that is neither a string of at most {LONGEST_ID} bytes nor a whole number"
        )),
        (false, _) if method.starts_with("notifications/") => {
            Ok(Message::Notification { method, params })
        }
        (false, _) => Err("asks for something without an `id`".to_owned()),
    }
}

/// A member that is one of `known` to whoever does not look at case.
fn misspelled(members: &Map<String, Value>, known: &[&str]) -> Option<String> {
    let is_other = |name: &&String| {
        !known.contains(&name.as_str()) && known.iter().any(|known| folded(known) == folded(name))
    };
    members.keys().find(is_other).cloned()
}

/// A name that stands twice in one object, in different case, at most `depth` objects deep.
fn shadowed(members: &Map<String, Value>, depth: usize) -> Option<String> {
    let mut seen = std::collections::HashSet::new();
    let twice = members.keys().find(|name| !seen.insert(folded(name)));
    twice.cloned().or_else(|| {
        let deeper = depth.checked_sub(1).filter(|depth| *depth > 0)?;
        members.values().find_map(|value| shadowed_in(value, deeper))
    })
}

fn shadowed_in(value: &Value, depth: usize) -> Option<String> {
    match value {
        Value::Object(members) => shadowed(members, depth),
        Value::Array(items) => items.iter().find_map(|item| shadowed_in(item, depth)),
        _ => None,
    }
}

/// A name without its case, as those fold it who ignore that: `ſ` (U+017F) is an s, `K` (U+212A) a k.
pub fn folded(name: &str) -> String {
    if name.is_ascii() {
        return name.to_ascii_lowercase();
    }
    name.to_uppercase().to_lowercase()
}

fn shown(name: &str) -> String {
    let head: String = name.chars().take(64).collect();
    crate::bytes::visible(head.as_bytes())
}

#[cfg(test)]
mod tests;
