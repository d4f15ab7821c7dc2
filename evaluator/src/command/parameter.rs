//! `${…}`: parameter expansion with its operators (POSIX.1-2024 XCU 2.6.2, bash manual "Shell
//! Parameter Expansion"). Operands are always read, since substitutions in them run.

use super::lexer::is_name_start;
use super::limits::{Step, Stop};
use super::pattern;
use super::shell::Shell;
use super::vars::{Value, kind};
use super::word::{Building, Mode};
use super::{Run, Span, UNKNOWN, Word, WordFlags};

/// How the value is to be added to the word.
#[derive(Clone, Copy)]
struct Place {
    quoted: bool,
    mode: Mode,
}

impl Shell<'_, '_> {
    /// From `${` on, behind the closing brace.
    pub fn braced_parameter(&mut self, quoted: bool, mode: Mode) -> Step {
        self.advance(2);
        let place = Place { quoted, mode };
        if matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'|')) && self.is_bash() {
            return self.braced_commands(place);
        }
        let length = self.peek() == Some(b'#') && self.names_follow(1);
        let indirect = self.peek() == Some(b'!') && self.names_follow(1);
        if length || indirect {
            self.advance(1);
        }
        let name = self.parameter_name();
        let mut value = self.value(name)?;
        if self.peek() == Some(b'[') {
            value = self.subscript(value)?;
        }
        if indirect {
            value = self.indirect(value)?;
        }
        if length {
            value = self.length_of(value)?;
        }
        self.operator(name, value, place)
    }

    fn names_follow(&self, ahead: usize) -> bool {
        match self.peek_at(ahead) {
            Some(byte @ (b'@' | b'*' | b'#' | b'?' | b'-' | b'$' | b'!')) => {
                self.peek_at(ahead.saturating_add(1)) == Some(b'}') || byte == b'@' || byte == b'*'
            }
            Some(byte) => is_name_start(byte) || byte.is_ascii_digit(),
            None => false,
        }
    }

    /// `${ commands; }`, whose value is what they print.
    fn braced_commands(&mut self, place: Place) -> Step {
        self.take(b"|");
        let data = self.captured(|shell| {
            shell.list()?;
            if !shell.take(b"}") {
                return Err(shell.unexpected());
            }
            Ok(())
        })?;
        self.append_output(data, place.quoted, place.mode)
    }

    fn parameter_name(&mut self) -> Span {
        let start = self.pos;
        match self.peek() {
            Some(byte) if is_name_start(byte) => return self.take_name(),
            Some(b'0'..=b'9') => {
                while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
                    self.advance(1);
                }
            }
            Some(b'@' | b'*' | b'#' | b'?' | b'-' | b'$' | b'!') => self.advance(1),
            _ => {}
        }
        Span {
            start: start as u32,
            len: self.pos.saturating_sub(start) as u32,
        }
    }

    /// `[…]` behind a name.
    fn subscript(&mut self, value: Value) -> Step<Value> {
        self.advance(1);
        let index = self.operand(b"]", true)?;
        self.advance(1);
        let text = self.bytes(index.text);
        if text == b"@" || text == b"*" {
            return Ok(match value {
                Value::Text(_) => value,
                Value::List(list) => Value::List(list),
                _ => Value::Unknown,
            });
        }
        let number = pattern::number(text);
        Ok(match (value, number) {
            (Value::List(list), Some(nth)) if nth < i64::from(list.count) => {
                let at = i64::from(list.first).saturating_add(nth.max(0));
                match usize::try_from(at).ok().and_then(|at| self.words.get(at)) {
                    Some(word) => Value::Text(word),
                    None => Value::Unknown,
                }
            }
            (Value::Text(word), Some(0)) => Value::Text(word),
            _ => Value::Unknown,
        })
    }

    fn indirect(&mut self, value: Value) -> Step<Value> {
        match value {
            Value::Text(word) if !word.flags.has(WordFlags::PARTIAL) => self.value(word.text),
            _ => Ok(Value::Unknown),
        }
    }

    fn length_of(&mut self, value: Value) -> Step<Value> {
        Ok(match value {
            Value::Text(word) if !word.flags.has(WordFlags::PARTIAL) => {
                Value::Text(self.number(u64::from(word.text.len))?)
            }
            Value::List(list) => Value::Text(self.number(u64::from(list.count))?),
            _ => Value::Unknown,
        })
    }

    fn operator(&mut self, name: Span, value: Value, place: Place) -> Step {
        let colon = self.peek() == Some(b':');
        let next = if colon { self.peek_at(1) } else { self.peek() };
        match (colon, next) {
            (_, None) => Err(Stop::Unterminated),
            (false, Some(b'}')) => {
                self.advance(1);
                self.add_value(name, value, place)
            }
            (_, Some(sign @ (b'-' | b'=' | b'+' | b'?'))) => {
                self.advance(if colon { 2 } else { 1 });
                self.default(name, value, sign, colon, place)
            }
            (true, _) => {
                self.advance(1);
                self.substring(name, value, place)
            }
            (false, Some(sign @ (b'#' | b'%'))) => self.trim(value, sign, place),
            (false, Some(b'/')) => self.replace(value, place),
            (false, Some(sign @ (b'^' | b','))) => self.change_case(value, sign, place),
            _ => {
                // `@Q` and whatever else there may be: nothing is known of the result.
                self.operand(b"}", true)?;
                self.advance(1);
                self.add_value(name, Value::Unknown, place)
            }
        }
    }

    /// Adds a value to the word.
    fn add_value(&mut self, name: Span, value: Value, place: Place) -> Step {
        match value {
            Value::Text(word) => self.append(word.text, word.flags, place.quoted, place.mode),
            Value::List(list) => {
                let star = self.bytes(name) == b"*";
                self.append_list(list, star, place.quoted, place.mode)
            }
            Value::Unset | Value::Unknown => {
                self.put_unknown(!place.quoted && place.mode == Mode::Args)
            }
        }
    }

    /// `:-`, `-`, `:=`, `=`, `:+`, `+`, `:?`, `?`, behind the operator.
    fn default(&mut self, name: Span, value: Value, sign: u8, colon: bool, place: Place) -> Step {
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
    fn operand(&mut self, until: &'static [u8], raw: bool) -> Step<Word> {
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

    fn operand_parts(&mut self, until: &'static [u8], raw: bool) -> Step {
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
    fn parts_to_end(&mut self) -> Step {
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
    fn substring(&mut self, name: Span, value: Value, place: Place) -> Step {
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
                    text: Span {
                        start: word.text.start.saturating_add(from),
                        len,
                    },
                    flags: word.flags,
                })
            }
            Value::List(list) => {
                let positional = !self.bytes(name).first().is_some_and(|b| is_name_start(*b));
                let offset = offset.saturating_sub(i64::from(positional)).max(0);
                let (from, len) = cut(list.count, offset, length);
                Value::List(Run {
                    first: list.first.saturating_add(from),
                    count: len,
                })
            }
            _ => Value::Unknown,
        };
        self.add_value(name, cut, place)
    }

    /// `#`, `##`, `%`, `%%`, from the operator on.
    fn trim(&mut self, value: Value, sign: u8, place: Place) -> Step {
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
        let text = Span {
            start: text.start.saturating_add(start),
            len: text.len.saturating_sub(matched),
        };
        self.append(text, flags, place.quoted, place.mode)
    }

    /// The value's text, if it and the pattern are known.
    fn known(&self, value: Value, wanted: Word) -> Option<(Span, WordFlags)> {
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
    fn replace(&mut self, value: Value, place: Place) -> Step {
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
    fn replace_text(&mut self, text: Span, wanted: Span, with: Span, sign: u8) -> Step {
        let mut at = 0_u32;
        let mut done = false;
        while at < text.len {
            let rest = Span {
                start: text.start.saturating_add(at),
                len: text.len.saturating_sub(at),
            };
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
    fn change_case(&mut self, value: Value, sign: u8, place: Place) -> Step {
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
fn cut(len: u32, offset: i64, length: i64) -> (u32, u32) {
    let len = i64::from(len);
    let from = if offset < 0 {
        len.saturating_add(offset).max(0)
    } else {
        offset.min(len)
    };
    let to = if length < 0 {
        len.saturating_add(length)
    } else {
        from.saturating_add(length).min(len)
    };
    let count = to.saturating_sub(from).max(0);
    (
        u32::try_from(from).unwrap_or(0),
        u32::try_from(count).unwrap_or(0),
    )
}
