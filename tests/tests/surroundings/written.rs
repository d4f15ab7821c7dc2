//! What the tree has written itself (`written_by_agent`), told from what was there before, however it
//! is started.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::thread::sleep;
use std::time::Duration;

use tests::{Guard, find, run};

const POLICY: &str = "version: '1'\ndefault_action: allow\npolicies:
  - name: own
    rules: [{name: unseen, action: deny, message: Nobody has looked at it., when: {written_by_agent: true}}]
";

/// A guard with scripts that were there before the tree.
fn guard() -> Guard {
    let guard = Guard::new(POLICY);
    let work = guard.path("work");
    fs::create_dir_all(work.join("bin")).unwrap();
    for (name, text) in [
        ("old", "#!/bin/sh\necho ran\n"),
        ("old.py", "print('ran')\n"),
        ("bin/old-tool", "#!/bin/sh\necho ran\n"),
        ("by-old", "#!./old\n"),
    ] {
        fs::write(work.join(name), text).unwrap();
        fs::set_permissions(work.join(name), fs::Permissions::from_mode(0o755)).unwrap();
    }
    // Longer than what is in doubt because clocks are coarse.
    sleep(Duration::from_millis(100));
    guard
}

fn shell(guard: &Guard) -> Command {
    let mut command = guard.command("sh");
    command.current_dir(guard.path("work"));
    command
}

/// Lines for a shell, and whether what they start runs.
const LINES: &[(&str, bool)] = &[
    ("./old", true),
    ("sh old", true),
    ("sh < old", true),
    ("python3 old.py", true),
    ("python3 - < old.py", true),
    ("env PATH=bin:/usr/bin:/bin old-tool", true),
    ("ln -s old link; ./link", true),
    ("touch data; sh old data", true),
    ("cp old new; ./new", false),
    ("cp old new; sh new", false),
    ("cp old new; sh -e ./new", false),
    ("cp old new; sh -c 'sh < new'", false),
    ("cp old new; exec ./new", false),
    ("cp old new; (cd bin; ../new)", false),
    ("cp old new; ln -s new link; ./link", false),
    ("cp old new; env -i ./new", false),
    ("cp old new; env -i RAMPART_SINCE=99999999999999 ./new", false),
    ("cp old new; RAMPART_SINCE=99999999999999 sh new", false),
    ("cp old bin/new-tool; env PATH=bin:/usr/bin:/bin new-tool", false),
    ("cp old.py new.py; python3 new.py", false),
    ("cp old.py new.py; python3 -W ignore new.py", false),
    ("cp old new; python3 -c 'import subprocess; subprocess.run([\"./new\"])'", false),
    ("cp old new; python3 -c 'import os; os.system(\"sh new\")'", false),
    ("cp old new; python3 -c 'import os; os.execv(\"./new\", [\"old\"])'", false),
    ("cp old new; find . -name new -exec sh {} ';'", false),
    ("cp /bin/echo new; ./new ran", false),
    // A time that was set is not when it was written.
    ("cp old new; touch -d 2001-01-01 new; ./new", false),
    ("cp -p old new; ./new", false),
    // Whatever changes a file's inode counts: nobody can tell it from writing.
    ("cp old temporary; mv temporary old; ./old", false),
    ("chmod 711 old; ./old", false),
    ("cp bin/old-tool tool; printf '#!./tool\\n' > new; chmod +x new; ./new", false),
];

#[test]
fn what_the_tree_has_written_is_known() {
    for (line, runs) in LINES {
        let guard = guard();
        let ran = run(shell(&guard).args(["-c", line]), "");
        assert_eq!(ran.stdout.contains("ran"), *runs, "{line}: {ran:?}");
        assert_eq!(
            ran.stderr.contains("[own/unseen] Nobody has looked at it."),
            !runs,
            "{line}: {ran:?}"
        );
    }
}

/// What one tree has written is old for the next, but not for `rampart run` inside it.
#[test]
fn a_tree_has_one_start() {
    let guard = guard();
    let inner = format!(
        "cp old new; RAMPART_SINCE=99999999999999 {} run -- ./new",
        tests::rampart().display()
    );
    let ran = run(shell(&guard).args(["-c", &inner]), "");
    assert!(!ran.stdout.contains("ran") && ran.stderr.contains("own/unseen"), "{ran:?}");
    sleep(Duration::from_millis(100));
    let ran = run(shell(&guard).args(["-c", "./new"]), "");
    assert_eq!((ran.status, ran.stdout.as_str()), (0, "ran\n"), "{ran:?}");
}

/// A gap: what a running shell or interpreter reads is no start of a program.
#[test]
fn what_is_read_into_a_running_program_is_not_seen() {
    for line in [
        "cp old new; . ./new",
        "cp old new; sh < new",
        "cp old new; cat new | sh",
        "cp old.py new.py; python3 -c 'import new'",
        "printf 'all:\\n\\t@echo ran\\n' > Makefile; make -s",
    ] {
        if line.contains("make") && find("make").is_none() {
            println!("skipped: make is not installed");
            continue;
        }
        let guard = guard();
        let ran = run(shell(&guard).args(["-c", line]), "");
        assert_eq!(ran.stdout, "ran\n", "{line}: {ran:?}");
    }
}
