//! The log itself: `chain-NNNNNN.jsonl` in the audit directory, each entry holding the hash of the
//! one before it, across files. One writer at a time (a lock), any number of readers. What a crash
//! left half written is set aside and reported, and never stops anybody.

use super::archive;
use super::entry::{self, Entry, Tip};
use super::spool::{FromEnd, LONGEST_LINE};
use crate::failure::{Failure, reason};
use rustix::fs::{FlockOperation, flock};
use serde_json::{Map, Value, json};
use std::collections::HashSet;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// Size beyond which the next entries go to a new file, in bytes.
pub const ROTATE: u64 = if cfg!(test) { 32 * 1024 } else { 64 * 1024 * 1024 };

/// Age beyond which the next entries go to a new file.
const AGE: Duration = Duration::from_secs(7 * 24 * 3600);

/// What is gathered before it is written, in bytes.
const BATCH: usize = 256 * 1024;

/// The chain of one audit directory, open for appending.
pub struct Chain {
    directory: PathBuf,
    file: File,
    number: u64,
    length: u64,
    /// How much of the file is durable, in bytes.
    durable: u64,
    tip: Tip,
    batch: Vec<u8>,
    /// Held until this is dropped.
    _lock: File,
}

/// The chain files of `directory` with their numbers, in order; of one that is there both plain and
/// compressed (a crash), the plain one.
///
/// # Errors
/// If the directory cannot be read; one that does not exist has none.
pub fn files(directory: &Path) -> io::Result<Vec<(u64, PathBuf)>> {
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut found = Vec::new();
    for entry in entries {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let stem = name.strip_suffix(archive::SUFFIX).unwrap_or(name);
        let digits = stem.strip_prefix("chain-").and_then(|rest| rest.strip_suffix(".jsonl"));
        let number = digits.filter(|digits| digits.len() >= 6).and_then(|text| text.parse().ok());
        if let Some(number) = number
            && fs::symlink_metadata(&path).is_ok_and(|found| found.is_file())
        {
            found.push((number, path));
        }
    }
    found.sort();
    found.dedup_by_key(|(number, _)| *number);
    Ok(found)
}

fn path_of(directory: &Path, number: u64) -> PathBuf {
    directory.join(format!("chain-{number:06}.jsonl"))
}

impl Chain {
    /// Opens the chain in `directory`, which exists, and waits for whoever writes to it now.
    ///
    /// # Errors
    /// If the directory or its last file cannot be used, or belongs to somebody else.
    pub fn open(directory: &Path) -> Result<Self, Failure> {
        Self::try_open(directory).map_err(|error| {
            Failure::other(format!(
                "cannot use the audit chain in `{}`: {}",
                directory.display(),
                reason(&error)
            ))
        })
    }

    fn try_open(directory: &Path) -> io::Result<Self> {
        DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
        let lock = private(&directory.join("chain.lock"))?;
        flock(&lock, FlockOperation::LockExclusive)?;
        let last = files(directory)?.pop();
        let is_new = last.is_none();
        let (number, path) = last.unwrap_or_else(|| (1, path_of(directory, 1)));
        let file = private(&path)?;
        let length = file.metadata()?.len();
        let mut chain = Self {
            directory: directory.to_owned(),
            length,
            durable: length,
            file,
            number,
            tip: Tip::START,
            batch: Vec::new(),
            _lock: lock,
        };
        if is_new {
            chain.head()?;
        } else {
            chain.recover()?;
            if chain.is_old()? {
                chain.rotate()?;
            }
        }
        Ok(chain)
    }

    /// The last entry.
    pub const fn tip(&self) -> Tip {
        self.tip
    }

    /// Appends an entry that holds `event`, a JSON object. It is durable after [`Chain::commit`].
    ///
    /// # Errors
    /// If it cannot be written, or is no object.
    pub fn append(&mut self, event: &[u8]) -> io::Result<()> {
        if self.length.saturating_add(self.batch.len() as u64) > ROTATE {
            self.commit()?;
            self.rotate()?;
        }
        let none = || io::Error::new(ErrorKind::InvalidData, "an entry that is no JSON object");
        self.tip = entry::write(event, self.tip, &mut self.batch).ok_or_else(none)?;
        if self.batch.len() > BATCH { self.flush() } else { Ok(()) }
    }

    /// Makes everything that was appended durable.
    ///
    /// # Errors
    /// If that cannot be; then nothing that was appended since the last commit stays, and this is
    /// to be dropped. (After an fdatasync that failed, nobody knows what the disk holds: a later
    /// one that succeeds says nothing about it.)
    pub fn commit(&mut self) -> io::Result<()> {
        self.flush()?;
        let synced = self.file.sync_data();
        match synced {
            Ok(()) => self.durable = self.length,
            Err(_) => self.take_back(),
        }
        synced
    }

    fn flush(&mut self) -> io::Result<()> {
        let written = self.file.write_all(&self.batch);
        self.length = self.length.saturating_add(self.batch.len() as u64);
        self.batch.clear();
        if written.is_err() {
            self.take_back();
        }
        written
    }

    /// Cuts the file back to what is durable. If not even that can be done, the next writer finds
    /// whole entries, which count, and maybe a torn one, which it sets aside.
    fn take_back(&mut self) {
        if self.file.set_len(self.durable).is_ok() {
            self.length = self.durable;
        }
    }

    /// The first entry of a file: where and when it was begun.
    fn head(&mut self) -> io::Result<()> {
        let text = |path: &str| fs::read_to_string(path).unwrap_or_default().trim().to_owned();
        let event = json!({
            "note": "file", "file": self.number,
            "host": text("/proc/sys/kernel/hostname"), "boot": text("/proc/sys/kernel/random/boot_id"),
        });
        self.note(event)?;
        self.commit()?;
        File::open(&self.directory)?.sync_all()
    }

    fn rotate(&mut self) -> io::Result<()> {
        self.number = self.number.saturating_add(1);
        self.file = private(&path_of(&self.directory, self.number))?;
        (self.length, self.durable) = (0, 0);
        self.head()?;
        // The last two stay as they are: recovering and resuming read them from the end.
        for (number, path) in files(&self.directory)? {
            if number.saturating_add(1) < self.number {
                archive::compress(&path)?;
            }
        }
        Ok(())
    }

    /// Whether the first entry of the file is older than [`AGE`]; not if the clock was set back.
    fn is_old(&self) -> io::Result<bool> {
        let mut start = [0; 4096];
        let count = self.file.read_at(&mut start, 0)?;
        let line = start.get(..count).and_then(|start| start.split(|byte| *byte == b'\n').next());
        let first = line.and_then(sound).and_then(|entry| note_of(&entry));
        let began = first.as_ref().and_then(|note| note.get("time")?.as_str());
        let limit =
            super::moment(SystemTime::now().checked_sub(AGE).unwrap_or(SystemTime::UNIX_EPOCH));
        Ok(began.is_some_and(|began| began < limit.as_str()))
    }

    /// Finds the tip. A last line without its newline, which a crash leaves, is moved to a file
    /// of its own. A whole last line that is no sound entry was changed by somebody: it stays for
    /// `verify` to find, and what follows goes to a new file.
    fn recover(&mut self) -> io::Result<()> {
        let mut lines = FromEnd::new(self.file.try_clone()?, self.length);
        let torn = if self.length == 0 || byte_at(&self.file, self.length - 1)? == b'\n' {
            None
        } else {
            lines.next_line()?
        };
        let mut skipped = 0_u64;
        let found = loop {
            match lines.next_line()? {
                None => break None,
                Some(line) => match sound(&line) {
                    Some(found) => break Some(found.tip()),
                    None => skipped += 1,
                },
            }
        };
        self.tip = match found {
            Some(tip) => tip,
            None if self.number > 1 => last_tip(&path_of(&self.directory, self.number - 1))?,
            None => Tip::START,
        };
        if let Some(torn) = &torn {
            self.set_aside(torn)?;
        }
        if skipped > 0 {
            self.rotate()?;
            self.note(json!({"note": "broken", "lines": skipped}))?;
            self.commit()?;
        } else if found.is_none() {
            self.head()?;
        }
        if let Some(torn) = torn {
            let name = torn_name(&torn);
            self.note(json!({"note": "torn", "bytes": torn.len(), "kept_as": name}))?;
            self.commit()?;
        }
        Ok(())
    }

    /// Moves the last bytes of the file to a file of their own.
    fn set_aside(&mut self, torn: &[u8]) -> io::Result<()> {
        let mut aside = private(&self.directory.join(torn_name(torn)))?;
        aside.set_len(0)?;
        aside.write_all(torn)?;
        aside.sync_data()?;
        self.length = self.length.saturating_sub(torn.len() as u64);
        self.durable = self.length;
        self.file.set_len(self.length)
    }

    /// Appends something that the log says about itself: an object with the member `note`.
    ///
    /// # Errors
    /// As [`Chain::append`].
    pub fn note(&mut self, mut event: Value) -> io::Result<()> {
        if let Some(members) = event.as_object_mut() {
            members.insert("v".into(), 1.into());
            members.insert("time".into(), super::now().into());
        }
        self.append(event.to_string().as_bytes())
    }

    /// The ids of the events in this file and the one before it.
    ///
    /// # Errors
    /// If a file cannot be read.
    pub fn last_ids(&mut self) -> io::Result<HashSet<String>> {
        self.flush()?;
        let numbers = [self.number.saturating_sub(1), self.number];
        let files = numbers.map(|number| path_of(&self.directory, number));
        let files: Vec<_> = files.into_iter().filter(|path| path.exists()).collect();
        let mut ids = HashSet::new();
        let read = super::select::each_event(&files, &mut |_, event| {
            ids.insert(event.id().to_owned());
            Ok(())
        });
        read.map_err(|failure| io::Error::other(failure.message))?;
        Ok(ids)
    }

    /// The last note of this kind in this file or the one before it, and how many merged lines
    /// follow it.
    ///
    /// # Errors
    /// If a file cannot be read.
    pub fn last_note(&mut self, kind: &str) -> io::Result<Option<(Map<String, Value>, u64)>> {
        self.flush()?;
        let mut merged = 0;
        for number in [Some(self.number), self.number.checked_sub(1)].into_iter().flatten() {
            let file = match File::open(path_of(&self.directory, number)) {
                Ok(file) => file,
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                Err(error) => return Err(error),
            };
            let length = file.metadata()?.len();
            let mut lines = FromEnd::new(file, length);
            while let Some(line) = lines.next_line()? {
                let Some(entry) = sound(&line) else {
                    continue;
                };
                match note_of(&entry) {
                    Some(note) if note.get("note") == Some(&kind.into()) => {
                        return Ok(Some((note, merged)));
                    }
                    // What follows it came over the socket, from no spool.
                    Some(note) if note.get("note") == Some(&"record".into()) => merged = 0,
                    Some(note) if !stands_for_a_line(&note) => {}
                    _ => merged += 1,
                }
            }
        }
        Ok(None)
    }
}

/// Whether a note stands in the place of a merged line.
fn stands_for_a_line(note: &Map<String, Value>) -> bool {
    let kind = note.get("note").and_then(Value::as_str);
    matches!(kind, Some("foreign" | "again"))
}

fn byte_at(file: &File, offset: u64) -> io::Result<u8> {
    let mut byte = [0];
    file.read_exact_at(&mut byte, offset)?;
    Ok(byte[0])
}

/// What the file is called that keeps these bytes.
fn torn_name(bytes: &[u8]) -> String {
    format!("torn-{:.16}.bin", entry::Hash::of(bytes).to_string())
}

/// What an entry says if it is a note.
pub fn note_of(entry: &Entry<'_>) -> Option<Map<String, Value>> {
    if !entry.event.starts_with(b"{\"note\":") {
        return None;
    }
    match serde_json::from_slice(&entry.object()) {
        Ok(Value::Object(members)) => Some(members),
        _ => None,
    }
}

/// The entry on `line` if its hash is right.
pub fn sound(line: &[u8]) -> Option<Entry<'_>> {
    (line.len() <= LONGEST_LINE)
        .then(|| entry::parse(line))
        .flatten()
        .filter(|found| found.hash == found.actual)
}

/// The tip of a file that is complete; the start of a chain if it holds no entry.
fn last_tip(path: &Path) -> io::Result<Tip> {
    let file = File::open(path)?;
    let length = file.metadata()?.len();
    let mut lines = FromEnd::new(file, length);
    while let Some(line) = lines.next_line()? {
        if let Some(found) = sound(&line) {
            return Ok(found.tip());
        }
    }
    Ok(Tip::START)
}

/// Opens or creates a file of ours for appending and reading, mode 0600.
fn private(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new()
        .read(true)
        .append(true)
        .create(true)
        .mode(0o600)
        .custom_flags(libc::O_NOFOLLOW)
        .open(path)?;
    let found = file.metadata()?;
    if found.uid() != rustix::process::geteuid().as_raw() || !found.is_file() {
        let what = format!("`{}` is not a file of yours", path.display());
        return Err(io::Error::new(ErrorKind::PermissionDenied, what));
    }
    Ok(file)
}
