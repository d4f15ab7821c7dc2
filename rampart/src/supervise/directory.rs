//! The directory of a thread in `/proc` (proc(5)). It is opened once for each call, and only if something is asked of
//! it: for a process that has just started that costs more than the rest.

use rustix::fs::{AtFlags, CWD, Mode, OFlags, Statx, StatxFlags, openat, readlinkat, statx};
use rustix::io::Errno;
use std::cell::OnceCell;
use std::io;
use std::os::fd::OwnedFd;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_ended_has_no_thread() {
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
        assert_eq!(directory.threads().unwrap(), 1);
        assert!(!directory.is_elsewhere());
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(directory.link("cwd").is_err());
    }
}
