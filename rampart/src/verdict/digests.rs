//! The SHA-256 of files, remembered: a rule on `exe_sha256` asks for the same few programs at every
//! start. What is remembered is bound to the file's device, inode, size and time of change, which
//! nobody can set back (inode(7), ctime); one that has just changed is not remembered, because two
//! changes within a tick of the clock have the same time.

use rustix::fs::{Mode, OFlags, ResolveFlags, openat2};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs::{File, Metadata};
use std::io::{self, ErrorKind, Read};
use std::os::fd::BorrowedFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::sync::Mutex;
use std::time::{SystemTime, UNIX_EPOCH};

/// Most digests that are remembered.
const KEPT: usize = 4096;

/// A file that changed less than so many seconds ago is read again.
const SETTLED: i64 = 2;

/// Device, inode, size, and the time of the last change in seconds and nanoseconds.
type Identity = (u64, u64, u64, i64, i64);

static KNOWN: Mutex<Option<HashMap<Identity, [u8; 32]>>> = Mutex::new(None);

/// The SHA-256 of the regular file that `path` leads to below `root`, links included; `None` if
/// there is none, or it cannot be read.
pub fn below(root: BorrowedFd<'_>, path: &[u8]) -> Option<[u8; 32]> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    let file = openat2(root, OsStr::from_bytes(path), flags, Mode::empty(), ResolveFlags::IN_ROOT);
    let file = File::from(file.ok()?);
    file.metadata().ok()?.is_file().then_some(())?;
    of_file(file).ok()
}

/// The SHA-256 of a regular file.
///
/// # Errors
/// If it cannot be read.
pub fn of_file(mut file: File) -> io::Result<[u8; 32]> {
    let before = identity(&file.metadata()?);
    if let Ok(mut known) = KNOWN.lock()
        && let Some(digest) = known.get_or_insert_default().get(&before)
    {
        return Ok(*digest);
    }
    let digest = read(&mut file)?;
    let after = identity(&file.metadata()?);
    if before == after
        && is_settled(&after)
        && let Ok(mut known) = KNOWN.lock()
    {
        let known = known.get_or_insert_default();
        if known.len() >= KEPT {
            known.clear();
        }
        known.insert(after, digest);
    }
    Ok(digest)
}

fn identity(found: &Metadata) -> Identity {
    (found.dev(), found.ino(), found.size(), found.ctime(), found.ctime_nsec())
}

fn is_settled((.., changed, _): &Identity) -> bool {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    i64::try_from(now).is_ok_and(|now| changed.saturating_add(SETTLED) < now)
}

fn read(file: &mut File) -> io::Result<[u8; 32]> {
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 64 * 1024];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok(hash.finalize().into()),
            Ok(count) => hash.update(buffer.get(..count).unwrap_or_default()),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::reading::open;
    use super::*;
    use std::fs;
    use std::os::fd::AsFd;
    use std::path::Path;

    /// FIPS 180-2, appendix B.1: the digest of `abc`.
    const ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    fn of(path: &Path) -> io::Result<Option<[u8; 32]>> {
        open(path)?.map(of_file).transpose()
    }

    fn hexadecimal(digest: [u8; 32]) -> String {
        digest.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn a_change_is_seen() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("file");
        fs::write(&path, "abc").unwrap();
        for _ in 0..2 {
            assert_eq!(hexadecimal(of(&path).unwrap().unwrap()), ABC);
        }
        // Of the same length, and within the same tick.
        for round in 0..200 {
            fs::write(&path, format!("{:03}", round)).unwrap();
            let expected: [u8; 32] = Sha256::digest(format!("{:03}", round)).into();
            assert_eq!(of(&path).unwrap(), Some(expected));
        }
        assert_eq!(of(root.path()).unwrap(), None);
        assert!(of(&root.path().join("none")).is_err());
    }

    #[test]
    fn what_is_settled_is_remembered() {
        // This program has been there for longer than a moment, or is waited for.
        let own = std::env::current_exe().unwrap();
        let identity = identity(&fs::metadata(&own).unwrap());
        while !is_settled(&identity) {
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
        let digest = of(&own).unwrap().unwrap();
        let known = KNOWN.lock().unwrap();
        assert_eq!(known.as_ref().unwrap().get(&identity), Some(&digest));
    }

    #[test]
    fn links_stay_below_the_root() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join("bin")).unwrap();
        fs::write(root.path().join("bin/x"), "abc").unwrap();
        std::os::unix::fs::symlink("/bin/x", root.path().join("link")).unwrap();
        let directory = fs::File::open(root.path()).unwrap();
        assert_eq!(below(directory.as_fd(), b"/link").map(hexadecimal).as_deref(), Some(ABC));
        assert_eq!(below(directory.as_fd(), b"/bin"), None);
        assert_eq!(below(directory.as_fd(), b"/none"), None);
    }
}
