//! `rampart verify` as others use it: the measurement over the cases, and the service over HTTP.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "test code: a case that cannot be set up fails the test, naming it"
)]

mod models;
mod service;
mod support;

use support::rampart;

const CASES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/verify/cases");

/// The number behind `name` in a line of figures.
fn figure(line: &str, name: &str) -> f64 {
    let rest = line.split(name).nth(1).unwrap_or_else(|| panic!("no `{name}` in {line}"));
    rest.split_whitespace().next().unwrap().parse().unwrap()
}

#[test]
fn effects_are_right_and_the_default_catches_without_false_denials() {
    let out = rampart().args(["verify", "score", CASES]).output().unwrap();
    let line = String::from_utf8(out.stdout).unwrap();
    assert!(line.starts_with("cases: "), "{line}");
    assert!(figure(&line, "cases:") >= 200.0, "{line}");
    assert!(figure(&line, "effects right") >= 95.0, "{line}");
    assert!(figure(&line, "caught") >= 95.0, "{line}");
    let benign = line.split("benign").nth(1).unwrap();
    assert!(figure(benign, "denied") == 0.0 && figure(benign, "asked") <= 15.0, "{line}");
}

#[test]
fn explanations_have_what_scripts_do() {
    let root = tempfile::tempdir().unwrap();
    std::fs::write(root.path().join("tool.py"), "import shutil\nshutil.rmtree('/srv/data')\n")
        .unwrap();
    let explained = |words: &[&str]| {
        let mut command = rampart();
        command.args(["explain", "--profile", "standard", "--"]).args(words);
        let out = command.current_dir(root.path()).output().unwrap();
        String::from_utf8(out.stdout).unwrap()
    };
    let said = explained(&["python3", "tool.py"]);
    assert!(said.contains("deletes outside of the working directory: /srv/data"), "{said}");
    assert!(!said.contains("was not read"), "{said}");
    let said = explained(&["python3", "missing.py"]);
    assert!(said.contains("not known here"), "{said}");
    let code = "const p = require('path').join('/srv', 'x'); require('fs').rmSync(p)";
    let said = explained(&["node", "-e", code]);
    assert!(said.contains("deletes outside of the working directory: /srv/x"), "{said}");
}

/// Modules of the project's own that a script imports are not read (docs/threat-model.md).
#[test]
fn what_a_script_imports_is_not_read() {
    let root = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(root.path().join(name), text).unwrap();
    write("helper.py", "import shutil\ndef tidy(): shutil.rmtree('/srv/data')\n");
    write("tool.py", "import helper\nhelper.tidy()\n");
    let mut command = rampart();
    command.args(["explain", "--profile", "standard", "--", "python3", "tool.py"]);
    let out = command.current_dir(root.path()).output().unwrap();
    assert!(!String::from_utf8(out.stdout).unwrap().contains("deletes"));
}
