//! Approvals on disk: one line an approval as it is now, appended and synchronised before anybody
//! hears of it; the last line of an id counts. A line that a crash cut short was never believed by
//! anybody, and is passed over.

use super::approval::Approval;
use crate::failure::{Failure, reason};
use crate::policy::image_store::write_atomically;
use serde_json::json;
use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Above this many bytes the file is written anew.
const LARGE: u64 = 64 * 1024 * 1024;

/// The file.
pub struct Journal {
    path: PathBuf,
    file: File,
    length: u64,
}

/// What was in it.
pub struct Kept {
    /// The approvals, each once.
    pub approvals: Vec<Approval>,
    /// Whether the machine still runs as it did then: process numbers mean the same.
    pub same_boot: bool,
}

impl Journal {
    /// Opens the journal at `path`, which is created if need be, and reads it.
    ///
    /// # Errors
    /// If it cannot be read or written.
    pub fn open(path: &Path) -> Result<(Self, Kept), Failure> {
        let failed = |error: io::Error| {
            Failure::other(format!(
                "cannot use the journal of approvals, `{}`: {}",
                path.display(),
                reason(&error)
            ))
        };
        let text = match fs::read(path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(failed(error)),
        };
        let mut lines = text.split(|byte| *byte == b'\n');
        let head: Option<serde_json::Value> =
            lines.next().and_then(|line| serde_json::from_slice(line).ok());
        let same_boot = head.is_some_and(|head| head.get("boot").is_some_and(|id| *id == boot()));
        let mut kept = BTreeMap::new();
        for approval in lines.filter_map(|line| serde_json::from_slice::<Approval>(line).ok()) {
            kept.insert(approval.id.clone(), approval);
        }
        let approvals: Vec<Approval> = kept.into_values().collect();
        let (file, length) = Self::anew(path, approvals.iter())?;
        Ok((Self { path: path.to_owned(), file, length }, Kept { approvals, same_boot }))
    }

    /// Writes a file that holds just these, and opens it for more.
    fn anew<'a>(
        path: &Path,
        approvals: impl Iterator<Item = &'a Approval>,
    ) -> Result<(File, u64), Failure> {
        let mut text = format!("{}\n", json!({"v": 1, "boot": boot()})).into_bytes();
        for approval in approvals {
            line(&mut text, approval);
        }
        write_atomically(path, &text)?;
        let opened = OpenOptions::new().append(true).custom_flags(libc::O_NOFOLLOW).open(path);
        let file = opened.map_err(|error| {
            Failure::other(format!("cannot open `{}`: {}", path.display(), reason(&error)))
        })?;
        Ok((file, text.len() as u64))
    }

    /// Puts `changed` on the disk.
    ///
    /// # Errors
    /// If they are not there for sure.
    pub fn append(&mut self, changed: &[&Approval]) -> io::Result<()> {
        let mut text = Vec::new();
        for approval in changed {
            line(&mut text, approval);
        }
        let written = self.file.write_all(&text).and_then(|()| self.file.sync_data());
        if written.is_err() {
            // Whatever follows must not be glued to half a line.
            let _ = self.file.write_all(b"\n");
        }
        self.length += text.len() as u64;
        written
    }

    /// Whether [`Journal::compact`] is worth its while.
    pub fn is_large(&self) -> bool {
        self.length > LARGE
    }

    /// Writes the file anew with `approvals` alone.
    ///
    /// # Errors
    /// If it cannot be written; the old one is still good then.
    pub fn compact<'a>(
        &mut self,
        approvals: impl Iterator<Item = &'a Approval>,
    ) -> Result<(), Failure> {
        let (file, length) = Self::anew(&self.path, approvals)?;
        (self.file, self.length) = (file, length);
        Ok(())
    }
}

fn line(text: &mut Vec<u8>, approval: &Approval) {
    // Strings and numbers only: this cannot fail.
    if let Ok(bytes) = serde_json::to_vec(approval) {
        text.extend_from_slice(&bytes);
        text.push(b'\n');
    }
}

/// The id of this boot of the machine (proc(5)).
fn boot() -> String {
    let text = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    text.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::Process;
    use crate::serve::approval::{About, Scope};
    use crate::serve::approvals::{Approvals, Wanted};
    use crate::serve::coverage::Coverage;

    fn asked(id: u8) -> (Wanted, (String, u64)) {
        let wanted = Wanted {
            key: [id; 32],
            coverage: Coverage::default(),
            exact: Vec::new(),
            about: About { command: "é \"x\"\n".to_owned(), ..About::default() },
            timeout: 1000,
            fallback: false,
        };
        (wanted, (format!("{id:026}"), 0))
    }

    #[test]
    fn the_last_line_counts_and_a_torn_one_does_not() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("approvals.jsonl");
        let (mut journal, kept) = Journal::open(&path).unwrap();
        assert_eq!(kept.approvals.len(), 0);
        let mut approvals = Approvals::default();
        let process = Process { pid: 1, start: 1 };
        for id in [1, 2] {
            let (wanted, id) = asked(id);
            approvals.ask(wanted, process, 1, id);
        }
        journal.append(&approvals.changes()).unwrap();
        approvals.resolve(&format!("{:026}", 2), Some(Scope::Once), "me", 5).unwrap();
        journal.append(&approvals.changes()).unwrap();
        let whole = fs::read(&path).unwrap();
        let expected: Vec<_> = approvals.all().map(|one| format!("{:?}", one.state)).collect();
        assert_eq!(expected, ["Pending", "Approved"]);
        let last = whole[..whole.len() - 1].iter().rposition(|byte| *byte == b'\n').unwrap();
        // Cut anywhere inside the last line, the state before it holds.
        for cut in last + 1..whole.len() - 1 {
            fs::write(&path, &whole[..cut]).unwrap();
            let (_, kept) = Journal::open(&path).unwrap();
            let states: Vec<_> =
                kept.approvals.iter().map(|one| format!("{:?}", one.state)).collect();
            assert_eq!(states, ["Pending", "Pending"], "{cut}");
            assert!(kept.same_boot);
        }
        fs::write(&path, &whole).unwrap();
        let (_, kept) = Journal::open(&path).unwrap();
        let states: Vec<_> = kept.approvals.iter().map(|one| format!("{:?}", one.state)).collect();
        assert_eq!(states, expected);
        // Compacted: one line an approval, and the head.
        assert_eq!(fs::read_to_string(&path).unwrap().lines().count(), 3);
    }
}
