//! What programs are, kept as long as their files do not change. The same few programs are asked
//! about all the time, and looking into one takes six system calls where seeing that it is the same
//! takes one.

use crate::launch::program::Facts;
use foldhash::fast::RandomState;
use std::collections::HashMap;
use std::fs::Metadata;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

/// How many files are kept.
const MOST: usize = 1024;

/// A file that changed within so many seconds may change again without its times showing it.
const FRESH: i64 = 2;

/// Everything that changes with a file's content, mode or attributes: `ctime` alone would do, and
/// the rest keeps one file from being taken for another.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Stamp {
    device: u64,
    inode: u64,
    size: u64,
    changed: (i64, i64),
}

impl Stamp {
    /// That of the file at `path`; `None` if it is a link, whose end may change without it, or no
    /// regular file.
    fn of(path: &Path) -> Option<Self> {
        let found: Metadata = std::fs::symlink_metadata(path).ok().filter(Metadata::is_file)?;
        Some(Self {
            device: found.dev(),
            inode: found.ino(),
            size: found.size(),
            changed: (found.ctime(), found.ctime_nsec()),
        })
    }

    fn is_settled(&self) -> bool {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        i64::try_from(now).is_ok_and(|now| self.changed.0.saturating_add(FRESH) < now)
    }
}

/// What was found out, by paths as they are written. Whoever makes them collide has a few slow lookups of his own.
#[derive(Default)]
pub struct KnownFiles(HashMap<Vec<u8>, (Stamp, Facts), RandomState>);

impl KnownFiles {
    /// What the file at `path` is.
    pub fn of(&mut self, path: &Path) -> Facts {
        let stamp = Stamp::of(path);
        let name = path.as_os_str().as_bytes();
        match (self.0.get(name), stamp) {
            (Some((kept, facts)), Some(stamp)) if *kept == stamp => return facts.clone(),
            _ => {}
        }
        let facts = Facts::of(path);
        let is_certain = !facts.kinds.intersects(evaluator::TargetKinds::UNREADABLE);
        // It was the same before and after it was looked at.
        if let Some(stamp) = stamp.filter(|stamp| is_certain && stamp.is_settled())
            && Stamp::of(path) == Some(stamp)
        {
            if self.0.len() >= MOST {
                self.0.clear();
            }
            self.0.insert(name.to_vec(), (stamp, facts.clone()));
        }
        facts
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::time::Duration;

    #[test]
    fn a_file_that_changed_is_looked_at_again() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("program");
        let mut files = KnownFiles::default();
        for (text, interpreter) in [("#!/bin/a\n", "/bin/a"), ("#!/bin/b\n", "/bin/b")] {
            fs::write(&path, text).unwrap();
            for _ in 0..2 {
                assert_eq!(files.of(&path).interpreter.unwrap(), interpreter);
            }
        }
        assert!(files.0.is_empty(), "it changed just now");
        // Times of the file itself do not count: anybody may set them.
        let old = SystemTime::now() - Duration::from_secs(3600);
        fs::File::options().write(true).open(&path).unwrap().set_modified(old).unwrap();
        files.of(&path);
        assert!(files.0.is_empty());
        let settled = Path::new("/proc/self/exe").canonicalize().unwrap();
        assert_eq!(files.of(&settled), Facts::of(&settled));
        let link = root.path().join("link");
        std::os::unix::fs::symlink(&settled, &link).unwrap();
        files.of(&link);
        assert!(
            !files.0.contains_key(link.as_os_str().as_bytes()),
            "where a link leads may change"
        );
        assert_eq!(files.of(&root.path().join("none")), Facts::of(&root.path().join("none")));
    }
}
