//! A question as docs/webhooks.md has it, and what answers it.

use super::weigh::Decision;
use crate::bytes;
use crate::verdict::effects::Told;
use serde::Deserialize;
use serde_json::{Value, json};

/// A question. Members that are not named here do not matter.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Question {
    /// Its id.
    pub id: String,
    /// A number that was used once.
    pub nonce: String,
    /// Tool class.
    pub tool: String,
    /// Of what the call is.
    pub params: Params,
    /// Which agent.
    pub agent: String,
    /// Which session.
    pub session: String,
    /// The policy whose rule asks.
    pub policy: String,
    /// The rule.
    pub rule: String,
}

/// Of what a call is.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Params {
    /// The command, escaped.
    pub command: String,
    /// The same as a shell reads it, if that is something else.
    pub shell: Value,
    /// Where.
    pub cwd: String,
}

impl Question {
    /// The one in a body.
    ///
    /// # Errors
    /// Why there is none.
    pub fn read(body: &[u8]) -> Result<Self, String> {
        serde_json::from_slice(body)
            .map_err(|error| format!("the body is no question (docs/webhooks.md): {error}"))
    }

    /// What a shell would read; `None` if it is no command.
    pub fn text(&self) -> Option<Vec<u8>> {
        let is_command =
            matches!(self.tool.as_str(), "exec" | "") && !self.params.command.is_empty();
        let faithful = bytes::from_json(&self.params.shell);
        is_command.then(|| faithful.unwrap_or_else(|| self.params.command.clone().into_bytes()))
    }

    /// The directory, if it is stated.
    pub fn cwd(&self) -> Option<&[u8]> {
        Some(self.params.cwd.as_bytes()).filter(|cwd| cwd.first() == Some(&b'/'))
    }
}

/// What answers a question.
#[derive(Clone, Debug, Default)]
pub struct Answer {
    /// What it comes to; `None` if there is no answer.
    pub decision: Option<Decision>,
    /// Why, escaped.
    pub reason: String,
    /// Who says it: `effects`, or a model.
    pub by: String,
    /// Whether a model had said it before.
    pub is_kept: bool,
    /// What the call would do.
    pub effects: Vec<Told>,
}

impl Answer {
    /// The reply.
    pub fn reply(&self, question: &Question) -> Value {
        json!({
            "decision": self.decision.map_or("none", Decision::name),
            "reason": self.reason,
            "id": question.id,
            "nonce": question.nonce,
            "by": self.by,
            "effects": self.effects,
        })
    }
}
