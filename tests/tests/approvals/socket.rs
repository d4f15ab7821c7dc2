//! `RAMPART_EVALUATOR=socket`: what a tree's own policy lets go is put to the evaluator, whose policy may be stricter.
//! Its no is a no, it may have a person asked, and where it does not answer the tree's own policy holds.

use std::os::fd::AsFd;
use std::process::Command;
use std::thread;
use std::time::Duration;

use evaluator::wire::{Kind, Tag};
use rustix::net::{SendFlags, send};
use tests::{Evaluator, Guard, LibC, Ran, compile, probe, run};

use crate::clients::{answer, client, packet};
use crate::{guard, id};

/// The tree's own policy.
const OWN: &str = "version: '1'\ndefault_action: allow\npolicies: [{name: own, rules: [{name: mine, action: deny, when: {program: [x-own]}}]}]\n";

/// `program` in a tree of [`OWN`] that puts everything to the evaluator.
fn inside(evaluator: &Evaluator<'_>, guard: &Guard, program: &str) -> Command {
    std::fs::write(guard.path("own.img"), compile(OWN)).unwrap();
    let mut command = evaluator.inside(program);
    command.env("RAMPART_IMAGE", guard.path("own.img")).env("RAMPART_EVALUATOR", "socket");
    command.env("RAMPART_ASK_TIMEOUT", "2");
    command
}

fn shell(evaluator: &Evaluator<'_>, guard: &Guard, text: &str) -> Ran {
    run(&mut inside(evaluator, guard, "/bin/sh"), text)
}

/// The words on which the events about this program's starts rest.
fn words(guard: &Guard, program: &str) -> Vec<(String, String)> {
    let events = guard.events();
    let mut all: Vec<(String, String)> = events
        .iter()
        .filter(|event| event["argv"][0] == program)
        .map(|event| {
            let text = |name: &str| event[name].as_str().unwrap_or_default().to_owned();
            (text("outcome"), text("answered_by").split(' ').next().unwrap_or_default().to_owned())
        })
        .collect();
    all.dedup();
    all
}

fn said(outcome: &str, by: &str) -> Vec<(String, String)> {
    vec![(outcome.to_owned(), by.to_owned())]
}

#[test]
fn every_verdict_is_the_evaluators_too() {
    let guard = guard("");
    for name in ["free", "x-own"] {
        assert!(probe("mark", LibC::Glibc, &guard.path("bin").join(name)), "cc is not installed");
    }
    let mut evaluator = Evaluator::start(&guard);
    let ran = shell(&evaluator, &guard, "free mark; echo $?");
    assert_eq!((ran.stdout.as_str(), ran.stderr.as_str()), ("ran\n7\n", ""), "{ran:?}");
    assert_eq!(words(&guard, "free"), said("allowed", "evaluator"));
    // Its no is a no: through a hook, and past all of them.
    let unseen = "import ctypes; ctypes.CDLL('libc.so.6').__libc_system(b'forbidden mark; :')";
    for (program, text) in [("/bin/sh", "forbidden mark; echo $?"), ("python3", unseen)] {
        std::fs::remove_file(guard.path("mark")).ok();
        let Some(program) = tests::find(program).or_else(|| Some(program.into())) else { continue };
        let ran = run(&mut inside(&evaluator, &guard, program.to_str().unwrap()), text);
        assert!(!guard.path("mark").exists(), "{text}: {ran:?}");
        assert!(ran.stderr.contains("[test/no]"), "{text}: {ran:?}");
    }
    assert_eq!(words(&guard, "forbidden"), said("denied", "evaluator"));
    // What the tree denies is denied; the evaluator has nothing against it.
    let ran = shell(&evaluator, &guard, "x-own; echo $?");
    assert!(ran.stdout == "126\n" && ran.stderr.contains("[own/mine]"), "{ran:?}");
    // A person is asked where the evaluator's policy asks.
    let ran = evaluator.while_running(
        (inside(&evaluator, &guard, "/bin/sh"), "careful mark; echo $?"),
        || {
            let pending = evaluator.wait_for(1);
            assert_eq!(pending[0]["rule"], "test/think");
            assert_eq!(evaluator.say(&["approve", &id(&pending[0])]).status, 0);
        },
    );
    assert_eq!(ran.stdout, "ran\n7\n", "{ran:?}");
    assert_eq!(words(&guard, "careful"), said("allowed", "approver"));
    guard.forget();
    let ran = shell(&evaluator, &guard, "careful mark 2; echo $?");
    assert!(ran.stdout == "126\n" && ran.stderr.contains("[test/think]"), "{ran:?}");
    assert_eq!(words(&guard, "careful"), said("denied", "expired"));
    // Gone: the tree's own policy holds, and it is said.
    evaluator.kill();
    guard.forget();
    let ran = shell(&evaluator, &guard, "forbidden mark; x-own; echo $?");
    assert_eq!(ran.stdout, "ran\n126\n", "{ran:?}");
    assert_eq!(words(&guard, "forbidden"), said("allowed", "local-image"));
    assert_eq!(words(&guard, "x-own"), said("denied", "local-image"));
}

/// A process can ask the evaluator for its verdict by hand, but is not let go by that: only the helper has
/// judged by the tree's own policy before.
#[test]
fn nobody_lets_itself_go() {
    let guard = guard("");
    let evaluator = Evaluator::start(&guard);
    let socket = client(&evaluator.socket());
    let call = packet(
        Kind::Ask,
        &[
            (Tag::File, b"/bin/true"),
            (Tag::Argument, b"true"),
            (Tag::Directory, b"/"),
            (Tag::Scope, b"verdict"),
        ],
    );
    send(&socket, &call, SendFlags::NOSIGNAL).unwrap();
    // A person is asked, as about anything of which the evaluator does not know that it goes ahead.
    let pending = evaluator.wait_for(1);
    assert_eq!(evaluator.say(&["deny", &id(&pending[0])]).status, 0);
    assert_eq!(answer(&socket).expect("an answer").0, Kind::Answer);
}

/// Somebody at the evaluator's socket who says something else, or nothing.
#[test]
fn who_does_not_answer_does_not_decide() {
    for says in [Some(&b"garbage"[..]), Some(b""), None] {
        let guard = guard("");
        assert!(probe("mark", LibC::Glibc, &guard.path("bin/free")), "cc is not installed");
        let evaluator = Evaluator::without_daemon(&guard);
        let path = evaluator.socket();
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let listening = rustix::net::socket_with(
            rustix::net::AddressFamily::UNIX,
            rustix::net::SocketType::SEQPACKET,
            rustix::net::SocketFlags::CLOEXEC,
            None,
        )
        .unwrap();
        rustix::net::bind(&listening, &rustix::net::SocketAddrUnix::new(&path).unwrap()).unwrap();
        rustix::net::listen(&listening, 16).unwrap();
        thread::spawn(move || {
            let mut kept = Vec::new();
            while let Ok(socket) = rustix::net::accept(listening.as_fd()) {
                match says {
                    Some(b"") => drop(socket),
                    Some(text) => drop(send(&socket, text, SendFlags::NOSIGNAL)),
                    None => kept.push(socket),
                }
            }
        });
        thread::sleep(Duration::from_millis(10));
        let ran = shell(&evaluator, &guard, "free mark; echo $?");
        assert_eq!(ran.stdout, "ran\n7\n", "{says:?}: {ran:?}");
        assert_eq!(words(&guard, "free"), said("allowed", "local-image"), "{says:?}");
    }
}
