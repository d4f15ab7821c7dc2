//! One approval: what it is about, what it is bound to, and how far its answer goes.

use super::approvals::Wanted;
use super::coverage::Id;
use crate::process::Process;
use serde::{Deserialize, Serialize};

/// How long an answer holds for the same call after it was given, where nobody waits any more: a
/// yes that came too late can still be used, a no is not asked for again at once. Milliseconds.
pub const LINGER: u64 = 60_000;

/// Who answered where nobody had to be asked: the policy, by what the evaluator alone knows.
pub const POLICY: &str = "policy";

/// What became of an approval.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Nobody has answered yet.
    Pending,
    /// Yes.
    Approved,
    /// No.
    Denied,
    /// Nobody answered in time.
    Expired,
}

/// How far a yes goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// For the calls that wait for it, or one more.
    Once,
    /// For every such call until this time, in milliseconds since the epoch.
    Until(u64),
    /// For every such call as long as the evaluator keeps it.
    Always,
}

/// One process that went ahead on an approval.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Used {
    /// Its number.
    pub pid: u32,
    /// When it started ([`Process::start`]).
    pub start: u64,
    /// How often it asked since this evaluator started.
    #[serde(skip)]
    pub times: u32,
}

/// One approval.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Approval {
    /// A ULID.
    pub id: String,
    /// What it is about, for people.
    pub about: About,
    /// What it is bound to ([`crate::asked::Asked::key`]).
    #[serde(with = "hexadecimal")]
    pub key: Vec<Id>,
    /// The commands that it covers.
    #[serde(with = "hexadecimal")]
    pub covers: Vec<Id>,
    /// Milliseconds since the epoch.
    pub created: u64,
    /// When it expires unless it is answered, likewise.
    pub expires: u64,
    /// What became of it.
    pub state: State,
    /// How far a yes goes.
    pub scope: Option<Scope>,
    /// Who answered.
    pub by: String,
    /// When it was answered, likewise.
    pub resolved: u64,
    /// Who went ahead on it.
    pub used: Vec<Used>,
    /// Whether a yes for one call was used up.
    pub spent: bool,
    /// Who waits for it.
    #[serde(skip)]
    pub waiting: Vec<Waiting>,
}

/// Somebody who waits for an approval.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// The client that speaks for it.
    pub token: u64,
    /// Which process.
    pub process: Process,
    /// Whether it goes ahead if nobody answers.
    pub fallback: bool,
}

/// What people see of an approval.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct About {
    /// The command line, escaped and masked.
    pub command: String,
    /// The arguments, where they can be written as they are: UTF-8, and nothing in them is secret.
    #[serde(default)]
    pub argv: Vec<String>,
    /// The rule that asks.
    pub rule: String,
    /// Its words.
    pub message: String,
    /// Where.
    pub cwd: String,
    /// Whose process.
    pub uid: u32,
    /// Which agent.
    pub agent: String,
    /// Which session.
    pub session: String,
    /// What it would do, a line for each kind of effect; escaped and masked.
    #[serde(default)]
    pub effects: Vec<String>,
}

impl Approval {
    /// That which `wanted` asks for, at `now`: pending, and nobody waits yet.
    pub fn new(id: String, wanted: Wanted, now: u64) -> Self {
        let mut covers = wanted.coverage.reached;
        covers.extend(wanted.exact);
        Self {
            id,
            about: wanted.about,
            key: vec![wanted.key],
            covers,
            created: now,
            expires: now.saturating_add(wanted.timeout),
            state: State::Pending,
            scope: None,
            by: String::new(),
            resolved: 0,
            used: Vec::new(),
            spent: false,
            waiting: Vec::new(),
        }
    }

    /// Whether `process` went ahead on it.
    pub fn has_used(&self, process: Process) -> bool {
        self.used.iter().any(|used| used.pid == process.pid && used.start == process.start)
    }

    /// Whether a yes still holds for calls that come anew.
    pub fn outlasts(&self, now: u64) -> bool {
        match self.scope {
            Some(Scope::Always) => true,
            Some(Scope::Until(end)) => now < end,
            Some(Scope::Once) | None => false,
        }
    }

    /// Whether `process` may go ahead on this yes.
    pub fn holds_for(&self, process: Process, now: u64) -> bool {
        let late = self.expires.max(self.resolved.saturating_add(LINGER));
        self.has_used(process)
            || self.outlasts(now)
            || (self.scope == Some(Scope::Once) && !self.spent && now < late)
    }
}

/// Digests in JSON.
mod hexadecimal {
    use super::Id;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub fn serialize<S: Serializer>(ids: &[Id], to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(
            ids.iter().map(|id| id.iter().map(|byte| format!("{byte:02x}")).collect::<String>()),
        )
    }

    pub fn deserialize<'d, D: Deserializer<'d>>(from: D) -> Result<Vec<Id>, D::Error> {
        let texts = Vec::<String>::deserialize(from)?;
        let ids = texts.iter().map(|text| id(text).ok_or_else(|| D::Error::custom("no digest")));
        ids.collect()
    }

    fn id(text: &str) -> Option<Id> {
        let mut out = [0; 32];
        if text.len() != 64 {
            return None;
        }
        for (index, byte) in out.iter_mut().enumerate() {
            *byte = u8::from_str_radix(text.get(2 * index..2 * index + 2)?, 16).ok()?;
        }
        Some(out)
    }
}
