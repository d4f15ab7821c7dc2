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
    /// When it is made again although nothing has changed: it could not be made, maybe for a reason that passes.
    again: Option<(Instant, Duration)>,
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

    /// How long after a policy could not be made it is tried again: at first, then twice as long each time, and at most.
    const AGAIN: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

    /// Of the policy that comes from `source` and has just been loaded; `None` cannot change.
    pub fn new(source: Option<Source>) -> Self {
        let known = source.as_ref().map(look).unwrap_or_default();
        Self { source, known, looked: Instant::now(), again: None }
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
        let waited = self.again.filter(|_| !has_changed);
        if !has_changed && waited.is_none_or(|(due, _)| due > self.looked) {
            return None;
        }
        match (source.make)().and_then(InForce::new) {
            Ok(policy) => {
                self.again = None;
                Some(policy)
            }
            Err(Failure { message, .. }) => {
                if waited.is_none() {
                    complain!(
                        "rampart: warning: the policy has changed and is not used: {message}"
                    );
                }
                let (first, most) = Self::AGAIN;
                let wait = waited.map_or(first, |(_, before)| most.min(before * 2));
                self.again = Some((self.looked + wait, wait));
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::recorder::Speaker;
    use crate::launch::environment::Environment;
    use crate::policy::Choice;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn what_cannot_be_made_is_tried_again() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let tries = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&tries);
        let make = move || match counted.fetch_add(1, Ordering::SeqCst) {
            0 | 1 => Err(Failure::other("no descriptors left")),
            _ => Choice::default().load(&Environment::default()),
        };
        let source = Source {
            places: vec![file.path().to_owned()],
            make: Box::new(make),
            tell: Speaker::default(),
        };
        let mut renewal = Renewal::new(Some(source));
        let later = |renewal: &mut Renewal, by: Duration| {
            renewal.looked = renewal.looked.checked_sub(by).unwrap();
            renewal.again = renewal.again.map(|(due, wait)| (due.checked_sub(by).unwrap(), wait));
            renewal.due().is_some()
        };
        let second = Duration::from_secs(1);
        assert!(!later(&mut renewal, second), "nothing has changed");
        std::fs::write(file.path(), "other").unwrap();
        assert!(renewal.due().is_none());
        assert_eq!(tries.load(Ordering::SeqCst), 1, "it was made, in vain");
        for (wait, made, is_new) in [
            (0, 1, false),
            (second.as_secs(), 2, false),
            (1, 2, false),
            (1, 3, true),
            (9, 3, false),
        ] {
            assert_eq!(later(&mut renewal, Duration::from_secs(wait)), is_new, "after {wait} s");
            assert_eq!(tries.load(Ordering::SeqCst), made, "after {wait} s");
        }
    }
}
