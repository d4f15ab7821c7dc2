//! What zsh reads beyond bash (zshmisc(1), "Complex Commands", "Alternate Forms For Complex
//! Commands", "Precommand Modifiers"; zshexpn(1)).

use super::follow::rest;
use super::limits::Step;
use super::parameter::Target;
use super::shell::Shell;
use super::word::Mode;
use super::{Run, Span, Var, Via, Word, WordFlags};

impl Shell<'_, '_> {
    /// `repeat COUNT` and a body.
    pub fn repeat_loop(&mut self) -> Step {
        self.take_keyword(b"repeat");
        self.blanks()?;
        self.one_word(Mode::One)?;
        self.blanks()?;
        self.take(b";");
        self.newlines()?;
        let before = self.mark();
        self.loop_body(false)?;
        self.join(before);
        Ok(())
    }

    /// `{ … }` at the cursor as the body of a loop or branch; whether there was one.
    pub fn braced_body(&mut self) -> Step<bool> {
        self.newlines()?;
        if self.keyword(b"{").is_none() {
            return Ok(false);
        }
        self.advance(1);
        self.some_list()?;
        self.expect_keyword(b"}")?;
        Ok(true)
    }

    /// A loop's body that is one command, or that of `foreach` up to `end`; whether it is.
    pub fn short_body(&mut self, foreach: bool) -> Step<bool> {
        if self.keyword(b"do").is_some() || self.keyword(b"{").is_some() {
            return Ok(false);
        }
        if foreach {
            self.list()?;
            self.expect_keyword(b"end")?;
        } else {
            self.and_or()?;
        }
        Ok(true)
    }

    /// Behind a condition: `{ … } elif … { … } else { … }`. Whether that stands there.
    pub fn braced_branches(&mut self) -> Step<bool> {
        if !self.is_zsh() || !self.braced_body()? {
            return Ok(false);
        }
        loop {
            self.blanks()?;
            if self.take_keyword(b"elif") {
                self.some_list()?;
                self.braced_body()?;
            } else if self.take_keyword(b"else") {
                self.braced_body()?;
                return Ok(true);
            } else {
                return Ok(true);
            }
        }
    }

    /// `always { … }` behind a group.
    pub fn always_block(&mut self) -> Step {
        if !self.is_zsh() {
            return Ok(());
        }
        self.blanks()?;
        if self.take_keyword(b"always") {
            self.braced_body()?;
        }
        Ok(())
    }

    /// `{ … } ARG …`: a function without a name, called at once.
    pub fn anonymous_function(&mut self) -> Step {
        self.newlines()?;
        let start = self.pos;
        self.read_dry()?;
        let len = self.pos.saturating_sub(start) as u32;
        let body = Word { text: Span { start: start as u32, len }, flags: WordFlags::default() };
        let top = self.words.top();
        self.words.stack(Word::default())?;
        while self.word(Mode::Args)? {
            self.blanks()?;
        }
        let words = self.keep_words(top)?;
        if self.dry {
            return Ok(());
        }
        let index = self.begin_command()?;
        self.command_mut(index)?.words = Run { count: 0, ..words };
        let scope = super::vars::kind::FUNCTION | super::vars::kind::ZSH;
        self.call_function(index, Var { value: body, scope, ..Var::default() }, words)
    }

    /// `NAME NAME …` behind `function`: all get the same body.
    pub fn define_several(&mut self, first: Span) -> Step {
        let top = self.words.top();
        while self.keyword(b"{").is_none() && !self.looking_at(b"(") && self.word(Mode::One)? {
            self.blanks()?;
        }
        let names = self.keep_words(top)?;
        if self.take(b"(") {
            self.blanks()?;
            self.take(b")");
        }
        let (start, here) = (self.pos, self.here);
        self.define(first)?;
        for nth in 0..names.count {
            let name = self.arg(rest(names, nth), 0).unwrap_or_default();
            (self.pos, self.here) = (start, here);
            self.define(name.text)?;
        }
        Ok(())
    }

    /// `WORD … )` behind the name of a loop's variable.
    pub fn bracketed_words(&mut self) -> Step<Run> {
        let top = self.words.top();
        loop {
            self.newlines()?;
            if self.take(b")") {
                return self.keep_words(top);
            }
            if !self.word(Mode::Args)? {
                return Err(self.unexpected());
            }
        }
    }

    /// How the value of a variable is added: zsh does not split it.
    pub fn target(&self, quoted: bool, mode: Mode) -> Target {
        let whole = self.is_zsh() && !self.state.zsh_splits;
        Target { quoted, mode: if whole { Mode::One } else { mode }, list_mode: mode }
    }

    /// `(FLAGS)`, `=`, `~` and `^` in front of the name in `${…}`. Whether they leave the value as
    /// it is.
    pub fn zsh_flags(&mut self, place: &mut Target) -> bool {
        let flags = self.peek() == Some(b'(');
        while flags && self.peek().is_some_and(|byte| byte != b')') {
            self.advance(1);
        }
        self.advance(usize::from(flags));
        loop {
            match self.peek() {
                Some(b'=') => place.mode = place.list_mode,
                Some(b'~' | b'^') => {}
                _ => return !flags,
            }
            self.advance(1);
        }
    }

    /// `$NAME[INDEX]`.
    pub fn zsh_element(&mut self, name: Span, quoted: bool, mode: Mode) -> Step {
        let value = self.value(name)?;
        let value = self.subscript(value)?;
        let place = self.target(quoted, mode);
        self.add_value(name, value, place)
    }

    /// `setopt shwordsplit`, `emulate sh`: from here on values are split.
    pub fn set_zsh_options(&mut self, args: Run) {
        let splits = (0..args.count).any(|nth| {
            let text = self.bytes(self.arg(args, nth).unwrap_or_default().text);
            let wanted = b"shwordsplit".iter();
            let given = text.iter().filter(|byte| **byte != b'_').map(u8::to_ascii_lowercase);
            wanted.copied().eq(given) || matches!(text, b"sh" | b"ksh" | b"-y")
        });
        self.state.zsh_splits |= splits;
    }

    /// Globs that only zsh has: `<1-9>`, `(…)` behind or in a word. Whether one stood there.
    pub fn zsh_meta(&mut self, byte: u8, mode: Mode) -> Step<bool> {
        let inside = self.text.top() > self.build.start && mode == Mode::Args;
        let len = self.range_len();
        if byte == b'<' && len > 0 {
            self.advance(len);
            self.put(b'*')?;
            self.add_flags(WordFlags::GLOB);
            return Ok(true);
        }
        // `f()` defines a function.
        if byte != b'(' || !inside || self.peek_at(1) == Some(b')') {
            return Ok(false);
        }
        self.nested(|shell| {
            shell.add_flags(WordFlags::GLOB);
            shell.advance(1);
            let top = shell.text.top();
            shell.parts(Mode::One, Some(b')'))?;
            // `(e:TEXT:)` and `(+NAME)` run something for every file.
            let len = shell.text.top().saturating_sub(top);
            let qualifiers = shell.text.run(top, len);
            let runs = matches!(qualifiers.first(), Some(b'e' | b'+')) && len > 1;
            if runs && !shell.dry {
                let text = shell.keep_text(top)?;
                let skip = if shell.bytes(text).first() == Some(&b'e') { 2 } else { 1 };
                let mut code = super::rules::tail(shell.span_word(text), skip);
                code.text.len = code.text.len.saturating_sub(u32::from(skip == 2));
                let index = (shell.place.parent as usize).saturating_sub(1);
                shell.run_value(index, code, Via::Eval)?;
            }
            shell.text.unstack(top);
            shell.advance(1);
            shell.put(b'*')
        })?;
        Ok(true)
    }

    /// The length of `<1-9>`, `<->` and the like at the cursor; 0 if there is none.
    fn range_len(&self) -> usize {
        let mut len = 1_usize;
        let mut dashes = 0_u32;
        while let Some(byte @ (b'0'..=b'9' | b'-')) = self.peek_at(len) {
            dashes = dashes.saturating_add(u32::from(byte == b'-'));
            len = len.saturating_add(1);
        }
        let closes = dashes == 1 && self.peek_at(len) == Some(b'>');
        if closes { len.saturating_add(1) } else { 0 }
    }
}
