//! Backslash escapes: `$'…'`, `echo -e`, the format of `printf` and its `%b` (bash manual, "ANSI-C
//! Quoting"; POSIX.1-2024 `printf`). One reader serves all; they differ in how octal is written.

use super::limits::{Step, Stop};
use super::shell::Shell;
use super::{UNKNOWN, WordFlags};

/// Which escapes count.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Escapes {
    /// `$'…'` and the format of `printf`: `\nnn`.
    Quoted,
    /// `echo -e`, `%b`: `\0nnn`, and `\c` ends the output.
    Echo,
}

/// What an escape stands for.
enum Escape {
    Byte(u8),
    Char(u32),
    /// Nothing known: both bytes stay.
    Literal,
    /// `\c`: no further output.
    Stop,
}

impl Shell<'_, '_> {
    /// `$'…'`, from its `$` on.
    pub fn ansi_quoted(&mut self) -> Step {
        self.advance(2);
        self.add_flags(WordFlags::QUOTED);
        self.build.some = true;
        loop {
            match self.peek() {
                None => return Err(Stop::Unterminated),
                Some(b'\'') => {
                    self.advance(1);
                    return Ok(());
                }
                Some(b'\\') => {
                    self.escape(Escapes::Quoted)?;
                }
                Some(UNKNOWN) => {
                    self.advance(1);
                    self.put_unknown(false)?;
                }
                Some(byte) => {
                    self.advance(1);
                    self.put(byte)?;
                }
            }
        }
    }

    /// Adds what the escape at the cursor stands for. Whether output goes on.
    pub fn escape(&mut self, style: Escapes) -> Step<bool> {
        let (escape, len) = self.read_escape(style);
        let first = self.peek_at(1);
        self.advance(len);
        match escape {
            Escape::Byte(0) | Escape::Char(0) => {}
            Escape::Byte(byte) => self.put(byte)?,
            Escape::Char(code) => {
                let code = char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER);
                let mut buffer = [0_u8; 4];
                for byte in code.encode_utf8(&mut buffer).bytes() {
                    self.put(byte)?;
                }
            }
            Escape::Literal => {
                self.put(b'\\')?;
                match first {
                    Some(UNKNOWN) => self.put_unknown(false)?,
                    Some(byte) => self.put(byte)?,
                    None => {}
                }
            }
            Escape::Stop => return Ok(false),
        }
        Ok(true)
    }

    /// The escape at the cursor and its length in the source.
    fn read_escape(&self, style: Escapes) -> (Escape, usize) {
        let Some(byte) = self.peek_at(1) else {
            return (Escape::Literal, 1);
        };
        let plain = match byte {
            b'n' => b'\n',
            b't' => b'\t',
            b'r' => b'\r',
            b'a' => 7,
            b'b' => 8,
            b'e' | b'E' => 27,
            b'f' => 12,
            b'v' => 11,
            b'\\' => b'\\',
            b'\'' | b'"' | b'?' if style == Escapes::Quoted => byte,
            b'x' => return self.number_escape(2, 2, 16, 2),
            b'u' => return self.number_escape(2, 4, 16, 2),
            b'U' => return self.number_escape(2, 8, 16, 2),
            b'0' if style == Escapes::Echo => return self.number_escape(2, 3, 8, 2),
            b'0'..=b'7' => return self.number_escape(1, 3, 8, 1),
            b'c' if style == Escapes::Echo => return (Escape::Stop, 2),
            b'c' => {
                let control = self.peek_at(2).unwrap_or(0) & 0x1f;
                return (Escape::Byte(control), 3);
            }
            _ => return (Escape::Literal, 2),
        };
        (Escape::Byte(plain), 2)
    }

    /// Up to `max` digits from `from` on; without any, `bare` bytes stay as they are.
    fn number_escape(&self, from: usize, max: usize, radix: u32, bare: usize) -> (Escape, usize) {
        let mut value = 0_u32;
        let mut count = 0_usize;
        while count < max {
            let digit = self
                .peek_at(from.saturating_add(count))
                .and_then(|byte| char::from(byte).to_digit(radix));
            let Some(digit) = digit else {
                break;
            };
            value = value.wrapping_mul(radix).wrapping_add(digit);
            count = count.saturating_add(1);
        }
        let len = from.saturating_add(count);
        if count == 0 {
            // `\0` alone is a NUL, which nothing can hold; `\x` alone stays.
            let escape = if radix == 8 { Escape::Byte(0) } else { Escape::Literal };
            return (escape, bare);
        }
        let escape = if max > 3 { Escape::Char(value) } else { Escape::Byte((value & 0xff) as u8) };
        (escape, len)
    }
}
