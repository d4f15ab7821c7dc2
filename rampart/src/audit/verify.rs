//! What the log proves: whether every entry is there and unchanged, up to where that is sealed, and
//! what is only consistent with itself. Reads only; a problem is found where it is, and the rest
//! is still looked at.

use super::archive;
use super::chain;
use super::entry::{self, Entry, Hash, Tip};
use super::seal::Key;
use super::spool::LONGEST_LINE;
use serde::Serialize;
use serde_json::{Map, Value};
use std::io::{self, BufRead, Read as _};
use std::path::Path;

/// Most problems that are told one by one.
const TOLD: usize = 50;

/// Something that is not as it was written.
#[derive(Clone, Debug, Serialize, PartialEq, Eq)]
pub struct Problem {
    /// The file's name; empty for what concerns the whole log.
    pub file: String,
    /// The line in it, from 1; 0 for the whole file.
    pub line: u64,
    /// What is wrong.
    pub what: String,
}

/// What was found.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Report {
    /// Chain files.
    pub files: u64,
    /// Sound entries.
    pub entries: u64,
    /// Number of the first entry.
    pub first: u64,
    /// Number of the last entry.
    pub last: u64,
    /// Hash of the last entry.
    pub tip: String,
    /// How many seals there are.
    pub seals: u64,
    /// The last entry that a seal covers.
    pub sealed_upto: u64,
    /// The last entry that is proven with the verification key; absent without one.
    pub proven_upto: Option<u64>,
    /// The last entry that the external anchor names; absent without one.
    pub anchored_upto: Option<u64>,
    /// What is broken or missing, at most 50 of them.
    pub problems: Vec<Problem>,
    /// How many problems there are.
    pub problem_count: u64,
    /// What is odd and breaks nothing.
    pub notes: Vec<Problem>,
}

impl Report {
    fn problem(&mut self, file: &str, line: u64, what: impl Into<String>) {
        self.problem_count += 1;
        if self.problems.len() < TOLD {
            self.problems.push(Problem { file: file.to_owned(), line, what: what.into() });
        }
    }

    fn note(&mut self, file: &str, line: u64, what: impl Into<String>) {
        if self.notes.len() < TOLD {
            self.notes.push(Problem { file: file.to_owned(), line, what: what.into() });
        }
    }
}

/// What to hold the log against.
#[derive(Default)]
pub struct Against {
    /// The key of the first epoch.
    pub key: Option<Key>,
    /// An entry that was noted elsewhere.
    pub anchor: Option<Tip>,
}

/// Verifies the log in `directory`.
///
/// # Errors
/// If a file cannot be read.
pub fn verify(directory: &Path, against: &Against) -> io::Result<Report> {
    let mut walk = Walk {
        report: Report::default(),
        tip: None,
        key: against.key,
        epoch: None,
        latest: String::new(),
        anchor: against.anchor,
        start: None,
        pruned: Vec::new(),
    };
    walk.report.proven_upto = against.key.map(|_| 0);
    let mut number = None;
    for (found, path) in chain::files(directory)? {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if let Some(before) = number
            && found != before + 1
        {
            walk.report.problem(&name, 0, format!("file {} before it is missing", before + 1));
        }
        number = Some(found);
        walk.report.files += 1;
        match walk.file(&name, archive::open(&path)?) {
            Err(error) if archive::is_damage(&error) => {
                walk.report.problem(&name, 0, format!("it cannot be unpacked: {error}"));
            }
            other => other?,
        }
    }
    walk.end(Key::load(directory));
    Ok(walk.report)
}

struct Walk {
    report: Report,
    /// The entry before, as it should be continued.
    tip: Option<Tip>,
    /// The key of the next seal.
    key: Option<Key>,
    /// The epoch of the last seal.
    epoch: Option<u64>,
    /// The latest time so far.
    latest: String,
    anchor: Option<Tip>,
    /// Where the log begins if not with entry 1, and what should stand before it.
    start: Option<(String, Tip)>,
    /// What the log says was removed from its start: up to which entry, when.
    pruned: Vec<(Tip, String)>,
}

impl Walk {
    fn file(&mut self, name: &str, mut reader: impl BufRead) -> io::Result<()> {
        let mut line = Vec::new();
        for number in 1_u64.. {
            line.clear();
            let most = LONGEST_LINE as u64 + 1;
            if reader.by_ref().take(most).read_until(b'\n', &mut line)? == 0 {
                break;
            }
            if line.pop_if(|byte| *byte == b'\n').is_none() && (line.len() as u64) < most {
                let what =
                    format!("an unfinished entry of {} bytes (a crash, or a cut)", line.len());
                self.report.note(name, number, what);
                break;
            }
            match entry::parse(&line) {
                Some(found) => self.entry(name, number, &found),
                None => self.report.problem(name, number, "this is no entry"),
            }
        }
        Ok(())
    }

    fn entry(&mut self, name: &str, line: u64, found: &Entry<'_>) {
        if found.hash != found.actual {
            let what = format!("entry {} was changed after it was written", found.seq);
            self.report.problem(name, line, what);
            // What follows is held against what this entry says of itself.
            self.tip = Some(found.tip());
            return;
        }
        let before = self.tip.unwrap_or(Tip::START);
        if self.tip.is_none() && found.seq > 1 {
            // Whether that is right, a note further on says.
            self.start = Some((name.to_owned(), Tip { seq: found.seq - 1, hash: found.prev }));
        } else if (found.seq, found.prev) != (before.seq.saturating_add(1), before.hash) {
            let what = match found.seq.checked_sub(before.seq) {
                Some(gap @ 2..) => {
                    format!("{} entries before entry {} are missing", gap - 1, found.seq)
                }
                Some(1) => format!("entry {} does not continue the one before it", found.seq),
                _ => format!("entry {} stands behind entry {}", found.seq, before.seq),
            };
            self.report.problem(name, line, what);
        }
        let report = &mut self.report;
        report.entries += 1;
        if report.first == 0 {
            report.first = found.seq;
        }
        report.last = found.seq;
        report.tip = found.hash.to_string();
        if let Some(anchor) = self.anchor
            && anchor.seq == found.seq
        {
            match anchor.hash == found.hash {
                true => report.anchored_upto = Some(found.seq),
                false => report.problem(
                    name,
                    line,
                    format!("entry {} is not the one that the anchor names", found.seq),
                ),
            }
        }
        self.contents(name, line, found, before);
        self.tip = Some(found.tip());
    }

    /// Seals, and the order of time.
    fn contents(&mut self, name: &str, line: u64, found: &Entry<'_>, before: Tip) {
        let Ok(Value::Object(members)) = serde_json::from_slice(&found.object()) else {
            self.report.note(name, line, "an entry that is no JSON object");
            return;
        };
        let text = |key: &str| members.get(key).and_then(Value::as_str).unwrap_or_default();
        let kind = if found.event.starts_with(b"{\"note\":") { text("note") } else { "" };
        match kind {
            "seal" => self.seal(name, line, &members, before),
            "pruned" => {
                let upto = members.get("upto").and_then(Value::as_u64);
                if let (Some(seq), Some(hash)) = (upto, Hash::parse(text("upto_hash").as_bytes())) {
                    self.pruned.push((Tip { seq, hash }, text("time").to_owned()));
                }
            }
            "torn" | "broken" | "foreign" => {
                let what = format!("the writer found something {kind} here and went on");
                self.report.note(name, line, what);
            }
            _ => {}
        }
        // Lines of different processes and spools are in no exact order; an hour is another matter.
        let time = text("time");
        if hour(time) < hour(&self.latest) && kind == "merge" {
            let what = format!("the clock went back: {time} after {}", self.latest);
            self.report.note(name, line, what);
        }
        if !kind.is_empty() && time > self.latest.as_str() {
            self.latest = time.to_owned();
        }
    }

    fn seal(&mut self, name: &str, line: u64, members: &Map<String, Value>, before: Tip) {
        let number = |key: &str| members.get(key).and_then(Value::as_u64);
        let (Some(epoch), Some(upto)) = (number("epoch"), number("upto")) else {
            self.report.problem(name, line, "a seal without its numbers");
            return;
        };
        // Of a log whose start was removed, the seals of that are gone as well.
        let expected = match (self.epoch, &self.start) {
            (None, Some(_)) => epoch,
            (last, _) => last.map_or(0, |last| last + 1),
        };
        if epoch != expected {
            self.report.problem(name, line, format!("seal {epoch} where seal {expected} belongs"));
        }
        self.report.seals += 1;
        self.epoch = Some(epoch);
        self.report.sealed_upto = upto;
        let Some(mut key) = self.key else {
            return;
        };
        while key.epoch < epoch.min(key.epoch.saturating_add(1 << 24)) {
            key = key.next();
        }
        let mac = members.get("mac").and_then(Value::as_str).map(str::as_bytes);
        let is_right = upto == before.seq
            && key.epoch == epoch
            && mac.and_then(Hash::parse).is_some_and(|mac| mac == key.seal(before));
        self.key = Some(key.next());
        if !is_right {
            self.report.problem(name, line, format!("seal {epoch} is not by the key: what stands before it was forged, or the key is another's"));
        } else if self.report.problem_count == 0 {
            self.report.proven_upto = Some(upto);
        }
    }

    /// What the log as a whole lacks, held against the key in use.
    fn end(&mut self, in_use: io::Result<Option<Key>>) {
        self.beginning();
        let sealed = self.epoch.map_or(0, |last| last + 1);
        match in_use {
            Ok(Some(key)) if key.epoch > sealed => {
                let missing = key.epoch - sealed;
                self.report.problem(
                    "",
                    0,
                    format!("{missing} seals are missing at the end: entries were cut off"),
                );
            }
            // One more: a crash between the seal and the next key.
            Ok(Some(key)) if key.epoch + 1 < sealed => {
                let what =
                    "`seal.key` is older than the log: it was put back, or the log is another's";
                self.report.problem("", 0, what);
            }
            Ok(Some(key)) => {
                if let Some(expected) = self.key
                    && expected.epoch == key.epoch
                    && expected != key
                {
                    self.report.problem(
                        "",
                        0,
                        "`seal.key` does not follow from the verification key",
                    );
                }
            }
            Ok(None) if sealed > 0 => {
                self.report.problem("", 0, "the log is sealed and `seal.key` is gone: what was cut off at the end cannot be known");
            }
            Ok(None) if self.report.proven_upto.is_some() => {
                self.report.problem(
                    "",
                    0,
                    "the log holds no seal: it is not the one that the key belongs to",
                );
            }
            Ok(None) => {}
            Err(error) => self.report.problem("", 0, format!("`seal.key` cannot be read: {error}")),
        }
        if let Some(anchor) = self.anchor
            && self.report.anchored_upto.is_none()
        {
            self.report.problem(
                "",
                0,
                format!("entry {}, which the anchor names, is missing or another", anchor.seq),
            );
        }
    }
}

impl Walk {
    /// A log may begin late if it says itself what was removed (`rampart audit prune`).
    fn beginning(&mut self) {
        let Some((name, start)) = self.start.take() else {
            return;
        };
        match self.pruned.iter().find(|(upto, _)| *upto == start) {
            Some((_, when)) => {
                let what = format!("the first {} entries were pruned at {when}", start.seq);
                self.report.note(&name, 1, what);
            }
            None => {
                self.report.proven_upto = self.report.proven_upto.map(|_| 0);
                self.report.problem(
                    &name,
                    1,
                    format!("the first {} entries are missing", start.seq),
                );
            }
        }
    }
}

/// `2026-11-23T07` of a time.
fn hour(time: &str) -> &str {
    time.get(..13).unwrap_or_default()
}

#[cfg(test)]
mod tests;
