//! Which request is answered by what, and who may make it.

use super::message::{Reply, Request};
use super::query::Query;
use super::tokens::{Scope, Token, Tokens, stamp};
use super::{Context, OPENAPI, Problem, approvals, bulk, evaluate, history, state, stream};
use serde_json::{Map, Value};
use std::sync::PoisonError;

/// A request whose route and sender are known.
pub struct Asked<'r> {
    /// What stands in the place of the path's parameter.
    pub name: String,
    /// The request.
    pub request: &'r Request,
    /// The agent whose the token is; empty for any.
    pub agent: String,
    /// The name of the token.
    pub by: String,
}

type Handler = fn(&Context, &Asked<'_>) -> Result<Reply, Problem>;

/// One route: method, path with at most one parameter, who may use it, and what answers.
pub type Route = (&'static str, &'static str, Option<Scope>, Handler);

/// All of them.
pub const ROUTES: [Route; 19] = [
    ("POST", "/v1/tool/{tool}", Some(Scope::Eval), evaluate::tool),
    ("POST", "/v1/preflight/{tool}", Some(Scope::Eval), evaluate::preflight),
    ("GET", "/v1/approvals", Some(Scope::Admin), approvals::list),
    ("POST", "/v1/approvals", Some(Scope::Admin), approvals::create),
    ("GET", "/v1/approvals/{id}", Some(Scope::Admin), approvals::one),
    ("POST", "/v1/approvals/{id}/resolve", Some(Scope::Admin), approvals::resolve),
    ("POST", "/v1/approvals/bulk-resolve", Some(Scope::Admin), bulk::resolve),
    ("GET", "/v1/audit/events", Some(Scope::Admin), history::events),
    ("GET", "/v1/audit/dates", Some(Scope::Admin), history::dates),
    ("GET", "/v1/audit/export", Some(Scope::Admin), history::export),
    ("GET", "/v1/audit/stats", Some(Scope::Admin), history::stats),
    ("GET", EVENTS, Some(Scope::Admin), stream::events),
    ("GET", "/v1/policies", Some(Scope::Admin), state::policies),
    ("GET", "/v1/policy/summary", Some(Scope::Admin), state::summary),
    ("POST", "/v1/policy/reload", Some(Scope::Admin), state::reload),
    ("GET", "/v1/status", Some(Scope::Admin), state::status),
    ("GET", "/metrics", Some(Scope::Admin), state::metrics),
    ("GET", "/healthz", None, state::health),
    ("GET", "/openapi.json", None, |_, _| {
        Ok(Reply::of(200, "application/json", OPENAPI.as_bytes().to_vec()))
    }),
];

/// Where a browser's EventSource may say its token in the address: it cannot send a header.
const EVENTS: &str = "/v1/events/stream";

/// Answers a request.
///
/// # Errors
/// Why not.
pub fn answer(context: &Context, request: &Request) -> Result<Reply, Problem> {
    let at = |route: &Route| Some((*route, parameter(route.1, &request.path)?));
    let mut here: Vec<(Route, String)> = ROUTES.iter().filter_map(at).collect();
    // A path of its own is no name of something.
    if here.iter().any(|(route, _)| route.1 == request.path) {
        here.retain(|(route, _)| route.1 == request.path);
    }
    if here.is_empty() {
        return Err(Problem::new(404, "there is nothing at this path; /openapi.json names all"));
    }
    let method = if request.method == "HEAD" { "GET" } else { &request.method };
    let Some(((_, _, scope, handle), name)) = here.iter().find(|(route, _)| route.0 == method)
    else {
        let mut allowed: Vec<&str> = here.iter().map(|(route, _)| route.0).collect();
        if allowed.contains(&"GET") {
            allowed.push("HEAD");
        }
        let mut reply = Problem::new(405, "this method does nothing here").reply();
        reply.allow = Some(allowed.join(", "));
        return Ok(reply);
    };
    let token = match scope {
        None => None,
        Some(scope) => Some(permitted(context, request, *scope)?),
    };
    let token = token.unwrap_or(Token {
        name: String::new(),
        sha256: String::new(),
        scope: Scope::Eval,
        agent: String::new(),
        expires: 0,
    });
    let asked = Asked { name: decoded(name)?, request, agent: token.agent, by: token.name };
    handle(context, &asked)
}

/// What `path` has in the place of the parameter of `pattern`; empty if that has none, `None` if it
/// does not fit.
fn parameter(pattern: &str, path: &str) -> Option<String> {
    let (Some((before, rest)), true) = (pattern.split_once('{'), pattern.contains('{')) else {
        return (pattern == path).then(String::new);
    };
    let after = rest.split_once('}').map_or("", |(_, after)| after);
    let found = path.strip_prefix(before)?.strip_suffix(after)?;
    (!found.is_empty() && !found.contains('/')).then(|| found.to_owned())
}

/// `text` with its `%xx` decoded.
///
/// # Errors
/// If something else stands behind a `%`, or the result is no text.
pub fn decoded(text: &str) -> Result<String, Problem> {
    let bad = || Problem::field("path", "the path is not encoded as it should be");
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            out.push(byte);
            continue;
        }
        let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
        let (Some(high), Some(low)) = (digit(bytes.next()), digit(bytes.next())) else {
            return Err(bad());
        };
        out.push(u8::try_from(high * 16 + low).map_err(|_| bad())?);
    }
    String::from_utf8(out).map_err(|_| bad())
}

/// The token that the request comes with, if it may do this.
fn permitted(context: &Context, request: &Request, scope: Scope) -> Result<Token, Problem> {
    let secret = request.authorization.as_deref().and_then(|text| {
        let (kind, secret) = text.split_once(' ')?;
        kind.eq_ignore_ascii_case("bearer").then(|| secret.trim().to_owned())
    });
    let in_address = || {
        let query = Query::read(&request.query, &["token"]).ok();
        query.map(|query| query.text("token").to_owned()).filter(|secret| !secret.is_empty())
    };
    let secret = secret.or_else(|| (request.path == EVENTS).then(in_address).flatten());
    let Some(secret) = secret else {
        return Err(Problem::new(401, "a token is needed: `Authorization: Bearer …`"));
    };
    let mut kept = context.tokens.lock().unwrap_or_else(PoisonError::into_inner);
    let found = stamp(&context.tokens_file);
    if found != kept.0 {
        let read = Tokens::read(&context.tokens_file);
        let read = read.map_err(|_| Problem::new(503, "the tokens cannot be read"))?;
        *kept = (found, read);
    }
    let Some(token) = kept.1.find(&secret) else {
        return Err(Problem::new(401, "there is no such token, or it has ended"));
    };
    if scope == Scope::Admin && token.scope != Scope::Admin {
        return Err(Problem::new(403, "this token is for verdicts alone"));
    }
    Ok(token.clone())
}

/// The body as one JSON object.
///
/// # Errors
/// If it is none.
pub fn object(request: &Request) -> Result<Map<String, Value>, Problem> {
    let media = request.media.as_deref().unwrap_or("application/json");
    let essence = media.split(';').next().unwrap_or_default().trim();
    if !essence.eq_ignore_ascii_case("application/json") {
        return Err(Problem::new(415, "the body has to be application/json"));
    }
    crate::cases::object(&request.body).map_err(|why| Problem::field("body", why))
}

/// A text of `body`; empty if it is absent or null.
///
/// # Errors
/// If it is anything else.
pub fn text(body: &Map<String, Value>, name: &str) -> Result<String, Problem> {
    match body.get(name) {
        None | Some(Value::Null) => Ok(String::new()),
        Some(Value::String(text)) => Ok(text.clone()),
        Some(_) => Err(Problem::field(name, format!("`{name}` must be a string"))),
    }
}

/// A yes or no of `body`; no if it is absent or null.
///
/// # Errors
/// If it is anything else.
pub fn flag(body: &Map<String, Value>, name: &str) -> Result<bool, Problem> {
    match body.get(name) {
        None | Some(Value::Null) => Ok(false),
        Some(Value::Bool(value)) => Ok(*value),
        Some(_) => Err(Problem::field(name, format!("`{name}` must be true or false"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_names_every_route_and_no_other() {
        let document: Value = serde_json::from_str(OPENAPI).unwrap();
        let mut described = Vec::new();
        for (path, methods) in document["paths"].as_object().unwrap() {
            for (method, about) in methods.as_object().unwrap() {
                let is_open = about["security"].as_array().is_some_and(Vec::is_empty);
                described.push((method.to_uppercase(), path.clone(), !is_open));
            }
        }
        let mut known: Vec<_> = ROUTES
            .iter()
            .map(|(method, path, scope, _)| {
                ((*method).to_owned(), (*path).to_owned(), scope.is_some())
            })
            .collect();
        described.sort();
        known.sort();
        assert_eq!(described, known);
    }

    #[test]
    fn paths_are_taken_apart() {
        let cases = [
            ("/v1/tool/{tool}", "/v1/tool/exec", Some("exec")),
            ("/v1/tool/{tool}", "/v1/tool/", None),
            ("/v1/tool/{tool}", "/v1/tool/a/b", None),
            ("/v1/approvals/{id}/resolve", "/v1/approvals/X/resolve", Some("X")),
            ("/v1/approvals/{id}", "/v1/approvals/X/resolve", None),
            ("/healthz", "/healthz", Some("")),
            ("/healthz", "/healthz/", None),
        ];
        for (pattern, path, expected) in cases {
            assert_eq!(parameter(pattern, path).as_deref(), expected, "{pattern} {path}");
        }
        assert_eq!(decoded("a%2Fb%C3%A4").unwrap(), "a/bä");
        for bad in ["%", "%4", "%zz", "%ff", "%+1"] {
            assert!(decoded(bad).is_err(), "{bad}");
        }
    }
}
