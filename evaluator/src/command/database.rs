//! Database clients: the files that they read statements from, and their ways to a shell. The
//! statements themselves are no commands; what they do is looked at where rules are (`crate::sql`),
//! in arguments and in what flows in.

use super::limits::Step;
use super::rules::tail;
use super::shell::Shell;
use super::{Run, Span, Via, Word, WordFlags};

/// So many files are read for one command.
const MAX_FILES: usize = 4;

/// Options whose value names a file of statements.
const FILE_OPTIONS: [&[u8]; 6] =
    [b"-init", b"--file", b"--queries-file", b"--input-file", b"-f", b"-i"];

/// Starts of lines that read a file of statements.
const INCLUDES: [&[u8]; 8] =
    [b"\\ir ", b"\\i ", b"\\include ", b"\\. ", b"source ", b".read ", b":r ", b"@"];

/// Starts of lines that run a shell's text.
const ESCAPES: [&[u8]; 7] =
    [b"\\! ", b"\\!", b".shell ", b".system ", b"system ", b"!! ", b"HOST "];

impl Shell<'_, '_> {
    /// `psql -f FILE -c '\! TEXT'`: texts for a shell are followed, and the content of files, as
    /// far as it is known, is what the command reads.
    pub fn run_sql(&mut self, index: usize, words: Run) -> Step<bool> {
        let mut files = [Word::default(); MAX_FILES];
        let mut count = 0_usize;
        let mut found = false;
        let stdin = self.data_word(self.place.stdin);
        for nth in 1..=words.count {
            let word = self.arg(words, nth).unwrap_or(stdin);
            found |= self.sql_escapes(index, word)?;
            let next = self.arg(words, nth.saturating_add(1));
            for file in [self.option_file(word, next), self.included(word)].into_iter().flatten() {
                if let Some(slot) = files.get_mut(count) {
                    *slot = file;
                    count = count.saturating_add(1);
                }
            }
        }
        for file in files.iter().take(count) {
            self.read_statements(index, *file)?;
        }
        Ok(found)
    }

    /// The file that the option `word` names, in itself or in the word behind.
    fn option_file(&self, word: Word, next: Option<Word>) -> Option<Word> {
        let text = self.bytes(word.text);
        FILE_OPTIONS.iter().find_map(|option| {
            let rest = text.strip_prefix(*option)?;
            match rest {
                [] => next,
                [b'=', ..] => Some(tail(word, option.len().saturating_add(1))),
                _ if option.len() == 2 => Some(tail(word, option.len())),
                _ => None,
            }
        })
    }

    /// The file that a line of `text` reads.
    fn included(&self, text: Word) -> Option<Word> {
        let mut from = 0_u32;
        while let Some((line, skip)) = self.line_starting(text, &mut from, &INCLUDES) {
            if let Some(skip) = skip {
                let file = tail(line, skip);
                let bytes = self.bytes(file.text).trim_ascii_end();
                let len = bytes.strip_suffix(b";").unwrap_or(bytes).len() as u32;
                let span = Span { len, ..file.text };
                return (len > 0).then_some(Word { text: span, ..file });
            }
        }
        None
    }

    /// What the file holds is read by the command, behind what it reads anyway.
    fn read_statements(&mut self, index: usize, file: Word) -> Step {
        if file.flags.has(WordFlags::PARTIAL) || file.text.len == 0 {
            return Ok(());
        }
        let text = match self.file_content(file) {
            Some(data) => Some(data.text),
            None => match self.resolved(file.text)? {
                Some(path) => self.read_file(path)?,
                None => None,
            },
        };
        let Some(text) = text else {
            return Ok(());
        };
        let before = self.commands.get(index).unwrap_or_default().stdin;
        if before.len == 0 {
            self.command_mut(index)?.stdin = text;
            return Ok(());
        }
        // A long file is no reason to ask: what it joins is what counts then.
        if (text.len.saturating_add(before.len)) > self.fuel / 4 {
            return Ok(());
        }
        let top = self.text.top();
        self.stack_span(before)?;
        self.text.stack(b'\n')?;
        self.stack_span(text)?;
        let whole = self.keep_text(top)?;
        self.command_mut(index)?.stdin = whole;
        Ok(())
    }

    /// Lines that leave for a shell; whether there are any.
    fn sql_escapes(&mut self, index: usize, text: Word) -> Step<bool> {
        let mut found = false;
        let mut from = 0_u32;
        while let Some((line, skip)) = self.line_starting(text, &mut from, &ESCAPES) {
            if let Some(skip) = skip {
                found = true;
                self.run_value(index, tail(line, skip), Via::Shell)?;
            }
        }
        Ok(found)
    }

    /// The next line of `text`, without the blanks before it, and the length of the start that it
    /// has of `starts`; goes behind the line.
    fn line_starting(
        &self,
        text: Word,
        from: &mut u32,
        starts: &[&[u8]],
    ) -> Option<(Word, Option<usize>)> {
        let left = tail(text, *from as usize);
        let bytes = self.bytes(left.text);
        if bytes.is_empty() {
            return None;
        }
        let len = bytes.iter().position(|byte| *byte == b'\n').unwrap_or(bytes.len());
        *from = from.saturating_add(len as u32).saturating_add(1);
        let line = bytes.get(..len).unwrap_or(&[]);
        let blank = line.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
        let line = line.get(blank..).unwrap_or(&[]);
        let skip = starts.iter().find(|start| line.starts_with(start)).map(|start| start.len());
        let mut word = tail(left, blank);
        word.text.len = line.len() as u32;
        Some((word, skip))
    }
}
