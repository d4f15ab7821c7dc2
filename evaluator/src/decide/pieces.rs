//! Finding the rules about every program that may match: by the pieces of what the command has
//! (`image::gram`). What cannot be known, or may stand for many paths, brings all of them.

use crate::command::{Command, UNKNOWN, Word, WordFlags};
use crate::image::Image;
use crate::image::gram::{self, Hashes, place};
use crate::request::{Call, Cwd};
use crate::world::Answer;

use super::command::is_option;
use super::condition::{At, Judge};
use super::found::{Fault, Found};
use super::paths::{PATH_MAX, all_in, embedded};
use super::seen::Recent;

/// Pieces of one command that rules need; past this all rules are looked at.
const MOST: usize = 192;

/// Rules that were just looked at, so that each is looked at once for a command.
const RECENT: usize = 16;

/// The pieces found, and whether they are all there may be.
pub struct Pieces<'i> {
    filter: &'i [u8],
    hashes: [u32; MOST],
    count: usize,
    all: bool,
}

/// Who is told what the paths of a command hold.
pub trait Notes<'j> {
    /// The directory that paths are relative to; how many bytes of it are noted with that.
    fn note_base(&mut self, _place: u8, _base: &'j [u8]) -> usize {
        0
    }
    /// The text of one, whose first `noted` bytes stood at the start of one that was noted before.
    fn note(&mut self, place: u8, text: &[u8], noted: usize);
    /// One that stands for all paths that it fits.
    fn note_glob(&mut self, place: u8, glob: &[u8]);
    /// That one may hold anything.
    fn note_all(&mut self);
    /// Whether they may hold anything, so that no other is worth noting.
    fn is_all(&self) -> bool;
}

impl<'i> Pieces<'i> {
    fn new(filter: &'i [u8]) -> Self {
        Self { filter, hashes: [0; MOST], count: 0, all: false }
    }

    fn get(&self) -> &[u32] {
        self.hashes.get(..self.count).unwrap_or(&[])
    }

    /// Notes the pieces of `text` that some rule needs, and tells `each` of all.
    pub fn add_all(&mut self, place: u8, text: &[u8], mut each: impl FnMut(u32)) {
        let filter = self.filter;
        for hash in Hashes::new(place, text) {
            each(hash);
            if gram::may_hold(filter, hash) {
                self.add(hash);
            }
        }
    }

    /// Whether some rule needs this piece.
    pub fn needs(&self, hash: u32) -> bool {
        gram::may_hold(self.filter, hash)
    }

    /// Notes a piece that some rule needs.
    pub fn add(&mut self, hash: u32) {
        if !self.get().contains(&hash) {
            match self.hashes.get_mut(self.count) {
                Some(slot) => {
                    *slot = hash;
                    self.count = self.count.saturating_add(1);
                }
                None => self.all = true,
            }
        }
    }
}

impl Notes<'_> for Pieces<'_> {
    /// Notes the pieces of `text` that some rule needs.
    fn note(&mut self, place: u8, text: &[u8], noted: usize) {
        self.add_all(place, behind(text, noted), |_| {});
    }

    fn note_glob(&mut self, _place: u8, _glob: &[u8]) {
        self.all = true;
    }

    fn note_all(&mut self) {
        self.all = true;
    }

    fn is_all(&self) -> bool {
        self.all
    }
}

/// Whether a word is long enough for a piece.
const fn is_long(word: &Word) -> bool {
    word.text.len as usize >= gram::LEN
}

/// What has to be noted of a text whose first `noted` bytes were: all pieces that reach behind them.
pub fn behind(text: &[u8], noted: usize) -> &[u8] {
    text.get(noted.saturating_sub(gram::LEN)..).unwrap_or(&[])
}

impl<'j> Judge<'j, '_> {
    /// Looks at the rules of `image` that some piece of the request or of the command at hand
    /// leads to.
    pub fn by_pieces(
        &mut self,
        image: &Image<'_>,
        position: u32,
        at: Option<At<'j>>,
        found: &mut Found<'_>,
    ) -> Result<(), Fault> {
        let Some(all) = image.every_piece() else {
            return Ok(());
        };
        let mut pieces = Pieces::new(image.filter().ok_or(Fault::Corrupt)?);
        let has = |place| image.header.features & gram::feature(place) != 0;
        if has(place::REQUEST_PATH)
            && let Some(path) = self.request.path
        {
            let cwd = self.request.cwd;
            self.note_path(&mut pieces, &mut 0, place::REQUEST_PATH, path, cwd, false)?;
        }
        if has(place::ADDRESS) {
            pieces.note(place::ADDRESS, self.request.url.unwrap_or(&[]), 0);
        }
        if let Some(at) = at {
            self.note_command(&mut pieces, image, at)?;
        }
        if pieces.all {
            return self.bucket(image, position, all, None, at, found);
        }
        let mut recent = [(u32::MAX, u32::MAX); RECENT];
        let mut next = 0_usize;
        for hash in pieces.get() {
            let bucket = image.piece(*hash).ok_or(Fault::Corrupt)?;
            for index in bucket.first..bucket.first.saturating_add(bucket.count) {
                let entry = image.entry(index).ok_or(Fault::Corrupt)?;
                let rule = (entry.rule, entry.node);
                if entry.key != *hash || recent.contains(&rule) {
                    continue;
                }
                if let Some(slot) = recent.get_mut(next & (RECENT - 1)) {
                    *slot = rule;
                }
                next = next.wrapping_add(1);
                self.entry(image, position, entry, at, found)?;
            }
        }
        Ok(())
    }

    fn note_command(
        &mut self,
        pieces: &mut Pieces<'_>,
        image: &Image<'_>,
        at: At<'j>,
    ) -> Result<(), Fault> {
        let (index, command) = at;
        let tree = self.tree;
        let has = |place| image.header.features & gram::feature(place) != 0;
        if has(place::TEXT) {
            self.note_text(pieces, at)?;
        }
        if has(place::WORD) {
            for name in self.names(index, command).into_iter().flatten() {
                pieces.note(place::WORD, name, 0);
            }
            for word in tree.words(command.words) {
                self.spend_on(1, word.text.len as usize)?;
                if is_long(word) {
                    pieces.note(place::WORD, tree.bytes(word.text), 0);
                }
            }
        }
        if has(place::ASSIGNMENT) {
            for word in tree.words(command.assignments).iter().chain(tree.words(command.words)) {
                self.spend_on(1, word.text.len as usize)?;
                if is_long(word) {
                    pieces.note(place::ASSIGNMENT, tree.bytes(word.text), 0);
                }
            }
        }
        let has_paths = command.words.count > 1 || command.redirects.count > 0;
        if has(place::PATH) && has_paths && !pieces.all {
            self.sketch_paths(Some(pieces), command)?;
        }
        Ok(())
    }

    fn note_text(
        &mut self,
        pieces: &mut Pieces<'_>,
        (index, command): At<'j>,
    ) -> Result<(), Fault> {
        if index == 0
            && let Call::Shell(text) = self.request.call
        {
            self.spend_on(1, text.len())?;
            pieces.note(place::TEXT, text.trim_ascii(), 0);
        } else if command.words.count > 0 {
            let len = match self.forms.of(self.tree, index, command) {
                Some([full, ..]) => {
                    pieces.note(place::TEXT, full, 0);
                    full.len()
                }
                None => {
                    pieces.all = true;
                    0
                }
            };
            self.spend_on(1, len)?;
            // It has other spellings than its own.
            pieces.all |= self.is_removal(command);
        }
        Ok(())
    }

    /// Every path that a test may look at: operands, paths in words, redirections.
    pub fn note_paths(
        &mut self,
        pieces: &mut dyn Notes<'j>,
        command: &'j Command,
    ) -> Result<(), Fault> {
        let tree = self.tree;
        let cwd = self.cwd(command);
        let (mut literal, mut noted) = (false, 0);
        let mut recent = Recent::new();
        for word in tree.words(command.words).iter().skip(1) {
            let text = tree.bytes(word.text);
            self.spend(1)?;
            if text == b"--" && !literal {
                // What was an option is an operand from here on.
                (literal, recent) = (true, Recent::new());
            }
            if recent.has(text, word.flags) || word.flags.has(WordFlags::DYNAMIC) {
                continue;
            }
            let is_path = literal || !is_option(text);
            let inner = embedded(text);
            let glob = word.flags.has(WordFlags::GLOB);
            if is_path {
                self.note_path(pieces, &mut noted, place::PATH, text, cwd, glob)?;
            }
            if let Some(path) = inner {
                self.note_path(pieces, &mut noted, place::PATH, path, cwd, glob)?;
                // `dd if=@x` reads a file of that name.
                let value = text.iter().position(|byte| *byte == b'=').unwrap_or(0);
                let value = text.get(value.saturating_add(1)..).unwrap_or(&[]);
                if value.first() == Some(&b'@') {
                    self.note_path(pieces, &mut noted, place::PATH, value, cwd, glob)?;
                }
            }
            if pieces.is_all() {
                return Ok(());
            }
        }
        recent = Recent::new();
        for target in tree.redirects(command).iter().map(|redirect| redirect.target) {
            let text = tree.bytes(target.text);
            if !target.flags.has(WordFlags::DYNAMIC) && !recent.has(text, target.flags) {
                self.note_path(pieces, &mut noted, place::PATH, text, cwd, false)?;
            }
        }
        Ok(())
    }

    /// One path, as `Judge::spelled` will look at it. Of the directory it is relative to, `noted` bytes
    /// were noted already.
    fn note_path(
        &mut self,
        pieces: &mut dyn Notes<'j>,
        noted: &mut usize,
        place: u8,
        path: &'j [u8],
        cwd: Cwd<'j>,
        glob: bool,
    ) -> Result<(), Fault> {
        self.spend_on(1, path.len())?;
        let note = |pieces: &mut dyn Notes<'j>, path: &[u8], noted| {
            if glob { pieces.note_glob(place, path) } else { pieces.note(place, path, noted) }
        };
        if path.first() == Some(&UNKNOWN) {
            note(pieces, path, 0);
            return Ok(());
        }
        if path.len() >= PATH_MAX {
            return Ok(());
        }
        let base = match cwd.known_to(self.world) {
            Cwd::Known(base) => base,
            _ if path.first() == Some(&b'/') => b"/",
            Cwd::Unknown | Cwd::OnDemand => {
                if self.cannot_load() {
                    pieces.note_all();
                }
                return Ok(());
            }
        };
        let Some(at) = self.spellings.remember(base, path) else {
            pieces.note_all();
            return Ok(());
        };
        if *noted == 0 && path.first() != Some(&b'/') {
            *noted = pieces.note_base(place, base);
        }
        let lexical = self.spellings.lexical(at);
        let below = if lexical.starts_with(base) { base.len() } else { 0 };
        note(pieces, lexical, below.min(*noted));
        *noted = below.max(*noted);
        if !lexical.contains(&UNKNOWN) {
            match self.spellings.real(at, self.world) {
                Answer::Value(real) => note(pieces, real, 0),
                Answer::Absent => {}
                Answer::Unavailable => pieces.note_all(),
            }
        }
        match all_in(path).filter(|_| glob) {
            Some(parent) => self.note_path(pieces, noted, place, parent, cwd, false),
            None => Ok(()),
        }
    }
}
