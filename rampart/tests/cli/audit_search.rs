//! Questions to the log: `rampart audit search` and `rampart report`.

use crate::support::{Ended, User, ended};
use serde_json::{Value, json};

const SPOOL: &str = ".local/state/rampart/audit/spool-0.jsonl";

fn rampart(user: &User, line: &str) -> Ended {
    let words: Vec<&str> = line.split_whitespace().collect();
    let mut command = user.command(&words);
    ended(&command.env("RAMPART_AUDIT_DIR", ".local/state/rampart/audit").output().unwrap())
}

/// Day of November, outcome, rule, agent, tree, command.
const EVENTS: [(u32, &str, &str, &str, &str, &str); 7] = [
    (20, "allowed", "", "claude-code", "T1", "ls -l"),
    (21, "denied", "git/push", "claude-code", "T1", "git push --force"),
    (22, "not-enforced", "git/push", "codex", "T2", "git push -f origin main"),
    (22, "not-enforced", "git/push", "codex", "T2", "git push -f origin main"),
    (23, "not-enforced", "files/roots", "codex", "T2", "rm -rf /home"),
    (24, "unconfirmed", "", "codex", "T2", "sudo LS"),
    (25, "allowed", "looks/at", "", "T3", "watched one"),
];

fn user() -> User {
    let user = User::new();
    let lines = EVENTS.iter().enumerate().map(|(index, (day, outcome, rule, agent, tree, call))| {
        let (policy, rule) = rule.split_once('/').unwrap_or(("", ""));
        let event = json!({
            "v": 1, "id": format!("01JDBF7Z00000000000000000{index}"), "outcome": outcome,
            "time": format!("2026-11-{day}T12:00:00.000000Z"), "policy": policy, "rule": rule, "agent": agent,
            "action": if policy == "looks" { "watch" } else { "deny" }, "tree": tree,
            "argv": call.split(' ').collect::<Vec<_>>(),
        });
        format!("{event}\n")
    });
    user.write(SPOOL, lines.collect::<String>());
    user
}

#[test]
fn what_is_found() {
    let user = user();
    let cases: [(&str, &[usize]); 15] = [
        ("", &[0, 1, 2, 3, 4, 5, 6]),
        ("push", &[1, 2, 3]),
        ("PUSH --force", &[1]),
        ("ls", &[0, 5]),
        ("--outcome denied", &[1]),
        ("--outcome denied --outcome not-enforced", &[1, 2, 3, 4]),
        ("--rule git", &[1, 2, 3]),
        ("--rule git/push --agent codex", &[2, 3]),
        ("--rule git/pull", &[]),
        ("--tree t2", &[2, 3, 4, 5]),
        ("--since 2026-11-23", &[4, 5, 6]),
        ("--since 2026-11-23T12:00:00Z --until 2026-11-24T12:00:00Z", &[4]),
        ("--since 1s", &[]),
        ("--until 2026-11-21", &[0]),
        ("no such words", &[]),
    ];
    for (line, expected) in cases {
        // `push --force`: the two words are two texts, and `--force` would be a flag.
        let line = line.replace("PUSH --force", "PUSH force");
        let found = rampart(&user, &format!("audit search --json {line}"));
        let ids = found.stdout.lines().map(|line| {
            let event: Value = serde_json::from_str(line).unwrap();
            event["id"].as_str().unwrap().chars().last().unwrap().to_digit(10).unwrap() as usize
        });
        assert_eq!(ids.collect::<Vec<_>>(), expected, "{line}: {}", found.stderr);
        assert_eq!(found.status, i32::from(expected.is_empty()), "{line}");
    }
    let shown = rampart(&user, "audit search force");
    assert!(shown.stdout.contains("git push --force") && shown.stdout.contains("git/push"));
    for (line, part) in [("--since soon", "no time"), ("--outcome blocked", "not-enforced")] {
        let found = rampart(&user, &format!("audit search {line}"));
        assert!(found.status == 2 && found.stderr.contains(part), "{line}: {}", found.stderr);
    }
}

#[test]
fn a_report_says_what_would_have_been_stopped() {
    let user = user();
    let found = rampart(&user, "report");
    assert_eq!(found.status, 0, "{}", found.stderr);
    let lines: Vec<&str> = found.stdout.lines().collect();
    assert_eq!(
        lines[0],
        "7 events from 2026-11-20 to 2026-11-25: 3 went ahead, 1 were stopped, 3 would have been in \
         enforce mode"
    );
    assert_eq!(
        lines[2..],
        [
            "stopped",
            "      2  not-enforced  git/push",
            "                         git push -f origin main",
            "      1  not-enforced  files/roots",
            "                         rm -rf /home",
            "      1  denied        git/push",
            "                         git push --force",
            "",
            "watched",
            "      1  allowed       looks/at",
            "                         watched one",
        ]
    );
    let found = rampart(&user, "report --json --agent codex --outcome not-enforced");
    let report: Value = serde_json::from_str(&found.stdout).unwrap();
    assert_eq!((&report["events"], &report["stopped"][0]["count"]), (&3.into(), &2.into()));
    assert_eq!(rampart(&user, "report --since 1s").stdout, "no events\n");
    assert_eq!(rampart(&User::new(), "report").stdout, "no events\n");
}
