//! Who a thread is, by the kernel's word. Its directory in `/proc` is opened once for each call, and only if
//! something is asked of it: for a process that has just started that costs more than the rest.
#![allow(unsafe_code, reason = "rustix has no ioctl of a pidfd yet")]

use crate::process::small;
use rustix::fs::{AtFlags, CWD, Mode, OFlags, Statx, StatxFlags, openat, readlinkat, statx};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use std::cell::OnceCell;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::OnceLock;

/// The directory of a thread in `/proc`.
#[derive(Debug)]
pub struct Directory {
    path: String,
    opened: OnceCell<OwnedFd>,
}

/// Where a path that begins with `/` leads: mount and inode of the root directory. Another mount
/// namespace has other mounts.
type Root = (u64, u64);

impl Directory {
    /// That of `thread`, whether there is one or not.
    pub fn of(thread: u32) -> Self {
        Self::at(format!("/proc/{thread}"))
    }

    const fn at(path: String) -> Self {
        Self { path, opened: OnceCell::new() }
    }

    fn opened(&self) -> Result<&OwnedFd, Errno> {
        if let Some(opened) = self.opened.get() {
            return Ok(opened);
        }
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let opened = openat(CWD, &self.path, flags, Mode::empty())?;
        Ok(self.opened.get_or_init(|| opened))
    }

    /// Where the link `name` leads.
    ///
    /// # Errors
    /// `EACCES` if it may not be looked at.
    pub fn link(&self, name: &str) -> io::Result<Vec<u8>> {
        let room = Vec::with_capacity(256);
        let found = match self.opened.get() {
            Some(opened) => readlinkat(opened, name, room),
            // For one link it is not worth opening.
            None => readlinkat(CWD, format!("{}/{name}", self.path), room),
        };
        Ok(found?.into_bytes())
    }

    /// The file `name` in it.
    ///
    /// # Errors
    /// What open(2) says.
    pub fn open(&self, name: &str) -> io::Result<OwnedFd> {
        Ok(openat(self.opened()?, name, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?)
    }

    /// A small file, whole.
    ///
    /// # Errors
    /// What open(2) and read(2) say.
    pub fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        whole(&self.open(name)?)
    }

    /// How many threads the process has.
    ///
    /// # Errors
    /// If it has ended.
    pub fn threads(&self) -> io::Result<u32> {
        let found = statx(self.opened()?, "task", AtFlags::empty(), StatxFlags::NLINK)?;
        Ok(counted(&found))
    }

    fn root(&self) -> io::Result<Root> {
        let wanted = StatxFlags::INO | StatxFlags::MNT_ID;
        let found = statx(self.opened()?, "root", AtFlags::empty(), wanted)?;
        Ok((found.stx_mnt_id, found.stx_ino))
    }

    /// Whether paths mean something else there than here.
    pub fn is_elsewhere(&self) -> bool {
        /// Ours, which does not change.
        static OWN: OnceLock<Option<Root>> = OnceLock::new();
        let own = || Self::at("/proc/self".to_owned()).root().ok();
        OWN.get_or_init(own).is_none_or(|own| self.root().ok() != Some(own))
    }
}

/// How many threads the process has whose directory `task` is open as `tasks`: 0 if it has ended.
///
/// # Errors
/// What statx(2) says.
pub fn threads(tasks: &OwnedFd) -> io::Result<u32> {
    Ok(counted(&statx(tasks, "", AtFlags::EMPTY_PATH, StatxFlags::NLINK)?))
}

/// Each thread is a directory in `task` (proc(5)), and has a link to it.
const fn counted(tasks: &Statx) -> u32 {
    tasks.stx_nlink.saturating_sub(2)
}

/// What can be read from `file`, from its beginning: mostly by one system call.
///
/// # Errors
/// What pread(2) says.
pub fn whole(file: &OwnedFd) -> io::Result<Vec<u8>> {
    const ROOM: usize = 4096;
    /// A read that gives less has given all: the kernel stops before a line that has no room any more, and
    /// lines are short.
    const SHORT: usize = ROOM / 2;
    let mut room = [0; ROOM];
    let mut all = Vec::new();
    loop {
        let count = rustix::io::pread(file, &mut room, all.len() as u64)?;
        all.extend_from_slice(room.get(..count).unwrap_or_default());
        if count < SHORT {
            return Ok(all);
        }
    }
}

/// Who it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Who {
    /// Its process.
    pub process: u32,
    /// The parent of that.
    pub parent: u32,
    /// The real user of the thread.
    pub user: u32,
}

impl Who {
    /// Of `thread`.
    ///
    /// # Errors
    /// If it has ended.
    pub fn of(thread: u32) -> io::Result<Self> {
        match Info::of(thread) {
            Ok(Info { process, parent, user, .. }) => Ok(Self { process, parent, user }),
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
            (Some(process), Some(parent), Some(user)) => Ok(Self { process, parent, user }),
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
            let found = Who::of(thread).unwrap();
            assert_eq!(found, Who::by_status(thread).unwrap());
            assert_eq!((found.process, found.parent), (own, std::os::unix::process::parent_id()));
            assert_eq!(found.user, rustix::process::getuid().as_raw());
        }
        waiting.thread().unpark();
        waiting.join().unwrap();
        assert!(Directory::of(u32::MAX >> 1).threads().is_err());
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let tasks = Directory::of(child.id()).open("task").unwrap();
        assert_eq!(threads(&tasks).unwrap(), 1);
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(threads(&tasks).unwrap(), 0, "it has ended");
    }

    #[test]
    fn one_thread_is_counted_as_one() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let directory = Directory::of(child.id());
        let found = Who::of(child.id()).unwrap();
        assert_eq!((directory.threads().unwrap(), found.parent), (1, std::process::id()));
        assert!(!directory.is_elsewhere());
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(directory.link("cwd").is_err());
    }
}
