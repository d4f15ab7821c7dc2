//! Strings, patterns and comments of other languages.

use super::calls::Family;
use super::code::Code;
use super::limits::Step;
use super::shell::Shell;
use super::word::Building;
use super::{Span, UNKNOWN, Word};

impl Shell<'_, '_> {
    /// Goes over a comment; whether one was there.
    pub fn skip_comment(&mut self, family: Family, byte: u8) -> bool {
        if byte == b'/' && family == Family::Script && self.peek_at(1) == Some(b'*') {
            while self.peek().is_some() && !self.looking_at(b"*/") {
                self.advance(1);
            }
            self.advance(2);
            return true;
        }
        let php = family == Family::Php && self.looking_at(b"//");
        if !php && !self.looking_at(family.comment()) {
            return false;
        }
        // `$#array` and `#{…}` are none.
        let before = self.text.get(self.pos.saturating_sub(1));
        if byte == b'#' && before == Some(b'$') {
            return false;
        }
        while self.peek().is_some_and(|byte| byte != b'\n') {
            self.advance(1);
        }
        true
    }

    /// A string from its quote on: its value, with escapes decoded.
    pub fn string(&mut self, code: Code, quote: u8) -> Step {
        self.build.some = true;
        let triple = [quote, quote, quote];
        if code.family == Family::Python && self.looking_at(&triple) {
            self.advance(3);
            return self.string_until(code, &triple, true);
        }
        self.advance(1);
        let escapes = quote == b'"' || matches!(code.family, Family::Python | Family::Script);
        self.string_until(code, &[quote], escapes)
    }

    pub fn string_until(&mut self, code: Code, close: &[u8], escapes: bool) -> Step {
        let style = Interpolation::of(code.family, close);
        self.interpolated_until(close, escapes, style)
    }

    /// As [`Shell::string_until`], with the values of names that the string mentions.
    fn interpolated_until(&mut self, close: &[u8], escapes: bool, style: Interpolation) -> Step {
        loop {
            let Some(byte) = self.peek() else {
                return Ok(());
            };
            if self.take(close) {
                return Ok(());
            }
            if self.interpolation(byte, style)? {
                continue;
            }
            if byte == b'\\' && escapes {
                self.escape(super::escapes::Escapes::Quoted)?;
            } else if byte == b'\\' {
                self.advance(1);
                if let Some(next) = self.peek() {
                    if next != b'\'' && next != b'\\' {
                        self.put(b'\\')?;
                    }
                    self.advance(1);
                    self.put(next)?;
                }
            } else if byte == UNKNOWN {
                self.advance(1);
                self.put_unknown(false)?;
            } else {
                self.advance(1);
                self.put(byte)?;
            }
        }
    }

    /// A name mentioned at the cursor: adds its value. Whether there was one.
    fn interpolation(&mut self, byte: u8, style: Interpolation) -> Step<bool> {
        let next = self.peek_at(1).unwrap_or(b' ');
        let skip = match (style, byte, next) {
            (Interpolation::Braces, b'{' | b'}', _) if byte == next => {
                self.advance(2);
                self.put(byte)?;
                return Ok(true);
            }
            (Interpolation::Braces, b'{', _) => 1,
            (Interpolation::Marked, b'#' | b'$', b'{') => 2,
            (Interpolation::Dollar, b'$', b'{') => 2,
            (Interpolation::Dollar, b'$', _) if super::lexer::is_name_start(next) => 1,
            _ => return Ok(false),
        };
        self.advance(skip);
        let name = self.take_name();
        let mut plain = name.len > 0;
        if self.text.get(self.pos.saturating_sub(name.len as usize).saturating_sub(1)) == Some(b'{')
        {
            plain &= self.peek() == Some(b'}');
            while self.peek().is_some_and(|byte| byte != b'}') {
                self.advance(1);
            }
            self.advance(1);
        }
        match self.find(super::vars::kind::CODE, self.bytes(name)).filter(|_| plain) {
            Some(entry) => {
                self.append(entry.value.text, entry.value.flags, true, super::word::Mode::One)?;
            }
            None => self.put_unknown(false)?,
        }
        Ok(true)
    }

    /// `` `…` ``: a shell's text in some languages, a string in others.
    pub fn backtick_text(&mut self, index: usize, code: Code) -> Step {
        self.advance(1);
        let primary = self.text.top();
        if code.family.backticks_run() {
            let word = self.text_until(code, b'`')?;
            self.run_found(index, word)?;
            return self.put_unknown(false);
        }
        self.build.some = true;
        self.string_until(code, b"`", true)?;
        self.chain(index, code, primary)
    }

    /// The text up to `close` as a word of its own.
    pub fn text_until(&mut self, code: Code, close: u8) -> Step<Word> {
        let build = core::mem::take(&mut self.build);
        self.begin_word();
        let done = self.string_until(code, &[close], true);
        let word = match done {
            Ok(()) => self.finish_word(),
            Err(stop) => Err(stop),
        };
        self.build = Building { ..build };
        word
    }

    /// Ruby's `%x( … )` and other `%` texts. Whether it was one.
    pub fn percent_text(&mut self, index: usize, code: Code) -> Step<bool> {
        let letter = self.peek_at(1).unwrap_or(b' ');
        let (kind, open) = if letter.is_ascii_alphabetic() {
            (letter, self.peek_at(2))
        } else {
            (b'Q', Some(letter))
        };
        let Some(close) = open.and_then(closing) else {
            return Ok(false);
        };
        self.advance(if letter.is_ascii_alphabetic() { 3 } else { 2 });
        let word = self.text_until(code, close)?;
        if kind == b'x' {
            self.run_found(index, word)?;
            self.put_unknown(false)?;
            return Ok(true);
        }
        self.append(word.text, word.flags, kind != b'w', super::word::Mode::Args)?;
        Ok(true)
    }

    /// Goes over a pattern from its opening delimiter on.
    pub fn skip_pattern(&mut self, close: u8) {
        self.advance(1);
        while let Some(byte) = self.peek() {
            self.advance(1);
            match byte {
                b'\\' => self.advance(1),
                b'\n' => return,
                _ if byte == close => return,
                _ => {}
            }
        }
    }

    pub fn number_text(&mut self) -> Step {
        while let Some(byte) = self.peek() {
            if !byte.is_ascii_alphanumeric() && byte != b'_' {
                break;
            }
            self.advance(1);
            self.put(byte)?;
        }
        Ok(())
    }

    /// `q(…)`, `qq{…}`, `qx!…!`, `m/…/`, `s/…/…/`, and prefixes of strings. Whether it was one.
    pub fn quote_operator(
        &mut self,
        index: usize,
        code: Code,
        name: Span,
        primary: usize,
    ) -> Step<bool> {
        let next = self.peek().unwrap_or(b' ');
        if matches!(next, b'"' | b'\'') && code.family == Family::Python && name.len <= 2 {
            let has = |letter: u8| self.bytes(name).iter().any(|b| b.eq_ignore_ascii_case(&letter));
            let (raw, formatted) = (has(b'r'), has(b'f'));
            if formatted {
                self.build.some = true;
                let triple = [next, next, next];
                let close = if self.looking_at(&triple) { &triple[..] } else { &triple[..1] };
                self.advance(close.len());
                self.interpolated_until(close, !raw, Interpolation::Braces)?;
            } else if raw {
                self.build.some = true;
                self.advance(1);
                self.string_until(code, &[next], false)?;
            } else {
                self.string(code, next)?;
            }
            self.chain(index, code, primary)?;
            return Ok(true);
        }
        if code.family != Family::Perl || next.is_ascii_alphanumeric() {
            return Ok(false);
        }
        if matches!(next, b' ' | b',' | b';' | b')' | b'=' | b'-' | b'.' | b'\n') {
            return Ok(false);
        }
        let close = closing(next).unwrap_or(next);
        match self.bytes(name) {
            b"q" | b"qq" | b"qw" => {
                let splits = name.len == 2 && self.bytes(name) == b"qw";
                self.advance(1);
                let word = self.text_until(code, close)?;
                self.append(word.text, word.flags, !splits, super::word::Mode::Args)?;
            }
            b"qx" => {
                self.advance(1);
                let word = self.text_until(code, close)?;
                self.run_found(index, word)?;
                self.put_unknown(false)?;
            }
            b"m" | b"qr" => self.skip_pattern(close),
            b"s" | b"tr" | b"y" => {
                self.skip_pattern(close);
                if close == next {
                    self.pos = self.pos.saturating_sub(1);
                }
                self.skip_pattern(close);
                while self.peek().is_some_and(|byte| byte.is_ascii_alphabetic()) {
                    self.advance(1);
                }
            }
            _ => return Ok(false),
        }
        Ok(true)
    }
}

/// How a string mentions names whose values it takes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Interpolation {
    None,
    /// Python's `f"{name}"`.
    Braces,
    /// `${name}` and `#{name}`.
    Marked,
    /// `$name` and `${name}`.
    Dollar,
}

impl Interpolation {
    fn of(family: Family, close: &[u8]) -> Self {
        match (family, close) {
            (Family::Ruby, [b'"' | b'`' | b')']) | (Family::Script, [b'`']) => Self::Marked,
            (Family::Perl | Family::Php | Family::Groovy | Family::Julia, [b'"' | b'`']) => {
                Self::Dollar
            }
            _ => Self::None,
        }
    }
}

/// The bracket that closes `open`.
pub(super) fn closing(open: u8) -> Option<u8> {
    Some(match open {
        b'(' => b')',
        b'[' => b']',
        b'{' => b'}',
        b'<' => b'>',
        b'/' | b'!' | b'|' => open,
        _ => return None,
    })
}
