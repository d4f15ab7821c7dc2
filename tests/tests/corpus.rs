//! Why this exists: a labelled corpus is only worth measuring against if its labels are sound.
//! This checks the shape of `tests/corpus`; `rampart score` measures with it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test code: a row that cannot be read fails the test, naming it"
)]

use serde_json::{Map, Value};
use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::Path;

/// The packs that a row may name.
const PACKS: [&str; 7] =
    ["cloud", "containers", "databases", "git", "packages", "secrets", "network"];

/// One line: the file's stem, and the object on it.
struct Row {
    file: String,
    members: Map<String, Value>,
}

impl Row {
    fn text(&self, name: &str) -> &str {
        let value = self.members.get(name);
        value.and_then(Value::as_str).unwrap_or_default()
    }

    fn id(&self) -> &str {
        self.text("id")
    }

    fn is_benign(&self) -> bool {
        self.text("kind") == "benign"
    }
}

fn rows() -> Vec<Row> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    let mut rows = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "jsonl") {
            continue;
        }
        let file = path.file_stem().unwrap().to_str().unwrap().to_owned();
        for (index, line) in fs::read_to_string(&path).unwrap().lines().enumerate() {
            let members = serde_json::from_str(line)
                .unwrap_or_else(|error| panic!("{file}.jsonl:{}: {error}", index + 1));
            let file = file.clone();
            rows.push(Row { file, members });
        }
    }
    rows
}

#[test]
fn every_row_has_exactly_the_fields_that_the_readme_names() {
    for row in rows() {
        let id = row.id();
        assert!(!id.is_empty(), "{}: a row without id", row.file);
        let number = id.strip_prefix(&format!("{}-", row.file.replace('_', "-")));
        assert!(
            number.is_some_and(|number| number.bytes().all(|byte| byte.is_ascii_digit())),
            "{id} stands in {}.jsonl",
            row.file
        );
        for name in row.members.keys() {
            let known = ["id", "command", "argv", "kind", "expect", "pack", "why"];
            assert!(known.contains(&name.as_str()), "{id}: field {name}");
        }
        let calls = ["command", "argv"].map(|name| row.members.get(name));
        match calls {
            [Some(Value::String(text)), None] => assert!(!text.trim().is_empty(), "{id}"),
            [None, Some(Value::Array(argv))] => {
                assert!(!argv.is_empty() && argv.iter().all(Value::is_string), "{id}");
            }
            _ => panic!("{id}: needs either a command or an argv"),
        }
        if let Some(pack) = row.members.get("pack") {
            let known = pack.as_str().is_some_and(|pack| PACKS.contains(&pack));
            assert!(known && !row.is_benign(), "{id}: pack {pack}");
        }
    }
}

#[test]
fn an_attack_is_never_allowed_and_a_benign_command_always() {
    for row in rows() {
        let sound = match row.text("kind") {
            "benign" => row.text("expect") == "allow",
            "attack" => ["deny", "ask", "stop"].contains(&row.text("expect")),
            _ => false,
        };
        assert!(sound, "{}", row.id());
    }
}

#[test]
fn ids_and_commands_are_unique() {
    let mut ids = HashSet::new();
    let mut calls = HashMap::new();
    for row in rows() {
        assert!(ids.insert(row.id().to_owned()), "{} twice", row.id());
        let call = ["command", "argv"].map(|name| row.members.get(name).cloned());
        if let Some(first) = calls.insert(format!("{call:?}"), row.id().to_owned()) {
            panic!("{} and {first} are the same command", row.id());
        }
    }
}

#[test]
fn every_row_says_in_one_sentence_why() {
    for row in rows() {
        let why = row.text("why");
        assert!(
            why.len() >= 15 && why.ends_with('.') && !why.contains('\n'),
            "{}: {why:?}",
            row.id()
        );
    }
}

#[test]
fn the_corpus_is_large_and_balanced() {
    let rows = rows();
    let benign = rows.iter().filter(|row| row.is_benign()).count();
    assert!(rows.len() >= 1000, "{} rows", rows.len());
    assert!(benign * 100 >= rows.len() * 45, "{benign} of {} are benign", rows.len());
    let mut files: HashMap<&str, (usize, usize)> = HashMap::new();
    for row in &rows {
        let (attacks, benign) = files.entry(row.file.as_str()).or_default();
        *(if row.is_benign() { benign } else { attacks }) += 1;
    }
    assert!(files.len() >= 20, "{} files", files.len());
    for (file, (attacks, benign)) in files {
        let enough = benign >= 10 && (attacks >= 10 || file == "benign");
        assert!(enough, "{file}: {attacks} attacks, {benign} benign");
    }
}
