//! Without a daemon: `rampart run` asks itself, on the terminal if that is free.

use std::fs;
use std::process::{Command, Stdio};

use tests::{Evaluator, find, run};

use crate::{answers, guard, id};

/// `rampart run` with the guard's policy.
fn hosted(evaluator: &Evaluator<'_>, image: &std::path::Path, words: &[&str]) -> Command {
    let mut command = evaluator.outside(tests::rampart());
    command.arg("run").arg("--policy").arg(image).arg("--").args(words);
    command
}

#[test]
fn what_a_tree_asks_is_pending_without_a_daemon() {
    let guard = guard("");
    let evaluator = Evaluator::without_daemon(&guard);
    for (verb, runs) in [("approve", true), ("deny", false)] {
        let mut command = hosted(&evaluator, &guard.image(), &["sh"]);
        command.env("RAMPART_AUDIT_DIR", guard.audit());
        let input = format!("true; careful mark-{verb}; echo $?");
        let ran = evaluator.while_running((command, &input), || {
            let pending = evaluator.wait_for(1);
            let said = evaluator.say(&[verb, &id(&pending[0])]);
            assert_eq!(said.status, 0, "{said:?}");
        });
        assert_eq!(guard.path(&format!("mark-{verb}")).exists(), runs, "{ran:?}");
        assert_eq!(ran.stdout, if runs { "ran\n7\n" } else { "126\n" }, "{ran:?}");
    }
    let by_a_person = |(_, by): &(String, String)| by == "approver";
    assert!(answers(&guard).iter().all(by_a_person), "{:?}", answers(&guard));
    let left: Vec<_> = fs::read_dir(guard.path("run/rampart"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn orphans_in_sessions_of_their_own_are_reaped() {
    let guard = guard("");
    let evaluator = Evaluator::without_daemon(&guard);
    let text = "setsid -f true; for i in 1 2 3 4 5 6 7 8; do sleep 0.2; dead=0; \
        for child in $(cat /proc/$PPID/task/$PPID/children); do \
        grep -q '^State:.Z' /proc/$child/status && dead=1; done; \
        [ $dead = 0 ] && exit 0; done; exit 1";
    let ran = run(&mut hosted(&evaluator, &guard.image(), &["sh", "-c", text]), "");
    assert_eq!(ran.status, 0, "{ran:?}");
}

#[test]
fn what_a_killed_parent_leaves_is_removed() {
    let guard = guard("");
    let evaluator = Evaluator::without_daemon(&guard);
    let sockets = || -> Vec<_> {
        let entries = fs::read_dir(guard.path("run/rampart")).into_iter().flatten();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    };
    // Its command reads on until we let it go.
    let mut command = hosted(&evaluator, &guard.image(), &["cat"]);
    let mut parent = command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    let left = format!("run-{}.sock", parent.id());
    evaluator.wait("the parent to listen", || sockets().contains(&left).then_some(()));
    parent.kill().unwrap();
    parent.wait().unwrap();
    assert_eq!(sockets(), [left]);
    assert!(evaluator.pending().is_empty());
    let ran = run(&mut hosted(&evaluator, &guard.image(), &["true"]), "");
    assert_eq!((ran.status, sockets()), (0, Vec::<String>::new()), "{ran:?}");
}

/// Whether `SIGHUP`, the first of the mask, is ignored here (proc_pid_status(5)).
fn is_hangup_ignored() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:")).unwrap();
    u64::from_str_radix(mask.trim(), 16).unwrap() & 1 != 0
}

#[test]
fn nobody_notices_the_parent() {
    let guard = guard("");
    let evaluator = Evaluator::without_daemon(&guard);
    let cases: [(&[&str], i32); 7] = [
        (&["sh", "-c", "exit 7"], 7),
        (&["sh", "-c", "kill -TERM $$"], 128 + 15),
        (&["sh", "-c", "kill -KILL $$"], 128 + 9),
        // What others send to us is handed on.
        (
            &[
                "sh",
                "-c",
                "trap 'exit 5' TERM; kill -TERM $PPID; sleep 20 >/dev/null 2>&1 & wait $!",
            ],
            5,
        ),
        (
            &["sh", "-c", "trap 'exit 6' HUP; kill -HUP $PPID; sleep 20 >/dev/null 2>&1 & wait $!"],
            6,
        ),
        (&["no-such-command"], 127),
        // The terminal sends this to both of us.
        (&["sh", "-c", "kill -INT $PPID && exit 3"], 3),
    ];
    for (words, status) in cases {
        // What is ignored from the start (nohup(1)) stays ignored, and a shell cannot trap it.
        if status == 6 && is_hangup_ignored() {
            continue;
        }
        let ran = run(&mut hosted(&evaluator, &guard.image(), words), "");
        assert_eq!(ran.status, status, "{words:?}: {ran:?}");
    }
}

/// Runs its arguments on a terminal of their own, prints what appears there, and types an answer
/// when it is asked; `-` types nothing.
const TERMINAL: &str = "
import os, pty, select, sys, time
answer, words = sys.argv[1], sys.argv[2:]
pid, fd = pty.fork()
if pid == 0:
    os.execvp(words[0], words)
text, typed, end = b'', answer == '-', time.time() + 60
while time.time() < end:
    if not select.select([fd], [], [], 0.1)[0]:
        continue
    try:
        more = os.read(fd, 4096)
    except OSError:
        break
    if not more:
        break
    text += more
    if not typed and b'[y/N]' in text:
        os.write(fd, answer.encode() + b'\\n')
        typed = True
status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
sys.stdout.buffer.write(text)
sys.exit(status)
";

#[test]
fn a_free_terminal_is_asked() {
    let guard = guard("");
    let evaluator = Evaluator::without_daemon(&guard);
    let Some(python) = find("python3") else {
        return println!("skipped: python3 is not installed");
    };
    // The shell reads what it runs from a file that no verdict about it sees.
    fs::write(guard.path("input"), "true; careful \"$NAME\"; echo status $?").unwrap();
    for (answer, runs) in [("y", true), ("yes", true), ("n", false), ("", false), ("yy", false)] {
        let name = format!("mark-{answer}");
        let mut command = evaluator.outside(&python);
        command.args(["-c", TERMINAL, answer]).arg(tests::rampart());
        command.arg("run").arg("--policy").arg(guard.image());
        command.args(["--", "sh", "-c", "cat input | sh"]).env("NAME", &name);
        let ran = run(&mut command, "");
        assert!(ran.stdout.contains("careful"), "{answer:?}: {ran:?}");
        assert!(ran.stdout.contains("[test/think]"), "{answer:?}: {ran:?}");
        assert!(ran.stdout.contains("think first"), "{answer:?}: {ran:?}");
        assert!(!ran.stdout.contains("\x1b]9;"), "{answer:?}: {ran:?}");
        assert_eq!(guard.path(&name).exists(), runs, "{answer:?}: {ran:?}");
        let status = if runs { "status 7" } else { "status 126" };
        assert!(ran.stdout.contains(status), "{answer:?}: {ran:?}");
    }
}

#[test]
fn a_terminal_in_use_is_left_alone() {
    let guard = guard("");
    let evaluator = Evaluator::without_daemon(&guard);
    let (Some(python), Some(_)) = (find("python3"), find("stty")) else {
        return println!("skipped: python3 or stty is not installed");
    };
    fs::write(guard.path("input"), "careful mark; echo status $?").unwrap();
    let mut command = evaluator.outside(&python);
    command.args(["-c", TERMINAL, "y"]).arg(tests::rampart());
    command.arg("run").arg("--policy").arg(guard.image());
    let desktop = guard.path("desktop");
    fs::write(&desktop, "#!/bin/sh\nprintf '%s\\n' \"$@\" > told\n").unwrap();
    fs::set_permissions(&desktop, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    command.env("RAMPART_NOTIFY", &desktop);
    // A program that has switched the terminal to raw mode, as every full-screen program does.
    command.args(["--", "sh", "-c", "stty raw -echo; cat input | sh; stty sane"]);
    let ran = evaluator.while_running((command, ""), || {
        let pending = evaluator.wait_for(1);
        // Longer than the terminal is looked at again.
        std::thread::sleep(std::time::Duration::from_millis(1200));
        assert_eq!(evaluator.pending().len(), 1);
        let _ = evaluator.say(&["approve", &id(&pending[0])]);
    });
    assert!(!ran.stdout.contains("[y/N]"), "{ran:?}");
    // A notification is shown beside it, once, by the terminal and on the desktop.
    let told = fs::read_to_string(guard.path("told")).unwrap();
    assert!(told.contains("rampart approve ") && told.contains("careful mark"), "{told}");
    assert_eq!(ran.stdout.matches("\x1b]9;rampart approve ").count(), 1, "{ran:?}");
    assert!(ran.stdout.contains("status 7"), "{ran:?}");
}
