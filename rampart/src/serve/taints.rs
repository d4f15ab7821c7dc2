//! What trees have come by: state that rules need (`tainted`) and no single process has. It lives as
//! long as the evaluator. A tree is known by its id, which nobody outside of it can guess.

use super::reports::Said;
use crate::channel::{Connection, Fields};
use crate::consent;
use evaluator::Answer;
use evaluator::wire::{Body, Kind, Tag};
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
}

impl Default for Keeper {
    fn default() -> Self {
        Self::Own(Arc::default())
    }
}

impl Keeper {
    /// What `tree` has come by, `more` included, which it does now.
    pub fn taint(&self, tree: &[u8], more: u8) -> Answer<u8> {
        let known = match self {
            Self::Own(taints) => {
                taints.lock().unwrap_or_else(PoisonError::into_inner).known(tree, more)
            }
            Self::At(socket) => asked(socket, tree, more),
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
}
