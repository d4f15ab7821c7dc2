//! Pieces of text that a rule needs. A rule that is about every program is filed under four bytes
//! that whatever it matches must contain; a verdict goes through the windows of what it looks at
//! and finds those rules, however many others there are.

/// Bytes of a piece.
pub const LEN: usize = 4;

/// What pieces are looked for in: the same bytes are another piece in each.
pub mod place {
    /// Paths, as they are spelled (absolute and clean) and as they resolve.
    pub const PATH: u8 = 1;
    /// The text of commands.
    pub const TEXT: u8 = 2;
    /// Single words, and the names of programs.
    pub const WORD: u8 = 3;
    /// `NAME=value`.
    pub const ASSIGNMENT: u8 = 4;
    /// Addresses of the request.
    pub const ADDRESS: u8 = 5;
    /// The path of the request.
    pub const REQUEST_PATH: u8 = 6;
}

/// What an image keeps of a hash beside a pattern; 0 says nothing.
#[must_use]
pub const fn key(hash: u32) -> u16 {
    hash as u16
}

/// The hash of a whole text that is too short for a piece.
#[must_use]
pub fn short(text: &[u8]) -> Option<u32> {
    if text.len() >= LEN {
        return None;
    }
    // No path and no word holds this byte, so it is no piece of a longer text.
    let mut padded = [b'\n'; LEN + 1];
    padded.iter_mut().zip(text).for_each(|(to, from)| *to = *from);
    Hashes::new(place::WORD, padded.get(..LEN)?).next()
}

/// The bit of `Header::features` that says whether an image has pieces of this place.
#[must_use]
pub const fn feature(place: u8) -> u16 {
    16 << place
}

/// A byte as it is compared: patterns may fold case and take a backslash for a slash.
const fn normal(byte: u8) -> u8 {
    if byte == b'\\' { b'/' } else { byte.to_ascii_lowercase() }
}

/// The hashes of all pieces of a text, in order.
pub struct Hashes<'t> {
    rest: core::slice::Iter<'t, u8>,
    window: u32,
    seed: u32,
}

impl<'t> Hashes<'t> {
    /// Those of `text` in `place`.
    #[must_use]
    pub fn new(place: u8, text: &'t [u8]) -> Self {
        let (head, rest) = text.split_at_checked(LEN - 1).unwrap_or((&[], &[]));
        let window = head.iter().fold(0, |window, byte| shifted(window, *byte));
        Self { rest: rest.iter(), window, seed: u32::from(place).wrapping_mul(0x9e37_79b1) }
    }
}

const fn shifted(window: u32, byte: u8) -> u32 {
    window >> 8 | (normal(byte) as u32) << 24
}

impl Iterator for Hashes<'_> {
    type Item = u32;

    #[inline]
    fn next(&mut self) -> Option<u32> {
        self.window = shifted(self.window, *self.rest.next()?);
        let mixed = (self.window ^ self.seed).wrapping_mul(0x85eb_ca6b);
        Some((mixed ^ mixed >> 15).wrapping_mul(0xc2b2_ae35) ^ mixed >> 13)
    }
}

/// Whether the filter of an image has `hash`; a no is sure.
#[must_use]
#[inline]
pub fn may_hold(filter: &[u8], hash: u32) -> bool {
    let at = hash as usize >> 3 & filter.len().wrapping_sub(1);
    filter.get(at).is_some_and(|byte| byte >> (hash & 7) & 1 == 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    #[test]
    fn a_piece_is_found_wherever_it_stands() {
        let hashes =
            |place, text: &str| -> Vec<u32> { Hashes::new(place, text.as_bytes()).collect() };
        let [piece] = hashes(place::PATH, "/ETC")[..] else { panic!("one piece") };
        assert_eq!(hashes(place::PATH, "\\etc"), [piece]);
        assert_eq!(
            hashes(place::PATH, "/a/etc/b").iter().filter(|hash| **hash == piece).count(),
            1
        );
        assert_ne!(hashes(place::TEXT, "/etc"), [piece]);
        assert!(hashes(place::PATH, "etc").is_empty());
        assert!(hashes(place::PATH, "").is_empty());
        let mut filter = [0; 64];
        filter[(piece as usize & 511) >> 3] |= 1 << (piece & 7);
        assert!(may_hold(&filter, piece));
        assert!(!may_hold(&filter, piece ^ 1));
        assert!(!may_hold(&[], piece));
    }
}
