//! Command and process substitution (POSIX.1-2024 XCU 2.6.3): what is inside runs as a subshell, and
//! what it would print becomes a part of the word.

use super::flow::{Capture, Data, Taint};
use super::limits::{Step, Stop};
use super::shell::Shell;
use super::vars::kind;
use super::word::Mode;
use super::{Span, Via, WordFlags};

impl Shell<'_, '_> {
    /// `$( … )`, from its `$` on.
    pub fn substitution(&mut self, quoted: bool, mode: Mode) -> Step {
        self.advance(2);
        let data = self.captured(|shell| {
            shell.list()?;
            if !shell.take(b")") {
                return Err(shell.unexpected());
            }
            Ok(())
        })?;
        self.append_output(data, quoted, mode)
    }

    /// Runs `body` as a subshell and gives what it would print.
    pub fn captured(&mut self, body: impl FnOnce(&mut Self) -> Step) -> Step<Data> {
        self.nested(|shell| {
            let (place, capture, build) = (shell.place, shell.capture, shell.build);
            let pick = core::mem::take(&mut shell.pick);
            shell.place.via = Via::Substitution;
            shell.capture = Capture { on: true, ..Capture::default() };
            let start = shell.text.top();
            let done = shell.subshell(body);
            let taint = shell.capture.taint;
            (shell.place, shell.capture, shell.build) = (place, capture, build);
            shell.pick = pick;
            done?;
            let text = shell.keep_text(start)?;
            Ok(Data { text, taint })
        })
    }

    /// Adds captured output to the word, without the line ends at its end.
    pub fn append_output(&mut self, data: Data, quoted: bool, mode: Mode) -> Step {
        let bytes = self.bytes(data.text);
        let blank = bytes.iter().rev().take_while(|byte| **byte == b'\n').count();
        let text = Span { start: data.text.start, len: data.text.len.saturating_sub(blank as u32) };
        self.append(text, data.taint.word_flags(), quoted, mode)
    }

    /// `` `…` ``, from its opening on. Its text is another one: `\` is taken off first.
    pub fn backticks(&mut self, quoted: bool, mode: Mode) -> Step {
        self.advance(1);
        let start = self.text.top();
        loop {
            match self.peek() {
                None => return Err(Stop::Unterminated),
                Some(b'`') => break,
                Some(b'\\') => {
                    let next = self.peek_at(1);
                    let taken =
                        matches!(next, Some(b'`' | b'\\' | b'$')) || (quoted && next == Some(b'"'));
                    if !taken {
                        self.text.stack(b'\\')?;
                    }
                    if let Some(next) = next {
                        self.text.stack(next)?;
                    }
                    self.advance(2);
                }
                Some(byte) => {
                    self.text.stack(byte)?;
                    self.advance(1);
                }
            }
        }
        self.advance(1);
        self.burn(self.text.top().saturating_sub(start))?;
        let text = self.keep_text(start)?;
        let data = self.captured(|shell| {
            let place = shell.place;
            shell.read_text(text, place)
        })?;
        self.append_output(data, quoted, mode)
    }

    /// `<( … )` or `>( … )`: the word is the name of a file whose content may be known.
    pub fn process_substitution(&mut self, direction: u8) -> Step {
        self.advance(2);
        let stdin = self.place.stdin;
        let begin = self.commands.len();
        if direction == b'>' && !stdin.taint.has(Taint::SOME) {
            self.place.stdin.taint = Taint::SOME.with(Taint::UNKNOWN);
        }
        let data = self.captured(|shell| {
            shell.list()?;
            if !shell.take(b")") {
                return Err(shell.unexpected());
            }
            Ok(())
        });
        self.place.stdin = stdin;
        let data = data?;
        let name = self.text.top();
        self.stack_bytes(b"/dev/fd/")?;
        let digits = [self.next_fd / 10, self.next_fd % 10];
        for digit in digits {
            self.text.stack(b'0'.saturating_add(digit))?;
        }
        self.next_fd = self.next_fd.saturating_sub(1).max(10);
        let name = self.keep_text(name)?;
        if direction == b'<' {
            self.flows_up(begin);
            self.set(kind::FILE, name, self.data_word(data))?;
        }
        self.append(name, WordFlags::default(), true, Mode::One)
    }

    /// What was found since `begin` in `<( … )` prints into the command whose word this is.
    fn flows_up(&mut self, begin: usize) {
        let reader = self.place.parent;
        for index in begin..self.commands.len() {
            if let Some(command) = self.commands.get_mut(index)
                && command.via == Via::Substitution
                && command.parent == reader
                && command.pipes_into == 0
            {
                command.pipes_into = reader;
            }
        }
    }
}
