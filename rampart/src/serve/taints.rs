//! What trees have come by: state that rules need (`tainted`) and no single process has. It lives as
//! long as the evaluator. A tree is known by its id, which nobody outside of it can guess.

use super::reports::Said;
use crate::channel::{Connection, Fields};
use crate::consent;
use evaluator::Answer;
use evaluator::wire::{Body, Kind, Tag};
use rustix::rand::{GetRandomFlags, getrandom};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// Most trees of which something is known. Of a further one nothing can be kept, which its rules take
/// for everything.
const MOST: usize = 65_536;

/// Longest id of a tree, in bytes: a library's, or a session of a host.
const LONGEST: usize = 256;

/// What each tree has come by: bits of `evaluator::image::format::taint`.
#[derive(Debug, Default)]
pub struct Taints(HashMap<Vec<u8>, u8>);

impl Taints {
    /// What `tree` has come by, `more` included, which it does now; `None` if that cannot be kept.
    fn known(&mut self, tree: &[u8], more: u8) -> Option<u8> {
        if let Some(known) = self.0.get_mut(tree) {
            *known |= more;
            return Some(*known);
        }
        if tree.is_empty() || tree.len() > LONGEST || self.0.len() >= MOST {
            return None;
        }
        if more != 0 {
            self.0.insert(tree.to_vec(), more);
        }
        Some(more)
    }
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
}
