//! Simple commands: assignments, words, redirections, and what following them means.

use super::follow::Reader;
use super::lexer::{is_meta, is_name, is_name_start};
use super::limits::{Step, Stop};
use super::shell::{Pick, Shell};
use super::vars::kind;
use super::word::Mode;
use super::{Command, CommandFlags, RedirectOp, Run, Span, Via, Word, WordFlags};

/// A simple command is read with at most so many combinations of its variables' values.
const MAX_PICKS: u32 = 16;

/// Variables whose value programs run as shell text.
const CODE_VARIABLES: [&[u8]; 12] = [
    b"PAGER",
    b"MANPAGER",
    b"GIT_PAGER",
    b"EDITOR",
    b"VISUAL",
    b"GIT_EDITOR",
    b"GIT_SEQUENCE_EDITOR",
    b"GIT_SSH_COMMAND",
    b"GIT_EXTERNAL_DIFF",
    b"GIT_ASKPASS",
    b"BROWSER",
    b"PROMPT_COMMAND",
];

/// The pieces of a simple command while it is read.
struct Reading {
    index: usize,
    words: usize,
    redirects: usize,
    assignments: u32,
    vars: usize,
    command_vars: usize,
}

impl Shell<'_, '_> {
    /// A simple command, or the definition of a function.
    pub fn simple(&mut self) -> Step {
        let outer = core::mem::take(&mut self.pick);
        let (start, here) = (self.pos, self.here);
        let mut done = Ok(());
        for number in 0..MAX_PICKS {
            (self.pos, self.here) = (start, here);
            self.pick = Pick { number, total: 1 };
            let vars = self.vars.len();
            done = self.simple_once();
            if number > 0 {
                self.maybe_since(vars);
            }
            if done.is_err() || number.saturating_add(1) >= self.pick.total {
                break;
            }
        }
        self.pick = outer;
        done
    }

    fn simple_once(&mut self) -> Step {
        self.burn(8)?;
        let start = self.pos;
        let outer = self.place;
        let mut reading = Reading {
            index: self.begin_command()?,
            words: self.words.top(),
            redirects: self.redirects.top(),
            assignments: 0,
            vars: self.vars.len(),
            command_vars: 0,
        };
        self.place.parent = (reading.index as u32).saturating_add(1);
        self.place.via = Via::Substitution;
        let done = self.simple_parts(&mut reading);
        self.place = outer;
        if done == Ok(true) {
            let name = self.words.get(reading.words).unwrap_or_default();
            self.words.unstack(reading.words);
            self.commands.truncate(reading.index);
            return self.define(name.text);
        }
        if done == Err(Stop::Limit) {
            return Err(Stop::Limit);
        }
        self.keep_command(&reading)?;
        done?;
        if self.pos == start {
            self.commands.truncate(reading.index);
            return Err(self.unexpected());
        }
        if self.capture.tentative {
            self.blanks()?;
            let piped = self.peek() == Some(b'|') && self.peek_at(1) != Some(b'|');
            self.capture.on = piped;
        }
        if self.dry {
            return Ok(());
        }
        self.follow_simple(&reading)
    }

    /// Reads assignments, words and redirections; whether they turn out to define a function.
    fn simple_parts(&mut self, reading: &mut Reading) -> Step<bool> {
        loop {
            self.blanks()?;
            if self.redirect()? {
                continue;
            }
            let count = self.words.top().saturating_sub(reading.words) as u32;
            if count == reading.assignments && self.assignment()? {
                reading.assignments = reading.assignments.saturating_add(1);
                continue;
            }
            let word = self.peek().is_some_and(|byte| !is_meta(byte));
            if word && count == reading.assignments && count > 0 && reading.command_vars == 0 {
                // The assignments are for the command alone: its own words do not see them.
                reading.command_vars = self.vars.len();
                self.hide_vars(reading)?;
            }
            if self.declares(reading) && self.assignment()? {
                continue;
            }
            if !self.word(Mode::Args)? {
                break;
            }
            let first = count == 0 && reading.assignments == 0;
            if first && self.opens_function()? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Behind the first word: whether `()` follows. Goes behind it.
    fn opens_function(&mut self) -> Step<bool> {
        let (start, here) = (self.pos, self.here);
        self.blanks()?;
        if self.take(b"(") {
            self.blanks()?;
            if self.take(b")") {
                return Ok(true);
            }
            (self.pos, self.here) = (start, here);
            self.blanks()?;
            return Err(Stop::Syntax);
        }
        Ok(false)
    }

    /// Whether arguments are assignments: behind `export` and its like.
    fn declares(&self, reading: &Reading) -> bool {
        let at = reading.words.saturating_add(reading.assignments as usize);
        if at >= self.words.top() {
            return false;
        }
        let program = self.words.get(at).unwrap_or_default();
        matches!(
            self.bytes(program.text),
            b"export" | b"declare" | b"typeset" | b"local" | b"readonly"
        )
    }

    /// Moves what was read into the command.
    fn keep_command(&mut self, reading: &Reading) -> Step {
        let (first, count) = self.words.keep(reading.words)?;
        let (redirect, redirects) = self.redirects.keep(reading.redirects)?;
        let command = self.command_mut(reading.index)?;
        command.assignments = Run {
            first: first as u32,
            count: reading.assignments,
        };
        command.words = Run {
            first: (first as u32).saturating_add(reading.assignments),
            count: (count as u32).saturating_sub(reading.assignments),
        };
        command.redirects = Run {
            first: redirect as u32,
            count: redirects as u32,
        };
        if command.words.count == 0 {
            command.flags = command.flags.with(CommandFlags::BUILTIN);
        }
        Ok(())
    }

    fn follow_simple(&mut self, reading: &Reading) -> Step {
        let index = reading.index;
        let stdin = self.place.stdin;
        if let Some(data) = self.stdin_redirect(index)? {
            self.place.stdin = data;
        }
        let output = self.text.top();
        let taint = core::mem::take(&mut self.capture.taint);
        let diverted = self.stdout_redirect(index).is_some();
        let on = self.capture.on;
        self.capture.on |= diverted;
        self.note_surroundings(index)?;
        self.note_descriptors(index)?;
        self.follow_settings(index)?;
        for at in reading.vars..reading.command_vars {
            if let Some(entry) = self.vars.get(at) {
                self.set(entry.scope, entry.name, entry.value)?;
            }
        }
        let done = self.nested(|shell| shell.follow(index, Reader::Shell));
        self.place.stdin = stdin;
        if done.is_ok() {
            self.divert_output(index, output)?;
        }
        self.capture.on = on;
        self.capture.taint = self.capture.taint.with(taint);
        if !on {
            self.text.unstack(output);
        }
        self.hide_vars(reading)?;
        let words = self.commands.get(index).unwrap_or_default().words;
        if let Some(last) = self.arg(words, words.count.saturating_sub(1)) {
            self.state.last = last;
        }
        done
    }

    /// Here-documents on descriptors of their own can be read as files.
    fn note_descriptors(&mut self, index: usize) -> Step {
        let run = self.commands.get(index).unwrap_or_default().redirects;
        for step in 0..run.count {
            let redirect = self.redirects.get(run.first.saturating_add(step) as usize);
            let redirect = redirect.unwrap_or_default();
            let text = matches!(redirect.op, RedirectOp::HereDoc | RedirectOp::HereString);
            let (true, Ok(fd @ 3..)) = (text, u32::try_from(redirect.fd)) else {
                continue;
            };
            let top = self.text.top();
            self.stack_bytes(b"/dev/fd/")?;
            self.stack_number(u64::from(fd))?;
            let name = self.keep_text(top)?;
            self.set(kind::FILE, name, redirect.target)?;
        }
        Ok(())
    }

    /// Variables in front of a command whose value is shell text for whatever it starts.
    fn follow_settings(&mut self, index: usize) -> Step {
        let command = self.commands.get(index).unwrap_or_default();
        if command.words.count == 0 {
            return Ok(());
        }
        for nth in 0..command.assignments.count {
            let word = self.arg(command.assignments, nth).unwrap_or_default();
            let Some((name, value)) = self.assignment_parts(word) else {
                continue;
            };
            let text = CODE_VARIABLES.contains(&self.bytes(name));
            if text && value.text.len > 0 {
                self.run_value(index, value, Via::Shell)?;
            }
        }
        Ok(())
    }

    /// Undoes the assignments that stood before a command.
    fn hide_vars(&mut self, reading: &Reading) -> Step {
        for at in reading.vars..reading.command_vars {
            let Some(entry) = self.vars.get(at) else {
                break;
            };
            let name = self.bytes(entry.name);
            let before = (0..reading.vars)
                .rev()
                .filter_map(|at| self.vars.get(at))
                .find(|old| {
                    old.scope & kind::MASK == kind::VARIABLE && self.bytes(old.name) == name
                });
            let again = match before {
                Some(old) => (old.scope, old.value),
                None => (kind::UNSET | kind::HIDDEN, Word::default()),
            };
            self.set(again.0, entry.name, again.1)?;
        }
        Ok(())
    }

    /// Where the command runs and what it reads.
    pub fn note_surroundings(&mut self, index: usize) -> Step {
        let (state, stdin) = (self.state, self.place.stdin);
        let command = self.command_mut(index)?;
        if state.moved {
            command.cwd = state.dir;
            command.flags = command.flags.with(CommandFlags::CWD_CHANGED);
        }
        if stdin.taint.has(super::shell::Taint::SOME) {
            command.stdin = stdin.text;
            if stdin.taint.has(super::shell::Taint::UNKNOWN) {
                command.flags = command.flags.with(CommandFlags::STDIN_UNKNOWN);
            }
        }
        Ok(())
    }

    /// Reads `NAME=value`, `NAME+=value`, `NAME[…]=value` or `NAME=( … )` at the cursor, if there
    /// is one: stacks it as a word and sets the variable.
    fn assignment(&mut self) -> Step<bool> {
        let start = self.pos;
        if !self.peek().is_some_and(is_name_start) {
            return Ok(false);
        }
        let mut len = 1_usize;
        while self.peek_at(len).is_some_and(is_name) {
            len = len.saturating_add(1);
        }
        let name = Span {
            start: start as u32,
            len: len as u32,
        };
        let mut indexed = false;
        if self.peek_at(len) == Some(b'[') && self.is_bash() {
            let from = start.saturating_add(len).saturating_add(1);
            let Some(end) = self.scan(from, |byte| matches!(byte, b']' | b'\n'))? else {
                return Ok(false);
            };
            let end = end.saturating_add(1);
            let sets = self.byte(end) == Some(b'=')
                || (self.byte(end) == Some(b'+') && self.byte(end.saturating_add(1)) == Some(b'='));
            if !sets {
                return Ok(false);
            }
            indexed = true;
            self.pos = from;
            self.expression(end.saturating_sub(1))?;
            len = end.saturating_sub(start);
            self.pos = start;
        }
        let append = self.peek_at(len) == Some(b'+') && self.is_bash();
        if append {
            len = len.saturating_add(1);
        }
        if self.peek_at(len) != Some(b'=') {
            return Ok(false);
        }
        self.advance(len.saturating_add(1));
        self.assign(name, append, indexed)?;
        Ok(true)
    }

    /// Behind the `=` of an assignment to `name`.
    fn assign(&mut self, name: Span, append: bool, indexed: bool) -> Step {
        let value = if self.peek() == Some(b'(') && self.is_bash() {
            self.array(name, append)?
        } else {
            let mut value = self.assigned_value()?;
            if append {
                value = self.appended(name, value)?;
            }
            let whole = if indexed { self.unknown_word()? } else { value };
            self.set(kind::VARIABLE, name, whole)?;
            value
        };
        let top = self.text.top();
        self.stack_span(name)?;
        self.text.stack(b'=')?;
        self.stack_span(value.text)?;
        let text = self.keep_text(top)?;
        let flags = WordFlags(value.flags.0 & !WordFlags::DYNAMIC.0);
        self.words.stack(Word { text, flags })
    }

    fn assigned_value(&mut self) -> Step<Word> {
        let top = self.words.top();
        if !self.word(Mode::Assign)? {
            return Ok(Word::default());
        }
        let mut value = self.words.get(top).unwrap_or_default();
        self.words.unstack(top);
        value.flags = WordFlags(value.flags.0 & !WordFlags::GLOB.0);
        Ok(value)
    }

    /// What `name` holds, with `value` behind it.
    fn appended(&mut self, name: Span, value: Word) -> Step<Word> {
        let before = match self.value(name)? {
            super::vars::Value::Text(word) => word,
            super::vars::Value::Unset => Word::default(),
            _ => self.unknown_word()?,
        };
        let top = self.text.top();
        self.stack_span(before.text)?;
        self.stack_span(value.text)?;
        Ok(Word {
            text: self.keep_text(top)?,
            flags: before.flags.with(value.flags),
        })
    }

    /// `( … )` behind `NAME=`: sets the array; its words joined by blanks.
    fn array(&mut self, name: Span, append: bool) -> Step<Word> {
        self.advance(1);
        let top = self.words.top();
        if append && let super::vars::Value::List(list) = self.value(name)? {
            for step in 0..list.count {
                let at = list.first.saturating_add(step) as usize;
                self.words.stack(self.words.get(at).unwrap_or_default())?;
            }
        }
        loop {
            self.newlines()?;
            if self.take(b")") {
                break;
            }
            if !self.word(Mode::Args)? {
                return Err(self.unexpected());
            }
        }
        let (first, count) = self.words.keep(top)?;
        let list = Run {
            first: first as u32,
            count: count as u32,
        };
        let value = Word {
            text: Span {
                start: list.first,
                len: list.count,
            },
            flags: WordFlags::default(),
        };
        self.set(kind::ARRAY, name, value)?;
        self.joined(list)
    }

    /// The words of `list` joined by blanks.
    pub fn joined(&mut self, list: Run) -> Step<Word> {
        let top = self.text.top();
        let mut flags = WordFlags::default();
        for step in 0..list.count {
            let at = list.first.saturating_add(step) as usize;
            let word = self.words.get(at).unwrap_or_default();
            if step > 0 {
                self.text.stack(b' ')?;
            }
            self.stack_span(word.text)?;
            let kept = WordFlags::PARTIAL.0 | WordFlags::FETCHED.0 | WordFlags::DECODED.0;
            flags = flags.with(WordFlags(word.flags.0 & kept));
        }
        let text = self.keep_text(top)?;
        let unknown = |byte: &u8| matches!(*byte, super::UNKNOWN | b' ');
        if flags.has(WordFlags::PARTIAL) && self.bytes(text).iter().all(unknown) {
            flags = flags.with(WordFlags::DYNAMIC);
        }
        Ok(Word { text, flags })
    }

    /// Adds the command that `parent` runs, and follows it.
    pub fn child(&mut self, parent: usize, words: Run, via: Via) -> Step {
        self.child_as(parent, words, via, Reader::Kernel)
    }

    /// As [`Shell::child`], for a command that is looked up by `reader`.
    pub fn child_as(&mut self, parent: usize, words: Run, via: Via, reader: Reader) -> Step {
        if words.count == 0 {
            return Ok(());
        }
        let above = self.commands.get(parent).unwrap_or_default();
        let index = self.commands.push(Command {
            words,
            parent: (parent as u32).saturating_add(1),
            via,
            at: above.at,
            ..Command::default()
        })?;
        self.note_surroundings(index)?;
        self.nested(|shell| shell.follow(index, reader))
    }
}
