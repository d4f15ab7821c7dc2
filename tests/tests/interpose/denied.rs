//! A denied program is never started, and the denial looks like a program that printed one line
//! and exited with 126, wherever its standard error points.

use std::fs;

use tests::{Guard, LibC, Ran, probe, run};

use crate::{POLICY, denials, forbidden, guard, mark, script};

/// Nothing ran, and each of `lines` attempts was reported and recorded.
fn check(guard: &Guard, case: &str, ran: &Ran, lines: usize) {
    assert!(!mark(guard).exists(), "{case}: it ran: {ran:?}");
    assert_eq!(denials(&ran.stderr), lines, "{case}: {ran:?}");
    let events = guard.events();
    let denied = events.iter().filter(|event| event["outcome"] == "denied");
    assert_eq!(denied.count(), lines, "{case}: {events:#?}");
}

/// Cases of `probes/edge.c`: what it prints, and how many denials there are.
const CASES: &[(&str, &str, usize)] = &[
    ("execve", "status 126\nerrno 0\n", 1),
    ("argc-0", "status 126\nerrno 0\n", 1),
    ("env-null", "status 126\nerrno 0\n", 1),
    ("small-thread", "16 KiB 0\nstatus 126\nerrno 0\nstatus 126\nspawn 0\nthread 0\n", 2),
    ("signal-stack", "sigaltstack 0\nstatus 126\nerrno 0\n", 1),
    ("in-place", "errno 1\n", 1),
    ("repeated", "errno 1\nerrno 1\n", 1),
];

#[test]
fn in_every_context() {
    for libc in [LibC::Glibc, LibC::GlibcStatic] {
        let (guard, edge) = guard(POLICY);
        let target = forbidden(&guard, libc);
        for (case, expected, lines) in CASES {
            guard.forget();
            let ran = run(guard.command(&edge).arg(case).arg(&target).arg(mark(&guard)), "");
            assert_eq!(ran.stdout, *expected, "{case} {libc:?}: {ran:?}");
            check(&guard, case, &ran, *lines);
        }
    }
}

#[test]
fn a_thousand_vfork_children_leave_the_parent_as_it_was() {
    let (guard, edge) = guard(POLICY);
    let target = forbidden(&guard, LibC::Glibc);
    let mut command = guard.command(&edge);
    let ran = run(command.arg("leak").arg(&target).arg(mark(&guard)).env("EDGE_STATUS", "126"), "");
    let expected = "wrong 0\naddress space grew 0\nmemory grew by more than 64 KiB 0\ndescriptors changed 0\nsocket untouched 1\n";
    assert_eq!(ran.stdout, expected);
    check(&guard, "leak", &ran, 1050);
}

/// Routes of `probes/launch.c` for `RAMPART_ON_DENY=errno`.
const BY_ERRNO: &[(&[&str], &str)] = &[
    (&["execve"], "errno 1\n"),
    (&["-v", "execve"], "errno 1\nstatus 99\n"),
    (&["-f", "execvp"], "errno 1\nstatus 99\n"),
    (&["posix_spawn"], "errno 1\n"),
    (&["posix_spawnp"], "errno 1\n"),
];

#[test]
fn by_error_number_on_demand() {
    for libc in [LibC::Glibc, LibC::GlibcStatic] {
        let guard = Guard::new(POLICY);
        let launch = guard.path("launch");
        assert!(probe("launch", LibC::Glibc, &launch));
        let target = forbidden(&guard, libc);
        for (route, expected) in BY_ERRNO {
            guard.forget();
            let mut command = guard.command(&launch);
            command.args(*route).arg(&target).arg(mark(&guard)).env("RAMPART_ON_DENY", "errno");
            let ran = run(&mut command, "");
            assert_eq!(ran.stdout, *expected, "{route:?}: {ran:?}");
            check(&guard, route[0], &ran, 1);
        }
    }
}

#[test]
fn the_line_goes_where_the_program_s_would() {
    let (guard, _) = guard(POLICY);
    let target = forbidden(&guard, LibC::Glibc);
    let (line, mark_file) = (guard.path("line"), mark(&guard));
    let place = format!(
        "(exec {} {} 2>{}); exit $?",
        target.display(),
        mark_file.display(),
        line.display()
    );
    let spawn = format!(
        "import os; a=[(os.POSIX_SPAWN_OPEN,2,'{}',os.O_WRONLY|os.O_CREAT|os.O_TRUNC,0o600)]\n\
         p=os.posix_spawn('{}',['forbidden','{}'],os.environ,file_actions=a)\n\
         raise SystemExit(os.waitstatus_to_exitcode(os.waitpid(p,0)[1]))",
        line.display(),
        target.display(),
        mark_file.display()
    );
    let run_it = format!(
        "import subprocess as s; \
         raise SystemExit(s.run(['{}','{}'], stderr=open('{}','w')).returncode)",
        target.display(),
        mark_file.display(),
        line.display()
    );
    // The text is standard input: no verdict about the interpreter sees it.
    for (program, text) in [("sh", place), ("python3", spawn), ("python3", run_it)] {
        let _ = fs::remove_file(&line);
        guard.forget();
        let ran = run(&mut guard.command(tests::find(program).unwrap()), &text);
        assert_eq!((ran.status, ran.stderr.as_str()), (126, ""), "{text}: {ran:?}");
        assert!(!mark_file.exists(), "{text}");
        assert_eq!(denials(&fs::read_to_string(&line).unwrap()), 1, "{text}");
    }
}

#[test]
fn with_standard_error_closed_it_is_denied_all_the_same() {
    let (guard, edge) = guard(POLICY);
    let target = forbidden(&guard, LibC::Glibc);
    let ran = run(guard.command(&edge).arg("closed-stderr").arg(&target).arg(mark(&guard)), "");
    assert_eq!(ran.stdout, "status 126\nerrno 0\n");
    assert!(!mark(&guard).exists());
    assert_eq!(guard.events().iter().filter(|event| event["outcome"] == "denied").count(), 1);
}

#[test]
fn the_start_of_a_tree_is_judged_too() {
    let (guard, _) = guard(POLICY);
    let target = forbidden(&guard, LibC::Glibc);
    let ran = run(guard.command(&target).arg(mark(&guard)), "");
    assert_eq!(ran.status, 126, "{ran:?}");
    check(&guard, "root", &ran, 1);
}

#[test]
fn quotes_and_control_bytes_cannot_break_out_of_the_line() {
    let (guard, _) = guard(POLICY);
    forbidden(&guard, LibC::Glibc);
    let evil = guard.path("evil");
    let text =
        format!("forbidden \"';touch {0};'\" '$(touch {0})' '\x1b[31m' 'a\nb'", evil.display());
    let python = "import os,sys; raise SystemExit(os.WEXITSTATUS(os.system(sys.argv[1])))";
    let ran = run(guard.command(tests::find("python3").unwrap()).args(["-c", python, &text]), "");
    assert_eq!(ran.status, 126, "{ran:?}");
    assert!(!evil.exists());
    assert_eq!(ran.stderr.lines().count(), 1, "{ran:?}");
    assert!(!ran.stderr.contains('\x1b'), "{ran:?}");
}

#[test]
fn a_search_along_path_says_it_once() {
    let (guard, _) = guard(POLICY);
    let target = forbidden(&guard, LibC::Glibc);
    fs::create_dir(guard.path("bin2")).unwrap();
    fs::copy(&target, guard.path("bin2/forbidden")).unwrap();
    let path = format!("{}:{}:/usr/bin", guard.path("bin").display(), guard.path("bin2").display());
    let python = "import os; os.execvp('forbidden', ['forbidden', os.environ['MARK']])";
    let mut command = guard.command(tests::find("python3").unwrap());
    let ran = run(command.env("PATH", path).env("MARK", mark(&guard)), python);
    assert!(ran.stderr.contains("PermissionError"), "{ran:?}");
    check(&guard, "search", &ran, 1);
}

#[test]
fn scripts_are_judged_by_what_runs_them_at_the_end_of_the_chain() {
    // As many `#!` lines as the kernel follows; a static interpreter cannot judge itself.
    for libc in [LibC::Glibc, LibC::GlibcStatic] {
        let (guard, edge) = guard(POLICY);
        let mut interpreter = forbidden(&guard, libc);
        for depth in 1..=5 {
            let text = format!("#!{}\n", interpreter.display());
            interpreter = script(&guard, &format!("script{depth}"), &text);
            let shell = format!("{} {}; exit $?", interpreter.display(), mark(&guard).display());
            for command in [&mut guard.command("sh"), guard.command(&edge).arg("execve")] {
                guard.forget();
                let input = if command.get_args().next().is_some() {
                    command.arg(&interpreter).arg(mark(&guard));
                    ""
                } else {
                    &shell
                };
                let ran = run(command, input);
                let said = ran.stdout.starts_with("status 126\n");
                assert!(ran.status == 126 || said, "{depth} {libc:?}: {ran:?}");
                check(&guard, &format!("{depth} {libc:?}"), &ran, 1);
            }
        }
    }
}

#[test]
fn monitor_records_and_disabled_does_not() {
    for (mode, events) in [("monitor", 1), ("disabled", 0)] {
        let (guard, edge) = guard(POLICY);
        let target = forbidden(&guard, LibC::Glibc);
        let mut command = guard.command(&edge);
        command.arg("execve").arg(&target).arg(mark(&guard)).env("RAMPART_MODE", mode);
        let ran = run(&mut command, "");
        assert_eq!(
            (ran.stdout.as_str(), ran.stderr.as_str()),
            ("ran\nstatus 7\nerrno 0\n", ""),
            "{mode}"
        );
        let found = guard.events();
        let not_enforced = found.iter().filter(|event| event["outcome"] == "not-enforced");
        assert_eq!(not_enforced.count(), events, "{mode}: {found:#?}");
        assert!(mode == "monitor" || found.is_empty(), "{found:#?}");
    }
}
