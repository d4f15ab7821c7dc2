//! What the text has given names to: variables, arrays, functions, aliases and files.
//!
//! Entries are only ever added; the latest counts. A subshell forgets what it added. What was
//! added where it may not have run (`if`, `&&`, loops) is marked, and then every value back to the
//! last certain one is possible: a simple command is read once with each (see `Pick`).

use super::flow::{Data, Taint};
use super::limits::Step;
use super::shell::Shell;
use super::{Run, Span, Var, Word, WordFlags};
use crate::request::{Cwd, Env};

/// What an entry names: the low bits of [`Var::scope`].
pub(super) mod kind {
    /// A variable; the value is its text.
    pub const VARIABLE: u32 = 0;
    /// A function; the value's text is its body, up to the end of the text it was read from.
    pub const FUNCTION: u32 = 1;
    /// An alias.
    pub const ALIAS: u32 = 2;
    /// A file; the value is its content.
    pub const FILE: u32 = 3;
    /// An array; the value's text is a run of words.
    pub const ARRAY: u32 = 4;
    /// A variable in code of another language.
    pub const CODE: u32 = 5;
    /// A name in such code that means another one.
    pub const NAME: u32 = 6;
    /// The bits above.
    pub const MASK: u32 = 7;
    /// What is looked up together: a variable may be an array.
    pub const fn group(scope: u32) -> u32 {
        match scope & MASK {
            ARRAY => VARIABLE,
            kind => kind,
        }
    }
    /// It may be that this was never set.
    pub const MAYBE: u32 = 8;
    /// It was unset.
    pub const UNSET: u32 = 16;
    /// With [`UNSET`]: what the environment says holds again.
    pub const HIDDEN: u32 = 64;
    /// A function read by a POSIX shell.
    pub const POSIX: u32 = 32;
    /// A function read by zsh.
    pub const ZSH: u32 = 512;
    /// A variable that stands for the one its value names (`declare -n`).
    pub const REFERENCE: u32 = 128;
    /// A variable that the processes which are started get, too.
    pub const EXPORTED: u32 = 256;
}

/// So many possible values of a variable are looked for.
pub(super) const MAX_VALUES: usize = 16;

/// The values that a name may have, as they were last looked up: a simple command is read once with each
/// of them, and looks them up each time.
#[derive(Clone, Copy, Default)]
pub(super) struct Chosen {
    /// State of the memory of names, the link of the name's latest entry, which no other one has, and
    /// where the process's own variables begin.
    key: (u32, u32, u32),
    wanted: u32,
    count: u32,
    /// Indices of the entries.
    entries: [u32; MAX_VALUES],
}

/// What a name stands for.
#[derive(Clone, Copy)]
pub(super) enum Value {
    /// Nothing that is known of.
    Unset,
    /// This text.
    Text(Word),
    /// These words.
    List(Run),
    /// Something that is not known.
    Unknown,
}

/// Variables of the environment whose value may be shown: it ends up in verdicts and records.
/// The values of all others stay unknown, since they may be secrets.
pub(super) const SHOWN: [&[u8]; 19] = [
    b"HOME",
    b"PWD",
    b"OLDPWD",
    b"USER",
    b"LOGNAME",
    b"SHELL",
    b"TMPDIR",
    b"TMP",
    b"TEMP",
    b"HOSTNAME",
    b"LANG",
    b"CARGO_HOME",
    b"GOPATH",
    b"XDG_CONFIG_HOME",
    b"XDG_DATA_HOME",
    b"XDG_CACHE_HOME",
    b"XDG_STATE_HOME",
    b"XDG_RUNTIME_DIR",
    b"CLAUDE_PROJECT_DIR",
];

impl Shell<'_, '_> {
    /// Gives `name` a value.
    pub fn set(&mut self, scope: u32, name: Span, value: Word) -> Step {
        if self.dry {
            return Ok(());
        }
        let name = match scope & kind::MASK {
            kind::VARIABLE | kind::ARRAY if scope & kind::REFERENCE == 0 => self.referent(name),
            _ => name,
        };
        let all = if self.state.exports_all { kind::EXPORTED } else { 0 };
        self.burn(name.len as usize / 8)?;
        let text = self.text.run(name.start as usize, name.len as usize);
        self.vars.push(kind::group(scope), text, Var { name, value, scope: scope | all, link: 0 })
    }

    /// The variable that `name` is a reference to, else `name`.
    fn referent(&self, name: Span) -> Span {
        if !self.vars.has_references() {
            return name;
        }
        let found = self.find(kind::VARIABLE, self.bytes(name));
        match found.filter(|entry| entry.scope & kind::REFERENCE != 0) {
            Some(entry) => entry.value.text,
            None => name,
        }
    }

    /// Whether the text itself unset `name`.
    fn was_unset(&self, name: Span) -> bool {
        let unset = |entry: &Var| entry.scope & !(kind::MASK | kind::EXPORTED) == kind::UNSET;
        self.entries(kind::VARIABLE, self.bytes(name)).next().is_some_and(|entry| unset(&entry))
    }

    /// Marks what was set since there were `since` entries as possibly not set.
    pub fn maybe_since(&mut self, since: usize) {
        for index in since..self.vars.len() {
            if let Some(entry) = self.vars.get_mut(index) {
                entry.scope |= kind::MAYBE;
            }
        }
    }

    /// Forgets what was set since there were `since` entries, but for files: these stay.
    pub fn drop_vars(&mut self, since: usize) {
        self.vars.retain(since, |entry| entry.scope & kind::MASK == kind::FILE);
    }

    /// The latest entry of `name`.
    #[inline]
    pub fn find(&self, wanted: u32, name: &[u8]) -> Option<Var> {
        if !self.vars.has(kind::group(wanted)) {
            return None;
        }
        self.latest(wanted, name)
    }

    fn latest(&self, wanted: u32, name: &[u8]) -> Option<Var> {
        self.entries(wanted, name).next().filter(|entry| entry.scope & kind::UNSET == 0)
    }

    /// The entries of `name` that are to be seen, the latest first.
    pub fn entries<'a>(&'a self, wanted: u32, name: &'a [u8]) -> impl Iterator<Item = Var> + 'a {
        self.seen(wanted, name).map(|(_, entry)| entry)
    }

    /// The same with their indices.
    fn seen<'a>(&'a self, wanted: u32, name: &'a [u8]) -> impl Iterator<Item = (usize, Var)> + 'a {
        let floor = if wanted == kind::VARIABLE { self.state.own_vars as usize } else { 0 };
        let named = self.named(wanted, name);
        named.filter(move |(at, entry)| *at >= floor || self.is_exported(entry))
    }

    /// All entries of `name` with their indices, the latest first.
    pub fn named<'a>(
        &'a self,
        wanted: u32,
        name: &'a [u8],
    ) -> impl Iterator<Item = (usize, Var)> + 'a {
        self.vars.chain(kind::group(wanted), name).filter(move |(_, entry)| {
            let kind = entry.scope & kind::MASK;
            let same = kind == wanted || (wanted == kind::VARIABLE && kind == kind::ARRAY);
            same && entry.name.len as usize == name.len() && self.bytes(entry.name) == name
        })
    }

    /// The entry of `name`, one of several in turn where several are possible.
    pub fn choose(&mut self, wanted: u32, name: Span) -> Step<Option<Var>> {
        self.burn(name.len as usize / 8)?;
        let latest = self.entries(wanted, self.bytes(name)).next();
        if latest.is_none_or(|entry| entry.scope & kind::MAYBE == 0) {
            return Ok(latest.filter(|entry| entry.scope & kind::UNSET == 0));
        }
        let key = (self.vars.version(), latest.unwrap_or_default().link, self.state.own_vars);
        if self.chosen.key != key || self.chosen.wanted != wanted {
            self.chosen = Chosen { key, wanted, ..self.values_of(wanted, name) };
        }
        let nth = self.choice(self.chosen.count);
        let at = self.chosen.entries.get(nth as usize).filter(|_| self.chosen.count > 0);
        let found = at.and_then(|at| self.vars.get(*at as usize));
        Ok(found.filter(|entry| entry.scope & kind::UNSET == 0))
    }

    /// The values that `name` may have, up to the one that is certain.
    fn values_of(&self, wanted: u32, name: Span) -> Chosen {
        let mut values = Chosen::default();
        for (at, entry) in self.seen(wanted, self.bytes(name)).take(MAX_VALUES) {
            let same = |other: &u32| {
                let other = self.vars.get(*other as usize).unwrap_or_default();
                let (one, two) = (other.value.text, entry.value.text);
                let set = other.scope & (kind::MASK | kind::UNSET);
                set == entry.scope & (kind::MASK | kind::UNSET)
                    && other.value.flags == entry.value.flags
                    && (one == two || one.len == two.len && self.bytes(one) == self.bytes(two))
            };
            if !values.entries.iter().take(values.count as usize).any(same)
                && let Some(slot) = values.entries.get_mut(values.count as usize)
            {
                *slot = at as u32;
                values.count = values.count.saturating_add(1);
            }
            if entry.scope & kind::MAYBE == 0 {
                break;
            }
        }
        values
    }

    /// Which of `count` possibilities the current reading takes.
    fn choice(&mut self, count: u32) -> u32 {
        if count < 2 {
            return 0;
        }
        let before = self.pick.total.max(1);
        self.pick.total = before.saturating_mul(count);
        let rest = self.pick.number.checked_div(before).unwrap_or(0);
        rest.checked_rem(count).unwrap_or(0)
    }

    /// What `$name` stands for.
    pub fn value(&mut self, name: Span) -> Step<Value> {
        if let Some(first) = self.bytes(name).first().copied()
            && !super::lexer::is_name_start(first)
        {
            return self.special(first, name);
        }
        if let Some(entry) = self.choose(kind::VARIABLE, name)? {
            if entry.scope & kind::REFERENCE != 0 {
                let other = entry.value.text;
                return self.nested(|shell| shell.value(other));
            }
            if entry.scope & kind::MASK == kind::ARRAY {
                return Ok(Value::List(Run {
                    first: entry.value.text.start,
                    count: entry.value.text.len,
                }));
            }
            return Ok(Value::Text(entry.value));
        }
        if self.bytes(name) == b"_" {
            return Ok(match self.state.last.text.len {
                0 => Value::Unknown,
                _ => Value::Text(self.state.last),
            });
        }
        if self.was_unset(name) {
            return Ok(Value::Text(Word::default()));
        }
        if self.bytes(name) == b"PWD" {
            return match self.directory()? {
                Some(text) => Ok(Value::Text(Word { text, flags: WordFlags::default() })),
                None => Ok(Value::Unknown),
            };
        }
        if self.bytes(name) == b"IFS" {
            let text = self.keep_bytes(b" \t\n")?;
            let flags = WordFlags::default();
            return Ok(Value::Text(Word { text, flags }));
        }
        self.environment(name)
    }

    fn environment(&mut self, name: Span) -> Step<Value> {
        let env: &dyn Env = self.env;
        let text = self.bytes(name);
        let shown = SHOWN.contains(&text);
        match env.get(text) {
            None => Ok(Value::Unset),
            Some(value) if shown && !value.contains(&super::UNKNOWN) => {
                let start = self.text.push_all(value)?;
                Ok(Value::Text(Word {
                    text: Span { start: start as u32, len: value.len() as u32 },
                    flags: WordFlags::default(),
                }))
            }
            Some(_) => Ok(Value::Unknown),
        }
    }

    /// Positional and special parameters.
    fn special(&mut self, first: u8, name: Span) -> Step<Value> {
        let args = self.state.args;
        let positional = matches!(first, b'@' | b'*' | b'#' | b'1'..=b'9');
        if self.state.args_unknown && positional && args.count > 0 {
            return Ok(Value::Unknown);
        }
        Ok(match first {
            b'@' | b'*' => Value::List(args),
            b'#' => Value::Text(self.number(u64::from(args.count))?),
            b'0' if name.len == 1 && self.state.arg0.len > 0 => {
                Value::Text(Word { text: self.state.arg0, flags: WordFlags::default() })
            }
            b'1'..=b'9' => {
                let index = self
                    .bytes(name)
                    .iter()
                    .fold(0_u32, |number, digit| {
                        number
                            .saturating_mul(10)
                            .saturating_add(u32::from(digit.wrapping_sub(b'0')))
                    })
                    .saturating_sub(1);
                if index >= args.count {
                    return Ok(Value::Text(Word::default()));
                }
                let at = args.first.saturating_add(index) as usize;
                Value::Text(self.words.get(at).unwrap_or_default())
            }
            _ => Value::Unknown,
        })
    }

    /// `number` as a word.
    pub fn number(&mut self, number: u64) -> Step<Word> {
        let start = self.text.top();
        self.stack_number(number)?;
        Ok(Word { text: self.keep_text(start)?, flags: WordFlags::default() })
    }

    /// Stacks `number` in decimal.
    pub fn stack_number(&mut self, number: u64) -> Step {
        let mut divisor = 1_u64;
        while number / 10 >= divisor {
            divisor = divisor.saturating_mul(10);
        }
        while divisor > 0 {
            let digit = number.checked_div(divisor).unwrap_or(0) % 10;
            self.text.stack(b'0'.saturating_add(digit as u8))?;
            divisor /= 10;
        }
        Ok(())
    }

    /// The home directory, where it is known.
    pub fn home(&mut self) -> Step<Option<Word>> {
        let start = self.keep_bytes(b"HOME")?;
        Ok(match self.value(start)? {
            Value::Text(word) => Some(word),
            _ => None,
        })
    }

    /// The working directory, where it is known.
    pub fn directory(&mut self) -> Step<Option<Span>> {
        if self.state.moved {
            return Ok((self.state.dir.len > 0).then_some(self.state.dir));
        }
        match self.cwd.known_to(self.world) {
            Cwd::Known(path) => Ok(Some(self.keep_bytes(path)?)),
            Cwd::Unknown | Cwd::OnDemand => Ok(None),
        }
    }

    /// A word that holds `data`.
    pub fn data_word(&self, data: Data) -> Word {
        let mut flags = data.taint.word_flags();
        if data.taint.has(Taint::UNKNOWN) {
            flags = flags.with(WordFlags::PARTIAL);
        }
        Word { text: data.text, flags }
    }
}
