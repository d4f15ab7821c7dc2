//! One call about which somebody is asked: what was put, and what was heard. A call may be judged twice,
//! as it is spelled and by where it leads; who has answered for a rule once is not asked again.

use core::cell::Cell;

use evaluator::settle::Settled;
use evaluator::{Action, Request, Verdict};

use super::State;
use crate::act::set_errno;
use crate::escalate::Word;
use crate::escalate::operation::{self, Heard, Pending, Reason};
use crate::images::Layers;
use crate::judge::Digest;
use crate::snapshot::Mode;
use crate::sys::{self, Errno};

/// Most questions about one call; past that it is settled without more.
const MOST: u8 = 6;

/// What somebody said about a rule.
struct Answer {
    rule: u64,
    /// `None`: what the verdict comes to alone.
    settled: Option<Settled>,
    /// Why nobody said anything.
    nobody: &'static str,
    word: Word,
}

/// What is known, and what is waited for.
#[derive(Default)]
pub struct Asked {
    answers: [Cell<Option<Answer>>; 2],
    pending: Cell<Option<(u64, Pending)>>,
    until_us: Cell<u64>,
    questions: Cell<u8>,
}

impl State {
    /// Whether somebody can be asked about `verdict`: an evaluator is known, and this process is no
    /// part of Rampart itself and may make system calls of its own.
    fn can_ask(&self, verdict: &Verdict<'_>) -> bool {
        let snapshot = self.snapshot;
        let is_open = matches!(verdict.action, Action::Ask | Action::Webhook);
        let is_own = !snapshot.helper.is_empty() && self.program_name() == snapshot.helper;
        is_open
            && snapshot.mode == Mode::Enforce
            && !snapshot.socket.is_empty()
            && !is_own
            && !self.is_confined()
    }

    /// What `verdict` comes to, `alone` without anybody else, and on whose word. `None` if that is to be
    /// waited for.
    pub fn settled(
        &self,
        asked: &Asked,
        (request, layers): (&Request<'_>, &Layers),
        (verdict, alone): (&Verdict<'_>, Settled),
    ) -> Option<(Settled, Word)> {
        if !self.can_ask(verdict) {
            return Some((alone, Word::none()));
        }
        let mut rule = Digest::new();
        rule.add(verdict.policy);
        rule.add(b"/");
        rule.add(verdict.rule);
        if let Some(known) = asked.known(rule.0, alone) {
            return Some(known);
        }
        if asked.until_us.get() == 0 {
            let until = sys::monotonic_time().saturating_add(operation::patience(self.snapshot));
            asked.until_us.set(until);
        }
        let questions = asked.questions.get();
        asked.questions.set(questions.saturating_add(1));
        let until_us = asked.until_us.get();
        let pending = match questions < MOST {
            true => operation::put((self.snapshot, layers), request, (verdict, alone), until_us),
            false => None,
        };
        let Some(pending) = pending else {
            return Some((alone, Word::none()));
        };
        asked.pending.set(Some((rule.0, pending)));
        None
    }
}

impl Asked {
    /// Whether an answer is waited for.
    pub fn is_waited_for(&self) -> bool {
        let pending = self.pending.take();
        let is_some = pending.is_some();
        self.pending.set(pending);
        is_some
    }

    fn known(&self, rule: u64, alone: Settled) -> Option<(Settled, Word)> {
        self.answers.iter().find_map(|slot| {
            let answer = slot.take()?;
            let found = (answer.rule == rule).then(|| {
                let by = if alone.permitted { alone.answered_by } else { answer.nobody };
                let alone = Settled { answered_by: by, ..alone };
                (answer.settled.unwrap_or(alone), answer.word.clone())
            });
            slot.set(Some(answer));
            found
        })
    }

    /// Waits for what is pending, after which the call is to be judged again; what a service said is put into
    /// `reason`. `None` if a signal has ended it.
    pub fn hear(&self, reason: &mut Reason) -> Option<()> {
        let (rule, pending) = self.pending.take()?;
        let (settled, nobody, word) = match pending.wait(reason) {
            Heard::Said(settled, word) => (Some(settled), "", word),
            Heard::Nobody(why) => (None, why, Word::none()),
            // The question is put again.
            Heard::Gone => return Some(()),
            Heard::Interrupted => {
                set_errno(Errno(libc::EINTR));
                return None;
            }
        };
        let [first, second] = &self.answers;
        second.set(first.replace(Some(Answer { rule, settled, nobody, word })));
        Some(())
    }
}
