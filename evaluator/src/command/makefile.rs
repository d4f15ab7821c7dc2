//! What `make` runs: the recipes of a makefile that is known here (standard input, or written
//! before), and `--eval`. One that lies on the disk is judged when its recipes run.

use super::flow::{Data, Taint};
use super::follow::rest;
use super::limits::Step;
use super::rules::tail;
use super::shell::Shell;
use super::vars::kind;
use super::{CommandFlags, Run, Span, UNKNOWN, Via, Word};

/// The files that `make` looks for by itself.
const NAMES: [&[u8]; 3] = [b"GNUmakefile", b"makefile", b"Makefile"];

impl Shell<'_, '_> {
    /// `make [-f FILE] [NAME=VALUE …] [TARGET …]`.
    pub fn run_make(&mut self, index: usize, words: Run) -> Step<bool> {
        let args = rest(words, 1);
        let (mut found, mut named) = (false, false);
        for nth in 0..args.count {
            let word = self.arg(args, nth).unwrap_or_default();
            let next = self.arg(args, nth.saturating_add(1));
            let text = self.bytes(word.text);
            if let Some(code) = attached(text, &[b"--eval="]) {
                let data = self.word_data(tail(word, code));
                self.makefile(index, data, Via::Shell)?;
                found = true;
                continue;
            }
            let file = match attached(text, &[b"--file=", b"--makefile=", b"-f"]) {
                Some(skip) if skip < text.len() => Some(tail(word, skip)),
                _ if matches!(text, b"-f" | b"--file" | b"--makefile") => next,
                _ => None,
            };
            if let Some(file) = file {
                named = true;
                found |= self.run_makefile(index, file)?;
            } else if let Some((name, value)) = self.assignment_parts(word) {
                self.set(kind::CODE, name, value)?;
            }
        }
        for name in NAMES.iter().filter(|_| !named) {
            let text = self.keep_bytes(name)?;
            let word = self.span_word(text);
            found |= self.run_makefile(index, word)?;
        }
        Ok(found)
    }

    fn word_data(&self, word: Word) -> Data {
        Data { text: word.text, taint: Taint::of(word.flags) }
    }

    /// Follows the makefile `file`, where its content is known; whether it is.
    fn run_makefile(&mut self, index: usize, file: Word) -> Step<bool> {
        if matches!(self.bytes(file.text), b"-" | b"/dev/stdin") {
            let data = self.place.stdin;
            if !data.taint.has(Taint::SOME) || data.text.len == 0 {
                return self.run_stdin(index, Via::Stdin);
            }
            self.makefile(index, data, Via::Stdin)?;
            return Ok(true);
        }
        let Some(data) = self.file_content(file) else {
            return Ok(false);
        };
        self.makefile(index, data, Via::Script)?;
        Ok(true)
    }

    /// Follows every recipe of a makefile, whatever target it belongs to.
    fn makefile(&mut self, index: usize, data: Data, via: Via) -> Step {
        if data.taint.has(Taint::FETCHED) {
            self.flag(index, CommandFlags::UNKNOWN_CODE.with(CommandFlags::FETCHED_CODE))?;
        }
        let stdin = core::mem::take(&mut self.place.stdin);
        let done = self.subshell(|shell| {
            let mut from = 0_u32;
            while let Some(line) = shell.make_line(data.text, &mut from) {
                shell.make_statement(index, line, via)?;
            }
            Ok(())
        });
        self.place.stdin = stdin;
        done
    }

    /// The next line, with those that a backslash continues it by; goes behind it.
    fn make_line(&self, text: Span, from: &mut u32) -> Option<Span> {
        let start = text.start.saturating_add(*from);
        let bytes = self.bytes(Span { start, len: text.len.saturating_sub(*from) });
        let ends = |at: &usize| {
            let before = at.checked_sub(1).and_then(|at| bytes.get(at));
            bytes.get(*at) == Some(&b'\n') && before != Some(&b'\\')
        };
        let len = (0..bytes.len()).find(ends).unwrap_or(bytes.len()) as u32;
        *from = from.saturating_add(len).saturating_add(1);
        (!bytes.is_empty()).then_some(Span { start, len })
    }

    /// A recipe, an assignment, or a rule with a recipe behind its `;`.
    fn make_statement(&mut self, index: usize, line: Span, via: Via) -> Step {
        self.burn((line.len as usize / 8).saturating_add(4))?;
        let bytes = self.bytes(line);
        if bytes.first() == Some(&b'\t') {
            return self.make_recipe(index, line, via);
        }
        if bytes.trim_ascii_start().first() == Some(&b'#') {
            return Ok(());
        }
        let equals = bytes.iter().position(|byte| *byte == b'=');
        let colon = bytes.iter().position(|byte| *byte == b':');
        let rule = colon.filter(|at| equals.is_none_or(|equals| at.saturating_add(2) < equals));
        let word = self.span_word(line);
        if let (Some(at), None) = (equals, rule) {
            let head = bytes.get(..at).unwrap_or(&[]);
            let runs = head.last() == Some(&b'!');
            let operator = |byte: &u8| matches!(byte, b':' | b'?' | b'+' | b'!' | b' ' | b'\t');
            let len =
                head.len().saturating_sub(head.iter().rev().take_while(|b| operator(b)).count());
            let name = Span { len: len as u32, ..line };
            let value = tail(word, at.saturating_add(1));
            let blank = self.bytes(value.text).iter().take_while(|b| b.is_ascii_whitespace());
            let value = tail(value, blank.count());
            let value = self.make_expanded(index, value.text, via)?;
            if runs {
                self.run_value(index, value, via)?;
            }
            return self.set(kind::CODE, name, value);
        }
        let recipe = bytes.iter().position(|byte| *byte == b';');
        if let (Some(_), Some(at)) = (rule, recipe) {
            let recipe = tail(word, at.saturating_add(1));
            return self.make_recipe(index, recipe.text, via);
        }
        self.make_expanded(index, line, via).map(|_| ())
    }

    /// A line of a recipe, without what tells `make` how to run it.
    fn make_recipe(&mut self, index: usize, line: Span, via: Via) -> Step {
        let prefix = |byte: &&u8| matches!(byte, b'\t' | b' ' | b'@' | b'-' | b'+');
        let skip = self.bytes(line).iter().take_while(prefix).count();
        let word = self.span_word(line);
        let code = self.make_expanded(index, tail(word, skip).text, via)?;
        if code.text.len == 0 {
            return Ok(());
        }
        self.run_value(index, code, via)
    }

    /// `text` with the variables that are known; every other `$…` is not known.
    fn make_expanded(&mut self, index: usize, text: Span, via: Via) -> Step<Word> {
        let top = self.text.top();
        let cursor = self.enter(text);
        let mut done = Ok(());
        while let (Ok(()), Some(byte)) = (done, self.peek()) {
            self.advance(1);
            done = if byte == b'$' {
                self.nested(|shell| shell.make_reference(index, via))
            } else {
                self.burn(1).and_then(|()| self.text.stack(byte))
            };
        }
        self.leave(cursor);
        done?;
        let text = self.keep_text(top)?;
        Ok(self.span_word(text))
    }

    /// Behind a `$`: `$$`, `$(NAME)`, `${NAME}`, `$(shell TEXT)`, `$@`.
    fn make_reference(&mut self, index: usize, via: Via) -> Step {
        let open = self.peek().unwrap_or(b' ');
        self.advance(1);
        let close = match open {
            b'$' => return self.text.stack(b'$'),
            b'(' => b')',
            b'{' => b'}',
            _ => return self.text.stack(UNKNOWN),
        };
        let start = self.pos;
        let mut depth = 1_u32;
        while let Some(byte) = self.peek() {
            if byte == open {
                depth = depth.saturating_add(1);
            } else if byte == close {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    break;
                }
            }
            self.advance(1);
        }
        let name = Span { start: start as u32, len: self.pos.saturating_sub(start) as u32 };
        self.advance(1);
        self.burn(name.len as usize / 8)?;
        if let Some(skip) = attached(self.bytes(name), &[b"shell "]) {
            let text = tail(self.span_word(name), skip).text;
            let code = self.make_expanded(index, text, via)?;
            self.run_value(index, code, via)?;
            return self.text.stack(UNKNOWN);
        }
        match self.find(kind::CODE, self.bytes(name)) {
            Some(entry) => self.stack_span(entry.value.text),
            None => self.text.stack(UNKNOWN),
        }
    }
}

/// How many bytes to skip where `text` starts with one of `starts`.
fn attached(text: &[u8], starts: &[&[u8]]) -> Option<usize> {
    starts.iter().find(|start| text.starts_with(start)).map(|start| start.len())
}
