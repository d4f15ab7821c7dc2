//! What running programs do themselves (they open, write, delete, connect) happens far more often
//! than programs are started, and nearly never concerns a rule. So an image says in advance, in a
//! few hundred bytes, what a path must contain for any rule on such a call to hold: four bytes of
//! each pattern, and the kinds of call that its rules are about. Whatever has none of them needs no
//! verdict. Unlike the pieces of [`super::gram`] these are the bytes themselves, not their hashes.

/// Kinds of what a program does, as bits.
pub mod operation {
    /// Opens a file for reading, or a directory.
    pub const READ: u32 = 1;
    /// Opens a file for writing, makes or changes one.
    pub const WRITE: u32 = 2;
    /// Takes a name away.
    pub const DELETE: u32 = 4;
    /// Connects or sends to an address.
    pub const CONNECT: u32 = 8;
    /// Binds an address that others can connect to.
    pub const LISTEN: u32 = 16;

    /// Those that have a path.
    pub const WITH_PATH: u32 = READ | WRITE | DELETE;

    /// The tool class that rules know each by.
    pub const TOOLS: [(u32, &str); 5] = [
        (READ, "read"),
        (WRITE, "write"),
        (DELETE, "delete"),
        (CONNECT, "connect"),
        (LISTEN, "listen"),
    ];
}

/// Bytes of a window.
pub const WINDOW: usize = 4;

/// How far the bits for what is always to be judged are shifted in the first word.
pub const ALWAYS_SHIFT: u32 = 16;

/// The rules of an image on what programs do themselves, in short.
#[derive(Clone, Copy, Debug, Default)]
pub struct Gate<'a> {
    flags: u32,
    slots: &'a [[u8; WINDOW]],
    /// For each slot the kinds of call that need its window, as bits.
    kinds: &'a [[u8; WINDOW]],
}

impl<'a> Gate<'a> {
    /// One that everything needs a verdict at.
    pub const EVERYTHING: Self = Self { flags: u32::MAX, slots: &[], kinds: &[] };

    /// The gate in a section's bytes: a word of flags, then a hash table of windows, of which 0 is
    /// an empty slot, then the kinds of each. Without bytes, one for which there are no rules; `None`
    /// if they are no gate.
    #[must_use]
    pub fn of(bytes: &'a [u8]) -> Option<Self> {
        let (words, rest) = bytes.as_chunks::<WINDOW>();
        let Some((flags, table)) = words.split_first() else {
            return bytes.is_empty().then(Self::default);
        };
        let (slots, kinds) = table.split_at_checked(table.len() / 2)?;
        let is_table = table.is_empty() || slots.len().is_power_of_two();
        let is_gate = is_table && slots.len() == kinds.len() && rest.is_empty();
        is_gate.then(|| Self { flags: u32::from_le_bytes(*flags), slots, kinds })
    }

    /// Whether some rule is about one of `operations` (bits of [`operation`]).
    #[must_use]
    pub const fn is_about(&self, operations: u32) -> bool {
        self.flags & operations != 0
    }

    /// Whether every call of one of `operations` needs a verdict, whatever its path.
    #[must_use]
    pub const fn is_open(&self, operations: u32) -> bool {
        (self.flags >> ALWAYS_SHIFT) & operations != 0
    }

    /// The kinds of call (bits of [`operation`]) on a path with this text for which a rule may hold; that it
    /// holds for none of the others is sure. A relative path is to be asked for together with the
    /// directory that it starts at, each by itself.
    #[must_use]
    pub fn may_match(&self, text: &[u8]) -> u32 {
        let mut window = u32::from(b'/') << 24;
        let mut kinds = 0;
        for byte in text {
            window = window >> 8 | u32::from(*byte) << 24;
            let first = slot(window, self.slots.len());
            // Nearly always: three quarters of the slots are empty.
            if self.slots.get(first).is_some_and(|bytes| *bytes != [0; WINDOW]) {
                kinds |= self.kinds_of(window, first);
            }
        }
        kinds
    }

    /// The kinds of a window that is looked for from the slot `first` on.
    fn kinds_of(&self, window: u32, first: usize) -> u32 {
        let mut at = first;
        for _ in 0..self.slots.len() {
            match self.slots.get(at).map(|bytes| u32::from_le_bytes(*bytes)) {
                Some(found) if found == window => {
                    return self.kinds.get(at).map_or(u32::MAX, |bits| u32::from_le_bytes(*bits));
                }
                Some(0) | None => return 0,
                Some(_) => at = at.wrapping_add(1) & self.slots.len().wrapping_sub(1),
            }
        }
        0
    }
}

/// Where a window is looked for first in a table of `len` slots, a power of two.
#[must_use]
pub const fn slot(window: u32, len: usize) -> usize {
    (window.wrapping_mul(0x9e37_79b1) >> 12) as usize & len.wrapping_sub(1)
}

/// The windows of `literal` that stand in every spelling of a path that contains it: a slash may
/// be doubled or followed by `.`, so it is only sure at either end of a window.
pub fn windows(literal: &[u8]) -> impl Iterator<Item = u32> + '_ {
    literal.windows(WINDOW).filter_map(|window| match *window {
        [first, b, c, last] if b != b'/' && c != b'/' => {
            Some(u32::from_le_bytes([first, b, c, last]))
        }
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    fn table(of: &[(&[u8], u32)], flags: u32) -> Vec<u8> {
        let (mut slots, mut kinds) = (std::vec![0_u32; 16], std::vec![0_u32; 16]);
        let all = of.iter().flat_map(|(literal, bits)| windows(literal).map(|it| (it, *bits)));
        for (window, bits) in all {
            let mut at = slot(window, slots.len());
            while slots[at] != 0 {
                at = (at + 1) % slots.len();
            }
            (slots[at], kinds[at]) = (window, bits);
        }
        let words = core::iter::once(&flags).chain(&slots).chain(&kinds);
        words.flat_map(|word| word.to_le_bytes()).collect()
    }

    #[test]
    fn every_spelling_is_found() {
        let (reads, writes) = (operation::READ, operation::WRITE);
        let bytes = table(&[(b"/.ss", reads), (b"shad", writes)], reads | writes << ALWAYS_SHIFT);
        let gate = Gate::of(&bytes).unwrap();
        for (path, want) in [
            ("/home/u/.ssh/id_rsa", reads),
            ("/home/u//.ssh/./id_rsa", reads),
            (".ssh/x", reads),
            ("x/../.ssh", reads),
            ("/etc/shadow", writes),
            ("shadow", writes),
            ("shadow/.ssh", reads | writes),
            ("/etc/passwd", 0),
            ("ssh", 0),
            ("", 0),
        ] {
            assert_eq!(gate.may_match(path.as_bytes()), want, "{path}");
        }
        assert!(gate.is_about(operation::READ) && !gate.is_about(operation::DELETE));
        assert!(gate.is_open(operation::WRITE) && !gate.is_open(operation::READ));
    }

    #[test]
    fn a_slash_is_sure_only_at_an_end() {
        let of = |text: &str| -> Vec<[u8; 4]> {
            windows(text.as_bytes()).map(u32::to_le_bytes).collect()
        };
        assert_eq!(of("/etc/x"), [*b"/etc", *b"etc/"]);
        assert!(of("/a/b").is_empty());
        assert!(of("etc").is_empty());
    }

    #[test]
    fn what_is_no_table_is_refused() {
        assert!(Gate::of(&[]).is_some_and(|gate| !gate.is_about(u32::MAX)));
        assert!(Gate::of(&[0; 3]).is_none());
        assert!(Gate::of(&[0; 4 + 12]).is_none());
        assert!(Gate::of(&[0; 4 + 24]).is_none());
        // A table without an empty slot ends, too.
        assert_eq!(Gate::of(&[7; 4 + 32]).unwrap().may_match(b"/a/long/path"), 0);
    }
}
