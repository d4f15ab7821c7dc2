//! When something is wrong with the guard itself: one clear message a tree, a verdict all the
//! same, never allow-all, never a crash of the host program.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use tests::{Guard, LibC, compile, events_in, find, run};

use crate::{POLICY, denials, forbidden, guard, mark, warnings};

/// A tree of several processes that tries the forbidden program twice: shell text for standard
/// input, where no verdict about the shell itself can see it.
fn tree(guard: &Guard) -> String {
    let (target, mark) = (guard.path("bin/forbidden"), mark(guard));
    let (target, mark) = (target.display(), mark.display());
    format!(
        "/bin/true; {target} {mark}; /bin/sh -c '/bin/true; {target} {mark}; /bin/true'; /bin/true; exit 0"
    )
}

/// What may be wrong with the image when the tree starts, and what the warning says of it.
const IMAGES: &[(&str, &str)] = &[
    ("missing", "does not exist"),
    ("empty", "is no compiled policy"),
    ("text", "is no compiled policy"),
    ("cut", "is cut short"),
    ("version", "another version"),
    ("garbled", "corrupt"),
    ("group-writable", "can be changed by others"),
    ("directory", "is no compiled policy"),
];

fn spoil(guard: &Guard, how: &str) {
    let image = guard.image();
    let mut bytes = compile(POLICY);
    let writable =
        |mode| fs::set_permissions(guard.image(), fs::Permissions::from_mode(mode)).unwrap();
    match how {
        "missing" => return fs::remove_file(image).unwrap(),
        "directory" => {
            fs::remove_file(&image).unwrap();
            return fs::create_dir(image).unwrap();
        }
        "empty" => bytes.clear(),
        "text" => bytes = POLICY.into(),
        "cut" => bytes.truncate(bytes.len() / 2),
        "version" => bytes[8] = 99,
        // The place of the first section.
        "garbled" => bytes[72..76].fill(0xff),
        _ => {}
    }
    fs::write(&image, bytes).unwrap();
    writable(if how == "group-writable" { 0o660 } else { 0o600 });
}

#[test]
fn a_bad_image_is_replaced_by_the_standard_policy() {
    for (how, says) in IMAGES {
        let (guard, _) = guard(POLICY);
        spoil(&guard, how);
        // `true` is allowed by the standard policy, the removal of the root directory is not;
        // the second would do nothing even if it ran.
        let shell =
            "/bin/true; rm -rf --no-such-option / ; echo $?; /bin/sh -c '/bin/true; /bin/true'";
        let mut command = guard.command("/bin/sh");
        let ran = run(command.env("RAMPART_IMAGE", guard.image()), shell);
        let said = warnings(&ran.stderr);
        assert_eq!(said.len(), 1, "{how}: {ran:?}");
        assert!(said[0].contains(says) && said[0].contains("built-in standard"), "{how}: {ran:?}");
        assert_eq!(denials(&ran.stderr), 1, "{how}: {ran:?}");
        let events = guard.events();
        let flagged =
            |event: &serde_json::Value| event["flags"].to_string().contains("fallback-image");
        assert!(!events.is_empty() && events.iter().all(flagged), "{how}: {events:#?}");
    }
}

#[test]
fn an_image_that_vanishes_or_rots_keeps_holding() {
    for how in
        ["rm -f \"$I\"", "printf rotten >\"$I\".new; mv \"$I\".new \"$I\"", "chmod 666 \"$I\""]
    {
        let (guard, _) = guard(POLICY);
        forbidden(&guard, LibC::Glibc);
        let shell = format!(
            "touch -d @1 \"$I\"; {how}; {0} {1}; {0} {1}",
            guard.path("bin/forbidden").display(),
            mark(&guard).display()
        );
        let mut command = guard.command("/bin/sh");
        let ran = run(command.env("I", guard.image()), &shell);
        assert!(!mark(&guard).exists(), "{how}: {ran:?}");
        assert_eq!((ran.status, denials(&ran.stderr)), (126, 2), "{how}: {ran:?}");
    }
}

#[test]
fn a_new_image_holds_from_the_next_verdict_on() {
    let (guard, _) = guard("version: '1'\ndefault_action: allow\npolicies: []\n");
    let target = forbidden(&guard, LibC::Glibc);
    fs::write(guard.path("new.img"), compile(POLICY)).unwrap();
    fs::set_permissions(guard.path("new.img"), fs::Permissions::from_mode(0o600)).unwrap();
    let shell = format!(
        "{0} {1}; mv new.img policy.img; {0} {1}",
        target.display(),
        mark(&guard).display()
    );
    let ran = run(&mut guard.command("/bin/sh"), &shell);
    assert_eq!(ran.stdout, "ran\n", "{ran:?}");
    assert_eq!((ran.status, denials(&ran.stderr)), (126, 1), "{ran:?}");
}

#[test]
fn without_a_home_events_go_to_a_private_directory() {
    let (guard, _) = guard(POLICY);
    forbidden(&guard, LibC::Glibc);
    let mut command = guard.command("/bin/sh");
    command.env_remove("HOME").env_remove("XDG_STATE_HOME").env_remove("RAMPART_AUDIT_DIR");
    let ran = run(&mut command, &tree(&guard));
    assert_eq!((warnings(&ran.stderr).len(), denials(&ran.stderr)), (1, 2), "{ran:?}");
    assert!(warnings(&ran.stderr)[0].contains("no HOME"), "{ran:?}");
    assert!(!mark(&guard).exists());
}

#[test]
fn an_empty_audit_directory_is_none() {
    // Events would lie in the working directory, where the agent writes.
    let (guard, _) = guard(POLICY);
    forbidden(&guard, LibC::Glibc);
    let home = guard.path("own-home");
    fs::create_dir(&home).unwrap();
    let mut command = guard.command("/bin/sh");
    command.env("HOME", &home).env_remove("XDG_STATE_HOME").env("RAMPART_AUDIT_DIR", "");
    let ran = run(&mut command, &tree(&guard));
    assert_eq!((warnings(&ran.stderr).len(), denials(&ran.stderr)), (0, 2), "{ran:?}");
    let spool = format!("spool-{}.jsonl", effective_user());
    assert!(!guard.path(&spool).exists(), "{ran:?}");
    assert!(home.join(".local/state/rampart/audit").join(&spool).exists(), "{ran:?}");
}

#[test]
fn an_audit_directory_that_cannot_be_used_is_said_once() {
    let (guard, _) = guard(POLICY);
    forbidden(&guard, LibC::Glibc);
    let loose = guard.path("loose");
    symlink("/dev/null", guard.audit().join(format!("spool-{}.jsonl", effective_user()))).unwrap();
    let foreign = guard.path("foreign");
    fs::create_dir(&foreign).unwrap();
    let theirs = foreign.join(format!("spool-{}.jsonl", effective_user()));
    fs::write(&theirs, "").unwrap();
    fs::set_permissions(&theirs, fs::Permissions::from_mode(0o666)).unwrap();
    // Only root can give a file away.
    let is_theirs = std::os::unix::fs::chown(&theirs, Some(12_345), None).is_ok();
    for (dir, says) in [
        (foreign.to_str().unwrap(), if is_theirs { "another user" } else { "" }),
        ("/dev/null/audit", "cannot be created"),
        ("/proc/audit", "cannot be created"),
        (guard.audit().to_str().unwrap(), "symbolic link"),
        (loose.to_str().unwrap(), ""),
    ] {
        let mut command = guard.command("/bin/sh");
        let ran = run(command.env("RAMPART_AUDIT_DIR", dir), &tree(&guard));
        let said = warnings(&ran.stderr);
        assert_eq!(said.len(), usize::from(!says.is_empty()), "{dir}: {ran:?}");
        assert!(said.first().is_none_or(|line| line.contains(says)), "{dir}: {ran:?}");
        assert_eq!((ran.status, denials(&ran.stderr)), (0, 2), "{dir}: {ran:?}");
        assert!(!mark(&guard).exists(), "{dir}");
    }
    assert_eq!(fs::read(&theirs).unwrap().is_empty(), is_theirs, "it says what was run");
    assert_eq!(fs::metadata(&loose).unwrap().permissions().mode() & 0o777, 0o700);
    assert!(!events_in(&loose).is_empty());
}

fn effective_user() -> String {
    let text = fs::read_to_string("/proc/self/status").unwrap();
    let line = text.lines().find(|line| line.starts_with("Uid:")).unwrap();
    line.split_whitespace().nth(2).unwrap().to_owned()
}

#[test]
fn a_full_disk_loses_events_and_nothing_else() {
    let (guard, _) = guard(POLICY);
    forbidden(&guard, LibC::Glibc);
    let Some(unshare) = find("unshare") else {
        return println!("skipped: unshare is not installed");
    };
    let dir = guard.path("full");
    fs::create_dir(&dir).unwrap();
    let inner = format!(
        "mount -t tmpfs -o size=16k none '{0}' && head -c 100000 /dev/zero >'{0}/fill' 2>/dev/null; \
         printf %s \"$TREE\" | RAMPART_AUDIT_DIR='{0}' RAMPART_IMAGE='{1}' LD_PRELOAD='{2}' /bin/sh; \
         echo status $?; rm '{0}/fill'; tail -c 1 '{0}'/spool-* | od -An -c",
        dir.display(),
        guard.image().display(),
        tests::library().display()
    );
    let mut command = guard.bare(unshare);
    command.args(["-rm", "/bin/sh", "-c", &inner]).env("TREE", tree(&guard));
    let ran = run(&mut command, "");
    if ran.stderr.contains("unshare") || ran.stderr.contains("mount:") {
        return println!("skipped: no private mount namespace here: {}", ran.stderr);
    }
    assert!(ran.stdout.starts_with("status 0\n"), "{ran:?}");
    let said = warnings(&ran.stderr);
    assert_eq!((said.len(), denials(&ran.stderr)), (1, 2), "{ran:?}");
    assert!(said[0].contains("the disk is full"), "{ran:?}");
    assert!(!mark(&guard).exists());
}

/// Warns in 40 trees, whose processes begin to warn at the same time, with a `/dev/shm` of its own.
const MANY_TREES: &str = r#"
mount -t tmpfs none /dev/shm || exit
for tree in $(seq 40); do
    mkdir -p "$A"; rm -f "$A"/*
    LD_PRELOAD="$L" RAMPART_AUDIT_DIR="$A" RAMPART_IMAGE="$I" sh -c '
        ln -sf /dev/null "$A/spool-$U.jsonl"
        for child in 1 2 3 4 5 6; do /bin/true & done; wait' 2>&1 | grep -c 'rampart: warning: '
done | sort | uniq -c
ls -A /dev/shm/rampart-* | grep -v spool
"#;

#[test]
fn one_warning_a_tree_leaves_a_bounded_number_of_markers() {
    let Some(unshare) = find("unshare") else {
        return println!("skipped: unshare is not installed");
    };
    let (guard, _) = guard(POLICY);
    let mut command = guard.bare(unshare);
    command.args(["-m", "/bin/sh"]).env("L", tests::library()).env("I", guard.image());
    command.env("A", guard.audit()).env("U", effective_user());
    let ran = run(&mut command, MANY_TREES);
    if ran.stderr.contains("unshare: ") || ran.stderr.contains("mount: ") {
        return println!("skipped: no private mount namespace here: {}", ran.stderr);
    }
    let (counts, markers) = ran.stdout.split_once('\n').unwrap();
    assert_eq!(counts.split_whitespace().collect::<Vec<_>>(), ["40", "1"], "{ran:?}");
    let names: Vec<_> = markers.lines().collect();
    let is_marker =
        |name: &&str| name.strip_prefix("warned-").is_some_and(|n| n.parse::<u8>().is_ok());
    assert!(names.len() <= 16 && names.iter().all(is_marker), "{names:?}");
}

#[test]
fn no_memory_for_a_verdict_is_a_denial() {
    let (guard, edge) = guard("");
    let shell = format!("ulimit -v 60000; {} many-arguments /bin/true", edge.display());
    let ran = run(guard.command("/bin/bash").args(["-c", &shell]), "");
    let bare = run(guard.bare("/bin/bash").args(["-c", &shell]), "");
    assert!(bare.stderr.is_empty(), "{bare:?}");
    assert!(ran.stderr.contains("there is no memory to judge this call in"), "{ran:?}");
    assert!(ran.stdout.contains("status 126"), "{ran:?}");
    let mut command = guard.command("/bin/bash");
    let open = run(command.args(["-c", &shell]).env("RAMPART_FAIL_OPEN", "1"), "");
    assert_eq!(
        open.stdout.matches("status 0").count(),
        bare.stdout.matches("status 0").count(),
        "{open:?}"
    );
}
