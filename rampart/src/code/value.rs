//! What is known of a value while code is read: as much as decides what a call is and what it is on.

use super::arena::Arena;
use super::lowered::Function;
use evaluator::command::UNKNOWN;

/// It was read from a file that holds credentials, or is the whole environment.
pub const SECRET: u8 = 1;
/// It came over the network.
pub const FETCHED: u8 = 2;

/// Longest text that is put together, in bytes, and longest list.
pub const LONGEST: (usize, usize) = (64 * 1024, 256);

/// A value. What it is lies in the arena of the reading.
#[derive(Clone, Copy, Debug, Default)]
pub struct Value<'t> {
    /// As far as it is known.
    pub what: What<'t>,
    /// Where it came from.
    pub taint: u8,
}

/// What a value is.
#[derive(Clone, Copy, Debug, Default)]
pub enum What<'t> {
    /// That is not known.
    #[default]
    Unknown,
    /// A text, a number, or a path; unknown parts are one [`UNKNOWN`] each.
    Text(&'t [u8]),
    /// A list, or a tuple.
    List(&'t [Value<'t>]),
    /// Members by name.
    Map(&'t [(&'t [u8], Value<'t>)]),
    /// A module, a function or an object that is not the code's own, by its name: `os.remove`; what
    /// a call gave is that of the call: `socket.socket()`.
    Name(&'t str),
    /// The code's own function.
    Function(&'t Function<'t>),
}

impl<'t> Value<'t> {
    /// A text.
    pub const fn text(bytes: &'t [u8]) -> Self {
        Self { what: What::Text(bytes), taint: 0 }
    }

    /// A text that was put together; one that is too long is not followed.
    pub fn made(arena: &'t Arena, bytes: &[u8]) -> Self {
        match bytes.len() > LONGEST.0 {
            true => Self::default(),
            false => Self::text(arena.copied(bytes)),
        }
    }

    /// A thing of this name.
    pub const fn name(name: &'t str) -> Self {
        Self { what: What::Name(name), taint: 0 }
    }

    /// Nothing but where it came from.
    pub const fn tainted(taint: u8) -> Self {
        Self { what: What::Unknown, taint }
    }

    /// With more that it came from.
    #[must_use]
    pub const fn with(self, taint: u8) -> Self {
        Self { what: self.what, taint: self.taint | taint }
    }

    /// Its text; an [`UNKNOWN`] if it has none.
    pub const fn bytes(&self) -> &'t [u8] {
        match self.what {
            What::Text(text) => text,
            _ => &[UNKNOWN],
        }
    }

    /// Its text, if all of it is known.
    pub fn known(&self) -> Option<&'t [u8]> {
        match self.what {
            What::Text(text) if !text.contains(&UNKNOWN) => Some(text),
            _ => None,
        }
    }

    /// The same as characters.
    pub fn known_text(&self) -> Option<&'t str> {
        std::str::from_utf8(self.known()?).ok()
    }

    /// What it is called, if it is not the code's own.
    pub const fn named(&self) -> Option<&'t str> {
        match self.what {
            What::Name(name) => Some(name),
            _ => None,
        }
    }

    /// Its elements; for what has none, nothing.
    pub const fn elements(&self) -> &'t [Self] {
        match self.what {
            What::List(all) => all,
            _ => &[],
        }
    }

    /// Where it and everything in it came from.
    pub fn whole_taint(&self) -> u8 {
        match self.what {
            What::List(all) => all.iter().fold(self.taint, |taint, one| taint | one.whole_taint()),
            What::Map(all) => {
                all.iter().fold(self.taint, |taint, (_, one)| taint | one.whole_taint())
            }
            _ => self.taint,
        }
    }

    /// The texts of `parts`, one behind the other.
    pub fn joined(arena: &'t Arena, parts: impl IntoIterator<Item = Self>) -> Self {
        let (mut text, mut taint) = (arena.list(), 0);
        for part in parts {
            taint |= part.whole_taint();
            let piece = part.bytes();
            // One mark is as good as two.
            let is_double = *piece == [UNKNOWN] && text.last() == Some(&UNKNOWN);
            if !is_double && text.len() <= LONGEST.0 {
                text.extend_from_slice(piece);
            }
        }
        if text.len() > LONGEST.0 {
            return Self::tainted(taint);
        }
        Self::text(arena.done(text)).with(taint)
    }

    /// A list.
    pub fn list(all: &'t [Self]) -> Self {
        What::List(all.get(..LONGEST.1).unwrap_or(all)).into()
    }
}

impl<'t> From<What<'t>> for Value<'t> {
    fn from(what: What<'t>) -> Self {
        Self { what, taint: 0 }
    }
}
