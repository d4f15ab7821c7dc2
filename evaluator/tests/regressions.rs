//! Every input that a fuzz target ever kept, and a few thousand that are changed at random (the
//! same ones each time), through the fuzz targets' own checks, on the stable toolchain.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops where it fails"
)]

#[path = "../../fuzz/src/checks/mod.rs"]
mod checks;

use std::fs;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};

/// What holds for any input.
type Check = fn(&[u8]);

/// A check, the name of its target, and how many changed inputs it gets.
const TARGETS: [(&str, Check, usize); 9] = [
    ("shell_text", checks::shell_text, 1000),
    ("argv", checks::argv, 1000),
    ("decode", checks::decode, 500),
    ("wrap", checks::wrap, 1000),
    ("image", checks::image, 2000),
    ("policy_yaml", checks::policy_yaml, 200),
    ("glob", checks::glob, 3000),
    ("redact", checks::redact, 3000),
    ("wire", checks::wire, 3000),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The kept inputs of `target`.
fn kept(target: &str) -> Vec<(String, Vec<u8>)> {
    let directory = root().join("fuzz/regressions").join(target);
    let Ok(entries) = fs::read_dir(&directory) else {
        return Vec::new();
    };
    let paths = entries.map(|entry| entry.unwrap().path());
    let mut all: Vec<_> =
        paths.map(|path| (path.display().to_string(), fs::read(&path).unwrap())).collect();
    all.sort();
    all
}

/// Lines of the labelled commands, as raw material: their JSON has quotes, escapes and operators.
fn material() -> Vec<Vec<u8>> {
    let entries = fs::read_dir(root().join("tests/corpus")).unwrap();
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|found| found == "jsonl"));
    paths.sort();
    let texts = paths.iter().map(|path| fs::read_to_string(path).unwrap());
    let commands: Vec<Vec<u8>> = texts
        .flat_map(|text| {
            let lines = text.lines().filter_map(|line| {
                let (_, rest) = line.split_once("\"command\": \"")?;
                let (command, _) = rest.split_once("\", \"expect\"")?;
                let unescaped = command.replace("\\n", "\n").replace("\\\"", "\"");
                Some(unescaped.replace("\\\\", "\\").into_bytes())
            });
            lines.collect::<Vec<_>>()
        })
        .collect();
    assert!(commands.len() > 1000, "{} commands", commands.len());
    commands
}

/// Marsaglia's xorshift64: a fixed sequence, so that a failure can be run again.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit.max(1) as u64) as usize
    }

    fn pick<'a>(&mut self, all: &'a [Vec<u8>]) -> &'a [u8] {
        &all[self.below(all.len())]
    }

    /// One to eight changes: a byte, a removed piece, a doubled piece, a piece of another input.
    fn changed(&mut self, all: &[Vec<u8>]) -> Vec<u8> {
        const SHARP: &[u8] = b"'\"\\$`(){}[]<>|&;#*?~!\n\t =\0\xff";
        let mut data = self.pick(all).to_vec();
        for _ in 0..=self.below(8) {
            let at = self.below(data.len() + 1);
            let end = (at + self.below(16)).min(data.len());
            match self.below(5) {
                0 => data.insert(at, SHARP[self.below(SHARP.len())]),
                1 => data.insert(at, self.below(256) as u8),
                2 => drop(data.drain(at..end)),
                3 => {
                    let piece = data[at..end].to_vec();
                    data.splice(at..at, piece);
                }
                _ => {
                    let other = self.pick(all);
                    let from = self.below(other.len() + 1);
                    let to = (from + self.below(48)).min(other.len());
                    data.splice(at..at, other[from..to].iter().copied());
                }
            }
        }
        data
    }
}

/// Runs `check` and names the input if it fails.
fn run(target: &str, check: Check, name: &str, data: &[u8]) {
    if catch_unwind(|| check(data)).is_err() {
        let shown = data.escape_ascii();
        panic!("{target} fails on {name}: b\"{shown}\"");
    }
}

#[test]
fn kept_inputs() {
    for (target, check, _) in TARGETS {
        for (name, data) in kept(target) {
            run(target, check, &name, &data);
        }
    }
}

#[test]
fn every_labelled_command() {
    for (index, command) in material().iter().enumerate() {
        let name = format!("command {index}");
        run("shell_text", checks::shell_text, &name, command);
        let encoded = [b"\0", command.as_slice()].concat();
        run("decode", checks::decode, &name, &encoded);
        run("wrap", checks::wrap, &name, command);
    }
}

#[test]
fn changed_inputs() {
    let commands = material();
    for (target, check, count) in TARGETS {
        let mut all: Vec<Vec<u8>> = kept(target).into_iter().map(|(_, data)| data).collect();
        match target {
            "policy_yaml" => all.push(fs::read(root().join("policies/standard.yaml")).unwrap()),
            "argv" => all.extend(commands.iter().map(|command| {
                let text: Vec<u8> =
                    command.iter().map(|b| if *b == b'\n' { 1 } else { *b }).collect();
                [b"\0sh\n-c\n", text.as_slice()].concat()
            })),
            _ => all.extend_from_slice(&commands),
        }
        let mut random = Random(0x9e37_79b9_7f4a_7c15);
        for index in 0..count {
            let data = random.changed(&all);
            run(target, check, &format!("changed input {index}"), &data);
        }
    }
}
