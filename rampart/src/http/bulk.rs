//! Answers for many approvals at once: those that a person has looked at, or every one of an agent or a session.
//! All of them or none: a set that has changed since it was looked at is refused.

use super::message::Reply;
use super::routes::{Asked, object, text};
use super::{Context, Problem};
use crate::serve::approval::{Approval, Scope};
use crate::serve::approvals::MOST_PENDING;
use crate::serve::reports::{Said, answer};
use crate::serve::requests::{Desk, now};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

/// Which approvals.
#[derive(Default)]
struct Chosen {
    agent: String,
    session: String,
    ids: Option<BTreeSet<String>>,
}

impl Chosen {
    fn read(body: &Map<String, Value>) -> Result<Self, Problem> {
        let (agent, session) = (text(body, "agent")?, text(body, "session")?);
        let ids = match body.get("ids") {
            None | Some(Value::Null) => None,
            Some(Value::Array(all)) => Some(ids(all)?),
            Some(_) => return Err(Problem::field("ids", "`ids` must be a list of ids")),
        };
        if ids.is_none() && agent.is_empty() && session.is_empty() {
            return Err(Problem::field("ids", "`ids`, `agent` or `session` must say which"));
        }
        Ok(Self { agent, session, ids })
    }

    fn takes(&self, approval: &Approval) -> bool {
        let is = |wanted: &str, found: &str| wanted.is_empty() || wanted == found;
        is(&self.agent, &approval.about.agent)
            && is(&self.session, &approval.about.session)
            && self.ids.as_ref().is_none_or(|ids| ids.contains(&approval.id))
    }
}

fn ids(all: &[Value]) -> Result<BTreeSet<String>, Problem> {
    let one = |value: &Value| value.as_str().map(str::to_ascii_uppercase);
    let ids: Option<BTreeSet<String>> = all.iter().map(one).collect();
    match ids {
        Some(ids) if !ids.is_empty() && ids.len() <= MOST_PENDING => Ok(ids),
        _ => Err(Problem::field("ids", "`ids` must be a list of one to a thousand whole ids")),
    }
}

/// Answers them.
pub fn resolve(context: &Context, asked: &Asked<'_>) -> Result<Reply, Problem> {
    let body = object(asked.request)?;
    let is_yes = match text(&body, "action")?.as_str() {
        "approve" => true,
        "deny" => false,
        _ => return Err(Problem::field("action", "`action` must be `approve` or `deny`")),
    };
    if !["", "pending"].contains(&text(&body, "scope")?.as_str()) {
        let why = "`scope` must be `pending`: what comes later is asked about";
        return Err(Problem::field("scope", why));
    }
    text(&body, "run_id")?;
    let said = text(&body, "resolved_by")?;
    let by = match said.as_str() {
        "" => format!("token {}", asked.by),
        said => format!("token {} ({})", asked.by, crate::bytes::visible(said.as_bytes())),
    };
    let chosen = Chosen::read(&body)?;
    let scope = is_yes.then_some(Scope::Once);
    let done = context.front.call(move |desk: &mut Desk| resolve_all(desk, &chosen, scope, &by))?;
    match done {
        Ok(ids) => {
            let value = json!({
                "resolved": ids.len(),
                "ids": ids,
                "reviewed_ids": ids,
                "race_covered_ids": [],
                "scope": "pending",
                "future_calls_authorized": false,
                "grant_ttl_ms": 0,
                "grant_expires_at": null,
            });
            Ok(Reply::json(200, &value))
        }
        Err(stale) => {
            let why = format!("not pending any more, or not theirs: {}", stale.join(", "));
            Err(Problem { status: 409, ..Problem::field("ids", why) })
        }
    }
}

/// What came of it, and the answers for those who wait.
type Done = (Result<Vec<String>, Vec<String>>, Vec<(u64, Said)>);

fn resolve_all(desk: &mut Desk, chosen: &Chosen, scope: Option<Scope>, by: &str) -> Done {
    let fits = |approval: &&Approval| chosen.takes(approval);
    let found: Vec<String> =
        desk.approvals.pending().filter(fits).map(|approval| approval.id.clone()).collect();
    let is_missing = |id: &&String| !found.contains(id);
    let stale: Vec<String> = chosen
        .ids
        .iter()
        .flatten()
        .filter(is_missing)
        .map(|id| crate::bytes::visible(id.as_bytes()))
        .collect();
    if !stale.is_empty() {
        return (Err(stale), Vec::new());
    }
    let mut answers = Vec::new();
    for id in &found {
        // It was pending a moment ago, in this very turn of the loop.
        if let Ok((_, replies)) = desk.approvals.resolve(id, scope, by, now()) {
            answers.extend(
                replies.into_iter().map(|(token, outcome)| (token, answer(&outcome, false))),
            );
        }
    }
    (Ok(found), answers)
}
