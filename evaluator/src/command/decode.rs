//! Decoding what is on its way into something that runs it: base64 and base32 (RFC 4648), hex, and
//! the trivial ciphers `tr` and `rev`.

use super::flow::Taint;
use super::limits::Step;
use super::shell::Shell;
use super::{Run, Span, UNKNOWN, Word, WordFlags};

/// How text is encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Coding {
    Base64,
    Base32,
    Hex,
    /// As `xxd` prints it: offsets, hex digits, and the text again.
    HexDump,
}

impl Shell<'_, '_> {
    /// What a decoder with these arguments decodes, and which file it reads; `None` if it encodes.
    pub fn coding(&self, args: Run) -> Option<(Coding, Option<Word>)> {
        let program = self.words.get((args.first as usize).checked_sub(1)?)?;
        let name = super::follow::basename(self.bytes(program.text));
        let mut decodes = false;
        let mut plain = false;
        let mut coding = match name {
            b"base32" => Coding::Base32,
            b"xxd" => Coding::HexDump,
            _ => Coding::Base64,
        };
        let mut file = None;
        for nth in 0..args.count {
            let word = self.arg(args, nth)?;
            let text = self.bytes(word.text);
            match text {
                b"--decode" | b"--revert" | b"-revert" => decodes = true,
                b"--base32" => coding = Coding::Base32,
                b"--base16" => coding = Coding::Hex,
                b"--plain" | b"-plain" | b"-postscript" | b"-ps" | b"--ps" => plain = true,
                b"base64" | b"enc" | b"-base64" | b"-a" | b"-A" if name == b"openssl" => {}
                b"-" => {}
                b"-in" => file = self.arg(args, nth.saturating_add(1)),
                [b'-', b'-', ..] => {}
                [b'-', letters @ ..] => {
                    let wanted: &[u8] = if name == b"xxd" { b"r" } else { b"dD" };
                    decodes |= letters.iter().any(|letter| wanted.contains(letter));
                    plain |= name == b"xxd" && letters.contains(&b'p');
                }
                _ => file = file.or(Some(word)),
            }
        }
        if name == b"xxd" && plain {
            coding = Coding::Hex;
        }
        decodes.then_some((coding, file))
    }

    /// Stacks `text` decoded; whether it was encoded that way.
    pub fn decode(&mut self, coding: Coding, text: Span) -> Step<bool> {
        self.burn(text.len as usize)?;
        match coding {
            Coding::Base64 => self.radix(text, 6, base64_digit),
            Coding::Base32 => self.radix(text, 5, base32_digit),
            Coding::Hex => self.radix(text, 4, hex_digit),
            Coding::HexDump => self.hex_dump(text),
        }
    }

    /// Digits of `bits` bits each, first ones highest; blanks and padding are skipped.
    fn radix(&mut self, text: Span, bits: u32, digit: fn(u8) -> Option<u8>) -> Step<bool> {
        let (mut buffer, mut filled) = (0_u32, 0_u32);
        for at in 0..text.len {
            let byte = self.text.get(text.start.saturating_add(at) as usize);
            let byte = byte.unwrap_or(UNKNOWN);
            if byte.is_ascii_whitespace() || byte == b'=' {
                continue;
            }
            let Some(value) = digit(byte) else {
                return Ok(false);
            };
            buffer = (buffer << bits) | u32::from(value);
            filled = filled.saturating_add(bits);
            if filled >= 8 {
                filled = filled.saturating_sub(8);
                let byte = (buffer >> filled) & 0xff;
                // A NUL cannot be part of a command; shells drop it.
                if byte != 0 {
                    self.text.stack(byte as u8)?;
                }
                buffer &= (1_u32 << filled).wrapping_sub(1);
            }
        }
        Ok(true)
    }

    /// `00000000: 726d 202d 7266  rm -rf`, line by line.
    fn hex_dump(&mut self, text: Span) -> Step<bool> {
        let mut from = 0_u32;
        while from < text.len {
            let left =
                Span { start: text.start.saturating_add(from), len: text.len.saturating_sub(from) };
            let bytes = self.bytes(left);
            let len = bytes.iter().position(|b| *b == b'\n').unwrap_or(bytes.len());
            let line = bytes.get(..len).unwrap_or(&[]);
            let Some(colon) = line.iter().position(|byte| *byte == b':') else {
                return Ok(false);
            };
            let digits = line.get(colon.saturating_add(1)..).unwrap_or(&[]);
            let end = digits.windows(2).position(|pair| pair == b"  ");
            let end = end.unwrap_or(digits.len()) as u32;
            let part =
                Span { start: left.start.saturating_add(colon as u32).saturating_add(1), len: end };
            if !self.radix(part, 4, hex_digit)? {
                return Ok(false);
            }
            from = from.saturating_add(len as u32).saturating_add(1);
        }
        Ok(true)
    }

    /// `rev`: every line backwards.
    pub fn reversed(&mut self) -> Step {
        let data = self.place.stdin;
        if !data.taint.has(Taint::SOME) || data.taint.has(Taint::UNKNOWN) {
            return self.emit_unknown(Taint::default());
        }
        self.burn(data.text.len as usize)?;
        let (start, end) = (data.text.start, data.text.start.saturating_add(data.text.len));
        let mut line = start;
        for at in start..=end {
            let byte = self.text.get(at as usize).unwrap_or(b'\n');
            if at < end && byte != b'\n' {
                continue;
            }
            for back in (line..at).rev() {
                let byte = self.text.get(back as usize).unwrap_or(UNKNOWN);
                self.text.stack(byte)?;
            }
            if at < end {
                self.text.stack(b'\n')?;
            }
            line = at.saturating_add(1);
        }
        self.capture.taint = self.capture.taint.with(data.taint).with(Taint::DECODED);
        Ok(())
    }

    /// `tr SET1 SET2` and `tr -d SET`, with literal bytes, ranges and escapes in the sets.
    pub fn translated(&mut self, args: Run) -> Step {
        let data = self.place.stdin;
        let delete = self.arg_is(args, 0, b"-d");
        let (from, to) = if delete {
            (self.arg(args, 1), Some(Word::default()))
        } else {
            (self.arg(args, 0), self.arg(args, 1))
        };
        let known = data.taint.has(Taint::SOME) && !data.taint.has(Taint::UNKNOWN);
        let (Some(from), Some(to), true) = (from, to, known) else {
            return self.emit_unknown(Taint::default());
        };
        let sets_known = !from.flags.with(to.flags).has(WordFlags::PARTIAL);
        let from_set = Set::of(self.bytes(from.text)).filter(|_| sets_known);
        let to_set = Set::of(self.bytes(to.text));
        let (Some(from_set), Some(to_set)) = (from_set, to_set) else {
            return self.emit_unknown(Taint::default());
        };
        self.burn(data.text.len as usize)?;
        for at in 0..data.text.len {
            let byte = self.text.get(data.text.start.saturating_add(at) as usize);
            let byte = byte.unwrap_or(UNKNOWN);
            match from_set.position(byte) {
                None => self.text.stack(byte)?,
                Some(_) if delete => {}
                Some(nth) => self.text.stack(to_set.at(nth).unwrap_or(byte))?,
            }
        }
        self.capture.taint = self.capture.taint.with(data.taint).with(Taint::DECODED);
        Ok(())
    }
}

/// The members of a set of `tr`, in order.
struct Set {
    members: [u8; 160],
    len: usize,
}

impl Set {
    /// `None` where it holds more than literal bytes, ranges and simple escapes.
    fn of(text: &[u8]) -> Option<Self> {
        let mut set = Self { members: [0; 160], len: 0 };
        if text.starts_with(b"[:") {
            return None;
        }
        let mut at = 0_usize;
        while let Some(byte) = text.get(at).copied() {
            let dash = text.get(at.saturating_add(1)) == Some(&b'-');
            match text.get(at.saturating_add(2)).copied().filter(|_| dash) {
                Some(last) if byte != b'\\' => {
                    for member in byte..=last {
                        set.add(member)?;
                    }
                    at = at.saturating_add(3);
                }
                _ if byte == b'\\' => {
                    set.add(match text.get(at.saturating_add(1)).copied()? {
                        b'n' => b'\n',
                        b't' => b'\t',
                        b'0'..=b'9' => return None,
                        other => other,
                    })?;
                    at = at.saturating_add(2);
                }
                _ => {
                    set.add(byte)?;
                    at = at.saturating_add(1);
                }
            }
        }
        Some(set)
    }

    fn add(&mut self, byte: u8) -> Option<()> {
        *self.members.get_mut(self.len)? = byte;
        self.len = self.len.saturating_add(1);
        Some(())
    }

    fn position(&self, byte: u8) -> Option<usize> {
        let members = self.members.get(..self.len)?;
        members.iter().rposition(|member| *member == byte)
    }

    /// The member at `nth`; the last one stands for all behind it.
    fn at(&self, nth: usize) -> Option<u8> {
        self.members.get(nth.min(self.len.checked_sub(1)?)).copied()
    }
}

fn base64_digit(byte: u8) -> Option<u8> {
    match byte {
        b'A'..=b'Z' => Some(byte.wrapping_sub(b'A')),
        b'a'..=b'z' => Some(byte.wrapping_sub(b'a').wrapping_add(26)),
        b'0'..=b'9' => Some(byte.wrapping_sub(b'0').wrapping_add(52)),
        b'+' | b'-' => Some(62),
        b'/' | b'_' => Some(63),
        _ => None,
    }
}

fn base32_digit(byte: u8) -> Option<u8> {
    match byte {
        b'A'..=b'Z' => Some(byte.wrapping_sub(b'A')),
        b'a'..=b'z' => Some(byte.wrapping_sub(b'a')),
        b'2'..=b'7' => Some(byte.wrapping_sub(b'2').wrapping_add(26)),
        _ => None,
    }
}

fn hex_digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).map(|digit| digit as u8)
}
