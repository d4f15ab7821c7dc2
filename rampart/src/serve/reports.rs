//! What is said to clients, as packets.

use super::approval::{Approval, Scope, State};
use super::approvals::{Outcome, Unresolved};
use crate::audit::recorder;
use crate::channel::Fields;
use evaluator::Action;
use evaluator::wire::{Kind, Tag};
use policy_schema::time;
use serde_json::{Value, json};

/// What is said to a client.
#[derive(Debug)]
pub struct Said {
    /// Kind of the packet.
    pub kind: Kind,
    /// Its body.
    pub body: Fields,
}

/// What an answered approval means to somebody who waits for it.
pub fn answer(outcome: &Outcome, expired: bool) -> Said {
    let (action, by, id) = match outcome {
        Outcome::Granted(id) if expired => (Action::Allow, "on_no_approver", id.as_str()),
        Outcome::Granted(id) => (Action::Allow, "approver", id.as_str()),
        Outcome::Denied(id) if expired => (Action::Ask, "expired", id.as_str()),
        Outcome::Denied(id) => (Action::Deny, "approver", id.as_str()),
        // No approver: the asker's own policy says what that comes to.
        Outcome::Full | Outcome::Parked => (Action::Ask, "full", ""),
    };
    answered(action, by, id)
}

/// An answer on the word of `by`, by the approval `id`.
pub fn answered(action: Action, by: &str, id: &str) -> Said {
    let body = Fields::default()
        .with(Tag::Action, &[action as u8])
        .with(Tag::By, by.as_bytes())
        .with(Tag::Approval, id.as_bytes());
    Said { kind: Kind::Answer, body }
}

/// A refusal.
pub fn refused(why: &str) -> Said {
    Said { kind: Kind::Refused, body: Fields::default().with(Tag::Text, why.as_bytes()) }
}

/// A report: one JSON value.
pub fn report(value: &Value) -> Said {
    let text = value.to_string();
    Said { kind: Kind::Report, body: Fields::default().with(Tag::Text, text.as_bytes()) }
}

/// What came of recording: the number of the last entry, or why there is none.
pub fn recorded(result: recorder::Outcome) -> Said {
    match result {
        Ok(tip) => report(&json!({ "seq": tip.seq })),
        Err(why) => refused(&why),
    }
}

/// Why there is no answer to be given, for people.
pub fn unresolved_text(wanted: &str, unresolved: &Unresolved) -> String {
    let wanted = crate::bytes::visible(wanted.as_bytes());
    match unresolved {
        Unresolved::Unknown => format!("there is no approval `{wanted}`"),
        Unresolved::Ambiguous => {
            format!("several approvals end with `{wanted}`; give more of the id")
        }
        Unresolved::Over(State::Pending) => format!("`{wanted}` is pending"),
        Unresolved::Over(State::Expired) => format!("`{wanted}` has expired"),
        Unresolved::Over(State::Approved) => format!("`{wanted}` was approved already"),
        Unresolved::Over(State::Denied) => format!("`{wanted}` was denied already"),
    }
}

/// An approval as JSON, for `pending` and `why`.
pub fn listed(approval: &Approval) -> Value {
    let about = &approval.about;
    let time = |ms: u64| time::format_timestamp(ms / 1000);
    let scope = match approval.scope {
        Some(Scope::Until(end)) => json!({"until": time(end)}),
        Some(Scope::Once) => json!("once"),
        Some(Scope::Always) => json!("always"),
        None => Value::Null,
    };
    let is_pending = approval.state == State::Pending;
    json!({
        "id": approval.id,
        "state": approval.state,
        "command": about.command,
        "argv": about.argv,
        "rule": about.rule,
        "message": about.message,
        "cwd": about.cwd,
        "uid": about.uid,
        "agent": about.agent,
        "session": about.session,
        "effects": about.effects,
        "created_at": time(approval.created),
        "expires_at": time(approval.expires),
        "waiting": approval.waiting.len(),
        "scope": scope,
        "resolved_at": (!is_pending).then(|| time(approval.resolved)),
        "resolved_by": (!is_pending).then_some(&approval.by),
        "used": approval.used.len(),
    })
}
