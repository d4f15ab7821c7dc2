//! Stage 6 of a verdict: whether and how it is recorded.

use evaluator::event::{self, Event, EventFlags, Outcome};
use evaluator::request::Request;
use evaluator::settle::Settled;
use evaluator::{Action, Verdict};

use super::Judged;
use crate::images::Layers;
use crate::observe::Stage;
use crate::snapshot::Snapshot;
use crate::spool::{self, Place, Way};
use crate::sys;

/// A fresh id for an event of this moment, in microseconds since the Unix epoch.
pub fn new_id(time_us: u64) -> [u8; 26] {
    let mut random = [0; 10];
    sys::random(&mut random);
    event::ulid(time_us / 1000, random)
}

/// All that an event says.
pub struct Record<'a> {
    pub snapshot: &'a Snapshot,
    /// The function that was called, or `start`.
    pub hook: &'static str,
    pub request: &'a Request<'a>,
    pub verdict: &'a Verdict<'a>,
    pub settled: &'a Settled,
    /// On whose word, where `settled` does not say.
    pub word: &'a str,
    pub id: [u8; 26],
    /// Microseconds since the Unix epoch; as `id`, set where either is needed.
    pub time_us: u64,
    /// When the call came ([`sys::monotonic_time`]).
    pub began_us: u64,
    pub is_fallback: bool,
    /// Whether a larger memory is there for a line that does not fit.
    pub is_attempt: bool,
}

impl Record<'_> {
    /// Whether this verdict is to be recorded here, and as what.
    pub fn outcome(&self, stage: Stage, judged: &Judged, layers: &Layers) -> Option<Outcome> {
        if judged.is_repeated {
            return None;
        }
        if !judged.permitted {
            return Some(Outcome::Denied);
        }
        let is_confirmed = stage.is_start();
        if !is_confirmed && (judged.loads_us || self.snapshot.is_supervised) {
            return None;
        }
        if !self.settled.permitted {
            return Some(Outcome::NotEnforced);
        }
        let is_plain = self.verdict.action == Action::Allow && self.verdict.matched.is_empty();
        if is_plain && !layers.records_all() {
            return None;
        }
        Some(if is_confirmed { Outcome::Allowed } else { Outcome::Unconfirmed })
    }

    /// `None` if there is no room for the line.
    #[inline(never)]
    pub fn write(&mut self, outcome: Outcome, line: &mut [u8]) -> Option<()> {
        let Some(way) = spool::open(self.snapshot) else {
            return Some(());
        };
        let mut flags = EventFlags::default();
        for (holds, flag) in [
            (self.is_fallback, EventFlags::FALLBACK_IMAGE),
            (matches!(way, Way::File(_, Place::Substitute)), EventFlags::FALLBACK_AUDIT),
            (self.snapshot.fail_open == Some(true), EventFlags::FAIL_OPEN),
        ] {
            if holds {
                flags = flags.with(flag);
            }
        }
        let mono_us = sys::monotonic_time();
        let event = Event {
            id: self.id,
            time_us: self.time_us,
            mono_us,
            took_us: mono_us.saturating_sub(self.began_us),
            pid: sys::process_id(),
            ppid: sys::parent_id(),
            uid: sys::real_user(),
            hook: self.hook,
            request: self.request,
            verdict: self.verdict,
            outcome,
            answered_by: match self.word {
                "" => self.settled.answered_by,
                word => word,
            },
            tree: self.snapshot.tree,
            flags,
        };
        let len = match self.is_attempt {
            true => event::write_whole(&event, line)?,
            false => event::write_line(&event, line),
        };
        match (way, line.get_mut(..len)) {
            (Way::File(file, _), Some(line)) => spool::append(self.snapshot, &file, line),
            (Way::Bell, Some(line)) => spool::hand_over(self.snapshot, line),
            (_, None) => {}
        }
        Some(())
    }
}
