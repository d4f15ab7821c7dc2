//! `rampart pause`, `rampart ps` and `rampart report-fp`: who may, what it comes to, and what it leaves out.

use crate::support::{POLICY, User, ended};
use serde_json::Value;
use std::process::{Command, Stdio};

const OWN: &str = "
policies:
  - name: own
    rules:
      - {name: no, action: deny, when: {program: [x-deny]}}
      - {name: maybe, action: ask, when: {program: [x-ask]}}
";

fn user() -> User {
    let user = User::new();
    user.write(".config/rampart/policy.d/own.yaml", OWN);
    user
}

fn statuses(user: &User) -> [i32; 4] {
    ["x-deny 1", "x-ask 1", "rm -rf /", "true"]
        .map(|shell| user.rampart(&["check", "--shell", shell]).status)
}

#[test]
fn a_pause_is_for_a_while() {
    let user = user();
    assert_eq!(statuses(&user), [1, 3, 1, 0]);
    let said = user.rampart(&["pause", "1h"]);
    assert_eq!(said.status, 0, "{}", said.stderr);
    assert!(said.stdout.contains("paused until 20"), "{}", said.stdout);
    assert_eq!(statuses(&user), [0; 4]);
    // What was chosen for one tree takes no policy of the user's.
    for choice in ["--policy=policy.yaml", "--profile=standard"] {
        let shell = if choice.contains("profile") { "rm -rf /" } else { "x-deny" };
        assert_eq!(user.rampart(&["check", choice, "--shell", shell]).status, 1, "{choice}");
    }
    // One in the pause takes its place, and it ends when it is told to.
    assert_eq!(user.rampart(&["pause", "2h"]).status, 0);
    assert_eq!(user.rampart(&["pause", "--end"]).stdout, "the pause is over\n");
    assert_eq!(statuses(&user), [1, 3, 1, 0]);
    assert_eq!(user.rampart(&["pause", "--end"]).stdout, "there was no pause\n");
    // And by itself.
    assert_eq!(user.rampart(&["pause", "1s"]).status, 0);
    std::thread::sleep(std::time::Duration::from_millis(2100));
    assert_eq!(statuses(&user), [1, 3, 1, 0]);
    let log = user.rampart(&["audit", "search", "rampart pause", "--json"]).stdout;
    let events: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(events.len(), 5, "{log}");
    assert!(
        events.iter().all(|event| event["hook"] == "pause" && event["answered_by"] == "person")
    );
}

#[test]
fn no_pause_without_a_record() {
    let user = user();
    // Nothing can be appended to a directory, whoever one is.
    for uid in [0, rustix::process::getuid().as_raw()] {
        let spool = user.path(&format!(".local/state/rampart/audit/spool-{uid}.jsonl"));
        std::fs::create_dir_all(spool).unwrap();
    }
    let said = user.rampart(&["pause", "1h"]);
    assert_eq!(said.status, 1, "{}", said.stderr);
    assert!(said.stderr.contains("nothing was done"), "{}", said.stderr);
    assert_eq!(statuses(&user), [1, 3, 1, 0]);
    assert!(!user.path(".config/rampart/policy.d/user-pause.yaml").exists());
}

#[test]
fn what_is_no_pause() {
    let user = user();
    for words in [
        &["pause"][..],
        &["pause", "x"],
        &["pause", "0s"],
        &["pause", "25h"],
        &["pause", "1h", "--end"],
    ] {
        assert_eq!(user.rampart(words).status, 2, "{words:?}");
    }
    // Nobody inside a tree, whatever it does with its environment.
    for before in ["", "env -i HOME=$HOME "] {
        let text = format!("{before}'{}' pause 1h; exit $?", env!("CARGO_BIN_EXE_rampart"));
        let mut command = Command::new("sh");
        command.args(["-c", &text]).env("HOME", user.path("")).env("LD_PRELOAD", user.library());
        let found = ended(&command.output().unwrap());
        assert_eq!(found.status, 2, "{before}: {}", found.stderr);
        assert!(found.stderr.contains("cannot pause the guard from inside"), "{}", found.stderr);
    }
    assert_eq!(statuses(&user), [1, 3, 1, 0]);
}

#[test]
fn guarded_and_unguarded_processes() {
    let user = user();
    let sleep = |name: &str, guarded: bool| {
        let path = user.path(name);
        std::fs::copy("/bin/sleep", &path).unwrap();
        let mut command = Command::new(path);
        command.arg("600").stdin(Stdio::null()).env_remove("LD_PRELOAD").env("HOME", user.path(""));
        if guarded {
            command.env("LD_PRELOAD", user.library()).env("RAMPART_AGENT", "ps-test");
        }
        command.spawn().unwrap()
    };
    let mut all = [sleep("claude", false), sleep("codex", true), sleep("other", false)];
    let found = user.rampart(&["ps", "--json"]);
    let text = user.rampart(&["ps"]);
    let ids = all.each_ref().map(std::process::Child::id);
    for child in &mut all {
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let value: Value = serde_json::from_str(&found.stdout).unwrap();
    let of = |list: &str, pid: u32| {
        let rows = value[list].as_array().unwrap();
        rows.iter().find(|row| row["pid"] == pid).cloned()
    };
    assert_eq!(of("agents", ids[0]).unwrap()["guard"], "unguarded");
    assert_eq!(of("agents", ids[1]).unwrap()["guard"], "guarded");
    let guarded = of("guarded", ids[1]).unwrap();
    assert_eq!((&guarded["agent"], &guarded["mode"]), (&"ps-test".into(), &"enforce".into()));
    for pid in [ids[0], ids[2]] {
        assert!(of("guarded", pid).is_none(), "{value}");
    }
    assert!(of("agents", ids[2]).is_none(), "{value}");
    let line = text.stdout.lines().find(|line| line.trim_start().starts_with(&ids[0].to_string()));
    assert!(line.is_some_and(|line| line.contains("unguarded")), "{}", text.stdout);
}

#[test]
fn a_case_file_says_nothing_of_who_and_where() {
    let user = user();
    user.write("policy.yaml", POLICY);
    let home = user.path("");
    let home = home.to_str().unwrap().trim_end_matches('/');
    let line = format!(
        r#"{{"v":1,"id":"01M8KMVHX47M4N14Z6P2QVFPFP","time":"2026-11-29T12:00:00.000000Z","pid":1,"uid":1000,"hook":"start","action":"deny","outcome":"denied","reason":"rule","policy":"own","rule":"no","tool":"exec","exe":"{home}/bin/x-deny","argv":["x-deny","{home}/notes","ann@x"],"cwd":"{home}/w","tree":"01M8KMVHX47M4N14Z6P2QVTREE","session":"mine"}}"#
    );
    user.write(".local/state/rampart/audit/spool-0.jsonl", format!("{line}\n"));
    let report = |id: &str| {
        let mut command = user.command(&["report-fp", id]);
        ended(&command.env("USER", "ann").output().unwrap())
    };
    let found = report("FPFP");
    assert_eq!(found.status, 0, "{}", found.stderr);
    for private in [home, "ann", "mine", "TREE", "1000"] {
        assert!(!found.stdout.contains(private), "{private}: {}", found.stdout);
    }
    let file: Value = serde_json::from_str(&found.stdout).unwrap();
    assert_eq!(file["case"]["argv"], serde_json::json!(["x-deny", "/home/user/notes", "user@x"]));
    assert_eq!((&file["was"]["rule"], &file["wanted"]), (&"no".into(), &"allow".into()));
    assert_eq!(file["is_still_so"], true, "{file}");
    // It is a case that `check` reads.
    let line = file["case"].to_string() + "\n";
    let checked = user.rampart_with(&["check", "--jsonl"], line.as_bytes());
    assert!(checked.stdout.contains(r#""rule":"no""#), "{}", checked.stdout);
    assert_eq!(report("NONE").status, 1);
    assert_eq!(report("FP").status, 2);
}
