//! What `rampart audit verify` says of a log that somebody changed, without and with the
//! verification key: the tamper table of docs/audit-format.md.

use crate::support::{Ended, User};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

const AUDIT: &str = ".local/state/rampart/audit";

fn rampart(user: &User, arguments: &[&str]) -> Ended {
    let mut command = user.command(arguments);
    crate::support::ended(&command.env("RAMPART_AUDIT_DIR", AUDIT).output().unwrap())
}

fn spool(user: &User, numbers: std::ops::Range<u32>) {
    let lines: String = numbers
        .map(|number| {
            let id = format!("01JDBF7Z00000000000000{number:04}");
            format!(
                "{{\"v\":1,\"id\":\"{id}\",\"outcome\":\"allowed\",\"argv\":[\"a{number}\"]}}\n"
            )
        })
        .collect();
    user.write(&format!("{AUDIT}/spool-0.jsonl"), lines);
}

/// A log of three merges, sealed after each, and its verification key.
fn sealed(user: &User) -> String {
    let shown = rampart(user, &["audit", "seal"]);
    assert_eq!(shown.status, 0, "{}", shown.stderr);
    for part in 0..3 {
        spool(user, part * 5..part * 5 + 5);
        assert_eq!(rampart(user, &["audit", "tail"]).status, 0);
    }
    shown.stdout.trim().to_owned()
}

fn chain(user: &User) -> PathBuf {
    user.path(AUDIT).join("chain-000001.jsonl")
}

fn lines(user: &User) -> Vec<String> {
    fs::read_to_string(chain(user)).unwrap().lines().map(str::to_owned).collect()
}

fn put(user: &User, lines: &[String]) {
    fs::write(chain(user), lines.iter().map(|line| format!("{line}\n")).collect::<String>())
        .unwrap();
}

/// Position of the line that holds `text`.
fn at(lines: &[String], text: &str) -> usize {
    lines.iter().position(|line| line.contains(text)).unwrap()
}

type Files = BTreeMap<OsString, Vec<u8>>;

fn copy(directory: &Path) -> Files {
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap());
    entries.map(|entry| (entry.file_name(), fs::read(entry.path()).unwrap())).collect()
}

fn restore(directory: &Path, files: &Files) {
    for entry in fs::read_dir(directory).unwrap() {
        fs::remove_file(entry.unwrap().path()).unwrap();
    }
    for (name, bytes) in files {
        fs::write(directory.join(name), bytes).unwrap();
    }
}

/// Hashes every line anew, as somebody with write access and this program's source would.
fn rewritten(lines: &[String]) -> Vec<String> {
    use sha2::{Digest as _, Sha256};
    let mut prev = "0".repeat(64);
    lines
        .iter()
        .enumerate()
        .map(|(index, line)| {
            let event = &line[..line.rfind(",\"seq\":").unwrap()];
            let body = format!("{event},\"seq\":{},\"prev\":\"{prev}\"", index + 1);
            prev = Sha256::digest(&body).iter().map(|byte| format!("{byte:02x}")).collect();
            format!("{body},\"hash\":\"{prev}\"}}")
        })
        .collect()
}

#[test]
fn a_log_that_nobody_touched_is_proven() {
    let user = User::new();
    assert_eq!(rampart(&user, &["audit", "verify"]).status, 2, "no log");
    let key = sealed(&user);
    let plain = rampart(&user, &["audit", "verify"]);
    assert_eq!(plain.status, 0, "{}", plain.stdout);
    assert!(plain.stdout.contains("not checked"), "{}", plain.stdout);
    let proven = rampart(&user, &["audit", "verify", "--json", "--key", &key]);
    assert_eq!(proven.status, 0, "{}", proven.stdout);
    let report: serde_json::Value = serde_json::from_str(&proven.stdout).unwrap();
    assert_eq!((&report["seals"], &report["problem_count"]), (&4.into(), &0.into()), "{report}");
    // All but the last seal itself.
    assert_eq!(report["proven_upto"].as_u64().unwrap() + 1, report["last"].as_u64().unwrap());
    let again = rampart(&user, &["audit", "seal"]);
    assert!(again.status == 1 && again.stderr.contains("already"), "{}", again.stderr);
    let files = copy(&user.path(AUDIT));
    let secret = key.rsplit('-').next().unwrap();
    for (name, bytes) in files {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        assert!(!text.contains(secret), "the key stands in {}", name.display());
    }
}

#[test]
fn the_tamper_table() {
    // What is done, and the exit status without and with the key.
    type Change<'a> = &'a dyn Fn(&mut Vec<String>);
    let table: [(&str, Change<'_>, i32, i32); 9] = [
        (
            "edit",
            &|l| {
                let i = at(l, "\"a3\"");
                l[i] = l[i].replace("a3", "b3")
            },
            1,
            1,
        ),
        (
            "edit the last entry",
            &|l| {
                let i = l.len() - 1;
                l[i] = l[i].replace("seal", "soul")
            },
            1,
            1,
        ),
        ("delete", &|l| drop(l.remove(at(l, "\"a7\""))), 1, 1),
        (
            "insert a copy",
            &|l| {
                let i = at(l, "\"a7\"");
                l.insert(i, l[i].clone())
            },
            1,
            1,
        ),
        (
            "reorder",
            &|l| {
                let i = at(l, "\"a7\"");
                l.swap(i, i + 1)
            },
            1,
            1,
        ),
        (
            "no entry at all",
            &|l| {
                let i = at(l, "\"a7\"");
                l[i] = "{}".into()
            },
            1,
            1,
        ),
        ("cut off with its seals", &|l| l.truncate(at(l, "\"a9\"")), 1, 1),
        ("cut off at the start", &|l| drop(l.drain(..4)), 1, 1),
        (
            "rewritten whole, with new hashes",
            &|l| {
                let i = at(l, "\"a3\"");
                l[i] = l[i].replace("a3", "b3");
                *l = rewritten(l)
            },
            0,
            1,
        ),
    ];
    for (name, change, without, with) in table {
        let user = User::new();
        let key = sealed(&user);
        let mut all = lines(&user);
        change(&mut all);
        put(&user, &all);
        let found = rampart(&user, &["audit", "verify"]);
        assert_eq!(found.status, without, "{name}: {}", found.stdout);
        let found = rampart(&user, &["audit", "verify", "--key", &key]);
        assert_eq!(found.status, with, "{name}: {}", found.stdout);
        // Recording goes on, and what was found stays found.
        spool(&user, 90..91);
        assert!(rampart(&user, &["audit", "tail", "--all"]).stdout.contains("a90"), "{name}");
        let found = rampart(&user, &["audit", "verify", "--key", &key]);
        assert_eq!(found.status, with, "{name}, later: {}", found.stdout);
    }
}

#[test]
fn an_old_copy_takes_an_anchor_to_find() {
    let user = User::new();
    let directory = user.path(AUDIT);
    let key = sealed(&user);
    let old = copy(&directory);
    spool(&user, 20..25);
    let anchor = rampart(&user, &["audit", "anchor"]);
    assert_eq!(anchor.status, 0, "{}", anchor.stderr);
    let file = user.write("anchors", &anchor.stdout);
    let file = file.to_str().unwrap();
    let check = |what: &[&str]| {
        let mut arguments = vec!["audit", "verify"];
        arguments.extend(what);
        rampart(&user, &arguments).status
    };
    assert_eq!(check(&["--key", &key, "--anchor", file]), 0);
    let new = copy(&directory);
    restore(&directory, &old);
    assert_eq!(check(&["--key", &key]), 0, "everything put back, the key file too");
    assert_eq!(check(&["--key", &key, "--anchor", file]), 1);
    // The log alone put back: the key file knows better.
    restore(&directory, &new);
    fs::write(chain(&user), &old[&OsString::from("chain-000001.jsonl")]).unwrap();
    assert_eq!(check(&[]), 1);
    restore(&directory, &new);
    fs::remove_file(directory.join("seal.key")).unwrap();
    assert_eq!(check(&[]), 1, "a sealed log without its key file");
    assert_eq!(check(&["--key", "nonsense"]), 2);
    assert_eq!(check(&["--anchor", "/nonexistent"]), 2);
}

#[test]
fn what_is_cut_off_behind_the_last_seal_takes_an_anchor_to_find() {
    let user = User::new();
    let key = sealed(&user);
    let sealed_lines = lines(&user);
    // Entries that nothing has sealed yet, as a crash leaves them.
    let mut all = sealed_lines.clone();
    let last = all.last().unwrap().clone();
    let value: serde_json::Value = serde_json::from_str(&last).unwrap();
    let body = format!(
        "{{\"v\":1,\"id\":\"z\",\"outcome\":\"denied\",\"seq\":{},\"prev\":{}",
        value["seq"].as_u64().unwrap() + 1,
        value["hash"]
    );
    use sha2::{Digest as _, Sha256};
    let hash: String = Sha256::digest(&body).iter().map(|byte| format!("{byte:02x}")).collect();
    all.push(format!("{body},\"hash\":\"{hash}\"}}"));
    put(&user, &all);
    let found = rampart(&user, &["audit", "verify", "--key", &key]);
    assert!(found.status == 0 && found.stdout.contains("only consistent"), "{}", found.stdout);
    let anchor = user.write("anchor", &rampart(&user, &["audit", "anchor"]).stdout);
    put(&user, &sealed_lines);
    let anchor = anchor.to_str().unwrap();
    assert_eq!(rampart(&user, &["audit", "verify", "--key", &key]).status, 0);
    let found = rampart(&user, &["audit", "verify", "--key", &key, "--anchor", anchor]);
    assert_eq!(found.status, 1, "{}", found.stdout);
}

#[test]
fn a_torn_end_is_set_aside() {
    let user = User::new();
    let key = sealed(&user);
    let mut bytes = fs::read(chain(&user)).unwrap();
    bytes.extend_from_slice(b"{\"v\":1,\"id\":\"to");
    fs::write(chain(&user), bytes).unwrap();
    let found = rampart(&user, &["audit", "verify", "--key", &key]);
    assert_eq!(found.status, 0, "{}", found.stdout);
    assert!(
        found.stdout.contains("note: ") && found.stdout.contains("unfinished"),
        "{}",
        found.stdout
    );
    spool(&user, 30..31);
    assert!(rampart(&user, &["audit", "tail", "--all"]).stdout.contains("a30"));
    let found = rampart(&user, &["audit", "verify", "--key", &key]);
    assert_eq!(found.status, 0, "{}", found.stdout);
    assert!(copy(&user.path(AUDIT)).keys().any(|name| name.to_string_lossy().starts_with("torn-")));
}
