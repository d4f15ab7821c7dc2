//! What a host writes to its hook's standard input: one JSON object a call.
//!
//! Where a host, or a version of it, has two names for one thing and they disagree, the call is
//! refused: whoever executes it may take the other.

use super::Host;
use super::tools::Does;
use crate::cases::strict;
use serde_json::{Map, Value};

/// Longest payload, in bytes. A longer one is not cut and judged in part.
pub const LONGEST: usize = 4 * 1024 * 1024;

/// When the hook runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// Before the call: it can be stopped.
    Before,
    /// After the call: its output can be held back.
    After,
    /// After a call that failed: there is nothing to be held back.
    Failed,
}

/// A tool call, as its host tells it.
#[derive(Clone, Debug, PartialEq)]
pub struct Payload {
    /// When.
    pub event: Event,
    /// The host's name for the tool.
    pub tool: String,
    /// What the tool is given.
    pub input: Map<String, Value>,
    /// What it put out.
    pub output: Option<Value>,
    /// The host's id of the session; empty if it states none.
    pub session: String,
    /// The host's id of this call; empty if it states none.
    pub call: String,
    /// The directory, absolute, if stated.
    pub cwd: Option<String>,
    /// What the tool does, where more than its name tells; else [`super::tools`] knows.
    pub does: Option<Does>,
}

/// The names that one host uses. The first that is there counts, and all must agree.
struct Names {
    event: &'static [&'static str],
    tool: &'static [&'static str],
    input: &'static [&'static str],
    output: &'static [&'static str],
    session: &'static [&'static str],
    call: &'static [&'static str],
    cwd: &'static [&'static str],
}

/// Those of the hosts that follow Claude Code.
const USUAL: Names = Names {
    event: &["hook_event_name"],
    tool: &["tool_name"],
    input: &["tool_input"],
    output: &["tool_response", "tool_result", "tool_output"],
    session: &["session_id", "conversation_id"],
    call: &["tool_use_id"],
    cwd: &["cwd"],
};

/// Those of the plugin that `rampart setup opencode` writes, which hands on what OpenCode gives to
/// `tool.execute.before` and `tool.execute.after` (`@opencode-ai/plugin`).
const OPENCODE: Names = Names {
    event: &["hook"],
    tool: &["tool"],
    input: &["args"],
    output: &["output"],
    session: &["sessionID"],
    call: &["callID"],
    cwd: &["directory"],
};

/// Those inside Cline's `preToolUse`, `postToolUse`, `tool_call` and `tool_result`.
const CLINE: Names = Names {
    event: &["hookName"],
    tool: &["tool", "toolName", "name"],
    input: &["parameters", "input"],
    output: &["result", "output"],
    session: &["taskId"],
    call: &["id"],
    cwd: &["cwd"],
};

/// Reads a payload of `host`.
///
/// # Errors
/// What is wrong with it. Nothing of it may then be believed.
pub fn read(host: Host, bytes: &[u8]) -> Result<Payload, String> {
    if bytes.len() > LONGEST {
        return Err(format!("is longer than {LONGEST} bytes"));
    }
    let (members, duplicate) = strict::object(bytes)?;
    if let Some(name) = duplicate {
        return Err(format!("has `{}` twice", crate::bytes::visible(name.as_bytes())));
    }
    match host {
        Host::Cline => cline(&members),
        Host::Opencode => flat(&OPENCODE, &members, &members),
        _ => flat(&USUAL, &members, &members),
    }
}

/// What a payload that cannot be read is about: the name of the event stands in it all the same.
pub fn event_in(bytes: &[u8]) -> Event {
    let names = ["PostToolUse", "AfterTool", "postToolUse", "tool.execute.after", "tool_result"];
    let text = String::from_utf8_lossy(bytes);
    if names.iter().any(|name| text.contains(name)) { Event::After } else { Event::Before }
}

fn event_of(name: &str) -> Option<Event> {
    match name {
        "PreToolUse" | "preToolUse" | "BeforeTool" | "tool.execute.before" | "tool_call" => {
            Some(Event::Before)
        }
        "PostToolUse" | "postToolUse" | "AfterTool" | "tool.execute.after" | "tool_result" => {
            Some(Event::After)
        }
        "PostToolUseFailure" | "postToolUseFailure" => Some(Event::Failed),
        _ => None,
    }
}

/// `around` says what the call is a part of, `of` is the call.
fn flat(
    names: &Names,
    around: &Map<String, Value>,
    of: &Map<String, Value>,
) -> Result<Payload, String> {
    let event = required(around, names.event)?;
    let event = event_of(&event)
        .ok_or_else(|| format!("is about `{}`, which is no tool call", shown(&event)))?;
    let cwd = string(around, names.cwd)?.filter(|cwd| !cwd.is_empty());
    if cwd.as_ref().is_some_and(|cwd| !cwd.starts_with('/')) {
        return Err("names a directory that is not absolute".into());
    }
    Ok(Payload {
        event,
        tool: required(of, names.tool)?,
        input: input(of, names.input)?,
        output: agreed(of, names.output)?.cloned(),
        session: string(around, names.session)?.unwrap_or_default(),
        call: call_id(string(of, names.call)?),
        cwd,
        does: None,
    })
}

fn cline(members: &Map<String, Value>) -> Result<Payload, String> {
    let parts = [
        ("tool_call", Event::Before),
        ("preToolUse", Event::Before),
        ("tool_result", Event::After),
        ("postToolUse", Event::After),
    ];
    let named = required(members, CLINE.event)?;
    let event = event_of(&named)
        .ok_or_else(|| format!("is about `{}`, which is no tool call", shown(&named)))?;
    let found = parts.iter().find_map(|(name, of)| match (of == &event, members.get(*name)) {
        (true, Some(Value::Object(call))) => Some(call),
        _ => None,
    });
    let mut payload = flat(&CLINE, members, found.ok_or("holds no tool call")?)?;
    if payload.cwd.is_none() {
        let roots = members.get("workspaceRoots").and_then(Value::as_array);
        let root = roots.and_then(|roots| roots.first()).and_then(Value::as_str);
        payload.cwd = root.filter(|root| root.starts_with('/')).map(str::to_owned);
    }
    Ok(payload)
}

/// The value on which all of `names` that are there agree. Null counts as absent.
fn agreed<'m>(
    members: &'m Map<String, Value>,
    names: &[&str],
) -> Result<Option<&'m Value>, String> {
    let mut found: Option<(&str, &Value)> = None;
    for name in names {
        match (members.get(*name).filter(|value| !value.is_null()), found) {
            (Some(value), Some((first, known))) if known != value => {
                return Err(format!("has `{first}` and `{name}`, which differ"));
            }
            (Some(value), None) => found = Some((name, value)),
            _ => {}
        }
    }
    Ok(found.map(|(_, value)| value))
}

fn string(members: &Map<String, Value>, names: &[&str]) -> Result<Option<String>, String> {
    match agreed(members, names)? {
        None => Ok(None),
        Some(Value::String(text)) if text.contains('\0') => {
            Err(format!("has a NUL byte in `{}`", names.join("` or `")))
        }
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(format!("has a `{}` that is no string", names.join("` or `"))),
    }
}

fn required(members: &Map<String, Value>, names: &[&str]) -> Result<String, String> {
    string(members, names)?
        .filter(|text| !text.is_empty())
        .ok_or_else(|| format!("has no `{}`", names.join("` or `")))
}

/// The tool's input: an object, or the text of one.
fn input(members: &Map<String, Value>, names: &[&str]) -> Result<Map<String, Value>, String> {
    match agreed(members, names)? {
        None => Ok(Map::new()),
        Some(Value::Object(input)) => Ok(input.clone()),
        Some(Value::String(text)) => match strict::object(text.as_bytes()) {
            Ok((input, None)) => Ok(input),
            Ok((_, Some(name))) => Err(format!("has an input with `{}` twice", shown(&name))),
            Err(_) => Err("has an input that is text and no object".into()),
        },
        Some(_) => Err(format!("has a `{}` that is no object", names.join("` or `"))),
    }
}

/// An id as it may stand in a record: of a host's own making, or none.
fn call_id(id: Option<String>) -> String {
    let is_plain = |id: &String| {
        id.len() <= 128
            && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte))
    };
    id.filter(is_plain).unwrap_or_default()
}

fn shown(text: &str) -> String {
    let head: String = text.chars().take(64).collect();
    crate::bytes::visible(head.as_bytes())
}
