//! How long understanding takes: `cargo run --release -p evaluator --example speed`.

use evaluator::command::{Command, Parts, Redirect, Var, Word, understand};
use evaluator::request::{Call, Caller, Cwd, NoEnv, NoParams, Request, Target};
use evaluator::scratch::{ScratchLen, scratch_len};
use evaluator::world::NoWorld;
use std::hint::black_box;
use std::time::Instant;

fn main() {
    let small = [
        ("short", "ls -la"),
        (
            "76 bytes",
            "cd /srv/app && git pull --rebase origin main && make -j4 test 2>&1 | tail -20",
        ),
        ("wrapped", "sudo -u root env A=1 timeout 5 sh -c 'rm -rf /tmp/x'"),
        ("decoded", "echo cm0gLXJmIC8K | base64 -d | sh"),
    ];
    for (name, text) in small {
        report(name, text.as_bytes());
    }
    let pieces: [(&str, &str, &str, &str); 16] = [
        ("words", "", "a ", ""),
        ("commands", "", "a;", ""),
        ("lines", "", "a\n", ""),
        ("substitutions", "echo ", "$(a)", ""),
        ("backticks", "echo ", "`a`", ""),
        ("nesting", "", "$(", ""),
        ("parens", "", "(", ""),
        ("double parens", "", "((", ""),
        ("braces", "echo ", "{a,b}", ""),
        ("open braces", "echo ", "{a", ""),
        ("quotes", "echo ", "\"'\"", ""),
        ("parameters", "echo ", "${x:-", ""),
        ("here-documents", "", "cat <<E\n", ""),
        ("assignments", "", "a=$a$a;", ""),
        ("arithmetic", "echo ", "$((1+", ""),
        ("loops", "", "for i in 1 2 3 4;do ", "a"),
    ];
    for (name, head, part, tail) in pieces {
        let mut text = String::from(head);
        while text.len() + part.len() + tail.len() <= 8192 {
            text.push_str(part);
        }
        text.push_str(tail);
        report(name, text.as_bytes());
    }
    for (name, part) in [
        ("python names", "a "),
        ("python calls", "get("),
        ("python strings", "'a'+"),
        ("python prints", "print(1)\n"),
        ("python opens", "open('a')\n"),
        ("python chains", "a.b(c).d(e)\n"),
    ] {
        let text = format!("python3 -c \"{} requests\"", part.repeat(8150 / part.len()));
        report(name, text.as_bytes());
    }
    let trims = format!("x={}; echo ${{x##*{}}}", "a".repeat(4000), "?*".repeat(2000));
    report("pattern", trims.as_bytes());
    let pipe = format!("{}sh", "echo a |".repeat(1000));
    report("pipeline", pipe.as_bytes());
    let doubling = format!("a=xxxxxxxx;{}echo $a", "a=$a$a;".repeat(60));
    report("doubling", doubling.as_bytes());
    let calls = format!("f(){{ {}:; }};f", "f|".repeat(2000));
    report("recursion", calls.as_bytes());
}

fn report(name: &str, text: &[u8]) {
    let len = scratch_len(text.len(), 0, 0);
    let mut arena = Arena::new(len);
    let mut best = u128::MAX;
    let mut found = (0, String::new());
    let rounds = if text.len() < 200 { 2000 } else { 20 };
    for _ in 0..rounds {
        let started = Instant::now();
        found = arena.once(text);
        best = best.min(started.elapsed().as_nanos());
    }
    println!(
        "{name:16} {:5} bytes {:9.2} µs  {:5} commands {}",
        text.len(),
        best as f64 / 1000.0,
        found.0,
        found.1
    );
}

struct Arena {
    text: Vec<u8>,
    words: Vec<Word>,
    commands: Vec<Command>,
    redirects: Vec<Redirect>,
    vars: Vec<Var>,
}

impl Arena {
    fn new(len: ScratchLen) -> Self {
        Self {
            text: vec![0; len.text],
            words: vec![Word::default(); len.words],
            commands: vec![Command::default(); len.commands],
            redirects: vec![Redirect::default(); len.redirects],
            vars: vec![Var::default(); len.vars],
        }
    }

    fn once(&mut self, text: &[u8]) -> (usize, String) {
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
            text: &mut self.text,
            words: &mut self.words,
            commands: &mut self.commands,
            redirects: &mut self.redirects,
            vars: &mut self.vars,
        };
        let (tree, _) = understand(black_box(&request), &NoWorld, parts);
        (
            black_box(tree.commands.len()),
            if text.len() < 200 { String::new() } else { format!("{:?}", tree.outcome) },
        )
    }
}
