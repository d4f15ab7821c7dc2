//! The shape of one line of the chain (docs/audit-format.md): the bytes of an event as they were
//! written, then its place in the chain. What is hashed is the line itself, so that a verifier
//! needs no canonical JSON: everything up to `,"hash":`, which holds the previous hash, too.

use sha2::{Digest as _, Sha256};
use std::fmt;

/// A SHA-256 in the chain.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Hash(pub [u8; 32]);

impl Hash {
    /// What the first entry of a chain names as the hash before it.
    pub const NONE: Self = Self([0; 32]);

    /// The hash of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// Reads 64 lower-case hexadecimal digits.
    pub fn parse(digits: &[u8]) -> Option<Self> {
        let mut out = [0; 32];
        if digits.len() != 2 * out.len() {
            return None;
        }
        for (byte, pair) in out.iter_mut().zip(digits.chunks(2)) {
            let value = pair.iter().try_fold(0, |value, digit| match digit {
                b'0'..=b'9' => Some(value << 4 | (digit - b'0')),
                b'a'..=b'f' => Some(value << 4 | (digit - b'a' + 10)),
                _ => None,
            });
            *byte = value?;
        }
        Some(Self(out))
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(out, "{byte:02x}"))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, out)
    }
}

/// The end of a chain: what the next entry continues.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tip {
    /// Number of the last entry; 0 for a chain without entries.
    pub seq: u64,
    /// Its hash.
    pub hash: Hash,
}

impl Tip {
    /// What [`fmt::Display`] writes, wherever it stands in `line`; or the place of an entry on it, as
    /// receivers of the log get it: masked maybe, so its hash is taken at its word.
    pub fn read(line: &str) -> Option<Self> {
        if let Some((_, rest)) = line.split_once(ANCHOR) {
            let (seq, rest) = rest.split_once(' ')?;
            let hash = Hash::parse(rest.get(..DIGITS)?.as_bytes())?;
            return Some(Self { seq: seq.parse().ok()?, hash });
        }
        let entry = parse(line.trim_end().as_bytes().get(line.find('{')?..)?)?;
        Some(entry.tip())
    }

    /// Before the first entry.
    pub const START: Self = Self { seq: 0, hash: Hash::NONE };
}

/// What an anchor begins with.
const ANCHOR: &str = "rampart-anchor-1 ";

impl fmt::Display for Tip {
    /// The anchor: kept elsewhere, it shows that nothing up to it was cut off or rewritten.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{ANCHOR}{} {}", self.seq, self.hash)
    }
}

/// A line of the chain, taken apart.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'l> {
    /// The event, as an object without its closing brace.
    pub event: &'l [u8],
    /// Its number in the chain, from 1.
    pub seq: u64,
    /// The hash of the entry before it, as the line says.
    pub prev: Hash,
    /// Its own hash, as the line says.
    pub hash: Hash,
    /// The hash that the line really has.
    pub actual: Hash,
}

/// `,"hash":"` … `"}`
const HASH: &[u8] = b",\"hash\":\"";
/// `,"prev":"` … `"`
const PREV: &[u8] = b",\"prev\":\"";
const SEQ: &[u8] = b",\"seq\":";
const DIGITS: usize = 64;

/// Appends the entry behind `tip` that holds `event`, a JSON object that is not empty, with its
/// newline, to `out`. Returns the new tip; `None` (and nothing appended) if `event` is none.
pub fn write(event: &[u8], tip: Tip, out: &mut Vec<u8>) -> Option<Tip> {
    let open = event.trim_ascii().strip_suffix(b"}")?;
    if !open.starts_with(b"{") || open.len() < 2 {
        return None;
    }
    let start = out.len();
    let seq = tip.seq.checked_add(1)?;
    out.extend_from_slice(open);
    out.extend_from_slice(format!(",\"seq\":{seq},\"prev\":\"{}\"", tip.hash).as_bytes());
    let hash = Hash::of(out.get(start..)?);
    out.extend_from_slice(format!(",\"hash\":\"{hash}\"}}\n").as_bytes());
    Some(Tip { seq, hash })
}

/// Takes a line apart, its newline removed. `None` if it has not the shape of an entry. Only the
/// end is looked at: an event may hold members of the same names, and they mean nothing.
pub fn parse(line: &[u8]) -> Option<Entry<'_>> {
    let (rest, hash) = quoted(line.strip_suffix(b"}")?, HASH)?;
    let (head, prev) = quoted(rest, PREV)?;
    let digits = head.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
    let (head, digits) = head.split_at_checked(head.len().checked_sub(digits)?)?;
    let seq = std::str::from_utf8(digits).ok()?.parse().ok()?;
    let event = head.strip_suffix(SEQ)?;
    let is_object = event.starts_with(b"{");
    is_object.then(|| Entry { event, seq, prev, hash, actual: Hash::of(rest) })
}

/// Splits `…<name><64 digits>"` into what stands before and the digits.
fn quoted<'l>(text: &'l [u8], name: &[u8]) -> Option<(&'l [u8], Hash)> {
    let text = text.strip_suffix(b"\"")?;
    let (head, digits) = text.split_at_checked(text.len().checked_sub(DIGITS)?)?;
    Some((head.strip_suffix(name)?, Hash::parse(digits)?))
}

impl Entry<'_> {
    /// The tip behind this entry.
    pub const fn tip(&self) -> Tip {
        Tip { seq: self.seq, hash: self.hash }
    }

    /// The event as a whole object.
    pub fn object(&self) -> Vec<u8> {
        [self.event, b"}"].concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let events: [&[u8]; 4] = [
            b"{\"a\":1}",
            b"{\"seq\":9,\"prev\":\"x\",\"hash\":\"y\"}",
            b" {\"b\":{\"c\":[]}} ",
            b"{\"d\":\"\xff\"}",
        ];
        let (mut out, mut tip) = (Vec::new(), Tip::START);
        for event in events {
            tip = write(event, tip, &mut out).unwrap();
        }
        let mut before = Tip::START;
        for (line, event) in out.split(|byte| *byte == b'\n').zip(events) {
            let entry = parse(line).unwrap();
            assert_eq!(entry.object(), event.trim_ascii());
            assert_eq!((entry.seq, entry.prev), (before.seq + 1, before.hash));
            assert_eq!(entry.hash, entry.actual);
            before = entry.tip();
        }
        assert_eq!(before, tip);
    }

    #[test]
    fn every_byte_counts() {
        let mut line = Vec::new();
        write(b"{\"a\":\"b\"}", Tip { seq: 41, hash: Hash::of(b"x") }, &mut line).unwrap();
        line.pop();
        for at in 0..line.len() {
            let mut changed = line.clone();
            changed[at] ^= 1;
            let still = parse(&changed).is_some_and(|entry| entry.hash == entry.actual);
            assert!(!still, "byte {at}");
        }
    }

    #[test]
    fn what_is_no_entry() {
        for event in [&b""[..], b"{}", b"[1]", b"x", b"{\"a\":1"] {
            let mut out = Vec::new();
            assert!(write(event, Tip::START, &mut out).is_none() && out.is_empty());
        }
        for line in [&b""[..], b"{}", b"{\"a\":1}", b"{\"a\":1,\"hash\":\"00\"}", &[b'"'; 300]] {
            assert!(parse(line).is_none());
        }
    }
}
