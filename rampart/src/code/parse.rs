//! How text is given to a parser that calls itself for whatever is nested, and may have errors of its own.
//!
//! Parsers of others are bounded from outside: every level of nesting takes a token that opens it, so the
//! tokens that could are counted, wherever they stand, and the parser gets a stack that is deep enough for
//! all of them inside each other. What could need more than that is not parsed, nor is what parsers that try
//! one reading after the other could try too often. Nothing here is timed: the same text has the same answer
//! on any load.

use super::arena::Arena;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Most that a level of nesting takes of the stack, in bytes: the most that was measured with either parser is
/// 2.1 KiB, for `[` in Python. Code that is not optimised takes many times as much.
const LEVEL: usize = if cfg!(debug_assertions) { 32 * 1024 } else { 4 * 1024 };

/// What a parser takes of the stack however flat its text is, in bytes.
const FLAT: usize = 64 * LEVEL;

/// Most levels that a parser gets a stack for. Address space is taken for all of them, memory only for
/// those that are there.
const LEVELS: usize = 128 * 1024;

/// Most brackets that are open at a time, as far as that can be said without knowing the language: more than
/// any code has, and little enough that what is made to be deep costs little memory.
const OPEN: usize = 400;

/// Most of all depths that brackets open at, together: `(a=(a=(a=` is read again from each of them, 1.4 µs a time.
const DEPTHS: usize = 512 * 1024;

/// The same for `<` and `?` since the last `;`, which may be types and functions, in TypeScript: 6 µs a time.
const TRIES: usize = 80 * 1024;

/// What `read` makes of a text; nothing if the text could be nested too deeply for a stack, or `read` panics.
/// `is_typed` for TypeScript.
pub fn bounded<R>(text: &str, is_typed: bool, read: impl FnOnce() -> R) -> Option<R> {
    let counted = Counted::of(text.as_bytes())?;
    if is_typed && counted.tries > TRIES {
        return None;
    }
    let room = FLAT + counted.levels * LEVEL;
    // Where there is no memory for a stack, that is a panic, too.
    let grown = || stacker::maybe_grow(room, room, read);
    catch_unwind(AssertUnwindSafe(grown)).ok()
}

/// What is counted of a text.
#[derive(Debug, Default)]
struct Counted {
    levels: usize,
    tries: usize,
}

impl Counted {
    /// How many levels the parsing of a text can go down, at most, and what it may try; nothing if that is
    /// more than is parsed.
    ///
    /// What opens a level is a sign, or a word behind which another word or a text stands: `not x`, `new a`,
    /// `x if "y" else z`. Python and JavaScript have no other; closing brackets, commas and the like open none.
    fn of(text: &[u8]) -> Option<Self> {
        let (mut levels, mut open, mut depths) = (0_usize, 0_usize, 0_usize);
        let (mut tried, mut tries) = (0_usize, 0_usize);
        // Whether the last token was a word, and whether it still goes on.
        let (mut after_word, mut in_word) = (false, false);
        let mut rest = text;
        while let Some((byte, behind)) = rest.split_first() {
            let mut sign = Sign::of(*byte);
            if sign == Sign::Foreign && is_space(rest) {
                sign = Sign::Other;
            }
            rest = behind;
            match sign {
                Sign::Word | Sign::Foreign => {
                    levels += usize::from(after_word && !in_word && sign == Sign::Word);
                    (after_word, in_word) = (true, true);
                    rest = behind_all(behind, Sign::Word);
                    continue;
                }
                Sign::Quote => (levels, after_word) = (levels + usize::from(after_word), true),
                Sign::Blank => rest = behind_all(behind, Sign::Blank),
                Sign::Opening => {
                    (levels, open, after_word) = (levels + 1, open + 1, false);
                    depths += open;
                    if open > OPEN || depths > DEPTHS {
                        return None;
                    }
                }
                Sign::Closing => (open, after_word) = (open.saturating_sub(1), false),
                Sign::Comma => after_word = false,
                Sign::Semicolon => (tried, after_word) = (0, false),
                Sign::Try => {
                    (levels, tried, after_word) = (levels + 1, tried + 1, false);
                    tries += tried;
                }
                Sign::Other => (levels, after_word) = (levels + 1, false),
            }
            in_word = false;
        }
        (levels <= LEVELS).then_some(Self { levels, tries })
    }
}

/// What a byte is to [`Counted`].
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sign {
    /// A part of a word.
    Word,
    /// The same, of another script, if it is no space.
    Foreign,
    Quote,
    Blank,
    Opening,
    Closing,
    Comma,
    Semicolon,
    /// It may be a type, or a function.
    Try,
    Other,
}

impl Sign {
    /// Looked up: this is asked for every byte of a text.
    fn of(byte: u8) -> Self {
        static ALL: [Sign; 256] = {
            let mut all = [Sign::Other; 256];
            let mut at = 0;
            while at < all.len() {
                #[expect(clippy::indexing_slicing, reason = "worked out by the compiler")]
                {
                    all[at] = Sign::of_byte(at as u8);
                }
                at += 1;
            }
            all
        };
        ALL.get(usize::from(byte)).copied().unwrap_or(Self::Other)
    }

    const fn of_byte(byte: u8) -> Self {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | b'$' => Self::Word,
            b'\'' | b'"' => Self::Quote,
            b' ' | b'\t' | b'\n' | b'\r' | b'\x0c' | b'\\' | b'#' => Self::Blank,
            b'(' | b'[' | b'{' => Self::Opening,
            b')' | b']' | b'}' => Self::Closing,
            b',' => Self::Comma,
            b';' => Self::Semicolon,
            b'<' | b'?' => Self::Try,
            // Letters of other scripts go on with a word; all spaces among them are behind these.
            0x80.. => Self::Foreign,
            _ => Self::Other,
        }
    }
}

/// What of `text` is behind all signs of this kind at its start.
fn behind_all(text: &[u8], sign: Sign) -> &[u8] {
    let end = text.iter().position(|byte| Sign::of(*byte) != sign).unwrap_or(text.len());
    text.get(end..).unwrap_or_default()
}

/// Whether a sign that is none of ASCII may be a space, or is a part of one.
fn is_space(text: &[u8]) -> bool {
    matches!(text, [0xc2 | 0xe1 | 0xe2 | 0xef, ..] | [0xe3, 0x80, ..])
}

/// The text of code as characters; and whether it is all characters, which both languages ask for.
pub fn characters<'t>(arena: &'t Arena, text: &'t [u8]) -> (&'t str, bool) {
    match std::str::from_utf8(text) {
        Ok(text) => (text, true),
        Err(_) => (arena.text(&String::from_utf8_lossy(text)), false),
    }
}
