//! Programs that build commands from what they read or find: `find -exec`, `xargs`, `parallel`.

use super::flow::{Data, Taint};
use super::follow::rest;
use super::limits::Step;
use super::shell::Shell;
use super::{Run, Span, UNKNOWN, Via, Word, WordFlags};

/// So many items (start directories, lines, arguments) get a command of their own.
pub(super) const MAX_ITEMS: u32 = 8;

impl Shell<'_, '_> {
    /// `find PATH… EXPRESSION`.
    pub fn run_find(&mut self, index: usize, words: Run) -> Step<bool> {
        let (starts, expression) = self.find_starts(words);
        let mut filtered = false;
        let mut found = false;
        let mut at = 0_u32;
        while let Some(word) = self.arg(expression, at) {
            at = at.saturating_add(1);
            let text = self.bytes(word.text);
            match text {
                b"-exec" | b"-execdir" | b"-ok" | b"-okdir" => {
                    let command = self.find_command(rest(expression, at));
                    at = at.saturating_add(command.count).saturating_add(1);
                    found = true;
                    self.for_each_start(index, starts, command, filtered)?;
                }
                b"-delete" => {
                    found = true;
                    self.find_delete(index, starts, filtered)?;
                }
                b"-depth" | b"-xdev" | b"-mount" | b"-print" | b"-print0" | b"-ls" | b"-o"
                | b"-a" | b"!" | b"-not" | b"-noleaf" | b"-warn" | b"-nowarn" | b"-follow"
                | b"-true" => {}
                b"-maxdepth" | b"-fprint" | b"-fls" | b"-printf" | b"-regextype" => {
                    at = at.saturating_add(1);
                }
                _ => filtered |= text.first() == Some(&b'-'),
            }
        }
        if !found {
            self.print_found(starts, filtered)?;
            return Ok(true);
        }
        Ok(true)
    }

    /// Start directories and expression.
    fn find_starts(&self, words: Run) -> (Run, Run) {
        let mut args = rest(words, 1);
        while let Some(word) = self.arg(args, 0) {
            match self.bytes(word.text) {
                b"-D" => args = rest(args, 2),
                b"-H" | b"-L" | b"-P" | b"-E" | b"-X" | b"-s" | b"-x" => args = rest(args, 1),
                [b'-', b'O', ..] => args = rest(args, 1),
                _ => break,
            }
        }
        let mut count = 0_u32;
        while let Some(word) = self.arg(args, count) {
            let text = self.bytes(word.text);
            if matches!(text.first(), Some(b'-' | b'(' | b'!')) {
                break;
            }
            count = count.saturating_add(1);
        }
        (Run { count, ..args }, rest(args, count))
    }

    /// The words up to `;` or `+`.
    fn find_command(&self, words: Run) -> Run {
        let mut count = 0_u32;
        while let Some(word) = self.arg(words, count) {
            let text = self.bytes(word.text);
            let before = self.arg(words, count.saturating_sub(1)).unwrap_or_default();
            let batch = text == b"+" && count > 0 && self.bytes(before.text) == b"{}";
            if text == b";" || batch {
                break;
            }
            count = count.saturating_add(1);
        }
        Run { count, ..words }
    }

    /// What `find` finds below `start`: that itself, or something below if tests choose.
    fn found_below(&mut self, start: Word, filtered: bool) -> Step<Word> {
        if !filtered {
            return Ok(start);
        }
        let top = self.text.top();
        self.stack_span(start.text)?;
        if self.bytes(start.text).last() != Some(&b'/') {
            self.text.stack(b'/')?;
        }
        self.text.stack(UNKNOWN)?;
        Ok(Word { text: self.keep_text(top)?, flags: start.flags.with(WordFlags::PARTIAL) })
    }

    fn start_at(&mut self, starts: Run, nth: u32) -> Step<Word> {
        match self.arg(starts, nth) {
            Some(word) => Ok(word),
            None => {
                let text = self.keep_bytes(b".")?;
                let flags = WordFlags::default();
                Ok(Word { text, flags })
            }
        }
    }

    fn for_each_start(&mut self, index: usize, starts: Run, command: Run, filtered: bool) -> Step {
        for nth in 0..starts.count.clamp(1, MAX_ITEMS) {
            let start = self.start_at(starts, nth)?;
            let item = self.found_below(start, filtered)?;
            let words = self.with_item(command, b"{}", item)?;
            self.child(index, words, Via::Batch)?;
        }
        Ok(())
    }

    fn find_delete(&mut self, index: usize, starts: Run, filtered: bool) -> Step {
        for nth in 0..starts.count.clamp(1, MAX_ITEMS) {
            let start = self.start_at(starts, nth)?;
            let item = self.found_below(start, filtered)?;
            let top = self.words.top();
            for text in [&b"rm"[..], b"-rf"] {
                let text = self.keep_bytes(text)?;
                let flags = WordFlags::default();
                self.words.stack(Word { text, flags })?;
            }
            self.words.stack(item)?;
            let words = self.keep_words(top)?;
            self.child(index, words, Via::Batch)?;
        }
        Ok(())
    }

    /// Keeps the words that are stacked from `top` on.
    pub fn keep_words(&mut self, top: usize) -> Step<Run> {
        let (first, count) = self.words.keep(top)?;
        Ok(Run { first: first as u32, count: count as u32 })
    }

    /// `find` without actions prints what it finds.
    fn print_found(&mut self, starts: Run, filtered: bool) -> Step {
        if !self.capture.on {
            return Ok(());
        }
        for nth in 0..starts.count.clamp(1, MAX_ITEMS) {
            let start = self.start_at(starts, nth)?;
            let item = self.found_below(start, filtered)?;
            let taint = Taint::of(item.flags);
            self.emit(Data { text: item.text, taint })?;
            self.text.stack(b'\n')?;
        }
        Ok(())
    }

    /// A copy of `command` in which `mark` is replaced by `item`.
    pub fn with_item(&mut self, command: Run, mark: &[u8], item: Word) -> Step<Run> {
        let top = self.words.top();
        for nth in 0..command.count {
            let word = self.arg(command, nth).unwrap_or_default();
            let word = self.replaced(word, mark, item)?;
            self.words.stack(word)?;
        }
        self.keep_words(top)
    }

    /// `word` with every `mark` replaced by `item`.
    pub fn replaced(&mut self, word: Word, mark: &[u8], item: Word) -> Step<Word> {
        self.burn(word.text.len as usize)?;
        let bytes = self.bytes(word.text);
        if mark.is_empty() || !bytes.windows(mark.len()).any(|part| part == mark) {
            return Ok(word);
        }
        let top = self.text.top();
        let mut at = 0_u32;
        while at < word.text.len {
            let start = word.text.start.saturating_add(at);
            let left = Span { start, len: word.text.len.saturating_sub(at) };
            if self.bytes(left).starts_with(mark) {
                self.stack_span(item.text)?;
                at = at.saturating_add(mark.len() as u32);
            } else {
                let byte = self.text.get(start as usize).unwrap_or(UNKNOWN);
                self.text.stack(byte)?;
                at = at.saturating_add(1);
            }
        }
        let whole = word.text.len as usize == mark.len();
        let mut flags = word.flags.with(item.flags);
        if !whole {
            flags = WordFlags(flags.0 & !WordFlags::DYNAMIC.0);
        }
        Ok(Word { text: self.keep_text(top)?, flags })
    }

    /// `fd … -x COMMAND …`.
    pub fn run_fd(&mut self, index: usize, words: Run) -> Step<bool> {
        for nth in 1..words.count {
            let word = self.arg(words, nth).unwrap_or_default();
            let exec = matches!(self.bytes(word.text), b"-x" | b"-X" | b"--exec" | b"--exec-batch");
            if !exec {
                continue;
            }
            let command = self.find_command(rest(words, nth.saturating_add(1)));
            let item = self.unknown_word()?;
            let marked = (0..command.count).any(|nth| {
                let word = self.arg(command, nth).unwrap_or_default();
                self.bytes(word.text).contains(&b'{')
            });
            let words = if marked {
                self.with_item(command, b"{}", item)?
            } else {
                let top = self.words.top();
                for nth in 0..command.count {
                    let word = self.arg(command, nth).unwrap_or_default();
                    self.words.stack(word)?;
                }
                self.words.stack(item)?;
                self.keep_words(top)?
            };
            self.child(index, words, Via::Batch)?;
            return Ok(true);
        }
        Ok(false)
    }
}
