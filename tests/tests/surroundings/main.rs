//! Places in which little works: no `/proc`, another root, another user, no room for a file, closed
//! descriptors. A permitted program does what it does without the library, a denied one does not run.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops where it fails"
)]

mod kinds;
mod reach;
mod written;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use tests::{Guard, LibC, Ran, find, probe, run};

const POLICY: &str = "version: \"1\"\ndefault_action: allow\npolicies:\n  - name: p\n    rules:\n      \
    - {name: forbidden, action: deny, when: {program: [forbidden]}}\n";

/// What the library has to say there.
#[derive(Clone, Copy, PartialEq)]
enum Says {
    /// Nothing.
    Nothing,
    /// That events cannot be written, once.
    OneWarning,
}
use Says::{Nothing, OneWarning};

/// Name, program and arguments that make the surroundings, the script for the shell in them, and
/// what the library says. `@P` is the program in question, `@M` its mark, `@D` the guard's directory.
type Case = (&'static str, &'static str, &'static str, Says);

/// Surroundings that anybody can make.
const PLAIN: &[Case] = &[
    ("a shell", "bash", "@P @M; echo $?", Nothing),
    ("no room for a file", "bash", "ulimit -f 0; @P /dev/null; echo $?", OneWarning),
    ("few descriptors", "bash", "ulimit -n 12; @P @M; echo $?", Nothing),
    ("standard input closed", "bash", "@P @M <&-; echo $?", Nothing),
    ("standard output closed", "bash", "@P @M >&-; echo $?", Nothing),
    ("standard error closed", "bash", "@P @M 2>&-; echo $?", Nothing),
    ("all closed", "bash", "@P @M <&- >&- 2>&-; echo $(($? == 126 ? 126 : 7))", Nothing),
    ("a full standard error", "bash", "@P @M 2>/dev/full; echo $?", Nothing),
    ("a small stack", "bash", "ulimit -s 96; @P @M; echo $?", Nothing),
    ("a stack without limit", "bash", "ulimit -s unlimited; @P @M; echo $?", Nothing),
    ("little memory", "bash", "ulimit -v 40000; @P @M; echo $?", Nothing),
    (
        "a directory that is gone",
        "bash",
        "mkdir gone; cd gone; rmdir ../gone; @P @M; echo $?",
        Nothing,
    ),
    ("a deep directory", "bash", DEEP, Nothing),
    ("ignored signals", "bash", "trap '' PIPE XFSZ TERM INT; @P @M; echo $?", Nothing),
    (
        "not readable",
        "bash",
        "cp @P hidden-@N; chmod 111 hidden-@N; mv hidden-@N @D/work/@N; ./@N @M; echo $?",
        Nothing,
    ),
];

/// A working directory longer than `PATH_MAX`.
const DEEP: &str = "n=0123456789012345678901234567890123456789012345678901234567890123456789\n\
    for i in $(seq 70); do mkdir $n && cd $n; done\n@P @M; echo $?";

/// Those that take root. `unshare` makes private mounts; nothing outside of them changes.
const ROOT: &[Case] = &[
    ("no /proc", "unshare -m bash", "umount -l /proc; @P @M; echo $?", Nothing),
    ("no /dev", "unshare -m bash", "umount -l /dev; @P @M; echo $?", Nothing),
    ("a user namespace", "unshare -Urm bash", "@P @M; echo $?", Nothing),
    ("a pid namespace", "unshare -mpf --mount-proc bash", "@P @M; echo $?", Nothing),
    (
        "another user",
        "setpriv --reuid 65534 --regid 65534 --clear-groups bash",
        "@P @M; echo $?",
        Nothing,
    ),
    (
        "no new privileges",
        "setpriv --no-new-privs --bounding-set -all bash",
        "@P @M; echo $?",
        Nothing,
    ),
    (
        "not readable, another user",
        "bash",
        "cp @P @N; chmod 111 @N; setpriv --reuid 65534 --clear-groups ./@N @M; echo $?",
        Nothing,
    ),
    (
        "set-user-ID",
        "bash",
        "cp @P @N; chmod 4755 @N; setpriv --reuid 65534 --clear-groups ./@N @M; echo $?",
        Nothing,
    ),
    (
        "a read-only root",
        "bwrap --ro-bind / / --dev /dev bash",
        "@P /dev/null; echo $?",
        OneWarning,
    ),
    (
        "a private /tmp",
        "unshare -m bash",
        "mount --bind @D /mnt; mount -t tmpfs t /dev/shm; cd /mnt; @P @M; echo $?",
        Nothing,
    ),
];

fn guard() -> Guard {
    let guard = Guard::new(POLICY);
    for name in ["permitted", "forbidden"] {
        probe("mark", LibC::Glibc, &guard.path("bin").join(name));
    }
    // Another user has to get there.
    for (name, mode) in [("", 0o777), ("audit", 0o1777), ("bin", 0o755), ("home", 0o755)] {
        fs::set_permissions(guard.path(name), fs::Permissions::from_mode(mode)).unwrap();
    }
    guard
}

fn attempt(guard: &Guard, case: &Case, target: &str, guarded: bool) -> (Ran, bool) {
    let (_, program, script, _) = case;
    let mut words = program.split_whitespace();
    let program = find(words.next().unwrap()).unwrap();
    let mut command = if guarded { guard.command(program) } else { guard.bare(program) };
    let mark = guard.path("mark");
    let _ = fs::remove_file(&mark);
    let _ = fs::remove_dir_all(guard.path("work"));
    fs::create_dir(guard.path("work")).unwrap();
    fs::set_permissions(guard.path("work"), fs::Permissions::from_mode(0o777)).unwrap();
    let script = script
        .replace("@P", &guard.path("bin").join(target).to_string_lossy())
        .replace("@N", target)
        .replace("@D", &guard.dir().to_string_lossy())
        .replace("@M", &mark.to_string_lossy());
    let ran = run(command.args(words).current_dir(guard.path("work")), &script);
    (ran, mark.exists())
}

fn check(cases: &[Case]) {
    let guard = guard();
    let mut wrong = Vec::new();
    for case in cases {
        let (what, program, _, says) = *case;
        let tool = program.split_whitespace().next().unwrap();
        if find(tool).is_none() {
            println!("skipped: {what} ({tool} is not installed)");
            continue;
        }
        let (bare, bare_mark) = attempt(&guard, case, "permitted", false);
        let (mut guarded, mark) = attempt(&guard, case, "permitted", true);
        if !bare.stdout.ends_with("7\n") && bare.status != 7 {
            println!("skipped: {what} cannot be made here: {bare:?}");
            continue;
        }
        if says == OneWarning {
            let (warnings, rest): (Vec<&str>, Vec<&str>) =
                guarded.stderr.lines().partition(|line| line.starts_with("rampart: warning: "));
            if warnings.len() != 1 {
                wrong.push(format!("{what}: {} warnings: {guarded:?}", warnings.len()));
            }
            guarded.stderr = rest.iter().map(|line| format!("{line}\n")).collect();
        }
        if (&bare, bare_mark) != (&guarded, mark) {
            wrong.push(format!("{what}: bare {bare:?} {bare_mark}, guarded {guarded:?} {mark}"));
        }
        let (denied, mark) = attempt(&guard, case, "forbidden", true);
        if mark || denied.stdout.contains("ran\n") || !denied.stdout.ends_with("126\n") {
            wrong.push(format!("{what}, denied: {denied:?} {mark}"));
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn for_anybody() {
    check(PLAIN);
}

fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output();
    id.is_ok_and(|id| id.stdout == b"0\n")
}

#[test]
fn for_root() {
    if is_root() {
        check(ROOT);
    } else {
        println!("skipped: private mounts and other users (needs root)");
    }
}
