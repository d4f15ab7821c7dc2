//! The supervisor's own life: nobody notices it, who asks is answered, and its death harms nobody.

use std::fs;
use std::process::Stdio;

use super::{guard, supervised, under};
use tests::{Evaluator, find, run};

#[test]
fn a_command_ends_as_it_would_without() {
    let guard = guard();
    let cases = [
        ("exit 7", 7),
        ("kill -TERM $$", 128 + 15),
        ("kill -KILL $$", 128 + 9),
        ("test \"$(ps -o stat= -p $PPID 2>/dev/null || echo S)\"", 0),
        (
            "python3 -c 'import subprocess, threading\nt=[threading.Thread(target=subprocess.run, args=([\"/bin/true\"],)) for _ in range(8)]\nfor x in t: x.start()\nfor x in t: x.join()'",
            0,
        ),
    ];
    for (text, status) in cases {
        let ran = run(&mut supervised(&guard, &["sh", "-c", text]), "");
        assert_eq!((ran.status, ran.stderr.as_str()), (status, ""), "{text}: {ran:?}");
    }
    let ran = run(&mut supervised(&guard, &["./none"]), "");
    assert_eq!(ran.status, 127, "{ran:?}");
}

#[test]
fn who_may_gain_privileges_still_can() {
    let guard = guard();
    let ran = run(&mut supervised(&guard, &["grep", "NoNewPrivs", "/proc/self/status"]), "");
    let is_root = rustix::process::geteuid().is_root();
    assert_eq!(
        ran.stdout,
        if is_root { "NoNewPrivs:\t0\n" } else { "NoNewPrivs:\t1\n" },
        "{ran:?}"
    );
}

#[test]
fn an_ordinary_user_is_supervised() {
    if !rustix::process::geteuid().is_root() || find("setpriv").is_none() {
        println!("skipped: needs root and setpriv");
        return;
    }
    let guard = guard();
    for dir in [guard.dir().to_owned(), guard.audit(), guard.path("home"), guard.path("run")] {
        std::os::unix::fs::chown(dir, Some(65534), Some(65534)).unwrap();
    }
    let mut command = guard.bare("setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(tests::rampart());
    command.arg("run").arg("--policy").arg(guard.image()).args(["--enforce", "kernel", "--"]);
    command.args(["sh", "-c", "grep NoNewPrivs /proc/self/status; ./unseen execve ./mark fine; ./unseen execve ./mark bad"]);
    command.env("RAMPART_AUDIT_DIR", guard.audit()).env("RAMPART_LIB", tests::library());
    let ran = run(&mut command, "");
    assert!(guard.path("fine").exists() && !guard.path("bad").exists(), "{ran:?}");
    assert!(ran.stdout.starts_with("NoNewPrivs:\t1\nran\n"), "{ran:?}");
    assert!(ran.stderr.contains("[p/no-bad]"), "{ran:?}");
}

#[test]
fn a_person_is_asked_for_what_no_library_sees() {
    let guard = guard();
    fs::copy(guard.path("mark"), guard.path("careful")).unwrap();
    fs::create_dir_all(guard.path("lib")).unwrap();
    fs::copy(guard.path("dynamic/mark"), guard.path("lib/careful")).unwrap();
    let evaluator = Evaluator::without_daemon(&guard);
    for careful in ["./careful", "./lib/careful"] {
        for (verb, status) in [("approve", 7), ("deny", 78)] {
            let name = format!("left-{verb}");
            let command = supervised(&guard, &["./unseen", "execve", careful, &name]);
            let ran = evaluator.while_running((command, ""), || {
                let pending = evaluator.wait_for(1);
                let id = pending[0]["id"].as_str().unwrap();
                assert_eq!(evaluator.say(&[verb, id]).status, 0);
            });
            assert_eq!(ran.status, status, "{careful} {verb}: {ran:?}");
            assert_eq!(guard.path(&name).exists(), verb == "approve", "{ran:?}");
            let _ = fs::remove_file(guard.path(&name));
        }
    }
    // Through the library it is one question all the same.
    let command = supervised(&guard, &["sh", "-c", "./lib/careful left; ./careful left"]);
    let ran = evaluator.while_running((command, ""), || {
        let pending = evaluator.wait_for(1);
        assert_eq!(evaluator.say(&["approve", pending[0]["id"].as_str().unwrap()]).status, 0);
    });
    assert_eq!((ran.status, ran.stdout.as_str()), (7, "ran\nran\n"), "{ran:?}");
}

#[test]
fn without_its_supervisor_a_tree_does_not_hang() {
    let guard = guard();
    for (open, expected) in [("0", "Function not implemented"), ("1", "ran")] {
        let mut command = supervised(&guard, &["sh", "-c", "read x; ./unseen execve ./mark left"]);
        command.env("RAMPART_FAIL_OPEN", open);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let inner = format!("/proc/{0}/task/{0}/children", child.id());
        let evaluator = Evaluator::without_daemon(&guard);
        let grandchild = evaluator.wait("the command to start", || {
            let children = fs::read_to_string(&inner).ok()?;
            let first = children.split_whitespace().next()?.to_owned();
            let below = fs::read_to_string(format!("/proc/{first}/task/{first}/children")).ok()?;
            let command = below.split_whitespace().next()?.to_owned();
            let name = fs::read_to_string(format!("/proc/{command}/comm")).ok()?;
            (name.trim() == "sh").then_some(command)
        });
        child.kill().unwrap();
        let stdin = child.stdin.take().unwrap();
        let output = std::thread::spawn(move || child.wait_with_output().unwrap());
        std::io::Write::write_all(&mut { stdin }, b"go\n").unwrap();
        let output = output.join().unwrap();
        let text = [output.stdout, output.stderr].concat();
        let text = String::from_utf8_lossy(&text);
        assert!(text.contains(expected), "{open}: {grandchild}: {text}");
        assert_eq!(guard.path("left").exists(), open == "1", "{text}");
    }
}

#[test]
fn what_stays_in_the_background_stays_supervised() {
    let guard = guard();
    let text = "(sleep 0.3; ./unseen execve ./mark bad; ./unseen execve ./mark late) >/dev/null 2>&1 & exit 0";
    let ran = run(&mut supervised(&guard, &["sh", "-c", text]), "");
    assert_eq!(ran.status, 0, "{ran:?}");
    let evaluator = Evaluator::without_daemon(&guard);
    evaluator.wait("what was left behind", || guard.path("late").exists().then_some(()));
    assert!(!guard.path("bad").exists());
}

#[test]
fn one_supervisor_for_a_tree() {
    let guard = guard();
    let own = tests::rampart();
    let own = own.to_str().unwrap();
    let inner = |enforce| vec![own, "run", "--enforce", enforce, "--", "./mark", "fine"];
    let ran = run(&mut supervised(&guard, &inner("kernel")), "");
    assert_eq!((ran.status, guard.path("fine").exists()), (126, false), "{ran:?}");
    assert!(ran.stderr.contains("another supervisor is above this one"), "{ran:?}");
    let ran = run(&mut supervised(&guard, &inner("best")), "");
    assert_eq!((ran.status, guard.path("fine").exists()), (7, true), "{ran:?}");
    assert!(ran.stderr.contains("rampart: warning: cannot enforce"), "{ran:?}");
    let ran = run(&mut supervised(&guard, &[own, "run", "--", "./mark", "bad"]), "");
    assert!(!guard.path("bad").exists() && ran.stderr.contains("[p/no-bad]"), "{ran:?}");
}

#[test]
fn a_debugger_in_the_tree() {
    let Some(strace) = find("strace") else {
        println!("skipped: strace is not installed");
        return;
    };
    let guard = guard();
    let strace = strace.to_str().unwrap();
    let trace = |words: &[&str]| {
        let all = [&[strace, "-f", "-o", "trace.txt"][..], words].concat();
        run(&mut supervised(&guard, &all), "")
    };
    let ran = trace(&["./mark", "fine"]);
    assert_eq!((ran.status, ran.stdout.as_str()), (7, "ran\n"), "{ran:?}");
    let ran = trace(&["./mark", "bad"]);
    assert!(!guard.path("bad").exists(), "{ran:?}");
    // With several threads what is judged could change, and nobody else may hold it.
    let ran = trace(&["./unseen", "thread", "./mark", "other"]);
    assert!(!guard.path("other").exists(), "{ran:?}");
    assert!(ran.stderr.contains("it cannot be held"), "{ran:?}");
    let ran = run(&mut under(&guard, "best", &["./unseen", "thread", "./mark", "other"]), "");
    assert_eq!(ran.status, 7, "{ran:?}");
}
