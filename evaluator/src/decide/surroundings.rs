//! Tests on what surrounds a command: the variables that it would see, the user that it would run
//! as, the file that it is, the program that asks.

use crate::command::{Command, UNKNOWN, Via, WordFlags};
use crate::image::Image;
use crate::image::format::NodeRecord;
use crate::image::format::node::EXE_SURE;
use crate::list::is_listed;
use crate::path::file_name;
use crate::request::{Call, Cwd};
use crate::world::Answer;

use super::command::is_option;
use super::condition::{At, Judge, Tri, one, patterns};
use super::found::Fault;
use super::lines::{Text, lines};

/// Programs whose words `NAME=value` before a command are variables of that command.
const SETTERS: &[u8] = b" env sudo doas ";

/// Builtins whose words `NAME=value` are variables of every later command.
const EXPORTERS: &[u8] = b" export declare typeset readonly ";

/// Who a command would run as.
enum Actor<'j> {
    Name(&'j [u8]),
    Number(u32),
    Unknown,
}

impl<'j> Judge<'j, '_> {
    /// Whether a variable that the command would see matches: patterns alternate name and value.
    pub fn environment(
        &self,
        image: &Image<'_>,
        record: &NodeRecord,
        at: Option<At<'j>>,
    ) -> Result<Tri, Fault> {
        let mut any = Tri::No;
        for pair in (record.first..record.first.saturating_add(record.count)).step_by(2) {
            let (_, name) = image.pattern(pair).ok_or(Fault::Corrupt)?;
            any = any.or(match self.variable(at, name)? {
                Answer::Value(value) => one(image, pair.saturating_add(1), value)?,
                Answer::Absent => Tri::No,
                Answer::Unavailable => Tri::Unknown,
            });
            if any == Tri::Yes {
                break;
            }
        }
        Ok(any)
    }

    /// The variable `name` as the command at hand would see it: the nearest assignment on its own
    /// line, in the wrappers around it or by an `export` before it, else that of the request.
    pub fn variable(&self, at: Option<At<'j>>, name: &[u8]) -> Result<Answer<&'j [u8]>, Fault> {
        self.alike.note_surroundings();
        let inherited = self.request.env.get(name);
        let mut step = at;
        while let Some((index, command)) = step {
            let own = self.tree.words(command.assignments);
            if let Some(found) = own.iter().rev().find_map(|word| self.assigned_to(name, word)) {
                return Ok(found);
            }
            let parent = (command.parent as usize).checked_sub(1);
            let parent = parent.and_then(|at| Some((at, self.tree.commands.get(at)?)));
            if let Some((_, wrapper)) = parent
                && let Some(found) = self.wrapped(name, wrapper, command)
            {
                return Ok(found);
            }
            self.spend(u32::try_from(index).unwrap_or(u32::MAX))?;
            let before = self.tree.commands.get(..index).unwrap_or(&[]);
            let siblings = before.iter().rev().filter(|other| other.parent == command.parent);
            let mut exports = siblings.filter_map(|other| self.exported(name, other, inherited));
            if let Some(found) = exports.next() {
                return Ok(found);
            }
            step = parent;
        }
        Ok(inherited.map_or(Answer::Absent, Answer::Value))
    }

    /// What `word` assigns, if it is `name=value`.
    fn assigned_to(&self, name: &[u8], word: &crate::command::Word) -> Option<Answer<&'j [u8]>> {
        let value = self.tree.bytes(word.text).strip_prefix(name)?.strip_prefix(b"=")?;
        Some(if value.contains(&UNKNOWN) { Answer::Unavailable } else { Answer::Value(value) })
    }

    /// What a wrapper like `env` sets `name` to for the command `inner`.
    fn wrapped(&self, name: &[u8], wrapper: &Command, inner: &Command) -> Option<Answer<&'j [u8]>> {
        let (_, program) = self.tree.program(wrapper)?;
        if !matches!(inner.via, Via::Wrapper | Via::Privilege)
            || !is_listed(SETTERS, file_name(program))
        {
            return None;
        }
        let own = self.own_words(wrapper, inner);
        if let Some(found) = own.iter().rev().find_map(|word| self.assigned_to(name, word)) {
            return Some(found);
        }
        let texts = || own.iter().map(|word| self.tree.bytes(word.text));
        let unset = texts().zip(texts().skip(1)).any(|(flag, value)| {
            matches!(flag, b"-u" | b"--unset") && value == name
                || flag.strip_prefix(b"--unset=") == Some(name)
        });
        let cleared = texts().any(|flag| matches!(flag, b"-i" | b"-" | b"--ignore-environment"));
        (unset || (cleared && file_name(program) == b"env")).then_some(Answer::Absent)
    }

    /// What an earlier command on the same level sets `name` to.
    fn exported(
        &self,
        name: &[u8],
        command: &Command,
        inherited: Option<&'j [u8]>,
    ) -> Option<Answer<&'j [u8]>> {
        if command.words.count == 0 {
            // A shell exports what it inherited; of other variables only itself knows.
            inherited?;
            let words = self.tree.words(command.assignments);
            return words.iter().rev().find_map(|word| self.assigned_to(name, word));
        }
        let (_, program) = self.tree.program(command)?;
        let words = self.tree.words(command.words);
        if is_listed(EXPORTERS, program) {
            return words.iter().rev().find_map(|word| self.assigned_to(name, word));
        }
        let is_unset = program == b"unset"
            && words.iter().skip(1).any(|word| self.tree.bytes(word.text) == name);
        is_unset.then_some(Answer::Absent)
    }

    /// The words of `wrapper` that stand before those of the command `inner` which it runs.
    pub fn own_words(&self, wrapper: &Command, inner: &Command) -> &'j [crate::command::Word] {
        let words = self.tree.words(wrapper.words);
        let own = (inner.words.first as usize).checked_sub(wrapper.words.first as usize);
        own.and_then(|count| words.get(..count)).unwrap_or(words)
    }

    /// Whether the command would run as one of the users in the patterns.
    pub fn user(
        &mut self,
        image: &Image<'_>,
        record: &NodeRecord,
        at: Option<At<'j>>,
    ) -> Result<Tri, Fault> {
        let actor = self.actor(at);
        let mut any = Tri::No;
        for index in record.first..record.first.saturating_add(record.count) {
            let (_, wanted) = image.pattern(index).ok_or(Fault::Corrupt)?;
            any = any.or(self.is_user(&actor, wanted));
        }
        Ok(any)
    }

    fn is_user(&mut self, actor: &Actor<'_>, wanted: &[u8]) -> Tri {
        let number = |text: &[u8]| core::str::from_utf8(text).ok()?.parse::<u32>().ok();
        match (actor, number(wanted)) {
            (Actor::Unknown, _) => Tri::Unknown,
            (Actor::Number(id), Some(wanted)) => Tri::from(*id == wanted),
            (Actor::Name(name), None) => Tri::from(*name == wanted),
            (Actor::Number(id), None) => Tri::from(self.number_of(wanted).map(|of| of == *id)),
            (Actor::Name(name), Some(wanted)) => {
                Tri::from(self.number_of(name).map(|of| of == wanted))
            }
        }
    }

    /// The number of a user's name (passwd(5)); `None` if this machine's file does not say.
    fn number_of(&mut self, name: &[u8]) -> Option<u32> {
        if name == b"root" {
            return Some(0);
        }
        let mut found = None;
        lines(self.world, b"/etc/passwd", self.line, &mut |line, whole| {
            let mut fields = line.split(|byte| *byte == b':');
            if fields.next() == Some(name) && whole {
                let id = fields.nth(1).and_then(|id| core::str::from_utf8(id).ok());
                found = id.and_then(|id| id.parse().ok());
            }
            found.is_some()
        });
        found
    }

    /// Whom `sudo` and its like around the command name, else the caller.
    fn actor(&self, at: Option<At<'j>>) -> Actor<'j> {
        self.alike.note_surroundings();
        let mut step = at.map(|(_, command)| command);
        while let Some(command) = step {
            let above = self.tree.parent(command);
            if let Some(switch) = above
                && command.via == Via::Privilege
            {
                return self.switched_to(switch, command);
            }
            step = above;
        }
        match self.world.user() {
            Answer::Value(id) => Actor::Number(id),
            Answer::Absent | Answer::Unavailable => Actor::Unknown,
        }
    }

    /// The user that a command like `sudo` names; root if none.
    fn switched_to(&self, switch: &Command, inner: &Command) -> Actor<'j> {
        let words = self.own_words(switch, inner);
        let name = self.tree.program(switch).map_or(&b""[..], |(_, text)| file_name(text));
        let mut rest = words.iter().skip(1);
        while let Some(word) = rest.next() {
            let text = self.tree.bytes(word.text);
            let value = match text {
                b"-u" | b"--user" => rest.next().map(|word| self.tree.bytes(word.text)),
                [b'-', b'u', value @ ..] if name != b"su" => Some(value),
                _ => text.strip_prefix(b"--user="),
            };
            // `su NAME`, `gosu NAME`: the first word that is no option.
            let operand = matches!(name, b"su" | b"gosu" | b"su-exec" | b"setuidgid" | b"chpst");
            let value = value.or((operand && !is_option(text) && text != b"-").then_some(text));
            let Some(value) = value else {
                continue;
            };
            if word.flags.has(WordFlags::PARTIAL) || value.contains(&UNKNOWN) {
                return Actor::Unknown;
            }
            let digits = value.strip_prefix(b"#").unwrap_or(value);
            let number = core::str::from_utf8(digits).ok().and_then(|text| text.parse().ok());
            return number.map_or(Actor::Name(value), Actor::Number);
        }
        Actor::Number(0)
    }

    /// Whether the program that asks has one of these names.
    pub fn parent(&mut self, image: &Image<'_>, record: &NodeRecord) -> Result<Tri, Fault> {
        match self.world.parent(self.line) {
            Answer::Value(path) => patterns(image, record.first, record.count, file_name(path)),
            Answer::Absent => Ok(Tri::No),
            Answer::Unavailable => Ok(Tri::Unknown),
        }
    }

    /// Whether the directory that the command would run in matches.
    pub fn directory(
        &mut self,
        image: &Image<'_>,
        record: &NodeRecord,
        at: Option<At<'j>>,
    ) -> Result<Tri, Fault> {
        let cwd = at.map_or(self.request.cwd, |(_, command)| self.cwd(command));
        let cwd = cwd.known_to(self.world);
        match cwd {
            // Relative patterns are below the request's directory, not below this one.
            Cwd::Known(path) => self.path_matches(image, record, path, self.request.cwd),
            Cwd::Unknown | Cwd::OnDemand => self.path_matches(image, record, b".", cwd),
        }
    }

    /// Whether the file that the command's program is matches a path.
    pub fn executable(
        &mut self,
        image: &Image<'_>,
        record: &NodeRecord,
        at: At<'j>,
    ) -> Result<Tri, Fault> {
        let mut file = Text::<1024>::new();
        match self.file_of(at, &mut file) {
            Answer::Value(()) => {
                // Paths are remembered by where they lie, and this one lies here only for now.
                self.spellings.forget();
                let found = self.path_matches(image, record, file.get(), Cwd::Known(b"/"));
                self.spellings.forget();
                found
            }
            Answer::Unavailable if record.flags & EXE_SURE == 0 => Ok(Tri::Unknown),
            Answer::Absent | Answer::Unavailable => Ok(Tri::No),
        }
    }

    /// Whether the SHA-256 of that file is one of the patterns.
    pub fn digest(
        &mut self,
        image: &Image<'_>,
        record: &NodeRecord,
        at: At<'j>,
    ) -> Result<Tri, Fault> {
        let mut file = Text::<1024>::new();
        let digest = match self.file_of(at, &mut file) {
            Answer::Value(()) => self.world.digest(file.get()),
            Answer::Absent => Answer::Absent,
            Answer::Unavailable => Answer::Unavailable,
        };
        match digest {
            Answer::Value(digest) => {
                let mut text = [0; 64];
                for (pair, byte) in text.chunks_exact_mut(2).zip(digest) {
                    for (digit, value) in pair.iter_mut().zip([byte >> 4, byte & 15]) {
                        *digit = if value < 10 { b'0' + value } else { b'a' - 10 + value };
                    }
                }
                patterns(image, record.first, record.count, &text)
            }
            Answer::Absent => Ok(Tri::No),
            Answer::Unavailable => Ok(Tri::Unknown),
        }
    }

    /// The absolute path of the file that the command's program is: as the entrance found it for
    /// the call itself, else along `PATH` as `execvp(3)` looks.
    pub fn file_of(&mut self, at: At<'j>, out: &mut Text<1024>) -> Answer<()> {
        let (index, command) = at;
        let done = |fits: Option<()>| fits.map_or(Answer::Unavailable, Answer::Value);
        let named = match self.request.call {
            Call::Exec { file, .. } if index == 0 => self.request.target.resolved.unwrap_or(file),
            _ => match self.tree.program(command) {
                None => return Answer::Absent,
                Some((_, text)) if text.contains(&UNKNOWN) => return Answer::Unavailable,
                Some((_, text)) => text,
            },
        };
        if named.contains(&b'/') {
            let base = match self.cwd(command) {
                _ if named.first() == Some(&b'/') => Cwd::Known(b"/"),
                cwd => cwd.known_to(self.world),
            };
            let base = match base {
                Cwd::Known(base) => base,
                Cwd::Unknown | Cwd::OnDemand => return Answer::Unavailable,
            };
            let at = self.spellings.remember(base, named);
            return done(at.and_then(|at| out.set(self.spellings.lexical(at))));
        }
        let path = match self.variable(Some(at), b"PATH") {
            Ok(Answer::Value(path)) => path,
            Ok(Answer::Absent) => b"/usr/local/bin:/usr/bin:/bin",
            Ok(Answer::Unavailable) | Err(_) => return Answer::Unavailable,
        };
        for directory in path.split(|byte| *byte == b':').take(64) {
            if directory.first() != Some(&b'/') {
                continue;
            }
            let fits = out.set(directory).and_then(|()| out.push(b"/")?.push(named).map(drop));
            if fits.is_none() {
                return Answer::Unavailable;
            }
            match self.world.resolve(out.get(), self.line) {
                Answer::Value(_) => return Answer::Value(()),
                Answer::Absent => {}
                Answer::Unavailable => return Answer::Unavailable,
            }
        }
        Answer::Absent
    }
}
