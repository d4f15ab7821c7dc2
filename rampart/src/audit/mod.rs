//! Reading the audit log. It is written by many processes at once, each event by one append, so
//! a reader must expect torn lines, foreign lines, truncation and rotation, and never stop there.

pub mod chain;
pub mod entry;
pub mod event;
pub mod follow;
pub mod merge;
pub mod record;
pub mod recorder;
pub mod seal;
pub mod select;
pub mod spool;
pub mod verify;

use crate::directories::Directories;
use crate::failure::{Failure, reason};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// Where events may be, the directory of the log first: what is configured or usual, and, where
/// nothing was chosen, the places where the library writes if that cannot be used (DESIGN §6), as
/// far as they are there, are ours, and nobody else can write to them.
///
/// # Errors
/// As [`Directories::audit`].
pub fn places(directories: &Directories) -> Result<Vec<PathBuf>, Failure> {
    let main = directories.audit()?;
    let mut all = vec![main.clone()];
    if directories.is_audit_chosen() {
        return Ok(all);
    }
    let own = rustix::process::getuid().as_raw();
    let temporary = std::env::var_os("TMPDIR").map(PathBuf::from);
    let roots = [temporary, Some(PathBuf::from("/dev/shm")), Some(PathBuf::from("/tmp"))];
    let found = roots.into_iter().flatten().map(|root| root.join(format!("rampart-{own}")));
    let is_private = |path: &PathBuf| {
        fs::symlink_metadata(path)
            .is_ok_and(|found| found.is_dir() && found.uid() == own && found.mode() & 0o022 == 0)
    };
    for path in found.filter(is_private) {
        if !all.contains(&path) {
            all.push(path);
        }
    }
    Ok(all)
}

/// The files of the chain in `directory`, in order.
///
/// # Errors
/// If the directory cannot be read; one that does not exist has none.
pub fn chain_files(directory: &Path) -> Result<Vec<PathBuf>, Failure> {
    match chain::files(directory) {
        Ok(found) => Ok(found.into_iter().map(|(_, path)| path).collect()),
        Err(error) => Err(Failure::other(format!(
            "cannot read the audit directory `{}`: {}",
            directory.display(),
            reason(&error)
        ))),
    }
}

/// Every file of `directory` that holds events: the chain, and what is not merged into it yet.
///
/// # Errors
/// As [`chain_files`].
pub fn all_files(directory: &Path) -> Result<Vec<PathBuf>, Failure> {
    let mut all = chain_files(directory)?;
    all.extend(merge::begun(directory)?);
    all.extend(spool::files(directory)?);
    Ok(all)
}

/// Merges what can be merged, and names the files to read: where the log may not be written, also
/// those that are not merged.
///
/// # Errors
/// If a directory cannot be read.
pub fn readable(places: &[PathBuf]) -> Result<Vec<PathBuf>, Failure> {
    let merged = merge::merge(places);
    if let Err(failure) = &merged {
        eprintln!("rampart: warning: {}", failure.message);
    }
    let list = if merged.is_ok() { chain_files } else { all_files };
    let mut all = Vec::new();
    for place in places {
        all.extend(list(place)?);
    }
    Ok(all)
}

/// The time, as events have it: RFC 3339 with microseconds.
pub fn now() -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let text = evaluator::event::timestamp(u64::try_from(now.as_micros()).unwrap_or_default());
    String::from_utf8_lossy(&text).into_owned()
}

/// A new id, as events have them.
pub fn new_id() -> String {
    String::from_utf8_lossy(&record::stamp().0).into_owned()
}
