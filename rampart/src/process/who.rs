//! Who a thread is, by the kernel's word: a descriptor of it says what `/proc` has in a text.
#![allow(unsafe_code, reason = "rustix has no ioctl of a pidfd yet")]

use super::small;
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

/// The real user of a thread. Few verdicts ask, and looking costs as much as a third of one.
#[derive(Clone, Copy, Debug)]
pub enum User {
    /// This one.
    Known(u32),
    /// That of the thread with this number, which waits in a system call or is held meanwhile: so it stays who it is, unless
    /// it is killed. Where long may pass, it is to be looked up before ([`Self::looked_up`]).
    OfThread(u32),
}

impl User {
    /// Its number; `None` if it cannot be had: the thread has ended, or there is no descriptor left.
    pub fn number(self) -> Option<u32> {
        match self {
            Self::Known(user) => Some(user),
            Self::OfThread(thread) => Who::of(thread).ok()?.user.known(),
        }
    }

    /// The same, for later.
    pub fn looked_up(self) -> Self {
        self.number().map_or(self, Self::Known)
    }

    const fn known(self) -> Option<u32> {
        match self {
            Self::Known(user) => Some(user),
            Self::OfThread(_) => None,
        }
    }
}

/// Who it is.
#[derive(Clone, Copy, Debug)]
pub struct Who {
    /// Its process.
    pub process: u32,
    /// The parent of that.
    pub parent: u32,
    /// The real user of the thread.
    pub user: User,
}

impl Who {
    /// Of `thread`.
    ///
    /// # Errors
    /// If it has ended.
    pub fn of(thread: u32) -> io::Result<Self> {
        match Info::of(thread) {
            Ok(Info { process, parent, user, .. }) => {
                Ok(Self { process, parent, user: User::Known(user) })
            }
            Err(_) => Self::by_status(thread),
        }
    }

    /// The same from proc_pid_status(5), before Linux 6.13.
    fn by_status(thread: u32) -> io::Result<Self> {
        let text = small(&format!("/proc/{thread}/status"))?;
        let text = String::from_utf8_lossy(&text);
        let number = |name: &str| {
            let mut lines = text.lines();
            let value = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
            value.split_ascii_whitespace().next()?.parse().ok()
        };
        match (number("Tgid"), number("PPid"), number("Uid")) {
            (Some(process), Some(parent), Some(user)) => {
                Ok(Self { process, parent, user: User::Known(user) })
            }
            _ => Err(io::Error::from_raw_os_error(libc::ESRCH)),
        }
    }
}

/// A descriptor of `thread`, whether it is the first of its process or not; before Linux 6.9 of a first one only.
///
/// # Errors
/// If it has ended.
pub fn handle(thread: u32) -> Result<OwnedFd, Errno> {
    /// `PIDFD_THREAD`.
    const THREAD: PidfdFlags = PidfdFlags::from_bits_retain(libc::O_EXCL.cast_unsigned());
    let pid = Pid::from_raw(thread.cast_signed()).ok_or(Errno::SRCH)?;
    match pidfd_open(pid, THREAD) {
        Err(Errno::INVAL) => pidfd_open(pid, PidfdFlags::empty()),
        found => found,
    }
}

/// `struct pidfd_info` (`linux/pidfd.h`), as of Linux 6.13.
#[repr(C)]
#[derive(Default)]
struct Info {
    mask: u64,
    group: u64,
    thread: u32,
    process: u32,
    parent: u32,
    user: u32,
    others: [u32; 7],
    exit_code: i32,
}

/// `PIDFD_INFO_PID` and `PIDFD_INFO_CREDS`.
const WANTED: u64 = 3;

/// `PIDFD_GET_INFO`: `_IOWR(0xff, 11, struct pidfd_info)`.
const GET_INFO: libc::Ioctl = 0xc040_ff0b_u32 as libc::Ioctl;

impl Info {
    fn of(thread: u32) -> io::Result<Self> {
        let handle = handle(thread)?;
        let mut found = Self { mask: WANTED, ..Self::default() };
        // SAFETY: the kernel writes at most the size that stands in the request, which is that of `found`.
        let result = unsafe { libc::ioctl(handle.as_raw_fd(), GET_INFO, &raw mut found) };
        if result != 0 {
            return Err(io::Error::last_os_error());
        }
        if found.mask & WANTED != WANTED {
            return Err(Errno::NOSYS.into());
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways_tell_the_same() {
        assert_eq!(size_of::<Info>(), 64);
        let own = std::process::id();
        let (tell, told) = std::sync::mpsc::channel();
        let waiting = std::thread::spawn(move || {
            tell.send(rustix::thread::gettid().as_raw_nonzero().get().cast_unsigned()).unwrap();
            std::thread::park();
        });
        for thread in [own, told.recv().unwrap()] {
            let user = rustix::process::getuid().as_raw();
            for found in [Who::of(thread).unwrap(), Who::by_status(thread).unwrap()] {
                let parent = std::os::unix::process::parent_id();
                assert_eq!((found.process, found.parent), (own, parent));
                assert_eq!(found.user.number(), Some(user));
            }
            assert_eq!(User::OfThread(thread).number(), Some(user));
        }
        waiting.thread().unpark();
        waiting.join().unwrap();
        assert!(User::OfThread(u32::MAX >> 1).number().is_none());
    }
}
