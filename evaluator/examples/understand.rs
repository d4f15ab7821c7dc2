//! Prints what a shell text would run: `cargo run -p evaluator --example understand -- 'TEXT'`, or
//! one tree for each line of standard input.

use evaluator::command::{Command, Outcome, Parts, Redirect, Tree, Var, Word, understand};
use evaluator::request::{Call, Caller, Cwd, NoEnv, NoParams, Request, Target};
use evaluator::scratch::scratch_len;
use evaluator::world::NoWorld;
use std::io::BufRead as _;

fn show(tree: &Tree<'_>) {
    for command in tree.commands {
        let words: Vec<String> = tree
            .words(command.assignments)
            .iter()
            .chain(tree.words(command.words))
            .map(|word| String::from_utf8_lossy(tree.bytes(word.text)).replace('\0', "\u{25a1}"))
            .collect();
        let depth =
            core::iter::successors(tree.parent(command), |above| tree.parent(above)).count();
        println!(
            "{}{}: {} [{:x}]",
            "  ".repeat(depth),
            command.via.name(),
            words.join(" \u{b7} "),
            command.flags.0
        );
    }
    if tree.outcome != Outcome::Complete {
        println!("{:?}", tree.outcome);
    }
}

fn understand_text(text: &[u8]) {
    let len = scratch_len(text.len(), 0, 0);
    let mut bytes = vec![0; len.text];
    let mut words = vec![Word::default(); len.words];
    let mut commands = vec![Command::default(); len.commands];
    let mut redirects = vec![Redirect::default(); len.redirects];
    let mut vars = vec![Var::default(); len.vars];
    let request = Request {
        tool: b"exec",
        call: Call::Shell(text),
        cwd: Cwd::Known(b"/work"),
        env: &NoEnv,
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
    show(&understand(&request, &NoWorld, parts).0);
}

fn main() {
    let mut args = std::env::args().skip(1).peekable();
    if args.peek().is_some() {
        for text in args {
            understand_text(text.as_bytes());
        }
        return;
    }
    for line in std::io::stdin().lock().lines().map_while(Result::ok) {
        println!("# {line}");
        understand_text(line.as_bytes());
    }
}
