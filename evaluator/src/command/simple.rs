//! Simple commands: assignments, words, redirections, and what following them means.

use super::follow::Reader;
use super::lexer::is_meta;
use super::limits::{Step, Stop};
use super::shell::{Pick, Shell};
use super::vars::kind;
use super::word::Mode;
use super::{Command, CommandFlags, RedirectOp, Run, Via, Word};

/// A simple command is read with at most so many combinations of its variables' values.
const MAX_PICKS: u32 = 16;

/// Words beyond so many cost more in a command that another one runs: whoever judges the tree looks
/// at all of them again.
const MANY_WORDS: usize = 64;

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
        self.begin_steps()?;
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
        // Whether the program is one whose arguments are assignments, once it is read.
        let mut declares = None;
        loop {
            self.blanks()?;
            let count = self.words.top().saturating_sub(reading.words) as u32;
            // Nearly all that stands behind a program's name are words, and nothing in them is special.
            let is_behind = declares == Some(false);
            let plain = if is_behind { self.plain_word()? } else { None };
            if plain == Some(true) || self.redirect()? {
                continue;
            }
            if plain == Some(false) {
                break;
            }
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
            if count > reading.assignments
                && *declares.get_or_insert_with(|| self.declares(reading))
                && self.assignment()?
            {
                continue;
            }
            if self.is_zsh() && self.keyword(b"}").is_some() {
                break;
            }
            let there = match is_behind {
                true => self.special_word(Mode::Args, false)?,
                false => self.word(Mode::Args)?,
            };
            if !there {
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
        command.assignments = Run { first: first as u32, count: reading.assignments };
        command.words = Run {
            first: (first as u32).saturating_add(reading.assignments),
            count: (count as u32).saturating_sub(reading.assignments),
        };
        command.redirects = Run { first: redirect as u32, count: redirects as u32 };
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
                self.set(entry.scope | kind::EXPORTED, entry.name, entry.value)?;
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
            self.burn(2)?;
            let name = self.bytes(entry.name);
            let before = self.vars.older(entry).find(|(_, old)| {
                old.scope & kind::MASK == kind::VARIABLE && self.bytes(old.name) == name
            });
            let again = match before {
                // The one before stood before the same command.
                Some((at, _)) if at >= reading.vars => continue,
                Some((_, old)) => (old.scope, old.value),
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
        if stdin.taint.has(super::flow::Taint::SOME) {
            command.stdin = stdin.text;
            if stdin.taint.has(super::flow::Taint::UNKNOWN) {
                command.flags = command.flags.with(CommandFlags::STDIN_UNKNOWN);
            }
        }
        Ok(())
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
        // Each of its words is looked at once more: a chain of wrappers with many ends here.
        let many = (words.count as usize).saturating_sub(MANY_WORDS);
        self.burn((words.count as usize).saturating_mul(8))?;
        self.burn(many.saturating_mul(24))?;
        self.take_steps(64)?;
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
