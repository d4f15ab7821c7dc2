//! The calls themselves, at the edges: errors, sizes, null pointers, small stacks, signals. One C
//! program a libc makes them and prints what it sees (`probes/calls.c`).

use std::fs;
use std::path::Path;

use crate::twice::Twice;
use tests::{LibC, probe};

/// Everything goes: what is compared is the mechanism, not a policy.
const OPEN: &str = "version: \"1\"\ndefault_action: allow\non_unparseable: allow\n";

/// Cases of `calls.c`.
const CASES: &[&str] = &[
    "failures",
    "search",
    "nulls",
    "sizes",
    "small-thread",
    "thread",
    "signal-stack",
    "shells",
    "inherited",
];

fn same_for(libc: LibC) {
    let twice = Twice::new(OPEN);
    let (calls, show) = (twice.guard.path("bin/calls"), twice.guard.path("bin/show"));
    if !probe("calls", libc, &calls) {
        println!("skipped: musl (musl-gcc is not installed)");
        return;
    }
    probe("show", libc, &show);
    let mut wrong = Vec::new();
    for case in CASES {
        let prepare = |dir: &Path| {
            fs::copy(&show, dir.join("show")).unwrap();
        };
        let adjust = |command: &mut std::process::Command| {
            for (name, _) in std::env::vars_os().filter(|(name, _)| name != "PATH") {
                command.env_remove(name);
            }
            command.arg(case);
        };
        let compared = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let ran = twice.compare(case, &prepare, &adjust, &calls, "input\n");
            assert_eq!(ran.status, expected_status(case), "{case}: {ran:?}");
        }));
        if compared.is_err() {
            wrong.push(*case);
        }
    }
    assert!(wrong.is_empty(), "different: {wrong:?}");
}

/// The last case ends as the program that it starts.
fn expected_status(case: &str) -> i32 {
    if case == "inherited" { 7 } else { 0 }
}

#[test]
fn glibc() {
    same_for(LibC::Glibc);
}

#[test]
fn musl() {
    same_for(LibC::Musl);
}
