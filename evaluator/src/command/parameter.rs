//! `${…}`: parameter expansion with its operators (POSIX.1-2024 XCU 2.6.2, bash manual "Shell
//! Parameter Expansion"). Operands are always read, since substitutions in them run.

use super::lexer::is_name_start;
use super::limits::{Step, Stop};
use super::pattern;
use super::shell::Shell;
use super::vars::Value;
use super::word::Mode;
use super::{Span, WordFlags};

/// How the value is to be added to the word.
#[derive(Clone, Copy)]
pub(super) struct Target {
    pub quoted: bool,
    pub mode: Mode,
    /// The same for lists, which zsh keeps apart where it does not split.
    pub list_mode: Mode,
}

impl Shell<'_, '_> {
    /// From `${` on, behind the closing brace.
    pub fn braced_parameter(&mut self, quoted: bool, mode: Mode) -> Step {
        self.advance(2);
        let mut place = self.target(quoted, mode);
        if matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'|')) && self.is_bash() {
            return self.braced_commands(place);
        }
        let known = !self.is_zsh() || self.zsh_flags(&mut place);
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
        if !known {
            value = Value::Unknown;
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
    fn braced_commands(&mut self, place: Target) -> Step {
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
        Span { start: start as u32, len: self.pos.saturating_sub(start) as u32 }
    }

    /// `[…]` behind a name.
    pub fn subscript(&mut self, value: Value) -> Step<Value> {
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
        let mut number = pattern::number(text);
        if self.is_zsh() {
            // It counts from 1, and letters of a text.
            number = number.map(|nth| if nth > 0 { nth.saturating_sub(1) } else { nth });
            if matches!(value, Value::Text(_)) {
                return Ok(Value::Unknown);
            }
        }
        Ok(match (value, number) {
            (Value::List(list), Some(nth)) if nth < i64::from(list.count) => {
                // `-1` is the last.
                let nth = if nth < 0 { nth.saturating_add(i64::from(list.count)) } else { nth };
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

    fn operator(&mut self, name: Span, value: Value, place: Target) -> Step {
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
    pub fn add_value(&mut self, name: Span, value: Value, place: Target) -> Step {
        match value {
            Value::Text(word) => self.append(word.text, word.flags, place.quoted, place.mode),
            Value::List(list) => {
                let place = Target { mode: place.list_mode, ..place };
                let star = self.bytes(name) == b"*";
                self.append_list(list, star, place.quoted, place.mode)
            }
            Value::Unset | Value::Unknown => {
                self.put_unknown(!place.quoted && place.mode == Mode::Args)
            }
        }
    }
}
