//! What the supervisor does not see (docs/supervisor.md), asserted: the day one of these fails, the gap is closed, and its
//! row there goes. Each is tried until it is found, for some seconds at most.

use std::fs;
use std::path::Path;

use super::{guard, guard_with, supervised};
use tests::{find, run};

/// A gap that is open is found by the first few; on a busy machine, and where a process has to be killed in time, by some hundred.
const TRIES: &str = "10000";

#[test]
fn words_that_others_change_where_nobody_is_held() {
    let guard = guard();
    // One whose file only root can change, so that it is not held, and that is given no library.
    let touch = "/usr/bin/touch";
    for (probe, mode) in [
        ("./contested", "shared"),
        ("./sharers", "sibling"),
        ("./sharers", "chosen"),
        ("./sharers", "kernel"),
    ] {
        let words = [probe, mode, TRIES, touch, "good", "bad"];
        let ran = run(&mut supervised(&guard, &words), "");
        if ran.status == 77 {
            println!("skipped: {mode}: this user or machine cannot make such a process");
            continue;
        }
        assert_eq!(ran.status, 0, "{mode}: {ran:?}");
        assert!(guard.path("bad").exists(), "the gap is closed: {mode}: {}", ran.stderr);
        fs::remove_file(guard.path("bad")).unwrap();
    }
}

#[test]
fn a_working_directory_that_others_change() {
    let guard = guard_with(
        "version: '1'\ndefault_action: allow\npolicies: [{name: p, rules: [\
         {name: no-bad, action: deny, when: {program: [touch], operands: ['**/bad/*']}}]}]",
    );
    let [good, bad] = ["good", "bad"].map(|name| guard.path(name));
    for directory in [&good, &bad] {
        fs::create_dir(directory).unwrap();
    }
    let [from, to] = [&good, &bad].map(|path| path.to_str().unwrap());
    let words = ["./contested", "directory", "100", "/usr/bin/touch", from, to];
    let ran = run(&mut supervised(&guard, &words), "");
    assert_eq!(ran.status, 0, "{ran:?}");
    // What it is in when it is judged counts, and nothing else.
    assert!(ran.stderr.contains("rampart: denied: "), "{ran:?}");
    assert!(bad.join("name").exists(), "the gap is closed");
}

/// Whether `evil` ran, where a process swaps it for `fine` behind a link in `directory`, and each try is started by
/// `debugger`.
fn evil_runs(directory: &Path, debugger: &[&str]) -> bool {
    let guard = guard();
    for name in ["fine", "evil"] {
        fs::copy(guard.path("unseen"), directory.join(name)).unwrap();
    }
    let link = directory.join("link");
    let [link, fine, evil] = [link, directory.join("fine"), directory.join("evil")]
        .map(|path| path.display().to_string());
    let words = ["./contested", "file", TRIES, &link, &fine, &evil];
    let ran = run(&mut supervised(&guard, &[&words, debugger].concat()), "");
    assert_eq!(ran.status, 0, "{ran:?}");
    guard.path("ran-evil").exists()
}

#[test]
fn files_that_root_changes_in_root_s_directories() {
    if !rustix::process::geteuid().is_root() {
        println!("skipped: not root");
        return;
    }
    let directory = tempfile::tempdir_in("/var/lib").unwrap();
    assert!(evil_runs(directory.path(), &[]), "the gap is closed");
}

#[test]
fn a_file_that_is_swapped_below_a_debugger() {
    let Some(strace) = find("strace") else {
        println!("skipped: strace is not installed");
        return;
    };
    let directory = tempfile::tempdir().unwrap();
    let debugger = [strace.to_str().unwrap(), "-f", "-o", "/dev/null"];
    assert!(evil_runs(directory.path(), &debugger), "the gap is closed");
}
