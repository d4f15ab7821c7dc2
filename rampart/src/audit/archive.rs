//! Old files of the chain: compressed (gzip, RFC 1952, which every tool reads), and removed when
//! somebody wants that, with a note in the chain that says what is gone.

use super::chain::{self, Chain};
use super::entry::{self, Tip};
use super::spool::LONGEST_LINE;
use crate::failure::{Failure, reason};
use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;
use serde::Serialize;
use serde_json::json;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read as _};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// What the name of a compressed file ends with.
pub const SUFFIX: &str = ".gz";

/// How many files at the end of the chain are never compressed or removed.
const LIVE: usize = 2;

fn is_compressed(path: &Path) -> bool {
    path.as_os_str().as_encoded_bytes().ends_with(SUFFIX.as_bytes())
}

/// Opens a file of the log for reading, compressed or not.
///
/// # Errors
/// What open(2) says.
pub fn open(path: &Path) -> io::Result<Box<dyn BufRead>> {
    const ROOM: usize = 256 * 1024;
    let file = File::open(path)?;
    if is_compressed(path) {
        let plain = MultiGzDecoder::new(BufReader::with_capacity(ROOM, file));
        return Ok(Box::new(BufReader::with_capacity(ROOM, plain)));
    }
    Ok(Box::new(BufReader::with_capacity(ROOM, file)))
}

/// Whether reading failed since a compressed file is damaged.
pub fn is_damage(error: &io::Error) -> bool {
    use io::ErrorKind::{InvalidData, InvalidInput, UnexpectedEof};
    matches!(error.kind(), InvalidData | InvalidInput | UnexpectedEof)
}

/// Compresses a file of the log that nobody writes to any more; one that is compressed stays.
///
/// # Errors
/// If the compressed file cannot be made; then the plain one is still there.
pub fn compress(path: &Path) -> io::Result<()> {
    if is_compressed(path) {
        return Ok(());
    }
    let name = |end: &str| {
        let mut name = path.as_os_str().to_owned();
        name.push(end);
        PathBuf::from(name)
    };
    let (new, compressed) = (name(".gz.new"), name(SUFFIX));
    let mut plain = File::open(path)?;
    match fs::remove_file(&new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
    let mut encoder = GzEncoder::new(file, Compression::default());
    io::copy(&mut plain, &mut encoder)?;
    let file = encoder.finish()?;
    // When its last entry was written is what retention goes by.
    file.set_modified(plain.metadata()?.modified()?)?;
    file.sync_all()?;
    fs::rename(&new, &compressed)?;
    File::open(path.parent().unwrap_or(Path::new(".")))?.sync_all()?;
    fs::remove_file(path)
}

/// What is to be removed: whole files from the start of the log, as long as one of these says so.
#[derive(Clone, Copy, Debug, Default)]
pub struct Limits {
    /// Whose last entry was written before this.
    pub before: Option<SystemTime>,
    /// While the log takes more than this, in bytes.
    pub largest: Option<u64>,
}

/// What was removed, or would be.
#[derive(Debug, Default, Serialize)]
pub struct Pruned {
    /// Names of the files.
    pub files: Vec<String>,
    /// Their size on the disk.
    pub bytes: u64,
    /// The last entry that is gone; 0 if none is.
    pub upto: u64,
}

/// Removes the oldest files of the log in `directory`, never the last two. The chain says what is
/// gone before it goes, so that `verify` can tell it from what somebody cut off.
///
/// # Errors
/// If the log cannot be read or written; what was removed by then is noted.
pub fn prune(directory: &Path, limits: Limits, is_trial: bool) -> Result<Pruned, Failure> {
    let failed = |error: io::Error| {
        let place = directory.display();
        Failure::other(format!("cannot prune the log in `{place}`: {}", reason(&error)))
    };
    if chain::files(directory).map_err(failed)?.is_empty() {
        return Ok(Pruned::default());
    }
    let mut chain = Chain::open(directory)?;
    let mut result = Pruned::default();
    let chosen = chosen(directory, limits).map_err(failed)?;
    for (path, size, tip) in &chosen {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        result.bytes += size;
        result.upto = tip.seq;
        if !is_trial {
            let note = json!({
                "note": "pruned", "name": name, "upto": tip.seq, "upto_hash": tip.hash.to_string(),
            });
            chain.note(note).map_err(failed)?;
        }
        result.files.push(name);
    }
    if !is_trial && !chosen.is_empty() {
        chain.commit().map_err(failed)?;
        super::seal::seal(directory, &mut chain).map_err(failed)?;
        for (path, _, _) in &chosen {
            fs::remove_file(path).map_err(failed)?;
        }
    }
    Ok(result)
}

/// The files to remove, with their sizes and their last entries.
fn chosen(directory: &Path, limits: Limits) -> io::Result<Vec<(PathBuf, u64, Tip)>> {
    let files = chain::files(directory)?;
    let mut total = 0_u64;
    for (_, path) in &files {
        total += fs::metadata(path)?.len();
    }
    let mut chosen = Vec::new();
    for (_, path) in files.iter().take(files.len().saturating_sub(LIVE)) {
        let found = fs::metadata(path)?;
        let is_old =
            limits.before.is_some_and(|before| found.modified().is_ok_and(|at| at < before));
        let is_much = limits.largest.is_some_and(|largest| total > largest);
        if !is_old && !is_much {
            break;
        }
        let Some(tip) = last(path)? else {
            // Broken: that is for `verify` to find, not to be removed unseen.
            break;
        };
        total = total.saturating_sub(found.len());
        chosen.push((path.clone(), found.len(), tip));
    }
    Ok(chosen)
}

/// The last entry of a file whose entries are all sound.
fn last(path: &Path) -> io::Result<Option<Tip>> {
    let mut reader = open(path)?;
    let (mut line, mut tip) = (Vec::new(), None);
    loop {
        line.clear();
        if reader.by_ref().take(LONGEST_LINE as u64 + 1).read_until(b'\n', &mut line)? == 0 {
            return Ok(tip);
        }
        let entry = entry::parse(line.strip_suffix(b"\n").unwrap_or(&line));
        match entry.filter(|entry| entry.hash == entry.actual) {
            Some(entry) => tip = Some(entry.tip()),
            None => return Ok(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::merge::merge;
    use crate::audit::seal;
    use crate::audit::verify::{Against, Report, verify};
    use std::time::Duration;

    fn event(number: u32) -> String {
        format!("{{\"v\":1,\"id\":\"E{number:05}\",\"outcome\":\"allowed\"}}\n")
    }

    fn report(directory: &Path, key: &str) -> Report {
        let key = seal::Key::from_verification(key);
        verify(directory, &Against { key, anchor: None }).unwrap()
    }

    /// A sealed log of several files.
    fn log() -> (tempfile::TempDir, String) {
        let root = tempfile::tempdir().unwrap();
        let key = seal::start(root.path()).unwrap();
        for part in 0..8 {
            let lines: String = (part * 100..part * 100 + 100).map(event).collect();
            fs::write(root.path().join("spool-0.jsonl"), lines).unwrap();
            merge(&[root.path().to_owned()]).unwrap();
        }
        (root, key)
    }

    #[test]
    fn what_is_pruned_is_known_and_what_is_cut_off_is_found() {
        let (root, key) = log();
        let before = chain::files(root.path()).unwrap();
        assert!(before.len() > 4, "{before:?}");
        let largest = Limits { largest: Some(40_000), before: None };
        let trial = prune(root.path(), largest, true).unwrap();
        assert_eq!(chain::files(root.path()).unwrap(), before);
        let pruned = prune(root.path(), largest, false).unwrap();
        assert_eq!((&trial.files, trial.upto), (&pruned.files, pruned.upto));
        assert!(!pruned.files.is_empty());
        let after = report(root.path(), &key);
        assert_eq!((after.problem_count, after.first), (0, pruned.upto + 1), "{after:?}");
        assert!(after.notes.iter().any(|note| note.what.contains("were pruned")), "{after:?}");
        // All but the last seal itself is proven.
        assert_eq!(after.proven_upto, Some(after.last - 1), "{after:?}");
        // One more file gone that no note tells of.
        let files = chain::files(root.path()).unwrap();
        fs::remove_file(&files[0].1).unwrap();
        let cut = report(root.path(), &key);
        assert!(cut.problem_count > 0 && cut.proven_upto == Some(0), "{cut:?}");
    }

    #[test]
    fn the_last_two_files_stay_and_old_is_what_was_written_long_ago() {
        let (root, _) = log();
        let hour = Duration::from_secs(3600);
        let none = Limits { before: Some(SystemTime::now() - hour), largest: None };
        assert!(prune(root.path(), none, false).unwrap().files.is_empty());
        let all = Limits { before: Some(SystemTime::now() + hour), largest: Some(0) };
        prune(root.path(), all, false).unwrap();
        assert_eq!(chain::files(root.path()).unwrap().len(), LIVE);
    }

    #[test]
    fn a_crash_while_compressing_leaves_the_plain_file() {
        let (root, key) = log();
        let (_, last) = chain::files(root.path()).unwrap().pop().unwrap();
        let name = |end: &str| PathBuf::from(format!("{}{end}", last.display()));
        fs::write(name(".gz"), "half").unwrap();
        fs::write(name(".gz.new"), "half").unwrap();
        assert_eq!(report(root.path(), &key).problem_count, 0);
        compress(&last).unwrap();
        assert_eq!(report(root.path(), &key).problem_count, 0);
        assert!(!last.exists() && name(".gz").exists());
        // One byte changed in a compressed file is found, or it cannot be read at all.
        let mut bytes = fs::read(name(".gz")).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(name(".gz"), bytes).unwrap();
        assert!(report(root.path(), &key).problem_count > 0);
    }
}
