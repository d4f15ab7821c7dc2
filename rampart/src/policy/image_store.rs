//! Where compiled policies lie for the library to map.
//!
//! A file is never changed in place, only replaced: running trees have it mapped. Its name holds the
//! version of its format, so that an old library never meets an image that it cannot read.

use crate::directories::Directories;
use crate::failure::{Failure, reason};
use evaluator::image::format::VERSION;
use rustix::rand::{GetRandomFlags, getrandom};
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// Puts `image` into the user's store as `name` and returns its absolute
/// path.
///
/// # Errors
/// If the store cannot be created or written.
pub fn put(directories: &Directories, image: &[u8], name: &str) -> Result<PathBuf, Failure> {
    let path = directories.make_images()?.join(format!("{name}.v{VERSION}.img"));
    put_at(&path, image)?;
    Ok(path)
}

/// Makes `path` hold `bytes`; whether it did not before.
///
/// # Errors
/// If it cannot be written.
pub fn put_at(path: &Path, bytes: &[u8]) -> Result<bool, Failure> {
    let is_new = !is_there(path, bytes);
    if is_new {
        write_atomically(path, bytes)?;
    }
    Ok(is_new)
}

/// Whether `path` is a private file of ours that holds just these bytes.
fn is_there(path: &Path, image: &[u8]) -> bool {
    let own = rustix::process::geteuid().as_raw();
    let trusted = fs::symlink_metadata(path)
        .is_ok_and(|found| found.is_file() && found.uid() == own && found.mode() & 0o077 == 0);
    trusted && fs::read(path).is_ok_and(|bytes| bytes == image)
}

/// Writes `bytes` to a new file beside `path`, mode 0600, and renames it to `path`: a reader sees
/// the old content or the new, never a part.
///
/// # Errors
/// If it cannot be written; then nothing is left behind.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let temporary = temporary_name(path);
    let written = write_new(&temporary, bytes).and_then(|()| fs::rename(&temporary, path));
    written.map_err(|error| {
        // Whatever is the matter, it matters more than whether this succeeds.
        let _ = fs::remove_file(&temporary);
        Failure::other(format!("cannot write `{}`: {}", path.display(), reason(&error)))
    })
}

fn temporary_name(path: &Path) -> PathBuf {
    let mut random = [0u8; 8];
    // Without randomness the process id alone makes the name; `create_new` finds a clash.
    let _ = getrandom(&mut random, GetRandomFlags::NONBLOCK);
    let suffix = format!(".{}.{:016x}.tmp", std::process::id(), u64::from_ne_bytes(random));
    let mut name = std::ffi::OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(suffix);
    path.with_file_name(name)
}

fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    // A strange umask must not make it unreadable to us.
    file.set_permissions(fs::Permissions::from_mode(0o600))?;
    file.write_all(bytes)?;
    file.sync_data()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_appear_whole_and_private() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("x.img");
        for bytes in [&b"one"[..], b"two and more", b""] {
            write_atomically(&path, bytes).unwrap();
            assert_eq!(fs::read(&path).unwrap(), bytes);
            assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
            assert!(is_there(&path, bytes));
            assert!(!is_there(&path, b"other"));
        }
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 1);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).unwrap();
        assert!(!is_there(&path, b""));
        let failure = write_atomically(&root.path().join("no/x"), b"").unwrap_err();
        assert!(failure.message.contains("no such file"), "{failure}");
    }
}
