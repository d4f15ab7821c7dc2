//! A policy that is looked at before each use, for whoever has no loop to be told of changes in: one
//! statx(2) for each file, and a new policy where one has changed. One that is broken is refused, and
//! the one before it stays in force.

use crate::failure::Failure;
use crate::serve::brain::InForce;
use crate::serve::reload::Source;
use rustix::fs::{AtFlags, Mode, OFlags, StatxFlags, open, statx};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::{Duration, Instant};

/// What tells two states of a file apart: device, inode, links, size and time of change.
type Stamp = Option<(u64, u64, u64, u64, (i64, i64))>;

/// The files of a policy, as they were when it was loaded.
pub struct Renewal {
    source: Option<Source>,
    known: Vec<Known>,
    /// When it was last looked where the paths lead.
    looked: Instant,
}

/// A file as it was. It stays open: one that is replaced or removed has another time of change (its count of links is
/// another), and asking for that needs no way through directories.
struct Known {
    file: Option<OwnedFd>,
    stamp: Stamp,
}

impl Known {
    fn at(path: &Path) -> Self {
        let file = open(path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty()).ok();
        let stamp = file.as_ref().and_then(stamp);
        Self { file, stamp }
    }

    /// Whether it is what it was, as long as its path leads to it.
    fn is_the_same(&self) -> bool {
        self.file.as_ref().is_some_and(|file| stamp(file) == self.stamp)
    }
}

impl Renewal {
    /// How often it is looked where the paths lead: a link or a directory on the way can be replaced, too, and what was not
    /// there can appear.
    const OFTEN: Duration = Duration::from_millis(100);

    /// Of the policy that comes from `source` and has just been loaded; `None` cannot change.
    pub fn new(source: Option<Source>) -> Self {
        let known = source.as_ref().map(look).unwrap_or_default();
        Self { source, known, looked: Instant::now() }
    }

    /// The policy, if it has changed since it was last looked at, and is whole.
    pub fn due(&mut self) -> Option<InForce> {
        let source = self.source.as_mut()?;
        let is_old = self.looked.elapsed() >= Self::OFTEN;
        if !is_old && self.known.iter().all(|known| known.file.is_none() || known.is_the_same()) {
            return None;
        }
        let found = look(source);
        self.looked = Instant::now();
        let stamps = |all: &[Known]| all.iter().map(|one| one.stamp).collect::<Vec<_>>();
        let has_changed = stamps(&found) != stamps(&self.known);
        self.known = found;
        if !has_changed {
            return None;
        }
        match (source.make)().and_then(InForce::new) {
            Ok(policy) => Some(policy),
            Err(Failure { message, .. }) => {
                complain!("rampart: warning: the policy has changed and is not used: {message}");
                None
            }
        }
    }
}

fn look(source: &Source) -> Vec<Known> {
    source.places.iter().map(|path| Known::at(path)).collect()
}

fn stamp(file: &OwnedFd) -> Stamp {
    let found = statx(file, "", AtFlags::EMPTY_PATH, StatxFlags::BASIC_STATS).ok()?;
    let device = (u64::from(found.stx_dev_major) << 32) | u64::from(found.stx_dev_minor);
    let changed = (found.stx_ctime.tv_sec, i64::from(found.stx_ctime.tv_nsec));
    Some((device, found.stx_ino, found.stx_nlink.into(), found.stx_size, changed))
}
