//! `xargs` and `parallel`: commands built from what is read.

use super::batch::MAX_ITEMS;
use super::flow::{Data, Taint};
use super::follow::rest;
use super::limits::Step;
use super::shell::Shell;
use super::table::Wrapper;
use super::{Run, Span, UNKNOWN, Via, Word, WordFlags};

/// What one command gets of what `xargs` reads.
#[derive(Clone, Copy)]
struct Items {
    /// So many items.
    each: u32,
    /// An item is a line of several words (`-L`).
    whole: bool,
    /// An item is one line, as it is (`-0`, `-d`).
    lines: bool,
}

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
            None => {
                let items = self.items(words, walk.rest);
                self.xargs_append(index, walk.rest, items, stdin)
            }
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

    /// How many items a command gets, and what separates them.
    fn items(&self, words: Run, command: Run) -> Items {
        let mut items = Items { each: u32::MAX, whole: false, lines: false };
        // Letters without a value, as they may stand before others.
        let zeros = |text: &[u8]| {
            let known = |letter: &&u8| matches!(letter, b'0' | b'r' | b't' | b'p' | b'x' | b'o');
            let dashed = text.first() == Some(&b'-');
            dashed && text.iter().skip(1).take_while(known).any(|letter| *letter == b'0')
        };
        let options = command.first.saturating_sub(words.first);
        for nth in 1..options {
            let word = self.arg(words, nth).unwrap_or_default();
            let next = self.arg(words, nth.saturating_add(1)).unwrap_or_default();
            let next = self.bytes(next.text);
            let text = self.bytes(word.text);
            items.lines |= matches!(text, b"--null" | b"-d" | b"--delimiter")
                || text.starts_with(b"-d")
                || text.starts_with(b"--delimiter=")
                || zeros(text);
            let attached = |start: &[u8]| text.strip_prefix(start).filter(|v| !v.is_empty());
            let (value, whole) = match text {
                b"-n" | b"--max-args" => (Some(next), false),
                b"-L" | b"-l" | b"--max-lines" => (Some(next), true),
                _ if text.starts_with(b"--max-args=") => (attached(b"--max-args="), false),
                _ if text.starts_with(b"-n") => (attached(b"-n"), false),
                _ if text.starts_with(b"-L") => (attached(b"-L"), true),
                _ => continue,
            };
            let number = value.and_then(super::pattern::number);
            if let Some(number) = number.and_then(|number| u32::try_from(number).ok()) {
                items.each = number.max(1);
                items.whole = whole;
            }
        }
        items
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

    /// The command with everything that is read behind it, `-n` or `-L` items at a time.
    fn xargs_append(&mut self, index: usize, command: Run, items: Items, stdin: Data) -> Step {
        // Items that end with NUL come from `find` as lines. In other text the NULs are lost: it is
        // one item, or some that are not known.
        let text = self.bytes(stdin.text);
        let split = text.iter().any(|byte| matches!(*byte, b'\n' | UNKNOWN));
        if items.lines && !split && !text.is_empty() {
            self.xargs_append(index, command, Items { lines: false, ..items }, Data::default())?;
        }
        let mut from = 0_u32;
        for round in 0..MAX_ITEMS {
            let top = self.words.top();
            for nth in 0..command.count {
                let word = self.arg(command, nth).unwrap_or_default();
                self.words.stack(word)?;
            }
            let before = self.words.top();
            // What is left in the last round comes in one piece.
            let last = round.saturating_add(1) == MAX_ITEMS;
            let each = if last { u32::MAX } else { items.each };
            self.xargs_items(Items { each, ..items }, stdin, &mut from)?;
            if self.words.top() == before {
                if round > 0 {
                    self.words.unstack(top);
                    break;
                }
                let mut word = self.unknown_word()?;
                word.flags = word.flags.with(WordFlags::SPLITS);
                self.words.stack(word)?;
            }
            let words = self.keep_words(top)?;
            self.child(index, words, Via::Batch)?;
        }
        Ok(())
    }

    /// Stacks the next items of what flows; goes behind them.
    fn xargs_items(&mut self, items: Items, stdin: Data, from: &mut u32) -> Step {
        if !stdin.taint.has(Taint::SOME) {
            return Ok(());
        }
        for _ in 0..items.each {
            if items.lines || items.whole {
                let Some(line) = self.line_at(stdin, from) else {
                    return Ok(());
                };
                if items.lines {
                    self.words.stack(line)?;
                    continue;
                }
                let mut start = 0;
                let data = Data { text: line.text, ..stdin };
                while self.xargs_word(data, &mut start)? {}
            } else if !self.xargs_word(stdin, from)? {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Stacks the next word of what flows, without its quotes and backslashes. Whether there was
    /// one.
    fn xargs_word(&mut self, data: Data, from: &mut u32) -> Step<bool> {
        let build = core::mem::take(&mut self.build);
        self.begin_word();
        let top = self.build.start;
        let cursor = self.enter(super::rules::tail(self.data_word(data), *from as usize).text);
        let mut quote = None;
        let mut done = Ok(());
        while let (Ok(()), Some(byte)) = (done, self.peek()) {
            self.advance(1);
            match (byte, quote) {
                (UNKNOWN, _) => done = self.put_unknown(quote.is_none()),
                (b' ' | b'\t' | b'\n', None) if self.build.some => break,
                (b' ' | b'\t' | b'\n', None) => {}
                (b'"' | b'\'', None) => (quote, self.build.some) = (Some(byte), true),
                (_, Some(open)) if open == byte => quote = None,
                (b'\\', None) => {
                    if let Some(next) = self.peek() {
                        self.advance(1);
                        done = self.put(next);
                    }
                }
                _ => done = self.put(byte),
            }
        }
        *from = (self.pos as u32).saturating_sub(data.text.start);
        self.leave(cursor);
        let some = self.build.some;
        self.add_flags(data.taint.word_flags());
        let done = done.and_then(|()| self.end_word());
        self.text.unstack(top);
        self.build = build;
        done.map(|()| some)
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
