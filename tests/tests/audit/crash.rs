//! SIGKILL at every system call of the merger, one run each, and of writers and mergers at any time.

use std::fs;
use std::os::unix::process::CommandExt;
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use tests::{Guard, find, run};

use crate::{chain, command, is_whole, say, sealed, spool, told};

/// The system calls by which the merger changes anything, and the one that opens files.
const CALLS: [&str; 8] =
    ["write", "fdatasync", "fsync", "rename", "unlink", "ftruncate", "pwrite64", "openat"];

/// What is done to a call: an option of strace's `inject`, and whether the process dies of it.
const FAULTS: [(&str, bool); 4] = [
    ("signal=KILL:when=", true),
    ("error=ENOSPC:when=", false),
    ("error=EIO:when=", false),
    // From then on: a disk that stays full.
    ("error=ENOSPC:when=+", false),
];

/// Merges with `fault` at the `when`th `call`; whether there was one.
fn merge_with(guard: &Guard, (fault, kills): (&str, bool), call: &str, when: u32) -> bool {
    let trace = guard.path("trace");
    let (fault, repeated) = match fault.strip_suffix('+') {
        Some(fault) => (fault, "+"),
        None => (fault, ""),
    };
    let mut traced = guard.bare("strace");
    traced.args(["-f", "-qq", "-o"]).arg(&trace);
    traced.args(["-e", &format!("trace={call}")]);
    traced.args(["-e", &format!("inject={call}:{fault}{when}{repeated}")]);
    traced.arg(tests::rampart()).args(["audit", "tail", "--each", "--json"]);
    let ran = run(traced.env("RAMPART_AUDIT_DIR", guard.audit()), "");
    let text = fs::read_to_string(&trace).unwrap();
    let hit = if kills { ran.status == 128 + 9 } else { text.contains("(INJECTED)") };
    assert!(!ran.stderr.contains("panicked"), "{fault}{when} {call}: {ran:?}");
    assert!(hit || ran.status == 0, "{fault}{when} {call}: {ran:?}");
    // What it says about an error, it says with a status.
    assert!(kills || ran.status < 128, "{fault}{when} {call}: {ran:?}");
    hit
}

#[test]
fn a_merger_that_fails_at_any_call_loses_and_doubles_nothing() {
    if find("strace").is_none() {
        return println!("skipped: strace is not installed");
    }
    for fault in FAULTS {
        for call in CALLS {
            for when in 1.. {
                let guard = Guard::new("");
                let key = sealed(&guard);
                spool(&guard, 0..3);
                assert_eq!(say(&guard, &["audit", "tail"]).status, 0);
                // What a crash left before, so that setting it aside is cut short as well.
                let last = chain(&guard.audit()).pop().unwrap();
                let mut torn = fs::read(&last).unwrap();
                torn.extend_from_slice(b"{\"v\":1,\"id\":\"torn");
                fs::write(&last, torn).unwrap();
                spool(&guard, 3..6);
                let hit = merge_with(&guard, fault, call, when);
                spool(&guard, 6..7);
                is_whole(&guard, &key, 0..7, &format!("{}{when} {call}", fault.0));
                if !hit {
                    assert!(when > 1 || call == "fsync" || call == "ftruncate", "no {call}");
                    break;
                }
            }
        }
    }
}

/// A shell whose every child appends an event; it counts those that it has seen end.
const WRITER: &str = "n=0; while :; do /bin/true && n=$((n+1)) && echo $n; done";

#[test]
fn writers_and_mergers_killed_at_any_time() {
    let guard = Guard::new("version: '1'\ndefault_action: allow\npolicies: []");
    let key = sealed(&guard);
    let done = AtomicBool::new(false);
    let acknowledged: usize = thread::scope(|scope| {
        let merger = scope.spawn(|| {
            // Killed after 0, 1, 2 … milliseconds: from before it starts to after its end.
            for pause in (0..40).cycle().take_while(|_| !done.load(Ordering::Relaxed)) {
                let mut child =
                    command(&guard, &["audit", "tail"]).stdout(Stdio::null()).spawn().unwrap();
                thread::sleep(Duration::from_millis(pause));
                let _ = child.kill();
                child.wait().unwrap();
            }
        });
        let writers = (0..20_u64).map(|number| {
            let output = guard.path(&format!("writer-{number}"));
            let mut writer = guard.command("/bin/dash");
            writer.args(["-c", WRITER]).stdout(fs::File::create(&output).unwrap());
            let mut writer = writer.process_group(0).spawn().unwrap();
            thread::sleep(Duration::from_millis(100 + 13 * number));
            end_group(writer.id().cast_signed());
            writer.wait().unwrap();
            let text = fs::read_to_string(output).unwrap();
            text.lines().last().map_or(0, |line| line.parse::<usize>().unwrap())
        });
        let acknowledged = writers.sum();
        done.store(true, Ordering::Relaxed);
        merger.join().unwrap();
        acknowledged
    });
    assert!(acknowledged > 200, "{acknowledged}");
    let found = say(&guard, &["audit", "verify", "--key", &key]);
    assert_eq!(found.status, 0, "{found:?}");
    let told = told(&guard.audit());
    assert!(told.values().all(|times| *times == 1), "told twice");
    // The shells themselves, and up to one start each that nobody had seen end.
    let most = acknowledged + 2 * 20;
    assert!((acknowledged + 20..=most).contains(&told.len()), "{acknowledged}: {}", told.len());
}

/// Ends a process group that this test made.
#[allow(unsafe_code, reason = "kill(2) has no safe form in std")]
fn end_group(group: i32) {
    // SAFETY: takes two integers; the group's leader is our child and not reaped yet.
    unsafe { libc::kill(-group, libc::SIGKILL) };
}
