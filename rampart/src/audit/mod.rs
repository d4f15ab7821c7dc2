//! Reading the audit log. It is written by many processes at once, each event by one append, so
//! a reader must expect torn lines, foreign lines, truncation and rotation, and never stop there.

pub mod archive;
pub mod chain;
pub mod config;
pub mod entry;
pub mod event;
pub mod follow;
pub mod format;
pub mod forward;
pub mod liveness;
pub mod merge;
pub mod origin;
pub mod record;
pub mod recorder;
pub mod redaction;
pub mod retention;
pub mod seal;
pub mod select;
pub mod spool;
pub mod stats;
pub mod suggest;
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

/// The files at the end of the chain, which are not compressed.
///
/// # Errors
/// As [`chain_files`].
pub fn live_files(directory: &Path) -> Result<Vec<PathBuf>, Failure> {
    let mut files = chain_files(directory)?;
    files.retain(|path| path.extension().is_some_and(|kind| kind == "jsonl"));
    Ok(files)
}

/// Every file of `directory` that holds events and is not compressed: the chain, and what is not merged into it yet.
///
/// # Errors
/// As [`chain_files`].
pub fn all_files(directory: &Path) -> Result<Vec<PathBuf>, Failure> {
    let mut all = live_files(directory)?;
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
        complain!("rampart: warning: {}", failure.message);
    }
    let mut all = Vec::new();
    for place in places {
        all.extend(chain_files(place)?);
        if merged.is_err() {
            all.extend(merge::begun(place)?);
            all.extend(spool::files(place)?);
        }
    }
    Ok(all)
}

/// The last event whose id is `wanted`, or ends so, of those that are not compressed. Nothing is
/// merged, so that it can be asked for inside a guarded tree.
///
/// # Errors
/// If a directory cannot be read.
pub fn with_id(wanted: &str) -> Result<Option<event::Event>, Failure> {
    let mut last: Option<event::Event> = None;
    for place in places(&Directories::from_environment())? {
        for path in all_files(&place)? {
            // A file that goes away meanwhile was merged, and is read as a part of the chain.
            let Ok(file) = fs::File::open(&path) else {
                continue;
            };
            let end = file.metadata().map_or(0, |found| found.len());
            let mut reader = spool::FromEnd::new(file, end);
            while let Ok(Some(line)) = reader.next_line() {
                let found = event::Event::parse(&line).filter(|event| event.has_id(wanted));
                if let Some(event) = found {
                    if last.as_ref().is_none_or(|last| event.moment() > last.moment()) {
                        last = Some(event);
                    }
                    break;
                }
            }
        }
    }
    Ok(last)
}

/// The time, as events have it: RFC 3339 with microseconds.
pub fn now() -> String {
    moment(SystemTime::now())
}

/// A time as events have it.
pub fn moment(time: SystemTime) -> String {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    let text = evaluator::event::timestamp(u64::try_from(since.as_micros()).unwrap_or_default());
    String::from_utf8_lossy(&text).into_owned()
}

/// The name of this machine.
pub fn host() -> String {
    let name = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    name.trim().to_owned()
}

/// A new id, as events have them.
pub fn new_id() -> String {
    String::from_utf8_lossy(&record::stamp().0).into_owned()
}
