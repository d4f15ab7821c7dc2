//! Rules that ask about what a running program does itself: the call waits in the program, a person
//! answers, and the program goes on with the answer or with an error that it knows.

use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use tests::{Evaluator, find, run};

use crate::place::{CONTENT, Place, VAULT};

/// Asks where [`VAULT`] denies.
fn asking(extra: &str) -> Place {
    Place::under(&format!("{extra}\n{}", VAULT.replace("action: deny", "action: ask")))
}

fn python(evaluator: &Evaluator<'_>, script: &str) -> Command {
    let mut command = evaluator.inside("python3");
    command.args(["-c", script]);
    command
}

/// Answers what comes next, and gives what it was.
fn answer(evaluator: &Evaluator<'_>, words: &[&str]) -> serde_json::Value {
    let pending = evaluator.wait_for(1).remove(0);
    let id = pending["id"].as_str().unwrap().to_owned();
    let said = evaluator.say(&[&words[..1], &[id.as_str()], &words[1..]].concat());
    assert_eq!(said.status, 0, "{said:?}");
    pending
}

/// Programs that do something which is asked about, what they print if it goes ahead, and the tool.
const ROWS: &[(&str, &str, &str, &str)] = &[
    ("python3", "print(open('@S').read(), end='')", CONTENT, "read"),
    ("python3", "import os; os.remove('@S'); print('gone')", "gone\n", "delete"),
    ("bash", "read -r line < '@S'; echo \"$line\"", CONTENT, "read"),
    ("bash", "echo new > '@V/new' && echo written", "written\n", "write"),
    ("perl", "open(F, '<', '@S') or die qq($!\\n); print <F>", CONTENT, "read"),
    ("cat", "@S", CONTENT, "read"),
];

fn each(answers: &str, check: impl Fn(&str, &tests::Ran, &str)) {
    let place = asking("");
    let evaluator = Evaluator::start(&place.guard);
    for (program, text, printed, tool) in ROWS {
        let Some(path) = find(program) else {
            println!("skipped: {program} is not installed");
            continue;
        };
        place.fill();
        let text = place.filled(text);
        let mut command = evaluator.inside(path);
        match *program {
            "cat" => command.arg(&text),
            "perl" => command.args(["-e", &text]),
            _ => command.args(["-c", &text]),
        };
        let ran = evaluator.while_running((command, ""), || {
            let pending = answer(&evaluator, &[answers]);
            let command = pending["command"].as_str().unwrap();
            assert!(command.starts_with(&format!("{tool} /")), "{command}");
            assert!(command.contains(" in ") && command.contains(program), "{command}");
            assert_eq!(pending["rule"], "vault/sealed");
        });
        check(&format!("{program}: {text}"), &ran, printed);
        assert!(evaluator.pending().is_empty(), "{program}: one question");
    }
}

#[test]
fn a_yes_goes_ahead() {
    each("approve", |what, ran, printed| {
        assert_eq!((ran.stdout.as_str(), ran.stderr.as_str()), (printed, ""), "{what}");
    });
}

#[test]
fn a_no_is_an_error_that_programs_know() {
    each("deny", |what, ran, printed| {
        assert!(!ran.stdout.contains(printed.trim()), "{what}: {ran:?}");
        assert!(ran.stderr.contains("A person was asked, and said no."), "{what}: {ran:?}");
        assert!(ran.stderr.contains("ermission denied"), "{what}: {ran:?}");
    });
}

#[test]
fn what_was_answered_is_recorded() {
    let place = asking("");
    let evaluator = Evaluator::start(&place.guard);
    let command = python(&evaluator, &place.filled("open('@S')"));
    evaluator.while_running((command, ""), || drop(answer(&evaluator, &["approve"])));
    let events = place.guard.events();
    let event = events.iter().find(|event| event["tool"] == "read").unwrap();
    assert_eq!((&event["action"], &event["outcome"]), (&"ask".into(), &"allowed".into()));
    assert!(event["answered_by"].as_str().unwrap().starts_with("approver "), "{event}");
}

/// "Once" is for the process that asked, as often as it does this; another one asks again.
#[test]
fn how_far_a_yes_goes() {
    let place = asking("");
    let evaluator = Evaluator::start(&place.guard);
    let twelve = place.filled("for _ in range(12): open('@S').close()\nprint('read')");
    let ran = evaluator.while_running((python(&evaluator, &twelve), ""), || {
        answer(&evaluator, &["approve"]);
    });
    assert_eq!((ran.stdout.as_str(), ran.stderr.as_str()), ("read\n", ""));
    // Another file is another question.
    fs::write(place.guard.path("vault/other"), CONTENT).unwrap();
    let two = place.filled("open('@S').close(); open('@V/other').close(); print('read')");
    let ran = evaluator.while_running((python(&evaluator, &two), ""), || {
        answer(&evaluator, &["approve"]);
        let second = answer(&evaluator, &["approve", "--for", "5m"]);
        assert!(second["command"].as_str().unwrap().contains("/vault/other"), "{second}");
    });
    assert_eq!((ran.stdout.as_str(), ran.stderr.as_str()), ("read\n", ""));
    let ran = run(&mut python(&evaluator, &place.filled("print(open('@V/other').read())")), "");
    assert!(ran.stdout.contains(CONTENT), "for five minutes nobody is asked: {ran:?}");
}

#[test]
fn who_asks_the_same_waits_for_the_same_answer() {
    let place = asking("");
    let evaluator = Evaluator::start(&place.guard);
    let script =
        place.filled("for _ in 1 2 3 4; do (read -r line < '@S' && echo \"$line\") & done; wait");
    let mut command = evaluator.inside("bash");
    command.args(["-c", &script]);
    let ran = evaluator.while_running((command, ""), || {
        let pending = evaluator.wait("four that wait for one", || {
            let pending = evaluator.pending();
            let is_one = pending.len() == 1 && pending[0]["waiting"] == 4;
            (is_one || pending.len() > 1).then_some(pending)
        });
        assert_eq!(pending.len(), 1, "{pending:?}");
        answer(&evaluator, &["approve"]);
    });
    assert_eq!((ran.stdout.as_str(), ran.stderr.as_str()), (CONTENT.repeat(4).as_str(), ""));
}

#[test]
fn nobody_in_time_or_nobody_at_all() {
    for (stated, is_allowed) in [("", false), ("on_no_approver: allow", true)] {
        let place = asking(stated);
        let evaluator = Evaluator::start(&place.guard);
        let script = place.filled("print(open('@S').read(), end='')");
        let mut command = python(&evaluator, &script);
        let started = Instant::now();
        let ran = run(command.env("RAMPART_ASK_TIMEOUT", "1"), "");
        assert!(started.elapsed() < Duration::from_secs(30), "{ran:?}");
        assert_eq!(ran.stdout == CONTENT, is_allowed, "{ran:?}");
        let is_said = ran.stderr.contains("and nobody answered in time");
        assert_eq!(is_said, !is_allowed, "{ran:?}");
        drop(evaluator);
        let nobody = Evaluator::without_daemon(&place.guard);
        let ran = run(&mut python(&nobody, &script), "");
        assert_eq!(ran.stdout == CONTENT, is_allowed, "{ran:?}");
        assert_eq!(ran.stderr.contains("nobody can be asked here"), !is_allowed, "{ran:?}");
    }
}

#[test]
fn an_evaluator_that_is_restarted_is_asked_again() {
    let place = asking("");
    let mut evaluator = Evaluator::start(&place.guard);
    let mut command = python(&evaluator, &place.filled("print(open('@S').read(), end='')"));
    let running = std::thread::spawn(move || run(&mut command, ""));
    assert_eq!(evaluator.wait_for(1).len(), 1);
    evaluator.kill();
    evaluator.start_again();
    answer(&evaluator, &["approve"]);
    let ran = running.join().unwrap();
    assert_eq!((ran.stdout.as_str(), ran.stderr.as_str()), (CONTENT, ""));
}

/// Handlers of signals run while somebody is asked, and one without `SA_RESTART` ends the call.
#[test]
fn signals_are_handled_meanwhile() {
    let script = "import os, signal, sys
def handler(*_):
    os.write(1, b'handled\\n')
    if sys.argv[1] == 'ends': raise KeyboardInterrupt
signal.signal(signal.SIGALRM, handler)
if sys.argv[1] == 'restarts': signal.siginterrupt(signal.SIGALRM, False)
signal.setitimer(signal.ITIMER_REAL, 0.5)
try: print(open('@V/' + sys.argv[1]).read(), end='')
except KeyboardInterrupt: print('interrupted')
";
    let place = asking("");
    let evaluator = Evaluator::start(&place.guard);
    let script = place.filled(script);
    let with = |word: &str| {
        fs::write(place.guard.path("vault").join(word), CONTENT).unwrap();
        let mut command = python(&evaluator, &script);
        command.arg(word);
        command
    };
    let ran = run(&mut with("ends"), "");
    assert_eq!((ran.stdout.as_str(), ran.stderr.as_str()), ("handled\ninterrupted\n", ""));
    for word in ["restarts", "goes-on"] {
        let ran = evaluator.while_running((with(word), ""), || {
            let id = evaluator.wait("the question", || {
                let about = |one: &serde_json::Value| {
                    one["command"].as_str().is_some_and(|text| text.contains(word))
                };
                let found = evaluator.pending().into_iter().find(about)?;
                Some(found["id"].as_str()?.to_owned())
            });
            std::thread::sleep(Duration::from_millis(1200));
            assert_eq!(evaluator.say(&["approve", &id]).status, 0, "{word}");
        });
        // Python's own handler runs at the end of a call that goes on.
        let printed = ran.stdout.replace("handled\n", "");
        assert_eq!((printed.as_str(), ran.stderr.as_str()), (CONTENT, ""), "{word}");
        assert_ne!(printed, ran.stdout, "{word}");
    }
}

/// Only the thread that made the call waits.
#[test]
fn other_threads_go_on() {
    let script = "import threading, time
done = []
def reads(): done.append(open('@S').read())
t = threading.Thread(target=reads); t.start()
open('@O/file').close(); bytearray(1 << 24); open('@O/mark', 'w').close()
t.join(); print(done[0], end='')
";
    let place = asking("");
    let evaluator = Evaluator::start(&place.guard);
    let command = python(&evaluator, &place.filled(script));
    let ran = evaluator.while_running((command, ""), || {
        let mark = place.guard.path("open/mark");
        evaluator.wait("the other thread", || mark.exists().then_some(()));
        answer(&evaluator, &["approve"]);
    });
    assert_eq!((ran.stdout.as_str(), ran.stderr.as_str()), (CONTENT, ""));
}

#[test]
fn a_connection_is_asked_about() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let place = Place::under(
        "version: '1'\ndefault_action: allow\npolicies:
  - name: net
    match: {tool: [connect], by: program}
    rules: [{name: local, action: ask, when: {url_matches: ['socket://127.0.0.1:*']}}]
",
    );
    let evaluator = Evaluator::start(&place.guard);
    for (word, is_allowed) in [("approve", true), ("deny", false)] {
        let mut command = evaluator.inside("bash");
        let line = format!("exec 3<>/dev/tcp/127.0.0.1/{port} && echo connected");
        command.args(["-c", &line]);
        let ran = evaluator.while_running((command, ""), || {
            let pending = answer(&evaluator, &[word]);
            let command = pending["command"].as_str().unwrap();
            assert!(command.starts_with("connect socket://127.0.0.1:"), "{command}");
        });
        assert_eq!(ran.stdout == "connected\n", is_allowed, "{word}: {ran:?}");
    }
}
