//! Why this exists: what `librampart.so` promises to the programs that it lives in, each promise
//! shown on a real process. `coverage` tries every way to start a program; here is how a denial
//! looks, that nothing else changes, what children inherit, and what happens when something is
//! wrong with the guard itself.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test code: a case that cannot be set up fails the test, naming it"
)]

mod awkward;
mod cascade;
mod denied;
mod failures;
mod gate;
mod scripts;
mod words;

use std::fs;
use std::path::PathBuf;

use tests::{Guard, LibC, probe};

/// Denies the program `forbidden`, whatever its arguments.
pub const POLICY: &str = "
version: '1'
default_action: allow
policies:
  - name: test
    rules:
      - name: no
        action: deny
        when: {program: [forbidden]}
        message: not this one
";

/// A guard with [`POLICY`], or without an image (`policy` empty), and the probe `edge` in it.
pub fn guard(policy: &str) -> (Guard, PathBuf) {
    let guard = Guard::new(policy);
    let edge = guard.path("edge");
    assert!(probe("edge", LibC::Glibc, &edge), "cc is not installed");
    (guard, edge)
}

/// `bin/forbidden` (or another name) in the guard: leaves the file `mark` if it runs.
pub fn forbidden(guard: &Guard, libc: LibC) -> PathBuf {
    let path = guard.path("bin/forbidden");
    assert!(probe("mark", libc, &path), "no compiler for {libc:?}");
    path
}

/// The file that a program built from `mark.c` leaves.
pub fn mark(guard: &Guard) -> PathBuf {
    guard.path("mark")
}

/// The denial lines in what was printed.
pub fn denials(text: &str) -> usize {
    text.lines().filter(|line| line.starts_with("rampart: denied: ")).count()
}

/// The warning lines in what was printed.
pub fn warnings(text: &str) -> Vec<&str> {
    text.lines().filter(|line| line.starts_with("rampart: warning: ")).collect()
}

/// Writes an executable script into the guard's `bin`.
pub fn script(guard: &Guard, name: &str, text: &str) -> PathBuf {
    use std::os::unix::fs::PermissionsExt;
    let path = guard.path("bin").join(name);
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path
}
