//! `rampart audit tail` over files as the library writes them, and as accidents leave them.

use crate::support::{Ended, User, ended, words};
use serde_json::json;
use std::fs::OpenOptions;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Stdio};
use std::sync::mpsc;
use std::time::Duration;

const SPOOL: &str = ".local/state/rampart/audit/spool-0.jsonl";

/// Looks in the one directory only: other tests on this machine leave events in the places that
/// are read where none is chosen.
fn tail(user: &User, line: &str) -> Ended {
    let mut command = user.command(&words(line));
    command.env("RAMPART_AUDIT_DIR", ".local/state/rampart/audit");
    ended(&command.output().unwrap())
}

fn event(number: u32, outcome: &str) -> String {
    let id = format!("01JDBF7Z00000000000000{number:04}");
    let event = json!({
        "v": 1, "id": id, "time": "2026-11-23T07:59:59.000001Z", "pid": 100 + number, "outcome": outcome,
        "action": if outcome == "denied" { "deny" } else { "allow" }, "policy": "p", "rule": "r",
        "cwd": "/work", "argv": ["prog", format!("arg-{number}")],
    });
    format!("{event}\n")
}

#[test]
fn the_last_events_are_shown() {
    let user = User::new();
    let mut first = String::new();
    let mut second = String::new();
    for number in 0..30 {
        let outcome = if number % 10 == 5 { "denied" } else { "allowed" };
        // Two users' files, interleaved in time.
        let file = if number % 2 == 0 { &mut first } else { &mut second };
        file.push_str(&event(number, outcome));
    }
    user.write(SPOOL, &first);
    user.write(".local/state/rampart/audit/spool-7.jsonl", &second);
    let numbers = |from: u32, to: u32| (from..to).collect::<Vec<_>>();
    let cases = [
        ("audit tail", vec![5, 15, 25]),
        ("audit tail --all", numbers(10, 30)),
        ("audit tail --each -n 3", numbers(27, 30)),
        ("audit tail --all -n 0", vec![]),
        ("audit tail --all --lines 100", numbers(0, 30)),
        ("audit tail --deny", vec![5, 15, 25]),
        ("audit tail --deny -n 1", vec![25]),
        ("audit tail --all --json -n 2", vec![28, 29]),
        ("audit tail --id 0007", vec![7]),
        ("audit tail --json --id 01jdbf7z000000000000000007", vec![7]),
    ];
    for (line, expected) in cases {
        let found = tail(&user, line);
        assert_eq!(found.status, 0, "{line}: {}", found.stderr);
        let shown = found.stdout.lines().filter_map(|line| {
            let at = line.find("arg-")?;
            let digits = line[at + 4..].split(|c: char| !c.is_ascii_digit()).next()?;
            digits.parse::<u32>().ok()
        });
        assert_eq!(shown.collect::<Vec<_>>(), expected, "{line}: {}", found.stdout);
    }
    let json = tail(&user, "audit tail --each --json -n 1");
    let start = event(29, "allowed");
    assert!(json.stdout.starts_with(start.trim_end().trim_end_matches('}')), "{}", json.stdout);
    assert!(json.stdout.contains(",\"seq\":") && json.stdout.contains(",\"hash\":"));
    let details = tail(&user, "audit tail --id 0007");
    for part in ["01JDBF7Z000000000000000007", "prog arg-7", "allow by p/r", "/work"] {
        assert!(details.stdout.contains(part), "{part} in {}", details.stdout);
    }
}

#[test]
fn accidents_are_counted_and_passed_over() {
    let user = User::new();
    let mut content = event(1, "denied").into_bytes();
    content.extend_from_slice(b"{\"v\":1,\"id\":\"01J\n\xff\xfe\x00\nhello\n\n");
    content.extend_from_slice(event(2, "denied").as_bytes());
    content.extend_from_slice(b"{\"torn");
    user.write(SPOOL, content);
    let found = tail(&user, "audit tail");
    assert_eq!(found.status, 0);
    assert_eq!(found.stdout.lines().count(), 2, "{}", found.stdout);
    assert!(found.stderr.contains("4 lines"), "{}", found.stderr);
}

#[test]
fn what_is_not_there() {
    let user = User::new();
    let found = tail(&user, "audit tail");
    assert_eq!((found.status, found.stdout.as_str()), (0, ""));
    assert!(found.stderr.contains("no events"), "{}", found.stderr);
    user.write(SPOOL, event(1, "denied"));
    let cases = [
        ("audit tail --id 7F3K", 1, "no event"),
        ("audit tail --id 7", 2, "four characters"),
        ("audit tail -n x", 2, "--lines"),
        ("audit", 2, "tail"),
    ];
    for (line, status, part) in cases {
        let found = tail(&user, line);
        assert_eq!(found.status, status, "{line}: {}", found.stderr);
        assert!(found.stderr.contains(part), "{line}: {}", found.stderr);
    }
    user.write("elsewhere", "a file");
    let mut command = user.command(&words("audit tail"));
    let found = command.env("RAMPART_AUDIT_DIR", "elsewhere").output().unwrap();
    assert_eq!(found.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&found.stderr).contains("elsewhere"));
}

#[test]
fn the_directory_can_be_chosen() {
    let user = User::new();
    user.write("a/spool-0.jsonl", event(1, "denied"));
    user.write("state/rampart/audit/spool-0.jsonl", event(2, "denied"));
    user.write(SPOOL, event(3, "denied"));
    for (name, value, id) in [
        ("UNUSED", "".into(), "000000003"),
        ("RAMPART_AUDIT_DIR", "a".into(), "000000001"),
        ("XDG_STATE_HOME", user.path("state"), "000000002"),
    ] {
        let found = user.command(&["audit", "tail", "--id", id]).env(name, value).output().unwrap();
        let stdout = String::from_utf8_lossy(&found.stdout);
        assert!(stdout.contains(id), "{name}: {stdout}");
    }
}

#[test]
fn following() {
    let user = User::new();
    let path = user.write(SPOOL, event(1, "allowed") + &event(2, "denied"));
    let mut child = Ending(
        user.command(&words("audit tail --all --follow -n 1"))
            .env("RAMPART_AUDIT_DIR", path.parent().unwrap())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap(),
    );
    let (sender, lines) = mpsc::channel();
    let output = BufReader::new(child.0.stdout.take().unwrap());
    std::thread::spawn(move || {
        output.lines().map_while(Result::ok).try_for_each(|line| sender.send(line))
    });
    let next = || lines.recv_timeout(Duration::from_secs(30)).unwrap();
    let append = |text: String| {
        let mut file = OpenOptions::new().append(true).create(true).open(&path).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    };
    assert!(next().contains("arg-2"));
    append(event(3, "denied"));
    assert!(next().contains("arg-3"));
    append(event(4, "denied"));
    assert!(next().contains("arg-4"));
    std::fs::write(&path, event(5, "allowed")).unwrap();
    assert!(next().contains("arg-5"));
    user.write(".local/state/rampart/audit/spool-9.jsonl", event(6, "denied"));
    assert!(next().contains("arg-6"));
}

/// A child that ends with the test, however that ends.
struct Ending(Child);

impl Drop for Ending {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}
