//! What is known of a value while code is read: as much as decides what a call is and what it is on.

use super::lowered::Function;
use evaluator::command::UNKNOWN;
use std::rc::Rc;

/// It was read from a file that holds credentials, or is the whole environment.
pub const SECRET: u8 = 1;
/// It came over the network.
pub const FETCHED: u8 = 2;

/// Longest text that is followed, in bytes, and longest list.
const LONGEST: (usize, usize) = (64 * 1024, 256);

/// A value.
#[derive(Clone, Debug, Default)]
pub struct Value {
    /// As far as it is known.
    pub what: What,
    /// Where it came from.
    pub taint: u8,
}

/// What a value is.
#[derive(Clone, Debug, Default)]
pub enum What {
    /// That is not known.
    #[default]
    Unknown,
    /// A text, a number, or a path; unknown parts are one [`UNKNOWN`] each.
    Text(Vec<u8>),
    /// A list, or a tuple.
    List(Vec<Value>),
    /// Members by name.
    Map(Vec<(Vec<u8>, Value)>),
    /// A module, a function or an object that is not the code's own, by its name: `os.remove`; what
    /// a call gave is that of the call: `socket.socket()`.
    Name(String),
    /// The code's own function.
    Function(Rc<Function>),
}

impl Value {
    /// A text.
    pub fn text(bytes: impl Into<Vec<u8>>) -> Self {
        Self::from(What::Text(bytes.into()))
    }

    /// A thing of this name.
    pub fn name(name: impl Into<String>) -> Self {
        Self::from(What::Name(name.into()))
    }

    /// Nothing but where it came from.
    pub const fn tainted(taint: u8) -> Self {
        Self { what: What::Unknown, taint }
    }

    /// With more that it came from.
    #[must_use]
    pub fn with(self, taint: u8) -> Self {
        Self { taint: self.taint | taint, ..self }
    }

    /// Its text; an [`UNKNOWN`] if it has none.
    pub fn bytes(&self) -> Vec<u8> {
        match &self.what {
            What::Text(text) => text.clone(),
            _ => vec![UNKNOWN],
        }
    }

    /// Its text, if all of it is known.
    pub fn known(&self) -> Option<&[u8]> {
        match &self.what {
            What::Text(text) if !text.contains(&UNKNOWN) => Some(text),
            _ => None,
        }
    }

    /// The same as characters.
    pub fn known_text(&self) -> Option<&str> {
        std::str::from_utf8(self.known()?).ok()
    }

    /// What it is called, if it is not the code's own.
    pub fn named(&self) -> Option<&str> {
        match &self.what {
            What::Name(name) => Some(name),
            _ => None,
        }
    }

    /// Its elements; for what has none, nothing.
    pub fn elements(&self) -> &[Value] {
        match &self.what {
            What::List(all) => all,
            _ => &[],
        }
    }

    /// Where it and everything in it came from.
    pub fn whole_taint(&self) -> u8 {
        match &self.what {
            What::List(all) => all.iter().fold(self.taint, |taint, one| taint | one.whole_taint()),
            What::Map(all) => {
                all.iter().fold(self.taint, |taint, (_, one)| taint | one.whole_taint())
            }
            _ => self.taint,
        }
    }

    /// The texts of `parts`, one behind the other.
    pub fn joined<'v>(parts: impl IntoIterator<Item = &'v Value>) -> Self {
        let (mut text, mut taint) = (Vec::new(), 0);
        for part in parts {
            taint |= part.whole_taint();
            let piece = part.bytes();
            // One mark is as good as two.
            let is_double = piece == [UNKNOWN] && text.last() == Some(&UNKNOWN);
            if !is_double {
                text.extend_from_slice(&piece);
            }
        }
        if text.len() > LONGEST.0 {
            return Self::tainted(taint);
        }
        Self { what: What::Text(text), taint }
    }

    /// A list.
    pub fn list(mut all: Vec<Value>) -> Self {
        all.truncate(LONGEST.1);
        Self::from(What::List(all))
    }
}

impl From<What> for Value {
    fn from(what: What) -> Self {
        Self { what, taint: 0 }
    }
}
