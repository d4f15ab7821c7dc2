//! The original's own engine cases, run through the real loader and the real `decide` by the built
//! command. They lie beside the repository (`../shared/corpora`), not in it: a row is known here by
//! its digest only. Every answer that differs is in `intended.rs` with its reason, which
//! docs/policy-language.md lists; a new difference fails, and so does one that is gone.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test that panics fails, as it should"
)]

mod engine;
mod intended;
mod original;
mod shell;
mod support;

use serde_json::Value;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::{fs, io};

use intended::{INTENDED, REASONS};

/// One row and what it is called here.
pub struct Row {
    /// First 12 hexadecimal digits of the SHA-256 of its line.
    pub id: String,
    /// The row, runs of repeated text written out.
    pub data: Value,
}

/// The rows of a file of the corpus; `None`, said loudly, if it is not there.
fn rows(file: &str) -> Option<Vec<Row>> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/corpora");
    let path = root.join(file);
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            eprintln!("NOT RUN: the original's cases are not at {}", path.display());
            return None;
        }
        Err(error) => panic!("{}: {error}", path.display()),
    };
    let row = |line: &str| {
        let digest = Sha256::digest(line);
        let id = digest.iter().take(6).map(|byte| format!("{byte:02x}")).collect();
        Row { id, data: written_out(serde_json::from_str(line).unwrap()) }
    };
    Some(text.lines().map(row).collect())
}

/// `{"rle": [[text, count], …]}` as the text that it stands for.
fn written_out(value: Value) -> Value {
    match value {
        Value::Array(items) => items.into_iter().map(written_out).collect(),
        Value::Object(map) => match map.get("rle").and_then(Value::as_array) {
            Some(runs) => runs
                .iter()
                .map(|run| run[0].as_str().unwrap().repeat(run[1].as_u64().unwrap() as usize))
                .collect::<String>()
                .into(),
            None => map.into_iter().map(|(key, value)| (key, written_out(value))).collect(),
        },
        other => other,
    }
}

/// Runs every row of `file`; `judge` answers what is wrong with one.
fn run(file: &str, judge: impl Fn(&Value) -> Result<(), String>) {
    let Some(rows) = rows(file) else {
        return;
    };
    let intended: BTreeMap<&str, &str> = INTENDED
        .iter()
        .filter(|(of, ..)| *of == file)
        .map(|(_, id, reason)| (*id, *reason))
        .collect();
    let mut problems = Vec::new();
    let mut seen = BTreeSet::new();
    for row in &rows {
        let src = row.data["src"].as_str().unwrap_or_default();
        match (judge(&row.data), intended.get(row.id.as_str())) {
            (Ok(()), None) => {}
            (Err(_), Some(_)) => {
                seen.insert(row.id.clone());
            }
            (Err(why), None) => {
                problems.push(format!("(\"{file}\", \"{}\", \"\"), // {src}: {why}", row.id))
            }
            (Ok(()), Some(reason)) => {
                problems.push(format!("{} {src}: agrees, but is listed as `{reason}`", row.id));
            }
        }
    }
    println!("{file}: {} rows, {} intended differences", rows.len(), seen.len());
    assert!(problems.is_empty(), "{} problems:\n{}", problems.len(), problems.join("\n"));
    assert_eq!(seen.len(), intended.len(), "a listed row is no longer there");
}

#[test]
fn engine_cases() {
    run("rampart_engine.jsonl", engine::judge);
}

#[test]
fn glob_cases() {
    run("rampart_glob.jsonl", original::judge);
}

#[test]
fn shell_cases() {
    run("rampart_shellparse.jsonl", shell::judge);
}

/// The reasons are those that users can read, and each is used.
#[test]
fn reasons_are_documented() {
    let docs = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/policy-language.md");
    let docs = fs::read_to_string(docs).unwrap();
    for (reason, count) in REASONS {
        assert!(
            docs.contains(&format!("| {reason} | {count} |")),
            "`{reason}` is not in the documentation"
        );
        let used = INTENDED.iter().filter(|(.., of)| of == reason).count();
        assert_eq!(used, *count, "{reason}");
    }
    assert_eq!(INTENDED.len(), REASONS.iter().map(|(_, count)| count).sum::<usize>());
}
