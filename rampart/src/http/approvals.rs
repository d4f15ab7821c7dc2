//! Approvals over HTTP: the same ones that `rampart pending` shows.

use super::message::Reply;
use super::routes::{Asked, flag, object, text};
use super::{Context, Problem};
use crate::audit::record;
use crate::process::Process;
use crate::serve::approval::{About, Approval, Scope};
use crate::serve::approvals::{Outcome, Unresolved, Wanted};
use crate::serve::coverage::Coverage;
use crate::serve::reports::{answer, listed, unresolved_text};
use crate::serve::requests::{Desk, now};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::sync::atomic::{AtomicU64, Ordering};

/// How long an approval is pending, in milliseconds, as in the original.
const TIMEOUT: u64 = 120_000;

/// The client of the evaluator's loop that nobody is: those who ask over HTTP come again.
const NOBODY: u64 = 0;

/// What came of asking a person.
pub enum Asking {
    /// It is pending: id, and when it expires, in milliseconds.
    Pending(String, u64),
    /// There was a yes for just this, which is used up now, or holds on.
    Approved(String),
    /// There was a no a short while ago.
    Denied(String),
    /// Too much is pending.
    Full,
}

/// Every call over HTTP is as a process of its own: it is counted and let go once.
pub fn caller() -> Process {
    static LAST: AtomicU64 = AtomicU64::new(0);
    Process { pid: 0, start: LAST.fetch_add(1, Ordering::Relaxed) }
}

/// Has a person asked; `bound` is everything that a yes is bound to.
///
/// # Errors
/// If the evaluator is stopping.
pub fn ask(context: &Context, about: About, bound: &[u8]) -> Result<Asking, Problem> {
    let key: [u8; 32] = Sha256::digest(bound).into();
    let asking = context.front.call(move |desk: &mut Desk| {
        let wanted = Wanted {
            key,
            coverage: Coverage::default(),
            exact: Vec::new(),
            about,
            timeout: TIMEOUT,
            fallback: false,
        };
        let made = (record::new_id(), now());
        let outcome = desk.approvals.ask(wanted, caller(), NOBODY, made);
        desk.approvals.leave(NOBODY);
        let asking = match outcome {
            Outcome::Granted(id) => Asking::Approved(id),
            Outcome::Denied(id) => Asking::Denied(id),
            Outcome::Full => Asking::Full,
            Outcome::Parked => match desk.approvals.latest(&key) {
                Some(pending) => Asking::Pending(pending.id.clone(), pending.expires),
                None => Asking::Full,
            },
        };
        (asking, Vec::new())
    })?;
    Ok(asking)
}

/// An approval, with the original's name of its state beside ours.
pub fn shown(approval: &Approval) -> Value {
    let mut value = listed(approval);
    if let Some(map) = value.as_object_mut() {
        map.insert("status".to_owned(), json!(approval.state));
    }
    value
}

/// Those that are pending.
pub fn list(context: &Context, _: &Asked<'_>) -> Result<Reply, Problem> {
    let all: Vec<Value> =
        context.front.look(|desk| desk.approvals.pending().map(shown).collect())?;
    Ok(Reply::json(200, &json!({ "approvals": all })))
}

/// One, whatever became of it.
pub fn one(context: &Context, asked: &Asked<'_>) -> Result<Reply, Problem> {
    let id = asked.name.clone();
    let found = context.front.look(move |desk| desk.approvals.get(&id).map(shown))?;
    match found {
        Some(value) => Ok(Reply::json(200, &value)),
        None => Err(unresolved(&asked.name, &Unresolved::Unknown)),
    }
}

/// Makes one, for a host that asks by itself what we have no rule for.
pub fn create(context: &Context, asked: &Asked<'_>) -> Result<Reply, Problem> {
    let body = object(asked.request)?;
    let safe = |name| text(&body, name).map(|text| crate::bytes::visible(text.as_bytes()));
    let (command, path) = (safe("command")?, safe("path")?);
    let (tool, run) = (safe("tool")?, safe("run_id")?);
    let command = if command.is_empty() { path } else { command };
    if command.is_empty() {
        return Err(Problem::field(
            "command",
            "`command` or `path` must say what is to be approved",
        ));
    }
    let mut masked = Vec::new();
    evaluator::redact::masked(command.as_bytes(), &mut |piece| masked.extend_from_slice(piece));
    let about = About {
        command: String::from_utf8_lossy(&masked).into_owned(),
        rule: "http".to_owned(),
        message: safe("message")?,
        agent: safe("agent")?,
        uid: rustix::process::geteuid().as_raw(),
        ..About::default()
    };
    let bound = format!("created {tool:?} {command:?} {run:?} {:?} {:?}", about.agent, asked.by);
    Ok(match ask(context, about, bound.as_bytes())? {
        Asking::Pending(id, expires) => {
            let expires = policy_schema::time::format_timestamp(expires / 1000);
            Reply::json(201, &json!({"id": id, "status": "pending", "expires_at": expires}))
        }
        Asking::Approved(id) => Reply::json(200, &json!({"id": id, "status": "approved"})),
        Asking::Denied(id) => Reply::json(200, &json!({"id": id, "status": "denied"})),
        Asking::Full => return Err(Problem::new(503, "too many approvals are pending")),
    })
}

/// Answers one.
pub fn resolve(context: &Context, asked: &Asked<'_>) -> Result<Reply, Problem> {
    let body = object(asked.request)?;
    let Some(Value::Bool(is_yes)) = body.get("approved") else {
        return Err(Problem::field("approved", "`approved` must be true or false"));
    };
    let (is_yes, persists) = (*is_yes, flag(&body, "persist")?);
    let said = text(&body, "resolved_by")?;
    let by = match said.as_str() {
        "" => format!("token {}", asked.by),
        said => format!("token {} ({})", asked.by, crate::bytes::visible(said.as_bytes())),
    };
    let scope = is_yes.then_some(if persists { Scope::Always } else { Scope::Once });
    let id = asked.name.clone();
    let done = context.front.call(move |desk: &mut Desk| {
        match desk.approvals.resolve(&id, scope, &by, now()) {
            Ok((id, replies)) => {
                let said = |(token, outcome)| (token, answer(&outcome, false));
                (Ok(id), replies.into_iter().map(said).collect())
            }
            Err(unresolved) => (Err(unresolved), Vec::new()),
        }
    })?;
    let id = done.map_err(|why| unresolved(&asked.name, &why))?;
    let status = if is_yes { "approved" } else { "denied" };
    let persisted = is_yes && persists;
    let value = json!({"id": id, "status": status, "approved": is_yes, "persisted": persisted});
    Ok(Reply::json(200, &value))
}

fn unresolved(wanted: &str, why: &Unresolved) -> Problem {
    let status = match why {
        Unresolved::Unknown => 404,
        Unresolved::Ambiguous => 409,
        Unresolved::Over(_) => 410,
    };
    let problem = Problem::field("id", unresolved_text(wanted, why));
    Problem { status, ..problem }
}
