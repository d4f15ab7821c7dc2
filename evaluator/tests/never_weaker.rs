//! Promises about whole verdicts, by the shipped standard policy: what changes nothing in a shell
//! changes no verdict, and what stands around a command makes none weaker.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test stops where it fails")]

mod support;

use std::fs;
use std::path::Path;
use std::sync::OnceLock;

use proptest::prelude::*;
use support::verdict::verdict;

/// The commands of `tests/corpus`, attacks and benign ones.
fn corpus() -> &'static [String] {
    static COMMANDS: OnceLock<Vec<String>> = OnceLock::new();
    COMMANDS.get_or_init(|| {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/corpus");
        let mut commands = Vec::new();
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_none_or(|extension| extension != "jsonl") {
                continue;
            }
            for line in fs::read_to_string(path).unwrap().lines() {
                let row: serde_json::Value = serde_json::from_str(line).unwrap();
                commands.extend(row["command"].as_str().map(str::to_owned));
            }
        }
        assert!(commands.len() > 1000, "{} commands", commands.len());
        commands
    })
}

/// `text` in single quotes.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// One command of words that a shell leaves as they are, so that anything may stand before it.
fn is_plain(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || " _./:@%+,-=".contains(c);
    let first = text.split(' ').next().unwrap_or("");
    let keyword = ["if", "for", "while", "until", "case", "select", "function", "time", "coproc"];
    text.chars().all(plain) && !text.trim().is_empty() && !first.contains('=') && !keyword.contains(&first)
        // What only a shell knows is no program.
        && !["cd", "exec", "eval", "source", ".", "export", "alias", "trap", "set", "unset", "command", "builtin"].contains(&first)
}

/// A name, and what is made of a text.
type Around = (&'static str, fn(&str) -> String);

/// Fails with every text of the corpus for which `around` is weaker.
fn never_weaker(of: impl Fn(&str) -> bool, around: &[Around]) {
    let mut weaker = Vec::new();
    let mut tried = 0;
    for text in corpus().iter().filter(|text| of(text)) {
        let (plain, rule) = verdict(text);
        for (name, wrap) in around {
            tried += 1;
            let (wrapped, _) = verdict(&wrap(text));
            if wrapped < plain {
                weaker.push(format!("{name}: {plain:?} [{rule}] becomes {wrapped:?}: {text}"));
            }
        }
    }
    assert!(weaker.is_empty(), "{} of {tried}:\n{}", weaker.len(), weaker.join("\n"));
    assert!(tried > 500, "only {tried}");
}

#[test]
fn a_shell_around_it_never_weakens() {
    // An option of bash is no text, and what does not parse may be completed by what follows.
    let text = |text: &str| !text.starts_with(['-', '+']) && !text.contains('\0');
    never_weaker(
        text,
        &[
            ("bash -c", |text| format!("bash -c {}", quoted(text))),
            ("eval", |text| format!("eval {}", quoted(text))),
            ("sudo bash -c", |text| format!("sudo -u root bash -lc {}", quoted(text))),
            ("env bash -c", |text| format!("env A=b timeout 5 bash -c {}", quoted(text))),
            ("a pipe into bash", |text| format!("printf '%s\\n' {} | bash", quoted(text))),
        ],
    );
}

#[test]
fn a_wrapper_in_front_never_weakens() {
    never_weaker(
        is_plain,
        &[
            ("env", |text| format!("env {text}")),
            ("env A=b", |text| format!("env -u X A=b {text}")),
            ("sudo", |text| format!("sudo {text}")),
            ("nohup nice timeout", |text| format!("nohup nice -n 5 timeout 5 {text}")),
            ("command", |text| format!("command {text}")),
            ("flock", |text| format!("flock /tmp/lock {text}")),
        ],
    );
}

#[test]
fn what_stands_beside_it_never_weakens() {
    let whole = |text: &str| !text.ends_with('\\') && !text.contains("<<");
    never_weaker(
        whole,
        &[
            ("; true", |text| format!("{text}; true")),
            ("&& true", |text| format!("{text} && true")),
            ("a line behind", |text| format!("{text}\ntrue")),
            ("a line before", |text| format!("true\n{text}")),
            ("true ;", |text| format!("true; {text}")),
            ("a subshell", |text| format!("(\n{text}\n)")),
            ("an if", |text| format!("if true; then\n{text}\nfi")),
            ("a function", |text| format!("f() {{\n{text}\n}}; f")),
        ],
    );
}

/// Words of commands that rules look at, and others.
fn word() -> impl Strategy<Value = String> {
    let known = vec![
        "-rf",
        "-r",
        "--force",
        "-f",
        "/",
        "/etc/passwd",
        "/home/dev",
        "..",
        ".",
        "push",
        "reset",
        "--hard",
        "clean",
        "-fdx",
        "777",
        "-R",
        "origin",
        "main",
        "delete",
        "ns",
        "prod",
        "of=/dev/sda",
        "if=x",
        "exec",
        "pod",
        "rm",
        "system",
        "prune",
        "-a",
        "apply",
        "destroy",
        "--",
        "http://x/y",
        ".env",
        ".ssh/id_rsa",
    ];
    prop_oneof![
        6 => proptest::sample::select(known).prop_map(String::from),
        1 => "[a-z0-9_./:@%+,-]{1,10}",
    ]
}

fn program() -> impl Strategy<Value = &'static str> {
    proptest::sample::select(vec![
        "rm",
        "git",
        "chmod",
        "chown",
        "dd",
        "curl",
        "cat",
        "kubectl",
        "docker",
        "terraform",
        "cp",
        "mv",
        "find",
        "psql",
        "systemctl",
        "shutdown",
        "mkfs.ext4",
        "npm",
        "ls",
        "sudo",
        "env",
        "python3",
        "tar",
        "ssh",
    ])
}

/// The word in one of a shell's ways to quote it.
fn in_quotes(word: &str, how: u8) -> String {
    match how % 6 {
        0 => word.to_owned(),
        1 => format!("'{word}'"),
        2 => format!("\"{word}\""),
        3 => format!("$'{word}'"),
        4 => word.chars().map(|c| format!("\\{c}")).collect(),
        _ => {
            let (head, rest) = word.split_at(word.len() / 2);
            format!("{head}''\"{rest}\"")
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn quoting_a_literal_word_never_changes_the_verdict(
        program in program(),
        words in proptest::collection::vec((word(), any::<u8>()), 0..6),
        how in any::<u8>(),
    ) {
        let plain = words.iter().fold(program.to_owned(), |line, (word, _)| format!("{line} {word}"));
        let quoted = words
            .iter()
            .fold(in_quotes(program, how), |line, (word, how)| format!("{line} {}", in_quotes(word, *how)));
        prop_assert_eq!(verdict(&plain), verdict(&quoted), "{} and {}", plain, quoted);
    }
}
