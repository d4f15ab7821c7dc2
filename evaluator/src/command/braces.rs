//! Brace expansion (bash manual, "Brace Expansion"): purely textual and before everything else.
//! The leftmost brace expression of a source word is replaced by each of its parts in turn, and
//! every resulting source word is read again.

use super::limits::{Step, Stop};
use super::pattern::number;
use super::shell::Shell;
use super::word::Mode;
use super::{Span, UNKNOWN, WordFlags};

/// More elements than this in `{1..n}` become one word that is not known.
const MAX_SEQUENCE: u64 = 512;

/// Zeros before a number go up to this width.
const MAX_WIDTH: usize = 24;

/// What `{a..b..c}` counts: numbers, or letters.
#[derive(Clone, Copy)]
struct Sequence {
    first: i64,
    last: i64,
    step: i64,
    letters: bool,
    /// Least number of characters, filled up with zeros.
    width: usize,
}

/// A source word taken apart at a brace expression; indices into the text.
#[derive(Clone, Copy)]
struct Pieces {
    start: usize,
    open: usize,
    close: usize,
    end: usize,
}

impl Shell<'_, '_> {
    /// At an unquoted `{` in the source word that starts at `start`: expands it and reads all
    /// resulting words, if it is a brace expression. Whether it was.
    pub fn braces(&mut self, start: usize) -> Step<bool> {
        if !self.is_bash() {
            return Ok(false);
        }
        let end = match self.scan(self.pos, super::lexer::is_meta)? {
            Some(end) => end,
            None => self.end,
        };
        let mut open = self.pos;
        loop {
            let Some(close) = self.brace_close(open, end)? else {
                return Ok(false);
            };
            let pieces = Pieces { start, open, close, end };
            if self.is_list(open, close)? {
                self.expand_list(pieces)?;
                return Ok(true);
            }
            if let Some(sequence) = self.sequence(open, close) {
                self.expand_sequence(pieces, sequence)?;
                return Ok(true);
            }
            let inside = self.scan(open.saturating_add(1), |byte| byte == b'{')?;
            match inside.filter(|inside| *inside < end) {
                Some(inside) => open = inside,
                None => return Ok(false),
            }
        }
    }

    /// The brace that closes the one at `open`.
    fn brace_close(&mut self, open: usize, end: usize) -> Step<Option<usize>> {
        let mut depth = 0_u32;
        let mut at = open.saturating_add(1);
        loop {
            let found = self.scan(at, |byte| matches!(byte, b'{' | b'}'))?;
            let Some(found) = found.filter(|found| *found < end) else {
                return Ok(None);
            };
            if self.byte(found) == Some(b'{') {
                depth = depth.saturating_add(1);
            } else if depth == 0 {
                return Ok(Some(found));
            } else {
                depth = depth.saturating_sub(1);
            }
            at = found.saturating_add(1);
        }
    }

    /// The next comma between `from` and `close` that is in no inner brace.
    fn comma(&mut self, from: usize, close: usize) -> Step<Option<usize>> {
        let mut depth = 0_u32;
        let mut at = from;
        loop {
            let found = self.scan(at, |byte| matches!(byte, b'{' | b'}' | b','))?;
            let Some(found) = found.filter(|found| *found < close) else {
                return Ok(None);
            };
            match self.byte(found) {
                Some(b'{') => depth = depth.saturating_add(1),
                Some(b'}') => depth = depth.saturating_sub(1),
                _ if depth == 0 => return Ok(Some(found)),
                _ => {}
            }
            at = found.saturating_add(1);
        }
    }

    fn is_list(&mut self, open: usize, close: usize) -> Step<bool> {
        Ok(self.comma(open.saturating_add(1), close)?.is_some())
    }

    fn expand_list(&mut self, pieces: Pieces) -> Step {
        let mut from = pieces.open.saturating_add(1);
        loop {
            let comma = self.comma(from, pieces.close)?;
            let to = comma.unwrap_or(pieces.close);
            let part = self.text.top();
            self.stack_source(from, to)?;
            self.read_alternative(pieces, part)?;
            match comma {
                Some(comma) => from = comma.saturating_add(1),
                None => break,
            }
        }
        self.finish_braces(pieces)
    }

    /// Stacks the text from `from` to `to`.
    fn stack_source(&mut self, from: usize, to: usize) -> Step {
        self.stack_span(Span { start: from as u32, len: to.saturating_sub(from) as u32 })
    }

    /// Reads the source word in which the brace expression is replaced by what is stacked from
    /// `part` on.
    fn read_alternative(&mut self, pieces: Pieces, part: usize) -> Step {
        self.burn(6)?;
        let mut text = self.keep_text(part)?;
        let behind = pieces.close.saturating_add(1);
        if pieces.start < pieces.open || behind < pieces.end {
            let start = self.text.top();
            self.stack_source(pieces.start, pieces.open)?;
            self.stack_span(text)?;
            self.stack_source(behind, pieces.end)?;
            text = self.keep_text(start)?;
        } else {
            self.burn(text.len as usize)?;
        }
        self.nested(|shell| {
            let cursor = shell.enter(text);
            let done = shell.word(Mode::Args);
            shell.leave(cursor);
            done.map(|_| ())
        })
    }

    /// Goes behind the source word, of which nothing is left to be put together.
    fn finish_braces(&mut self, pieces: Pieces) -> Step {
        self.pos = pieces.end;
        self.text.unstack(self.build.start);
        self.begin_word();
        Ok(())
    }

    /// What `{a..b}` or `{a..b..c}` counts.
    fn sequence(&self, open: usize, close: usize) -> Option<Sequence> {
        let text =
            self.text.run(open.saturating_add(1), close.saturating_sub(open).saturating_sub(1));
        let (first, rest) = split(text)?;
        let (last, step) = match split(rest) {
            Some((last, step)) => (last, number(step)?),
            None => (rest, 1),
        };
        let step = step.saturating_abs().max(1);
        // `{01..10}`: all as wide as the wider one.
        let padded = |text: &[u8]| {
            let digits = text.strip_prefix(b"-").unwrap_or(text);
            digits.len() > 1 && digits.first() == Some(&b'0')
        };
        let width = if padded(first) || padded(last) { first.len().max(last.len()) } else { 0 };
        if let (Some(first), Some(last)) = (number(first), number(last)) {
            return Some(Sequence { first, last, step, letters: false, width });
        }
        match (first, last) {
            ([first], [last]) if first.is_ascii_alphabetic() && last.is_ascii_alphabetic() => {
                let (first, last) = (i64::from(*first), i64::from(*last));
                Some(Sequence { first, last, step, letters: true, width: 0 })
            }
            _ => None,
        }
    }

    fn expand_sequence(&mut self, pieces: Pieces, sequence: Sequence) -> Step {
        let Sequence { first, last, step, letters, width } = sequence;
        let count = first.abs_diff(last).checked_div(step.unsigned_abs()).ok_or(Stop::Limit)?;
        if count > MAX_SEQUENCE {
            let part = self.text.top();
            self.text.stack(UNKNOWN)?;
            self.read_alternative(pieces, part)?;
            self.finish_braces(pieces)?;
            self.add_flags(WordFlags::PARTIAL);
            return Ok(());
        }
        for nth in 0..=count {
            let away = i64::try_from(nth).unwrap_or(0).saturating_mul(step);
            let value =
                if first <= last { first.saturating_add(away) } else { first.saturating_sub(away) };
            let part = self.text.top();
            if letters {
                self.text.stack(u8::try_from(value).unwrap_or(UNKNOWN))?;
            } else {
                if value < 0 {
                    self.text.stack(b'-')?;
                }
                let digits = value.unsigned_abs().checked_ilog10().unwrap_or(0).saturating_add(1);
                let used = (digits as usize).saturating_add(usize::from(value < 0));
                for _ in used..width.min(MAX_WIDTH) {
                    self.text.stack(b'0')?;
                }
                self.stack_number(value.unsigned_abs())?;
            }
            self.read_alternative(pieces, part)?;
        }
        self.finish_braces(pieces)
    }
}

/// What stands before and behind the first `..`.
fn split(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = text.windows(2).position(|pair| pair == b"..")?;
    Some((text.get(..at)?, text.get(at.saturating_add(2)..)?))
}
