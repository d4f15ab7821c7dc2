//! Every key of the language: one table for each mapping, with what a key may hold. The reader
//! takes the keys that it knows from here, and so does the JSON Schema, so that an editor and the
//! compiler cannot differ about them.

mod condition;
mod file;

pub use condition::{CALL_COUNT, CONDITION, CONTEXT, DEPTH};
pub use file::{
    ASK, DISABLE, DOCUMENT, EXAMPLE, EXAMPLES, NOTIFY, POLICY, RULE, SCOPE, SUITE, TEST, WEBHOOK,
};

/// A mapping whose keys are known.
pub struct Mapping {
    /// Its name among the definitions of the schema.
    pub name: &'static str,
    /// What messages call it, with its article.
    pub what: &'static str,
    /// Its keys.
    pub keys: &'static [Key],
    /// What to write in place of some keys that it does not have.
    pub hints: &'static [(&'static str, &'static str)],
    /// Keys of which at least one has to be there; empty if none has.
    pub needs: &'static [&'static str],
}

/// A key of a mapping.
#[derive(Clone, Copy)]
pub struct Key {
    /// The key.
    pub name: &'static str,
    /// What it may hold.
    pub holds: Holds,
    /// Whether it has to be there.
    pub is_required: bool,
    /// What it is for, in a line for editors.
    pub about: &'static str,
}

/// What a key may hold. Nothing at all (`key:`) is the same as no key.
#[derive(Clone, Copy)]
pub enum Holds {
    /// Text; numbers and booleans are taken as they are written.
    Text,
    /// Text of a form: a regular expression that ECMA 262 and the regex crate read alike, and
    /// text that has it.
    Form(&'static str, &'static str),
    /// `true` or `false`.
    Flag,
    /// A whole number in these bounds.
    Integer(i64, i64),
    /// One of some words.
    Choice(fn() -> Vec<&'static str>),
    /// The same in any case, and with blanks around it.
    AnyCase(fn() -> Vec<&'static str>),
    /// A mapping of known keys.
    Mapping(&'static Mapping),
    /// A mapping of any keys, with the least number of them.
    Named(&'static Holds, u32),
    /// A list, with the least number of items.
    List(&'static Holds, u32),
    /// One item or a list, with the least number of items.
    Items(&'static Holds, u32),
    /// One of several things.
    Either(&'static [Holds]),
    /// `{list: name}` in place of an item.
    ListName,
    /// One pattern or a list of them, named lists included.
    Patterns,
}

/// The items of [`Holds::Patterns`].
pub const PATTERN: Holds = Holds::Either(&[Holds::Form(r"\S", "x"), Holds::ListName]);

/// `{list: name}`.
pub static LIST_NAME: Mapping = Mapping {
    name: "list_name",
    what: "an entry",
    keys: &[required("list", Holds::Text, "A list of `lists:`, whose entries stand here.")],
    hints: &[("lists", "write `{list: name}`")],
    needs: &[],
};

impl Mapping {
    /// The names of its keys.
    pub fn names(&self) -> impl Iterator<Item = &'static str> + Clone {
        self.keys.iter().map(|key| key.name)
    }
}

const fn key(name: &'static str, holds: Holds, about: &'static str) -> Key {
    Key { name, holds, is_required: false, about }
}

const fn required(name: &'static str, holds: Holds, about: &'static str) -> Key {
    Key { name, holds, is_required: true, about }
}

fn names<T>(table: &[(&'static str, T)]) -> Vec<&'static str> {
    table.iter().map(|(name, _)| *name).collect()
}
