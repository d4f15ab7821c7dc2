//! The grammar above simple commands: lists, and-or lists, pipelines (POSIX.1-2024 XCU 2.9, 2.10).
//!
//! A syntax error does not mean that nothing runs: shells execute line by line, and after some
//! errors go on. What stands before it is kept, what follows is looked at, and the outcome says so.

use super::flow::{Capture, Data, Taint};
use super::limits::{Step, Stop};
use super::shell::{Shell, State};
use super::{CommandFlags, Outcome, Via};

/// How much was found at some moment, to come back to it.
#[derive(Clone, Copy)]
pub(super) struct Mark {
    text: usize,
    words: usize,
    commands: usize,
    redirects: usize,
    vars: usize,
    state: State,
}

impl Mark {
    /// How many names there were.
    pub fn vars(&self) -> usize {
        self.vars
    }

    /// How many commands there were.
    pub fn commands(&self) -> usize {
        self.commands
    }

    /// What a subshell would have got.
    pub fn state(&self) -> State {
        self.state
    }
}

impl Shell<'_, '_> {
    /// Reads the text from the cursor to its end as commands.
    pub fn program(&mut self) -> Step {
        loop {
            let (place, capture, build) = (self.place, self.capture, self.build);
            let (dry, pick, depth) = (self.dry, self.pick, self.depth);
            let tops = (self.text.top(), self.words.top(), self.redirects.top());
            let mut done = self.list().map(|_| ());
            if done.is_ok() {
                if self.pos >= self.end {
                    return Ok(());
                }
                done = Err(Stop::Syntax);
            }
            if done == Err(Stop::Limit) {
                return done;
            }
            if self.outcome == Outcome::Complete {
                self.outcome = Outcome::Unparseable;
            }
            (self.place, self.capture, self.build) = (place, capture, build);
            (self.dry, self.pick, self.depth) = (dry, pick, depth);
            self.text.unstack(tops.0);
            self.words.unstack(tops.1);
            self.redirects.unstack(tops.2);
            if done == Err(Stop::Unterminated) || self.pos >= self.end {
                return Ok(());
            }
            self.advance(1);
            while self.peek().is_some_and(|byte| byte.is_ascii_lowercase()) {
                self.advance(1);
            }
            self.burn(16)?;
        }
    }

    /// Commands up to something that closes a construct, or the end. Whether there were any.
    pub fn list(&mut self) -> Step<bool> {
        self.nested(|shell| {
            let mut any = false;
            loop {
                shell.newlines()?;
                if shell.closes() {
                    return Ok(any);
                }
                any = true;
                shell.and_or()?;
                shell.blanks()?;
                match (shell.peek(), shell.peek_at(1)) {
                    (Some(b';'), Some(b';' | b'&')) => return Ok(any),
                    (Some(b';' | b'&'), _) => shell.advance(1),
                    (Some(b'\n'), _) => {}
                    _ => return Ok(any),
                }
            }
        })
    }

    /// Commands, of which there has to be one.
    pub fn some_list(&mut self) -> Step {
        if self.list()? { Ok(()) } else { Err(self.unexpected()) }
    }

    /// Whether something stands at the cursor that no command can start with.
    fn closes(&self) -> bool {
        let keyword = |words: &[&[u8]]| words.iter().any(|word| self.keyword(word).is_some());
        match self.peek() {
            None | Some(b')') => true,
            Some(b';') => matches!(self.peek_at(1), Some(b';' | b'&')),
            Some(b'}') => self.keyword(b"}").is_some(),
            Some(b'e') if self.is_zsh() && self.keyword(b"end").is_some() => true,
            Some(b'f') => keyword(&[b"fi"]),
            Some(b'd') => keyword(&[b"done", b"do"]),
            Some(b't') => keyword(&[b"then"]),
            Some(b'e') => keyword(&[b"else", b"elif", b"esac"]),
            _ => false,
        }
    }

    /// Pipelines joined by `&&` and `||`.
    pub fn and_or(&mut self) -> Step {
        let first = self.commands.len();
        let (mut uncertain, mut marked) = (None, 0);
        self.pipeline()?;
        loop {
            self.blanks()?;
            let otherwise = self.take(b"||");
            if !otherwise && !self.take(b"&&") {
                break;
            }
            let since = *uncertain.get_or_insert(self.vars.len());
            if otherwise {
                // What stands before the `||` need not have run to its end.
                self.maybe_since(since.max(marked));
                marked = self.vars.len();
            }
            self.newlines()?;
            if self.closes() {
                return Err(self.unexpected());
            }
            self.pipeline()?;
        }
        if let Some(since) = uncertain {
            self.maybe_since(since);
        }
        if self.peek() == Some(b'&') {
            self.repeats_itself(first);
        }
        Ok(())
    }

    /// Commands joined by `|`.
    fn pipeline(&mut self) -> Step {
        self.burn(4)?;
        if self.pipeline_prefix()? {
            return Ok(());
        }
        let first = self.commands.len();
        let (outer, stdin) = (self.capture, self.place.stdin);
        let (state, mut vars) = (self.state, self.vars.len());
        let mut elements = 0_u32;
        loop {
            self.take_steps(6)?;
            let start = self.text.top();
            let begin = self.commands.len();
            self.capture = Capture { on: true, tentative: !outer.on, taint: Taint::default() };
            self.command()?;
            elements = elements.saturating_add(1);
            self.blanks()?;
            let taint = self.capture.taint;
            if self.peek() != Some(b'|') || self.peek_at(1) == Some(b'|') {
                self.capture = outer;
                if outer.on {
                    self.capture.taint = outer.taint.with(taint);
                } else {
                    self.text.unstack(start);
                }
                break;
            }
            self.advance(1);
            self.take(b"&");
            let text = self.keep_text(start)?;
            let taint = taint.with(Taint::SOME);
            self.place.stdin = Data { text, taint };
            self.flows_on(begin);
            self.state = state;
            self.drop_vars(vars);
            // Only files are left, and these stay.
            vars = self.vars.len();
            self.newlines()?;
            while self.take_keyword(b"!") {
                self.blanks()?;
            }
            if self.closes() {
                return Err(self.unexpected());
            }
        }
        self.place.stdin = stdin;
        if elements > 1 {
            self.state = state;
            self.drop_vars(vars);
            self.repeats_itself(first);
        }
        Ok(())
    }

    /// `!` and `time`. Whether nothing follows them.
    fn pipeline_prefix(&mut self) -> Step<bool> {
        let mut any = false;
        loop {
            self.blanks()?;
            if self.take_keyword(b"!") {
                any = true;
            } else if self.is_bash() && self.keyword(b"time").is_some() {
                self.take_keyword(b"time");
                any = true;
                self.blanks()?;
                if self.take_keyword(b"-p") {
                    self.blanks()?;
                }
                self.take_keyword(b"--");
            } else {
                break;
            }
        }
        Ok(any && matches!(self.peek(), None | Some(b'\n' | b';' | b'&' | b')')))
    }

    /// Commands found since `begin` print into the next one that is found.
    fn flows_on(&mut self, begin: usize) {
        let next = self.commands.len();
        let into = (next as u32).saturating_add(1);
        for index in begin..next {
            let Some(command) = self.commands.get(index) else {
                return;
            };
            let parent = (command.parent as usize).checked_sub(1);
            let inner = parent.filter(|parent| *parent >= begin);
            let flows = match inner.and_then(|parent| self.commands.get(parent)) {
                Some(parent) => command.via != Via::Substitution && parent.pipes_into == into,
                None => true,
            };
            if flows
                && command.pipes_into == 0
                && let Some(command) = self.commands.get_mut(index)
            {
                command.pipes_into = into;
            }
        }
    }

    /// Commands found since `first` run beside each other: a function that calls itself among
    /// them multiplies.
    fn repeats_itself(&mut self, first: usize) {
        for index in first..self.commands.len() {
            if let Some(command) = self.commands.get_mut(index)
                && command.flags.has(CommandFlags::RECURSES)
            {
                command.flags = command.flags.with(CommandFlags::FORK_BOMB);
            }
        }
    }

    /// What was found so far.
    pub fn mark(&self) -> Mark {
        Mark {
            text: self.text.len(),
            words: self.words.len(),
            commands: self.commands.len(),
            redirects: self.redirects.len(),
            vars: self.vars.len(),
            state: self.state,
        }
    }

    /// Forgets what was found since `mark`, except for text if `keep_text`.
    pub fn forget(&mut self, mark: Mark, keep_text: bool) {
        if !keep_text {
            self.text.truncate(mark.text);
        }
        self.words.truncate(mark.words);
        self.commands.truncate(mark.commands);
        self.redirects.truncate(mark.redirects);
        self.vars.truncate(mark.vars);
        self.state = mark.state;
    }
}
