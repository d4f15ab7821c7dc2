//! Programs that build commands from what they read or find: `find -exec`, `xargs`, `parallel`.

use super::follow::rest;
use super::limits::Step;
use super::shell::{Data, Shell, Taint};
use super::table::Wrapper;
use super::{Run, Span, UNKNOWN, Via, Word, WordFlags};

/// So many items (start directories, lines, arguments) get a command of their own.
const MAX_ITEMS: u32 = 8;

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
        Ok(Word {
            text: self.keep_text(top)?,
            flags: start.flags.with(WordFlags::PARTIAL),
        })
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
        Ok(Run {
            first: first as u32,
            count: count as u32,
        })
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
            self.emit(Data {
                text: item.text,
                taint,
            })?;
            self.text.stack(b'\n')?;
        }
        Ok(())
    }

    /// A copy of `command` in which `mark` is replaced by `item`.
    fn with_item(&mut self, command: Run, mark: &[u8], item: Word) -> Step<Run> {
        let top = self.words.top();
        for nth in 0..command.count {
            let word = self.arg(command, nth).unwrap_or_default();
            let word = self.replaced(word, mark, item)?;
            self.words.stack(word)?;
        }
        self.keep_words(top)
    }

    /// `word` with every `mark` replaced by `item`.
    fn replaced(&mut self, word: Word, mark: &[u8], item: Word) -> Step<Word> {
        self.burn(word.text.len as usize)?;
        let bytes = self.bytes(word.text);
        if mark.is_empty() || !bytes.windows(mark.len()).any(|part| part == mark) {
            return Ok(word);
        }
        let top = self.text.top();
        let mut at = 0_u32;
        while at < word.text.len {
            let start = word.text.start.saturating_add(at);
            let left = Span {
                start,
                len: word.text.len.saturating_sub(at),
            };
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
        Ok(Word {
            text: self.keep_text(top)?,
            flags,
        })
    }

    /// `xargs [options] COMMAND …`.
    pub fn run_xargs(&mut self, index: usize, wrapper: Wrapper, words: Run) -> Step<bool> {
        let walk = self.walk(index, wrapper, words)?;
        if walk.rest.count == 0 {
            // It prints its input, as `echo` would.
            self.emit(self.place.stdin)?;
            return Ok(true);
        }
        let stdin = core::mem::take(&mut self.place.stdin);
        let done = match self.replacement(words, walk.rest) {
            Some(mark) => self.xargs_lines(index, walk.rest, mark, stdin),
            None => self.xargs_append(index, walk.rest, stdin),
        };
        self.place.stdin = stdin;
        done?;
        Ok(true)
    }

    /// What `-I`, `-i`, `-J` or `--replace` names.
    fn replacement(&self, words: Run, command: Run) -> Option<Span> {
        let options = command.first.saturating_sub(words.first);
        for nth in 1..options {
            let word = self.arg(words, nth)?;
            let text = self.bytes(word.text);
            let len = text.len() as u32;
            let tail = |skip: u32| Span {
                start: word.text.start.saturating_add(skip),
                len: len.saturating_sub(skip),
            };
            match text {
                b"-I" | b"-J" => return self.arg(words, nth.saturating_add(1)).map(|w| w.text),
                [b'-', b'I' | b'J', ..] => return Some(tail(2)),
                b"-i" | b"--replace" => return Some(Span::default()),
                [b'-', b'i', ..] => return Some(tail(2)),
                _ if text.starts_with(b"--replace=") => return Some(tail(10)),
                // `-0I{}`, `-rI {}`: in a cluster.
                [b'-', first, ..] if *first != b'-' => {
                    let at = text.iter().position(|letter| *letter == b'I');
                    if let Some(at) = at {
                        let skip = at.saturating_add(1) as u32;
                        if skip < len {
                            return Some(tail(skip));
                        }
                        return self.arg(words, nth.saturating_add(1)).map(|w| w.text);
                    }
                }
                _ => {}
            }
        }
        None
    }

    /// One command for every line, with the line in place of the mark.
    fn xargs_lines(&mut self, index: usize, command: Run, mark: Span, stdin: Data) -> Step {
        let mut buffer = [0_u8; 16];
        let bytes = self.bytes(mark);
        let mut len = bytes.len().min(buffer.len());
        for (to, from) in buffer.iter_mut().zip(bytes) {
            *to = *from;
        }
        if len == 0 {
            buffer = *b"{}\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
            len = 2;
        }
        let mark = buffer.get(..len).unwrap_or(b"{}");
        let mut from = 0_u32;
        for round in 0..MAX_ITEMS {
            let item = match self.line_at(stdin, &mut from) {
                Some(item) => item,
                None if round == 0 => self.unknown_word()?,
                None => break,
            };
            let words = self.with_item(command, mark, item)?;
            self.child(index, words, Via::Batch)?;
        }
        Ok(())
    }

    /// The next line of what flows; goes behind it.
    pub fn line_at(&self, data: Data, from: &mut u32) -> Option<Word> {
        let left = Span {
            start: data.text.start.saturating_add(*from),
            len: data.text.len.saturating_sub(*from),
        };
        let bytes = self.bytes(left);
        if bytes.is_empty() || !data.taint.has(Taint::SOME) {
            return None;
        }
        let len = bytes
            .iter()
            .position(|b| *b == b'\n')
            .unwrap_or(bytes.len()) as u32;
        *from = from.saturating_add(len).saturating_add(1);
        let mut word = self.span_word(Span { len, ..left });
        word.flags = word.flags.with(data.taint.word_flags());
        Some(word)
    }

    /// A word that holds `text`.
    pub fn span_word(&self, text: Span) -> Word {
        let bytes = self.bytes(text);
        let mut flags = WordFlags::default();
        if bytes.contains(&UNKNOWN) {
            flags = flags.with(WordFlags::PARTIAL);
            if bytes.iter().all(|byte| *byte == UNKNOWN) {
                flags = flags.with(WordFlags::DYNAMIC);
            }
        }
        Word { text, flags }
    }

    /// The command with everything that is read behind it.
    fn xargs_append(&mut self, index: usize, command: Run, stdin: Data) -> Step {
        let top = self.words.top();
        for nth in 0..command.count {
            let word = self.arg(command, nth).unwrap_or_default();
            self.words.stack(word)?;
        }
        let before = self.words.top();
        if stdin.taint.has(Taint::SOME) && stdin.text.len > 0 {
            let build = core::mem::take(&mut self.build);
            self.begin_word();
            let mode = super::word::Mode::Args;
            let done = self.append(stdin.text, stdin.taint.word_flags(), false, mode);
            let done = done.and_then(|()| self.end_word());
            self.build = build;
            done?;
        }
        if self.words.top() == before {
            let mut word = self.unknown_word()?;
            word.flags = word.flags.with(WordFlags::SPLITS);
            self.words.stack(word)?;
        }
        let words = self.keep_words(top)?;
        self.child(index, words, Via::Batch)
    }

    /// `parallel [options] COMMAND … [::: ARG …]`.
    pub fn run_parallel(&mut self, index: usize, wrapper: Wrapper, words: Run) -> Step<bool> {
        let walk = self.walk(index, wrapper, words)?;
        let mut count = 0_u32;
        while let Some(word) = self.arg(walk.rest, count) {
            if self.bytes(word.text).starts_with(b":::") {
                break;
            }
            count = count.saturating_add(1);
        }
        let command = Run { count, ..walk.rest };
        let items = rest(walk.rest, count.saturating_add(1));
        let given = count < walk.rest.count;
        let stdin = core::mem::take(&mut self.place.stdin);
        let mut done = Ok(());
        let mut from = 0_u32;
        for round in 0..MAX_ITEMS {
            let item = if given {
                self.arg(items, round)
            } else {
                self.line_at(stdin, &mut from)
            };
            let item = match item {
                Some(item) => item,
                None if round == 0 => self.unknown_word()?,
                None => break,
            };
            done = self.parallel_once(index, command, item);
            if done.is_err() {
                break;
            }
        }
        self.place.stdin = stdin;
        done?;
        Ok(true)
    }

    fn parallel_once(&mut self, index: usize, command: Run, item: Word) -> Step {
        if command.count == 0 {
            return self.run_value(index, item, Via::Batch);
        }
        let text = self.joined(command)?;
        let marked = self.bytes(text.text).windows(2).any(|part| part == b"{}");
        let mut code = self.replaced(text, b"{}", item)?;
        if !marked {
            let top = self.text.top();
            self.stack_span(text.text)?;
            self.text.stack(b' ')?;
            self.stack_span(item.text)?;
            code = Word {
                text: self.keep_text(top)?,
                flags: WordFlags(text.flags.with(item.flags).0 & !WordFlags::DYNAMIC.0),
            };
        }
        self.run_value(index, code, Via::Batch)
    }

    /// `fd … -x COMMAND …`.
    pub fn run_fd(&mut self, index: usize, words: Run) -> Step<bool> {
        for nth in 1..words.count {
            let word = self.arg(words, nth).unwrap_or_default();
            let exec = matches!(
                self.bytes(word.text),
                b"-x" | b"-X" | b"--exec" | b"--exec-batch"
            );
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
