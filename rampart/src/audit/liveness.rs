//! What the service says of itself in the log: that it started, is there still, lost its policy, sees
//! an agent that nobody guards, stops. From the log it reaches every receiver, so that whoever is
//! out there can tell "nothing happened" from "nobody is looking".
//!
//! These are events with the `hook` [`HOOK`]. Only the service can put one into the log: on a line
//! of a spool, or from a client, it is no event.

use super::entry::Tip;
use super::record::{monotonic, stamp};
use serde_json::{Value, json};

/// The entrance of these events.
pub const HOOK: &str = "service";

/// What is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// The service is up.
    Started,
    /// It is there still.
    Alive,
    /// A policy does not compile: what was in force stays so.
    PolicyLost,
    /// Another policy is in force, or the one that did not compile does again.
    PolicyChanged,
    /// An agent runs without anything of ours.
    Unguarded,
    /// The service ends, as it was told to.
    Stopped,
}

impl What {
    /// Its `outcome` in the log.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Started => "started",
            Self::Alive => "alive",
            Self::PolicyLost => "policy-lost",
            Self::PolicyChanged => "policy-changed",
            Self::Unguarded => "unguarded",
            Self::Stopped => "stopped",
        }
    }
}

/// Something that the service says of itself.
#[derive(Clone, Debug)]
pub struct Said {
    what: What,
    message: String,
    /// The process that it is about, with its user and its program.
    about: Option<(u32, u32, String)>,
}

impl Said {
    /// About the service.
    pub fn new(what: What, message: impl Into<String>) -> Self {
        Self { what, message: message.into(), about: None }
    }

    /// About process `pid` of user `uid`, which runs `exe`.
    #[must_use]
    pub fn about(mut self, pid: u32, uid: u32, exe: String) -> Self {
        self.about = Some((pid, uid, exe));
        self
    }

    /// The line of the log, without what places it there.
    pub fn event(&self) -> Vec<u8> {
        self.members().to_string().into_bytes()
    }

    /// The same for somebody elsewhere, with the end of the log.
    pub fn anchored(&self, tip: Tip) -> Vec<u8> {
        let mut event = self.members();
        if let Some(members) = event.as_object_mut() {
            members.insert("host".into(), super::host().into());
            members.insert("anchor".into(), tip.to_string().into());
        }
        event.to_string().into_bytes()
    }

    fn members(&self) -> Value {
        let id = String::from_utf8_lossy(&stamp().0).into_owned();
        let own = || (std::process::id(), rustix::process::geteuid().as_raw(), String::new());
        let (pid, uid, exe) = self.about.clone().unwrap_or_else(own);
        let mut event = json!({
            "v": 1, "id": id, "time": super::now(), "mono_us": monotonic(), "pid": pid, "uid": uid,
            "hook": HOOK, "outcome": self.what.name(), "reason": HOOK, "message": self.message,
        });
        if let (Some(members), false) = (event.as_object_mut(), exe.is_empty()) {
            members.insert("exe".into(), Value::String(exe));
        }
        event
    }
}
