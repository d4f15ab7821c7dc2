//! Programs that start others by `vfork` share their memory with the child: what a hook does there
//! happens to them. So: nothing that is denied runs, nothing stalls, nothing stays behind in the
//! parent's memory, its descriptors and sockets are as they were.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops where it fails"
)]

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use tests::{Guard, LibC, find, probe, run};

/// Denies everything but the program that does the launching.
fn only(launchers: &str) -> String {
    format!(
        "version: \"1\"\ndefault_action: deny\npolicies:\n  - name: launcher\n    rules:\n      \
         - name: itself\n        action: allow\n        when: {{program: [{launchers}]}}\n"
    )
}

/// Allows everything.
const OPEN: &str = "version: \"1\"\ndefault_action: allow\n";

/// Denied starts in a row.
const TIMES: usize = 50;

/// Longest time for all of them. A stall, as of a resource that the child took from its parent,
/// takes seconds each time; a denial takes about a millisecond.
const PATIENCE: Duration = Duration::from_secs(20);

/// Programs that loop over a `vfork` and an exec of `@T @M`, [`TIMES`] times, and print each status.
const LAUNCHERS: &[(&str, &str, &str, &str)] = &[
    ("dash", "dash", "", "i=0; while [ $i -lt 50 ]; do @T @M; echo $?; i=$((i+1)); done"),
    (
        "CPython, env=",
        "python3",
        "-",
        "import subprocess\nfor _ in range(50): print(subprocess.run(['@T', '@M'], env={'A': '1'}).returncode)",
    ),
    (
        "CPython",
        "python3",
        "-",
        "import subprocess\nfor _ in range(50): print(subprocess.run(['@T', '@M']).returncode)",
    ),
    (
        "Tcl",
        "tclsh",
        "",
        "for {set i 0} {$i < 50} {incr i} { catch {exec -ignorestderr @T @M} t o; puts [lindex [dict get $o -errorcode] 2] }",
    ),
    (
        "bun",
        "bun",
        "run -",
        "for (let i = 0; i < 50; i++) console.log(Bun.spawnSync(['@T', '@M'], {stdio: ['inherit', 'inherit', 'inherit']}).exitCode)",
    ),
    ("JDK", "java", "-Djdk.lang.Process.launchMechanism=VFORK -cp @G Loop", "50 @T @M"),
];

/// Compiles the JDK's loop, if there is a compiler. Whether the launcher can be tried.
fn prepare(guard: &Guard, program: &str) -> bool {
    if program != "java" {
        return find(program).is_some();
    }
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("probes/Loop.java");
    let Some(javac) = find("javac") else {
        return false;
    };
    let mut compile = guard.bare(javac);
    run(compile.arg("-d").arg(guard.dir()).arg(source), "").status == 0 && find("java").is_some()
}

#[test]
fn nothing_that_is_denied_runs_and_nothing_stalls() {
    for (name, program, arguments, script) in LAUNCHERS {
        let guard = Guard::new(&only(
            "dash, python3, python3.11, tclsh, tclsh8.6, java, jspawnhelper, bun",
        ));
        let (target, mark) = (guard.path("bin/target"), guard.path("mark"));
        probe("mark", LibC::Glibc, &target);
        if !prepare(&guard, program) {
            println!("skipped: {name} ({program} is not installed)");
            continue;
        }
        let fill = |text: &str| {
            text.replace("@T", &target.to_string_lossy())
                .replace("@M", &mark.to_string_lossy())
                .replace("@G", &guard.dir().to_string_lossy())
        };
        let mut command = guard.command(find(program).unwrap());
        command.args(fill(arguments).split_whitespace());
        let started = Instant::now();
        let ran = run(&mut command, &fill(script));
        let took = started.elapsed();
        assert!(!mark.exists(), "{name}: a denied program ran: {ran:?}");
        assert_eq!(ran.stdout, "126\n".repeat(TIMES), "{name}: {}", ran.stderr);
        assert_eq!(ran.status, 0, "{name}: {}", ran.stderr);
        let lines = ran.stderr.matches("rampart: denied: ").count();
        assert_eq!(lines, TIMES, "{name}: one line each: {}", ran.stderr);
        let denied = guard.events().iter().filter(|event| event["outcome"] == "denied").count();
        assert_eq!(denied, TIMES, "{name}: one record each");
        assert!(took < PATIENCE, "{name}: took {took:?}");
    }
}

/// Loops in a program that looks at itself: its memory, its descriptors, a socket that it uses.
fn look(policy: &str, environment: &str) -> Option<String> {
    let guard = Guard::new(policy);
    let target = guard.path("bin/target");
    assert!(
        probe("mark", LibC::Glibc, &target)
            && probe("vfork", LibC::Glibc, &guard.path("bin/vfork"))
    );
    let mut command = guard.command(guard.path("bin/vfork"));
    command.arg(&target).arg(environment).arg("1000");
    let ran = run(&mut command, "");
    assert_eq!(ran.status, 0, "{policy}, {environment}: {} {}", ran.stdout, ran.stderr.len());
    Some(ran.stdout)
}

#[test]
fn the_parent_is_as_it_was() {
    // The program compares its descriptors and uses its sockets itself; it prints what it gained.
    for policy in [&only("vfork"), OPEN] {
        for environment in ["own", "empty", "other", "250"] {
            let said = look(policy, environment).unwrap();
            let gained: i64 = said.trim().parse().expect("KiB");
            assert!(gained <= 256, "{environment}: the parent gained {gained} KiB in 1,000 spawns");
        }
    }
}

/// Shells and languages that start a denied program 1,000 times, each with another environment, and
/// print their resident pages before and after, and whether their descriptors are the same.
const PARENTS: &[(&str, &str, &str)] = &[
    (
        "dash",
        "",
        "read a b c </proc/$$/statm; i=0; set -- /proc/$$/fd/*; f=$*
while [ $i -lt 1000 ]; do A=$i @T @M; i=$((i+1)); [ $i != 20 ] || read a b c </proc/$$/statm; done 2>/dev/null
read x y z </proc/$$/statm; set -- /proc/$$/fd/*; g=$*; test \"$f\" = \"$g\" && echo $b $y same",
    ),
    (
        "python3",
        "-",
        "import os, subprocess
def pages(): return open('/proc/self/statm').read().split()[1]
def fds(): return [(f, os.readlink('/proc/self/fd/' + f)) for f in os.listdir('/proc/self/fd') if os.path.exists('/proc/self/fd/' + f)]
for i in range(1000):
    subprocess.run(['@T', '@M'], env={'A': str(i)}, stderr=subprocess.DEVNULL)
    if i == 20: before, files = pages(), len(fds())
print(before, pages(), 'same' if files == len(fds()) else fds())",
    ),
];

#[test]
fn real_parents_are_as_they_were() {
    for (program, arguments, script) in PARENTS {
        let guard = Guard::new(&only("dash, python3, python3.11"));
        let (target, mark) = (guard.path("bin/target"), guard.path("mark"));
        probe("mark", LibC::Glibc, &target);
        let Some(found) = find(program) else {
            println!("skipped: {program} is not installed");
            continue;
        };
        let script =
            script.replace("@T", &target.to_string_lossy()).replace("@M", &mark.to_string_lossy());
        let mut command = guard.command(found);
        let ran = run(command.args(arguments.split_whitespace()), &script);
        assert!(!mark.exists() && ran.status == 0, "{program}: {ran:?}");
        let said: Vec<&str> = ran.stdout.split_whitespace().collect();
        let [before, after, "same"] = said[..] else { panic!("{program}: {ran:?}") };
        let (before, after): (i64, i64) = (before.parse().unwrap(), after.parse().unwrap());
        // Pages; the original's library left more than five in each start.
        assert!(after - before <= 100, "{program}: {before} pages, then {after}");
        let denied = guard.events().iter().filter(|event| event["outcome"] == "denied").count();
        assert_eq!(denied, 1000, "{program}");
    }
}

#[test]
fn an_environment_beyond_256_entries_stays_mapped_in_the_parent() {
    // The listed gap: an array of pointers that long has to be mapped, and lives in the parent of
    // a vfork child until the parent ends. One page or two a spawn, and only where the caller's
    // environment has to be changed; this fails when the gap is closed, or grows.
    let said = look(OPEN, "1000").unwrap();
    let gained: i64 = said.trim().parse().expect("KiB");
    assert!((4000..=16_000).contains(&gained), "gained {gained} KiB in 1,000 spawns");
}

#[test]
fn a_threaded_parent_goes_on_meanwhile() {
    let Some(python) = find("python3") else {
        return;
    };
    // The shape that once sent a request of the guard's into the program's own socket: a vfork
    // child with its own environment while other threads use sockets and start programs.
    let guard = Guard::new(&only("python3, python3.11"));
    let mut command = guard.command(python);
    let script =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("probes/threads.py"));
    let ran = run(command.arg("-"), &script.expect("probes/threads.py"));
    let is_denial = |line: &str| line.starts_with("rampart: denied: ");
    assert_eq!((ran.status, ran.stdout.as_str()), (0, "same\n"), "{}", ran.stderr);
    assert!(ran.stderr.lines().all(is_denial), "{}", ran.stderr);
}
