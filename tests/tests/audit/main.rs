//! The audit log under everything that can happen to a machine: processes that are killed, disks
//! that are full, read-only or broken. No verdict suffers, nothing that was acknowledged is lost,
//! and `rampart audit verify` passes or names the gap.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that panics fails, as it should"
)]

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use tests::{Guard, Ran, run};

mod crash;
mod daemon;
mod disks;
mod large;
mod liveness;
mod receivers;
mod socket;

/// `rampart` with the guard's log, outside of any tree.
fn command(guard: &Guard, arguments: &[&str]) -> Command {
    let mut command = guard.bare(tests::rampart());
    command.args(arguments).env("RAMPART_AUDIT_DIR", guard.audit());
    command
}

fn say(guard: &Guard, arguments: &[&str]) -> Ran {
    run(&mut command(guard, arguments), "")
}

/// Appends events to a spool, as the library does.
fn spool(guard: &Guard, ids: impl IntoIterator<Item = u32>) {
    let lines: String = ids
        .into_iter()
        .map(|id| {
            format!("{{\"v\":1,\"id\":\"E{id:05}\",\"outcome\":\"allowed\",\"argv\":[\"a\"]}}\n")
        })
        .collect();
    let path = guard.audit().join("spool-0.jsonl");
    let mut file = fs::File::options().create(true).append(true).open(path).unwrap();
    file.write_all(lines.as_bytes()).unwrap();
}

/// The files of the chain, in order.
fn chain(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let mut all: Vec<PathBuf> = entries
        .filter(|path| path.file_name().unwrap().to_string_lossy().starts_with("chain-0"))
        .collect();
    all.sort();
    all
}

/// How often each event stands in the chain, by its id.
fn told(dir: &Path) -> BTreeMap<String, usize> {
    let mut all = BTreeMap::new();
    for path in chain(dir) {
        for line in fs::read_to_string(path).unwrap().lines() {
            // A torn end is no entry.
            let Ok(entry) = serde_json::from_str::<Value>(line) else {
                continue;
            };
            if let Some(id) = entry["id"].as_str()
                && entry["hook"] != "service"
            {
                *all.entry(id.to_owned()).or_default() += 1;
            }
        }
    }
    all
}

/// That exactly these events are in the log, each once, and that the log is whole.
fn is_whole(guard: &Guard, key: &str, ids: impl IntoIterator<Item = u32>, what: &str) {
    let found = say(guard, &["audit", "verify", "--key", key]);
    assert_eq!(found.status, 0, "{what}: {found:?}");
    assert!(!found.stdout.contains("broken"), "{what}: {found:?}");
    let expected: BTreeMap<String, usize> =
        ids.into_iter().map(|id| (format!("E{id:05}"), 1)).collect();
    assert_eq!(told(&guard.audit()), expected, "{what}");
}

/// Starts sealing; the verification key.
fn sealed(guard: &Guard) -> String {
    let ran = say(guard, &["audit", "seal"]);
    assert_eq!(ran.status, 0, "{ran:?}");
    ran.stdout.trim().to_owned()
}
