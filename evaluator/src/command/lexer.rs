//! The cursor over shell text: blanks, comments, line ends, keywords, and scans that look ahead
//! without following anything.

use super::limits::{Step, Stop};
use super::shell::Shell;

/// A byte that ends an unquoted word (POSIX "metacharacter", and blanks).
pub(super) const fn is_meta(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b';' | b'&' | b'|' | b'<' | b'>' | b'(' | b')')
}

/// A byte that may start a variable's name.
pub(super) const fn is_name_start(byte: u8) -> bool {
    byte == b'_' || byte.is_ascii_alphabetic()
}

/// A byte that may stand inside a variable's name.
pub(super) const fn is_name(byte: u8) -> bool {
    byte == b'_' || byte.is_ascii_alphanumeric()
}

impl Shell<'_, '_> {
    /// The next byte of the text, if any is left.
    #[inline]
    pub fn peek(&self) -> Option<u8> {
        if self.pos < self.end { self.text.get(self.pos) } else { None }
    }

    /// The byte `ahead` bytes on.
    #[inline]
    pub fn peek_at(&self, ahead: usize) -> Option<u8> {
        let at = self.pos.saturating_add(ahead);
        if at < self.end { self.text.get(at) } else { None }
    }

    /// Goes `bytes` bytes on.
    #[inline]
    pub fn advance(&mut self, bytes: usize) {
        self.pos = self.pos.saturating_add(bytes).min(self.end);
    }

    /// Whether the text goes on with `token`.
    pub fn looking_at(&self, token: &[u8]) -> bool {
        token.iter().enumerate().all(|(ahead, byte)| self.peek_at(ahead) == Some(*byte))
    }

    /// Goes behind `token` if the text goes on with it.
    pub fn take(&mut self, token: &[u8]) -> bool {
        let there = self.looking_at(token);
        if there {
            self.advance(token.len());
        }
        there
    }

    /// Goes over blanks, line continuations and a comment.
    pub fn blanks(&mut self) -> Step {
        loop {
            match self.peek() {
                Some(b' ' | b'\t') => self.advance(1),
                Some(b'\\') if self.peek_at(1) == Some(b'\n') => self.advance(2),
                Some(b'#') => {
                    let start = self.pos;
                    while self.peek().is_some_and(|byte| byte != b'\n') {
                        self.advance(1);
                    }
                    return self.burn(self.pos.saturating_sub(start) / 8);
                }
                _ => return Ok(()),
            }
        }
    }

    /// Goes over blanks and line ends.
    pub fn newlines(&mut self) -> Step {
        loop {
            self.blanks()?;
            if self.peek() != Some(b'\n') {
                return Ok(());
            }
            self.newline()?;
        }
    }

    /// Goes over the line end at the cursor, and the here-documents that begin behind it.
    pub fn newline(&mut self) -> Step {
        self.advance(1);
        if self.here > self.pos {
            self.pos = self.here.min(self.end);
        }
        self.here = 0;
        self.burn(1)
    }

    /// Where the reserved word `word` ends, if it stands at the cursor.
    #[inline]
    pub fn keyword(&self, word: &[u8]) -> Option<usize> {
        // Its first two bytes say no for nearly all words; a backslash may continue a line.
        let fits = |at| {
            let byte = self.peek_at(at);
            byte == Some(b'\\') || word.get(at).is_none_or(|wanted| byte == Some(*wanted))
        };
        if fits(0) && (fits(1) || self.peek() == Some(b'\\')) { self.spelled(word) } else { None }
    }

    fn spelled(&self, word: &[u8]) -> Option<usize> {
        let rest = self.text.run(self.pos, self.end.saturating_sub(self.pos));
        let len = word.len();
        let rest = rest.get(..=len).unwrap_or(rest);
        if rest.starts_with(word) && rest.get(len) != Some(&b'\\') {
            return rest.get(len).is_none_or(|byte| is_meta(*byte)).then_some(len);
        }
        if !rest.contains(&b'\\') {
            return None;
        }
        let mut at = 0_usize;
        for byte in word {
            while self.peek_at(at) == Some(b'\\')
                && self.peek_at(at.saturating_add(1)) == Some(b'\n')
            {
                at = at.saturating_add(2);
            }
            if self.peek_at(at) != Some(*byte) {
                return None;
            }
            at = at.saturating_add(1);
        }
        while self.peek_at(at) == Some(b'\\') && self.peek_at(at.saturating_add(1)) == Some(b'\n') {
            at = at.saturating_add(2);
        }
        self.peek_at(at).is_none_or(is_meta).then_some(at)
    }

    /// Goes behind the reserved word `word` if it stands at the cursor.
    pub fn take_keyword(&mut self, word: &[u8]) -> bool {
        match self.keyword(word) {
            Some(len) => {
                self.advance(len);
                true
            }
            None => false,
        }
    }

    /// Goes over line ends and the reserved word `word`, which has to be there.
    pub fn expect_keyword(&mut self, word: &[u8]) -> Step {
        self.newlines()?;
        if self.take_keyword(word) { Ok(()) } else { Err(self.unexpected()) }
    }

    /// The error for what stands at the cursor.
    pub fn unexpected(&self) -> Stop {
        if self.pos >= self.end { Stop::Unterminated } else { Stop::Syntax }
    }

    /// The index of the first byte from `from` on that `stop` accepts, outside of quotes and of
    /// every bracket opened on the way. Follows nothing.
    pub fn scan(&mut self, from: usize, stop: impl Fn(u8) -> bool) -> Step<Option<usize>> {
        let mut nest = Nest::default();
        let mut at = from;
        let found = loop {
            let Some(byte) = self.byte(at) else {
                break None;
            };
            if nest.depth == 0 && stop(byte) {
                break Some(at);
            }
            let next = self.byte(at.saturating_add(1));
            let quoted = nest.top() == Nest::QUOTE;
            let mut step = 1_usize;
            match byte {
                b'\\' => step = 2,
                b'\'' if !quoted => step = self.quoted_len(at, b'\'', false),
                b'`' => step = self.quoted_len(at, b'`', true),
                b'"' if quoted => nest.pop(),
                b'"' => nest.push(Nest::QUOTE),
                b'$' if next == Some(b'(') => {
                    nest.push(Nest::PAREN);
                    step = 2;
                }
                b'$' if next == Some(b'{') => {
                    nest.push(Nest::BRACE);
                    step = 2;
                }
                b'(' if !quoted => nest.push(Nest::PAREN),
                b')' if nest.top() == Nest::PAREN => nest.pop(),
                b'}' if nest.top() == Nest::BRACE => nest.pop(),
                _ => {}
            }
            if nest.depth > Nest::MAX {
                return Err(Stop::Limit);
            }
            at = at.saturating_add(step);
        };
        self.burn(at.min(self.end).saturating_sub(from) / 4)?;
        Ok(found)
    }

    /// The byte of the text at index `at`.
    pub fn byte(&self, at: usize) -> Option<u8> {
        if at < self.end { self.text.get(at) } else { None }
    }

    /// Length of a quoted piece from its opening `quote` at `at` to the closing one.
    fn quoted_len(&self, at: usize, quote: u8, escapes: bool) -> usize {
        let mut end = at.saturating_add(1);
        while let Some(byte) = self.byte(end) {
            if byte == quote {
                break;
            }
            let step = if escapes && byte == b'\\' { 2 } else { 1 };
            end = end.saturating_add(step);
        }
        end.saturating_add(1).saturating_sub(at)
    }
}

/// The brackets that a scan is inside of: two bits each.
#[derive(Default)]
struct Nest {
    kinds: u128,
    depth: u32,
}

impl Nest {
    const MAX: u32 = 63;
    const NONE: u128 = 0;
    const QUOTE: u128 = 1;
    const PAREN: u128 = 2;
    const BRACE: u128 = 3;

    fn push(&mut self, kind: u128) {
        self.kinds = (self.kinds << 2) | kind;
        self.depth = self.depth.saturating_add(1);
    }

    fn pop(&mut self) {
        self.kinds >>= 2;
        self.depth = self.depth.saturating_sub(1);
    }

    fn top(&self) -> u128 {
        if self.depth == 0 { Self::NONE } else { self.kinds & 3 }
    }
}
