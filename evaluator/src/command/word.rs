//! Words: from source text with quotes and expansions to values (POSIX.1-2024 XCU 2.2, 2.6; bash
//! manual, "Shell Expansions"). One source word can become several words, or none.

use super::lexer::{is_meta, is_name, is_name_start};
use super::limits::{Step, Stop};
use super::shell::{Dialect, Shell};
use super::{Span, UNKNOWN, Word, WordFlags};

/// What a word stands for, and so which expansions it undergoes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// An argument: braces, splitting and globs.
    Args,
    /// Exactly one word.
    One,
    /// The value of an assignment: one word, with `~` also behind `:`.
    Assign,
}

/// The word that is being put together: its bytes lie on the text stack from `start` on.
#[derive(Clone, Copy, Default)]
pub(super) struct Building {
    pub start: usize,
    pub flags: WordFlags,
    /// Whether there is a word at all (`""` is one without bytes).
    pub some: bool,
    /// Its braces were expanded, or are none.
    pub braced: bool,
    /// `$@` without parameters stood in it.
    pub empty_list: bool,
}

impl Shell<'_, '_> {
    /// Reads the source word at the cursor and stacks the words it becomes. Whether there was one.
    pub fn word(&mut self, mode: Mode) -> Step<bool> {
        self.word_with(mode, false)
    }

    /// As [`Shell::word`]; `braced` says that brace expansion is done.
    pub fn word_with(&mut self, mode: Mode, braced: bool) -> Step<bool> {
        match self.plain_word()? {
            Some(there) => Ok(there),
            None => self.special_word(mode, braced),
        }
    }

    /// As [`Shell::word_with`], where [`Shell::plain_word`] has nothing to say.
    pub fn special_word(&mut self, mode: Mode, braced: bool) -> Step<bool> {
        self.take_steps(3)?;
        let start = self.pos;
        let outer = self.build;
        self.begin_word();
        self.build.braced = braced;
        let done = self.parts(mode, None);
        let there = self.pos > start;
        if there && done.is_ok() {
            self.build.some |= mode != Mode::Args;
            self.end_word()?;
        }
        self.text.unstack(self.build.start);
        self.build = outer;
        done?;
        Ok(there)
    }

    /// Reads one word that has to be there.
    pub fn one_word(&mut self, mode: Mode) -> Step<Word> {
        let top = self.words.top();
        if !self.word(mode)? {
            return Err(self.unexpected());
        }
        let word = self.words.get(top).unwrap_or_default();
        self.words.unstack(top);
        Ok(word)
    }

    /// Starts a word behind what is stacked.
    pub fn begin_word(&mut self) {
        self.build = Building { start: self.text.top(), ..Building::default() };
    }

    /// Stacks the word that was put together, if there is one, and starts the next.
    pub fn end_word(&mut self) -> Step {
        if self.build.some {
            self.burn(2)?;
            let word = self.finish_word()?;
            self.words.stack(word)?;
        }
        let braced = self.build.braced;
        self.begin_word();
        self.build.braced = braced;
        Ok(())
    }

    /// Keeps the word that was put together.
    pub fn finish_word(&mut self) -> Step<Word> {
        let text = self.keep_text(self.build.start)?;
        let mut flags = self.build.flags;
        if flags.has(WordFlags::PARTIAL) && self.bytes(text).iter().all(|byte| *byte == UNKNOWN) {
            flags = flags.with(WordFlags::DYNAMIC);
        }
        Ok(Word { text, flags })
    }

    /// Adds one known byte.
    #[inline]
    pub fn put(&mut self, byte: u8) -> Step {
        self.fuel = self.fuel.checked_sub(1).ok_or(Stop::Limit)?;
        self.build.some = true;
        self.text.stack(byte)
    }

    /// Adds a part whose value is not known.
    pub fn put_unknown(&mut self, splits: bool) -> Step {
        self.put(UNKNOWN)?;
        self.add_flags(WordFlags::PARTIAL);
        if splits {
            self.add_flags(WordFlags::SPLITS);
        }
        Ok(())
    }

    /// Sets flags of the word that is being put together.
    pub fn add_flags(&mut self, flags: WordFlags) {
        self.build.flags = self.build.flags.with(flags);
    }

    /// Reads parts of a word outside of quotes, up to a byte that ends words, or up to `until`.
    pub fn parts(&mut self, mode: Mode, until: Option<u8>) -> Step {
        let start = self.pos;
        loop {
            let Some(byte) = self.peek() else {
                return match until {
                    Some(_) => Err(Stop::Unterminated),
                    None => Ok(()),
                };
            };
            if until == Some(byte) {
                return Ok(());
            }
            if is_meta(byte) {
                if !self.meta(byte, mode, until)? {
                    return Ok(());
                }
                continue;
            }
            match byte {
                b'\\' => self.backslash()?,
                b'\'' => self.single_quoted()?,
                b'"' => self.double_quoted(mode)?,
                b'`' => self.backticks(false, mode)?,
                b'$' => self.dollar(false, mode)?,
                b'~' if self.tilde_may_stand(start, mode) => self.tilde()?,
                b'{' if mode == Mode::Args && until.is_none() && !self.build.braced => {
                    if self.braces(start)? {
                        return Ok(());
                    }
                    self.build.braced = true;
                }
                b'=' if self.pos == start && mode == Mode::Args && self.is_zsh() => {
                    // `=rm` is the file that `rm` means; `=(…)` one with what is printed.
                    if self.peek_at(1) == Some(b'(') {
                        self.process_substitution(b'<')?;
                    } else {
                        self.advance(1);
                    }
                }
                b'*' | b'?' | b'[' => {
                    self.add_flags(WordFlags::GLOB);
                    self.advance(1);
                    self.put(byte)?;
                }
                UNKNOWN => {
                    self.advance(1);
                    self.put_unknown(mode == Mode::Args)?;
                }
                _ => {
                    self.advance(1);
                    self.put(byte)?;
                }
            }
        }
    }

    /// A byte that ends words, met inside one; whether the word goes on all the same.
    fn meta(&mut self, byte: u8, mode: Mode, until: Option<u8>) -> Step<bool> {
        if matches!(byte, b'<' | b'>') && self.peek_at(1) == Some(b'(') && self.is_bash() {
            self.process_substitution(byte)?;
            return Ok(true);
        }
        if until.is_none() && self.is_zsh() && self.zsh_meta(byte, mode)? {
            return Ok(true);
        }
        if byte == b'(' && until.is_none() && self.text.top() > self.build.start {
            let last = self.text.get(self.text.top().saturating_sub(1));
            if matches!(last, Some(b'?' | b'*' | b'+' | b'@' | b'!')) && self.is_bash() {
                self.extended_glob()?;
                return Ok(true);
            }
        }
        if until.is_none() {
            return Ok(false);
        }
        self.advance(1);
        if mode == Mode::Args && matches!(byte, b' ' | b'\t' | b'\n') {
            self.end_word()?;
        } else {
            self.put(byte)?;
        }
        Ok(true)
    }

    /// Whether the text is read by something that knows bash's extensions.
    pub fn is_bash(&self) -> bool {
        self.place.dialect != Dialect::Posix
    }

    /// Whether the text is read by zsh.
    pub fn is_zsh(&self) -> bool {
        self.place.dialect == Dialect::Zsh
    }

    /// `@(a|b)` and the like, from its `(` on: the bytes are kept as they are.
    fn extended_glob(&mut self) -> Step {
        self.nested(|shell| {
            shell.add_flags(WordFlags::GLOB);
            shell.advance(1);
            shell.put(b'(')?;
            shell.parts(Mode::One, Some(b')'))?;
            shell.advance(1);
            shell.put(b')')
        })
    }

    fn backslash(&mut self) -> Step {
        self.advance(1);
        match self.peek() {
            None => self.put(b'\\'),
            Some(b'\n') => {
                self.advance(1);
                Ok(())
            }
            Some(UNKNOWN) => Ok(()),
            Some(byte) => {
                self.advance(1);
                self.add_flags(WordFlags::QUOTED);
                self.put(byte)
            }
        }
    }

    fn single_quoted(&mut self) -> Step {
        self.advance(1);
        self.add_flags(WordFlags::QUOTED);
        self.build.some = true;
        loop {
            match self.peek() {
                None => return Err(Stop::Unterminated),
                Some(b'\'') => {
                    self.advance(1);
                    return Ok(());
                }
                Some(byte) => {
                    self.advance(1);
                    if byte == UNKNOWN {
                        self.put_unknown(false)?;
                    } else {
                        self.put(byte)?;
                    }
                }
            }
        }
    }

    fn double_quoted(&mut self, mode: Mode) -> Step {
        self.nested(|shell| {
            shell.advance(1);
            shell.add_flags(WordFlags::QUOTED);
            let (some, top) = (shell.build.some, shell.text.top());
            shell.build.some = true;
            shell.build.empty_list = false;
            shell.quoted_parts(mode, Some(b'"'))?;
            if shell.build.empty_list && shell.text.top() == top {
                // `"$@"` without parameters is no word.
                shell.build.some = some;
            }
            shell.advance(1);
            Ok(())
        })
    }

    /// Reads parts as inside double quotes, up to `until` or the end of the text (here-documents,
    /// arithmetic).
    pub fn quoted_parts(&mut self, mode: Mode, until: Option<u8>) -> Step {
        loop {
            let Some(byte) = self.peek() else {
                return match until {
                    Some(_) => Err(Stop::Unterminated),
                    None => Ok(()),
                };
            };
            if until == Some(byte) {
                return Ok(());
            }
            match byte {
                b'\\' => match self.peek_at(1) {
                    Some(b'\n') => self.advance(2),
                    Some(next @ (b'$' | b'`' | b'\\')) => {
                        self.advance(2);
                        self.put(next)?;
                    }
                    Some(next) if until == Some(next) => {
                        self.advance(2);
                        self.put(next)?;
                    }
                    _ => {
                        self.advance(1);
                        self.put(byte)?;
                    }
                },
                b'$' => self.dollar(true, mode)?,
                b'`' => self.backticks(true, mode)?,
                b'"' if until == Some(b'}') => self.advance(1),
                UNKNOWN => {
                    self.advance(1);
                    self.put_unknown(false)?;
                }
                _ => self.put_plain(byte, until)?,
            }
        }
    }

    /// Everything that a `$` can start.
    fn dollar(&mut self, quoted: bool, mode: Mode) -> Step {
        let bash = self.is_bash();
        match self.peek_at(1) {
            Some(b'\'') if !quoted && bash => self.ansi_quoted(),
            Some(b'"') if !quoted && bash => {
                self.advance(1);
                self.double_quoted(mode)
            }
            Some(b'(') if self.peek_at(2) == Some(b'(') => {
                match self.arithmetic_end(self.pos.saturating_add(3))? {
                    Some(end) => self.arithmetic(3, end, 2),
                    None => self.substitution(quoted, mode),
                }
            }
            Some(b'(') => self.substitution(quoted, mode),
            Some(b'[') if bash => {
                match self.scan(self.pos.saturating_add(2), |byte| byte == b']')? {
                    Some(end) => self.arithmetic(2, end, 1),
                    None => self.literal_dollar(),
                }
            }
            Some(b'{') => self.nested(|shell| shell.braced_parameter(quoted, mode)),
            Some(byte) if is_name_start(byte) => {
                self.advance(1);
                let name = self.take_name();
                if self.is_zsh() && self.peek() == Some(b'[') {
                    return self.zsh_element(name, quoted, mode);
                }
                self.expand_name(name, quoted, mode)
            }
            Some(b'0'..=b'9' | b'@' | b'*' | b'#' | b'?' | b'-' | b'$' | b'!') => {
                let name = Span { start: self.pos.saturating_add(1) as u32, len: 1 };
                self.advance(2);
                self.expand_name(name, quoted, mode)
            }
            _ => self.literal_dollar(),
        }
    }

    fn literal_dollar(&mut self) -> Step {
        self.advance(1);
        self.put(b'$')
    }

    /// Goes over a variable's name.
    pub fn take_name(&mut self) -> Span {
        let start = self.pos;
        while self.peek().is_some_and(is_name) {
            self.advance(1);
        }
        Span { start: start as u32, len: self.pos.saturating_sub(start) as u32 }
    }
}
