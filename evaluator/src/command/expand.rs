//! Values on their way into a word: field splitting, lists of parameters, tilde (POSIX.1-2024 XCU
//! 2.6.1, 2.6.5).

use super::lexer::is_meta;
use super::limits::Step;
use super::shell::Shell;
use super::vars::{Value, kind};
use super::word::Mode;
use super::{Run, Span, UNKNOWN, Word, WordFlags};

/// What a word has from a value that it holds.
const fn carried(flags: WordFlags) -> WordFlags {
    WordFlags(flags.0 & (WordFlags::FETCHED.0 | WordFlags::DECODED.0 | WordFlags::GLOB.0))
}

impl Shell<'_, '_> {
    /// Adds a value: split and open to globs unless `quoted`.
    pub fn append(&mut self, value: Span, flags: WordFlags, quoted: bool, mode: Mode) -> Step {
        self.add_flags(carried(flags));
        let splits = !quoted && mode == Mode::Args;
        let separators = if splits { self.separators() } else { None };
        if separators.is_some() {
            self.take_steps(value.len)?;
        }
        let start = value.start as usize;
        if self.stays_whole(value, splits, separators) {
            self.burn((value.len as usize / 4).saturating_add(1))?;
            self.build.some = true;
            return self.text.stack_copy(start, value.len as usize);
        }
        for at in start..start.saturating_add(value.len as usize) {
            let byte = self.text.get(at).unwrap_or(UNKNOWN);
            if byte == UNKNOWN {
                self.put_unknown(splits)?;
                continue;
            }
            if splits {
                if self.separates(byte, separators) {
                    self.end_word()?;
                    continue;
                }
                if matches!(byte, b'*' | b'?' | b'[') {
                    self.add_flags(WordFlags::GLOB);
                }
            }
            self.put(byte)?;
        }
        Ok(())
    }

    /// Adds the value of `name` to the word that is being put together.
    pub fn expand_name(&mut self, name: Span, quoted: bool, mode: Mode) -> Step {
        let star = self.bytes(name) == b"*";
        let all = star || self.bytes(name) == b"@";
        match self.value(name)? {
            Value::Text(word) => {
                let mode = self.target(quoted, mode).mode;
                self.append(word.text, word.flags, quoted, mode)
            }
            Value::List(list) if all || self.is_zsh() => self.append_list(list, star, quoted, mode),
            Value::List(list) => {
                let first = Run { count: list.count.min(1), ..list };
                self.append_list(first, false, quoted, mode)
            }
            Value::Unset | Value::Unknown => self.put_unknown(!quoted && mode == Mode::Args),
        }
    }

    /// Whether every byte of `value` stands for itself.
    fn stays_whole(&self, value: Span, splits: bool, separators: Option<Span>) -> bool {
        let special = |byte: &u8| {
            *byte == UNKNOWN
                || (splits
                    && (matches!(byte, b'*' | b'?' | b'[') || self.separates(*byte, separators)))
        };
        value.len > 0 && !self.bytes(value).iter().any(special)
    }

    /// Adds a list of words: each its own if split or `"$@"`, else with a blank between.
    pub fn append_list(&mut self, list: Run, star: bool, quoted: bool, mode: Mode) -> Step {
        let apart = mode == Mode::Args && !(quoted && star);
        self.build.empty_list |= list.count == 0 && !star;
        self.take_steps(list.count.saturating_mul(2))?;
        let splits = !quoted && mode == Mode::Args;
        let separators = if splits { self.separators() } else { None };
        for step in 0..list.count {
            let word = self.words.get(list.first.saturating_add(step) as usize);
            let word = word.unwrap_or_default();
            if step > 0 && apart {
                self.end_word()?;
                // What stands between two others is a word of its own.
                let is_last = step.saturating_add(1) == list.count;
                if !is_last && self.stays_whole(word.text, splits, separators) {
                    self.burn((word.text.len as usize / 4).saturating_add(3))?;
                    self.take_steps(separators.map_or(0, |_| word.text.len))?;
                    self.words.stack(Word { text: word.text, flags: carried(word.flags) })?;
                    continue;
                }
            } else if step > 0 {
                self.put_between(star)?;
            }
            self.build.some |= quoted;
            self.append(word.text, word.flags, quoted, mode)?;
        }
        Ok(())
    }

    /// Between the words of `"$*"` stands the first byte of `IFS`.
    fn put_between(&mut self, star: bool) -> Step {
        match self.separators().filter(|_| star) {
            None => self.put(b' '),
            Some(separators) => match self.bytes(separators).first().copied() {
                Some(UNKNOWN) => self.put_unknown(false),
                Some(byte) => self.put(byte),
                None => Ok(()),
            },
        }
    }

    /// The value of `IFS`, where the text sets it.
    pub fn separators(&self) -> Option<Span> {
        if !self.vars.has_separators() {
            return None;
        }
        let found = self.find(kind::VARIABLE, b"IFS")?;
        Some(found.value.text)
    }

    pub fn separates(&self, byte: u8, separators: Option<Span>) -> bool {
        match separators {
            Some(span) => self.bytes(span).contains(&byte),
            None => matches!(byte, b' ' | b'\t' | b'\n'),
        }
    }

    pub fn tilde_may_stand(&self, start: usize, mode: Mode) -> bool {
        if self.pos == start {
            return self.text.top() == self.build.start && !self.build.some;
        }
        let before = self.text.get(self.pos.saturating_sub(1));
        mode == Mode::Assign && before == Some(b':')
    }

    /// `~` or `~/…`: the home directory where it is known. `~name` stays as it is.
    pub fn tilde(&mut self) -> Step {
        self.advance(1);
        let alone = self.peek().is_none_or(|byte| byte == b'/' || byte == b':' || is_meta(byte));
        if alone && let Some(home) = self.home()? {
            return self.append(home.text, home.flags, true, Mode::One);
        }
        if self.looking_at(b"root") && self.peek_at(4).is_none_or(|b| b == b'/' || is_meta(b)) {
            self.advance(4);
            for byte in b"/root" {
                self.put(*byte)?;
            }
            return Ok(());
        }
        self.put(b'~')
    }
}
