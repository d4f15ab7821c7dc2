//! Real shells as the oracle: texts run in bash and dash with stub programs on PATH, and every
//! argument vector that was really executed has to be among the commands that were predicted, or
//! the prediction has to say that something is not known.
//!
//! The texts are mixed from shell tokens by a fixed seed, so that a failure can be repeated.
//! `RAMPART_SOUP=N` mixes N texts a shell instead of the default.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test stops where it fails")]

mod support;

use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use support::{Understood, understand_shell};

/// Tokens that make or break shell grammar. `pwn` is the stub.
const TOKENS: &[&str] = &[
    "pwn -rf /",
    "pwn -rf /",
    "pwn -rf /",
    "pwn -rf /",
    "pwn -rf /",
    "pwn -rf /",
    " ",
    " ",
    " ",
    " ",
    " ",
    " ",
    "\n",
    "\n",
    "\n",
    "; ",
    "; ",
    "; ",
    "; ",
    "{ ",
    "}",
    "{a,b}",
    "{",
    "{a",
    " }",
    "(",
    ")",
    "$(",
    ")",
    "`",
    "`",
    "\"",
    "\"",
    "'",
    "'",
    "\\",
    "#",
    " # ",
    "|",
    "&&",
    "||",
    "&",
    "case x in x) ",
    " ;; ",
    " esac",
    "if : ; then ",
    " fi",
    "for i in 1; do ",
    " done",
    "while false; do ",
    "[[ ",
    " ]]",
    "((",
    "))",
    "$((",
    "${x:-",
    "}",
    "${x#",
    "${",
    "<<E\n",
    "\nE\n",
    "<<'E'\n",
    "<<-E\n",
    "<<<",
    "<(",
    ">(",
    "echo ",
    "X=1 ",
    "a=(",
    ")",
    "! ",
    "time ",
    "function f { ",
    "f(){ ",
    "; f",
    "$'",
    "\\\n",
    "\r",
    "\t",
    "{fd}>/dev/null ",
    "2>&1 ",
    ">/dev/null ",
    "<",
    "eval ",
    "coproc ",
    "select x in ",
    "then ",
    "else ",
    "do ",
    "in ",
    "~",
    "*",
    "?",
    "[",
    "]",
    "=",
    "$",
    "$[",
    "]",
    "${{ ",
    " }}",
    "{{",
    "}}",
    "\\`",
    "\\\"",
    "if",
    "!",
    "@(",
    "?(a)",
    "-",
    "--",
    "x",
    "\u{b}",
    "\u{a0}",
    "é",
    ";;&",
    ";&",
    "|&",
    "&>/dev/null ",
    "esac",
    "$\"",
    "until : ; do ",
    "x=pwn ",
    "$x",
    "\"$x\"",
    " -rf /",
    "pw",
    "n",
    "$y",
    "y=n ",
    "set -- pwn; ",
    "\"$@\"",
    "$1",
    "export x=pwn;",
    "${x}",
    "${x:0:2}",
    "trap '",
    "' EXIT",
    ". /dev/stdin <<<",
    "exec ",
    "command ",
    "read x <<< pwn; ",
    "printf %s ",
    "| sh",
    "sh -c ",
    "| while read l; do $l; done",
];

/// A linear congruential generator: the same texts everywhere.
struct Mixer(u64);

impl Mixer {
    fn next(&mut self, below: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % below
    }

    fn text(&mut self) -> String {
        let mut text = String::new();
        for _ in 0..2 + self.next(13) {
            text.push_str(TOKENS[self.next(TOKENS.len())]);
        }
        if !text.contains("pwn") {
            text.push_str([" ", "; ", "\n", "|"][self.next(4)]);
            text.push_str("pwn -rf /");
        }
        text
    }
}

struct Jail {
    dir: PathBuf,
}

impl Jail {
    fn new(name: &str) -> Self {
        let dir = std::env::temp_dir().join(format!("rampart-{name}-{}", std::process::id()));
        std::fs::create_dir_all(dir.join("bin")).unwrap();
        std::fs::create_dir_all(dir.join("empty")).unwrap();
        let stub = dir.join("bin/pwn");
        let log = dir.join("log");
        let body = format!(
            "#!/bin/sh\nfor a in pwn \"$@\"; do printf '%s\\0' \"$a\"; done >> {0}\nprintf '\\1\\0' >> {0}\n",
            log.display()
        );
        std::fs::write(&stub, body).unwrap();
        let mut mode = std::fs::metadata(&stub).unwrap().permissions();
        std::os::unix::fs::PermissionsExt::set_mode(&mut mode, 0o755);
        std::fs::set_permissions(&stub, mode).unwrap();
        for shell in ["sh", "bash"] {
            let _ =
                std::os::unix::fs::symlink(format!("/bin/{shell}"), dir.join("bin").join(shell));
        }
        Self { dir }
    }

    /// The argument vectors that `shell -c text` really executes the stub with.
    fn executed(&self, shell: &Path, text: &str) -> Vec<Vec<Vec<u8>>> {
        let log = self.dir.join("log");
        std::fs::write(&log, b"").unwrap();
        let mut command = Command::new(shell);
        command
            .arg("-c")
            .arg(text)
            .env_clear()
            .env("PATH", self.dir.join("bin"))
            // A function that calls itself ends soon.
            .env("FUNCNEST", "2")
            .env("HOME", "/home/u")
            .current_dir(self.dir.join("empty"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0);
        let mut child = command.spawn().unwrap();
        let started = Instant::now();
        while child.try_wait().unwrap().is_none() && started.elapsed() < Duration::from_secs(1) {
            std::thread::sleep(Duration::from_millis(1));
        }
        // Only the group that was started here.
        let group = format!("-{}", child.id());
        let _ = Command::new("kill").args(["-9", "--", &group]).stderr(Stdio::null()).status();
        let _ = child.wait();
        let bytes = std::fs::read(&log).unwrap();
        bytes
            .split(|byte| *byte == 1)
            .map(|call| {
                call.split(|byte| *byte == 0)
                    .filter(|word| !word.is_empty())
                    .map(<[u8]>::to_vec)
                    .collect::<Vec<_>>()
            })
            .filter(|call| !call.is_empty())
            .collect()
    }
}

impl Drop for Jail {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

/// Whether `argv` was predicted, or the prediction says that it does not know.
fn predicted(understood: &Understood, argv: &[Vec<u8>]) -> bool {
    understood.commands.iter().any(|command| {
        command.unknown_code
            || command.words.first().is_some_and(|program| program.contains(&0))
            || fits(&command.patterns, argv)
    })
}

/// Whether the words, in which NUL stands for anything, can be `argv`. A word of which nothing is
/// known may be none or several.
fn fits(words: &[Vec<u8>], argv: &[Vec<u8>]) -> bool {
    let mut pattern = Vec::new();
    for word in words.iter().filter(|word| !word.is_empty()) {
        if word.iter().all(|byte| *byte == 0) {
            pattern.push(0);
        } else {
            pattern.push(b' ');
            pattern.extend_from_slice(word);
        }
    }
    let mut text = Vec::new();
    for word in argv.iter().filter(|word| !word.is_empty()) {
        text.push(b' ');
        text.extend_from_slice(word);
    }
    glob(&pattern, &text)
}

fn glob(pattern: &[u8], text: &[u8]) -> bool {
    match pattern.split_first() {
        None => text.is_empty(),
        Some((0, rest)) => (0..=text.len()).any(|from| glob(rest, &text[from..])),
        Some((byte, rest)) => text.first() == Some(byte) && glob(rest, &text[1..]),
    }
}

fn soup(shell: &str, seed: u64) {
    let path = Path::new("/bin").join(shell);
    if !path.exists() {
        println!("skipped: no {shell} here");
        return;
    }
    let count = std::env::var("RAMPART_SOUP").ok().and_then(|n| n.parse().ok()).unwrap_or(800);
    let jail = Jail::new(&format!("soup-{shell}"));
    let mut mixer = Mixer(seed);
    let (mut ran, mut exact, mut unparseable) = (0, 0, 0);
    let mut missed = Vec::new();
    for _ in 0..count {
        let text = mixer.text();
        let executed = jail.executed(&path, &text);
        if executed.is_empty() {
            continue;
        }
        ran += 1;
        let understood = understand_shell(text.as_bytes(), shell);
        if !executed.iter().all(|argv| predicted(&understood, argv)) {
            if understood.complete {
                missed.push((text, executed, understood.lines()));
            } else {
                unparseable += 1;
            }
        } else {
            exact += 1;
        }
    }
    println!(
        "{shell}: {ran} of {count} ran something; predicted {exact}, fails closed {unparseable}, missed {}",
        missed.len()
    );
    for (text, executed, lines) in missed.iter().take(20) {
        let executed: Vec<_> = executed
            .iter()
            .map(|argv| {
                argv.iter().map(|w| String::from_utf8_lossy(w).into_owned()).collect::<Vec<_>>()
            })
            .collect();
        println!("missed {text:?}\n   ran {executed:?}\n   saw {lines:?}");
    }
    assert!(missed.is_empty(), "{} texts ran what was not predicted", missed.len());
}

#[test]
fn what_bash_runs_is_predicted() {
    soup("bash", 7);
}

#[test]
fn what_dash_runs_is_predicted() {
    soup("dash", 11);
}
