//! Reading on at the end of files that grow, shrink, vanish and come back.

use super::spool::LONGEST_LINE;
use crate::failure::Failure;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

/// How many bytes before the position are compared: enough for a time and an id to differ.
const REMEMBERED: usize = 1024;

/// Names the files of a directory that are followed.
pub type List = fn(&Path) -> Result<Vec<PathBuf>, Failure>;

/// The new lines of some files of some directories.
pub struct Follower {
    directories: Vec<PathBuf>,
    list: List,
    files: BTreeMap<PathBuf, Followed>,
}

struct Followed {
    file: File,
    identity: (u64, u64),
    /// Offset of the first byte that was not read yet.
    position: u64,
    /// What stands before it, at most [`REMEMBERED`] bytes: a file that was cut short and has
    /// grown again since is known by that.
    before: Vec<u8>,
    /// The start of a line whose end was not written yet.
    partial: Vec<u8>,
    /// The line is too long: drop what comes until its end.
    skipping: bool,
}

impl Follower {
    /// Starts at the present end of every file that exists, and returns how long each is, so that
    /// the caller can show what stands before.
    ///
    /// # Errors
    /// If a directory or a file cannot be read.
    pub fn new(
        directories: Vec<PathBuf>,
        list: List,
    ) -> Result<(Self, Vec<(PathBuf, u64)>), Failure> {
        let mut follower = Self { directories, list, files: BTreeMap::new() };
        let mut ends = Vec::new();
        for path in follower.present()? {
            if let Some(followed) =
                Followed::open(&path, true).map_err(|e| unreadable(&path, &e))?
            {
                ends.push((path.clone(), followed.position));
                follower.files.insert(path, followed);
            }
        }
        Ok((follower, ends))
    }

    fn present(&self) -> Result<Vec<PathBuf>, Failure> {
        let mut all = Vec::new();
        for directory in &self.directories {
            all.extend((self.list)(directory)?);
        }
        Ok(all)
    }

    /// Every whole line that was written since the last call. A file that was replaced is read
    /// to its end first; one that was cut short, or is new, from its start.
    ///
    /// # Errors
    /// If a directory or a file cannot be read.
    pub fn poll(&mut self) -> Result<Vec<Vec<u8>>, Failure> {
        let mut lines = Vec::new();
        for (path, followed) in &mut self.files {
            followed.read(&mut lines).map_err(|e| unreadable(path, &e))?;
        }
        for path in self.present()? {
            let identity = fs::metadata(&path).ok().map(|found| (found.dev(), found.ino()));
            let known = self.files.get(&path).map(|followed| followed.identity);
            if identity.is_none() || identity == known {
                continue;
            }
            if let Some(mut new) =
                Followed::open(&path, false).map_err(|e| unreadable(&path, &e))?
            {
                new.read(&mut lines).map_err(|e| unreadable(&path, &e))?;
                self.files.insert(path, new);
            }
        }
        Ok(lines)
    }
}

fn unreadable(path: &Path, error: &io::Error) -> Failure {
    Failure::other(format!("cannot read `{}`: {}", path.display(), crate::failure::reason(error)))
}

impl Followed {
    /// `None` if the file has gone by now.
    fn open(path: &Path, at_end: bool) -> io::Result<Option<Self>> {
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let found = file.metadata()?;
        let position = if at_end { found.len() } else { 0 };
        Ok(Some(Self {
            identity: (found.dev(), found.ino()),
            before: before(&file, position)?,
            position,
            file,
            partial: Vec::new(),
            skipping: false,
        }))
    }

    fn read(&mut self, lines: &mut Vec<Vec<u8>>) -> io::Result<()> {
        let is_same = self.file.metadata()?.len() >= self.position
            && before(&self.file, self.position)? == self.before;
        if !is_same {
            self.position = 0;
            self.partial.clear();
            self.skipping = false;
        }
        let mut chunk = vec![0; 64 * 1024];
        loop {
            let count = match self.file.read_at(&mut chunk, self.position) {
                Ok(0) => {
                    self.before = before(&self.file, self.position)?;
                    return Ok(());
                }
                Ok(count) => count,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            self.position += count as u64;
            for part in chunk.get(..count).unwrap_or_default().split_inclusive(|b| *b == b'\n') {
                self.take(part, lines);
            }
        }
    }

    fn take(&mut self, part: &[u8], lines: &mut Vec<Vec<u8>>) {
        let (body, ended) = match part.strip_suffix(b"\n") {
            Some(body) => (body, true),
            None => (part, false),
        };
        if !self.skipping {
            self.partial.extend_from_slice(body);
        }
        if self.partial.len() > LONGEST_LINE {
            // Given out as far as it came, to be counted as foreign.
            lines.push(std::mem::take(&mut self.partial));
            self.skipping = true;
        }
        if ended {
            let line = std::mem::take(&mut self.partial);
            if !std::mem::replace(&mut self.skipping, false) {
                lines.push(line);
            }
        }
    }
}

/// The last bytes of `file` before `position`; fewer if it is shorter by now.
fn before(file: &File, position: u64) -> io::Result<Vec<u8>> {
    let start = position.saturating_sub(REMEMBERED as u64);
    let mut bytes = vec![0; usize::try_from(position - start).unwrap_or_default()];
    let mut filled = 0;
    while let Some(rest) = bytes.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match file.read_at(rest, start + filled as u64) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    bytes.truncate(filled);
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::super::spool;
    use super::*;
    use std::fs::OpenOptions;
    use std::io::Write;

    fn append(path: &Path, bytes: &[u8]) {
        let mut file = OpenOptions::new().create(true).append(true).open(path).unwrap();
        file.write_all(bytes).unwrap();
    }

    #[test]
    fn nothing_is_lost_or_told_twice() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("spool-0.jsonl");
        append(&path, b"old\n");
        let (mut follower, ends) =
            Follower::new(vec![root.path().to_owned()], spool::files).unwrap();
        assert_eq!(ends, [(path.clone(), 4)]);
        type Step<'a> = (&'a str, &'a dyn Fn(), &'a [&'a [u8]]);
        let moved = root.path().join("rotated");
        let steps: [Step<'_>; 9] = [
            ("nothing new", &|| {}, &[]),
            ("two lines", &|| append(&path, b"a\nb\n"), &[b"a", b"b"]),
            ("half a line", &|| append(&path, b"c"), &[]),
            ("its other half", &|| append(&path, b"d\ne\n"), &[b"cd", b"e"]),
            ("truncated", &|| fs::write(&path, "f\n").unwrap(), &[b"f"]),
            ("truncated and grown again", &|| fs::write(&path, "F\nF\n").unwrap(), &[b"F", b"F"]),
            (
                "rotated after a last line",
                &|| {
                    append(&path, b"g\n");
                    fs::rename(&path, &moved).unwrap();
                    append(&path, b"h\n");
                },
                &[b"g", b"h"],
            ),
            ("gone", &|| fs::remove_file(&path).unwrap(), &[]),
            ("another user's", &|| append(&root.path().join("spool-7.jsonl"), b"i\n"), &[b"i"]),
        ];
        for (name, step, expected) in steps {
            step();
            assert_eq!(follower.poll().unwrap(), expected, "{name}");
        }
    }

    #[test]
    fn a_line_without_end_does_not_fill_the_memory() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("spool-0.jsonl");
        let (mut follower, _) = Follower::new(vec![root.path().to_owned()], spool::files).unwrap();
        append(&path, &vec![b'x'; 3 * LONGEST_LINE]);
        append(&path, b"\nnext\n");
        let lines = follower.poll().unwrap();
        assert_eq!(lines.len(), 2);
        assert!(lines[0].len() <= LONGEST_LINE + 64 * 1024);
        assert_eq!(lines[1], b"next");
    }
}
