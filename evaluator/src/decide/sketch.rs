//! What the texts of a command hold, in a few bits, and which patterns that leaves. The literal
//! bytes of a pattern, four at a time, a whole text of less, and the number of slashes say for nearly every one
//! that no text can match it.

use crate::glob;
use crate::image::Image;
use crate::image::format::{NodeRecord, pattern};
use crate::image::gram::{Hashes, place, short};
use crate::request::Cwd;
use crate::world::World;

use super::found::Fault;
use super::patterns::records;
use super::pieces::{Notes, Pieces, behind};
use super::views::{View, anybody, below};

/// Numbers of 64 bits that a sketch has at least, if there is memory for them.
const NUMBERS: usize = 32;

/// Numbers that it has at most: as many as the keys of patterns tell apart.
const MOST_NUMBERS: usize = 1024;

/// Bytes of a glob that is looked at whole.
const SPELLED: usize = 16;

/// Pieces of a directory that rules need; one with more is looked at again for each command.
const MOST_PIECES: usize = 16;

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
        let wanted = wanted.min(MOST_NUMBERS);
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

    /// Adds the bits of another sketch with as many numbers.
    fn add_bits(&mut self, others: &[[u8; 8]]) {
        for (bits, other) in self.bits.iter_mut().zip(others) {
            let both = u64::from_le_bytes(*bits) | u64::from_le_bytes(*other);
            *bits = both.to_le_bytes();
        }
    }

    /// Adds a whole text.
    pub fn add(&mut self, text: &[u8]) {
        Hashes::new(place::PATH, text).for_each(|hash| self.set(hash));
        self.add_view(View::Whole, text);
    }

    fn add_short(&mut self, text: &[u8]) {
        if let Some(hash) = short(text) {
            self.set(hash);
        }
    }

    /// Adds `text` as `view` sees it, apart from its pieces, which the whole has.
    fn add_view(&mut self, view: View, text: &[u8]) {
        self.add_short(text);
        if let Some(depths) = self.depths.get_mut(view as usize) {
            *depths |= depth_bit(text);
        }
    }

    /// The patterns of `record` that these texts may match; `view` says what a pattern is compared
    /// with, and which part of it. For a small command only their keys are looked at.
    pub fn candidates(
        &self,
        is_small: bool,
        image: &Image<'_>,
        record: &NodeRecord,
        view: impl Fn(&[u8]) -> (View, &[u8]),
    ) -> Result<Candidates, Fault> {
        if self.all {
            return Ok(Candidates::ALL);
        }
        let globs = self.globs.iter().any(|depths| *depths != 0);
        let mut candidates = Candidates(0);
        for (position, found) in (0_u32..).zip(records(image, record.first, record.count)?) {
            let by_glob = globs && found.class == pattern::LITERAL;
            if found.key != 0 && !by_glob && !self.may_hold(found.key.into()) {
                continue;
            }
            let mut may = is_small;
            if !may {
                let text = image.text(found.text, found.len).ok_or(Fault::Corrupt)?;
                let (view, text) = view(text);
                may = self.may_match(view, text, found.class);
            }
            if may {
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

/// The directory that the paths of a command are relative to, and what it holds: the next command is most
/// often in the same one, or in one below it.
#[derive(Default)]
pub struct Base<'j> {
    path: &'j [u8],
    /// Those of a sketch of the fewest numbers; fewer if there is no memory for them.
    bits: &'j mut [[u8; 8]],
    /// Pieces that rules need.
    pieces: [u32; MOST_PIECES],
    count: usize,
}

impl<'j> Base<'j> {
    /// None yet, in the first bytes of `memory`; and what is left of that.
    pub fn new(memory: &'j mut [u8]) -> (Self, &'j mut [u8]) {
        let (own, rest) = memory.split_at_mut_checked(NUMBERS * 8).unwrap_or_default();
        let (bits, _) = own.as_chunks_mut();
        let mut new = Self { bits, ..Self::default() };
        new.forget();
        (new, rest)
    }

    /// Forgets it: which pieces rules need is not the same in another image.
    pub fn forget(&mut self) {
        self.bits.iter_mut().for_each(|bits| *bits = [0; 8]);
        (self.path, self.count) = (b"", 0);
    }

    /// Goes on to `path`; whether what it holds is known then.
    fn goes_to(&mut self, place: u8, path: &'j [u8], pieces: Option<&Pieces<'_>>) -> bool {
        if path == self.path {
            return true;
        }
        let Some(pieces) = pieces else {
            return false;
        };
        if !path.starts_with(self.path) {
            self.forget();
        }
        for hash in Hashes::new(place, behind(path, self.path.len())) {
            let Some(bits) = self.bits.get_mut((hash >> 6) as usize & (NUMBERS - 1)) else {
                return false;
            };
            *bits = (u64::from_le_bytes(*bits) | 1 << (hash & 63)).to_le_bytes();
            if pieces.needs(hash) {
                let Some(slot) = self.pieces.get_mut(self.count) else {
                    self.forget();
                    return false;
                };
                *slot = hash;
                self.count = self.count.saturating_add(1);
            }
        }
        self.path = path;
        true
    }
}

/// Adds the paths of a command to a sketch, as every pattern sees them.
pub struct PathNotes<'n, 'm, 'i, 'j> {
    /// Where they are added.
    pub sketch: &'n mut Sketch<'m>,
    /// The directory that the command before was in.
    pub base: &'n mut Base<'j>,
    /// The pieces that rules need, if they are wanted too.
    pub pieces: Option<&'n mut Pieces<'i>>,
    /// Whether only the keys of patterns are looked at afterwards.
    pub is_small: bool,
    /// The caller's home directory.
    pub home: Option<&'n [u8]>,
    /// The command's directory.
    pub cwd: Cwd<'n>,
    /// Who knows that, if nobody has asked yet.
    pub world: &'n dyn World,
}

impl PathNotes<'_, '_, '_, '_> {
    /// What the views see of `path`.
    fn views<'p>(&self, path: &'p [u8]) -> [(View, Option<&'p [u8]>); 4] {
        let below = below(self.cwd.known_to(self.world)).and_then(|cwd| path.strip_prefix(cwd));
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

impl<'j> Notes<'j> for PathNotes<'_, '_, '_, 'j> {
    fn note_base(&mut self, place: u8, base: &'j [u8]) -> usize {
        let known = self.sketch.mask == NUMBERS - 1
            && self.base.goes_to(place, base, self.pieces.as_deref());
        if !known {
            return 0;
        }
        self.sketch.add_bits(self.base.bits);
        if let Some(pieces) = self.pieces.as_mut() {
            for hash in self.base.pieces.iter().take(self.base.count) {
                pieces.add(*hash);
            }
        }
        base.len()
    }

    fn note(&mut self, place: u8, path: &[u8], noted: usize) {
        let text = behind(path, noted);
        match &mut self.pieces {
            Some(pieces) => pieces.add_all(place, text, |hash| self.sketch.set(hash)),
            None => Hashes::new(place, text).for_each(|hash| self.sketch.set(hash)),
        }
        for (view, text) in self.views(path) {
            match text {
                Some(text) if self.is_small => self.sketch.add_short(text),
                Some(text) => self.sketch.add_view(view, text),
                None => {}
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
        if let Some(pieces) = self.pieces.as_mut() {
            pieces.note_glob(place, path);
        }
    }

    fn note_all(&mut self) {
        self.sketch.all = true;
        if let Some(pieces) = self.pieces.as_mut() {
            pieces.note_all();
        }
    }

    fn is_all(&self) -> bool {
        self.sketch.all && self.pieces.as_ref().is_none_or(|pieces| pieces.is_all())
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

    /// How many patterns of `count` they are.
    pub const fn among(self, count: u32) -> u32 {
        let some = self.0.count_ones();
        if count > 63 && self.has(63) || some > count { count } else { some }
    }

    /// Whether there is none.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }
}
