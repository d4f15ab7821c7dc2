//! The supervisor's own life: nobody notices it, who asks is answered, and its death harms nobody.

use std::fs;
use std::process::Stdio;

use super::{guard, supervised, supervised_by_nobody, under};
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
    let guard = guard();
    let script = "grep NoNewPrivs /proc/self/status; ./unseen execve ./mark fine; ./unseen execve ./mark bad";
    let Some(mut command) = supervised_by_nobody(&guard, &["sh", "-c", script]) else {
        return;
    };
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
fn a_policy_can_demand_it() {
    let guard = guard();
    let policy = |word: &str| {
        let text =
            super::POLICY.replacen("version: '1'", &format!("version: '1'\nenforce: {word}"), 1);
        fs::write(guard.path("policy.yaml"), text).unwrap();
    };
    let start = |enforce: &[&str]| {
        let mut command = guard.bare(tests::rampart());
        command.args(["run", "--policy", "policy.yaml"]).args(enforce);
        command.args(["--", "./unseen", "execve", "./mark", "bad"]);
        command.env("RAMPART_AUDIT_DIR", guard.audit()).env("RAMPART_LIB", tests::library());
        command
    };
    for (word, enforce, runs) in [
        ("interposer", &[][..], true),
        ("best", &[], false),
        ("kernel", &[], false),
        ("kernel", &["--enforce", "interposer"], false),
        ("interposer", &["--enforce", "best"], false),
    ] {
        policy(word);
        let ran = run(&mut start(enforce), "");
        assert_eq!(guard.path("bad").exists(), runs, "{word} {enforce:?}: {ran:?}");
        let _ = fs::remove_file(guard.path("bad"));
    }
    // Where it cannot be had, since somebody listens already, the policy decides.
    let Some(python) = find("python3") else {
        return println!("skipped: python3 is not installed");
    };
    for (word, status) in [("kernel", 126), ("best", 7)] {
        policy(word);
        let mut outer = std::process::Command::new(&python);
        let inner = start(&[]);
        outer.args(["-c", LISTENING]).arg(inner.get_program()).args(inner.get_args());
        outer.current_dir(guard.dir()).env_clear();
        outer.envs(inner.get_envs().filter_map(|(name, value)| Some((name, value?))));
        let ran = run(&mut outer, "");
        assert_eq!(
            (ran.status, guard.path("bad").exists()),
            (status, word == "best"),
            "{word}: {ran:?}"
        );
        assert!(ran.stderr.contains("another supervisor is above this one"), "{ran:?}");
    }
}

/// Becomes its arguments below a filter that has a listener, as in a container that has one: it is never asked.
const LISTENING: &str = "
import ctypes, os, platform, struct, sys
libc = ctypes.CDLL(None, use_errno=True)
number = 277 if platform.machine() == 'aarch64' else 317
code = struct.pack('HBBI', 6, 0, 0, 0x7fff0000)
room = ctypes.create_string_buffer(code)
program = struct.pack('HxxxxxxQ', 1, ctypes.addressof(room))
libc.prctl(38, 1, 0, 0, 0)
listener = libc.syscall(number, 1, 8, program)
assert listener >= 0, ctypes.get_errno()
os.set_inheritable(listener, True)
os.execv(sys.argv[1], sys.argv[1:])
";

#[test]
fn signals_reach_the_command() {
    let guard = guard();
    let text = "trap 'exit 9' TERM; trap 'echo usr1' USR1; echo ready >ready; while :; do sleep 0.02; done";
    let mut command = supervised(&guard, &["sh", "-c", text]);
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let evaluator = Evaluator::without_daemon(&guard);
    evaluator.wait("the command", || guard.path("ready").exists().then_some(()));
    let pid = rustix::process::Pid::from_child(&child);
    for signal in [rustix::process::Signal::USR1, rustix::process::Signal::TERM] {
        rustix::process::kill_process(pid, signal).unwrap();
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    let output = child.stdout.take().map(std::io::read_to_string).unwrap().unwrap();
    assert_eq!((child.wait().unwrap().code(), output.as_str()), (Some(9), "usr1\n"));
}

#[test]
fn gdb_in_the_tree() {
    if find("gdb").is_none() {
        println!("skipped: gdb is not installed");
        return;
    }
    let guard = guard();
    for (mark, word, runs) in [
        ("./mark", "fine", true),
        ("./dynamic/mark", "good", true),
        ("./mark", "bad", false),
        ("./dynamic/mark", "bad", false),
    ] {
        let words = [&GDB[..], &["-batch", "-ex", "run", "--args", mark, word]].concat();
        let ran = run(&mut supervised(&guard, &words), "");
        assert_eq!(guard.path(word).exists(), runs, "{mark} {word}: {ran:?}");
        assert_eq!(ran.stderr.contains("rampart: denied: "), !runs, "{mark} {word}: {ran:?}");
    }
    // It starts programs from a process with several threads, and holds them itself.
    let words = ["gdb", "-nx", "-batch", "-ex", "run", "--args", "./mark", "other"];
    let ran = run(&mut supervised(&guard, &words), "");
    let has_threads = ran.stderr.contains("it cannot be held");
    assert_eq!(guard.path("other").exists(), !has_threads, "{ran:?}");
}

/// gdb with one thread: it does not wait for those that it ends.
const GDB: [&str; 6] = [
    "gdb",
    "-nx",
    "-iex",
    "maint set worker-threads 0",
    "-iex",
    "python import os, time; [time.sleep(0.01) for _ in range(3000) if len(os.listdir('/proc/self/task')) > 1]",
];

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

#[test]
fn a_sandbox_without_socket_and_log_is_heard() {
    let is_there = find("bwrap").is_some_and(|bwrap| {
        let mut command = std::process::Command::new(bwrap);
        command.args(["--ro-bind", "/", "/", "--unshare-all", "true"]);
        command.status().is_ok_and(|status| status.success())
    });
    if !is_there {
        println!("skipped: bubblewrap is not installed, or may not be used");
        return;
    }
    let guard = guard();
    fs::create_dir_all(guard.path("lib")).unwrap();
    fs::copy(guard.path("dynamic/mark"), guard.path("lib/careful")).unwrap();
    let (dir, audit, run_dir) =
        (guard.dir().display().to_string(), guard.audit(), guard.path("run"));
    let (audit, run_dir) = (audit.to_str().unwrap(), run_dir.to_str().unwrap());
    let sandboxed = || {
        let all = [
            &["bwrap", "--unshare-all", "--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc"]
                [..],
            &[
                "--bind",
                &dir,
                &dir,
                "--ro-bind",
                audit,
                audit,
                "--tmpfs",
                run_dir,
                "--tmpfs",
                "/dev/shm",
            ],
            &["--chdir", &dir, "sh"],
        ];
        supervised(&guard, &all.concat())
    };
    // From standard input, so that nothing outside sees what will be started.
    let ran = run(&mut sandboxed(), "./dynamic/mark fine; ./dynamic/mark bad; exit 3");
    assert_eq!((ran.status, guard.path("bad").exists()), (3, false), "{ran:?}");
    assert!(guard.path("fine").exists(), "{ran:?}");
    assert_eq!(ran.stderr.lines().count(), 1, "one denial, no warning: {ran:?}");
    let events = guard.events();
    let of = |word: &str, outcome: &str| {
        let is_it = |event: &&serde_json::Value| {
            event["argv"][0] == "./dynamic/mark"
                && event["argv"][1] == word
                && event["outcome"] == outcome
        };
        events.iter().filter(is_it).collect::<Vec<_>>()
    };
    let (fine, bad) = (of("fine", "allowed"), of("bad", "denied"));
    assert_eq!((fine.len(), bad.len()), (1, 1), "{events:#?}");
    // Its own number in there is a small one.
    for event in [fine[0], bad[0]] {
        assert!(event["pid"].as_u64().unwrap() > 100, "{event:#}");
    }
    let evaluator = Evaluator::without_daemon(&guard);
    for (verb, text) in [("approve", "left"), ("deny", "kept")] {
        let input = format!("./lib/careful {text}");
        let ran = evaluator.while_running((sandboxed(), &input), || {
            let pending = evaluator.wait_for(1);
            assert_eq!(pending.len(), 1, "one question: {pending:?}");
            assert_eq!(evaluator.say(&[verb, pending[0]["id"].as_str().unwrap()]).status, 0);
        });
        assert_eq!(guard.path(text).exists(), verb == "approve", "{verb}: {ran:?}");
    }
    // What is no event is none, and without a supervisor there is no bell.
    let bell = format!("/rampart{}", "-".repeat(293));
    for (enforce, expected) in
        [("kernel", "Invalid argument"), ("interposer", "File name too long")]
    {
        let ran = run(&mut under(&guard, enforce, &["./unseen", "execve", &bell, "{}"]), "");
        assert!(ran.stderr.contains(expected), "{enforce}: {ran:?}");
    }
}
