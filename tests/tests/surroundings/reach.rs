//! The edge of what the library reaches: another root, a set-user-ID program, a race.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use super::{guard, is_root};
use tests::{LibC, find, probe, run};

/// Copies a program and what `ldd` says that it needs below `root`.
fn install(root: &Path, program: &Path, name: &str) {
    let list = Command::new("ldd").arg(program).output().expect("ldd");
    let list = String::from_utf8(list.stdout).unwrap();
    let needed = list.split_whitespace().filter(|word| word.starts_with('/')).map(Path::new);
    for file in needed {
        let to = root.join(file.strip_prefix("/").unwrap());
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::copy(file, to).unwrap();
    }
    fs::create_dir_all(root.join("bin")).unwrap();
    fs::copy(program, root.join("bin").join(name)).unwrap();
}

#[test]
fn in_another_root_without_the_library() {
    // What runs inside another root is out of our reach; that it starts, and how, is not.
    let (Some(dash), true) = (find("dash"), is_root()) else {
        println!("skipped: chroot (needs root and dash)");
        return;
    };
    let guard = guard();
    let root = guard.path("root");
    install(&root, &dash, "sh");
    for name in ["permitted", "forbidden"] {
        install(&root, &guard.path("bin").join(name), name);
    }
    let chroot = Path::new("/usr/sbin/chroot");
    let start = |guarded: bool, line: &[&str]| {
        let mut command = if guarded { guard.command("/bin/sh") } else { guard.bare("/bin/sh") };
        let script = format!("{} {} {}", chroot.display(), root.display(), line.join(" "));
        run(&mut command, &script)
    };
    for line in
        [&["/bin/permitted", "/mark"][..], &["/bin/sh", "-c", "'/bin/permitted /mark; exit 3'"]]
    {
        let (bare, mut guarded) = (start(false, line), start(true, line));
        // There is no place for events in there, which is said once.
        let (said, rest) = guarded.stderr.split_once('\n').unwrap_or_default();
        assert!(said.starts_with("rampart: warning: "), "{line:?}: {guarded:?}");
        guarded.stderr = rest.to_owned();
        assert_eq!(bare, guarded, "{line:?}: bare, then guarded");
        assert!(root.join("mark").exists());
        fs::remove_file(root.join("mark")).unwrap();
    }
    for line in [&["/bin/forbidden", "/mark"][..], &["/bin/sh", "-c", "'/bin/forbidden /mark'"]] {
        let ran = start(true, line);
        assert_eq!(ran.status, 126, "{line:?}: {ran:?}");
        assert!(!root.join("mark").exists(), "{line:?}: {ran:?}");
    }
}

#[test]
fn a_path_that_changes_under_the_call() {
    // The hook judges what it reads, the kernel runs what it reads later. A program that loads the
    // library judges what it really is, so the race is lost there.
    let guard = guard();
    let race = guard.path("bin/race");
    probe("race", LibC::Glibc, &race);
    fs::copy(find("true").unwrap(), guard.path("bin/permitted")).unwrap();
    let mark = guard.path("mark");
    let mut command = guard.command(&race);
    command.arg(guard.path("bin/permitted")).arg(guard.path("bin/forbidden"));
    let ran = run(command.arg(&mark).arg("500"), "");
    assert!(!mark.exists(), "a denied program ran: {}", ran.stdout);
    // 99: the exec itself failed, as it does without us when it reads a path half changed.
    let known = ["0: ", "99: ", "126: "];
    let is_known = |line: &str| known.iter().any(|status| line.starts_with(status));
    assert!(ran.status == 0 && ran.stdout.lines().all(is_known), "{}", ran.stdout);
}

#[test]
fn a_path_that_changes_is_a_gap_for_static_programs() {
    // The listed gap: nobody judges a static program again. The day this fails, it is closed.
    let guard = guard();
    let race = guard.path("bin/race");
    probe("race", LibC::Glibc, &race);
    probe("mark", LibC::GlibcStatic, &guard.path("bin/forbidden"));
    fs::copy(find("true").unwrap(), guard.path("bin/permitted")).unwrap();
    let mark = guard.path("mark");
    let mut command = guard.command(&race);
    command.arg(guard.path("bin/permitted")).arg(guard.path("bin/forbidden"));
    let ran = run(command.arg(&mark).arg("3000"), "");
    assert!(mark.exists(), "it never got through: {}", ran.stdout);
}

#[test]
fn what_a_set_user_id_program_starts_is_out_of_reach() {
    // The listed gap: its loader drops the library, and so do its children. That it was started
    // is judged, and recorded as something nobody confirms.
    if !is_root() || find("setpriv").is_none() {
        println!("skipped: set-user-ID programs (needs root and setpriv)");
        return;
    }
    let guard = guard();
    let chain = guard.path("bin/chain");
    probe("chain", LibC::Glibc, &chain);
    fs::set_permissions(&chain, fs::Permissions::from_mode(0o4755)).unwrap();
    let mark = guard.path("mark");
    let script = format!(
        "setpriv --reuid 65534 --clear-groups {} {}; echo $?",
        chain.display(),
        mark.display()
    );
    let ran = run(&mut guard.command(find("bash").unwrap()), &script);
    assert_eq!(ran.stdout, "ran\nstatus 7\n7\n", "{ran:?}");
    assert!(mark.exists());
    let events = guard.events();
    let start = events.iter().find(|event| event["exe"] == chain.to_string_lossy().as_ref());
    let start = start.expect("the start was recorded");
    assert_eq!((&start["outcome"], &start["target"][0]), (&"unconfirmed".into(), &"set-id".into()));
}
