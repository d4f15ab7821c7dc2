//! Known gaps, asserted, so that docs/threat-model.md cannot claim more or less than is true. The
//! day one of these fails, the gap is closed: move it to what is promised.

use std::fs;

use tests::{Guard, run};

/// Removes nothing may be started; everything else is allowed.
const NO_REMOVAL: &str = "version: '1'\ndefault_action: allow\npolicies: [{name: p, rules: \
    [{action: deny, when: {program: [rm, unlink, find]}}]}]";

#[test]
fn what_an_interpreter_does_by_itself_is_not_judged() {
    let guard = Guard::new(NO_REMOVAL);
    let (victim, script) = (guard.path("victim"), guard.path("script.py"));
    fs::write(&victim, "kept?").unwrap();
    fs::write(&script, "import os, sys\nos.remove(sys.argv[1])\n").unwrap();
    let ran = run(guard.command("python3").arg(&script).arg(&victim), "");
    assert_eq!((ran.status, ran.stderr.as_str()), (0, ""));
    assert!(!victim.exists(), "no program was started, so nothing was judged");
    // The same through a program is stopped.
    fs::write(&victim, "kept").unwrap();
    let script = format!("import subprocess\nsubprocess.run(['rm', '{}'])", victim.display());
    let ran = run(guard.command("python3").args(["-c", &script]), "");
    assert!(victim.exists() && ran.stderr.contains("rampart: denied: "), "{ran:?}");
}

#[test]
fn a_copy_under_another_name_is_judged_by_that_name() {
    // A link is followed to the file, and argv[0] is not believed; a copy is another file.
    let guard = Guard::new(NO_REMOVAL);
    let (victim, copy) = (guard.path("victim"), guard.path("bin/harmless"));
    fs::write(&victim, "kept?").unwrap();
    fs::copy(tests::find("rm").unwrap(), &copy).unwrap();
    let ran = run(guard.command("sh").arg("-s").arg(&victim), "harmless \"$1\"");
    assert_eq!((ran.status, ran.stderr.as_str(), victim.exists()), (0, "", false), "{ran:?}");
    fs::remove_file(&copy).unwrap();
    std::os::unix::fs::symlink(tests::find("rm").unwrap(), &copy).unwrap();
    fs::write(&victim, "kept").unwrap();
    let ran = run(guard.command("sh").arg("-s").arg(&victim), "harmless \"$1\"");
    assert!(victim.exists() && ran.status == 126, "{ran:?}");
}

#[test]
fn a_shell_s_own_redirection_is_not_judged_again_by_the_kernel() {
    // The text of `sh -c` is judged, and a rule on what it writes holds; a script that comes
    // through standard input is never an argument of anything.
    let policy = "version: '1'\ndefault_action: allow\npolicies: [{name: p, rules: \
        [{action: deny, when: {writes: ['**/victim']}}]}]";
    let guard = Guard::new(policy);
    let victim = guard.path("victim");
    let text = format!("echo overwritten > '{}'", victim.display());
    let ran = run(guard.command("sh").args(["-c", &text]), "");
    assert_eq!((ran.status, victim.exists()), (126, false), "{ran:?}");
    let ran = run(&mut guard.command("sh"), &text);
    assert_eq!((ran.status, victim.exists()), (0, true), "{ran:?}");
}

#[test]
fn the_same_user_can_rewrite_what_is_not_merged_yet() {
    let guard = Guard::new(NO_REMOVAL);
    let ran = run(
        guard
            .command("sh")
            .args(["-c", "/bin/true; for f in \"$0\"/*; do : > \"$f\"; done"])
            .arg(guard.audit()),
        "",
    );
    assert_eq!(ran.status, 0, "{ran:?}");
    assert!(guard.events().is_empty(), "the events of the shell and of true are gone");
}
