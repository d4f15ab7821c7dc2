//! The spool files of an audit directory, read line by line from the end.

use crate::failure::{Failure, reason};
use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// How much is read at a time.
const CHUNK: u64 = 64 * 1024;

/// The longest line that is taken for an event. Longer ones are passed over as foreign.
pub const LONGEST_LINE: usize = 4 * 1024 * 1024;

/// The spool files in `directory` (`spool-*.jsonl`), sorted by name.
///
/// # Errors
/// If the directory cannot be read; one that does not exist has no files.
pub fn files(directory: &Path) -> Result<Vec<PathBuf>, Failure> {
    let failed = |error: &io::Error| {
        Failure::other(format!(
            "cannot read the audit directory `{}`: {}",
            directory.display(),
            reason(error)
        ))
    };
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failed(&error)),
    };
    let mut found = Vec::new();
    for entry in entries {
        let path = entry.map_err(|error| failed(&error))?.path();
        let name = path.file_name().map(|name| name.as_encoded_bytes());
        let is_spool =
            name.is_some_and(|name| name.starts_with(b"spool-") && name.ends_with(b".jsonl"));
        // A FIFO or a symbolic link was not put there by the library.
        let is_file = fs::symlink_metadata(&path).is_ok_and(|found| found.is_file());
        if is_spool && is_file {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// The lines of a file, last first.
pub struct FromEnd {
    file: File,
    /// Everything before this offset is still unread.
    unread: u64,
    /// What was read and not yet given out: the bytes from `unread` on.
    buffer: Vec<u8>,
}

impl FromEnd {
    /// Starts at `end`, usually the length of the file.
    pub fn new(file: File, end: u64) -> Self {
        Self { file, unread: end, buffer: Vec::new() }
    }

    /// The line before the one given out last, without its newline; `None` at the start. In
    /// place of a line longer than [`LONGEST_LINE`], some part of it.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn next_line(&mut self) -> io::Result<Option<Vec<u8>>> {
        let (mut searched, mut is_long) = (0, false);
        loop {
            // The newline that ends the line is no separator.
            let body = self.buffer.len().saturating_sub(usize::from(!is_long));
            let unsearched = body.saturating_sub(searched);
            let found = self
                .buffer
                .get(..unsearched)
                .and_then(|part| part.iter().rposition(|byte| *byte == b'\n'));
            if let Some(at) = found {
                let line = self.buffer.split_off(at + 1);
                return Ok(Some(without_newline(line)));
            }
            if self.unread == 0 {
                let line = std::mem::take(&mut self.buffer);
                return Ok((!line.is_empty()).then(|| without_newline(line)));
            }
            searched = body;
            if self.buffer.len() > LONGEST_LINE {
                // Only its start is still to be found.
                self.buffer.clear();
                (searched, is_long) = (0, true);
            }
            self.read_chunk()?;
        }
    }

    fn read_chunk(&mut self) -> io::Result<()> {
        let length = self.unread.min(CHUNK);
        let start = self.unread - length;
        let mut chunk = vec![0; usize::try_from(length).unwrap_or_default()];
        match self.file.read_exact_at(&mut chunk, start) {
            Ok(()) => {}
            // Truncated while we read: what is gone is gone.
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => chunk.clear(),
            Err(error) => return Err(error),
        }
        self.unread = start;
        chunk.append(&mut self.buffer);
        self.buffer = chunk;
        Ok(())
    }
}

fn without_newline(mut line: Vec<u8>) -> Vec<u8> {
    if line.last() == Some(&b'\n') {
        line.pop();
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    fn lines_from_end(content: &[u8]) -> Vec<Vec<u8>> {
        let mut file = tempfile::tempfile().unwrap();
        io::Write::write_all(&mut file, content).unwrap();
        let mut reader = FromEnd::new(file, content.len() as u64);
        let mut found = Vec::new();
        while let Some(line) = reader.next_line().unwrap() {
            found.push(line);
        }
        found
    }

    #[test]
    fn lines_come_last_first() {
        let long = "x".repeat(3 * CHUNK as usize + 7);
        let cases = [
            String::new(),
            "\n".into(),
            "\n\n".into(),
            "a\nb\n".into(),
            "a\nb".into(),
            "a\n\nb\n\n".into(),
            format!("a\n{long}\nb\n"),
            format!("{long}\n{long}"),
            "ab\n".repeat(CHUNK as usize),
        ];
        for content in cases {
            let mut expected: Vec<_> = content.split('\n').map(|line| line.as_bytes()).collect();
            if content.is_empty() || content.ends_with('\n') {
                expected.pop();
            }
            expected.reverse();
            let found = lines_from_end(content.as_bytes());
            assert!(found == expected, "{} bytes", content.len());
        }
    }

    #[test]
    fn a_line_without_end_does_not_fill_the_memory() {
        let mut content = b"first\n".to_vec();
        content.resize(3 * LONGEST_LINE, b'x');
        content.extend_from_slice(b"\nlast\n");
        let found = lines_from_end(&content);
        assert_eq!(found.len(), 3);
        assert_eq!((&found[0][..], &found[2][..]), (&b"last"[..], &b"first"[..]));
        assert!(found[1].len() < LONGEST_LINE && found[1].iter().all(|byte| *byte == b'x'));
    }

    #[test]
    fn only_spool_files_count() {
        let root = tempfile::tempdir().unwrap();
        let at = |name: &str| root.path().join(name);
        for name in ["spool-1000.jsonl", "spool-0.jsonl", "other.jsonl", "spool-1.txt"] {
            fs::write(at(name), "").unwrap();
        }
        symlink(at("other.jsonl"), at("spool-link.jsonl")).unwrap();
        fs::create_dir(at("spool-dir.jsonl")).unwrap();
        assert_eq!(files(root.path()).unwrap(), [at("spool-0.jsonl"), at("spool-1000.jsonl")]);
        assert_eq!(files(&at("none")).unwrap(), Vec::<PathBuf>::new());
        assert!(files(&at("other.jsonl")).is_err());
    }
}
