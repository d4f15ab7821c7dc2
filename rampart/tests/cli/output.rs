//! Output that nobody can take: a full disk, a pipe whose reader has gone, descriptors that are closed.

use std::fs::File;
use std::io::Read as _;
use std::process::Stdio;

use crate::support::{User, ended, words};

/// Verbs that say something, and what they are given.
const VERBS: [&str; 17] = [
    "--help",
    "--version",
    "run --help",
    "policy show",
    "policy list",
    "policy schema",
    "policy lint policy.yaml",
    "policy test policy.yaml",
    "check -- ls",
    "policy explain -- ls",
    "rules",
    "audit tail --all",
    "audit search --json",
    "audit stats",
    "audit verify",
    "audit export",
    "doctor",
];

/// A user with a log.
fn user() -> User {
    let user = User::new();
    let line = "{\"v\":1,\"id\":\"E00001\",\"time\":\"2026-11-23T07:59:59.123456Z\",\"outcome\":\"denied\",\"argv\":[\"x\"]}\n";
    user.write(".local/state/rampart/audit/spool-0.jsonl", line);
    user
}

#[test]
fn a_full_disk_is_an_error_that_is_told() {
    let user = user();
    for verb in VERBS {
        let full = File::options().write(true).open("/dev/full").unwrap();
        let ran = ended(&user.command(&words(verb)).stdout(full).output().unwrap());
        let is_told = ran.stderr.contains("cannot write to standard output: no space left");
        assert!(ran.status == 1 && is_told, "{verb}: {} {}", ran.status, ran.stderr);
        assert!(!ran.stderr.contains("panicked"), "{verb}: {}", ran.stderr);
    }
}

#[test]
fn a_reader_that_has_gone_is_a_quiet_end() {
    let user = user();
    for verb in VERBS {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let ran = ended(&user.command(&words(verb)).stdout(writer).output().unwrap());
        let quiet = !ran.stderr.contains("standard output") && !ran.stderr.contains("panicked");
        assert!(ran.status == 141 && quiet, "{verb}: {} {}", ran.status, ran.stderr);
    }
}

#[test]
fn what_cannot_be_complained_about_changes_no_status() {
    let user = user();
    let failing = [
        ("run -- no-such-program", 127),
        ("run --no-such-option", 2),
        ("check --policy none.yaml -- ls", 2),
        ("audit tail --id NONE", 1),
    ];
    for (line, status) in failing {
        let full = File::options().write(true).open("/dev/full").unwrap();
        let (reader, gone) = std::io::pipe().unwrap();
        drop(reader);
        for stderr in [Stdio::from(full), Stdio::from(gone)] {
            let ran = user.command(&words(line)).stderr(stderr).output().unwrap();
            assert_eq!(ended(&ran).status, status, "{line}");
        }
        let mut shell = std::process::Command::new("/bin/sh");
        let script = format!("{} {line} >&- 2>&-", env!("CARGO_BIN_EXE_rampart"));
        shell.args(["-c", &script]).env("HOME", user.path(""));
        let ran = shell.current_dir(user.path("")).output().unwrap();
        assert_eq!(ended(&ran).status, status, "{line}");
    }
    // Lines are read one after the other, and the second is never asked for.
    let mut child = user.command(&words("audit search")).stdout(Stdio::piped()).spawn().unwrap();
    let mut first = [0; 1];
    child.stdout.take().unwrap().read_exact(&mut first).unwrap();
    assert_ne!(child.wait().unwrap().code(), Some(101));
}
