//! Calls of which not all that counts can be seen. No rule says anything of them: they are denied, or go ahead
//! where the user wants that of what cannot be decided. Either is recorded.

use super::{HOOK, Judge, Weighed, whose};
use crate::asked::Asked;
use crate::audit::record::{self, Told, Whose};
use crate::launch::environment::Environment;
use crate::launch::program::Facts;
use crate::process::who::Who;
use crate::supervise::tracee::Tracee;
use evaluator::event::Outcome;
use evaluator::settle::settle;
use evaluator::{Request, Verdict};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::time::Duration;

impl Judge {
    /// What a call of `thread` comes to that cannot be read, because of `why`, the end of a sentence.
    pub fn unseen(&self, thread: u32, why: &str) -> Weighed {
        let who = Who::of(thread).ok();
        let whose = Whose {
            pid: who.map_or(thread, |who| who.process),
            ppid: who.map_or(0, |who| who.parent),
            // As audit(8) writes what is not known.
            uid: who.and_then(|who| who.user.number()).unwrap_or(u32::MAX),
            tree: self.environment.value("RAMPART_TREE").map(OsStr::as_bytes),
        };
        let asked = Asked {
            tool: b"exec".to_vec(),
            environment: self.environment.clone(),
            ..Asked::default()
        };
        let message = format!("What process {} starts cannot be seen: {why}.", whose.pid);
        asked.with_request(&Facts::default(), |request| {
            refused((&self.environment, self.is_enforced), &whose, request, &message)
        })
    }

    /// What the call of `tracee` comes to, of which more counts than its words, and that is not certain: `why`, sentences.
    pub fn uncertain(&mut self, tracee: &Tracee, why: &str) -> Weighed {
        let facts = self.brain.facts(&tracee.asked);
        tracee.asked.with_request(&facts, |request| {
            let request = Request { cwd: tracee.asked.cwd.known(), ..*request };
            refused((&self.environment, self.is_enforced), &whose(tracee), &request, why)
        })
    }
}

/// `request`, of which nothing counts that was judged, in a tree with this environment in which denials hold or not.
pub(super) fn refused(
    (environment, is_enforced): (&Environment, bool),
    whose: &Whose<'_>,
    request: &Request<'_>,
    why: &str,
) -> Weighed {
    let verdict = Verdict::unseen(why.as_bytes());
    let settled = settle(&verdict, environment.fail_open());
    let outcome = match (settled.permitted, is_enforced) {
        (true, _) => Outcome::Unconfirmed,
        (false, true) => Outcome::Denied,
        (false, false) => Outcome::NotEnforced,
    };
    let answered_by = settled.answered_by;
    let told = Told { hook: HOOK, outcome, answered_by, took: Duration::ZERO };
    let id = record::event_of(whose, request, &verdict, environment, &told);
    if settled.permitted || !is_enforced {
        return Weighed::Go;
    }
    Weighed::Denied(record::denial(request, &verdict, &settled, &id).to_string())
}
