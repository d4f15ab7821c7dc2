//! Compound commands: groups, conditions, loops, `case`, functions, `[[ ]]`, `(( ))`, `coproc`.
//!
//! Every branch counts as reachable. A loop over known words is read once for each of them, a
//! function's body where it is called.

use super::flow::{Data, Taint};
use super::grammar::Mark;
use super::limits::{Step, Stop};
use super::shell::{Dialect, Shell};
use super::vars::kind;
use super::word::Mode;
use super::{Command, CommandFlags, Run, Span, UNKNOWN, Word, WordFlags};

/// What a command starts with.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Compound {
    Arithmetic(usize),
    Subshell,
    Group,
    If,
    While,
    For,
    Select,
    Case,
    Test,
    Function,
    Coproc,
    /// zsh's `repeat COUNT …`.
    Repeat,
    /// zsh's `() { … } ARG …`.
    Anonymous,
}

impl Shell<'_, '_> {
    /// One command with its redirections.
    pub fn command(&mut self) -> Step {
        self.blanks()?;
        match self.compound_start()? {
            None => self.simple(),
            Some(Compound::Function) => self.function_keyword(),
            Some(compound) => self.nested(|shell| {
                shell.capture.tentative = false;
                shell.with_redirects(compound)
            }),
        }
    }

    fn compound_start(&mut self) -> Step<Option<Compound>> {
        let bash = self.is_bash();
        Ok(match self.peek() {
            Some(b'(') if self.is_zsh() && self.peek_at(1) == Some(b')') => {
                Some(Compound::Anonymous)
            }
            Some(b'(') => {
                if self.peek_at(1) == Some(b'(')
                    && bash
                    && let Some(end) = self.arithmetic_end(self.pos.saturating_add(2))?
                {
                    return Ok(Some(Compound::Arithmetic(end)));
                }
                Some(Compound::Subshell)
            }
            Some(b'{') => self.starts(b"{", Compound::Group),
            Some(b'i') => self.starts(b"if", Compound::If),
            Some(b'w') => self.starts(b"while", Compound::While),
            Some(b'u') => self.starts(b"until", Compound::While),
            Some(b's') if bash => self.starts(b"select", Compound::Select),
            Some(b'[') if bash => self.starts(b"[[", Compound::Test),
            Some(b'r') if self.is_zsh() => self.starts(b"repeat", Compound::Repeat),
            Some(b'f') if self.is_zsh() && self.keyword(b"foreach").is_some() => {
                Some(Compound::For)
            }
            Some(b'f') => self.starts(b"for", Compound::For).or_else(|| {
                let function = self.starts(b"function", Compound::Function);
                function.filter(|_| bash)
            }),
            Some(b'c') => self.starts(b"case", Compound::Case).or_else(|| {
                let coproc = self.starts(b"coproc", Compound::Coproc);
                coproc.filter(|_| bash)
            }),
            _ => None,
        })
    }

    fn starts(&self, word: &[u8], compound: Compound) -> Option<Compound> {
        self.keyword(word).map(|_| compound)
    }

    /// A compound command and the redirections behind it. What flows into it is known only when
    /// these are read: then it is read again with that.
    fn with_redirects(&mut self, compound: Compound) -> Step {
        self.take_steps(16)?;
        let (start, here, mark) = (self.pos, self.here, self.mark());
        let stdin = self.place.stdin;
        let output = self.text.top();
        self.compound(compound)?;
        let Some(data) = self.trailing_redirects(output)? else {
            return Ok(());
        };
        let worth = data.text.len > 0 && self.bytes(data.text).iter().any(|b| *b != UNKNOWN);
        if self.dry || !(worth || data.taint.has(Taint::FETCHED)) {
            return Ok(());
        }
        self.forget(mark, true);
        self.text.unstack(output);
        (self.pos, self.here) = (start, here);
        self.place.stdin = data;
        self.compound(compound)?;
        self.place.stdin = stdin;
        self.trailing_redirects(output)?;
        Ok(())
    }

    /// Redirections behind a compound command: a command without words holds them. What they give
    /// it to read, if anything.
    fn trailing_redirects(&mut self, output: usize) -> Step<Option<Data>> {
        self.blanks()?;
        if !self.at_redirect() {
            return Ok(None);
        }
        let index = self.begin_command()?;
        let outer = self.place;
        self.place.parent = (index as u32).saturating_add(1);
        let top = self.redirects.top();
        while self.redirect()? {
            self.blanks()?;
        }
        self.place = outer;
        let (first, count) = self.redirects.keep(top)?;
        let command = self.command_mut(index)?;
        command.redirects = Run { first: first as u32, count: count as u32 };
        command.flags = command.flags.with(CommandFlags::BUILTIN);
        self.divert_output(index, output)?;
        self.stdin_redirect(index)
    }

    /// A command that belongs where the cursor stands, without words as yet.
    pub fn begin_command(&mut self) -> Step<usize> {
        let command = Command {
            parent: self.place.parent,
            via: self.place.via,
            at: self.at(),
            ..Command::default()
        };
        self.commands.push(command)
    }

    fn compound(&mut self, compound: Compound) -> Step {
        match compound {
            Compound::Arithmetic(end) => {
                self.advance(2);
                self.expression(end)?;
                self.pos = end.saturating_add(2).min(self.end);
                Ok(())
            }
            Compound::Subshell => {
                self.advance(1);
                self.subshell(|shell| {
                    shell.some_list()?;
                    shell.expect_close(b')')
                })
            }
            Compound::Group => {
                self.advance(1);
                self.some_list()?;
                self.expect_close(b'}')?;
                self.always_block()
            }
            Compound::If => self.condition(),
            Compound::While => self.while_loop(),
            Compound::For => self.for_loop(),
            Compound::Select => self.for_loop(),
            Compound::Case => self.case(),
            Compound::Test => self.test(),
            Compound::Coproc => self.coprocess(),
            Compound::Function => Err(Stop::Syntax),
            Compound::Repeat => self.repeat_loop(),
            Compound::Anonymous => {
                self.advance(2);
                self.anonymous_function()
            }
        }
    }

    pub fn expect_close(&mut self, close: u8) -> Step {
        if self.peek() == Some(close) {
            self.advance(1);
            return Ok(());
        }
        Err(self.unexpected())
    }

    /// `if … then … elif … else … fi`.
    fn condition(&mut self) -> Step {
        self.take_keyword(b"if");
        let before = self.mark();
        let mut since = before.vars();
        self.some_list()?;
        if self.braced_branches()? {
            self.join(before);
            return Ok(());
        }
        self.expect_keyword(b"then")?;
        self.some_list()?;
        loop {
            if self.take_keyword(b"elif") {
                self.instead(before, since);
                since = self.vars.len();
                self.some_list()?;
                self.expect_keyword(b"then")?;
                self.some_list()?;
            } else if self.take_keyword(b"else") {
                self.instead(before, since);
                since = self.vars.len();
                self.some_list()?;
            } else {
                break;
            }
        }
        self.join_since(before, since);
        self.expect_keyword(b"fi")
    }

    /// What follows runs if what was read since `before` did not; `since` that, what was set was
    /// certain.
    pub fn instead(&mut self, before: Mark, since: usize) {
        self.maybe_since(since);
        let state = before.state();
        (self.state.args, self.state.args_unknown) = (state.args, state.args_unknown);
    }

    /// What was set or changed since `before` may not have been.
    pub fn join(&mut self, before: Mark) {
        self.join_since(before, before.vars());
    }

    /// As [`Shell::join`], where what was set until `since` is marked.
    pub fn join_since(&mut self, before: Mark, since: usize) {
        self.maybe_since(since);
        let state = before.state();
        self.state.args_unknown |= self.state.args != state.args || state.args_unknown;
        if self.state.dir != state.dir || self.state.moved != state.moved {
            self.state.dir = Span::default();
            self.state.moved = true;
        }
    }

    /// `[[ … ]]`: its words, without what they are joined by.
    fn test(&mut self) -> Step {
        let index = self.begin_command()?;
        let outer = self.place;
        self.place.parent = (index as u32).saturating_add(1);
        let top = self.words.top();
        let text = self.keep_bytes(b"[[")?;
        let flags = WordFlags::default();
        self.words.stack(Word { text, flags })?;
        self.advance(2);
        self.test_words()?;
        self.place = outer;
        let (first, count) = self.words.keep(top)?;
        let command = self.command_mut(index)?;
        command.words = Run { first: first as u32, count: count as u32 };
        command.flags = command.flags.with(CommandFlags::BUILTIN);
        Ok(())
    }

    fn test_words(&mut self) -> Step {
        let mut parens = 0_u32;
        loop {
            self.newlines()?;
            if parens == 0 && self.take_keyword(b"]]") {
                return Ok(());
            }
            let process = self.peek_at(1) == Some(b'(');
            match self.peek() {
                None => return Err(Stop::Unterminated),
                Some(b'(') => {
                    parens = parens.saturating_add(1);
                    self.advance(1);
                }
                Some(b')') if parens > 0 => {
                    parens = parens.saturating_sub(1);
                    self.advance(1);
                }
                Some(b'<' | b'>') if !process => self.advance(1),
                Some(b'&' | b'|') if self.peek_at(1) == self.peek() => self.advance(2),
                _ if self.take_keyword(b"=~") => {
                    self.blanks()?;
                    self.regex(parens > 0)?;
                }
                _ => {
                    if !self.word(Mode::One)? {
                        return Err(self.unexpected());
                    }
                }
            }
        }
    }

    /// The right side of `=~`, in which brackets and `|` are ordinary.
    fn regex(&mut self, inside: bool) -> Step {
        let end = self.scan(self.pos, |byte| {
            matches!(byte, b' ' | b'\t' | b'\n') || (inside && byte == b')')
        })?;
        let end = end.unwrap_or(self.end);
        let outer = core::mem::replace(&mut self.end, end);
        let mut done = Ok(());
        while self.pos < self.end && done.is_ok() {
            done = self.word(Mode::One).map(|there| {
                if !there {
                    self.pos = self.pos.saturating_add(1);
                }
            });
        }
        self.end = outer;
        done
    }

    /// `coproc [NAME] command`.
    fn coprocess(&mut self) -> Step {
        self.take_keyword(b"coproc");
        self.blanks()?;
        let start = self.pos;
        self.take_name();
        let named = self.pos > start && matches!(self.peek(), Some(b' ' | b'\t'));
        self.blanks()?;
        let compound = self.compound_start()?;
        if !named || compound.is_none() || compound == Some(Compound::Function) {
            self.pos = start;
        }
        self.subshell(Self::command)
    }

    /// `function NAME [()] command`.
    fn function_keyword(&mut self) -> Step {
        self.take_keyword(b"function");
        self.blanks()?;
        if self.is_zsh() && self.keyword(b"{").is_some() {
            return self.anonymous_function();
        }
        let name = self.one_word(Mode::One)?;
        self.blanks()?;
        if self.is_zsh() && self.keyword(b"{").is_none() && !self.looking_at(b"(") {
            return self.define_several(name.text);
        }
        if self.take(b"(") {
            self.blanks()?;
            self.expect_close(b')')?;
        }
        self.define(name.text)
    }

    /// Reads a command that is not run yet, and forgets everything about it.
    pub fn read_dry(&mut self) -> Step {
        let (mark, place) = (self.mark(), self.place);
        let tops = (self.text.top(), self.words.top(), self.redirects.top());
        let dry = core::mem::replace(&mut self.dry, true);
        let done = self.nested(Self::command);
        self.dry = dry;
        // One with an error ends in the middle of something, whose text goes with the rest.
        self.place = place;
        self.text.unstack(tops.0);
        self.words.unstack(tops.1);
        self.redirects.unstack(tops.2);
        self.forget(mark, false);
        done
    }

    /// A function's body: where it stands is remembered, and what it runs is not run yet.
    pub fn define(&mut self, name: Span) -> Step {
        self.newlines()?;
        let start = self.pos;
        self.read_dry()?;
        let dialect = match self.place.dialect {
            Dialect::Bash => 0,
            Dialect::Posix => kind::POSIX,
            Dialect::Zsh => kind::ZSH,
        };
        let body = Word {
            text: Span { start: start as u32, len: self.end.saturating_sub(start) as u32 },
            flags: WordFlags::default(),
        };
        self.set(kind::FUNCTION | dialect, name, body)
    }
}
