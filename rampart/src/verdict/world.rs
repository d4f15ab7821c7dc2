//! The world as std shows it, for verdicts outside a guarded process.

use evaluator::{Answer, World};
use std::cell::RefCell;
use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::rc::Rc;
use std::time::{SystemTime, UNIX_EPOCH};

use rustix::fs::{Mode, OFlags};

/// How many answers are kept, so that a long input cannot fill the memory.
const KEPT: usize = 1024;

/// The file system of this process. Where a path leads is looked up once until
/// [`FileSystem::forget`]: many rules ask the same, and a verdict should see one state of things.
#[derive(Debug, Default)]
pub struct FileSystem {
    resolved: RefCell<HashMap<Vec<u8>, Resolved>>,
}

/// Where a path leads.
type Resolved = Answer<Rc<[u8]>>;

impl FileSystem {
    /// Forgets what was looked up: time has passed.
    pub fn forget(&self) {
        self.resolved.borrow_mut().clear();
    }

    fn resolved(&self, path: &[u8]) -> Resolved {
        if let Some(known) = self.resolved.borrow().get(path) {
            return known.clone();
        }
        let answer = match fs::canonicalize(OsStr::from_bytes(path)) {
            Ok(found) => Answer::Value(found.as_os_str().as_bytes().into()),
            Err(error) => missing(&error),
        };
        let mut resolved = self.resolved.borrow_mut();
        if resolved.len() >= KEPT {
            resolved.clear();
        }
        resolved.insert(path.to_vec(), answer.clone());
        answer
    }
}

impl World for FileSystem {
    fn resolve<'b>(&self, path: &[u8], out: &'b mut [u8]) -> Answer<&'b [u8]> {
        match self.resolved(path) {
            Answer::Value(found) => match out.get_mut(..found.len()) {
                Some(out) => {
                    out.copy_from_slice(&found);
                    Answer::Value(out)
                }
                None => Answer::Unavailable,
            },
            Answer::Absent => Answer::Absent,
            Answer::Unavailable => Answer::Unavailable,
        }
    }

    fn read<'b>(&self, path: &[u8], out: &'b mut [u8]) -> Answer<&'b [u8]> {
        match read_into(Path::new(OsStr::from_bytes(path)), out) {
            Ok(Some(length)) => out.get(..length).map_or(Answer::Unavailable, Answer::Value),
            Ok(None) => Answer::Unavailable,
            Err(error) => missing(&error),
        }
    }

    fn now(&self) -> Answer<u64> {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        since.map_or(Answer::Unavailable, |since| Answer::Value(since.as_secs()))
    }
}

fn missing<T>(error: &io::Error) -> Answer<T> {
    match error.kind() {
        ErrorKind::NotFound | ErrorKind::NotADirectory => Answer::Absent,
        _ => Answer::Unavailable,
    }
}

/// Reads a whole regular file; `None` if it is none or does not fit. Never waits: a FIFO is not
/// opened for long enough.
fn read_into(path: &Path, out: &mut [u8]) -> io::Result<Option<usize>> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    let mut file = File::from(rustix::fs::open(path, flags, Mode::empty())?);
    if !file.metadata()?.is_file() {
        return Ok(None);
    }
    let mut length = 0;
    loop {
        let rest = out.get_mut(length..).unwrap_or_default();
        if rest.is_empty() {
            // Full: whole only if nothing follows.
            let more = file.read(&mut [0u8; 1])?;
            return Ok((more == 0).then_some(length));
        }
        match file.read(rest) {
            Ok(0) => return Ok(Some(length)),
            Ok(count) => length += count,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn answers() {
        let root = tempfile::tempdir().unwrap();
        let base = root.path().canonicalize().unwrap();
        let at = |name: &str| base.join(name).into_os_string().into_encoded_bytes();
        fs::write(base.join("file"), "twelve bytes").unwrap();
        symlink("file", base.join("link")).unwrap();
        symlink("loop", base.join("loop")).unwrap();
        rustix::fs::mkfifoat(rustix::fs::CWD, base.join("fifo"), Mode::RWXU).unwrap();
        let mut long = [0u8; 4096];
        let world = FileSystem::default();

        assert_eq!(world.resolve(&at("link"), &mut long), Answer::Value(&at("file")[..]));
        assert_eq!(world.resolve(&at("none"), &mut long), Answer::Absent);
        assert_eq!(world.resolve(&at("file/x"), &mut long), Answer::Absent);
        assert_eq!(world.resolve(&at("loop"), &mut long), Answer::Unavailable);
        assert_eq!(world.resolve(&at("file"), &mut [0; 3]), Answer::Unavailable);

        // One state of things until told otherwise.
        fs::write(base.join("none"), "").unwrap();
        assert_eq!(world.resolve(&at("none"), &mut long), Answer::Absent);
        world.forget();
        assert_ne!(world.resolve(&at("none"), &mut long), Answer::Absent);
        fs::remove_file(base.join("none")).unwrap();

        assert_eq!(world.read(&at("link"), &mut long), Answer::Value(&b"twelve bytes"[..]));
        assert_eq!(world.read(&at("file"), &mut [0; 12]), Answer::Value(&b"twelve bytes"[..]));
        assert_eq!(world.read(&at("file"), &mut [0; 11]), Answer::Unavailable);
        assert_eq!(world.read(&at("none"), &mut long), Answer::Absent);
        assert_eq!(world.read(&at(""), &mut long), Answer::Unavailable);
        assert_eq!(world.read(&at("fifo"), &mut long), Answer::Unavailable);
    }
}
