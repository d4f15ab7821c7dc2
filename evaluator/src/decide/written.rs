//! Whether what a command would run was written by the tree that it is a call of: `curl -o x …; sh x`
//! is two harmless commands for rules on each, and one program that nobody has looked at.
//!
//! Looked at are the program's file, and what an interpreter is given as a script or as its standard
//! input. What programs read besides (modules, `Makefile`s) is not: nobody knows before it is read.

use crate::command::{Command, RedirectOp, UNKNOWN, Word, WordFlags};
use crate::request::{Call, Cwd};
use crate::world::Answer;

use super::condition::{At, Judge, Tri};
use super::found::Fault;
use super::lines::Text;
use super::target::{SHELLS, unversioned};
use crate::list::is_listed;

/// Longest path that is looked at. What is longer is unknown.
const LONGEST: usize = 1024;

/// Programs whose first operand is code, apart from shells and the languages of [`Runner::of`].
const OTHERS: &[u8] = b" java dotnet mono wasmtime wasmer luajit tclsh wish expect groovy guile julia sbcl escript elixir ";

/// How an interpreter's command line is read.
#[derive(Clone, Copy)]
struct Runner {
    /// Letters of options whose value is code: behind one there is no script.
    code: &'static [u8],
    /// Letters of options with a value, in the same word or in the next.
    valued: &'static [u8],
    /// Whether any option may have one.
    any_valued: bool,
}

/// What an option says of the words behind it.
#[derive(PartialEq, Eq)]
enum Behind {
    /// The next may be the script.
    Operand,
    /// The next may be its value.
    Value,
    /// There is no script.
    Code,
}

impl Runner {
    const fn new(code: &'static [u8], valued: &'static [u8]) -> Self {
        Self { code, valued, any_valued: false }
    }

    /// That of the program `name`, whatever version of it.
    fn of(name: &[u8]) -> Option<Self> {
        let name = unversioned(name.strip_prefix(b"-").unwrap_or(name));
        if is_listed(SHELLS, name) {
            return Some(Self::new(b"c", b"oO"));
        }
        Some(match name {
            b"." | b"source" => Self::new(b"", b"p"),
            b"fish" | b"csh" | b"tcsh" => Self::new(b"c", b""),
            b"python" | b"pypy" => Self::new(b"cm", b"WXQ"),
            b"node" | b"nodejs" | b"deno" | b"bun" | b"tsx" | b"qjs" => Self::new(b"ep", b"rCS"),
            b"perl" => Self::new(b"eE", b"MmixFdI"),
            b"ruby" => Self::new(b"e", b"rICEWKx"),
            b"php" => Self::new(b"rBRE", b"dcfzt"),
            b"lua" => Self::new(b"e", b"l"),
            b"Rscript" | b"R" => Self::new(b"e", b"gf"),
            // The first operand is the program itself, the others are data.
            b"awk" | b"gawk" | b"mawk" | b"nawk" => Self::new(b"", b"fFv"),
            _ if is_listed(OTHERS, name) => Self { any_valued: true, ..Self::new(b"", b"") },
            _ => return None,
        })
    }

    fn behind(&self, option: &[u8]) -> Behind {
        if option.starts_with(b"--") {
            let is_whole = option.len() == 2 || option.contains(&b'=');
            return match option {
                b"--eval" | b"--print" => Behind::Code,
                _ if is_whole => Behind::Operand,
                _ => Behind::Value,
            };
        }
        if self.any_valued {
            return Behind::Value;
        }
        for (at, letter) in option.iter().enumerate().skip(1) {
            if self.code.contains(letter) {
                return Behind::Code;
            }
            if self.valued.contains(letter) {
                let is_last = at.saturating_add(1) == option.len();
                return if is_last { Behind::Value } else { Behind::Operand };
            }
        }
        Behind::Operand
    }
}

impl<'j> Judge<'j, '_> {
    /// Whether the tree has written what the command `at` would run. Of a command inside of a program that
    /// is started, what is not known now is asked again when it starts.
    pub fn written(&mut self, at: At<'j>) -> Result<Tri, Fault> {
        let found = self.run_written(at)?;
        let is_asked_again = at.0 > 0 && matches!(self.request.call, Call::Exec { .. });
        Ok(if found == Tri::Unknown && is_asked_again { Tri::No } else { found })
    }

    fn run_written(&mut self, at: At<'j>) -> Result<Tri, Fault> {
        let (index, command) = at;
        let mut file = Text::<LONGEST>::new();
        let program = match self.file_of(at, &mut file) {
            Answer::Value(()) => self.is_written(file.get()),
            Answer::Absent => Tri::No,
            Answer::Unavailable => Tri::Unknown,
        };
        if program == Tri::Yes {
            return Ok(program);
        }
        let mut names = self.names(index, command).into_iter().flatten();
        let Some(runner) = names.find_map(Runner::of) else {
            return Ok(program);
        };
        let tree = self.tree;
        let mut any = program;
        for redirect in tree.redirects(command) {
            if redirect.fd == 0 && matches!(redirect.op, RedirectOp::Read | RedirectOp::ReadWrite) {
                any = any.or(self.is_word_written(command, &redirect.target).unwrap_or(Tri::No));
            }
        }
        Ok(any.or(self.script_written(command, runner)?))
    }

    /// The same of its script: every file up to the first one that can be nothing else.
    fn script_written(&self, command: &'j Command, runner: Runner) -> Result<Tri, Fault> {
        let mut any = Tri::No;
        let mut behind = Behind::Operand;
        for word in self.tree.words(command.words).iter().skip(1) {
            self.spend(1)?;
            let text = self.tree.bytes(word.text);
            if matches!(text, [b'-' | b'+', _, ..]) {
                behind = runner.behind(text);
                if behind == Behind::Code {
                    break;
                }
                continue;
            }
            let found = self.is_word_written(command, word);
            any = any.or(found.unwrap_or(Tri::No));
            if found.is_some() && behind == Behind::Operand {
                break;
            }
            behind = Behind::Operand;
        }
        Ok(any)
    }

    /// The same of the file that `word` names; `None` if there is no such file.
    fn is_word_written(&self, command: &Command, word: &Word) -> Option<Tri> {
        let text = self.tree.bytes(word.text);
        if word.flags.has(WordFlags::PARTIAL.with(WordFlags::GLOB)) || text.contains(&UNKNOWN) {
            return Some(Tri::Unknown);
        }
        let mut path = Text::<LONGEST>::new();
        if text.first() != Some(&b'/') {
            let Cwd::Known(cwd) = self.cwd(command).known_to(self.world) else {
                return Some(Tri::Unknown);
            };
            // As the kernel walks it: `link/..` is not where the link lies.
            if path.push(cwd).and_then(|path| path.push(b"/")).is_none() {
                return Some(Tri::Unknown);
            }
        }
        if text.is_empty() {
            return None;
        }
        match path.push(text) {
            Some(path) => match self.world.written_by_tree(path.get()) {
                Answer::Value(is) => Some(Tri::from(is)),
                Answer::Absent => None,
                Answer::Unavailable => Some(Tri::Unknown),
            },
            None => Some(Tri::Unknown),
        }
    }

    fn is_written(&self, path: &[u8]) -> Tri {
        match self.world.written_by_tree(path) {
            Answer::Value(is) => Tri::from(is),
            Answer::Absent => Tri::No,
            Answer::Unavailable => Tri::Unknown,
        }
    }
}
