//! No answer: the daemon is gone, stopped, killed in the middle, or nobody is there to be asked.

use std::thread;
use std::time::Duration;

use tests::{Evaluator, run};

use crate::{answers, guard, id};

/// What is stated, the variable, and whether the command then runs.
const CONFIGURED: &[(&str, Option<&str>, bool)] = &[
    ("", None, false),
    ("on_no_approver: deny", None, false),
    ("on_no_approver: allow", None, true),
    ("", Some("1"), true),
    ("", Some("0"), false),
    ("on_no_approver: deny", Some("1"), false),
    ("on_no_approver: allow", Some("0"), true),
];

#[test]
fn without_an_answer_the_policy_says_what_it_comes_to() {
    for (extra, fail_open, runs) in CONFIGURED {
        let guard = guard(extra);
        let mut evaluator = Evaluator::start(&guard);
        for is_up in [true, false] {
            if !is_up {
                evaluator.kill();
            }
            let name = format!("{extra:?} {fail_open:?}, daemon up: {is_up}");
            guard.forget();
            let _ = std::fs::remove_file(guard.path("mark"));
            let mut command = evaluator.inside("/bin/sh");
            command.env("RAMPART_ASK_TIMEOUT", "1");
            if let Some(value) = fail_open {
                command.env("RAMPART_FAIL_OPEN", value);
            }
            let ran = run(&mut command, "true; careful mark; echo $?");
            assert_eq!(guard.path("mark").exists(), *runs, "{name}: {ran:?}");
            let status = if *runs { "ran\n7\n" } else { "126\n" };
            assert_eq!(ran.stdout, status, "{name}: {ran:?}");
            assert_eq!(ran.stderr.contains("rampart: denied: careful"), !runs, "{name}: {ran:?}");
            let answers = answers(&guard);
            let words: Vec<&str> = answers.iter().map(|(_, by)| by.as_str()).collect();
            let outcomes: Vec<&str> = answers.iter().map(|(outcome, _)| outcome.as_str()).collect();
            let outcome = if *runs { "allowed" } else { "denied" };
            assert_eq!(outcomes, [outcome], "{name}: {answers:?}");
            let expected: &[&str] = match (runs, is_up) {
                (false, true) => &["expired"],
                (false, false) => &["on_no_approver"],
                (true, _) => &["on_no_approver", "fail-open"],
            };
            assert!(expected.contains(&words[0]), "{name}: {answers:?}");
        }
    }
}

#[test]
fn without_a_helper_nobody_is_asked() {
    let guard = guard("");
    let evaluator = Evaluator::start(&guard);
    for helper in ["", "/nonexistent/rampart"] {
        let mut command = evaluator.inside("/bin/sh");
        command.env("RAMPART_HELPER", helper);
        let ran = run(&mut command, "true; careful mark; echo $?; sh -c 'true; careful mark'");
        assert!(ran.stdout.starts_with("126\n"), "{helper:?}: {ran:?}");
        assert_eq!(ran.stderr.matches("nobody can be asked here").count(), 2, "{ran:?}");
        assert_eq!(evaluator.pending().len(), 0, "{helper:?}");
    }
    assert!(!guard.path("mark").exists());
}

#[test]
fn the_helper_by_hand_is_the_program_itself() {
    let guard = guard("");
    let evaluator = Evaluator::without_daemon(&guard);
    let rampart = tests::rampart();
    let rampart = rampart.display();
    for (line, status) in [
        ("forbidden mark", 126),
        ("careful mark", 126),
        ("env true", 0),
        ("sh -c 'exit 5' ", 5),
        ("no-such-program", 127),
    ] {
        let (program, _) = line.split_once(' ').unwrap_or((line, ""));
        let text = format!("{rampart} stub \"$(command -v {program} || echo /{program})\" {line}");
        let ran = run(&mut evaluator.inside("/bin/sh"), &text);
        assert_eq!(ran.status, status, "{line}: {ran:?}");
        assert!(!guard.path("mark").exists(), "{line}");
    }
    let ran = run(evaluator.outside(tests::rampart()).args(["stub", "/bin/true", "true"]), "");
    assert_eq!(ran.status, 2, "outside of a tree: {ran:?}");
}

#[test]
fn a_killed_daemon_loses_no_answer_and_gives_none_twice() {
    let guard = guard("");
    let mut evaluator = Evaluator::start(&guard);
    let mut ran_in = Vec::new();
    for round in 0..20_u64 {
        let mark = format!("mark{round}");
        let mut command = evaluator.inside("/bin/sh");
        let text = format!("true; careful {mark}; true");
        let running = thread::spawn(move || run(&mut command, &text));
        let pending = evaluator.wait_for(1);
        // Before it is answered, while it is, or afterwards.
        let answered = match round % 4 {
            0 => {
                evaluator.restart();
                false
            }
            1 => {
                let approving = {
                    let mut person = evaluator.outside(tests::rampart());
                    person.args(["approve", &id(&pending[0])]);
                    thread::spawn(move || run(&mut person, ""))
                };
                thread::sleep(Duration::from_micros(round * 700));
                evaluator.kill();
                let said = approving.join().unwrap();
                evaluator.restart();
                said.status == 0
            }
            2 => {
                assert_eq!(evaluator.say(&["approve", &id(&pending[0])]).status, 0);
                evaluator.restart();
                true
            }
            _ => {
                let _ = evaluator.say(&["deny", &id(&pending[0])]);
                evaluator.restart();
                true
            }
        };
        if !answered {
            // It is pending still, or was answered although nobody heard of it.
            evaluator.wait("the question or the program", || {
                let pending = evaluator.pending();
                if let Some(approval) = pending.first() {
                    assert_eq!(pending.len(), 1, "{round}");
                    let _ = evaluator.say(&["approve", &id(approval)]);
                }
                (guard.path(&mark).exists() || running.is_finished()).then_some(())
            });
        }
        let ran = running.join().unwrap();
        // On a busy machine the daemon may take too long to come back: then that is the answer.
        let gave_up = ran.stderr.contains("nobody can be asked here");
        let did_run = round % 4 != 3 && !gave_up;
        assert_eq!(guard.path(&mark).exists(), did_run, "{round}: {ran:?}");
        ran_in.push(did_run);
        assert!(gave_up || evaluator.pending().is_empty(), "{round}");
        // Used up: the same command is a new question.
        if did_run {
            let mut again = evaluator.inside("/bin/sh");
            again.env("RAMPART_ASK_TIMEOUT", "1");
            let ran = run(&mut again, &format!("true; careful {mark}; echo $?"));
            assert_eq!(ran.stdout, "126\n", "{round}: {ran:?}");
        }
    }
    let events = guard.events();
    let of = |round: u64, outcome: &str| {
        let argument = format!("mark{round}");
        let is_one = |event: &&serde_json::Value| {
            event["outcome"] == outcome && event["argv"][1] == argument.as_str()
        };
        events.iter().filter(is_one).count()
    };
    for (round, did_run) in (0..).zip(ran_in) {
        assert_eq!(of(round, "allowed"), usize::from(did_run), "{round}");
        assert_eq!(of(round, "denied"), 1, "{round}");
    }
}
