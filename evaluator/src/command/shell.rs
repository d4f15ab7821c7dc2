//! The state of understanding: an abstract shell that reads text as a shell does and notes what
//! it would run instead of running it.
//!
//! There is no syntax tree. Text is parsed and followed in one pass: words come out as values, a
//! command that runs others (`sudo`, `sh -c`, a function) is followed at once, and bodies that run
//! more than once (loops, functions) are remembered as pieces of text and read again.

use super::WordFlags;
use super::arena::Store;
use super::code::Mention;
use super::flow::{Capture, Data};
use super::limits::{FUEL, MAX_DEPTH, STEPS, Step, Stop};
use super::names::Names;
use super::vars::Chosen;
use super::word::Building;
use super::{Command, CommandFlags, Outcome, Parts, Redirect, Run, Span, Tree, Via, Word};
use crate::path::file_name;
use crate::request::{Argv, Call, Cwd, Env};
use crate::{Request, World};

/// See the module.
pub(super) struct Shell<'r, 's> {
    pub text: Store<'s, u8>,
    pub words: Store<'s, Word>,
    pub commands: Store<'s, Command>,
    pub redirects: Store<'s, Redirect>,
    pub vars: Names<'s>,
    pub outcome: Outcome,
    /// As in the tree.
    pub is_cut: bool,
    pub world: &'r dyn World,
    pub env: &'r dyn Env,
    pub cwd: Cwd<'r>,
    /// The next byte to read, an index into `text`.
    pub pos: usize,
    /// Where the text that is being read ends.
    pub end: usize,
    /// Behind the bodies of the here-documents that were opened on this line; 0 if none were.
    pub here: usize,
    pub fuel: u32,
    /// The fuel that there was.
    pub granted: u32,
    /// Steps of grammar that may still be taken on what was not read before.
    pub steps: u32,
    /// Where the part of the call's own text begins that was not read before, an index into `text`.
    pub farthest: usize,
    /// Where the call's own text ends.
    pub own_text: usize,
    pub depth: u32,
    pub place: Place,
    pub state: State,
    pub capture: Capture,
    pub build: Building,
    pub pick: Pick,
    /// Reads without following: to find where a body ends.
    pub dry: bool,
    /// Length of the request's own shell text, which lies at the start of `text`.
    pub root_len: usize,
    /// Number of the next process substitution, counted down as bash does.
    pub next_fd: u8,
    /// Bodies of the functions that are being followed.
    pub active: [u32; 8],
    pub active_len: usize,
    /// The values of the variable that was last asked for.
    pub chosen: Chosen,
    /// What is known of the code that is being read.
    pub mentions: [Mention; 8],
    pub next_mention: u8,
}

/// Where commands that are found now belong.
#[derive(Clone, Copy)]
pub(super) struct Place {
    /// Index + 1 of the parent command.
    pub parent: u32,
    pub via: Via,
    /// What they read on standard input.
    pub stdin: Data,
    /// The dialect of the shell that reads the text.
    pub dialect: Dialect,
}

/// What a subshell gets a copy of.
#[derive(Clone, Copy, Default)]
pub(super) struct State {
    /// Known working directory, absolute; empty if not known or not changed.
    pub dir: Span,
    /// Whether `dir`, rather than the request's directory, holds.
    pub moved: bool,
    /// The positional parameters.
    pub args: Run,
    /// They may have been shifted or set since.
    pub args_unknown: bool,
    /// `$0`.
    pub arg0: Span,
    /// `$_`: the last word of the command before.
    pub last: Word,
    /// Variables before this one are seen only if they were exported: the process is a new one.
    pub own_vars: u32,
    /// zsh was told to split the values of variables.
    pub zsh_splits: bool,
    /// `set -a`: every variable is exported.
    pub exports_all: bool,
}

/// Which of several possible values of its variables a simple command is read with.
#[derive(Clone, Copy, Default)]
pub(super) struct Pick {
    /// Number of the combination.
    pub number: u32,
    /// How many combinations there are, as far as was seen.
    pub total: u32,
}

/// Which shell reads a text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Dialect {
    /// bash, and what is near enough: ksh, mksh.
    #[default]
    Bash,
    /// zsh: what bash knows, and forms of its own.
    Zsh,
    /// dash, busybox ash, POSIX `sh`.
    Posix,
}

impl Dialect {
    /// That of the shell called `name`.
    pub fn of(name: &[u8]) -> Self {
        match name {
            b"dash" | b"ash" | b"yash" | b"posh" => Self::Posix,
            b"zsh" => Self::Zsh,
            _ => Self::Bash,
        }
    }
}

/// What is put back after something was read elsewhere.
#[derive(Clone, Copy)]
pub(super) struct Cursor {
    pos: usize,
    end: usize,
    here: usize,
}

impl<'r, 's> Shell<'r, 's> {
    /// An abstract shell that works in `scratch`.
    pub fn new(request: &Request<'r>, world: &'r dyn World, scratch: Parts<'s>) -> Self {
        Self {
            text: Store::new(scratch.text, 4),
            words: Store::new(scratch.words, 3),
            commands: Store::new(scratch.commands, 0),
            redirects: Store::new(scratch.redirects, 2),
            vars: Names::new(scratch.vars),
            outcome: Outcome::Complete,
            is_cut: false,
            world,
            env: request.env,
            cwd: request.cwd,
            pos: 0,
            end: 0,
            here: 0,
            fuel: FUEL.base,
            granted: FUEL.base,
            steps: STEPS.base / 8,
            farthest: 0,
            own_text: 0,
            depth: 0,
            place: Place {
                parent: 0,
                via: Via::Call,
                stdin: Data::default(),
                dialect: Dialect::Bash,
            },
            state: State::default(),
            capture: Capture::default(),
            build: Building::default(),
            pick: Pick::default(),
            dry: false,
            root_len: 0,
            next_fd: 63,
            active: [0; 8],
            active_len: 0,
            chosen: Chosen::default(),
            mentions: [Mention::default(); 8],
            next_mention: 0,
        }
    }

    /// Understands `request`; the tree and the unused text.
    pub fn understand(mut self, request: &Request<'r>) -> (Tree<'s>, &'s mut [u8]) {
        let done = match request.call {
            Call::Exec { file, argv } => self.call(file, argv, request),
            Call::Shell(text) => self.root(text),
            Call::Operation { program, .. } => self.program_alone(program),
            Call::Nothing => Ok(()),
        };
        if done == Err(Stop::Limit) {
            self.outcome = Outcome::TooComplex;
        }
        self.finish();
        let (text, rest) = self.text.into_parts();
        let tree = Tree {
            text,
            words: self.words.into_parts().0,
            commands: self.commands.into_parts().0,
            redirects: self.redirects.into_parts().0,
            outcome: self.outcome,
            is_cut: self.is_cut,
            work: u64::from(self.granted.saturating_sub(self.fuel)),
        };
        (tree, rest)
    }

    /// What only the whole tree says of its commands, in one pass. A pipe at the end of the text
    /// leads nowhere.
    fn finish(&mut self) {
        let len = self.commands.len();
        for index in 0..len {
            let Some(command) = self.commands.get(index) else {
                return;
            };
            let mut inside = 1_u16.checked_shl(command.via as u32).unwrap_or(0);
            if command.via == Via::Call {
                inside = 0;
            }
            let parent = (command.parent as usize).checked_sub(1);
            if let Some(parent) = parent.and_then(|parent| self.commands.get_mut(parent)) {
                inside |= parent.inside;
                let plain = CommandFlags::RUNS_PLAIN;
                parent.flags = match command.via {
                    Via::Wrapper => parent.flags.with(plain),
                    Via::Shell => parent.flags.with(plain).with(CommandFlags::RUNS_TEXT),
                    _ => parent.flags,
                };
            }
            if let Some(command) = self.commands.get_mut(index) {
                command.inside = inside;
                if command.pipes_into as usize > len {
                    command.pipes_into = 0;
                }
            }
        }
    }

    fn call(&mut self, file: &[u8], argv: &dyn Argv, request: &Request<'r>) -> Step {
        let first = self.words.len();
        for index in 0..argv.len() {
            let text = self.keep_bytes(argv.get(index).unwrap_or(&[]))?;
            self.words.push(Word { text, flags: WordFlags::default() })?;
        }
        self.fuel_for(self.text.len());
        let words =
            Run { first: first as u32, count: self.words.len().saturating_sub(first) as u32 };
        let index = self.commands.push(Command { words, ..Command::default() })?;
        let file = self.keep_bytes(file)?;
        self.follow_call(index, file, request.target)
    }

    /// A program that runs already: its name is all that rules look at.
    fn program_alone(&mut self, file: &[u8]) -> Step {
        let text = self.keep_bytes(file_name(file))?;
        let first = self.words.push(Word { text, flags: WordFlags::default() })?;
        let words = Run { first: first as u32, count: 1 };
        self.commands.push(Command { words, ..Command::default() }).map(drop)
    }

    fn root(&mut self, text: &[u8]) -> Step {
        let text = self.keep_bytes(text)?;
        self.root_len = text.len as usize;
        self.fuel_for(self.root_len);
        self.commands.push(Command { flags: CommandFlags::WRAPPER, ..Command::default() })?;
        let place = Place { parent: 1, via: Via::Shell, ..self.place };
        self.read_text(text, place)
    }

    /// Runs `body` one level deeper.
    pub fn nested<T>(&mut self, body: impl FnOnce(&mut Self) -> Step<T>) -> Step<T> {
        if self.depth >= MAX_DEPTH {
            return Err(Stop::Limit);
        }
        self.depth = self.depth.saturating_add(1);
        let done = body(self);
        self.depth = self.depth.saturating_sub(1);
        done
    }

    /// Reads `text` as a whole shell text whose commands belong to `place`. A syntax error in it
    /// is noted and stays there.
    pub fn read_text(&mut self, text: Span, place: Place) -> Step {
        self.nested(|shell| {
            let cursor = shell.enter(text);
            let outer = shell.place;
            let build = shell.build;
            shell.place = place;
            let done = shell.program();
            shell.place = outer;
            shell.build = build;
            shell.leave(cursor);
            done
        })
    }

    /// Moves the cursor to the start of `text`; what [`Shell::leave`] needs.
    pub fn enter(&mut self, text: Span) -> Cursor {
        let cursor = self.cursor();
        self.pos = text.start as usize;
        self.end = self.pos.saturating_add(text.len as usize);
        self.here = 0;
        cursor
    }

    /// Where the cursor stands.
    pub fn cursor(&self) -> Cursor {
        Cursor { pos: self.pos, end: self.end, here: self.here }
    }

    /// Moves the cursor back.
    pub fn leave(&mut self, cursor: Cursor) {
        self.pos = cursor.pos;
        self.end = cursor.end;
        self.here = cursor.here;
    }

    /// Runs `body` as a subshell: what it changes is put back.
    pub fn subshell<T>(&mut self, body: impl FnOnce(&mut Self) -> Step<T>) -> Step<T> {
        let state = self.state;
        let vars = self.vars.len();
        let done = body(self);
        self.state = state;
        self.drop_vars(vars);
        done
    }

    /// The bytes of `span`.
    pub fn bytes(&self, span: Span) -> &[u8] {
        self.text.run(span.start as usize, span.len as usize)
    }

    /// Keeps a copy of `bytes`.
    pub fn keep_bytes(&mut self, bytes: &[u8]) -> Step<Span> {
        let start = self.text.push_all(bytes)?;
        Ok(Span { start: start as u32, len: bytes.len() as u32 })
    }

    /// Keeps the text that is stacked from `from` on.
    pub fn keep_text(&mut self, from: usize) -> Step<Span> {
        let (start, len) = self.text.keep(from)?;
        Ok(Span { start: start as u32, len: len as u32 })
    }

    /// Stacks a copy of `span`.
    pub fn stack_span(&mut self, span: Span) -> Step {
        self.burn(span.len as usize)?;
        self.text.stack_copy(span.start as usize, span.len as usize)
    }

    /// Stacks `bytes`.
    pub fn stack_bytes(&mut self, bytes: &[u8]) -> Step {
        self.burn(bytes.len())?;
        for byte in bytes {
            self.text.stack(*byte)?;
        }
        Ok(())
    }

    /// The command at `index`, to be changed.
    pub fn command_mut(&mut self, index: usize) -> Step<&mut Command> {
        self.commands.get_mut(index).ok_or(Stop::Limit)
    }

    /// Sets `flags` on the command at `index`.
    pub fn flag(&mut self, index: usize, flags: CommandFlags) -> Step {
        let command = self.command_mut(index)?;
        command.flags = command.flags.with(flags);
        Ok(())
    }

    /// Where in the request the cursor stands.
    pub fn at(&self) -> u32 {
        if self.pos < self.root_len {
            return self.pos as u32;
        }
        (self.place.parent as usize)
            .checked_sub(1)
            .and_then(|parent| self.commands.get(parent))
            .map_or(0, |parent| parent.at)
    }
}
