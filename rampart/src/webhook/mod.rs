//! Rules that ask a service (`action: webhook`). The evaluator asks it, never the library and never
//! the helper: those run in the agent's tree, with the agent's environment. Whom a rule asks stands in
//! the compiled policy, beside the rules and of one piece with them.
//!
//! What is sent and what is taken for an answer is in docs/webhooks.md. A service that gives no
//! answer that can be understood has given none; the rule says what that comes to (`fail_open`).

mod breaker;
mod client;
mod pool;
mod reply;
mod settings;
mod unix;

pub use client::Client;
pub use pool::{Asking, Pool};
pub use settings::Settings;

use crate::verdict::effects::Told;
use evaluator::image::format::level;
use evaluator::{Action, Image, Verdict};
use std::time::Duration;

/// Who answered, in events and approvals: the service itself, and the rule where the service gave
/// no answer.
pub const SERVICE: &str = "webhook";
/// No answer, and the rule allows that.
pub const FAIL_OPEN: &str = "webhook-fail-open";
/// No answer, and the rule does not.
pub const FAILED: &str = "webhook-failed";

/// Whom a rule asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// `https://…`, `http://…` or `unix:/PATH`
    pub url: String,
    /// How long its answer is waited for, all tries together.
    pub limit: Duration,
    /// Whether no answer allows.
    pub fail_open: bool,
}

impl Address {
    /// Whom the rule that decided `verdict` asks; `None` if it asks nobody. A project's policy names
    /// nobody who could allow anything.
    pub fn of(images: &[Image<'_>], verdict: &Verdict<'_>) -> Option<Self> {
        let asks = |hit: &&evaluator::RuleMatch| hit.action == Action::Webhook as u32;
        if verdict.action != Action::Webhook {
            return None;
        }
        verdict.matched.iter().filter(asks).find_map(|hit| {
            let image = images.get(hit.image as usize)?;
            let rule = image.rule(hit.rule)?;
            let policy = image.policy(rule.policy)?;
            let is_it = image.text(policy.name, policy.name_len)? == verdict.policy
                && image.text(rule.name, rule.name_len)? == verdict.rule
                && image.header.level != level::PROJECT;
            let found = image.webhook(hit.rule).filter(|_| is_it)?;
            let url = image.text(found.url, found.url_len)?;
            Some(Self {
                url: std::str::from_utf8(url).ok()?.to_owned(),
                limit: Duration::from_millis(found.timeout_ms.into()),
                fail_open: found.flags & 1 != 0,
            })
        })
    }
}

/// What a service is asked about. Everything here but `shell` is escaped; credentials are masked before
/// it is sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Question {
    /// Tool class.
    pub tool: String,
    /// The whole command line or shell text.
    pub command: String,
    /// The same as a shell reads it, nothing escaped: for programs, not for people.
    pub shell: Vec<u8>,
    /// Where.
    pub cwd: String,
    /// Other parameters of the call, by name.
    pub params: Vec<(String, String)>,
    /// Which agent.
    pub agent: String,
    /// Which session.
    pub session: String,
    /// The policy whose rule asks.
    pub policy: String,
    /// The rule.
    pub rule: String,
    /// What the call would do.
    pub effects: Vec<Told>,
}

/// What came of asking.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Yes, and why, escaped and of bounded length; may be empty.
    Yes(String),
    /// No, and why, likewise.
    No(String),
    /// A person is to be asked, and why, likewise.
    Ask(String),
    /// None that could be understood in time, and what went wrong.
    None(String),
    /// It could not even be asked as configured: never a yes.
    Misconfigured(String),
}

/// What becomes of a call that a service was asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// It goes ahead.
    Permitted,
    /// It does not.
    Denied,
    /// A person says it, as for a rule with `ask`.
    Asked,
}

/// How a question ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settled {
    /// What becomes of the call.
    pub end: End,
    /// On whose word: one of the constants above.
    pub by: &'static str,
    /// The service's reason, or what went wrong.
    pub why: String,
}

impl Answer {
    /// What it comes to for a rule with this `fail_open`.
    pub fn settle(self, fail_open: bool) -> Settled {
        let (end, by, why) = match self {
            Self::Yes(why) => (End::Permitted, SERVICE, why),
            Self::No(why) => (End::Denied, SERVICE, why),
            Self::Ask(why) => (End::Asked, SERVICE, why),
            Self::None(why) if fail_open => (End::Permitted, FAIL_OPEN, why),
            Self::None(why) | Self::Misconfigured(why) => (End::Denied, FAILED, why),
        };
        Settled { end, by, why }
    }
}

#[cfg(test)]
mod tests;
