//! From the spools, to which short-lived processes append without knowing of each other, to the
//! one chain: every line once, in the order of its spool, whatever is killed meanwhile.
//!
//! A spool is renamed first, so that what is written from then on goes to a new one. Its lines go
//! to the chain behind a note that says how many follow from which offset; when they are durable,
//! the offset that was reached becomes part of the renamed file's name. After a crash in between,
//! the note and the entries behind it tell how far it came. The file goes when all is merged and
//! the kernel says that nobody still has it open for writing.

use super::chain::Chain;
use super::config::Config;
use super::entry::Hash;
use super::event::Event;
use super::origin::Origin;
use super::redaction::Redaction;
use super::spool;
use crate::failure::{Failure, reason};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use std::cell::RefCell;
use std::collections::HashSet;
use std::fs::{self, File};
use std::io;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

/// How much of a spool is merged behind one note, in bytes. A longer line is cut into pieces that
/// are no events.
const PIECE: usize = 4 * 1024 * 1024;

/// Bytes of a line that is no event that are kept in the chain.
const KEPT: usize = 1024;

/// Merges the spools of `directories` into the chain of the first one, and seals it if there is a
/// key. Returns how many lines were merged. Where there is nothing to merge, nothing is touched.
///
/// # Errors
/// If the chain or a spool cannot be used; what was merged by then stays merged.
pub fn merge(directories: &[PathBuf]) -> Result<u64, Failure> {
    let Some(main) = directories.first() else {
        return Ok(0);
    };
    let mut sources = Vec::new();
    for directory in directories {
        sources.extend(begun(directory)?);
        sources.extend(spool::files(directory)?);
    }
    sources.retain(|path| fs::metadata(path).is_ok_and(|found| found.len() > 0 || is_begun(path)));
    if sources.is_empty() {
        return Ok(0);
    }
    let mut chain = Chain::open(main)?;
    let merged = take_in(sources, &mut chain)?;
    if merged > 0 {
        super::seal::seal(main, &mut chain).map_err(|error| {
            Failure::other(format!("cannot seal the audit log: {}", reason(&error)))
        })?;
    }
    Ok(merged)
}

/// Merges what was begun in `directory`, so that something else can follow in its chain.
///
/// # Errors
/// As [`merge`].
pub fn finish(directory: &Path, chain: &mut Chain) -> Result<u64, Failure> {
    take_in(begun(directory)?, chain)
}

fn take_in(sources: Vec<PathBuf>, chain: &mut Chain) -> Result<u64, Failure> {
    let mut merged = 0_u64;
    if sources.is_empty() {
        return Ok(0);
    }
    // With a configuration that cannot be used nothing is merged: nothing is lost, nothing leaks.
    let redaction = Redaction::new(&Config::load()?.redact).map_err(Failure::usage)?;
    let writing = Writing::new(redaction);
    for path in sources {
        let failed = |error: io::Error| {
            let why = reason(&error);
            Failure::other(format!("cannot merge `{}` into the log: {why}", path.display()))
        };
        // Somebody else may have merged it while we waited for the lock.
        match Source::take(&path).map_err(failed)? {
            Some(mut source) => merged += source.merge(chain, &writing).map_err(failed)?,
            None => continue,
        }
    }
    Ok(merged)
}

/// Whether this is a spool whose merging was begun.
fn is_begun(path: &Path) -> bool {
    path.extension().is_some_and(|kind| kind == "merging")
}

/// The spools whose merging was begun and not finished, oldest first.
///
/// # Errors
/// None so far.
pub fn begun(directory: &Path) -> Result<Vec<PathBuf>, Failure> {
    let Ok(entries) = fs::read_dir(directory) else {
        // `spool::files` says what is wrong with it.
        return Ok(Vec::new());
    };
    let mut found: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| is_begun(path))
        .collect();
    found.retain(|path| fs::symlink_metadata(path).is_ok_and(|found| found.is_file()));
    found.sort();
    Ok(found)
}

/// A spool that is being merged: `<name>.<id>.<offset>.merging`.
struct Source {
    path: PathBuf,
    /// `<name>.<id>`
    name: String,
    file: File,
    offset: u64,
}

impl Source {
    /// Renames a spool, or goes on with one that was renamed before. `None` if it has gone.
    fn take(path: &Path) -> io::Result<Option<Self>> {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let (name, offset, path) = if is_begun(path) {
            let rest = name.strip_suffix(".merging").and_then(|rest| rest.rsplit_once('.'));
            let Some((name, offset)) = rest.and_then(|(name, at)| Some((name, at.parse().ok()?)))
            else {
                return Ok(None);
            };
            (name.to_owned(), offset, path.to_owned())
        } else {
            let stem = name.strip_suffix(".jsonl").unwrap_or(name);
            let name = format!("{stem}.{}", super::new_id());
            let target = path.with_file_name(format!("{name}.0.merging"));
            match fs::rename(path, &target) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
                other => other?,
            }
            (name, 0, target)
        };
        match File::open(&path) {
            Ok(file) => Ok(Some(Self { path, name, file, offset })),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn merge(&mut self, chain: &mut Chain, writing: &Writing) -> io::Result<u64> {
        let mut merged = self.resume(chain, writing)?;
        loop {
            // Asked first: what is read afterwards is then all there will ever be.
            let is_complete = has_no_writer(&self.file);
            let mut bytes = self.read(PIECE)?;
            let whole = bytes.iter().rposition(|byte| *byte == b'\n').map(|at| at + 1);
            match whole {
                Some(whole) => bytes.truncate(whole),
                None if bytes.len() < PIECE && !is_complete => return Ok(merged),
                None => {}
            }
            if bytes.is_empty() {
                if is_complete {
                    fs::remove_file(&self.path)?;
                }
                return Ok(merged);
            }
            let lines = lines_of(&bytes).count();
            let owner = self.file.metadata()?.uid();
            chain.note(json!({
                "note": "merge", "source": self.name, "owner": owner, "offset": self.offset,
                "bytes": bytes.len(), "lines": lines,
            }))?;
            merged += append_lines((chain, writing), lines_of(&bytes), owner)?;
            self.reached(chain, bytes.len())?;
        }
    }

    /// Finishes what a crash cut short: the chain ends with the note and some of its lines.
    fn resume(&mut self, chain: &mut Chain, writing: &Writing) -> io::Result<u64> {
        let Some((note, done)) = chain.last_note("merge")? else {
            return Ok(0);
        };
        let number = |name: &str| note.get(name).and_then(Value::as_u64);
        let is_ours = note.get("source").and_then(Value::as_str) == Some(self.name.as_str());
        let (Some(offset), Some(size)) = (number("offset"), number("bytes")) else {
            return Ok(0);
        };
        if !is_ours || offset != self.offset {
            return Ok(0);
        }
        let bytes = self.read(usize::try_from(size).unwrap_or(PIECE))?;
        let rest = lines_of(&bytes).skip(usize::try_from(done).unwrap_or(usize::MAX));
        let merged = append_lines((chain, writing), rest, self.file.metadata()?.uid())?;
        self.reached(chain, bytes.len())?;
        Ok(merged)
    }

    /// Makes `len` more bytes durable in the chain, and notes it in the name of the file.
    fn reached(&mut self, chain: &mut Chain, len: usize) -> io::Result<()> {
        chain.commit()?;
        self.offset = self.offset.saturating_add(len as u64);
        let path = self.path.with_file_name(format!("{}.{}.merging", self.name, self.offset));
        fs::rename(&self.path, &path)?;
        self.path = path;
        // Before the chain goes on with another source: its last note alone tells who was cut short.
        File::open(self.path.parent().unwrap_or(Path::new(".")))?.sync_all()
    }

    /// At most `most` bytes from the offset on.
    fn read(&self, most: usize) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; most];
        let mut filled = 0;
        while let Some(rest) = bytes.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match self.file.read_at(rest, self.offset.saturating_add(filled as u64)) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        bytes.truncate(filled);
        Ok(bytes)
    }
}

/// The lines of a spool that become entries.
fn lines_of(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty())
}

fn append_lines<'l>(
    (chain, writing): (&mut Chain, &Writing),
    lines: impl Iterator<Item = &'l [u8]>,
    owner: u32,
) -> io::Result<u64> {
    let mut count = 0;
    for line in lines {
        if let Some((line, event)) = writing.event(line) {
            match event.has(AGAIN) && !writing.is_first(&event, chain)? {
                true => chain.note(json!({"note": "again", "owner": owner, "of": event.id()}))?,
                false => chain.append(&line)?,
            }
        } else {
            let kept = line.get(..KEPT).unwrap_or(line);
            chain.note(json!({
                "note": "foreign", "owner": owner, "bytes": line.len(),
                "sha256": Hash::of(line).to_string(), "head": {"b64": STANDARD.encode(kept)},
            }))?;
        }
        count += 1;
    }
    Ok(count)
}

/// The member of an event that somebody may have put into the log already: it was sent to an evaluator
/// that went without an answer.
pub const AGAIN: &str = "again";

/// What is done with an event on its way into the chain.
pub struct Writing {
    redaction: Redaction,
    origin: Origin,
    /// The ids of the last two files, once somebody has asked.
    known: RefCell<Option<HashSet<String>>>,
}

impl Writing {
    /// On this machine, with this masked.
    pub fn new(redaction: Redaction) -> Self {
        Self { redaction, origin: Origin::here(), known: RefCell::default() }
    }

    /// `line` as it stands in the chain, and the event on it; `None` if it is none, or says what only
    /// the chain says.
    pub fn event(&self, line: &[u8]) -> Option<(Vec<u8>, Event)> {
        const RESERVED: [&str; 6] = ["note", "host", "boot", "seq", "prev", "hash"];
        let event = Event::parse(line)?;
        let is_plain = !RESERVED.iter().any(|name| event.has(name)) && !event.is_of_service();
        is_plain.then(|| (self.origin.added(&self.redaction.line(line), &event), event))
    }

    /// The same for what the service says of itself, which nobody else can.
    pub fn own_event(&self, line: &[u8]) -> Option<Vec<u8>> {
        let event = Event::parse(line)?;
        Some(self.origin.added(&self.redaction.line(line), &event))
    }

    /// Whether no event of this id is at the end of the chain. From then on there is one.
    fn is_first(&self, event: &Event, chain: &mut Chain) -> io::Result<bool> {
        let mut known = self.known.borrow_mut();
        let ids = match &mut *known {
            Some(ids) => ids,
            none => none.insert(chain.last_ids()?),
        };
        Ok(ids.insert(event.id().to_owned()))
    }
}

/// Whether nobody has the file open for writing: only then the kernel grants a read lease
/// (fcntl(2), `F_SETLEASE`), which is given back at once. Where there are no leases, whether it
/// was left alone for a minute.
fn has_no_writer(file: &File) -> bool {
    #[allow(unsafe_code, reason = "no safe wrapper has F_SETLEASE")]
    // SAFETY: fcntl on a descriptor that is open, with an integer argument.
    let set = |kind: libc::c_int| unsafe { libc::fcntl(file.as_raw_fd(), libc::F_SETLEASE, kind) };
    if set(libc::F_RDLCK) == 0 {
        set(libc::F_UNLCK);
        return true;
    }
    let is_busy = io::Error::last_os_error().raw_os_error() == Some(libc::EAGAIN);
    let age = file.metadata().and_then(|found| found.modified()).map(|time| time.elapsed());
    !is_busy && age.is_ok_and(|age| age.is_ok_and(|age| age.as_secs() > 60))
}

#[cfg(test)]
mod tests;
