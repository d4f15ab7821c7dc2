//! A log that has grown: what is kept of it is what was configured, and nothing that reads it takes
//! memory by its length.

use std::fs;
use std::io::Write as _;
use std::time::{Duration, Instant};

use serde_json::Value;
use tests::{Guard, Ran};

use crate::{chain, say, sealed};

/// Address space that any of the commands may have, in KiB.
const ROOM: u32 = 256 * 1024;

/// `rampart audit …` with [`ROOM`], and how long it took.
fn measured(guard: &Guard, arguments: &[&str]) -> (Ran, Duration) {
    let mut command = guard.bare("/bin/sh");
    command.args(["-c", &format!("ulimit -v {ROOM}; exec \"$0\" audit \"$@\"")]);
    command.arg(tests::rampart()).args(arguments).env("RAMPART_AUDIT_DIR", guard.audit());
    let started = Instant::now();
    // As long as it takes, which `run` would not wait for.
    let output = command.output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let status = output.status.code().unwrap_or(-1);
    let ran = Ran { status, stdout: text(&output.stdout), stderr: text(&output.stderr) };
    (ran, started.elapsed())
}

/// Appends events like those of a real tree; every thousandth was denied.
fn events(guard: &Guard, ids: std::ops::Range<u64>) {
    let path = guard.audit().join("spool-0.jsonl");
    let file = fs::File::options().create(true).append(true).open(path).unwrap();
    let mut file = std::io::BufWriter::with_capacity(1 << 20, file);
    for id in ids {
        let (outcome, action) =
            if id % 1000 == 0 { ("denied", "deny") } else { ("allowed", "allow") };
        let (pid, second, us) = (id % 4_000_000, id / 1000 % 60, id % 1000);
        writeln!(
            file,
            "{{\"v\":1,\"id\":\"01M8{id:022}\",\"time\":\"2026-11-28T10:00:{second:02}.{us:06}Z\",\"mono_us\":{id},\
             \"took_us\":9,\"pid\":{pid},\"ppid\":1,\"uid\":0,\"hook\":\"start\",\"action\":\"{action}\",\"outcome\":\"{outcome}\",\
             \"reason\":\"default\",\"matched\":[],\"tool\":\"exec\",\"exe\":\"/usr/bin/cc1\",\
             \"argv\":[\"cc1\",\"-quiet\",\"-O2\",\"file-{id}.c\"],\"cwd\":\"/w/project/src\",\"provenance\":[\"argv\"],\"tree\":\"T{}\"}}",
            id / 100_000
        )
        .unwrap();
    }
    file.flush().unwrap();
}

/// Puts `count` events into the log and asks everything of it.
fn holds_up(count: u64) {
    let guard = Guard::new("");
    let key = sealed(&guard);
    let started = Instant::now();
    let piece = 500_000;
    for from in (0..count).step_by(usize::try_from(piece).unwrap()) {
        events(&guard, from..count.min(from + piece));
        let (ran, _) = measured(&guard, &["tail", "-n", "1"]);
        assert_eq!(ran.status, 0, "{ran:?}");
    }
    println!("{count} events merged in {:.0?}", started.elapsed());
    let (ran, took) = measured(&guard, &["verify", "--key", &key, "--json"]);
    println!("verify {took:.1?}");
    let report: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!((ran.status, &report["problem_count"]), (0, &0.into()), "{ran:?}");
    assert!(report["proven_upto"].as_u64().unwrap() >= count, "{report}");
    let wanted = format!("file-{}.c", count - 1);
    let (ran, took) = measured(&guard, &["search", &wanted, "--json"]);
    println!("search {took:.1?}");
    assert_eq!((ran.status, ran.stdout.lines().count()), (0, 1), "{ran:?}");
    let (ran, took) = measured(&guard, &["stats", "--json"]);
    println!("stats {took:.1?}: {}", ran.stdout.len());
    let stats: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(stats["events"], count, "{stats}");
    assert_eq!(stats["outcomes"]["denied"], count.div_ceil(1000), "{stats}");
    println!(
        "log {} MiB in {} files",
        stats["log"]["bytes"].as_u64().unwrap() >> 20,
        stats["log"]["files"]
    );
}

#[test]
fn fifty_thousand_events() {
    holds_up(50_000);
}

/// `nice cargo test --release -p tests --test audit -- --ignored --nocapture ten_million`
#[test]
#[ignore = "takes ten minutes and several GiB; the command stands above"]
fn ten_million_events() {
    holds_up(10_000_000);
}

#[test]
fn a_daemon_keeps_what_it_is_told_to() {
    let guard = Guard::new("");
    let key = sealed(&guard);
    let config = guard.path("home/.config/rampart");
    fs::create_dir_all(&config).unwrap();
    // Four files of 64 MiB, in a few large events.
    let long = "x".repeat(60_000);
    let path = guard.audit().join("spool-0.jsonl");
    let mut file = std::io::BufWriter::new(fs::File::create(path).unwrap());
    for id in 0..4_200 {
        let event = format!(
            "{{\"v\":1,\"id\":\"E{id:05}\",\"outcome\":\"allowed\",\"argv\":[\"{long}\"]}}"
        );
        writeln!(file, "{event}").unwrap();
    }
    drop(file);
    assert_eq!(say(&guard, &["audit", "tail"]).status, 0);
    let before = chain(&guard.audit()).len();
    assert!(before >= 4, "{before} files");
    let serve = || {
        let mut daemon = guard.bare(tests::rampart());
        daemon.args(["serve", "--profile", "standard"]).env("RAMPART_AUDIT_DIR", guard.audit());
        daemon.stderr(std::process::Stdio::null()).spawn().unwrap()
    };
    let verified = || {
        let ran = say(&guard, &["audit", "verify", "--key", &key, "--json"]);
        assert_eq!(ran.status, 0, "{ran:?}");
        serde_json::from_str::<Value>(&ran.stdout).unwrap()
    };
    // Without limits everything stays; with them all that is more goes, and the log says so.
    for (text, left) in [("{}", before), ("retention: {size: 1M}", 2)] {
        fs::write(config.join("audit.yaml"), text).unwrap();
        let mut daemon = serve();
        let started = Instant::now();
        let until = |done: bool| !done && started.elapsed() < Duration::from_secs(60);
        while until(chain(&guard.audit()).len() == left && started.elapsed().as_secs() >= 3) {
            std::thread::sleep(Duration::from_millis(50));
        }
        daemon.kill().unwrap();
        daemon.wait().unwrap();
        assert_eq!(chain(&guard.audit()).len(), left, "{text}");
    }
    let report = verified();
    assert!(report["first"].as_u64().unwrap() > 1000, "{report}");
    assert!(report["notes"].to_string().contains("pruned"), "{report}");
}
