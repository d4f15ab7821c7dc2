//! The first thread of the supervisor: what has to be waited for. Calls are answered by others
//! ([`super::worker`]); whoever waits for a person is a connection in its poll set, and whoever is held behind its
//! execve(2) an entry of a table. Nothing that one process does makes another one wait.

use super::judge::{Judge, Weighed};
use super::kernel::{self, Held, Listener, Notice};
use super::shared::{Question, Shared, Task, Waiting};
use super::tracee::Tracee;
use super::worker::{Step, Worker};
use super::workers;
use crate::failure::{Failure, reason};
use crate::launch::parent::{End, Signals};
use crate::policy::renewal::Renewal;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdGetfdFlags, Signal, kill_process};
use std::collections::HashMap;
use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::Duration;

/// How much of a line is written to another process's standard error: a pipe that can be written to has
/// room for that much (pipe(7)).
const LINE: usize = 4096;

/// The supervisor of one tree.
pub struct Supervisor {
    shared: Arc<Shared>,
    /// For what is handed to this thread; the others' are like it.
    own: Worker,
    questions: Vec<Question>,
    /// Whom this thread holds, and what it asked for where that cannot have been changed since.
    held: HashMap<u32, Option<Tracee>>,
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
    ///
    /// # Errors
    /// If there is no descriptor to be had.
    pub fn new(listener: Listener, judge: Judge, renewal: Renewal) -> Result<Self, Failure> {
        let shared = Shared::new(listener, Arc::clone(judge.policy()), renewal);
        let shared = Arc::new(shared.map_err(|errno| failed(&errno.into()))?);
        let own = Worker::new(Arc::clone(&shared), judge);
        Ok(Self { shared, own, questions: Vec::new(), held: HashMap::new() })
    }

    /// Supervises until `child`, the parent of the tree, has ended; returns how. What it leaves behind
    /// is supervised by [`Supervisor::rest`].
    ///
    /// # Errors
    /// If nothing can be waited for, or no thread can be started.
    pub fn attend(&mut self, child: Pid) -> Result<End, Failure> {
        let signals = Signals::catch()?;
        workers::start_all(&self.own).map_err(|error| failed(&error))?;
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

    /// Ends all other threads, and lets those go that are held at this moment: they would not survive their
    /// tracer. At most two seconds. Calls wait meanwhile.
    pub fn withdraw(&mut self) {
        self.shared.set_over(true);
        self.shared.crew.end();
        self.take_tasks();
        for _ in 0..1000 {
            if self.held.is_empty() {
                break;
            }
            std::thread::sleep(Duration::from_millis(1));
            self.look_at_changes(None);
        }
        self.shared.set_over(false);
    }

    /// Supervises until nobody is left.
    ///
    /// # Errors
    /// If nothing can be waited for, or no thread can be started.
    pub fn rest(&mut self) -> Result<(), Failure> {
        /// Without a descriptor that tells of those that are held, they are looked at so often.
        const OFTEN: Duration = Duration::from_millis(1);
        workers::start_all(&self.own).map_err(|error| failed(&error))?;
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
        !self.shared.listener.is_forsaken()
    }

    /// Waits until something happens, and does what is to be done for answers and tasks.
    fn wait(&mut self, signals: Option<&Signals>, limit: Duration) -> Result<Woken, Failure> {
        let shared = Arc::clone(&self.shared);
        let bell = shared.bell();
        // Of the listener only its end: calls are the other threads'.
        let mut waiting = vec![
            PollFd::new(&shared.listener, PollFlags::empty()),
            PollFd::new(&bell, PollFlags::IN),
        ];
        let first = waiting.len();
        waiting
            .extend(self.questions.iter().map(|one| PollFd::new(&one.connection, PollFlags::IN)));
        let count = waiting.len();
        let any = signals.map(Signals::any);
        waiting.extend(any.iter().map(|one| PollFd::new(one, PollFlags::IN)));
        let limit = Timespec::try_from(limit).ok();
        match poll(&mut waiting, limit.as_ref()) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(errno) => return Err(failed(&errno.into())),
        }
        let has = |at: usize| waiting.get(at).map_or(PollFlags::empty(), PollFd::revents);
        let is_needed = !has(0).contains(PollFlags::HUP);
        let mut has_signals = (count..waiting.len()).any(|at| !has(at).is_empty());
        let answered: Vec<usize> =
            (first..count).filter(|at| !has(*at).is_empty()).map(|at| at - first).collect();
        for at in answered.into_iter().rev() {
            let question = self.questions.swap_remove(at);
            self.answered(question);
        }
        self.take_tasks();
        if !is_needed && let Some(signals) = signals {
            // Nobody calls any more, and the descriptor would say so all the time.
            signals.wait();
            has_signals = true;
        }
        Ok(Woken { is_needed, has_signals })
    }

    /// Takes on what other threads have handed over.
    fn take_tasks(&mut self) {
        for task in self.shared.tasks() {
            match task {
                Task::Ask(question) => self.questions.push(*question),
                Task::Hold(notice, tracee) => self.hold(&notice, *tracee),
            }
        }
    }

    /// Holds whose call is let go ahead, so that it is judged again for what it has become.
    fn hold(&mut self, notice: &Notice, tracee: Tracee) {
        let process = tracee.who.process;
        if let Some(before) = self.own.held(notice, tracee) {
            self.held.insert(notice.thread, None);
            self.held.insert(process, before);
        }
    }

    fn answered(&mut self, question: Question) {
        let Question { connection, tracee, waiting, alone } = question;
        match waiting {
            Waiting::Call(notice) => {
                match self.own.answered(&notice, &connection, (&tracee, alone)) {
                    Step::Done => {}
                    Step::Hold(tracee) => self.hold(&notice, tracee),
                    Step::Ask(connection, tracee, alone) => {
                        let waiting = Waiting::Call(notice);
                        self.questions.push(Question { connection, tracee, waiting, alone });
                    }
                }
            }
            Waiting::Held(process) => {
                let weighed = self.own.answered_behind(&connection, &tracee, alone);
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
        if let Some((tracee, weighed)) = self.own.behind(process, before) {
            self.release(process, tracee, weighed);
        }
    }

    fn release(&mut self, process: u32, tracee: Tracee, weighed: Weighed) {
        if let Weighed::Asked(connection, alone) = weighed {
            let waiting = Waiting::Held(process);
            self.questions.push(Question { connection, tracee, waiting, alone });
        } else {
            self.own.release(process, weighed);
        }
    }
}

fn failed(error: &io::Error) -> Failure {
    Failure::other(format!("cannot supervise the tree: {}", reason(error)))
}

/// Stops as the tree has stopped, so that a shell sees it, and goes on with it.
fn stop_with(child: u32) {
    let _ = kill_process(rustix::process::getpid(), Signal::STOP);
    if let Some(pid) = Pid::from_raw(child.cast_signed()) {
        let _ = kill_process(pid, Signal::CONT);
    }
}

/// Kills `process`.
pub(super) fn kill(process: u32) {
    if let Some(pid) = Pid::from_raw(process.cast_signed()) {
        let _ = kill_process(pid, Signal::KILL);
    }
}

/// Writes `line` to the standard error of `thread`, if that takes it at once. It must be the one that calls: another of its
/// process may have ended, and has no descriptors any more.
pub(super) fn say(thread: u32, line: &str) {
    let attempt = || -> Result<(), Errno> {
        let handle = crate::process::who::handle(thread)?;
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
    // Who may not be looked at has no descriptor for us, and we are not far. Whoever closed it does not want to
    // read it; the record says it, too.
    if attempt() == Err(Errno::PERM) {
        complain!("{line}");
    }
}
