//! Reads shell text, and the Python and JavaScript that it runs, for effects. The evaluator understands the
//! commands; where one of them is an interpreter with code or a script that can be had, that is parsed, and
//! what the parser finds stands in the place of what the evaluator's lexer guessed.

use super::arena::Arena;
use super::lowered::Program;
use super::pieces::Piece;
use super::walk::{FUEL, Walker};
use evaluator::command::{Command, Parts, Tree, Via, understand};
use evaluator::effects::{Around, FileUse, Kind, of_command, of_file};
use evaluator::request::{Env, NoParams};
use evaluator::world::NoWorld;
use evaluator::{Call, Caller, Cwd, Request, Target, World};
use policy_schema::OwnedScratch;
use std::sync::Mutex;

/// How deep code in code is read.
pub const DEEPEST: usize = 6;

/// How deep expressions and statements are read. The main thread has a stack of 8 MiB, others have 2.
const NESTED: usize = 256;

/// Longest code that is parsed, in bytes.
pub const LONGEST: usize = 512 * 1024;

/// An effect that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Its kind.
    pub kind: Kind,
    /// What it is on; unknown parts are [`UNKNOWN`].
    pub subject: Vec<u8>,
    /// Whether what is sent is secret.
    pub leaks: bool,
}

/// A language with a parser here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// Python 3.
    Python,
    /// JavaScript, modules and scripts, and TypeScript.
    JavaScript,
}

impl Language {
    /// That of the interpreter called `name`, whatever version of it.
    pub fn of(name: &[u8]) -> Option<Self> {
        let versioned = |byte: &u8| byte.is_ascii_digit() || *byte == b'.';
        let digits = name.iter().rev().take_while(|byte| versioned(byte)).count();
        match name.get(..name.len() - digits)? {
            b"python" | b"pypy" | b"ipython" => Some(Self::Python),
            b"node" | b"nodejs" | b"bun" | b"deno" | b"tsx" | b"ts-node" | b"ts-node-esm"
            | b"esno" => Some(Self::JavaScript),
            _ => None,
        }
    }

    /// Parses `text`, which is from the file called `name`, if from any.
    pub(super) fn parse<'t>(self, arena: &'t Arena, text: &'t [u8], name: &[u8]) -> Program<'t> {
        match self {
            Self::Python => super::python::parse(arena, text),
            Self::JavaScript => super::javascript::parse(arena, text, name),
        }
    }
}

/// Whoever reads.
pub struct Reader<'a> {
    /// The user's own directory.
    pub home: Vec<u8>,
    /// What was found, in order.
    pub found: Vec<Found>,
    /// What is left of the work that may be done, in expressions.
    pub fuel: usize,
    /// How deep code is being read in code.
    pub depth: usize,
    /// How deep expressions and statements are nested, those of functions that are gone into among them.
    pub level: usize,
    /// Whether something was left out.
    pub is_cut: bool,
    pub(super) world: Option<&'a dyn World>,
}

/// Memory of the evaluator, kept for who reads next: filling it anew takes longer than most texts.
static KEPT: Mutex<Vec<OwnedScratch>> = Mutex::new(Vec::new());

/// So many are kept, after texts of so many bytes.
const MOST_KEPT: (usize, usize) = (4, 64 * 1024);

/// Takes one of those that are kept, or a new one.
fn taken() -> OwnedScratch {
    KEPT.lock().ok().and_then(|mut all| all.pop()).unwrap_or_default()
}

/// Keeps `scratch`, which text of `bytes` bytes was read with.
fn keep(scratch: OwnedScratch, bytes: usize) {
    if let Ok(mut all) = KEPT.lock()
        && all.len() < MOST_KEPT.0
        && bytes <= MOST_KEPT.1
    {
        all.push(scratch);
    }
}

/// An environment in which only the user's directory is known.
struct Home<'a>(&'a [u8]);

impl Env for Home<'_> {
    fn get(&self, name: &[u8]) -> Option<&[u8]> {
        (name == b"HOME" && !self.0.is_empty()).then_some(self.0)
    }
}

impl<'a> Reader<'a> {
    /// One for a user with this directory; `world` has the files, without one none are looked at.
    pub fn new(home: &[u8], world: Option<&'a dyn World>) -> Self {
        Self {
            home: home.to_vec(),
            found: Vec::new(),
            fuel: FUEL,
            depth: 0,
            level: 0,
            is_cut: false,
            world,
        }
    }

    /// Goes one level deeper, unless that is too deep for the stack.
    pub fn descend(&mut self) -> bool {
        if self.level >= NESTED {
            self.is_cut = true;
            return false;
        }
        self.level += 1;
        true
    }

    /// Reads text that a shell runs in `cwd`.
    pub fn shell(&mut self, text: &[u8], cwd: Option<&[u8]>) {
        if self.depth >= DEEPEST {
            self.is_cut = true;
            return;
        }
        let home = self.home.clone();
        let request = Request {
            tool: b"exec",
            call: Call::Shell(text),
            cwd: cwd.map_or(Cwd::Unknown, Cwd::Known),
            env: &Home(&home),
            target: Target::default(),
            caller: Caller::default(),
            path: None,
            url: None,
            params: &NoParams,
        };
        let mut scratch = taken();
        scratch.fit(&request, 1);
        let memory = scratch.borrow();
        let parts = Parts {
            text: memory.text,
            words: memory.words,
            commands: memory.commands,
            redirects: memory.redirects,
            vars: memory.vars,
        };
        let (tree, _) = understand(&request, self.world.unwrap_or(&NoWorld), parts);
        let (found, pieces) = self.of_tree(&tree, &Around::of(&request));
        keep(scratch, text.len());
        self.depth += 1;
        self.merge(found, pieces);
        self.depth -= 1;
    }

    /// Reads a script that lies at `path` and is run in `cwd`.
    pub fn script(&mut self, language: Language, path: Vec<u8>, text: Vec<u8>, cwd: Option<&[u8]>) {
        let cwd = cwd.map(<[u8]>::to_vec);
        let piece = Piece { command: 0, language, script: path, text: Some(text), cwd };
        self.code(piece);
    }

    /// Reads a tree that the evaluator made.
    pub fn tree(&mut self, tree: &Tree<'_>, around: &Around<'_>) {
        let (found, pieces) = self.of_tree(tree, around);
        self.merge(found, pieces);
    }

    /// The evaluator's effects by command, each with whether it is below an interpreter, and the code that
    /// commands run.
    fn of_tree(
        &mut self,
        tree: &Tree<'_>,
        around: &Around<'_>,
    ) -> (Vec<(Seat, Found)>, Vec<Piece>) {
        let (mut found, mut pieces) = (Vec::new(), Vec::new());
        for (index, command) in tree.commands.iter().enumerate() {
            let seat = Seat { command: index, below: interpreters(tree, index) };
            of_command(tree, around, (index, command), &mut |effect| {
                let one =
                    Found { kind: effect.kind, subject: effect.subject.to_vec(), leaks: false };
                found.push((seat.clone(), one));
            });
            pieces.extend(self.piece(tree, around, (index, command)));
        }
        for command in tree.commands.iter().filter(|command| gives_environment(tree, command)) {
            let into = (command.pipes_into as usize).wrapping_sub(1);
            for (seat, one) in &mut found {
                one.leaks |= seat.command == into && one.kind == Kind::Sends;
            }
        }
        if tree.outcome != evaluator::command::Outcome::Complete || tree.is_cut {
            let seat = Seat { command: usize::MAX, below: Vec::new() };
            found.push((seat, Found { kind: Kind::Unknown, subject: Vec::new(), leaks: false }));
        }
        (found, pieces)
    }

    /// Puts together what the evaluator found and what parsing its pieces of code finds.
    fn merge(&mut self, found: Vec<(Seat, Found)>, pieces: Vec<Piece>) {
        let mut read = Vec::new();
        let mut own = Vec::new();
        for piece in pieces {
            let before = self.found.len();
            let command = piece.command;
            if self.code(piece) {
                read.push(command);
            }
            own.extend(self.found.drain(before..));
        }
        let before = self.found.len();
        for (seat, one) in found {
            let is_guess = matches!(
                one.kind,
                Kind::RunsScript | Kind::RunsUnknownCode | Kind::RunsFetchedCode | Kind::Unknown
            );
            let is_replaced = read.contains(&seat.command) && is_guess
                || seat.below.iter().any(|above| read.contains(above));
            if !is_replaced {
                self.found.push(one);
            }
        }
        // Commands of one text that read what is secret, and send: that one gives it to the other is taken
        // for granted.
        let has = |kind, all: &[Found]| all.iter().any(|one| one.kind == kind);
        let shell = self.found.get(before..).unwrap_or_default();
        if has(Kind::ReadsSecret, shell) && has(Kind::Sends, shell) {
            for one in self.found.iter_mut().skip(before) {
                one.leaks |= one.kind == Kind::Sends;
            }
        }
        self.found.extend(own);
    }

    /// Reads a piece of code. Whether all of it was understood.
    fn code(&mut self, piece: Piece) -> bool {
        let cannot = |reader: &mut Self, subject: Vec<u8>| {
            reader.found.push(Found { kind: Kind::Unknown, subject, leaks: false });
            false
        };
        let Some(text) = piece.text.filter(|text| text.len() <= LONGEST) else {
            return cannot(self, piece.script);
        };
        let arena = Arena::new();
        let program = piece.language.parse(&arena, &text, &piece.script);
        let was_cut = std::mem::take(&mut self.is_cut);
        let place = (piece.script.as_slice(), piece.cwd.as_deref());
        Walker::new(self, &arena, piece.language, place).program(&program);
        let is_whole = program.is_whole && !self.is_cut;
        self.is_cut |= was_cut;
        is_whole || cannot(self, Vec::new())
    }

    /// Tells what is done to a file, seen from `cwd`.
    pub fn on_file(&mut self, what: FileUse, path: &[u8], cwd: Option<&[u8]>) {
        let home = self.home.clone();
        let around = Around { cwd: cwd.map_or(Cwd::Unknown, Cwd::Known), home: &home };
        of_file(what, path, &around, &mut |effect| {
            let subject = effect.subject.to_vec();
            self.found.push(Found { kind: effect.kind, subject, leaks: false });
        });
    }
}

/// Whether a command puts out all variables of the environment, and the values with them.
fn gives_environment(tree: &Tree<'_>, command: &Command) -> bool {
    let [program] = tree.words(command.words) else { return false };
    let name = evaluator::path::file_name(tree.bytes(program.text));
    command.pipes_into != 0 && matches!(name, b"env" | b"printenv" | b"set" | b"export")
}

/// Where an effect was found.
#[derive(Clone)]
struct Seat {
    command: usize,
    /// The commands in whose code, or input, it stands.
    below: Vec<usize>,
}

/// The commands in whose code the one at `index` was found.
fn interpreters(tree: &Tree<'_>, index: usize) -> Vec<usize> {
    let mut all = Vec::new();
    let mut at = tree.commands.get(index);
    while let Some(command) = at {
        let Some(parent) = (command.parent as usize).checked_sub(1) else { break };
        if matches!(
            command.via,
            Via::Interpreter | Via::Stdin | Via::Decoded | Via::Shell | Via::Script
        ) {
            all.push(parent);
        }
        at = tree.commands.get(parent);
        if all.len() > 64 {
            break;
        }
    }
    all
}
