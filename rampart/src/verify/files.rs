//! The files of this machine, and which of them an answer rests on: scripts that were read.

use crate::verdict::world::FileSystem;
use evaluator::{Answer, World};
use std::cell::RefCell;
use std::collections::BTreeMap;

/// How much of all scripts is kept, in bytes.
const KEPT: usize = 128 * 1024;

/// The files, and what was read of them.
#[derive(Default)]
pub struct Files {
    inner: FileSystem,
    read: RefCell<BTreeMap<Vec<u8>, Vec<u8>>>,
}

impl Files {
    /// What was read, by path: from the start, and no more than is kept.
    pub fn read(self) -> BTreeMap<Vec<u8>, Vec<u8>> {
        self.read.into_inner()
    }

    fn note(&self, path: &[u8], offset: usize, piece: &[u8]) {
        let mut read = self.read.borrow_mut();
        let used: usize = read.values().map(Vec::len).sum();
        let text = read.entry(path.to_vec()).or_default();
        // A piece that was read before is there already.
        if offset == text.len() && used + piece.len() <= KEPT {
            text.extend_from_slice(piece);
        }
    }
}

impl World for Files {
    fn resolve<'b>(&self, path: &[u8], out: &'b mut [u8]) -> Answer<&'b [u8]> {
        self.inner.resolve(path, out)
    }

    fn read<'b>(&self, path: &[u8], out: &'b mut [u8]) -> Answer<&'b [u8]> {
        let answer = self.inner.read(path, out);
        if let Answer::Value(piece) = answer {
            self.note(path, 0, piece);
        }
        answer
    }

    fn read_at<'b>(&self, path: &[u8], offset: u64, out: &'b mut [u8]) -> Answer<&'b [u8]> {
        let answer = self.inner.read_at(path, offset, out);
        if let Answer::Value(piece) = answer {
            self.note(path, usize::try_from(offset).unwrap_or(usize::MAX), piece);
        }
        answer
    }
}
