//! Disks that are full, read-only or broken while a tree runs: its verdicts stay what they are.

use std::fs;

use tests::{Guard, Ran, find, run};

const POLICY: &str = "version: '1'\ndefault_action: allow\npolicies: [{name: p, rules: \
    [{action: deny, when: {program: [id]}}]}]";

/// Starts 60 programs that are allowed and 3 that are not; says what came of them.
const TREE: &str = "ok=0; n=0; while [ $n -lt 60 ]; do n=$((n+1)); /bin/true && ok=$((ok+1)); done; \
    no=0; for i in 1 2 3; do /usr/bin/id 2>/dev/null; [ $? = 126 ] && no=$((no+1)); done; echo $ok $no";

/// Runs `script` in a mount namespace of its own, where `$A` is the audit directory on a small file
/// system of its own and `tree` runs [`TREE`] under the library. `None` where that is not permitted.
fn in_namespace(guard: &Guard, script: &str) -> Option<Ran> {
    let unshare = find("unshare")?;
    let mut command = guard.bare(unshare);
    command.args(["-rm", "/bin/sh", "-c"]).arg(format!(
        "mount -t tmpfs none /dev/shm && mount -t tmpfs -o size=32k,mode=700 none \"$A\" || exit 99
        tree() {{ LD_PRELOAD=\"$L\" RAMPART_AUDIT_DIR=\"$A\" RAMPART_IMAGE=\"$I\" /bin/dash <\"$T\"; }}
        audit() {{ RAMPART_AUDIT_DIR=\"$A\" \"$R\" audit \"$@\"; }}
        {script}"
    ));
    // From a file: what stands in an argument is judged before anything of it runs.
    fs::write(guard.path("tree"), TREE).unwrap();
    command.env("A", guard.audit()).env("L", tests::library()).env("I", guard.image());
    let ran = run(command.env("R", tests::rampart()).env("T", guard.path("tree")), "");
    if ran.status == 99 || ran.stderr.contains("unshare: ") {
        println!("skipped: no private mount namespace here: {}", ran.stderr);
        return None;
    }
    Some(ran)
}

#[test]
fn a_disk_that_fills_up_and_is_emptied_again() {
    let guard = Guard::new(POLICY);
    let script =
        "tree; tree; audit tail >/dev/null; echo tail $?; audit verify >/dev/null; echo verify $?
        mount -o remount,size=1m none \"$A\"; audit tail -n 1 >/dev/null; echo tail $?
        tree; audit verify; echo verify $?; cat \"$A\"/chain-*";
    let Some(ran) = in_namespace(&guard, script) else { return };
    let lines: Vec<&str> = ran.stdout.lines().collect();
    assert_eq!(lines[..2], ["60 3", "60 3"], "{ran:?}");
    assert!(ran.stderr.contains("the disk is full"), "{ran:?}");
    assert!(!ran.stderr.contains("panicked"), "{ran:?}");
    // While it is full the log cannot be merged; that is no sound check, and said.
    assert!(matches!(lines[2], "tail 0" | "tail 1"), "{ran:?}");
    assert!(matches!(lines[3], "verify 0" | "verify 2"), "{ran:?}");
    assert_eq!(lines[4..6], ["tail 0", "60 3"], "{ran:?}");
    assert!(ran.stdout.contains("verify 0\n"), "{ran:?}");
    // The last 60 were recorded; of the first some, and where a line was torn, that is noted.
    let starts = ran.stdout.matches("\"exe\":\"/bin/true\"").count();
    assert!((61..180).contains(&starts), "{starts}");
}

#[test]
fn a_disk_that_is_read_only() {
    let guard = Guard::new(POLICY);
    let script = "tree; mount -o remount,ro none \"$A\"; tree; audit tail >/dev/null; echo tail $?
        audit verify >/dev/null; echo verify $?; mount -o remount,rw none \"$A\"; tree
        audit verify >/dev/null; echo verify $?; ls /dev/shm/rampart-*/";
    let Some(ran) = in_namespace(&guard, script) else { return };
    let lines: Vec<&str> = ran.stdout.lines().collect();
    assert_eq!(lines[..2], ["60 3", "60 3"], "{ran:?}");
    assert!(ran.stderr.contains("events of this tree go to /dev/shm/rampart-"), "{ran:?}");
    assert_eq!(lines[2], "tail 0", "{ran:?}");
    // There is no chain yet, and none can be made: that cannot be checked.
    assert_eq!(lines[3], "verify 2", "{ran:?}");
    assert_eq!(lines[4..6], ["60 3", "verify 0"], "{ran:?}");
    assert!(lines[6].starts_with("spool-"), "{ran:?}");
}

#[test]
fn a_disk_with_errors() {
    // A write to `/proc/PID/mem` where nothing is mapped gives EIO.
    let guard = Guard::new(POLICY);
    fs::write(guard.audit().join("kept"), "").unwrap();
    let script = "sleep 100 & sleeper=$!; : >\"$A/spool-0.jsonl\"
        mount --bind /proc/$sleeper/mem \"$A/spool-0.jsonl\" || exit 99
        tree; kill $sleeper; umount \"$A/spool-0.jsonl\"; tree; audit verify; echo verify $?";
    let Some(ran) = in_namespace(&guard, script) else { return };
    let lines: Vec<&str> = ran.stdout.lines().collect();
    assert_eq!(lines[..2], ["60 3", "60 3"], "{ran:?}");
    assert!(ran.stderr.contains("(input/output error)"), "{ran:?}");
    assert!(ran.stderr.contains("events of this tree are being lost"), "{ran:?}");
    assert!(ran.stdout.contains("verify 0\n"), "{ran:?}");
}
