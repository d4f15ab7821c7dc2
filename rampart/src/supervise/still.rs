//! Whether what was judged is what will run. The kernel reads path and arguments again when it goes on
//! with a call, and opens the file then. Nothing can have changed meanwhile if nobody else runs in
//! the caller's memory ([`super::parents`]), and if nobody but root can change what the path leads to. Otherwise the
//! process is held behind its execve(2) and looked at again ([`super::kernel::hold_at_exec`]).

use rustix::fs::{FileType, Stat, lstat, readlink};
use std::collections::HashSet;
use std::ffi::OsStr;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How many symbolic links are followed (path_resolution(7)).
const LINKS: usize = 40;

/// Paths that only root can change. Nobody else can take that away from them, so it is not looked up for
/// each start, only every second, for root's sake.
pub struct Settled {
    known: HashSet<PathBuf>,
    since: Instant,
}

impl Default for Settled {
    fn default() -> Self {
        Self { known: HashSet::new(), since: Instant::now() }
    }
}

impl Settled {
    /// For how long what was found is believed.
    const LONG: Duration = Duration::from_secs(1);

    /// How many are kept.
    const MOST: usize = 1024;

    /// Whether only root can change what `path` leads to.
    pub fn holds(&mut self, path: &Path) -> bool {
        if self.since.elapsed() > Self::LONG || self.known.len() >= Self::MOST {
            *self = Self::default();
        }
        if self.known.contains(path) {
            return true;
        }
        let found = is_settled(path);
        if found {
            self.known.insert(path.to_owned());
        }
        found
    }
}

/// Whether only root can change what `path` leads to: each directory and link on the way, and the
/// file. A path in `/proc` leads elsewhere for everybody, and is none.
fn is_settled(path: &Path) -> bool {
    let mut links = 0;
    let mut rest: Vec<Vec<u8>> = parts(path.as_os_str().as_bytes());
    let mut at = PathBuf::from("/");
    let Ok(root) = lstat(&at) else {
        return false;
    };
    if !path.is_absolute() || !is_roots(&root) {
        return false;
    }
    while let Some(name) = rest.pop() {
        match &name[..] {
            b"." => continue,
            b".." => {
                at.pop();
                continue;
            }
            _ => at.push(OsStr::from_bytes(&name)),
        }
        if at == Path::new("/proc") {
            return false;
        }
        let Ok(found) = lstat(&at) else {
            return false;
        };
        if !is_roots(&found) {
            return false;
        }
        if FileType::from_raw_mode(found.st_mode) != FileType::Symlink {
            continue;
        }
        links += 1;
        let Some(target) = readlink(&at, Vec::new()).ok().filter(|_| links <= LINKS) else {
            return false;
        };
        let target = std::ffi::OsString::from_vec(target.into_bytes());
        at.pop();
        if target.as_bytes().starts_with(b"/") {
            at = PathBuf::from("/");
        }
        rest.extend(parts(target.as_bytes()));
    }
    true
}

/// The components, the last first.
fn parts(path: &[u8]) -> Vec<Vec<u8>> {
    let all = path.split(|byte| *byte == b'/').filter(|part| !part.is_empty());
    all.rev().map(<[u8]>::to_vec).collect()
}

/// Whether only root can change it. A directory with the sticky bit does not count: who runs as root inside
/// of the tree could swap what is root's there, and that is where work is done.
fn is_roots(found: &Stat) -> bool {
    let is_link = FileType::from_raw_mode(found.st_mode) == FileType::Symlink;
    // The mode of a link means nothing.
    found.st_uid == 0 && (is_link || found.st_mode & 0o022 == 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};

    #[test]
    fn what_only_root_can_change() {
        let root = tempfile::tempdir().unwrap();
        let at = |name: &str| root.path().join(name);
        symlink("/bin/sh", at("link")).unwrap();
        fs::copy("/bin/true", at("copy")).unwrap();
        let cases = [
            ("/bin/sh".into(), true),
            ("/usr/bin/../bin/./sh".into(), true),
            ("/bin/none".into(), false),
            ("bin/sh".into(), false),
            ("/proc/self/exe".into(), false),
            // Whatever the temporary directory is, others can write there.
            (at("link"), false),
            (at("copy"), false),
        ];
        for (path, expected) in cases {
            assert_eq!(is_settled(&path), expected, "{}", path.display());
        }
        let mode = fs::metadata("/bin/true").unwrap().permissions().mode();
        assert_eq!(mode & 0o022, 0);
    }
}
