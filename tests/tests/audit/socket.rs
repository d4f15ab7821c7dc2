//! Events of `rampart run` and `rampart stub`, which the evaluator puts into the log if it keeps the
//! same one: none is lost, and none told twice, whoever dies.

use std::fs;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use evaluator::wire::{Body, Header, Kind, Tag};
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{
    AddressFamily, RecvFlags, SocketAddrUnix, SocketFlags, SocketType, accept, bind, listen, recv,
    socket_with,
};
use serde_json::Value;
use tests::{Evaluator, Guard, LibC, probe, run};

use crate::{chain, told};

const POLICY: &str = "
version: '1'
default_action: allow
policies:
  - name: test
    rules:
      - name: think
        action: ask
        when: {program: [careful]}
";

/// The log of a person's own `rampart`.
fn log(guard: &Guard) -> std::path::PathBuf {
    guard.path("home/.local/state/rampart/audit")
}

/// Every line of the chain.
fn entries(dir: &Path) -> Vec<Value> {
    let texts = chain(dir).into_iter().map(|path| fs::read_to_string(path).unwrap());
    texts.flat_map(|text| lines(&text)).collect()
}

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Runs `program` under the policy, as a person does.
fn person(evaluator: &Evaluator<'_>, guard: &Guard, words: &[&str]) -> std::process::Command {
    let mut command = evaluator.outside(tests::rampart());
    command.args(["run", "--policy"]).arg(guard.image()).arg("--").args(words);
    command
}

#[test]
fn an_entry_says_where_and_when() {
    let guard = Guard::new(POLICY);
    let evaluator = Evaluator::without_daemon(&guard);
    assert!(probe("mark", LibC::Glibc, &guard.path("bin/careful")), "cc is not installed");
    let mut command = person(&evaluator, &guard, &["sh"]);
    let ran = run(command.env("RAMPART_ASK_TIMEOUT", "1"), "careful mark; exit 7\n");
    assert_eq!(ran.status, 7, "{ran:?}");
    // The evaluator of the tree has recorded it, and has merged what was there when it ended.
    let all = entries(&log(&guard));
    let at = all.iter().position(|entry| entry["hook"] == "stub").expect("the stub's event");
    assert_eq!((&all[at - 1]["note"], &all[at]["outcome"]), (&"record".into(), &"denied".into()));
    assert_eq!(evaluator.say(&["audit", "verify"]).status, 0);
    let events = entries(&log(&guard));
    let events: Vec<&Value> = events.iter().filter(|entry| entry["note"].is_null()).collect();
    let kernel = |name: &str| {
        fs::read_to_string(format!("/proc/sys/kernel/{name}")).unwrap().trim().to_owned()
    };
    for event in &events {
        assert_eq!(event["host"], kernel("hostname"), "{event}");
        assert_eq!(event["boot"], kernel("random/boot_id"), "{event}");
        assert!(event["mono_us"].as_u64().unwrap() > 0, "{event}");
        let took = event["took_us"].as_u64();
        assert!(event["hook"] == "exit" || took.is_some_and(|us| us < 60_000_000), "{event}");
    }
    let start = events.iter().find(|event| event["hook"] == "start").expect("a start");
    let end = events.last().unwrap();
    assert_eq!((&end["outcome"], &end["exit_status"]), (&"ended".into(), &7.into()));
    assert_eq!(end["pid"], start["pid"]);
    let shown = evaluator.say(&["audit", "search", "--outcome", "ended"]);
    assert!(shown.stdout.contains("exit status 7"), "{shown:?}");
    let killed = run(&mut person(&evaluator, &guard, &["sh", "-c", "kill -KILL $$"]), "");
    assert_eq!(killed.status, 128 + 9);
    let shown = evaluator.say(&["audit", "search", "--outcome", "ended", "--json"]);
    let end = lines(&shown.stdout).pop().unwrap();
    assert_eq!((&end["exit_status"], &end["signal"]), (&137.into(), &9.into()));
}

#[test]
fn a_daemon_killed_at_any_time_loses_and_doubles_nothing() {
    let guard = Guard::new(POLICY);
    let program = guard.path("bin/static");
    if !probe("mark", LibC::GlibcStatic, &program) {
        return println!("skipped: there is no static libc");
    }
    let mut evaluator = Evaluator::start(&guard);
    let key = evaluator.say(&["audit", "seal"]).stdout.trim().to_owned();
    let (people, done) = (Evaluator::without_daemon(&guard), AtomicBool::new(false));
    let words = [program.to_str().unwrap(), "/dev/null"];
    let runs: usize = thread::scope(|scope| {
        let (people, guard, done) = (&people, &guard, &done);
        let runners: Vec<_> = (0..3)
            .map(|_| {
                scope.spawn(move || {
                    let going = |_: &u32| !done.load(Ordering::Relaxed);
                    let runs = (0..).take_while(going).map(|_| {
                        let ran = run(&mut person(people, guard, &words), "");
                        assert!(!ran.stderr.contains("cannot record"), "{ran:?}");
                    });
                    runs.count()
                })
            })
            .collect();
        for round in 0..8 {
            thread::sleep(Duration::from_millis(60 + 31 * round));
            evaluator.restart();
        }
        done.store(true, Ordering::Relaxed);
        runners.into_iter().map(|runner| runner.join().unwrap()).sum()
    });
    evaluator.kill();
    let found = evaluator.say(&["audit", "verify", "--key", &key]);
    assert_eq!(found.status, 0, "{found:?}");
    assert!(told(&log(&guard)).values().all(|times| *times == 1), "told twice");
    let all = entries(&log(&guard));
    assert_eq!(all.iter().filter(|entry| entry["hook"] == "run").count(), runs);
    assert!(all.iter().any(|entry| entry["note"] == "record"), "none went over the socket");
}

/// An evaluator that answers nothing to this many clients; `take` is given each event that it was sent.
fn mute(path: &Path, clients: usize, take: &dyn Fn(&[u8])) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let flags = SocketFlags::CLOEXEC;
    let socket = socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None).unwrap();
    bind(&socket, &SocketAddrUnix::new(path).unwrap()).unwrap();
    listen(&socket, 16).unwrap();
    let limit = Some(Duration::from_secs(30));
    set_socket_timeout(&socket, Timeout::Recv, limit).unwrap();
    for _ in 0..clients {
        let client: OwnedFd = accept(&socket).unwrap();
        let mut packet = vec![0; 65_536];
        let (_, length) = recv(&client, &mut packet[..], RecvFlags::empty()).unwrap();
        if let Ok((Header { kind: Kind::Record, .. }, body)) = Header::read(&packet[..length]) {
            take(Body::read(body).unwrap().one(Tag::Event).unwrap());
        }
    }
}

#[test]
fn what_an_evaluator_took_and_never_acknowledged_is_told_once() {
    let guard = Guard::new(POLICY);
    let evaluator = Evaluator::without_daemon(&guard);
    let program = guard.path("bin/static");
    if !probe("mark", LibC::GlibcStatic, &program) {
        return println!("skipped: there is no static libc");
    }
    assert_eq!(evaluator.say(&["audit", "seal"]).status, 0);
    let (socket, spool) = (evaluator.socket(), log(&guard).join("spool-7.jsonl"));
    thread::scope(|scope| {
        scope.spawn(|| {
            // Every second one goes into the log before the evaluator dies of it, in effect.
            let is_second = AtomicBool::new(false);
            // Each run asks whether somebody is there, too.
            mute(&socket, 8, &|event| {
                if is_second.fetch_xor(true, Ordering::Relaxed) {
                    fs::write(&spool, [event, b"\n"].concat()).unwrap();
                    let person = Evaluator::without_daemon(&guard);
                    assert_eq!(person.say(&["audit", "tail"]).status, 0);
                }
            });
        });
        let words = [program.to_str().unwrap(), "/dev/null"];
        evaluator.wait("the socket", || evaluator.socket().exists().then_some(()));
        for _ in 0..4 {
            assert_eq!(run(&mut person(&evaluator, &guard, &words), "").status, 7);
        }
    });
    let _ = fs::remove_file(evaluator.socket());
    assert_eq!(evaluator.say(&["audit", "verify"]).status, 0);
    let all = entries(&log(&guard));
    let of = |name: &str, value: &str| all.iter().filter(|entry| entry[name] == value).count();
    assert_eq!((of("hook", "run"), of("note", "again")), (4, 2));
    assert!(told(&log(&guard)).values().all(|times| *times == 1), "told twice");
}
