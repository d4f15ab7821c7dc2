//! `rampart doctor --attack`: it passes with the library as it is, and with no hook of it taken away.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde_json::Value;
use tests::{Guard, library, rampart, run};

/// Attacks under the library at `path`, rows that `only` names. Exit status and report.
fn attack(path: &Path, only: &[&str]) -> (i32, Value) {
    let guard = Guard::new("");
    let mut command = guard.bare(rampart());
    command.args(["doctor", "--attack", "--json"]).env("RAMPART_LIB", path);
    for text in only {
        command.args(["--only", text]);
    }
    let ran = run(&mut command, "");
    assert_eq!(ran.stderr, "");
    (ran.status, serde_json::from_str(&ran.stdout).unwrap())
}

fn rows<'v>(report: &'v Value, state: &str) -> Vec<&'v Value> {
    let rows = report["rows"].as_array().unwrap();
    rows.iter().filter(|row| row["state"] == state).collect()
}

#[test]
fn the_library_as_it_is_passes() {
    let (status, report) =
        attack(&library(), &["functions", "operations", "bash, a command", "CPython, os.execv"]);
    assert_eq!(rows(&report, "failed"), Vec::<&Value>::new());
    assert_eq!((status, &report["healthy"]), (0, &Value::Bool(true)));
    assert!(rows(&report, "stopped").len() > 115, "{report}");
    // Only what docs/coverage.md says that it runs.
    for row in rows(&report, "known-gap") {
        assert_eq!(row["claimed"], "ran", "{row}");
    }
}

/// A copy of the library in `dir` that does not export `name`.
fn without(name: &str, dir: &Path) -> std::path::PathBuf {
    let mut file = fs::read(library()).unwrap();
    let number = |file: &[u8], at: usize, len: usize| {
        file[at..at + len].iter().rev().fold(0, |sum, byte| sum << 8 | usize::from(*byte))
    };
    let sections = number(&file, 40, 8);
    let section = |index: usize| sections + 64 * index;
    let table = (0..number(&file, 60, 2))
        .map(section)
        .find(|at| number(&file, at + 4, 4) == 11)
        .expect(".dynsym");
    let strings = number(&file, section(number(&file, table + 40, 4)) + 24, 8);
    let (start, size) = (number(&file, table + 24, 8), number(&file, table + 32, 8));
    let wanted = [name.as_bytes(), b"\0"].concat();
    let symbol = (start..start + size)
        .step_by(24)
        .find(|at| file[strings + number(&file, *at, 4)..].starts_with(&wanted))
        .expect("it is exported");
    file[symbol..symbol + 4].fill(0);
    let path = dir.join(format!("without-{name}.so"));
    fs::write(&path, file).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path
}

#[test]
fn any_hook_that_is_missing_is_found_out() {
    let dir = tempfile::tempdir().unwrap();
    let exports = Path::new(env!("CARGO_MANIFEST_DIR")).join("../preload/exports.txt");
    let exports = fs::read_to_string(exports).unwrap();
    // It stops nothing: it takes note of a program's own sandbox (`tests/tests/operations/confined.rs`).
    let is_one = |line: &&str| !line.is_empty() && !line.starts_with('#') && *line != "prctl";
    for name in exports.lines().filter(is_one) {
        let row = if name == "syscall" { "syscall(SYS_execve)" } else { name };
        let (status, report) = attack(&without(name, dir.path()), &[row]);
        assert_eq!((status, &report["healthy"]), (1, &Value::Bool(false)), "{name}: {report}");
        let all = report["rows"].as_array().unwrap().len();
        assert_eq!(rows(&report, "failed").len(), all, "{row}, every target: {report}");
    }
}

#[test]
fn a_library_that_does_nothing_is_found_out() {
    let dir = tempfile::tempdir().unwrap();
    let (source, stub) = (dir.path().join("stub.c"), dir.path().join("stub.so"));
    fs::write(&source, "int nothing;\n").unwrap();
    tests::cc("cc", &source, &stub, &["-shared", "-fPIC"]);
    let (status, report) = attack(&stub, &["execve", "dash, by name"]);
    assert_eq!((status, rows(&report, "stopped").len()), (1, 0), "{report}");
    assert!(rows(&report, "failed").iter().all(|row| row["found"] == "ran"), "{report}");
}
