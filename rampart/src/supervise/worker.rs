//! Answering calls. Two processors that start programs would wait for one thread that answers, and that would go
//! back and forth between them: a fork storm took a third longer. So there are some, and each does all that
//! a call needs.

use super::filter;
use super::judge::{Judge, Moment, Weighed};
use super::kernel::{self, Held, Notice, Reply};
use super::shared::{Question, Shared, Task, Waiting};
use super::still::Settled;
use super::supervisor::{kill, say};
use super::tracee::{Desk, Tracee};
use super::workers;
use crate::answer::Answer;
use crate::channel::Connection;
use crate::failure::reason;
use evaluator::settle::Settled as Answered;
use rustix::event::{PollFd, PollFlags, poll};
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// One thread's own part.
pub struct Worker {
    shared: Arc<Shared>,
    judge: Judge,
    desk: Desk,
    settled: Settled,
}

/// What a call that was put to us comes to.
pub enum Step {
    /// It was answered.
    Done,
    /// It goes ahead, and the process is to be held behind it.
    Hold(Tracee),
    /// A person is asked.
    Ask(Connection, Tracee, Answered),
}

impl Worker {
    /// One that judges by `judge`.
    pub fn new(shared: Arc<Shared>, judge: Judge) -> Self {
        Self { shared, judge, desk: Desk::default(), settled: Settled::default() }
    }

    /// One for another thread.
    pub fn another(&self) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
            judge: self.judge.another(),
            desk: self.desk.another(),
            settled: Settled::default(),
        }
    }

    /// What all threads share.
    pub fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// Answers calls until that is over, or nobody is left who could call.
    pub fn work(mut self) {
        while !self.shared.is_over() {
            let Some(notice) = self.shared.receive() else {
                if self.shared.listener.is_forsaken() {
                    return;
                }
                continue;
            };
            match self.called(&notice) {
                Step::Done => self.desk.look_ahead(),
                Step::Ask(connection, tracee, alone) => {
                    let waiting = Waiting::Call(notice);
                    let question = Question { connection, tracee, waiting, alone };
                    self.shared.hand_over(Task::Ask(Box::new(question)));
                }
                // While it is held nobody else may have to wait for us.
                Step::Hold(tracee) if self.shared.is_attended() => {
                    if self.hold(&notice, tracee) {
                        return;
                    }
                }
                Step::Hold(tracee) => {
                    self.shared.hand_over(Task::Hold(notice, Box::new(tracee)));
                }
            }
        }
    }

    /// Answers one call, if that can be done at once.
    fn called(&mut self, notice: &Notice) -> Step {
        if filter::moves(notice.arch, notice.number) {
            self.desk.set_moved();
            self.reply(notice, Reply::Continue);
            return Step::Done;
        }
        self.judge.renew(&self.shared.policy());
        let read = Tracee::read(notice, &mut self.desk);
        if !self.shared.listener.is_waiting(notice.id) {
            return Step::Done;
        }
        match read {
            Ok(tracee) if tracee.rings() => {
                let number = self.judge.hear(&tracee);
                self.reply(notice, Reply::Error(number));
                Step::Done
            }
            Ok(tracee) if self.is_ours(&tracee) => {
                let moment = self.moment(&tracee);
                self.let_run(notice, tracee, moment)
            }
            Ok(mut tracee) => {
                self.judge.correct(&mut tracee);
                self.weigh(notice, tracee, None)
            }
            Err(error) => {
                self.unreadable(notice, &error);
                Step::Done
            }
        }
    }

    /// Whether our own helper, or the line that says no, is started; not where it is not known what is.
    fn is_ours(&self, tracee: &Tracee) -> bool {
        let path = tracee.asked.path();
        !tracee.asked.cwd.is_lost() && self.judge.is_ours(tracee, &path)
    }

    /// What a call comes to; with `answer`, that of a person, or of nobody in time, counts.
    fn weigh(
        &mut self,
        notice: &Notice,
        tracee: Tracee,
        answer: Option<(Answered, String)>,
    ) -> Step {
        let moment = self.moment(&tracee);
        match self.judge.weigh(&tracee, moment, answer) {
            Weighed::Go => self.let_run(notice, tracee, moment),
            Weighed::Denied(line) => {
                self.deny(notice, &line);
                Step::Done
            }
            Weighed::Asked(connection, alone) => Step::Ask(connection, tracee.for_later(), alone),
        }
    }

    /// Whether `tracee` has to be looked at again: something else could run than what is judged now.
    fn moment(&mut self, tracee: &Tracee) -> Moment {
        let is_certain = !tracee.is_elsewhere
            && tracee.is_absolute
            && tracee.is_alone
            && self.settled.holds(&tracee.asked.path());
        if is_certain { Moment::Only } else { Moment::First }
    }

    /// Lets the kernel go on with a call, unless the process has to be held behind it.
    fn let_run(&self, notice: &Notice, tracee: Tracee, moment: Moment) -> Step {
        if moment == Moment::First {
            return Step::Hold(tracee.for_later());
        }
        self.reply(notice, Reply::Continue);
        Step::Done
    }

    /// Holds whose call is let go ahead, so that it is judged again for what it has become. What is asked for
    /// stays known where it cannot have been changed since. `None` if it is not held: the call was answered.
    pub fn held(&mut self, notice: &Notice, tracee: Tracee) -> Option<Option<Tracee>> {
        match kernel::hold_at_exec(notice.thread) {
            Ok(()) => {
                self.reply(notice, Reply::Continue);
                return Some(tracee.is_alone.then_some(tracee));
            }
            // A debugger holds it. What it asks for cannot change; the file still could.
            Err(_) if tracee.is_alone || self.judge.fails_open() => {
                let goes = Answered { permitted: true, answered_by: "" };
                let weighed = self.judge.weigh(&tracee, Moment::Only, Some((goes, String::new())));
                self.end(notice, &weighed);
            }
            Err(error) => {
                let why = reason(&error);
                let why = format!(
                    "It could change while it is judged, and it cannot be held ({why}): run it without a debugger, \
                     or from a process with one thread."
                );
                let weighed = self.judge.uncertain(&tracee, &why);
                self.end(notice, &weighed);
            }
        }
        None
    }

    /// Holds whose call is let go ahead, and waits until it has become what it wants to be, or has failed to.
    /// Whether another thread has taken our place meanwhile.
    fn hold(&mut self, notice: &Notice, tracee: Tracee) -> bool {
        let Some(before) = self.held(notice, tracee) else {
            return false;
        };
        let mut before = before;
        let mut is_replaced = false;
        // Until nobody is held: who is killed is so until that was waited for, and a zombie for its parent.
        while let Some((process, held)) = kernel::change() {
            match held {
                Held::Ended(_) => {}
                Held::Signal(signal) => kernel::go_on(process, signal),
                Held::NotExecuted => kernel::let_go(process),
                Held::Executed => is_replaced |= self.executed(process, before.take()),
            }
        }
        is_replaced
    }

    /// `process`, which this thread holds, has become another program. Whether another thread has taken our place.
    fn executed(&mut self, process: u32, before: Option<Tracee>) -> bool {
        let Some((tracee, weighed)) = self.behind(process, before) else {
            return false;
        };
        let Weighed::Asked(connection, alone) = weighed else {
            self.release(process, weighed);
            return false;
        };
        // Only who holds it can let it go, and a person takes long.
        let is_replaced = workers::start(self.another()).is_ok();
        let mut ready = [PollFd::new(&connection, PollFlags::IN)];
        while poll(&mut ready, None).is_err_and(|errno| errno == rustix::io::Errno::INTR) {}
        let weighed = self.answered_behind(&connection, &tracee, alone);
        self.release(process, weighed);
        is_replaced
    }

    /// Judges `process`, which is held, for the program that it has become; `None` if that was settled at once.
    pub fn behind(&mut self, process: u32, before: Option<Tracee>) -> Option<(Tracee, Weighed)> {
        let Some(mut tracee) = Tracee::behind(process, before, &self.desk) else {
            // It has not run yet.
            self.release(process, self.judge.unseen(process, "it may not be looked at"));
            return None;
        };
        // What its name leads to here says nothing of one that lives elsewhere.
        if self.judge.is_ours(&tracee, Path::new(&format!("/proc/{process}/exe"))) {
            kernel::let_go(process);
            return None;
        }
        self.judge.correct(&mut tracee);
        let weighed = self.judge.weigh(&tracee, Moment::Behind, None);
        Some((tracee, weighed))
    }

    /// What a process that is held comes to with the answer that has come on `connection`.
    pub fn answered_behind(
        &mut self,
        connection: &Connection,
        tracee: &Tracee,
        alone: Answered,
    ) -> Weighed {
        let settled = answer_on(connection).settled(alone);
        self.judge.weigh(tracee, Moment::Behind, Some(settled))
    }

    /// What the call of `before` comes to with the answer that has come on `connection`. A person takes long: what
    /// asks for something else by now is another call.
    pub fn answered(
        &mut self,
        notice: &Notice,
        connection: &Connection,
        (before, alone): (&Tracee, Answered),
    ) -> Step {
        let settled = answer_on(connection).settled(alone);
        let now = Tracee::read(notice, &mut self.desk);
        if !self.shared.listener.is_waiting(notice.id) {
            return Step::Done;
        }
        match now {
            Ok(mut now) => {
                self.judge.correct(&mut now);
                let answer = now.asks_the_same(before).then_some(settled);
                self.weigh(notice, now, answer)
            }
            Err(error) => {
                self.unreadable(notice, &error);
                Step::Done
            }
        }
    }

    /// Lets `process`, which this thread holds, go its way.
    pub fn release(&self, process: u32, weighed: Weighed) {
        if let Weighed::Denied(line) = weighed {
            say(process, &line);
            kill(process);
        }
        kernel::let_go(process);
    }

    /// A call whose words cannot be read is the kernel's error, if it is one; else it is denied.
    fn unreadable(&self, notice: &Notice, error: &io::Error) {
        let number = match error.raw_os_error() {
            Some(number @ (libc::EFAULT | libc::E2BIG | libc::ENOENT | libc::ENOSYS)) => number,
            _ => {
                let weighed = self.judge.unseen(notice.thread, &reason(error));
                return self.end(notice, &weighed);
            }
        };
        self.reply(notice, Reply::Error(number));
    }

    /// A call that goes ahead unless `weighed` is a denial, which is said to whoever called.
    fn end(&self, notice: &Notice, weighed: &Weighed) {
        match weighed {
            Weighed::Denied(line) => self.deny(notice, line),
            _ => self.reply(notice, Reply::Continue),
        }
    }

    /// A call that does not go ahead, and why.
    fn deny(&self, notice: &Notice, line: &str) {
        say(notice.thread, line);
        self.reply(notice, Reply::Error(libc::EPERM));
    }

    /// Who has died meanwhile needs no answer.
    fn reply(&self, notice: &Notice, reply: Reply) {
        let _ = self.shared.listener.reply(notice.id, reply);
    }
}

fn answer_on(connection: &Connection) -> Answer {
    match connection.receive(Duration::ZERO) {
        Ok(packet) => Answer::of(&packet),
        Err(_) => Answer::Nobody("on_no_approver"),
    }
}
