//! The loop of the supervisor: one thread, one poll set. Whoever waits for a person is a connection in
//! it; whoever is held behind its execve(2) is an entry of a table. Nothing that one process does
//! makes another one wait.

use super::filter;
use super::judge::{Judge, Moment, Weighed};
use super::kernel::{self, Held, Listener, Notice, Reply};
use super::still::Settled;
use super::tracee::{Desk, Tracee};
use crate::answer::Answer;
use crate::channel::Connection;
use crate::failure::{Failure, reason};
use crate::launch::parent::{End, Signals};
use crate::policy::renewal::Renewal;
use evaluator::settle::Settled as Answered;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, PidfdGetfdFlags, Signal, kill_process};
use std::collections::HashMap;
use std::io;
use std::os::fd::AsFd;
use std::time::Duration;

/// How much of a line is written to another process's standard error: a pipe that can be written to has
/// room for that much (pipe(7)).
const LINE: usize = 4096;

/// Who waits for the answer of a person.
enum Waiting {
    /// A call that was put to us.
    Call(Notice),
    /// A process that is held.
    Held(u32),
}

/// One question that is out.
struct Question {
    connection: Connection,
    tracee: Tracee,
    waiting: Waiting,
    /// What no answer comes to.
    alone: Answered,
}

/// The supervisor of one tree.
pub struct Supervisor {
    listener: Listener,
    judge: Judge,
    renewal: Renewal,
    questions: Vec<Question>,
    /// Who is held, and what it asked for where that cannot have been changed since.
    held: HashMap<u32, Option<Tracee>>,
    desk: Desk,
    settled: Settled,
}

/// What a wait has ended with.
struct Woken {
    /// Whether anybody is left who could call.
    is_needed: bool,
    /// Whether signals have come.
    has_signals: bool,
}

impl Supervisor {
    /// Over whoever is put to `listener`.
    pub fn new(listener: Listener, judge: Judge, renewal: Renewal) -> Self {
        Self {
            listener,
            judge,
            renewal,
            questions: Vec::new(),
            held: HashMap::new(),
            desk: Desk::default(),
            settled: Settled::default(),
        }
    }

    /// Supervises until `child`, the parent of the tree, has ended; returns how. What it leaves behind
    /// is supervised by [`Supervisor::rest`].
    ///
    /// # Errors
    /// If nothing can be waited for.
    pub fn attend(&mut self, child: Pid) -> Result<End, Failure> {
        let signals = Signals::catch()?;
        loop {
            if !self.wait(Some(&signals), Duration::MAX)?.has_signals {
                continue;
            }
            signals.hand_on(child);
            if signals.child_has_changed()
                && let Some(end) = self.look_at_changes(Some(child))
            {
                return Ok(end);
            }
        }
    }

    /// Lets those go that are held at this moment: they would not survive their tracer. At most a second.
    pub fn release_held(&mut self) {
        for _ in 0..1000 {
            if self.held.is_empty() {
                return;
            }
            std::thread::sleep(Duration::from_millis(1));
            self.look_at_changes(None);
        }
    }

    /// Supervises until nobody is left.
    ///
    /// # Errors
    /// If nothing can be waited for.
    pub fn rest(&mut self) -> Result<(), Failure> {
        /// Without a descriptor that tells of those that are held, they are looked at so often.
        const OFTEN: Duration = Duration::from_millis(1);
        loop {
            let limit = if self.held.is_empty() { Duration::MAX } else { OFTEN };
            if !self.wait(None, limit)?.is_needed {
                return Ok(());
            }
            self.look_at_changes(None);
        }
    }

    /// Whether anybody is left who could call.
    pub fn is_needed(&self) -> bool {
        let mut waiting = [PollFd::new(&self.listener, PollFlags::IN)];
        let _ = poll(&mut waiting, Some(&Timespec::default()));
        !waiting.iter().any(|one| one.revents().contains(PollFlags::HUP))
    }

    /// Waits until something happens, and does what is to be done for calls and answers.
    fn wait(&mut self, signals: Option<&Signals>, limit: Duration) -> Result<Woken, Failure> {
        let mut waiting = vec![PollFd::new(&self.listener, PollFlags::IN)];
        waiting
            .extend(self.questions.iter().map(|one| PollFd::new(&one.connection, PollFlags::IN)));
        let count = waiting.len();
        let any = signals.map(Signals::any);
        waiting.extend(any.iter().map(|one| PollFd::new(one, PollFlags::IN)));
        let limit = Timespec::try_from(limit).ok();
        match poll(&mut waiting, limit.as_ref()) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(errno) => {
                let why = reason(&errno.into());
                return Err(Failure::other(format!("cannot supervise the tree: {why}")));
            }
        }
        let has = |at: usize| waiting.get(at).map_or(PollFlags::empty(), PollFd::revents);
        let calls = has(0);
        let mut has_signals = (count..waiting.len()).any(|at| !has(at).is_empty());
        let answered: Vec<usize> =
            (1..count).filter(|at| !has(*at).is_empty()).map(|at| at - 1).collect();
        for at in answered.into_iter().rev() {
            let question = self.questions.swap_remove(at);
            self.answered(question);
        }
        if calls.contains(PollFlags::IN) {
            self.called();
        }
        let is_needed = !calls.contains(PollFlags::HUP);
        if !is_needed && let Some(signals) = signals {
            // Nobody calls any more, and the descriptor would say so all the time.
            signals.wait();
            has_signals = true;
        }
        Ok(Woken { is_needed, has_signals })
    }

    /// Answers one call.
    fn called(&mut self) {
        let Ok(notice) = self.listener.receive() else {
            return;
        };
        if filter::moves(notice.arch, notice.number) {
            self.desk.has_moved = true;
            return self.reply(&notice, Reply::Continue);
        }
        if let Some(policy) = self.renewal.due() {
            self.judge.replace(policy);
        }
        let read = Tracee::read(&notice, &mut self.desk);
        if !self.listener.is_waiting(notice.id) {
            return;
        }
        match read {
            Ok(tracee) if tracee.rings() => {
                let number = self.judge.hear(&tracee);
                self.reply(&notice, Reply::Error(number));
            }
            Ok(tracee) if self.judge.is_ours(&tracee) => {
                let moment = self.moment(&tracee);
                self.let_run(&notice, tracee, moment);
            }
            Ok(mut tracee) => {
                self.judge.correct(&mut tracee);
                let moment = self.moment(&tracee);
                let weighed = self.judge.weigh(&tracee, moment, None);
                self.conclude(notice, tracee, (moment, weighed));
            }
            Err(error) => self.unreadable(&notice, &error),
        }
    }

    /// Whether `tracee` has to be looked at again: something else could run than what is judged now.
    fn moment(&mut self, tracee: &Tracee) -> Moment {
        let is_certain =
            !tracee.is_elsewhere && tracee.is_alone && self.settled.holds(&tracee.asked.path());
        if is_certain { Moment::Only } else { Moment::First }
    }

    fn conclude(&mut self, notice: Notice, tracee: Tracee, (moment, weighed): (Moment, Weighed)) {
        match weighed {
            Weighed::Go => self.let_run(&notice, tracee, moment),
            Weighed::Denied(line) => {
                say(tracee.who.process, &line);
                self.reply(&notice, Reply::Error(libc::EPERM));
            }
            Weighed::Asked(connection, alone) => {
                let waiting = Waiting::Call(notice);
                self.questions.push(Question { connection, tracee, waiting, alone });
            }
        }
    }

    /// Lets the kernel go on with a call. Where something else could run than what was judged, the
    /// process is held behind it and judged again.
    fn let_run(&mut self, notice: &Notice, tracee: Tracee, moment: Moment) {
        if moment == Moment::Only {
            return self.reply(notice, Reply::Continue);
        }
        let is_alone = tracee.is_alone;
        match kernel::hold_at_exec(notice.thread) {
            Ok(()) => {
                self.held.insert(notice.thread, None);
                self.held.insert(tracee.who.process, is_alone.then_some(tracee));
                self.reply(notice, Reply::Continue);
            }
            // A debugger holds it. What it asks for cannot change; the file still could.
            Err(_) if is_alone || self.judge.fails_open() => {
                let goes = Answered { permitted: true, answered_by: "" };
                self.judge.weigh(&tracee, Moment::Only, Some((goes, String::new())));
                self.reply(notice, Reply::Continue);
            }
            Err(error) => {
                let why = reason(&error);
                let line = format!(
                    "rampart: denied: what it starts could change while it is judged, and it cannot be held \
                     ({why}): run it without a debugger, or from a process with one thread"
                );
                say(tracee.who.process, &line);
                self.reply(notice, Reply::Error(libc::EPERM));
            }
        }
    }

    /// A call whose words cannot be read is the kernel's error, if it is one; else it is denied.
    fn unreadable(&self, notice: &Notice, error: &io::Error) {
        let number = match error.raw_os_error() {
            Some(number @ (libc::EFAULT | libc::E2BIG | libc::ENOENT | libc::ENOSYS)) => number,
            _ if self.judge.fails_open() => return self.reply(notice, Reply::Continue),
            _ => {
                let (process, why) = (notice.thread, reason(error));
                complain!("rampart: denied: what process {process} starts cannot be seen: {why}");
                libc::EPERM
            }
        };
        self.reply(notice, Reply::Error(number));
    }

    /// Who has died meanwhile needs no answer.
    fn reply(&self, notice: &Notice, reply: Reply) {
        let _ = self.listener.reply(notice.id, reply);
    }

    fn answered(&mut self, question: Question) {
        let Question { connection, tracee, waiting, alone } = question;
        let answer = match connection.receive(Duration::ZERO) {
            Ok(packet) => Answer::of(&packet),
            Err(_) => Answer::Nobody("on_no_approver"),
        };
        let settled = Some(answer.settled(alone));
        match waiting {
            Waiting::Call(notice) if self.listener.is_waiting(notice.id) => {
                let moment = self.moment(&tracee);
                let weighed = self.judge.weigh(&tracee, moment, settled);
                self.conclude(notice, tracee, (moment, weighed));
            }
            Waiting::Call(_) => {}
            Waiting::Held(process) => {
                let weighed = self.judge.weigh(&tracee, Moment::Behind, settled);
                self.release(process, tracee, weighed);
            }
        }
    }

    /// What has become of processes that are held, and of `child`. How that ended, if it has.
    fn look_at_changes(&mut self, child: Option<Pid>) -> Option<End> {
        let child = child.map(|pid| pid.as_raw_nonzero().get().cast_unsigned());
        while let Some((process, held)) = kernel::changed() {
            match held {
                Held::Ended(status) if Some(process) == child => return End::of(status),
                Held::Ended(_) => drop(self.held.remove(&process)),
                Held::Signal(_) if Some(process) == child => stop_with(process),
                Held::Signal(signal) => kernel::go_on(process, signal),
                Held::NotExecuted => {
                    self.held.remove(&process);
                    kernel::let_go(process);
                }
                Held::Executed => self.executed(process),
            }
        }
        None
    }

    /// `process` has become another program, and waits. It is judged for what it is.
    fn executed(&mut self, process: u32) {
        let before = self.held.remove(&process).flatten();
        let Some(mut tracee) = Tracee::behind(process, before, &self.desk) else {
            // Nothing is known of it, and it has not run yet.
            if !self.judge.fails_open() {
                kill(process);
            }
            return kernel::let_go(process);
        };
        if self.judge.is_ours(&tracee) {
            return kernel::let_go(process);
        }
        self.judge.correct(&mut tracee);
        let weighed = self.judge.weigh(&tracee, Moment::Behind, None);
        self.release(process, tracee, weighed);
    }

    fn release(&mut self, process: u32, tracee: Tracee, weighed: Weighed) {
        match weighed {
            Weighed::Go => kernel::let_go(process),
            Weighed::Denied(line) => {
                say(process, &line);
                kill(process);
                kernel::let_go(process);
            }
            Weighed::Asked(connection, alone) => {
                let waiting = Waiting::Held(process);
                self.questions.push(Question { connection, tracee, waiting, alone });
            }
        }
    }
}

/// Stops as the tree has stopped, so that a shell sees it, and goes on with it.
fn stop_with(child: u32) {
    let _ = kill_process(rustix::process::getpid(), Signal::STOP);
    if let Some(pid) = Pid::from_raw(child.cast_signed()) {
        let _ = kill_process(pid, Signal::CONT);
    }
}

fn kill(process: u32) {
    if let Some(pid) = Pid::from_raw(process.cast_signed()) {
        let _ = kill_process(pid, Signal::KILL);
    }
}

/// Writes `line` to the standard error of `process`, if that takes it at once.
pub(super) fn say(process: u32, line: &str) {
    let attempt = || -> Result<(), Errno> {
        let pid = Pid::from_raw(process.cast_signed()).ok_or(Errno::SRCH)?;
        let handle = rustix::process::pidfd_open(pid, PidfdFlags::empty())?;
        let flags = PidfdGetfdFlags::empty();
        let stderr = rustix::process::pidfd_getfd(&handle, libc::STDERR_FILENO, flags)?;
        let mut ready = [PollFd::new(&stderr, PollFlags::OUT)];
        if poll(&mut ready, Some(&Timespec::default()))? == 1 {
            let text = line.as_bytes();
            let text = text.get(..LINE - 1).unwrap_or(text);
            rustix::io::write(stderr.as_fd(), &[text, b"\n"].concat())?;
        }
        Ok(())
    };
    // Whoever closed it does not want to read it; the record says it, too.
    let _ = attempt();
}
