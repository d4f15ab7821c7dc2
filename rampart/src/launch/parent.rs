//! Being the parent of a command without being noticed: what the terminal sends reaches the command, what
//! others send is handed on, and this process ends as the command ends.

use super::exec;
use crate::failure::{Failure, reason};
use crate::serve::signals;
use rustix::event::{PollFd, PollFlags, epoll, poll};
use rustix::process::{Pid, Signal, WaitStatus, kill_process};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// Signals that are handed on to the command.
pub const HANDED_ON: [(i32, Signal); 4] = [
    (libc::SIGTERM, Signal::TERM),
    (libc::SIGHUP, Signal::HUP),
    (libc::SIGUSR1, Signal::USR1),
    (libc::SIGUSR2, Signal::USR2),
];

/// Signals of a terminal, which the command gets itself.
pub(super) const ITS_OWN: [i32; 4] = [libc::SIGINT, libc::SIGQUIT, libc::SIGTTIN, libc::SIGTTOU];

/// The descriptors that tell of signals.
pub struct Signals {
    child: OwnedFd,
    handed_on: Vec<(OwnedFd, Signal)>,
    /// All of them in one (epoll(7)): waiting for each costs.
    any: OwnedFd,
}

impl Signals {
    /// Catches them, and sets those of a terminal aside: after the command's own process was made,
    /// which is to find them as they were.
    ///
    /// # Errors
    /// If they cannot be caught.
    pub fn catch() -> Result<Self, Failure> {
        let mut handed_on = Vec::new();
        for (number, signal) in HANDED_ON {
            handed_on.push((signals::caught(&[number])?, signal));
        }
        let child = signals::caught(&[libc::SIGCHLD])?;
        let all = handed_on.iter().map(|(descriptor, _)| descriptor).chain([&child]);
        let any = together(all).map_err(|errno| {
            let why = reason(&errno.into());
            Failure::other(format!("cannot wait for signals: {why}"))
        })?;
        for signal in ITS_OWN {
            exec::ignore(signal);
        }
        exec::let_signals_in();
        Ok(Self { child, handed_on, any })
    }

    /// What can be read when any signal has come; not what came.
    pub fn any(&self) -> BorrowedFd<'_> {
        self.any.as_fd()
    }

    /// What can be read when a signal has come.
    pub fn descriptors(&self) -> Vec<BorrowedFd<'_>> {
        let handed_on = self.handed_on.iter().map(|(descriptor, _)| descriptor.as_fd());
        handed_on.chain([self.child.as_fd()]).collect()
    }

    /// Hands on to `child` what has come.
    pub fn hand_on(&self, child: Pid) {
        for (descriptor, signal) in &self.handed_on {
            if signals::have_come(descriptor) {
                let _ = kill_process(child, *signal);
            }
        }
    }

    /// Whether a child has changed since the last time.
    pub fn child_has_changed(&self) -> bool {
        signals::have_come(&self.child)
    }

    /// Waits for any of them.
    pub fn wait(&self) {
        let descriptors = self.descriptors();
        let mut waiting: Vec<PollFd<'_>> =
            descriptors.iter().map(|one| PollFd::new(one, PollFlags::IN)).collect();
        // Whatever ends the wait, the caller looks.
        let _ = poll(&mut waiting, None);
    }
}

fn together<'d>(all: impl Iterator<Item = &'d OwnedFd>) -> rustix::io::Result<OwnedFd> {
    let any = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    for one in all {
        epoll::add(&any, one, epoll::EventData::new_u64(0), epoll::EventFlags::IN)?;
    }
    Ok(any)
}

/// How the command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// With this status.
    Status(u8),
    /// By this signal.
    Signal(i32),
    /// Nobody can know: whoever started us does not want to know of children.
    Unknown,
}

impl End {
    /// From a status of wait(2); `None` if it has not ended.
    pub fn of(status: WaitStatus) -> Option<Self> {
        if let Some(code) = status.exit_status() {
            return Some(Self::Status(u8::try_from(code).unwrap_or(u8::MAX)));
        }
        status.terminating_signal().map(Self::Signal)
    }

    /// Ends this process in the same way: the status to exit with, unless it was a signal.
    pub fn leave(self) -> u8 {
        match self {
            Self::Status(status) => status,
            Self::Unknown => 0,
            Self::Signal(signal) => exec::end_by(signal),
        }
    }
}
