//! Small text files of the world, line by line, in memory of a fixed size: what a tool's own
//! configuration says. A file is read in pieces, so that a long one needs no more memory.

use crate::path::clean;
use crate::world::{Answer, World};

/// Files longer than this are not read to their end: then nothing is known.
const LARGEST: u64 = 1 << 20;

/// A short text of its own.
#[derive(Clone, Copy)]
pub struct Text<const ROOM: usize> {
    bytes: [u8; ROOM],
    len: usize,
}

impl<const ROOM: usize> Text<ROOM> {
    /// Nothing.
    pub const fn new() -> Self {
        Self { bytes: [0; ROOM], len: 0 }
    }

    /// Adds `more`; `None`, and nothing is added, if it does not fit.
    pub fn push(&mut self, more: &[u8]) -> Option<&mut Self> {
        let end = self.len.checked_add(more.len())?;
        let room = self.bytes.get_mut(self.len..end)?;
        room.iter_mut().zip(more).for_each(|(to, from)| *to = *from);
        self.len = end;
        Some(self)
    }

    /// Replaces what is there; `None` if it does not fit.
    pub fn set(&mut self, text: &[u8]) -> Option<()> {
        self.len = 0;
        self.push(text).map(drop)
    }

    /// Replaces what is there by the clean form of `path`, relative to `base`.
    pub fn set_path(&mut self, base: &[u8], path: &[u8]) -> Option<()> {
        self.len = clean(base, path, &mut self.bytes).map_or(0, <[u8]>::len);
        (self.len > 0).then_some(())
    }

    /// What is there.
    pub fn get(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or(&[])
    }
}

/// Gives each line of the file at `path` to `each`, without its newline and without blanks at its
/// end, until that answers `true`. Of a line that is longer than `buffer` only the beginning is
/// given, and `whole` is false. `Unavailable` if the file cannot be read to its end.
pub fn lines(
    world: &dyn World,
    path: &[u8],
    buffer: &mut [u8],
    each: &mut dyn FnMut(&[u8], bool) -> bool,
) -> Answer<()> {
    let mut offset = 0_u64;
    let mut filled = 0_usize;
    let mut skipping = false;
    loop {
        let Some(room) = buffer.get_mut(filled..).filter(|room| !room.is_empty()) else {
            return Answer::Unavailable;
        };
        let count = match world.read_at(path, offset, room) {
            Answer::Value(piece) => piece.len(),
            Answer::Absent => return Answer::Absent,
            Answer::Unavailable => return Answer::Unavailable,
        };
        offset = offset.saturating_add(count as u64);
        filled = filled.saturating_add(count);
        if offset > LARGEST {
            return Answer::Unavailable;
        }
        let at_end = count == 0;
        let mut start = 0;
        while let Some(rest) = buffer.get(start..filled) {
            let newline = rest.iter().position(|byte| *byte == b'\n');
            let is_full = start == 0 && filled == buffer.len();
            let (line, next) = match newline {
                Some(len) => (rest.get(..len), len.saturating_add(1)),
                None if rest.is_empty() || !(at_end || is_full) => break,
                None => (Some(rest), rest.len()),
            };
            let whole = newline.is_some() || at_end;
            // What follows the beginning of a long line, up to its newline, is no line.
            let is_rest = skipping;
            skipping = !whole;
            start = start.saturating_add(next);
            if !is_rest && each(line.unwrap_or(&[]).trim_ascii_end(), whole) {
                return Answer::Value(());
            }
        }
        if at_end {
            return Answer::Value(());
        }
        // `copy_within` would bring a panic path into the library.
        for to in 0..filled.saturating_sub(start) {
            let from = buffer.get(start.saturating_add(to)).copied().unwrap_or(0);
            if let Some(slot) = buffer.get_mut(to) {
                *slot = from;
            }
        }
        filled = filled.saturating_sub(start);
    }
}

/// Takes a section, a key and a value; `true` ends the reading.
pub type EachSetting<'c> = dyn FnMut(&[u8], &[u8], &[u8]) -> bool + 'c;

/// Gives each `key = value` of a file of sections (`[name]`) to `each`, with the name of its
/// section, until that answers `true`. Comments begin with `#` or `;`. Quotes around a value are
/// taken away. `Unavailable` also if a line that was looked at is too long.
pub fn settings(
    world: &dyn World,
    path: &[u8],
    buffer: &mut [u8],
    each: &mut EachSetting<'_>,
) -> Answer<()> {
    let mut section = Text::<256>::new();
    let mut known = true;
    let answer = lines(world, path, buffer, &mut |line, whole| {
        let line = line.trim_ascii_start();
        match line {
            [] | [b'#' | b';', ..] => false,
            [b'[', rest @ ..] => {
                let end = rest.iter().rposition(|byte| *byte == b']').unwrap_or(rest.len());
                known &= whole && section.set(rest.get(..end).unwrap_or(&[])).is_some();
                !known
            }
            _ => {
                let Some(at) = line.iter().position(|byte| *byte == b'=') else {
                    return false;
                };
                let (key, value) = line.split_at_checked(at).unwrap_or((line, &[]));
                let value = value.get(1..).unwrap_or(&[]).trim_ascii();
                known &= whole;
                !known || each(section.get(), key.trim_ascii_end(), unquoted(value))
            }
        }
    });
    if known { answer } else { Answer::Unavailable }
}

/// `text` without the quotes around it.
pub fn unquoted(text: &[u8]) -> &[u8] {
    match text {
        [b'"', inner @ .., b'"'] | [b'\'', inner @ .., b'\''] => inner,
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::borrow::ToOwned;
    use std::vec::Vec;

    struct One(&'static [u8]);

    impl World for One {
        fn resolve<'b>(&self, _path: &[u8], _out: &'b mut [u8]) -> Answer<&'b [u8]> {
            Answer::Absent
        }
        fn read<'b>(&self, _path: &[u8], _out: &'b mut [u8]) -> Answer<&'b [u8]> {
            Answer::Absent
        }
        fn read_at<'b>(&self, path: &[u8], at: u64, out: &'b mut [u8]) -> Answer<&'b [u8]> {
            if path != b"/f" {
                return Answer::Absent;
            }
            let rest = self.0.get(at as usize..).unwrap_or(&[]);
            // Short reads are allowed.
            let len = rest.len().min(out.len()).min(7);
            out[..len].copy_from_slice(&rest[..len]);
            Answer::Value(&out[..len])
        }
    }

    fn read(text: &'static [u8], room: usize) -> (Vec<(Vec<u8>, bool)>, Answer<()>) {
        let mut found = Vec::new();
        let answer = lines(&One(text), b"/f", &mut std::vec![0; room], &mut |line, whole| {
            found.push((line.to_vec(), whole));
            false
        });
        (found, answer)
    }

    #[test]
    fn lines_come_whole_or_say_so() {
        for (text, room, want) in [
            (&b"a\nbc\n"[..], 16, std::vec![("a", true), ("bc", true)]),
            (b"a\n\nbc", 16, std::vec![("a", true), ("", true), ("bc", true)]),
            (b"", 16, std::vec![]),
            (b"0123456789abcdef\nx\n", 8, std::vec![("01234567", false), ("x", true)]),
            (b"0123456789abcdef", 8, std::vec![("01234567", false)]),
            (b"0123456\nx", 8, std::vec![("0123456", true), ("x", true)]),
        ] {
            let (found, answer) = read(text, room);
            let found: Vec<_> =
                found.iter().map(|(l, w)| (core::str::from_utf8(l).unwrap(), *w)).collect();
            assert_eq!((found, answer), (want, Answer::Value(())), "{text:?}");
        }
        assert_eq!(read(b"x", 0).1, Answer::Unavailable);
        let world = One(b"");
        assert_eq!(lines(&world, b"/g", &mut [0; 8], &mut |_, _| false), Answer::Absent);
    }

    #[test]
    fn sections() {
        let text = b"top = 1\n# c = 2\n[a \"b\"]\n\tkey=\"v w\"\n;x=1\n[c]\nkey = 'q'\nalone\n";
        let mut found = Vec::new();
        let answer = settings(&One(text), b"/f", &mut [0; 32], &mut |section, key, value| {
            found.push([section, key, value].map(|b| std::str::from_utf8(b).unwrap().to_owned()));
            false
        });
        assert_eq!(answer, Answer::Value(()));
        assert_eq!(found, [["", "top", "1"], ["a \"b\"", "key", "v w"], ["c", "key", "q"]]);
    }
}
