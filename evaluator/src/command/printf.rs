//! What `echo` and `printf` print (POSIX.1-2024 XCU, bash manual).

use super::escapes::Escapes;
use super::flow::Taint;
use super::follow::rest;
use super::limits::Step;
use super::shell::{Dialect, Shell};
use super::word::Building;
use super::{Run, Span, UNKNOWN, Word};

/// Longest field that is filled up.
const MAX_WIDTH: u32 = 256;

/// What stands between `%` and the letter of a conversion.
#[derive(Default)]
struct Field {
    width: u32,
    precision: Option<u32>,
    zeros: bool,
    left: bool,
}

impl Field {
    fn add(&mut self, byte: u8) {
        let digit = |value: u32| {
            value.saturating_mul(10).saturating_add(u32::from(byte.wrapping_sub(b'0')))
        };
        match (byte, self.precision) {
            (b'.', _) => self.precision = Some(0),
            (b'0', None) if self.width == 0 => self.zeros = !self.left,
            (b'0'..=b'9', None) => self.width = digit(self.width),
            (b'0'..=b'9', Some(value)) => self.precision = Some(digit(value)),
            (b'-', _) => (self.left, self.zeros) = (true, false),
            _ => {}
        }
    }
}

impl Shell<'_, '_> {
    pub fn echo(&mut self, args: Run) -> Step {
        let (mut newline, mut escapes) = (true, self.place.dialect == Dialect::Posix);
        let mut args = args;
        while let Some(word) = self.arg(args, 0) {
            let Some(options) = self.bytes(word.text).strip_prefix(b"-") else {
                break;
            };
            let known = options.iter().all(|o| matches!(o, b'n' | b'e' | b'E'));
            if options.is_empty() || !known {
                break;
            }
            newline &= !options.contains(&b'n');
            escapes |= options.contains(&b'e');
            args = rest(args, 1);
        }
        for nth in 0..args.count {
            if nth > 0 {
                self.text.stack(b' ')?;
            }
            let word = self.arg(args, nth).unwrap_or_default();
            if !escapes {
                self.emit_word(word)?;
                continue;
            }
            self.capture.taint = self.capture.taint.with(Taint::of(word.flags));
            if !self.unescaped(word.text)? {
                return Ok(());
            }
        }
        if newline {
            self.text.stack(b'\n')?;
        }
        Ok(())
    }

    /// Stacks `text` with its escapes replaced. Whether output goes on behind it.
    pub fn unescaped(&mut self, text: Span) -> Step<bool> {
        let cursor = self.enter(text);
        let build = core::mem::take(&mut self.build);
        let mut done = Ok(true);
        while let (Ok(true), Some(byte)) = (done, self.peek()) {
            if byte == b'\\' {
                done = self.escape(Escapes::Echo);
                continue;
            }
            self.advance(1);
            done = self.put(byte).map(|()| true);
        }
        self.build = Building { ..build };
        self.leave(cursor);
        done
    }

    /// `printf FORMAT ARG…`: stacks what it prints.
    pub fn printf(&mut self, args: Run) -> Step<Taint> {
        let mut args = args;
        if self.arg_is(args, 0, b"--") {
            args = rest(args, 1);
        }
        let Some(format) = self.arg(args, 0) else {
            return Ok(Taint::default());
        };
        let mut taint = Taint::of(format.flags);
        let mut values = rest(args, 1);
        let build = core::mem::take(&mut self.build);
        let mut done = Ok(());
        loop {
            let before = values.count;
            let cursor = self.enter(format.text);
            while let (Ok(()), Some(byte)) = (done, self.peek()) {
                done = match byte {
                    b'\\' => self.escape(Escapes::Quoted).map(|_| ()),
                    b'%' => self.conversion(&mut values, &mut taint),
                    _ => {
                        self.advance(1);
                        self.put(byte)
                    }
                };
            }
            self.leave(cursor);
            if done.is_err() || values.count == 0 || values.count == before {
                break;
            }
        }
        self.build = Building { ..build };
        done?;
        Ok(taint)
    }

    /// One conversion specification, from its `%` on.
    pub fn conversion(&mut self, values: &mut Run, taint: &mut Taint) -> Step {
        self.advance(1);
        let mut field = Field::default();
        while let Some(byte @ (b'0'..=b'9' | b'-' | b'+' | b' ' | b'#' | b'.' | b'*')) = self.peek()
        {
            self.advance(1);
            if byte == b'*' {
                *values = rest(*values, 1);
            }
            field.add(byte);
        }
        let kind = self.peek().unwrap_or(b'%');
        self.advance(1);
        if kind == b'%' {
            return self.put(b'%');
        }
        let Some(mut word) = self.arg(*values, 0) else {
            return Ok(());
        };
        *values = rest(*values, 1);
        *taint = taint.with(Taint::of(word.flags));
        let top = self.text.top();
        match kind {
            b'b' => self.unescaped(word.text).map(|_| ()),
            b's' | b'c' => {
                let limit = if kind == b'c' { Some(1) } else { field.precision };
                word.text.len = word.text.len.min(limit.unwrap_or(u32::MAX));
                self.stack_span(word.text)
            }
            b'x' | b'X' | b'o' => self.in_radix(word, if kind == b'o' { 8 } else { 16 }),
            b'd' | b'i' | b'u' | b'q' => self.stack_span(word.text),
            _ => {
                *taint = taint.with(Taint::UNKNOWN);
                self.text.stack(UNKNOWN)
            }
        }?;
        self.pad(top, &field)
    }

    /// Fills what is stacked from `top` on up to the width of its field.
    fn pad(&mut self, top: usize, field: &Field) -> Step {
        let len = self.text.top().saturating_sub(top);
        let missing = (field.width.min(MAX_WIDTH) as usize).saturating_sub(len);
        if missing == 0 {
            return Ok(());
        }
        let mut text = self.keep_text(top)?;
        if field.zeros && self.bytes(text).first() == Some(&b'-') {
            self.put(b'-')?;
            text = Span { start: text.start.saturating_add(1), len: text.len.saturating_sub(1) };
        }
        if field.left {
            self.stack_span(text)?;
        }
        for _ in 0..missing {
            self.put(if field.zeros { b'0' } else { b' ' })?;
        }
        if field.left { Ok(()) } else { self.stack_span(text) }
    }

    pub fn in_radix(&mut self, word: Word, radix: u64) -> Step {
        let value = self.constant(word.text)?;
        let Some(value) = value.and_then(|value| u64::try_from(value).ok()) else {
            return self.text.stack(UNKNOWN);
        };
        let shift = if radix == 8 { 3 } else { 4 };
        let mut started = false;
        for place in (0..22_u32).rev() {
            let digit = value.checked_shr(place.saturating_mul(shift)).unwrap_or(0);
            let digit = (digit & radix.saturating_sub(1)) as u32;
            started |= digit != 0 || place == 0;
            if started {
                let digit = char::from_digit(digit, 16).unwrap_or('0');
                self.text.stack(digit as u8)?;
            }
        }
        Ok(())
    }
}
