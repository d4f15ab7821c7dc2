//! What is known of bytes on their way from one command to another.

use super::{Span, WordFlags};

/// Bytes that flow from one command to another.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Data {
    pub text: Span,
    pub taint: Taint,
}

/// What is known of bytes that flow.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Taint(pub u8);

impl Taint {
    /// There are bytes at all (an empty flow is something else than none).
    pub const SOME: Self = Self(1);
    /// Some of them are not known.
    pub const UNKNOWN: Self = Self(2);
    /// They come from the network or were decoded from something that is not known.
    pub const FETCHED: Self = Self(4);
    /// They were decoded here.
    pub const DECODED: Self = Self(8);

    pub fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
    pub fn has(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }
    /// As flags of a word that holds the bytes.
    pub fn word_flags(self) -> WordFlags {
        let mut flags = WordFlags::default();
        if self.has(Self::FETCHED) {
            flags = flags.with(WordFlags::FETCHED);
        }
        if self.has(Self::DECODED) {
            flags = flags.with(WordFlags::DECODED);
        }
        flags
    }
    /// Of the bytes of a word with `flags`.
    pub fn of(flags: WordFlags) -> Self {
        let mut taint = Self::SOME;
        if flags.has(WordFlags::PARTIAL) {
            taint = taint.with(Self::UNKNOWN);
        }
        if flags.has(WordFlags::FETCHED) {
            taint = taint.with(Self::FETCHED);
        }
        if flags.has(WordFlags::DECODED) {
            taint = taint.with(Self::DECODED);
        }
        taint
    }
}

/// Standard output of what is being followed: bytes on the text stack.
#[derive(Clone, Copy, Default)]
pub(super) struct Capture {
    /// Whether anybody wants it.
    pub on: bool,
    /// Wanted only if a `|` turns out to follow.
    pub tentative: bool,
    pub taint: Taint,
}
