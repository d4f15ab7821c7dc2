//! What the tests of understanding share: a tree as plain values.
#![allow(dead_code, reason = "every test file uses a part of it")]

pub mod cases;
pub mod verdict;
pub mod world;

use evaluator::command::{
    Command, CommandFlags, Outcome, Parts, Redirect, Tree, Var, Word, WordFlags, understand,
};
use evaluator::request::{Call, Caller, Cwd, Env, NoParams, Request, Target};
use evaluator::scratch::scratch_len;
use evaluator::world::NoWorld;

/// One command of a tree.
pub struct Simple {
    pub via: &'static str,
    pub assignments: Vec<Vec<u8>>,
    pub words: Vec<Vec<u8>>,
    /// The words, with NUL also where a glob stands.
    pub patterns: Vec<Vec<u8>>,
    pub flags: CommandFlags,
    pub unknown_code: bool,
    pub pipes_into: u32,
    pub cwd: Vec<u8>,
    pub redirects: Vec<(i32, String)>,
}

/// A tree without its root.
pub struct Understood {
    pub commands: Vec<Simple>,
    pub complete: bool,
    pub outcome: Outcome,
}

impl Understood {
    /// Every command as `via: words`, unknown parts as `□`, words with blanks in quotes.
    pub fn lines(&self) -> Vec<String> {
        self.commands.iter().map(Simple::line).collect()
    }
}

impl Simple {
    pub fn line(&self) -> String {
        let all = self.assignments.iter().chain(&self.words);
        let words: Vec<String> = all.map(|word| quoted(word)).collect();
        let mut line = format!("{}: {}", self.via, words.join(" "));
        for (flag, name) in
            [(CommandFlags::FETCHED_CODE, "fetched-code"), (CommandFlags::FORK_BOMB, "fork-bomb")]
        {
            if self.flags.has(flag) {
                line.push_str(" !");
                line.push_str(name);
            }
        }
        if self.unknown_code && !self.flags.has(CommandFlags::FETCHED_CODE) {
            line.push_str(" !unknown-code");
        }
        line
    }
}

fn quoted(word: &[u8]) -> String {
    let text = String::from_utf8_lossy(word).replace('\0', "□").replace('\n', "⏎");
    if text.is_empty() || text.contains([' ', ';', '\'']) { format!("‹{text}›") } else { text }
}

/// The tree of `text` as `shell` reads it: as the text of a tool call for bash, else of `shell -c`.
pub fn understand_shell(text: &[u8], shell: &str) -> Understood {
    if shell == "bash" {
        return understand_call(Call::Shell(text), text.len(), 0, &HOME);
    }
    let argv: &[&[u8]] = &[shell.as_bytes(), b"-c", text];
    understand_argv(argv)
}

/// The environment of the tests.
const HOME: &[(&[u8], &[u8])] = &[(b"HOME", b"/home/u")];

/// The tree of an argument vector.
pub fn understand_argv(argv: &[&[u8]]) -> Understood {
    let input = argv.iter().map(|arg| arg.len()).sum();
    let file = argv.first().copied().unwrap_or(b"");
    understand_call(Call::Exec { file, argv: &argv }, input, argv.len(), &HOME)
}

/// The tree of a call.
pub fn understand_call(call: Call<'_>, input: usize, args: usize, env: &dyn Env) -> Understood {
    let len = scratch_len(input, args, 0);
    let mut bytes = vec![0; len.text];
    let mut words = vec![Word::default(); len.words];
    let mut commands = vec![Command::default(); len.commands];
    let mut redirects = vec![Redirect::default(); len.redirects];
    let mut vars = vec![Var::default(); len.vars];
    let request = Request {
        tool: b"exec",
        call,
        cwd: Cwd::Known(b"/work"),
        env,
        target: Target::default(),
        caller: Caller::default(),
        path: None,
        url: None,
        params: &NoParams,
    };
    let parts = Parts {
        text: &mut bytes,
        words: &mut words,
        commands: &mut commands,
        redirects: &mut redirects,
        vars: &mut vars,
    };
    let (tree, _) = understand(&request, &NoWorld, parts);
    plain(&tree)
}

fn texts(tree: &Tree<'_>, words: &[Word]) -> Vec<Vec<u8>> {
    words.iter().map(|word| tree.bytes(word.text).to_vec()).collect()
}

fn plain(tree: &Tree<'_>) -> Understood {
    let commands = tree.commands.iter().skip(1).map(|command| Simple {
        via: command.via.name(),
        assignments: texts(tree, tree.words(command.assignments)),
        words: texts(tree, tree.words(command.words)),
        patterns: tree
            .words(command.words)
            .iter()
            .map(|word| {
                let mut text = tree.bytes(word.text).to_vec();
                if word.flags.has(WordFlags::GLOB) {
                    text.retain(|byte| *byte != b']');
                    for byte in text.iter_mut().filter(|b| matches!(b, b'*' | b'?' | b'[')) {
                        *byte = 0;
                    }
                }
                text
            })
            .collect(),
        flags: command.flags,
        unknown_code: command.flags.has(CommandFlags::UNKNOWN_CODE),
        pipes_into: command.pipes_into,
        cwd: tree.bytes(command.cwd).to_vec(),
        redirects: tree
            .redirects(command)
            .iter()
            .map(|r| (r.fd, String::from_utf8_lossy(tree.bytes(r.target.text)).into_owned()))
            .collect(),
    });
    Understood {
        commands: commands.collect(),
        complete: tree.outcome == Outcome::Complete,
        outcome: tree.outcome,
    }
}
