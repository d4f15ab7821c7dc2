//! What a command would do, as data: what it deletes, writes, sends and changes, and what of that
//! cannot be known. Rules name spellings that are known to be bad; effects are what a person, or a
//! service that is asked, needs to see in order to decide about a command that no rule is about.
//!
//! They are derived from the same tree that rules look at, so that wrappers, quoting, encodings and
//! the code of interpreters are already behind us: `python3 -c 'shutil.rmtree("/x")'` deletes as
//! `rm -rf /x` does. What is said is a description, not a promise: a program that is not in the
//! table has the effect [`Kind::Unknown`].

mod marks;
mod place;
mod sets;
mod special;
mod table;

use crate::command::{Command, CommandFlags, Outcome, RedirectOp, Tree, UNKNOWN, Via, WordFlags};
use crate::path::file_name;
use place::Room;
pub use place::{Around, Place, is_disk};
pub use sets::{Kind, Kinds};
use table::{Operands, Row};

/// One effect of one command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Effect<'t> {
    /// What it is.
    pub kind: Kind,
    /// Index of the command in the tree.
    pub command: usize,
    /// What it is done to: a path as written, an address, a program; empty where that is not known.
    pub subject: &'t [u8],
}

/// Whoever is told of effects.
pub type Tell<'a, 't> = &'a mut dyn FnMut(Effect<'t>);

/// Tells every effect of the commands of `tree`, in their order; the same one may be told twice.
/// The work is linear in the tree.
pub fn each<'t>(tree: &Tree<'t>, around: &Around<'_>, tell: Tell<'_, 't>) {
    for (index, command) in tree.commands.iter().enumerate() {
        of_command(tree, around, (index, command), tell);
    }
    if tree.outcome != Outcome::Complete || tree.is_cut {
        tell(Effect { kind: Kind::Unknown, command: 0, subject: b"" });
    }
}

/// The kinds of effects of all commands of `tree`.
#[must_use]
pub fn kinds(tree: &Tree<'_>, around: &Around<'_>) -> Kinds {
    let mut kinds = Kinds::default();
    each(tree, around, &mut |effect| kinds = kinds.with(effect.kind));
    kinds
}

/// Tells every effect of the command at `index`, not those of the commands below it.
pub fn of_command<'t>(
    tree: &Tree<'t>,
    around: &Around<'_>,
    (index, command): (usize, &Command),
    tell: Tell<'_, 't>,
) {
    let program = tree.words(command.words).first();
    let name = program.map_or(&b""[..], |program| file_name(tree.bytes(program.text)));
    let mut one = One { tree: *tree, around, index, command, name, tell };
    one.flags();
    one.redirects();
    let Some(program) = program else {
        return;
    };
    if program.flags.has(WordFlags::PARTIAL) {
        one.say(Kind::Unknown, b"");
        return;
    }
    let mut known = command.flags.has(CommandFlags::WRAPPER);
    for row in table::rows(name) {
        known |= one.row(&row);
    }
    known |= special::tell(&mut one, name);
    one.secrets(name);
    if !known && !table::is_harmless(name) {
        one.say(Kind::Unknown, name);
    }
}

/// What is done to a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileUse {
    /// It is removed.
    Deletes,
    /// It is changed or made.
    Writes,
    /// It is read.
    Reads,
}

/// Tells the effects of something that is done to the file at `path`, for whoever has read that in code of
/// another language; each with the path as its subject.
pub fn of_file<'t>(what: FileUse, path: &'t [u8], around: &Around<'_>, tell: Tell<'_, 't>) {
    let command = Command::default();
    let mut one = One { tree: Tree::EMPTY, around, index: 0, command: &command, name: b"", tell };
    match what {
        FileUse::Deletes => one.deletes(path),
        FileUse::Writes => one.writes(path),
        FileUse::Reads => one.reads(path),
    }
}

/// One command that is being looked at.
struct One<'a, 'b, 't> {
    tree: Tree<'t>,
    around: &'a Around<'a>,
    index: usize,
    command: &'a Command,
    /// What the program is called.
    name: &'t [u8],
    tell: &'a mut (dyn FnMut(Effect<'t>) + 'b),
}

impl<'t> One<'_, '_, 't> {
    fn say(&mut self, kind: Kind, subject: &'t [u8]) {
        (self.tell)(Effect { kind, command: self.index, subject });
    }

    /// The words behind the program.
    fn words(&self) -> impl Iterator<Item = &'t [u8]> + use<'t> {
        let tree = self.tree;
        tree.words(self.command.words).iter().skip(1).map(move |word| tree.bytes(word.text))
    }

    /// The words that are no options, and no values of options.
    fn operands(&self) -> impl Iterator<Item = &'t [u8]> + use<'t> {
        let (mut literal, mut is_value) = (false, false);
        let valued = table::valued(self.name);
        self.words().filter(move |word| {
            if literal || core::mem::take(&mut is_value) {
                return literal;
            }
            literal = *word == b"--";
            is_value = crate::list::is_listed(valued, word);
            word.len() < 2 || word.first() != Some(&b'-')
        })
    }

    /// Whether a word is one of `options`, or a cluster of short ones that holds one of them.
    fn has(&self, options: &[u8]) -> bool {
        let short = |option: &[u8]| match option {
            [b'-', letter] if *letter != b'-' => Some(*letter),
            _ => None,
        };
        self.words().take_while(|word| *word != b"--").any(|word| {
            let cluster = word.first() == Some(&b'-') && word.get(1) != Some(&b'-');
            options.split(|byte| *byte == b' ').any(|option| {
                let valued =
                    word.strip_prefix(option).is_some_and(|rest| rest.first() == Some(&b'='));
                word == option
                    || option.starts_with(b"--") && valued
                    || cluster && short(option).is_some_and(|letter| word.contains(&letter))
            })
        })
    }

    fn flags(&mut self) {
        let flags = self.command.flags;
        if flags.has(CommandFlags::FETCHED_CODE) {
            self.say(Kind::RunsFetchedCode, b"");
        } else if flags.has(CommandFlags::UNKNOWN_CODE) {
            self.say(Kind::RunsUnknownCode, b"");
        }
        if flags.has(CommandFlags::FORK_BOMB) {
            self.say(Kind::ChangesSystem, b"");
        }
        if self.command.via == Via::Privilege {
            self.say(Kind::Escalates, b"");
        }
    }

    fn redirects(&mut self) {
        let tree = self.tree;
        for redirect in tree.redirects(self.command) {
            let target = tree.bytes(redirect.target.text);
            match redirect.op {
                RedirectOp::Write | RedirectOp::Append => self.writes(target),
                RedirectOp::ReadWrite => {
                    self.writes(target);
                    self.reads(target);
                }
                RedirectOp::Read => self.reads(target),
                _ => {}
            }
        }
    }

    /// Tells what a row of the table says; whether it applies.
    fn row(&mut self, row: &Row) -> bool {
        if !row.applies(self.operands(), |options| self.has(options)) {
            return false;
        }
        let skip = row.words();
        match row.operands {
            Operands::None => self.say(row.kind, b""),
            Operands::All => self.each_operand(row.kind, skip, usize::MAX),
            Operands::ButFirst => self.each_operand(row.kind, skip.saturating_add(1), usize::MAX),
            Operands::First => self.each_operand(row.kind, skip, 1),
            Operands::Last => {
                let last = self.operands().count().saturating_sub(1);
                self.each_operand(row.kind, last.max(skip), 1);
            }
        }
        true
    }

    fn each_operand(&mut self, kind: Kind, skip: usize, most: usize) {
        let mut operands = self.operands().skip(skip).take(most).peekable();
        let is_on_files = matches!(kind, Kind::Deletes | Kind::Writes);
        if operands.peek().is_none() && !is_on_files {
            self.say(kind, b"");
        }
        for operand in operands {
            self.done(kind, operand);
        }
    }

    /// Tells an effect; those on files say where they are.
    fn done(&mut self, kind: Kind, subject: &'t [u8]) {
        match kind {
            Kind::Deletes => self.deletes(subject),
            Kind::Writes => self.writes(subject),
            _ => self.say(kind, subject),
        }
    }

    /// `path` made absolute and clean, in `room`.
    fn whole<'r>(&self, path: &[u8], room: &'r mut Room) -> Option<&'r [u8]> {
        place::absolute(&self.tree, self.command, self.around, path, room)
    }

    fn deletes(&mut self, path: &'t [u8]) {
        self.say(Kind::Deletes, path);
        let mut room = place::ROOM;
        let whole = self.whole(path, &mut room);
        match place::of(self.command, self.around, path, whole) {
            Place::Inside | Place::Temporary | Place::Nowhere => {}
            Place::Outside => self.say(Kind::DeletesOutside, path),
            Place::Unknown => self.say(Kind::DeletesUnknown, path),
        }
    }

    fn writes(&mut self, path: &'t [u8]) {
        let mut room = place::ROOM;
        let whole = self.whole(path, &mut room);
        let place = place::of(self.command, self.around, path, whole);
        if place == Place::Nowhere {
            return;
        }
        self.say(Kind::Writes, path);
        if place == Place::Outside {
            self.say(Kind::WritesOutside, path);
        }
        if place::persists(whole.unwrap_or(path)) {
            self.say(Kind::Persists, path);
        }
        if whole.is_some_and(place::is_system) {
            self.say(Kind::ChangesSystem, path);
        }
    }

    fn reads(&mut self, path: &'t [u8]) {
        let mut room = place::ROOM;
        if self.is_secret(path, &mut room) {
            self.say(Kind::ReadsSecret, path);
        }
    }

    fn is_secret(&self, path: &[u8], room: &mut Room) -> bool {
        place::may_be_secret(path) && place::is_secret(self.whole(path, room).unwrap_or(path))
    }

    /// Tells secret files among the words of a program that may read what it is given.
    fn secrets(&mut self, name: &[u8]) {
        if table::reads_nothing(name) {
            return;
        }
        let mut room = place::ROOM;
        let words = self.words();
        for word in words.filter(|word| word.first() != Some(&UNKNOWN)) {
            let path = place::embedded(word);
            if self.is_secret(path, &mut room) {
                self.say(Kind::ReadsSecret, path);
            }
        }
    }
}
