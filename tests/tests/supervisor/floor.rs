//! `out_of_reach` under the supervisor: the kernel holds the paths, whoever opens them and however, and
//! nothing else breaks. Everything happens in a mount namespace of its own, on a tmpfs at `/mnt`.

use std::path::Path;
use std::process::Command;

use tests::{Guard, Ran, cc, find, run};

/// What is out of reach; one path lies below another.
const PATHS: &str = "[/mnt/tree/secret/a, /mnt/tree/secret, /mnt/tree/one, ~/keys, /mnt/none]";

/// What lies on the tmpfs: root's, but for what the ordinary user may change.
const TREE: &str = "set -e; mount -t tmpfs -o mode=755 none /mnt; mkdir -p /mnt/tree/secret /mnt/tree/open/d; \
    cp /bin/true /mnt/tree/secret; cp /bin/true /mnt/tree/open; \
    for file in secret/a one open/a; do echo x >/mnt/tree/$file; done; \
    chown -R 65534 /mnt/tree/secret /mnt/tree/open /mnt/tree/one; exec \"$@\"";

/// For an ordinary user with [`PATHS`] out of reach, what `reach` is told
/// to do, and what comes of it. `@` is a directory of his own.
#[rustfmt::skip]
const DONE: &[(&str, &str)] = &[
    ("read /mnt/tree/secret/a", "Permission denied"),
    ("write /mnt/tree/secret/a", "Permission denied"),
    ("make /mnt/tree/secret/b", "Permission denied"),
    ("drop /mnt/tree/secret/a", "Permission denied"),
    ("cut /mnt/tree/secret/a", "Permission denied"),
    ("move /mnt/tree/secret/a /mnt/tree/open/b", "Permission denied"),
    ("move /mnt/tree/open/a /mnt/tree/secret/b", "Permission denied"),
    ("read /proc/self/root/mnt/tree/secret/a", "Permission denied"),
    ("read /mnt/tree/one", "Permission denied"),
    ("write /mnt/tree/one", "Permission denied"),
    // The supervisor's verdict comes before the kernel's.
    ("run /mnt/tree/secret/true", "Operation not permitted"),
    // A gap: names can be read, since the right to list `/` is one to list everything.
    ("list /mnt/tree/secret", "done"),
    ("read /mnt/tree/open/a", "done"),
    ("write /mnt/tree/open/a", "done"),
    ("cut /mnt/tree/open/a", "done"),
    ("run /mnt/tree/open/true", "done"),
    ("make /mnt/tree/open/new", "done"),
    ("read /mnt/tree/open/new", "done"),
    ("move /mnt/tree/open/new /mnt/tree/open/d/new", "done"),
    ("drop /mnt/tree/open/d/new", "done"),
    ("list /mnt/tree", "done"),
    ("list /", "done"),
    ("make @/new", "done"),
    ("write @/new", "done"),
    ("drop @/new", "done"),
    ("run /bin/true", "done"),
    ("read /etc/passwd", "done"),
    ("read /proc/self/status", "done"),
    ("write /dev/null", "done"),
    // Not held, since the user can make files beside it: what no library sees reads it.
    ("read @/keys/a", "done"),
];

/// `None` where it cannot be tried.
fn guard(paths: &str, uid: u32) -> Option<Guard> {
    let is_possible = rustix::process::geteuid().is_root()
        && ["unshare", "setpriv"].iter().all(|name| find(name).is_some());
    if !is_possible {
        println!("skipped: needs root, unshare and setpriv");
        return None;
    }
    let guard = Guard::new(&format!("default_action: allow\nout_of_reach: {paths}\n"));
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("probes/reach.c");
    cc("cc", &source, &guard.path("reach"), &["-static", "-no-pie"]);
    let ran = run(&mut supervised(&guard, uid, &["--enforce", "kernel", "--", "true"]), "");
    if ran.stderr.contains("Landlock cannot be had") {
        println!("skipped: {}", ran.stderr);
        return None;
    }
    assert_eq!(ran.status, 0, "{ran:?}");
    Some(guard)
}

/// `rampart run` with these words as user `uid`, beside the tree.
fn supervised(guard: &Guard, uid: u32, words: &[&str]) -> Command {
    let home = guard.path("home");
    std::fs::create_dir_all(home.join("keys")).unwrap();
    std::fs::write(home.join("keys/a"), "x").unwrap();
    let own = [guard.dir().to_owned(), guard.audit(), guard.path("run"), home.join("keys"), home];
    for dir in own {
        std::os::unix::fs::chown(dir, Some(uid), Some(uid)).unwrap();
    }
    let (user, group) = (format!("--reuid={uid}"), format!("--regid={uid}"));
    let mut command = guard.bare("unshare");
    command.args(["-m", "sh", "-c", TREE, "sh", "setpriv", &user, &group, "--clear-groups"]);
    command.arg(tests::rampart()).arg("run").arg("--policy").arg(guard.image()).args(words);
    command.env("RAMPART_AUDIT_DIR", guard.audit()).env("RAMPART_LIB", tests::library());
    command
}

fn reach(guard: &Guard, (uid, words): (u32, &[&str]), lines: &[&str]) -> (Vec<String>, Ran) {
    let home = guard.path("home");
    let input = lines.join("\n").replace('@', home.to_str().unwrap());
    let ran = run(&mut supervised(guard, uid, &[words, &["--", "./reach"]].concat()), &input);
    (ran.stdout.lines().map(str::to_owned).collect(), ran)
}

#[test]
fn the_kernel_holds_what_is_out_of_reach_and_nothing_else() {
    let Some(guard) = guard(PATHS, 65534) else {
        return;
    };
    let lines: Vec<&str> = DONE.iter().map(|(line, _)| *line).collect();
    for enforce in ["kernel", "best"] {
        let (came, ran) = reach(&guard, (65534, &["--enforce", enforce]), &lines);
        assert_eq!(came.len(), DONE.len(), "{ran:?}");
        for ((line, expected), came) in DONE.iter().zip(&came) {
            assert_eq!(came, expected, "{enforce}: {line}: {ran:?}");
        }
        let told: Vec<&str> = ran.stderr.lines().filter(|line| line.contains("alone")).collect();
        let [told] = told.as_slice() else { panic!("{ran:?}") };
        assert!(told.contains("`~/keys` (`") && told.contains("can be written to)"), "{ran:?}");
        assert!(told.contains("`/mnt/none` (no such file"), "{ran:?}");
        assert!(!told.contains("secret"), "{ran:?}");
    }
}

#[test]
fn only_under_the_supervisor_and_where_the_policy_is_enforced() {
    let Some(guard) = guard("[/mnt/tree/secret]", 65534) else { return };
    let cases: [(&[&str], &str); 4] = [
        (&["--enforce", "kernel"], "Permission denied"),
        (&["--enforce", "interposer"], "done"),
        (&["--enforce", "kernel", "--mode", "monitor"], "done"),
        (&["--enforce", "kernel", "--mode", "disabled"], "done"),
    ];
    for (words, expected) in cases {
        let (came, ran) = reach(&guard, (65534, words), &["read /mnt/tree/secret/a"]);
        assert_eq!(came, [expected], "{words:?}: {ran:?}");
    }
}

#[test]
fn of_roots_what_lies_in_the_root_directory() {
    let cases = [
        ("[/mnt]", "Permission denied", "", 32),
        ("[/mnt/tree]", "done", "`/mnt/tree` (`/mnt` can be written to)", 0),
        // Nothing to hold, so no domain: whoever makes sandboxes can go on mounting.
        ("[]", "done", "", 0),
    ];
    for (paths, expected, told, status) in cases {
        let Some(guard) = guard(paths, 0) else { return };
        let (came, ran) = reach(&guard, (0, &["--enforce", "kernel"]), &["read /mnt/tree/one"]);
        assert_eq!(came, [expected], "{paths}: {ran:?}");
        assert_eq!(ran.stderr.contains("alone"), !told.is_empty(), "{paths}: {ran:?}");
        assert!(ran.stderr.contains(told), "{paths}: {ran:?}");
        let words = ["--enforce", "kernel", "--", "mount", "-t", "tmpfs", "none", "/opt"];
        let ran = run(&mut supervised(&guard, 0, &words), "");
        assert_eq!(ran.status, status, "{paths}: {ran:?}");
    }
}

#[test]
fn what_the_tree_needs_stays_in_reach() {
    let Some(guard) = guard("[/tmp]", 0) else { return };
    let dir = guard.dir().to_owned();
    if !dir.starts_with("/tmp") {
        return println!("skipped: temporary files lie elsewhere");
    }
    let ran = run(&mut supervised(&guard, 0, &["--enforce", "kernel", "--", "true"]), "");
    assert_eq!(ran.status, 0, "{ran:?}");
    assert!(ran.stderr.contains("is needed in the tree"), "{ran:?}");
}
