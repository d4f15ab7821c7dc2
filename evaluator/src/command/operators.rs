//! The operators inside `${…}`: defaults, substrings, patterns, replacement and case.

use super::lexer::is_name_start;
use super::limits::{Step, Stop};
use super::parameter::Target;
use super::pattern;
use super::shell::Shell;
use super::vars::{Value, kind};
use super::word::{Building, Mode};
use super::{Run, Span, UNKNOWN, Word, WordFlags};

impl Shell<'_, '_> {
    /// `:-`, `-`, `:=`, `=`, `:+`, `+`, `:?`, `?`, behind the operator.
    pub fn default(
        &mut self,
        name: Span,
        value: Value,
        sign: u8,
        colon: bool,
        place: Target,
    ) -> Step {
        let empty = match value {
            Value::Unset => true,
            Value::Text(word) => colon && word.text.len == 0,
            Value::List(list) => list.count == 0,
            Value::Unknown => false,
        };
        let wanted = match sign {
            b'+' => !empty,
            b'-' | b'=' => empty,
            _ => false,
        };
        if !wanted {
            self.operand(b"}", false)?;
            self.advance(1);
            if sign == b'+' {
                return Ok(());
            }
            return self.add_value(name, value, place);
        }
        if sign == b'=' {
            let word = self.operand(b"}", false)?;
            self.advance(1);
            self.set(kind::VARIABLE, name, word)?;
            return self.append(word.text, word.flags, place.quoted, place.mode);
        }
        if place.quoted {
            self.quoted_parts(place.mode, Some(b'}'))?;
        } else {
            self.parts(place.mode, Some(b'}'))?;
        }
        self.advance(1);
        Ok(())
    }

    /// Reads an operand up to a byte of `until`, which stays unread; quotes in it count.
    pub fn operand(&mut self, until: &'static [u8], raw: bool) -> Step<Word> {
        let build = core::mem::take(&mut self.build);
        self.begin_word();
        let done = self.operand_parts(until, raw);
        let word = match done {
            Ok(()) => self.finish_word(),
            Err(stop) => Err(stop),
        };
        self.build = Building { ..build };
        word
    }

    pub fn operand_parts(&mut self, until: &'static [u8], raw: bool) -> Step {
        let (close, rest) = match until {
            [close] => (*close, None),
            [close, also, ..] => (*close, Some(*also)),
            [] => return Ok(()),
        };
        let _ = raw;
        match rest {
            None => self.parts(Mode::One, Some(close)),
            Some(also) => {
                let end = self.scan(self.pos, |byte| byte == close || byte == also)?;
                let end = end.ok_or(Stop::Unterminated)?;
                let outer = core::mem::replace(&mut self.end, end);
                // Up to `end` there is nothing that could end the operand.
                let done = self.parts_to_end();
                self.end = outer;
                done
            }
        }
    }

    /// Reads parts of one word up to the end of the text, blanks and operators included.
    pub fn parts_to_end(&mut self) -> Step {
        while self.pos < self.end {
            let before = self.pos;
            self.parts(Mode::One, None)?;
            if let Some(byte) = self.peek() {
                self.advance(1);
                self.put(byte)?;
            }
            if self.pos == before {
                return Ok(());
            }
        }
        Ok(())
    }

    /// `:offset` and `:offset:length`, behind the first colon.
    pub fn substring(&mut self, name: Span, value: Value, place: Target) -> Step {
        let offset = self.operand(b"}:", true)?;
        let mut length = None;
        if self.take(b":") {
            length = Some(self.operand(b"}", true)?);
        }
        self.advance(1);
        let offset = self.constant(offset.text)?;
        let length = match length {
            None => Some(i64::MAX),
            Some(word) => self.constant(word.text)?,
        };
        let (Some(offset), Some(length)) = (offset, length) else {
            return self.add_value(name, Value::Unknown, place);
        };
        let cut = match value {
            Value::Text(word) if !word.flags.has(WordFlags::PARTIAL) => {
                let (from, len) = cut(word.text.len, offset, length);
                Value::Text(Word {
                    text: Span { start: word.text.start.saturating_add(from), len },
                    flags: word.flags,
                })
            }
            Value::List(list) => {
                let positional = !self.bytes(name).first().is_some_and(|b| is_name_start(*b));
                let offset = offset.saturating_sub(i64::from(positional)).max(0);
                let (from, len) = cut(list.count, offset, length);
                Value::List(Run { first: list.first.saturating_add(from), count: len })
            }
            _ => Value::Unknown,
        };
        self.add_value(name, cut, place)
    }

    /// `#`, `##`, `%`, `%%`, from the operator on.
    pub fn trim(&mut self, value: Value, sign: u8, place: Target) -> Step {
        self.advance(1);
        let longest = self.take(&[sign]);
        let wanted = self.operand(b"}", true)?;
        self.advance(1);
        let Some((text, flags)) = self.known(value, wanted) else {
            return self.add_value(Span::default(), Value::Unknown, place);
        };
        let (len, pattern_len) = (text.len as usize, wanted.text.len as usize);
        self.burn(len.saturating_mul(pattern_len.saturating_add(1)) / 4)?;
        let matched = {
            let (bytes, pattern) = (self.bytes(text), self.bytes(wanted.text));
            if sign == b'#' {
                pattern::prefix(pattern, bytes, longest)
            } else {
                pattern::suffix(pattern, bytes, longest)
            }
        };
        let matched = matched.unwrap_or(0).min(len) as u32;
        let start = if sign == b'#' { matched } else { 0 };
        let text =
            Span { start: text.start.saturating_add(start), len: text.len.saturating_sub(matched) };
        self.append(text, flags, place.quoted, place.mode)
    }

    /// The value's text, if it and the pattern are known.
    pub fn known(&self, value: Value, wanted: Word) -> Option<(Span, WordFlags)> {
        match value {
            Value::Text(word)
                if !word.flags.has(WordFlags::PARTIAL)
                    && !wanted.flags.has(WordFlags::PARTIAL)
                    && word.text.len <= 4096 =>
            {
                Some((word.text, word.flags))
            }
            _ => None,
        }
    }

    /// `/pattern/text` and its variants, from the operator on.
    pub fn replace(&mut self, value: Value, place: Target) -> Step {
        self.advance(1);
        let sign = match self.peek() {
            Some(byte @ (b'/' | b'#' | b'%')) => {
                self.advance(1);
                byte
            }
            _ => 0,
        };
        let wanted = self.operand(b"}/", true)?;
        let mut with = Word::default();
        if self.take(b"/") {
            with = self.operand(b"}", true)?;
        }
        self.advance(1);
        let Some((text, flags)) = self.known(value, wanted) else {
            return self.add_value(Span::default(), Value::Unknown, place);
        };
        let start = self.text.top();
        self.replace_text(text, wanted.text, with.text, sign)?;
        let result = self.keep_text(start)?;
        self.append(result, flags, place.quoted, place.mode)
    }

    /// Stacks `text` with matches of `wanted` replaced.
    pub fn replace_text(&mut self, text: Span, wanted: Span, with: Span, sign: u8) -> Step {
        let mut at = 0_u32;
        let mut done = false;
        while at < text.len {
            let rest =
                Span { start: text.start.saturating_add(at), len: text.len.saturating_sub(at) };
            self.burn((rest.len as usize).saturating_mul(wanted.len as usize) / 4)?;
            let may = !done && (sign != b'#' || at == 0);
            let hit = if may {
                let (bytes, pattern) = (self.bytes(rest), self.bytes(wanted));
                pattern::prefix(pattern, bytes, true)
                    .filter(|len| *len > 0)
                    .filter(|len| sign != b'%' || *len == bytes.len())
            } else {
                None
            };
            match hit {
                Some(len) => {
                    self.stack_span(with)?;
                    at = at.saturating_add(len as u32);
                    done = sign != b'/';
                }
                None => {
                    let byte = self.text.get(rest.start as usize).unwrap_or(UNKNOWN);
                    self.text.stack(byte)?;
                    at = at.saturating_add(1);
                }
            }
        }
        Ok(())
    }

    /// `^`, `^^`, `,`, `,,`, from the operator on.
    pub fn change_case(&mut self, value: Value, sign: u8, place: Target) -> Step {
        self.advance(1);
        let all = self.take(&[sign]);
        let wanted = self.operand(b"}", true)?;
        self.advance(1);
        let plain = wanted.text.len == 0;
        let Some((text, flags)) = self.known(value, wanted).filter(|_| plain) else {
            return self.add_value(Span::default(), Value::Unknown, place);
        };
        let start = self.text.top();
        for at in 0..text.len {
            let byte = self.text.get(text.start.saturating_add(at) as usize);
            let byte = byte.unwrap_or(UNKNOWN);
            self.text.stack(match sign {
                _ if at > 0 && !all => byte,
                b'^' => byte.to_ascii_uppercase(),
                _ => byte.to_ascii_lowercase(),
            })?;
        }
        let result = self.keep_text(start)?;
        self.append(result, flags, place.quoted, place.mode)
    }
}

/// Start and length of `offset:length` in something `len` long; negative ones count from its end.
pub(super) fn cut(len: u32, offset: i64, length: i64) -> (u32, u32) {
    let len = i64::from(len);
    let from = if offset < 0 { len.saturating_add(offset).max(0) } else { offset.min(len) };
    let to =
        if length < 0 { len.saturating_add(length) } else { from.saturating_add(length).min(len) };
    let count = to.saturating_sub(from).max(0);
    (u32::try_from(from).unwrap_or(0), u32::try_from(count).unwrap_or(0))
}
