//! `rampart doctor`: what it finds, and that it notices a library that does not protect.

use crate::support::{User, ended, words};
use serde_json::Value;
use std::path::PathBuf;

/// The state and the text of the check `name`.
fn check<'v>(report: &'v Value, name: &str) -> Option<(&'v str, &'v str)> {
    let all = report["checks"].as_array().unwrap();
    let found = all.iter().find(|check| check["name"] == name)?;
    Some((found["state"].as_str().unwrap(), found["text"].as_str().unwrap()))
}

fn report(user: &User, line: &str, variables: &[(&str, &str)]) -> (i32, Value) {
    let mut command = user.command(&words(line));
    command.env("RAMPART_LIB", user.library()).envs(variables.iter().copied());
    let found = ended(&command.output().unwrap());
    assert_eq!(found.stderr, "");
    (found.status, serde_json::from_str(&found.stdout).unwrap())
}

#[test]
fn a_library_that_does_nothing_is_found_out() {
    let user = User::new();
    let (status, report) = report(&user, "doctor --json", &[]);
    assert_eq!((status, &report["healthy"]), (1, &Value::Bool(false)));
    for name in ["program", "library", "tree", "policy", "images", "audit", "loading", "allowing"] {
        assert_eq!(check(&report, name).unwrap().0, "ok", "{name}: {report}");
    }
    let (state, text) = check(&report, "denying").unwrap();
    assert_eq!(state, "failed");
    assert!(text.contains("RAN"), "{text}");
    assert_eq!(check(&report, "recording").unwrap().0, "failed");
    let state = user.path(".local/state/rampart");
    let left: Vec<_> =
        std::fs::read_dir(state).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(left.iter().all(|name| name == "images" || name == "audit"), "{left:?}");
}

#[test]
fn settings_and_trees_are_told() {
    let user = User::new();
    let library = user.library();
    let library = library.to_str().unwrap();
    let (_, found) = report(&user, "doctor --json", &[("RAMPART_MODE", "disabled")]);
    let (state, text) = check(&found, "setting").unwrap();
    assert!(state == "warning" && text.contains("RAMPART_MODE=disabled"), "{text}");
    let inside = [("LD_PRELOAD", library), ("RAMPART_TREE", "01J")];
    let (status, found) = report(&user, "doctor --json", &inside);
    assert_eq!(status, 0, "{found}");
    assert_eq!(check(&found, "canary").unwrap().0, "skipped");
    assert!(check(&found, "tree").unwrap().1.contains("inside guarded tree 01J"));
}

#[test]
fn what_is_missing_is_said() {
    let user = User::new();
    let mut command = user.command(&words("doctor --policy none.yaml"));
    let found = ended(&command.env("RAMPART_LIB", "/nonexistent/l.so").output().unwrap());
    assert_eq!(found.status, 1);
    for part in ["FAILED   library    ", "/nonexistent/l.so", "FAILED   policy     ", "none.yaml"] {
        assert!(found.stdout.contains(part), "{part} in {}", found.stdout);
    }
}

/// The interposer itself, where it is built.
fn built() -> Option<PathBuf> {
    let target = PathBuf::from(env!("CARGO_BIN_EXE_rampart"));
    let library = target.parent()?.parent()?.join("release/librampart.so");
    library.exists().then_some(library)
}

#[test]
fn the_real_library_passes() {
    let Some(library) = built() else {
        eprintln!("skipped: librampart.so is not built (make build)");
        return;
    };
    let user = User::new();
    let mut command = user.command(&words("doctor"));
    let found = ended(&command.env("RAMPART_LIB", library).output().unwrap());
    assert_eq!((found.status, found.stderr.as_str()), (0, ""), "{}", found.stdout);
    assert!(found.stdout.contains("ok       denying"), "{}", found.stdout);
}
