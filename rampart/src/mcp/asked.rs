//! What a request means, as the call of a tool that `hosts` can judge.

use super::message::folded;
use crate::hosts::mcp;
use crate::hosts::payload::{Event, Payload};
use crate::hosts::tools::Does;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Beginning of the names under which rules see what is no argument: `mcp.tool`, `mcp.server` …
const OWN: &str = "mcp.";

/// Names of arguments that decide what a call touches.
const TELLING: [&str; 15] = [
    "command",
    "cmd",
    "input",
    "file_path",
    "path",
    "filepath",
    "target",
    "source",
    "destination",
    "src",
    "dst",
    "paths",
    "files",
    "url",
    "uri",
];

/// What a server says of one of its tools.
#[derive(Clone, Debug, Default)]
pub struct Tool {
    /// `annotations`; nobody has to believe them.
    pub annotations: Map<String, Value>,
    /// The names of its arguments, as far as it declares them.
    pub arguments: Vec<String>,
}

/// What is known of a server.
#[derive(Debug, Default)]
pub struct Server {
    /// What it calls itself.
    pub name: String,
    /// Its tools, as it listed them.
    pub tools: BTreeMap<String, Tool>,
}

/// Which request, from whom.
pub struct Request<'r> {
    /// Its method.
    pub method: &'r str,
    /// With what.
    pub params: &'r Map<String, Value>,
    /// The session, and the id of the call, for the record.
    pub session: &'r str,
    /// The id of the request as text.
    pub call: String,
}

/// The call that `request` is to `server`; `None` if it goes through unjudged.
///
/// # Errors
/// What is wrong with it: then it is denied.
pub fn payload(request: &Request<'_>, server: &Server) -> Result<Option<Payload>, String> {
    let (tool, input, does) = match request.method {
        "tools/call" => tool_call(request.params, server)?,
        "resources/read" | "resources/subscribe" => resource(request.params)?,
        "prompts/get" => {
            let name = text(request.params, "name")?;
            (format!("prompt {name}"), arguments(request.params)?, Does::Mcp("read"))
        }
        "sampling/createMessage" => {
            ("sampling".to_owned(), Map::new(), Does::Other("mcp-sampling"))
        }
        "elicitation/create" => {
            ("elicitation".to_owned(), Map::new(), Does::Other("mcp-elicitation"))
        }
        _ => return Ok(None),
    };
    let mut input = input;
    if let Some(name) = input.keys().find(|name| folded(name).starts_with(OWN)) {
        let name = crate::bytes::visible(name.as_bytes());
        return Err(format!("ambiguous input: `{name}` is a name of Rampart's own"));
    }
    let own = [("mcp.method", request.method), ("mcp.server", &server.name), ("mcp.tool", &tool)];
    for (name, value) in own {
        input.insert(name.to_owned(), value.into());
    }
    for (name, value) in server.tools.get(&tool).iter().flat_map(|tool| &tool.annotations) {
        input.insert(format!("mcp.annotations.{name}"), value.clone());
    }
    Ok(Some(Payload {
        event: Event::Before,
        tool,
        input,
        output: None,
        session: request.session.to_owned(),
        call: request.call.clone(),
        cwd: None,
        does: Some(does),
    }))
}

type Call = (String, Map<String, Value>, Does);

fn tool_call(params: &Map<String, Value>, server: &Server) -> Result<Call, String> {
    let name = text(params, "name")?;
    let mut input = arguments(params)?;
    let known = server.tools.get(&name);
    let declared = |argument: &str| {
        known.is_some_and(|tool| tool.arguments.iter().any(|known| known == argument))
    };
    // A server that does not look at case takes `Path` for `path`.
    let odd: Vec<String> = input
        .keys()
        .filter(|name| !TELLING.contains(&name.as_str()))
        .filter(|name| TELLING.contains(&folded(name).as_str()))
        .cloned()
        .collect();
    for name in odd {
        if !declared(&name) {
            let shown = crate::bytes::visible(name.as_bytes());
            let usual = folded(&name);
            return Err(format!(
                "ambiguous input: `{shown}` may be read as `{usual}`, and the tool declares no such argument"
            ));
        }
        if let Some(value) = input.remove(&name) {
            input.insert(folded(&name), value);
        }
    }
    // A name that says nothing, of a tool that says itself that it destroys.
    let destroys = known.and_then(|tool| tool.annotations.get("destructiveHint"));
    let class = match (mcp::class(&name), destroys) {
        ("mcp" | "mcp-dangerous", Some(Value::Bool(true))) => "mcp-destructive",
        (class, _) => class,
    };
    Ok((name, input, Does::Mcp(class)))
}

fn resource(params: &Map<String, Value>) -> Result<Call, String> {
    let uri = text(params, "uri")?;
    let mut input = Map::new();
    let scheme = uri.split_once(':').map(|(scheme, rest)| (scheme.to_ascii_lowercase(), rest));
    let does = match scheme.as_ref().map(|(scheme, rest)| (scheme.as_str(), *rest)) {
        Some(("file", rest)) => {
            let path = match rest.strip_prefix("//") {
                // Whatever stands before the path is a host (RFC 8089).
                Some(rest) => rest.find('/').and_then(|at| rest.get(at..)),
                None => Some(rest),
            };
            let path = path.and_then(decoded).ok_or_else(|| {
                "ambiguous input: the `uri` names no file that can be read in one way".to_owned()
            })?;
            input.insert("path".into(), path.into());
            Does::Read
        }
        Some(("http" | "https", _)) => {
            input.insert("url".into(), uri.clone().into());
            Does::Fetch
        }
        _ => Does::Other("read"),
    };
    input.insert("uri".into(), uri.clone().into());
    Ok((format!("resource {uri}"), input, does))
}

/// `%2F` is `/` (RFC 3986 §2.1).
fn decoded(path: &str) -> Option<String> {
    let path = path.split(['?', '#']).next()?;
    let (mut bytes, mut rest) = (Vec::new(), path.as_bytes());
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        if *byte != b'%' {
            bytes.push(*byte);
            continue;
        }
        let digits = std::str::from_utf8(rest.get(..2)?).ok()?;
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
        rest = rest.get(2..)?;
    }
    String::from_utf8(bytes).ok()
}

fn text(params: &Map<String, Value>, name: &str) -> Result<String, String> {
    match params.get(name) {
        Some(Value::String(text)) if !text.is_empty() => Ok(text.clone()),
        _ => Err(format!("there is no `{name}` in it")),
    }
}

fn arguments(params: &Map<String, Value>) -> Result<Map<String, Value>, String> {
    match params.get("arguments") {
        None | Some(Value::Null) => Ok(Map::new()),
        Some(Value::Object(arguments)) => Ok(arguments.clone()),
        Some(_) => Err("its `arguments` are no object".to_owned()),
    }
}

/// What is to be searched in an answer: pictures and sounds are not, if they alone make it too long.
pub fn searched(content: &Value, longest: usize) -> Value {
    if content.to_string().len() <= longest {
        return content.clone();
    }
    let mut content = content.clone();
    strip(&mut content);
    content
}

fn strip(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(strip),
        Value::Object(members) => {
            let kind = members.get("mimeType").and_then(Value::as_str).unwrap_or_default();
            let is_media = ["image/", "audio/", "video/"].iter().any(|of| kind.starts_with(of));
            for (name, value) in members.iter_mut() {
                match name.as_str() {
                    "data" | "blob" if is_media => *value = json!(""),
                    _ => strip(value),
                }
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests;
