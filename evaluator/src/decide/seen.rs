//! What the words of a command hold, in a few bits. A command of a thousand operands is looked at
//! by dozens of rules with dozens of patterns each; nearly all of them need a piece of text that no
//! word has, and these bits say so without looking at the words again.

use crate::command::{Command, Tree, WordFlags};
use crate::image::Image;
use crate::image::format::{NodeRecord, pattern};
use crate::image::gram::{self, Hashes, place};

use super::condition::Judge;
use super::found::Fault;
use super::pieces::Notes;

/// Commands of fewer words are looked at directly.
const FEW: u32 = 6;

/// Words of so many bytes are long.
const LONG: u32 = 64;

/// Words that are remembered; a power of two.
const RECENT: usize = 8;

/// Bits for pieces of text, in numbers of 64.
const NUMBERS: usize = 32;

/// Bits for one command at a time, which is known by where it lies.
pub struct Seen {
    paths_of: Option<usize>,
    paths: Pieces,
    words_of: Option<usize>,
    words: Pieces,
    flags_of: Option<usize>,
    /// The letters that stand behind a single dash, by their lower six bits.
    letters: u64,
    /// The first letters behind two dashes.
    names: u64,
}

/// The pieces that some text holds.
#[derive(Clone, Copy)]
struct Pieces {
    bits: [u64; NUMBERS],
    /// Whether it may hold any.
    all: bool,
}

impl Pieces {
    const NONE: Self = Self { bits: [0; NUMBERS], all: false };

    const fn place(hash: u32) -> (usize, u64) {
        ((hash >> 6) as usize & (NUMBERS - 1), 1 << (hash & 63))
    }

    fn may_hold(&self, hash: u32) -> bool {
        let (number, bit) = Self::place(hash);
        self.bits.get(number).is_none_or(|bits| bits & bit != 0)
    }
}

impl Pieces {
    /// The patterns of `record` that texts with these pieces may match.
    fn candidates(&self, image: &Image<'_>, record: &NodeRecord) -> Result<Candidates, Fault> {
        if self.all {
            return Ok(Candidates::ALL);
        }
        let mut candidates = Candidates(0);
        for position in 0..record.count {
            let index = record.first.saturating_add(position);
            let (found, text) = image.pattern(index).ok_or(Fault::Corrupt)?;
            let needs = piece(text, found.class);
            if needs.is_none_or(|hash| self.may_hold(hash)) {
                candidates.0 |= Candidates::bit(position);
            }
        }
        Ok(candidates)
    }
}

impl Notes for Pieces {
    fn note(&mut self, place: u8, text: &[u8]) {
        for hash in Hashes::new(place, text) {
            let (number, bit) = Self::place(hash);
            if let Some(bits) = self.bits.get_mut(number) {
                *bits |= bit;
            }
        }
    }

    fn note_all(&mut self) {
        self.all = true;
    }
}

impl Seen {
    /// Nothing yet.
    pub const fn new() -> Self {
        Self {
            paths_of: None,
            paths: Pieces::NONE,
            words_of: None,
            words: Pieces::NONE,
            flags_of: None,
            letters: 0,
            names: 0,
        }
    }

    /// Whether some word of `command` may be the option `wanted`; a no is sure.
    pub fn may_have_flag(&mut self, tree: &Tree<'_>, command: &Command, wanted: &[u8]) -> bool {
        if command.words.count < FEW {
            return true;
        }
        let key = Some(core::ptr::from_ref(command).addr());
        if self.flags_of != key {
            self.flags_of = key;
            (self.letters, self.names) = (0, 0);
            for word in tree.words(command.words).iter().skip(1) {
                match tree.bytes(word.text) {
                    b"--" => break,
                    [b'-', b'-', first, ..] => self.names |= bit(*first),
                    [b'-', letters @ ..] => {
                        self.letters |= letters.iter().fold(0, |all, letter| all | bit(*letter));
                    }
                    _ => {}
                }
            }
        }
        match wanted {
            [b'-', b'-', first, ..] => self.names & bit(*first) != 0,
            [b'-', letter, ..] if *letter != b'-' => self.letters & bit(*letter) != 0,
            _ => true,
        }
    }
}

const fn bit(byte: u8) -> u64 {
    1 << (byte & 63)
}

/// The words that were looked at last: what is the same is not looked at again.
pub struct Recent<'j> {
    words: [(&'j [u8], WordFlags); RECENT],
    next: usize,
}

impl<'j> Recent<'j> {
    /// None yet: no word has these flags.
    pub const fn new() -> Self {
        Self { words: [(&[], WordFlags(u32::MAX)); RECENT], next: 0 }
    }

    /// Whether this word was looked at a moment ago; from now on it was.
    pub fn has(&mut self, text: &'j [u8], flags: WordFlags) -> bool {
        if self.words.contains(&(text, flags)) {
            return true;
        }
        if let Some(slot) = self.words.get_mut(self.next & (RECENT - 1)) {
            *slot = (text, flags);
        }
        self.next = self.next.wrapping_add(1);
        false
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

impl<'j> Judge<'j, '_> {
    /// The patterns of `record` that some path of `command` may match; the others surely do not.
    pub fn path_candidates(
        &mut self,
        image: &Image<'_>,
        record: &NodeRecord,
        command: &'j Command,
    ) -> Result<Candidates, Fault> {
        if is_small(self.tree, command) {
            return Ok(Candidates::ALL);
        }
        let key = Some(core::ptr::from_ref(command).addr());
        if self.seen.paths_of != key {
            let mut paths = Pieces::NONE;
            self.note_paths(&mut paths, command)?;
            (self.seen.paths_of, self.seen.paths) = (key, paths);
        }
        self.spend(record.count)?;
        self.seen.paths.candidates(image, record)
    }

    /// The same for the words behind the program.
    pub fn word_candidates(
        &mut self,
        image: &Image<'_>,
        record: &NodeRecord,
        command: &Command,
    ) -> Result<Candidates, Fault> {
        if is_small(self.tree, command) {
            return Ok(Candidates::ALL);
        }
        let key = Some(core::ptr::from_ref(command).addr());
        if self.seen.words_of != key {
            let mut recent = Recent::new();
            let tree = self.tree;
            (self.seen.words_of, self.seen.words) = (key, Pieces::NONE);
            for word in tree.words(command.words).iter().skip(1) {
                let text = tree.bytes(word.text);
                self.spend(word.text.len / 8)?;
                if !recent.has(text, word.flags) {
                    self.seen.words.note(place::PATH, text);
                }
            }
        }
        self.spend(record.count)?;
        self.seen.words.candidates(image, record)
    }
}

/// Whether looking at the words of `command` directly costs less.
fn is_small(tree: &Tree<'_>, command: &Command) -> bool {
    command.words.count.saturating_add(command.redirects.count) < FEW
        && tree.words(command.words).iter().all(|word| word.text.len < LONG)
}

/// The hash of a piece that every text holds which matches the pattern `text`; `None` where it has
/// no four literal bytes in a row.
fn piece(text: &[u8], class: u8) -> Option<u32> {
    let text = text.strip_prefix(b"~").unwrap_or(text);
    let run = match class {
        pattern::LITERAL | pattern::SUBSTRING => text,
        // A leading `**/` may also stand for nothing.
        _ => {
            let text = text.strip_prefix(b"**/").unwrap_or(text);
            let text = text.split(|byte| *byte == b'[').next().unwrap_or(text);
            let mut runs = text.split(|byte| matches!(byte, b'*' | b'?'));
            runs.find(|run| run.len() >= gram::LEN)?
        }
    };
    Hashes::new(place::PATH, run.last_chunk::<{ gram::LEN }>()?).next()
}
