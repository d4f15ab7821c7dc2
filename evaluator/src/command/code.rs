//! Reading code of other languages: one lexer for all, which knows strings, comments, patterns and
//! calls, and evaluates what is constant. It is no parser: what it does not know, it goes over.

use super::calls::{Effect, Family};
use super::code_strings::closing;
use super::flow::Taint;
use super::lexer::{is_name, is_name_start};
use super::limits::{Step, Stop};
use super::shell::Shell;
use super::{Run, Span, Word, WordFlags};

/// What ends a piece of code.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Until {
    /// The end of the text.
    End,
    /// This bracket.
    Close(u8),
    /// The end of a statement.
    Statement,
    /// The end of a statement or of an argument.
    Argument,
}

/// Whether some code mentions a word.
#[derive(Clone, Copy, Default)]
pub(super) struct Mention {
    text: Span,
    word: &'static [u8],
    there: bool,
}

/// The code that is being read.
#[derive(Clone, Copy)]
pub(super) struct Code {
    pub family: Family,
    pub text: Span,
}

impl Shell<'_, '_> {
    /// Follows `text`, code of `family`.
    pub fn read_code(&mut self, index: usize, family: Family, text: Span) -> Step {
        let cursor = self.enter(text);
        let build = core::mem::take(&mut self.build);
        let vars = self.vars.len();
        let words = self.words.top();
        self.begin_word();
        let start = self.build.start;
        let code = Code { family, text };
        // Other code may have lain in the same place.
        self.mentions = Default::default();
        let done = if family == Family::Tcl {
            self.commands_of_lines(index, text)
        } else {
            self.terms(index, code, Until::End)
        };
        self.text.unstack(start.max(self.build.start));
        self.words.unstack(words);
        self.drop_vars(vars);
        self.build = build;
        self.leave(cursor);
        match done {
            Err(Stop::Limit) => Err(Stop::Limit),
            _ => Ok(()),
        }
    }

    /// `exec`, `spawn` and `system` at the start of a line run the rest of it.
    fn commands_of_lines(&mut self, index: usize, text: Span) -> Step {
        let mut from = 0_u32;
        while from < text.len {
            let left =
                Span { start: text.start.saturating_add(from), len: text.len.saturating_sub(from) };
            let bytes = self.bytes(left);
            let end = bytes.iter().position(|b| matches!(b, b'\n' | b';'));
            let len = end.unwrap_or(bytes.len());
            let line = bytes.get(..len).unwrap_or(&[]);
            let blank = line.iter().take_while(|b| b.is_ascii_whitespace()).count();
            let line = line.get(blank..).unwrap_or(&[]);
            let skip = [&b"exec "[..], b"spawn ", b"system "]
                .iter()
                .find(|word| line.starts_with(word))
                .map(|word| word.len());
            if let Some(skip) = skip {
                let skip = skip.saturating_add(blank) as u32;
                let word = Word {
                    text: Span {
                        start: left.start.saturating_add(skip),
                        len: (len as u32).saturating_sub(skip),
                    },
                    flags: WordFlags::default(),
                };
                self.run_found(index, word)?;
            }
            from = from.saturating_add(len as u32).saturating_add(1);
        }
        Ok(())
    }

    /// Reads terms: their values go to the word that is put together, a comma ends it.
    fn terms(&mut self, index: usize, code: Code, until: Until) -> Step {
        // Whether a value stands right before the cursor: then `/` divides.
        let mut value = false;
        loop {
            self.burn(1)?;
            let Some(byte) = self.peek() else {
                return Ok(());
            };
            if self.ends(byte, until) {
                return Ok(());
            }
            if self.skip_comment(code.family, byte) {
                continue;
            }
            value = match byte {
                b' ' | b'\t' | b'\r' => {
                    self.advance(1);
                    value
                }
                b'\n' | b';' => {
                    self.advance(1);
                    if until == Until::End {
                        self.text.unstack(self.build.start);
                        self.begin_word();
                    }
                    false
                }
                b',' => {
                    self.advance(1);
                    self.end_word()?;
                    false
                }
                b'/' if !value && code.family.has_patterns() => {
                    self.skip_pattern(b'/');
                    true
                }
                _ => self.term(index, code, byte, until)?,
            };
        }
    }

    /// One string, name, number, bracket or operator. Whether a value stands there now.
    fn term(&mut self, index: usize, code: Code, byte: u8, until: Until) -> Step<bool> {
        let primary = self.text.top();
        match byte {
            b'\'' if code.family == Family::Lisp => self.advance(1),
            b'"' | b'\'' => {
                self.string(code, byte)?;
                self.chain(index, code, primary)?;
                return Ok(true);
            }
            b'`' => {
                self.backtick_text(index, code)?;
                return Ok(true);
            }
            b'(' | b'[' | b'{' => {
                self.bracket(index, code, byte)?;
                self.chain(index, code, primary)?;
                return Ok(true);
            }
            b'%' if code.family == Family::Ruby && self.percent_text(index, code)? => {
                return Ok(true);
            }
            b'|' if code.family == Family::Awk => self.awk_pipe(index, code)?,
            b'$' if code.family == Family::Awk => {
                self.awk_field(index, code)?;
                return Ok(true);
            }
            b'$' | b'@' if self.peek_at(1).is_some_and(is_name_start) => {
                self.advance(1);
                self.name(index, code, primary, until)?;
                return Ok(true);
            }
            b'0'..=b'9' => {
                self.number_text()?;
                return Ok(true);
            }
            _ if is_name_start(byte) => {
                self.take_steps(16)?;
                return self.name(index, code, primary, until);
            }
            b'+' | b'.' | b'&' | b'~' | b':' | b'<' | b'>' | b'=' | b'!' | b'?' | b'|' => {
                self.advance(1);
            }
            b')' | b']' | b'}' => {
                self.advance(1);
                return Ok(true);
            }
            _ => {
                self.advance(1);
                if self.build.some {
                    self.put_unknown(false)?;
                }
            }
        }
        Ok(false)
    }

    /// What the call of `name` does.
    pub fn call_effect(&mut self, code: Code, name: Span) -> Step<Option<Effect>> {
        let Some((needs, effect)) = code.family.call(self.bytes(name)) else {
            return Ok(None);
        };
        if needs == b"*" {
            self.burn(100)?;
            return Ok(Some(effect));
        }
        self.burn(100)?;
        for word in needs.split(|byte| *byte == b' ') {
            if self.mentions(code, word)? {
                return Ok(Some(effect));
            }
        }
        Ok(None)
    }

    /// Whether the code mentions `word`. Answers are remembered for as long as the code is read.
    pub fn mentions(&mut self, code: Code, word: &'static [u8]) -> Step<bool> {
        let known = self
            .mentions
            .iter()
            .find(|known| known.text == code.text && core::ptr::eq(known.word, word));
        if let Some(known) = known {
            return Ok(known.there);
        }
        self.burn(code.text.len as usize / 8)?;
        let there = crate::glob::find(self.bytes(code.text), word, false).is_some();
        let slot = self.next_mention as usize % self.mentions.len().max(1);
        self.next_mention = self.next_mention.wrapping_add(1);
        if let Some(slot) = self.mentions.get_mut(slot) {
            *slot = Mention { text: code.text, word, there };
        }
        Ok(there)
    }

    fn ends(&self, byte: u8, until: Until) -> bool {
        match until {
            Until::End => false,
            Until::Close(close) => byte == close,
            Until::Statement => matches!(byte, b'\n' | b';' | b'}' | b')'),
            Until::Argument => matches!(byte, b'\n' | b';' | b',' | b')' | b']' | b'}'),
        }
    }

    /// A bracket: what is in it is flattened into the word list. Blocks give nothing.
    fn bracket(&mut self, index: usize, code: Code, open: u8) -> Step {
        self.advance(1);
        let close = closing(open).unwrap_or(b')');
        self.nested(|shell| {
            if open != b'{' {
                shell.lisp_call(index, code, open)?;
                shell.terms(index, code, Until::Close(close))?;
                shell.advance(1);
                return Ok(());
            }
            let build = core::mem::take(&mut shell.build);
            let words = shell.words.top();
            shell.begin_word();
            let start = shell.build.start;
            let block = shell.block(index, code, close);
            shell.words.unstack(words);
            shell.text.unstack(start);
            shell.build = build;
            block
        })
    }

    /// Statements up to `close`; the values of one do not reach the next.
    fn block(&mut self, index: usize, code: Code, close: u8) -> Step {
        let start = self.build.start;
        loop {
            self.terms(index, code, Until::Statement)?;
            self.text.unstack(start);
            self.begin_word();
            match self.peek() {
                None => return Ok(()),
                Some(byte) => {
                    self.advance(1);
                    if byte == close {
                        return Ok(());
                    }
                }
            }
        }
    }

    /// In a Lisp the name of a call is the first thing in its brackets.
    fn lisp_call(&mut self, index: usize, code: Code, open: u8) -> Step {
        if code.family != Family::Lisp || open != b'(' {
            return Ok(());
        }
        let start = self.pos;
        while self.peek().is_some_and(|byte| is_name(byte) || matches!(byte, b'-' | b'*' | b'!')) {
            self.advance(1);
        }
        let name = Span { start: start as u32, len: self.pos.saturating_sub(start) as u32 };
        let Some(effect) = self.call_effect(code, name)? else {
            return Ok(());
        };
        let args = self.arguments(index, code, Until::Close(b')'))?;
        self.effect(index, code, effect, args, name)?;
        Ok(())
    }

    /// The arguments from the cursor to `until`, which stays unread.
    pub fn arguments(&mut self, index: usize, code: Code, until: Until) -> Step<Run> {
        let build = core::mem::take(&mut self.build);
        let top = self.words.top();
        self.begin_word();
        let start = self.build.start;
        let done = self.nested(|shell| {
            shell.terms(index, code, until)?;
            shell.end_word()
        });
        self.text.unstack(start);
        self.build = build;
        done?;
        self.keep_words(top)
    }

    /// `$1`, `$NF`, `$(i + 1)`: a field of what is read.
    fn awk_field(&mut self, index: usize, code: Code) -> Step {
        self.advance(1);
        if self.take(b"(") {
            self.arguments(index, code, Until::Close(b')'))?;
            self.advance(1);
        } else {
            self.take_name();
        }
        self.put_unknown(false)
    }

    /// `"cmd" | getline`, `print … | "cmd"` in awk.
    fn awk_pipe(&mut self, index: usize, code: Code) -> Step {
        self.advance(1);
        while matches!(self.peek(), Some(b' ' | b'\t' | b'&' | b'|')) {
            self.advance(1);
        }
        if self.looking_at(b"getline") {
            let word = self.receiver(self.build.start)?;
            return self.run_found(index, word);
        }
        if self.peek() == Some(b'"') {
            self.advance(1);
            let word = self.text_until(code, b'"')?;
            let stdin = self.place.stdin;
            let printed = self.receiver(self.build.start)?;
            self.place.stdin =
                super::flow::Data { text: printed.text, taint: Taint::of(printed.flags) };
            let done = self.run_found(index, word);
            self.place.stdin = stdin;
            return done;
        }
        Ok(())
    }
}
