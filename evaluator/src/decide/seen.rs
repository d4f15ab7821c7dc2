//! What the words of a command hold, in a few bits. A command of a thousand operands is looked at
//! by dozens of rules with dozens of patterns each; nearly all of them need a piece of text that no
//! word has, and these bits say so without looking at the words again.

use crate::command::{Command, Tree, WordFlags};
use crate::image::Image;
use crate::image::format::NodeRecord;

use super::condition::Judge;
use super::found::Fault;
use super::pieces::Pieces;
use super::sketch::{Base, Candidates, PathNotes, Sketch};
use super::views::{View, view_of};

/// Commands of fewer words are looked at directly.
const FEW: u32 = 6;

/// So many patterns are worth a look at what the words of a small command hold.
const MANY: u32 = 4;

/// Words of so many bytes are long.
const LONG: u32 = 64;

/// Words that are remembered; a power of two.
const RECENT: usize = 8;

/// Bits for one command at a time, which is known by where it lies.
pub struct Seen<'j> {
    paths_of: Option<usize>,
    paths: Sketch<'j>,
    base: Base<'j>,
    words_of: Option<usize>,
    words: Sketch<'j>,
    flags_of: Option<usize>,
    /// The letters that stand behind a single dash, by their lower six bits.
    letters: u64,
    /// The first letters behind two dashes.
    names: u64,
}

impl<'j> Seen<'j> {
    /// Nothing yet; what is seen is noted in `memory`.
    pub fn new(memory: &'j mut [u8]) -> Self {
        let (base, memory) = Base::new(memory);
        let half = memory.len() / 2;
        let (paths, words) = memory.split_at_mut_checked(half).unwrap_or_default();
        Self {
            paths_of: None,
            paths: Sketch::new(paths),
            base,
            words_of: None,
            words: Sketch::new(words),
            flags_of: None,
            letters: 0,
            names: 0,
        }
    }

    /// Forgets what holds for one image only.
    pub fn forget(&mut self) {
        self.base.forget();
    }

    /// Whether some word of `command` may be the option `wanted`; a no is sure.
    pub fn may_have_flag(&mut self, tree: &Tree<'_>, command: &Command, wanted: &[u8]) -> bool {
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

    /// For the words of `command`; `None` if they are too few to be remembered.
    pub fn of(command: &Command) -> Option<Self> {
        (command.words.count >= FEW).then(Self::new)
    }

    /// Whether this word was looked at a moment ago; from now on it was.
    pub fn has(&mut self, text: &'j [u8], flags: WordFlags) -> bool {
        // Words of a list differ at their ends, if anywhere.
        let same = |(other, of): &(&[u8], WordFlags)| {
            *of == flags
                && other.len() == text.len()
                && other.last() == text.last()
                && *other == text
        };
        if self.words.iter().any(same) {
            return true;
        }
        if let Some(slot) = self.words.get_mut(self.next & (RECENT - 1)) {
            *slot = (text, flags);
        }
        self.next = self.next.wrapping_add(1);
        false
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
        if self.seen.paths_of != Some(core::ptr::from_ref(command).addr()) {
            self.sketch_paths(None, command)?;
        }
        let is_small = is_small(self.tree, command);
        self.spend(if is_small { record.count / 8 } else { record.count })?;
        self.seen.paths.candidates(is_small, image, record, view_of)
    }

    /// Notes what the paths of `command` hold, and notes the `pieces` that rules need, without looking at them twice.
    pub fn sketch_paths(
        &mut self,
        pieces: Option<&mut Pieces<'_>>,
        command: &'j Command,
    ) -> Result<(), Fault> {
        let mut sketch = core::mem::take(&mut self.seen.paths);
        let mut base = core::mem::take(&mut self.seen.base);
        sketch.begin(command.words.count);
        let is_small = is_small(self.tree, command);
        let mut paths = PathNotes {
            sketch: &mut sketch,
            base: &mut base,
            pieces,
            is_small,
            home: self.home,
            cwd: self.cwd(command),
            world: self.world,
        };
        let noted = self.note_paths(&mut paths, command);
        self.seen.paths_of = Some(core::ptr::from_ref(command).addr());
        (self.seen.paths, self.seen.base) = (sketch, base);
        noted
    }

    /// The patterns of `record` that some word behind the program may match; the others surely do not.
    pub fn word_candidates(
        &mut self,
        image: &Image<'_>,
        record: &NodeRecord,
        command: &Command,
    ) -> Result<Candidates, Fault> {
        if record.count < MANY && is_small(self.tree, command) {
            return Ok(Candidates::ALL);
        }
        let is_small = is_small(self.tree, command);
        let key = Some(core::ptr::from_ref(command).addr());
        if self.seen.words_of != key {
            let mut recent = Recent::new();
            let tree = self.tree;
            self.seen.words_of = key;
            self.seen.words.begin(command.words.count);
            for word in tree.words(command.words).iter().skip(1) {
                let text = tree.bytes(word.text);
                self.spend(word.text.len / 8)?;
                if !recent.has(text, word.flags) {
                    self.seen.words.add(text);
                }
            }
        }
        self.spend(if is_small { record.count / 8 } else { record.count })?;
        self.seen.words.candidates(is_small, image, record, |text| (View::Whole, text))
    }
}

/// Whether looking at the words of `command` directly costs less.
pub fn is_small(tree: &Tree<'_>, command: &Command) -> bool {
    command.words.count.saturating_add(command.redirects.count) < FEW
        && tree.words(command.words).iter().all(|word| word.text.len < LONG)
}
