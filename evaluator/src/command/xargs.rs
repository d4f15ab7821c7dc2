//! `xargs` and `parallel`: commands built from what is read.

use super::batch::MAX_ITEMS;
use super::flow::{Data, Taint};
use super::follow::rest;
use super::limits::Step;
use super::shell::Shell;
use super::table::Wrapper;
use super::{Run, Span, UNKNOWN, Via, Word, WordFlags};

impl Shell<'_, '_> {
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
    pub fn replacement(&self, words: Run, command: Run) -> Option<Span> {
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
    pub fn xargs_lines(&mut self, index: usize, command: Run, mark: Span, stdin: Data) -> Step {
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
        let len = bytes.iter().position(|b| *b == b'\n').unwrap_or(bytes.len()) as u32;
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
    pub fn xargs_append(&mut self, index: usize, command: Run, stdin: Data) -> Step {
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
            let item = if given { self.arg(items, round) } else { self.line_at(stdin, &mut from) };
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

    pub fn parallel_once(&mut self, index: usize, command: Run, item: Word) -> Step {
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
}
