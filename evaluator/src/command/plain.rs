//! Bytes that stand for themselves. Most words have no others, and are most of what a command is: they are
//! taken as they stand in the source, not byte by byte.

use super::limits::Step;
use super::shell::Shell;
use super::{Span, Word, WordFlags};

/// Bytes that end words, quote, expand or match; NUL stands for what is not known.
const SPECIAL: &[u8] = b"\0 \t\n;&|<>()\\'\"`$~{*?[";

/// A bit for each byte that is not special.
const PLAIN: [u64; 4] = plain();

#[allow(
    clippy::indexing_slicing,
    reason = "runs only when this is compiled: out of range is an error there"
)]
const fn plain() -> [u64; 4] {
    let mut map = [u64::MAX; 4];
    let mut at = 0;
    while at < SPECIAL.len() {
        map[(SPECIAL[at] >> 6) as usize] &= !(1 << (SPECIAL[at] & 63));
        at += 1;
    }
    map
}

/// A byte that stands for itself wherever it stands in a word.
#[inline]
const fn is_plain(byte: u8) -> bool {
    let [first, second, third, fourth] = PLAIN;
    let map = match byte >> 6 {
        0 => first,
        1 => second,
        2 => third,
        _ => fourth,
    };
    map >> (byte & 63) & 1 == 1
}

impl Shell<'_, '_> {
    /// Reads a word whose bytes all stand for themselves, as those of most words do: its value is the
    /// source itself. Whether there was a word; nothing if it takes more to say.
    pub fn plain_word(&mut self) -> Step<Option<bool>> {
        let rest = self.text.run(self.pos, self.end.saturating_sub(self.pos));
        let len = rest.iter().position(|byte| !is_plain(*byte)).unwrap_or(rest.len());
        let end = rest.get(len);
        let ends = matches!(end, None | Some(b' ' | b'\t' | b'\n' | b';' | b'|' | b'&' | b')'));
        // What is only stacked is gone before the word is.
        if !ends || self.is_zsh() || self.pos >= self.text.len() {
            return Ok(None);
        }
        if len > 0 {
            // Text that was made may be read many times over, from one wrapper to the next.
            let made = if self.pos < self.own_text { 0 } else { 8 };
            self.burn(len.saturating_add(2).saturating_add(made))?;
            self.take_steps(1)?;
            let text = Span { start: self.pos as u32, len: len as u32 };
            self.words.stack(Word { text, flags: WordFlags::default() })?;
            self.advance(len);
        }
        Ok(Some(len > 0))
    }

    /// Adds the byte at the cursor, and the bytes behind it as far as all stand for themselves and none
    /// is `until`.
    pub fn put_plain(&mut self, byte: u8, until: Option<u8>) -> Step {
        self.advance(1);
        self.put(byte)?;
        let rest = self.text.run(self.pos, self.end.saturating_sub(self.pos));
        let ends = |byte: &u8| !is_plain(*byte) || until == Some(*byte);
        let len = rest.iter().position(ends).unwrap_or(rest.len());
        self.burn(len)?;
        self.text.stack_copy(self.pos, len)?;
        self.advance(len);
        Ok(())
    }
}
