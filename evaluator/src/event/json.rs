//! JSON text into a fixed buffer (RFC 8259). Every opened bracket has its closing byte reserved,
//! and a document in which something did not fit is never handed out.

use crate::escape::{self, hex_digit};
use crate::redact;
use crate::sha256::Sha256;

/// How much of a value that is too large is quoted, in bytes.
const HEAD: usize = 256;

/// A JSON writer that never overruns its buffer.
pub struct Json<'b> {
    out: &'b mut [u8],
    len: usize,
    /// Brackets still open, plus one for the newline: bytes that must stay free.
    reserved: usize,
    comma: bool,
    /// Something did not fit: what is written is no whole document.
    full: bool,
}

impl<'b> Json<'b> {
    /// An empty document in `out`.
    pub fn new(out: &'b mut [u8]) -> Self {
        Self { out, len: 0, reserved: 1, comma: false, full: false }
    }

    /// Bytes that may still be written.
    pub fn free(&self) -> usize {
        self.out.len().saturating_sub(self.len).saturating_sub(self.reserved)
    }

    /// Whether something did not fit already, so that nothing will be handed out.
    pub fn is_full(&self) -> bool {
        self.full
    }

    fn raw(&mut self, bytes: &[u8]) {
        let end = self.len.saturating_add(bytes.len());
        if let Some(room) = self.out.get_mut(self.len..end) {
            room.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
            self.len = end;
        }
    }

    /// Writes `bytes` if they fit beside what is reserved; returns whether they did.
    fn put(&mut self, bytes: &[u8]) -> bool {
        let fits = bytes.len() <= self.free();
        if fits {
            self.raw(bytes);
        }
        self.full |= !fits;
        fits
    }

    /// A comma, unless this is the first element.
    pub fn separator(&mut self) {
        if self.comma {
            self.put(b",");
        }
        self.comma = true;
    }

    /// Opens an object or array as the next value.
    pub fn open(&mut self, bracket: u8) {
        if bracket == b'{' && self.comma {
            self.put(b",");
        }
        if self.put(&[bracket]) {
            self.reserved = self.reserved.saturating_add(1);
        }
        self.comma = false;
    }

    /// Closes it.
    pub fn close(&mut self, bracket: u8) {
        if self.reserved > 1 {
            self.reserved = self.reserved.saturating_sub(1);
            self.put(&[bracket]);
        }
        self.comma = true;
    }

    /// Starts a member of an object.
    pub fn key(&mut self, name: &str) {
        self.separator();
        self.put(b"\"");
        self.put(name.as_bytes());
        self.put(b"\":");
        self.comma = false;
    }

    /// A member that is a whole number.
    pub fn number(&mut self, name: &str, value: u64) {
        self.key(name);
        self.digits(value, 1);
        self.comma = true;
    }

    fn digits(&mut self, value: u64, width: usize) {
        let mut digits = [b'0'; 20];
        let mut rest = value;
        let mut used = 0_usize;
        for digit in digits.iter_mut().rev() {
            if rest == 0 && used >= width {
                break;
            }
            *digit = b'0' | (rest % 10) as u8;
            rest /= 10;
            used = used.saturating_add(1);
        }
        let start = digits.len().saturating_sub(used);
        self.put(digits.get(start..).unwrap_or(&[]));
    }

    /// A member that is text.
    pub fn text(&mut self, name: &str, value: &[u8]) {
        self.key(name);
        self.bounded(value, 4096);
        self.comma = true;
    }

    /// A member that is text, left out if empty.
    pub fn text_unless_empty(&mut self, name: &str, value: &[u8]) {
        if !value.is_empty() {
            self.text(name, value);
        }
    }

    /// An element of an array that is text.
    pub fn item(&mut self, value: &[u8]) {
        self.separator();
        self.string(value);
    }

    /// A value that is text, whatever its size.
    pub fn string(&mut self, value: &[u8]) {
        self.put(b"\"");
        self.inside(value);
        self.put(b"\"");
        self.comma = true;
    }

    /// A value that is text, with secrets masked and its size bounded. Where there is one in bytes
    /// that are not UTF-8, the rest of them is written visibly: losing a byte beats a leak.
    pub fn masked(&mut self, value: &[u8], limit: usize) {
        if value.len() > limit {
            return self.bounded(value, limit);
        }
        let mut secrets = false;
        redact::masked(value, &mut |piece| secrets |= piece == redact::MASK);
        if core::str::from_utf8(value).is_err() && !secrets {
            return self.bounded(value, limit);
        }
        self.put(b"\"");
        redact::masked(value, &mut |piece| match core::str::from_utf8(piece) {
            Ok(_) => self.inside(piece),
            Err(_) => escape::visible(piece, &mut |part| self.inside(part)),
        });
        self.put(b"\"");
        self.comma = true;
    }

    /// Text as it is, `{"b64"}` if it is not UTF-8, `{"len","head","sha256"}` if it is too large.
    fn bounded(&mut self, value: &[u8], limit: usize) {
        if self.full {
            return;
        }
        if value.len() > limit {
            self.put(b"{\"len\":");
            self.digits(value.len() as u64, 1);
            self.put(b",\"head\":\"");
            // Masked before it is cut: half a token is not recognised. And before it is digested:
            // from the digest, a short password in a known text could be guessed.
            let mut digest = Sha256::new();
            let mut room = HEAD;
            redact::masked(value, &mut |piece| {
                digest.update(piece);
                if room == 0 {
                    return;
                }
                escape::visible(piece, &mut |part| {
                    room = room.saturating_sub(part.len());
                    if room > 0 {
                        self.inside(part);
                    }
                });
            });
            self.put(b"\",\"sha256\":");
            self.digest(digest);
            self.put(b"}");
        } else if core::str::from_utf8(value).is_err() {
            self.put(b"{\"b64\":\"");
            self.base64(value);
            self.put(b"\"}");
        } else {
            self.string(value);
        }
        self.comma = true;
    }

    /// A value that is a digest, in lower-case hexadecimal digits.
    pub fn digest(&mut self, digest: Sha256) {
        self.put(b"\"");
        for byte in digest.finish() {
            self.put(&[hex_digit(byte >> 4), hex_digit(byte & 15)]);
        }
        self.put(b"\"");
        self.comma = true;
    }

    /// The inside of a JSON string; `bytes` are UTF-8 as a whole, though a piece may not be.
    fn inside(&mut self, bytes: &[u8]) {
        for byte in bytes {
            match *byte {
                b'"' => self.put(b"\\\""),
                b'\\' => self.put(b"\\\\"),
                b'\n' => self.put(b"\\n"),
                control @ (0..=0x1f | 0x7f) => self.put(&[
                    b'\\',
                    b'u',
                    b'0',
                    b'0',
                    hex_digit(control >> 4),
                    hex_digit(control & 15),
                ]),
                plain => self.put(&[plain]),
            };
        }
    }

    fn base64(&mut self, bytes: &[u8]) {
        const DIGITS: [u8; 64] =
            *b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        for group in bytes.chunks(3) {
            let byte = |index: usize| u32::from(group.get(index).copied().unwrap_or(0));
            let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
            let mut digits = [b'='; 4];
            for (index, digit) in digits.iter_mut().enumerate().take(group.len().saturating_add(1))
            {
                let shift = 18_usize.saturating_sub(index.saturating_mul(6));
                *digit = DIGITS.get((bits >> shift & 63) as usize).copied().unwrap_or(b'=');
            }
            self.put(&digits);
        }
    }

    /// A member that is a time: RFC 3339 in UTC with microseconds, from microseconds since the
    /// Unix epoch.
    pub fn time(&mut self, name: &str, us: u64) {
        self.key(name);
        self.put(b"\"");
        self.moment(us);
        self.put(b"\"");
        self.comma = true;
    }

    /// A time, without quotes.
    pub fn moment(&mut self, us: u64) {
        let (seconds, micros) = (us / 1_000_000, us % 1_000_000);
        let (days, second) = (seconds / 86_400, seconds % 86_400);
        let (year, month, day) = civil(days);
        for (value, width, after) in [
            (year, 4, b"-"),
            (month, 2, b"-"),
            (day, 2, b"T"),
            (second / 3600, 2, b":"),
            (second / 60 % 60, 2, b":"),
            (second % 60, 2, b"."),
            (micros, 6, b"Z"),
        ] {
            self.digits(value, width);
            self.put(after);
        }
    }

    /// Ends the line; returns its length, or `None` if something did not fit.
    pub fn finish(mut self) -> Option<usize> {
        self.reserved = 0;
        self.put(b"\n");
        (!self.full).then_some(self.len)
    }
}

/// Year, month and day of a day count since 1970-01-01, in the Gregorian calendar: years are
/// counted from March, so that the leap day comes last.
const fn civil(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468;
    let era_day = shifted % 146_097;
    let era_year = (era_day - era_day / 1_460 + era_day / 36_524 - era_day / 146_096) / 365;
    let year_day = era_day - (365 * era_year + era_year / 4 - era_year / 100);
    let shifted_month = (5 * year_day + 2) / 153;
    let day = year_day - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = era_year + shifted / 146_097 * 400 + (month <= 2) as u64;
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::String;

    fn written(write: impl FnOnce(&mut Json<'_>), room: usize) -> String {
        let mut out = std::vec![0; room];
        let mut json = Json::new(&mut out);
        write(&mut json);
        let len = json.finish().unwrap_or(0);
        String::from_utf8(out[..len].to_vec()).unwrap()
    }

    #[test]
    fn values() {
        let text = |value: &'static [u8]| {
            move |json: &mut Json<'_>| {
                json.open(b'{');
                json.text("k", value);
                json.close(b'}')
            }
        };
        assert_eq!(written(text(b"a\"b\\c\n\x01"), 99), "{\"k\":\"a\\\"b\\\\c\\n\\u0001\"}\n");
        assert_eq!(written(text(b"\xff\xfe\xfd\xfc"), 99), "{\"k\":{\"b64\":\"//79/A==\"}}\n");
        assert_eq!(written(text("ü".as_bytes()), 99), "{\"k\":\"ü\"}\n");
        let numbers = |json: &mut Json<'_>| {
            json.open(b'{');
            json.number("a", 0);
            json.number("b", 18_446_744_073_709_551_615);
            json.close(b'}')
        };
        assert_eq!(written(numbers, 99), "{\"a\":0,\"b\":18446744073709551615}\n");
        let nested = |json: &mut Json<'_>| {
            json.open(b'{');
            json.key("a");
            json.open(b'[');
            json.open(b'{');
            json.number("x", 1);
            json.close(b'}');
            json.open(b'{');
            json.close(b'}');
            json.item(b"s");
            json.close(b']');
            json.number("b", 2);
            json.close(b'}')
        };
        assert_eq!(written(nested, 99), "{\"a\":[{\"x\":1},{},\"s\"],\"b\":2}\n");
    }

    #[test]
    fn secrets_are_masked_whatever_stands_beside_them() {
        let token = b"ghp_0123456789abcdefABCDEF";
        let arg = |bytes: &[u8], limit| {
            written(
                |json| {
                    json.open(b'{');
                    json.key("k");
                    json.masked(bytes, limit);
                    json.close(b'}');
                },
                999,
            )
        };
        assert_eq!(arg(&[&token[..], b" x\xff"].concat(), 99), "{\"k\":\"[masked] x\\\\xff\"}\n");
        assert_eq!(arg(b"plain \xff", 99), "{\"k\":{\"b64\":\"cGxhaW4g/w==\"}}\n");
        let long = [&[b'a'; 250][..], b" ", token, &[b' '; 99]].concat();
        assert!(!arg(&long, 300).contains("ghp_"));
    }

    #[test]
    fn times() {
        for (us, want) in [
            (0, "1970-01-01T00:00:00.000000Z"),
            (951_782_400_000_001, "2000-02-29T00:00:00.000001Z"),
            (1_795_420_799_999_999, "2026-11-23T07:59:59.999999Z"),
            (4_107_542_400_000_000, "2100-03-01T00:00:00.000000Z"),
        ] {
            let got = written(
                |json| {
                    json.open(b'{');
                    json.time("t", us);
                    json.close(b'}')
                },
                99,
            );
            assert_eq!(got, std::format!("{{\"t\":\"{want}\"}}\n"));
        }
    }
}
