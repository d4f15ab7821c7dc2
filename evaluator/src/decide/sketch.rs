//! What the texts of a command hold, in a few bits, and which patterns that leaves. The literal
//! bytes of a pattern, four at a time, a whole text of less, and the number of slashes say for nearly every one
//! that no text can match it.

use crate::glob;
use crate::image::Image;
use crate::image::format::{NodeRecord, pattern};
use crate::image::gram::{self, Hashes, place};

use super::found::Fault;
use super::pieces::{Notes, behind};
use super::views::{View, anybody};

/// Numbers of 64 bits that a sketch has at least, if there is memory for them.
const NUMBERS: usize = 32;

/// Bytes of a glob that is looked at whole.
const SPELLED: usize = 16;

/// Words of a command for which it has another number.
const WORDS_PER_NUMBER: usize = 2;

/// What some texts hold.
#[derive(Default)]
pub struct Sketch<'m> {
    /// One of so many bits for each piece of text.
    bits: &'m mut [[u8; 8]],
    /// Selects one of the numbers in use, which are a power of two.
    mask: usize,
    /// For each view, the numbers of slashes that occur.
    depths: [u64; 3],
    /// The same for globs, which also fit the literal patterns that they stand for.
    globs: [u64; 3],
    /// Whether they may hold anything.
    all: bool,
}

impl<'m> Sketch<'m> {
    /// That of no text, in `memory`.
    pub fn new(memory: &'m mut [u8]) -> Self {
        let (bits, _) = memory.as_chunks_mut();
        Self { bits, ..Self::default() }
    }

    /// Begins anew, with room for so many words.
    pub fn begin(&mut self, words: u32) {
        let wanted = (words as usize / WORDS_PER_NUMBER).max(NUMBERS).next_power_of_two();
        let most = (self.bits.len() / 2).saturating_add(1).next_power_of_two();
        self.mask = wanted.min(most).saturating_sub(1);
        self.bits.iter_mut().take(self.mask.saturating_add(1)).for_each(|bits| *bits = [0; 8]);
        (self.depths, self.globs, self.all) = ([0; 3], [0; 3], self.bits.is_empty());
    }

    fn place(&self, hash: u32) -> (usize, u64) {
        ((hash >> 6) as usize & self.mask, 1 << (hash & 63))
    }

    fn may_hold(&self, hash: u32) -> bool {
        let (number, bit) = self.place(hash);
        self.bits.get(number).is_none_or(|bits| u64::from_le_bytes(*bits) & bit != 0)
    }

    fn set(&mut self, hash: u32) {
        let (number, bit) = self.place(hash);
        if let Some(bits) = self.bits.get_mut(number) {
            *bits = (u64::from_le_bytes(*bits) | bit).to_le_bytes();
        }
    }

    /// Adds `text` as `view` sees it; its pieces only if it is a whole one, which holds the others.
    /// Those of its first `noted` bytes were added before.
    pub fn add(&mut self, view: View, text: &[u8], noted: usize) {
        if view == View::Whole {
            Hashes::new(place::PATH, behind(text, noted)).for_each(|hash| self.set(hash));
        }
        if let Some(hash) = short(text) {
            self.set(hash);
        }
        if let Some(depths) = self.depths.get_mut(view as usize) {
            *depths |= depth_bit(text);
        }
    }

    /// The patterns of `record` that these texts may match; `view` says what a pattern is compared
    /// with, and which part of it.
    pub fn candidates(
        &self,
        image: &Image<'_>,
        record: &NodeRecord,
        view: impl Fn(&[u8]) -> (View, &[u8]),
    ) -> Result<Candidates, Fault> {
        if self.all {
            return Ok(Candidates::ALL);
        }
        let mut candidates = Candidates(0);
        for position in 0..record.count {
            let index = record.first.saturating_add(position);
            let (found, text) = image.pattern(index).ok_or(Fault::Corrupt)?;
            let (view, text) = view(text);
            if self.may_match(view, text, found.class) {
                candidates.0 |= Candidates::bit(position);
            }
        }
        Ok(candidates)
    }

    fn may_match(&self, view: View, text: &[u8], class: u8) -> bool {
        let of = |depths: &[u64; 3]| depths.get(view as usize).copied().unwrap_or(u64::MAX);
        let literal = class == pattern::LITERAL;
        if literal && depth_bit(text) & of(&self.globs) != 0 {
            return true;
        }
        // A command glob without a star at its ends is a path glob.
        let open = matches!(text, [b'*', ..] | [.., b'*']);
        let is_path = class == pattern::PATH_GLOB || class == pattern::GLOB && !open;
        let depth = match class {
            pattern::LITERAL => depth_bit(text),
            _ if is_path => glob_depth(text),
            _ => u64::MAX,
        };
        if depth & of(&self.depths) == 0 {
            return false;
        }
        let mut room = [0; SPELLED];
        let spelled = if literal { Some(text) } else { spelled(text, &mut room) };
        if let Some(text) = spelled.filter(|_| literal || is_path) {
            return short(text).map_or_else(|| self.may_hold_all(text), |hash| self.may_hold(hash));
        }
        if class == pattern::SUBSTRING {
            return self.may_hold_all(text);
        }
        // A leading `**/` may also stand for nothing, and in a class is one of its bytes.
        let text = text.strip_prefix(b"**/").unwrap_or(text);
        let text = text.split(|byte| *byte == b'[').next().unwrap_or(text);
        text.split(|byte| matches!(byte, b'*' | b'?')).all(|run| self.may_hold_all(run))
    }

    /// Whether some text may hold `run`.
    fn may_hold_all(&self, run: &[u8]) -> bool {
        Hashes::new(place::PATH, run).all(|hash| self.may_hold(hash))
    }
}

/// One of 64 bits for a number of slashes.
const fn bit(slashes: usize) -> u64 {
    1 << if slashes < 63 { slashes } else { 63 }
}

/// The bit for the slashes in `text`, backslashes among them (`glob`).
fn depth_bit(text: &[u8]) -> u64 {
    bit(text.iter().filter(|byte| matches!(byte, b'/' | b'\\')).count())
}

/// The bit for the slashes of all that a path glob matches; all bits if they may be more or fewer.
fn glob_depth(mut glob: &[u8]) -> u64 {
    let mut slashes = 0_usize;
    loop {
        glob = match glob {
            [] => return bit(slashes),
            [b'*', b'*', ..] => return u64::MAX,
            // A class stands for one byte, which is no slash.
            [b'[', rest @ ..] => match glob::class_len(rest) {
                Some(len) => rest.get(len.saturating_add(1)..).unwrap_or(&[]),
                None => rest,
            },
            [byte, rest @ ..] => {
                slashes = slashes.saturating_add(matches!(byte, b'/' | b'\\').into());
                rest
            }
        }
    }
}

/// The only text that `glob` matches, if there is one and it fits: `[*]` is a star.
fn spelled<'m>(mut glob: &[u8], room: &'m mut [u8; SPELLED]) -> Option<&'m [u8]> {
    let mut len = 0;
    while let [first, ..] = glob {
        let (byte, rest) = match glob {
            [b'[', byte, b']', rest @ ..] if !matches!(byte, b'!' | b'^' | b']') => (byte, rest),
            [b'*' | b'?' | b'[', ..] => return None,
            [_, rest @ ..] => (first, rest),
            [] => break,
        };
        *room.get_mut(len)? = *byte;
        len = len.saturating_add(1);
        glob = rest;
    }
    room.get(..len)
}

/// A hash of a text that is too short for a piece.
fn short(text: &[u8]) -> Option<u32> {
    if text.len() >= gram::LEN {
        return None;
    }
    // No path and no word holds this byte, so it is no piece of a longer text.
    let mut padded = [b'\n'; gram::LEN + 1];
    padded.iter_mut().zip(text).for_each(|(to, from)| *to = *from);
    Hashes::new(place::WORD, padded.get(..gram::LEN)?).next()
}

/// Adds the paths of a command to a sketch, as every pattern sees them.
pub struct PathNotes<'n, 'm> {
    /// Where they are added.
    pub sketch: &'n mut Sketch<'m>,
    /// The caller's home directory.
    pub home: Option<&'n [u8]>,
    /// The command's directory, without the slash behind it.
    pub cwd: Option<&'n [u8]>,
}

impl PathNotes<'_, '_> {
    /// What the views see of `path`.
    fn views<'p>(&self, path: &'p [u8]) -> [(View, Option<&'p [u8]>); 4] {
        let below = self.cwd.and_then(|cwd| path.strip_prefix(cwd));
        // What is not below it is compared whole.
        let below = below.and_then(|rest| rest.strip_prefix(b"/")).unwrap_or(path);
        [
            (View::Whole, Some(path)),
            (View::Home, self.home.and_then(|home| path.strip_prefix(home))),
            (View::Home, anybody(path)),
            (View::Below, Some(below)),
        ]
    }
}

impl Notes for PathNotes<'_, '_> {
    fn note(&mut self, _place: u8, path: &[u8], noted: usize) {
        for (view, text) in self.views(path) {
            if let Some(text) = text {
                self.sketch.add(view, text, noted);
            }
        }
    }

    fn note_glob(&mut self, place: u8, path: &[u8]) {
        self.note(place, path, 0);
        for (view, text) in self.views(path) {
            if let (Some(text), Some(globs)) = (text, self.sketch.globs.get_mut(view as usize)) {
                *globs |= glob_depth(text);
            }
        }
    }

    fn note_all(&mut self) {
        self.sketch.all = true;
    }

    fn is_all(&self) -> bool {
        self.sketch.all
    }
}

/// Tells two of what the paths of a command hold.
pub struct Both<'n>(pub &'n mut dyn Notes, pub &'n mut dyn Notes);

impl Notes for Both<'_> {
    fn note(&mut self, place: u8, path: &[u8], noted: usize) {
        self.0.note(place, path, noted);
        self.1.note(place, path, noted);
    }

    fn note_glob(&mut self, place: u8, path: &[u8]) {
        self.0.note_glob(place, path);
        self.1.note_glob(place, path);
    }

    fn note_all(&mut self) {
        self.0.note_all();
        self.1.note_all();
    }

    fn is_all(&self) -> bool {
        self.0.is_all() && self.1.is_all()
    }
}

/// Which patterns of a node may match, by their position: the last bit stands for all from there
/// on.
#[derive(Clone, Copy)]
pub struct Candidates(u64);

impl Candidates {
    /// All of them.
    pub const ALL: Self = Self(u64::MAX);

    const fn bit(position: u32) -> u64 {
        1 << if position < 63 { position } else { 63 }
    }

    /// Whether the pattern at `position` is among them.
    pub const fn has(self, position: u32) -> bool {
        self.0 & Self::bit(position) != 0
    }

    /// Whether there is none.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }
}
