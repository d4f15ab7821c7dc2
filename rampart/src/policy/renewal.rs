//! A policy that is looked at before each use, for whoever has no loop to be told of changes in: one
//! stat(2) for each file, and a new policy where one has changed. One that is broken is refused, and
//! the one before it stays in force.

use crate::failure::Failure;
use crate::serve::brain::InForce;
use crate::serve::reload::Source;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// What tells two states of a file apart: device, inode, size and time of change.
type Stamp = Option<(u64, u64, u64, i64, i64)>;

/// The files of a policy, as they were when it was loaded.
pub struct Renewal {
    source: Option<Source>,
    known: Vec<Stamp>,
}

impl Renewal {
    /// Of the policy that comes from `source` and has just been loaded; `None` cannot change.
    pub fn new(source: Option<Source>) -> Self {
        let known = source.as_ref().map(stamps).unwrap_or_default();
        Self { source, known }
    }

    /// The policy, if it has changed since it was last looked at, and is whole.
    pub fn due(&mut self) -> Option<InForce> {
        let source = self.source.as_mut()?;
        let found = stamps(source);
        if found == self.known {
            return None;
        }
        self.known = found;
        match (source.make)().and_then(InForce::new) {
            Ok(policy) => Some(policy),
            Err(Failure { message, .. }) => {
                complain!("rampart: warning: the policy has changed and is not used: {message}");
                None
            }
        }
    }
}

fn stamps(source: &Source) -> Vec<Stamp> {
    source.places.iter().map(|path| stamp(path)).collect()
}

fn stamp(path: &Path) -> Stamp {
    let found = fs::metadata(path).ok()?;
    Some((found.dev(), found.ino(), found.size(), found.ctime(), found.ctime_nsec()))
}
