//! What trees have come by: state that rules need (`tainted`) and no single process has. It lives as
//! long as the evaluator; the daemon keeps it on the disk, for trees outlive its restarts. A tree is known by
//! its id, which nobody outside of it can guess.

use super::reports::Said;
use crate::channel::{Connection, Fields};
use crate::consent;
use crate::failure::{Failure, reason};
use crate::policy::image_store::write_atomically;
use crate::serve::requests::now;
use evaluator::Answer;
use evaluator::wire::{Body, Kind, Tag};
use rustix::rand::{GetRandomFlags, getrandom};
use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// Most trees of which something is known. Of a further one nothing can be kept, which its rules take
/// for everything.
const MOST: usize = 65_536;

/// Longest id of a tree, in bytes: a library's, or a session of a host.
const LONGEST: usize = 256;

/// How long a tree is remembered on the disk after it came by something, in seconds. Agents do not run for so
/// long.
const KEPT: u64 = 30 * 24 * 3600;

/// What each tree has come by: bits of `evaluator::image::format::taint`.
#[derive(Debug, Default)]
pub struct Taints {
    known: HashMap<Vec<u8>, u8>,
    /// Where it is kept: one line each time, when (seconds since the epoch), what, and which tree, in
    /// hexadecimal digits.
    file: Option<File>,
}

impl Taints {
    /// What is kept at `path`, where more is written to. What is old is left out.
    ///
    /// # Errors
    /// If it cannot be read or written.
    pub fn at(path: &Path) -> Result<Self, Failure> {
        let failed = |error: io::Error| {
            let path = path.display();
            let why = reason(&error);
            Failure::other(format!("cannot keep what trees have come by in `{path}`: {why}"))
        };
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
            Err(error) => return Err(failed(error)),
        };
        let (mut known, mut kept) = (HashMap::new(), String::new());
        let oldest = (now() / 1000).saturating_sub(KEPT);
        // A line that a crash cut short was believed by nobody.
        for line in text.split_inclusive('\n').filter(|line| line.ends_with('\n')) {
            let Some((when, bits, tree)) = parsed(line) else { continue };
            if when >= oldest && known.len() < MOST {
                *known.entry(tree).or_default() |= bits;
                kept.push_str(line);
            }
        }
        write_atomically(path, kept.as_bytes())?;
        let opened = OpenOptions::new().append(true).custom_flags(libc::O_NOFOLLOW).open(path);
        Ok(Self { known, file: Some(opened.map_err(failed)?) })
    }

    /// Puts it on the disk, where it is kept: whether it is there for sure.
    fn keep(&mut self, tree: &[u8], bits: u8) -> bool {
        let Some(file) = &mut self.file else { return true };
        let tree: String = tree.iter().map(|byte| format!("{byte:02x}")).collect();
        let line = format!("{} {bits} {tree}\n", now() / 1000);
        let written = file.write_all(line.as_bytes()).and_then(|()| file.sync_data());
        if let Err(error) = &written {
            complain!("rampart: error: what a tree has come by cannot be kept: {}", reason(error));
            // What follows must not be glued to half a line.
            let _ = file.write_all(b"\n");
        }
        written.is_ok()
    }

    /// What `tree` has come by, `more` included, which it does now; `None` if that cannot be kept.
    fn known(&mut self, tree: &[u8], more: u8) -> Option<u8> {
        let before = self.known.get(tree).copied();
        let is_full = before.is_none() && self.known.len() >= MOST;
        if tree.is_empty() || tree.len() > LONGEST || is_full {
            return None;
        }
        let known = before.unwrap_or_default();
        if more & !known == 0 {
            return Some(known);
        }
        self.known.insert(tree.to_vec(), known | more);
        self.keep(tree, more).then_some(known | more)
    }
}

/// One line: when, what, and which tree.
fn parsed(line: &str) -> Option<(u64, u8, Vec<u8>)> {
    let mut words = line.trim_end().split(' ');
    let (when, bits) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
    let tree = words.next()?.as_bytes();
    let digits = tree.chunks(2).map(|pair| {
        let pair = std::str::from_utf8(pair).ok()?;
        u8::from_str_radix(pair, 16).ok()
    });
    let tree = digits.collect::<Option<Vec<u8>>>()?;
    Some((when, bits, tree))
}

/// Who keeps them.
#[derive(Clone, Debug)]
pub enum Keeper {
    /// This process, for all of its threads.
    Own(Arc<Mutex<Taints>>),
    /// The evaluator that listens there.
    At(PathBuf),
    /// Another one, for processes of one tree that may say that they live in others.
    Joined(Box<Self>, Arc<Mutex<Trees>>),
}

/// The trees of which processes of one tree have said that they live there, the first of them the one that
/// nobody has to name.
#[derive(Debug)]
pub struct Trees {
    known: Vec<Vec<u8>>,
    are_too_many: bool,
}

impl Trees {
    /// How many are kept: nested `rampart run` make few. Whoever names more has come by everything.
    const MOST: usize = 64;

    fn note(&mut self, tree: &[u8]) {
        if tree.is_empty() || self.known.iter().any(|known| known == tree) {
            return;
        }
        if self.known.len() < Self::MOST && tree.len() <= LONGEST {
            self.known.push(tree.to_vec());
        } else {
            self.are_too_many = true;
        }
    }
}

impl Default for Keeper {
    fn default() -> Self {
        Self::Own(Arc::default())
    }
}

impl Keeper {
    /// All that processes of one tree come by, kept by `self`: of whatever trees they say they are.
    pub fn joined(self) -> Self {
        let mut own = [0; 16];
        let _ = getrandom(&mut own, GetRandomFlags::empty());
        let trees = Trees { known: vec![own.to_vec()], are_too_many: false };
        Self::Joined(Box::new(self), Arc::new(Mutex::new(trees)))
    }

    /// A process says that it lives in `tree`.
    pub fn note(&self, tree: &[u8]) {
        if let Self::Joined(_, trees) = self {
            trees.lock().unwrap_or_else(PoisonError::into_inner).note(tree);
        }
    }

    /// This process, which keeps them at `path`.
    ///
    /// # Errors
    /// As [`Taints::at`].
    pub fn at(path: &Path) -> Result<Self, Failure> {
        Ok(Self::Own(Arc::new(Mutex::new(Taints::at(path)?))))
    }

    /// What `tree` has come by, `more` included, which it does now.
    pub fn taint(&self, tree: &[u8], more: u8) -> Answer<u8> {
        let known = match self {
            Self::Own(taints) => {
                taints.lock().unwrap_or_else(PoisonError::into_inner).known(tree, more)
            }
            Self::At(socket) => asked(socket, tree, more),
            Self::Joined(keeper, trees) => {
                let mut trees = trees.lock().unwrap_or_else(PoisonError::into_inner);
                trees.note(tree);
                let known = trees.known.iter().try_fold(0, |known, tree| {
                    let Answer::Value(found) = keeper.taint(tree, more) else {
                        return None;
                    };
                    Some(known | found)
                });
                known.filter(|_| !trees.are_too_many)
            }
        };
        known.map_or(Answer::Unavailable, Answer::Value)
    }

    /// The same for a request of kind [`Kind::Taint`].
    pub fn answer(&self, body: Body<'_>) -> Said {
        let tree = body.one(Tag::Tree).unwrap_or_default();
        let more = body.one(Tag::Taint).and_then(<[u8]>::first).copied().unwrap_or_default();
        let body = match self.taint(tree, more) {
            Answer::Value(known) => Fields::default().with(Tag::Taint, &[known]),
            Answer::Absent | Answer::Unavailable => Fields::default(),
        };
        Said { kind: Kind::Answer, body }
    }
}

fn asked(socket: &Path, tree: &[u8], more: u8) -> Option<u8> {
    let body = Fields::default().with(Tag::Tree, tree).with(Tag::Taint, &[more]);
    let connection = Connection::open(socket).ok()?;
    connection.send(Kind::Taint, &body).ok()?;
    let packet = connection.receive(consent::GRACE).ok()?;
    let body = Body::read(&packet.body).ok().filter(|_| packet.kind == Kind::Answer)?;
    body.one(Tag::Taint)?.first().copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_known_grows() {
        let mut taints = Taints::default();
        for (tree, more, known) in [
            ("a", 0, Some(0)),
            ("a", 1, Some(1)),
            ("b", 2, Some(2)),
            ("a", 2, Some(3)),
            ("b", 0, Some(2)),
            ("c", 0, Some(0)),
            ("", 1, None),
        ] {
            assert_eq!(taints.known(tree.as_bytes(), more), known, "{tree} {more}");
        }
        assert_eq!(taints.known(&[b'x'; LONGEST + 1], 1), None);
        for number in 0..MOST {
            let _ = taints.known(number.to_string().as_bytes(), 1);
        }
        assert_eq!((taints.known(b"one more", 1), taints.known(b"a", 0)), (None, Some(3)));
    }

    #[test]
    fn joined_trees_are_one() {
        let own = Keeper::default();
        let joined = own.clone().joined();
        joined.note(b"a");
        assert_eq!(joined.taint(b"", 1), Answer::Value(1));
        assert_eq!(own.taint(b"a", 0), Answer::Value(1), "what nobody names is everybody's");
        own.taint(b"a", 2);
        for tree in ["", "a", "another"] {
            assert_eq!(joined.taint(tree.as_bytes(), 0), Answer::Value(3), "{tree}");
        }
        assert_eq!(own.taint(b"b", 0), Answer::Value(0), "it has nothing to do with them");
        for number in 0..Trees::MOST {
            joined.note(number.to_string().as_bytes());
        }
        assert_eq!(joined.taint(b"", 0), Answer::Unavailable);
    }

    #[test]
    fn what_is_kept_is_there_again() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("taints");
        let now = now() / 1000;
        // One that is old, two that are not, and one that a crash cut short.
        let text = format!("1000000 1 6f6c64\n{now} 2 61\nnonsense\n{now} 1 62\n{now} 2 63");
        fs::write(&path, text).unwrap();
        let mut taints = Taints::at(&path).unwrap();
        for (tree, known) in [("old", 0), ("a", 2), ("b", 1), ("c", 0)] {
            assert_eq!(taints.known(tree.as_bytes(), 0), Some(known), "{tree}");
        }
        let odd = b"a \n\xff";
        assert_eq!((taints.known(odd, 1), taints.known(b"a", 1)), (Some(1), Some(3)));
        let mut taints = Taints::at(&path).unwrap();
        assert_eq!((taints.known(odd, 0), taints.known(b"a", 0)), (Some(1), Some(3)));
        assert_eq!(fs::read_to_string(&path).unwrap().lines().count(), 4);
    }
}
