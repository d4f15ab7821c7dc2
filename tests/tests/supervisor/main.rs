//! `rampart run --enforce kernel`: what librampart.so cannot see, the kernel puts to the supervisor. Every
//! claim is tried with real processes, the races included.

#![allow(clippy::unwrap_used, reason = "test code: a helper that cannot go on stops the test")]

mod floor;
mod gaps;
mod life;
mod races;
mod routes;
mod state;

use std::path::Path;
use std::process::Command;

use tests::{Guard, cc, find, probe, rampart};

/// `mark` may not leave the file `bad`, `evil` may not run at all, and `careful` is asked about.
const POLICY: &str = "version: '1'\ndefault_action: allow\npolicies: [{name: p, rules: [\
    {name: no-bad, action: deny, when: {program: [mark, touch], operands: [bad]}},\
    {name: no-evil, action: deny, when: {program: [evil]}},\
    {name: asked, action: ask, when: {program: [careful]}}]}]";

/// A guard whose directory holds `unseen`, `contested`, `sharers`, `mark` (static) and `dynamic/mark`.
fn guard() -> Guard {
    guard_with(POLICY)
}

/// The same with another policy.
fn guard_with(policy: &str) -> Guard {
    let guard = Guard::new(policy);
    let probes = Path::new(env!("CARGO_MANIFEST_DIR")).join("probes");
    for name in ["unseen", "contested", "sharers"] {
        let source = probes.join(name).with_extension("c");
        cc("cc", &source, &guard.path(name), &["-static", "-no-pie", "-pthread"]);
    }
    std::fs::create_dir(guard.path("dynamic")).unwrap();
    assert!(probe("mark", tests::LibC::GlibcStatic, &guard.path("mark")));
    assert!(probe("mark", tests::LibC::Glibc, &guard.path("dynamic/mark")));
    guard
}

/// `rampart run` with this `--enforce` and the guard's policy.
fn under(guard: &Guard, enforce: &str, words: &[&str]) -> Command {
    let mut command = guard.bare(rampart());
    command.arg("run").arg("--policy").arg(guard.image()).args(["--enforce", enforce, "--"]);
    command
        .args(words)
        .env("RAMPART_AUDIT_DIR", guard.audit())
        .env("RAMPART_LIB", tests::library());
    command
}

/// The same, supervised.
fn supervised(guard: &Guard, words: &[&str]) -> Command {
    under(guard, "kernel", words)
}

/// The same by an ordinary user, who then owns the guard's directories; `None` where nobody else can be had.
fn supervised_by_nobody(guard: &Guard, words: &[&str]) -> Option<Command> {
    if !rustix::process::geteuid().is_root() || find("setpriv").is_none() {
        println!("skipped: needs root and setpriv");
        return None;
    }
    for dir in [guard.dir().to_owned(), guard.audit(), guard.path("home"), guard.path("run")] {
        std::os::unix::fs::chown(dir, Some(65534), Some(65534)).unwrap();
    }
    let mut command = guard.bare("setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(rampart());
    command.arg("run").arg("--policy").arg(guard.image()).args(["--enforce", "kernel", "--"]);
    command
        .args(words)
        .env("RAMPART_AUDIT_DIR", guard.audit())
        .env("RAMPART_LIB", tests::library());
    Some(command)
}
