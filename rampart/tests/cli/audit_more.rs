//! `rampart audit stats`, `replay`, `export`, `prune`, and what `tail` leaves out.

use crate::support::{Ended, User, ended};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use std::process::Command;

const AUDIT: &str = ".local/state/rampart/audit";

fn rampart(user: &User, arguments: &[&str]) -> Ended {
    let mut command = user.command(arguments);
    ended(&command.env("RAMPART_AUDIT_DIR", AUDIT).output().unwrap())
}

/// Action, outcome, tree, arguments.
type Row<'a> = (&'a str, &'a str, &'a str, &'a [&'a str]);

const EVENTS: [Row<'_>; 9] = [
    ("allow", "allowed", "T1", &["python3", "a.py"]),
    ("allow", "allowed", "T1", &["ls", "-l"]),
    ("allow", "unconfirmed", "T1", &["ls", "=|\\ \"x\""]),
    ("deny", "denied", "T1", &["x-deny", "now"]),
    ("allow", "allowed", "T1", &["x-ask"]),
    ("allow", "allowed", "T2", &["x-look", "--token", "[masked]"]),
    ("ask", "allowed", "T2", &["x-ask"]),
    ("watch", "allowed", "T2", &["x-watch"]),
    ("allow", "allowed", "T2", &["x-deny"]),
];

fn user() -> User {
    let user = User::new();
    let lines = EVENTS.iter().enumerate().map(|(index, (action, outcome, tree, argv))| {
        let event = json!({
            "v": 1, "id": format!("01JDBF7Z00000000000000000{index}"), "pid": 7 + index, "uid": 0,
            "time": format!("2026-11-2{index}T12:00:00.000000Z"), "action": action, "outcome": outcome,
            "reason": "rule", "policy": "p", "rule": "r-1", "agent": "claude", "tool": "exec",
            "exe": format!("/usr/bin/{}", argv[0]), "tree": tree, "argv": argv, "cwd": "/work",
        });
        format!("{event}\n")
    });
    user.write(&format!("{AUDIT}/spool-0.jsonl"), lines.collect::<String>());
    user
}

#[test]
fn the_tail_is_short() {
    let user = user();
    // What is shown of each line: the end of an event's id, or how many more starts there were.
    let cases: [(&[&str], &[&str]); 6] = [
        (&["audit", "tail"], &["3", "6"]),
        (&["audit", "tail", "--all"], &["0", "and 2 more", "3", "4", "5", "6", "7", "8"]),
        (&["audit", "tail", "--all", "-n", "6"], &["3", "4", "5", "6", "7", "8"]),
        (
            &["audit", "tail", "--all", "-n", "7"],
            &["0", "and 2 more", "3", "4", "5", "6", "7", "8"],
        ),
        (&["audit", "tail", "--each"], &["0", "1", "2", "3", "4", "5", "6", "7", "8"]),
        (&["audit", "tail", "--deny"], &["3"]),
    ];
    for (arguments, expected) in cases {
        let found = rampart(&user, arguments);
        assert_eq!(found.status, 0, "{arguments:?}: {}", found.stderr);
        let shown: Vec<String> = found
            .stdout
            .lines()
            .map(|line| match line.trim().strip_suffix(" starts of the same tree") {
                Some(more) => more.to_owned(),
                None => line[..41].trim_end().chars().last().unwrap().to_string(),
            })
            .collect();
        assert_eq!(shown, expected, "{arguments:?}: {}", found.stdout);
    }
}

#[test]
fn statistics() {
    let user = user();
    let found = rampart(&user, &["audit", "stats", "--json"]);
    assert_eq!(found.status, 0, "{}", found.stderr);
    let stats: Value = serde_json::from_str(&found.stdout).unwrap();
    assert_eq!((&stats["events"], &stats["trees"]), (&9.into(), &2.into()));
    assert_eq!(stats["outcomes"], json!({"allowed": 7, "denied": 1, "unconfirmed": 1}));
    assert_eq!(stats["programs"]["ls"], 2);
    assert_eq!(stats["log"]["files"], 1);
    let found = rampart(&user, &["audit", "stats", "--outcome", "denied"]);
    assert!(found.stdout.starts_with("1 events of 1 trees\n"), "{}", found.stdout);
}

#[test]
fn another_policy() {
    let user = user();
    let found = rampart(&user, &["audit", "replay", "--policy", "policy.yaml", "--json"]);
    assert_eq!(found.status, 1, "{}", found.stderr);
    let lines: Vec<Value> =
        found.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let changes: Vec<_> = lines[..lines.len() - 1]
        .iter()
        .map(|change| {
            let id = change["id"].as_str().unwrap();
            (&id[25..], change["old"].as_str().unwrap(), change["new"].as_str().unwrap())
        })
        .collect();
    assert_eq!(changes, [("4", "allow", "ask"), ("8", "allow", "deny")]);
    let summary = &lines[lines.len() - 1];
    let expected = json!({
        "events": 9, "unchanged": 7, "newly_denied": 1, "newly_asked": 1, "newly_allowed": 0, "other": 0,
        "not_judged": 0, "partly_known": 1,
    });
    assert_eq!(*summary, expected);
    // A policy that denies nothing lets one go ahead; the same policy changes nothing in what it decided.
    user.write("open.yaml", "version: '1'\ndefault_action: allow\npolicies: []\n");
    let found =
        rampart(&user, &["audit", "replay", "--policy", "open.yaml", "--outcome", "denied"]);
    assert!(found.status == 1 && found.stdout.contains("1 newly allowed"), "{}", found.stdout);
    let same = ["audit", "replay", "--policy", "policy.yaml", "--outcome", "denied"];
    assert_eq!(rampart(&user, &same).status, 0);
    assert_eq!(rampart(&user, &["audit", "replay"]).status, 2);
}

#[test]
fn forms_for_others() {
    let user = user();
    let export = |format: &str| {
        let found = rampart(&user, &["audit", "export", "--format", format]);
        assert_eq!(found.status, 0, "{format}: {}", found.stderr);
        found.stdout
    };
    assert_eq!(export("json").lines().count(), 9);
    let otlp: Value = serde_json::from_str(export("otlp").trim()).unwrap();
    let records = otlp.pointer("/resourceLogs/0/scopeLogs/0/logRecords").unwrap();
    assert_eq!(records.as_array().unwrap().len(), 9);
    assert!(export("syslog").lines().all(|line| line.contains(" rampart ")));
    assert!(export("syslog-cef").lines().all(|line| line.contains("] CEF:0|Rampart|")));
    // An independent parser of CEF, where it is installed (`.ci/install.sh`).
    let cef = user.write("events.cef", export("cef"));
    let script = "import sys, json, pycef\nfor line in open(sys.argv[1]): print(json.dumps(pycef.parse(line.rstrip('\\n'))))";
    let bin = Path::new(env!("CARGO_BIN_EXE_rampart"));
    let python = bin.ancestors().nth(2).unwrap().join("python/bin/python3");
    if !python.exists() {
        return println!("skipped: .ci/install.sh has not installed pycef");
    }
    let parsed = Command::new(python).args(["-c", script]).arg(&cef).output().unwrap();
    let text = String::from_utf8_lossy(&parsed.stdout);
    assert!(parsed.status.success(), "{}", String::from_utf8_lossy(&parsed.stderr));
    let parsed: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(parsed.len(), 9);
    for (event, (action, outcome, tree, _)) in parsed.iter().zip(EVENTS) {
        assert_eq!(event["DeviceVendor"], "Rampart", "{event}");
        assert_eq!(
            (&event["act"], &event["outcome"]),
            (&action.into(), &outcome.into()),
            "{event}"
        );
        assert_eq!((&event["tree"], &event["rule"]), (&tree.into(), &"p/r-1".into()), "{event}");
    }
    assert_eq!(
        parsed[2]["sproc"], "ls '\\=|\\\\ \"x\"'",
        "as it was escaped: that parser leaves it so"
    );
}

#[test]
fn pruning_needs_a_limit() {
    let user = user();
    assert_eq!(rampart(&user, &["audit", "prune"]).status, 2);
    assert_eq!(rampart(&user, &["audit", "prune", "--keep", "soon"]).status, 2);
    let found = rampart(&user, &["audit", "prune", "--keep", "0s", "--keep-size", "0", "--json"]);
    assert_eq!(found.status, 0, "{}", found.stderr);
    let pruned: Value = serde_json::from_str(&found.stdout).unwrap();
    assert_eq!(pruned["files"], json!([]), "the last two files stay");
    assert_eq!(rampart(&user, &["audit", "verify"]).status, 0);
}

#[test]
fn who_may_read_the_log_and_what_it_may_be() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let user = user();
    assert_eq!(rampart(&user, &["audit", "verify"]).status, 0);
    for entry in fs::read_dir(user.path(AUDIT)).unwrap() {
        let entry = entry.unwrap();
        // The spool's own mode is its writer's; what we make is for nobody else.
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with("chain") {
            assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{name}");
        }
    }
    let chain = user.path(AUDIT).join("chain-000001.jsonl");
    let spool = || {
        let event = "{\"v\":1,\"id\":\"01JDBF7Z0000000000000000AB\",\"outcome\":\"denied\"}\n";
        user.write(&format!("{AUDIT}/spool-0.jsonl"), event)
    };
    for name in ["chain-000001.jsonl", "chain.lock"] {
        let path = user.path(AUDIT).join(name);
        let kept = user.path("kept");
        fs::rename(&path, &kept).unwrap();
        symlink(&kept, &path).unwrap();
        spool();
        let found = rampart(&user, &["audit", "prune", "--keep", "1d"]);
        assert_eq!(found.status, 1, "{name} is a link: {}", found.stdout);
        fs::remove_file(&path).unwrap();
        fs::rename(&kept, &path).unwrap();
    }
    assert_eq!(rampart(&user, &["audit", "verify"]).status, 0);
    if is_root() {
        std::os::unix::fs::chown(&chain, Some(12345), None).unwrap();
        spool();
        let found = rampart(&user, &["audit", "prune", "--keep", "1d"]);
        assert!(
            found.status == 1 && found.stderr.contains("not a file of yours"),
            "{}",
            found.stderr
        );
    }
}

fn is_root() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    status.lines().any(|line| line.starts_with("Uid:\t0\t0"))
}
