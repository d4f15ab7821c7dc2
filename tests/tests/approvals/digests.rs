//! Rules on a file's content (`exe_sha256`), which the library cannot read at every start: before an
//! exec the helper finds it out, in the new process the evaluator says it.

use std::fs;
use std::path::Path;

use sha2::{Digest, Sha256};
use tests::{Evaluator, Guard, LibC, probe, run};

fn sha256(path: &Path) -> String {
    Sha256::digest(fs::read(path).unwrap()).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A guard under which `bin/unwanted` may not run, whatever it is called, and nothing is said of
/// other programs.
fn guarded() -> Guard {
    let guard = Guard::new("");
    for name in ["unwanted", "wanted"] {
        assert!(probe("mark", LibC::Glibc, &guard.path("bin").join(name)), "cc is not installed");
    }
    // One byte behind the end of an ELF file is nobody's.
    let path = guard.path("bin/unwanted");
    let mut bytes = fs::read(&path).unwrap();
    bytes.push(b'\n');
    fs::write(&path, bytes).unwrap();
    fs::copy(&path, guard.path("bin/renamed")).unwrap();
    let policy = format!(
        "version: '1'\ndefault_action: allow\npolicies: [{{name: test, rules: [{{name: content, action: deny, when: {{exe_sha256: {}}}}}]}}]",
        sha256(&path)
    );
    fs::write(guard.image(), tests::compile(&policy)).unwrap();
    guard
}

const LINES: &[(&str, bool)] = &[
    ("wanted mark", true),
    ("unwanted mark", false),
    ("renamed mark", false),
    ("exec wanted mark", true),
    ("exec renamed mark", false),
    ("sh -c 'wanted mark; true'", true),
    ("sh -c 'renamed mark; true'", false),
    ("/usr/bin/python3 -c 'import subprocess; subprocess.run([\"wanted\", \"mark\"])'", true),
    ("/usr/bin/python3 -c 'import subprocess; subprocess.run([\"renamed\", \"mark\"])'", false),
    ("/usr/bin/python3 -c 'import os; os.system(\"wanted mark\")'", true),
    ("/usr/bin/python3 -c 'import os; os.system(\"renamed mark\")'", false),
];

#[test]
fn a_program_is_known_by_its_content() {
    let guard = guarded();
    let evaluator = Evaluator::start(&guard);
    for (line, runs) in LINES {
        let ran = run(evaluator.inside("sh").args(["-c", line]), "");
        assert_eq!(guard.path("mark").exists(), *runs, "{line}: {ran:?}");
        assert_eq!(ran.stderr.contains("rampart: denied: "), !runs, "{line}: {ran:?}");
        if *runs {
            fs::remove_file(guard.path("mark")).unwrap();
        }
    }
    // Other content under a name that was fine a moment ago.
    fs::copy(guard.path("bin/unwanted"), guard.path("bin/wanted")).unwrap();
    let ran = run(evaluator.inside("sh").args(["-c", "wanted mark"]), "");
    assert!(!guard.path("mark").exists(), "{ran:?}");
    assert_eq!(ran.status, 126, "{ran:?}");
}

#[test]
fn rampart_run_answers_by_itself() {
    let guard = guarded();
    let evaluator = Evaluator::without_daemon(&guard);
    for (line, runs) in LINES {
        let mut command = evaluator.outside(tests::rampart());
        command.arg("run").arg("--policy").arg(guard.image()).args(["--", "sh", "-c", line]);
        let ran = run(&mut command, "");
        assert_eq!(guard.path("mark").exists(), *runs, "{line}: {ran:?}");
        if *runs {
            fs::remove_file(guard.path("mark")).unwrap();
        }
    }
}

/// Where nobody can be asked, what is not known counts as a match.
#[test]
fn without_an_evaluator_nothing_runs() {
    let guard = guarded();
    let ran = run(guard.command("sh").args(["-c", "wanted mark"]), "");
    assert!(!guard.path("mark").exists(), "{ran:?}");
    assert!(ran.stderr.contains("rampart: denied: "), "{ran:?}");
}
