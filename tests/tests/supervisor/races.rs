//! Time of check and time of use: whoever changes words or files between the two never gets to run what
//! is denied. `RAMPART_TEST_TRIES` says how often it is tried (200).

use std::fs;

use super::{guard, guard_with, supervised};
use tests::{Evaluator, run};

fn tries() -> String {
    std::env::var("RAMPART_TEST_TRIES").unwrap_or_else(|_| "200".to_owned())
}

/// Has `mode` of the probe `sharers` change the words of this file.
fn shared(mode: &str, file: &str) {
    let guard = guard();
    let ran = run(&mut supervised(&guard, &["./sharers", mode, &tries(), file, "good", "bad"]), "");
    assert_eq!(ran.status, 0, "{mode}, {file}: {}", ran.stderr);
    assert!(!guard.path("bad").exists(), "{mode}, {file}: {}", ran.stderr);
    // Both happened, or nothing was tried.
    assert!(guard.path("good").exists(), "{mode}, {file}: {}", ran.stderr);
    assert!(ran.stderr.contains("rampart: denied: "), "{mode}, {file}");
}

/// One whose file only root can change, so that it is held only for who shares its memory; it is given no library.
const TOUCH: &str = "/usr/bin/touch";

#[test]
fn words_that_a_thread_changes() {
    for file in ["./mark", "./dynamic/mark"] {
        shared("thread", file);
    }
    shared("ended-caller", TOUCH);
}

#[test]
fn words_that_a_child_with_the_same_memory_changes() {
    shared("child", TOUCH);
}

#[test]
fn words_that_another_child_of_the_parent_changes() {
    for mode in ["ended-child", "crowd"] {
        shared(mode, TOUCH);
    }
}

#[test]
fn words_that_a_parent_changes_who_does_not_wait_for_who_calls() {
    for mode in ["parent", "copier", "brother", "late", "ended-parent"] {
        shared(mode, TOUCH);
    }
}

#[test]
fn nobody_passes_for_the_helper() {
    let guard = guard();
    let helper = tests::rampart();
    let words = ["./contested", "path", &tries(), helper.to_str().unwrap(), "./mark", "bad"];
    let ran = run(&mut supervised(&guard, &words), "");
    assert_eq!(ran.status, 0, "{}", ran.stderr);
    // `mark` would leave a file of the name of its first word.
    assert!(!guard.path("stub").exists());
    assert!(ran.stderr.contains("rampart: denied: ") && ran.stderr.contains("`stub` is what"));
}

#[test]
fn a_file_that_another_process_swaps() {
    let guard = guard();
    for name in ["fine", "evil"] {
        fs::copy(guard.path("unseen"), guard.path(name)).unwrap();
    }
    let ran = run(
        &mut supervised(&guard, &["./contested", "file", &tries(), "./link", "fine", "evil"]),
        "",
    );
    assert_eq!(ran.status, 0, "{}", ran.stderr);
    assert!(!guard.path("ran-evil").exists());
    assert!(guard.path("ran-fine").exists());
    assert!(ran.stderr.contains("rampart: denied: "));
}

/// A directory that only root can change, as most programs lie in; `None` for others than root.
fn settled() -> Option<tempfile::TempDir> {
    if !rustix::process::geteuid().is_root() {
        println!("skipped: not root");
        return None;
    }
    Some(tempfile::tempdir_in("/var/lib").unwrap())
}

#[test]
fn a_working_directory_that_another_process_changes() {
    let (guard, Some(root)) = (guard(), settled()) else { return };
    for (directory, file) in [("good", "fine"), ("bad", "evil")] {
        let directory = root.path().join(directory);
        fs::create_dir(&directory).unwrap();
        fs::copy(guard.path("unseen"), directory.join(file)).unwrap();
        std::os::unix::fs::symlink(file, directory.join("tool")).unwrap();
    }
    let [good, bad] = ["good", "bad"].map(|name| root.path().join(name).display().to_string());
    let words = ["./contested", "directory", &tries(), "./tool", &good, &bad];
    let ran = run(&mut supervised(&guard, &words), "");
    assert_eq!(ran.status, 0, "{}", ran.stderr);
    let has_run = |name: &str| {
        ["good", "bad"].iter().any(|directory| root.path().join(directory).join(name).exists())
    };
    assert!(has_run("ran-fine") && !has_run("ran-evil"), "{}", ran.stderr);
    assert!(ran.stderr.contains("rampart: denied: "), "{}", ran.stderr);
}

#[test]
fn a_root_directory_that_another_process_changes() {
    let guard = guard_with(
        "version: '1'\ndefault_action: allow\npolicies: [{name: p, rules: [\
         {name: not-there, action: deny, when: {exe_path: ['/**/other/**']}}]}]",
    );
    let Some(root) = settled() else { return };
    let tool = root.path().join("tool");
    // What it is in the real root does nothing with its word.
    fs::copy(guard.path("unseen"), &tool).unwrap();
    let other = guard.path("other");
    let inside = other.join(tool.strip_prefix("/").unwrap());
    fs::create_dir_all(inside.parent().unwrap()).unwrap();
    fs::copy(guard.path("mark"), inside).unwrap();
    let [tool, other_root] = [&tool, &other].map(|path| path.to_str().unwrap());
    let ran =
        run(&mut supervised(&guard, &["./contested", "root", &tries(), tool, other_root]), "");
    assert_eq!(ran.status, 0, "{}", ran.stderr);
    assert!(!other.join("out").exists(), "{}", ran.stderr);
    assert!(ran.stderr.contains("rampart: denied: "), "{}", ran.stderr);
}

#[test]
fn a_descriptor_that_another_process_changes() {
    let (guard, Some(root)) = (guard(), settled()) else { return };
    let [fine, evil] = ["fine", "evil"].map(|name| {
        let path = root.path().join(name);
        fs::copy(guard.path("unseen"), &path).unwrap();
        path.display().to_string()
    });
    let words = ["./contested", "descriptor", &tries(), &fine, &evil];
    let ran = run(&mut supervised(&guard, &words), "");
    assert_eq!(ran.status, 0, "{}", ran.stderr);
    assert!(guard.path("ran-fine").exists() && !guard.path("ran-evil").exists(), "{}", ran.stderr);
    assert!(ran.stderr.contains("rampart: denied: "), "{}", ran.stderr);
}

#[test]
fn words_that_change_while_a_person_thinks() {
    let guard = guard();
    fs::copy(guard.path("mark"), guard.path("careful")).unwrap();
    let evaluator = Evaluator::without_daemon(&guard);
    let command = supervised(&guard, &["./contested", "later", "./careful", "good", "evil"]);
    let ran = evaluator.while_running((command, ""), || {
        let pending = evaluator.wait_for(1);
        fs::write(guard.path("now"), "").unwrap();
        while !guard.path("changed").exists() {
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        let first = pending[0]["id"].as_str().unwrap();
        assert_eq!(evaluator.say(&["approve", first]).status, 0);
        // That was a yes to something else.
        let next = loop {
            let pending = evaluator.wait_for(1);
            if pending[0]["id"].as_str() != Some(first) {
                break pending[0].clone();
            }
        };
        assert!(next["command"].as_str().unwrap().contains("evil"), "{next}");
        assert_eq!(evaluator.say(&["deny", next["id"].as_str().unwrap()]).status, 0);
    });
    assert_eq!(ran.status, 78, "{ran:?}");
    assert!(!guard.path("evil").exists() && !guard.path("good").exists(), "{ran:?}");
}
