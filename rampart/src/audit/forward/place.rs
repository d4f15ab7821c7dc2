//! How far a receiver has got: a file and an offset in it, and the number of the last entry.

use super::super::archive;
use super::super::chain;
use super::super::entry;
use super::super::spool::LONGEST_LINE;
use crate::policy::image_store::write_atomically;
use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, Read as _};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// What is said of a receiver to whom another process sends.
pub const BUSY: &str = "another process sends to it";

/// A position in the log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// Number of the file; 0 before the first.
    pub file: u64,
    /// Bytes of it, not compressed, that were read.
    pub offset: u64,
    /// Number of the last entry that was read.
    pub seq: u64,
}

/// Where that is kept, for one receiver.
pub struct Place {
    path: PathBuf,
    position: Position,
    /// Held until this is dropped.
    _lock: File,
}

impl Place {
    /// Opens the place of receiver `name`; a new one begins at the start of the log, or `at_end`.
    ///
    /// # Errors
    /// If it cannot be read, or another process is at it.
    pub fn open(directory: &Path, name: &str, at_end: bool) -> io::Result<Self> {
        let lock = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .custom_flags(libc::O_NOFOLLOW)
            .open(directory.join(format!("forward-{name}.lock")))?;
        flock(&lock, FlockOperation::NonBlockingLockExclusive)
            .map_err(|_| io::Error::new(io::ErrorKind::WouldBlock, BUSY))?;
        let path = directory.join(format!("forward-{name}.json"));
        let position = match fs::read(&path) {
            Ok(text) => serde_json::from_slice(&text)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let mut new = Self { path, position: Position::default(), _lock: lock };
                if at_end {
                    let mut reader = Reader::open(directory, &new)?;
                    while reader.next_line()?.is_some() {}
                    new.position = reader.place();
                    new.keep()?;
                }
                return Ok(new);
            }
            Err(error) => return Err(error),
        };
        Ok(Self { path, position, _lock: lock })
    }

    /// Where it is.
    pub const fn position(&self) -> Position {
        self.position
    }

    /// Moves on.
    pub const fn set(&mut self, position: Position) {
        self.position = position;
    }

    /// Makes it durable.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn keep(&self) -> io::Result<()> {
        let text = serde_json::to_vec(&self.position)?;
        write_atomically(&self.path, &text).map_err(|failure| io::Error::other(failure.message))
    }

    /// Passes over whole files while more than `limit` bytes wait, and over those that are gone.
    /// Returns how many entries that were.
    ///
    /// # Errors
    /// If the log cannot be read.
    pub fn bound(&mut self, directory: &Path, limit: u64) -> io::Result<u64> {
        let all = chain::files(directory)?;
        let mut left: Vec<(u64, PathBuf, u64)> = Vec::new();
        for (number, path) in all.into_iter().filter(|(number, _)| *number >= self.position.file) {
            let size = fs::metadata(&path)?.len();
            left.push((number, path, size));
        }
        let mut waiting: u64 = left.iter().map(|(_, _, size)| size).sum();
        if left.first().is_some_and(|(number, ..)| *number == self.position.file) {
            waiting = waiting.saturating_sub(self.position.offset);
        }
        let mut skip = 0;
        while waiting > limit && skip + 1 < left.len() {
            let (number, _, size) = left.get(skip).cloned().unwrap_or_default();
            let read = if number == self.position.file { self.position.offset } else { 0 };
            waiting = waiting.saturating_sub(size.saturating_sub(read));
            skip += 1;
        }
        let Some((number, path, _)) = left.get(skip) else {
            return Ok(0);
        };
        // A new receiver begins where the log begins.
        if *number == self.position.file || (self.position.file == 0 && skip == 0) {
            return Ok(0);
        }
        // What follows must continue what was read; if it does not, entries are missing.
        let first = first_entry(path)?.unwrap_or(self.position.seq + 1);
        let dropped = first.saturating_sub(self.position.seq + 1);
        if dropped > 0 || skip > 0 {
            let seq = first.saturating_sub(1);
            self.position = Position { file: *number, offset: 0, seq };
        }
        Ok(dropped)
    }
}

/// The number of the first entry of a file.
fn first_entry(path: &Path) -> io::Result<Option<u64>> {
    let mut line = Vec::new();
    archive::open(path)?.take(LONGEST_LINE as u64).read_until(b'\n', &mut line)?;
    Ok(entry::parse(line.strip_suffix(b"\n").unwrap_or(&line)).map(|entry| entry.seq))
}

/// Reads the log from a position on.
pub struct Reader {
    left: std::vec::IntoIter<(u64, PathBuf)>,
    open: Option<Box<dyn BufRead>>,
    position: Position,
}

impl Reader {
    /// Reads what is there now.
    ///
    /// # Errors
    /// If the log cannot be read.
    pub fn open(directory: &Path, place: &Place) -> io::Result<Self> {
        let position = place.position();
        let mut files = chain::files(directory)?;
        files.retain(|(number, _)| *number >= position.file);
        let mut reader = Self { left: files.into_iter(), open: None, position };
        reader.next_file(position)?;
        Ok(reader)
    }

    /// Where it is.
    pub const fn place(&self) -> Position {
        self.position
    }

    fn next_file(&mut self, from: Position) -> io::Result<()> {
        self.open = match self.left.next() {
            Some((number, path)) => {
                let mut file = archive::open(&path)?;
                let offset = if number == from.file { from.offset } else { 0 };
                io::copy(&mut file.by_ref().take(offset), &mut io::sink())?;
                self.position = Position { file: number, offset, seq: self.position.seq };
                Some(file)
            }
            None => None,
        };
        Ok(())
    }

    /// The next line, without its newline; `None` at the end. A line that is not finished yet comes
    /// later.
    ///
    /// # Errors
    /// If a file cannot be read.
    pub fn next_line(&mut self) -> io::Result<Option<Vec<u8>>> {
        while let Some(file) = &mut self.open {
            let mut line = Vec::new();
            let most = LONGEST_LINE as u64 + 1;
            let count = file.by_ref().take(most).read_until(b'\n', &mut line)?;
            let is_whole = line.pop_if(|byte| *byte == b'\n').is_some();
            if count == 0 || (!is_whole && (count as u64) < most) {
                if self.left.len() == 0 {
                    return Ok(None);
                }
                self.next_file(Position::default())?;
                continue;
            }
            self.position.offset += count as u64;
            if let Some(entry) = entry::parse(&line) {
                self.position.seq = entry.seq;
            }
            return Ok(Some(line));
        }
        Ok(None)
    }
}
