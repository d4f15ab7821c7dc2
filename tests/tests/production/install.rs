//! `rampart install` and `uninstall` in a root of their own: what is there, by rename; who uses it; and that nothing is left.

use std::fs;
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tests::{Ran, library, rampart, run};

fn say(root: &Path, words: &[&str]) -> Ran {
    let mut command = Command::new(rampart());
    command.args(words).arg("--root").arg(root).env("HOME", root).env("RAMPART_LIB", library());
    run(command.env_remove("XDG_CONFIG_HOME"), "")
}

/// Every file below `root`, by its path in it.
fn files(root: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut todo = vec![root.to_owned()];
    while let Some(dir) = todo.pop() {
        for entry in fs::read_dir(dir).unwrap().flatten() {
            let path = entry.path();
            match path.is_dir() {
                true => todo.push(path),
                false => found.push(path.strip_prefix(root).unwrap().to_owned()),
            }
        }
    }
    found.sort();
    found
}

#[test]
fn what_is_installed_is_replaced_by_rename_and_goes_without_a_trace() {
    let (root, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let root = root.path();
    let ran = say(root, &["install"]);
    assert_eq!((ran.status, ran.stderr.as_str()), (0, ""));
    let paths = ["usr/local/bin/rampart", "usr/local/lib/rampart/librampart.so"].map(PathBuf::from);
    assert_eq!(files(root), paths);
    let installed = root.join(&paths[1]);
    for path in &paths {
        assert_eq!(fs::metadata(root.join(path)).unwrap().permissions().mode() & 0o7777, 0o755);
    }
    let ran = say(root, &["install"]);
    assert_eq!(ran.stdout.matches("unchanged").count(), 2, "{}", ran.stdout);

    // A process that has the library loaded keeps it while another takes its place.
    let mut user = Command::new("bash")
        .env("LD_PRELOAD", &installed)
        .env("RAMPART_AUDIT_DIR", elsewhere.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let maps = format!("/proc/{}/maps", user.id());
    while !fs::read_to_string(&maps).unwrap().contains("librampart.so") {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    let before = fs::metadata(&installed).unwrap().ino();
    fs::OpenOptions::new()
        .append(true)
        .open(root.join(&paths[0]))
        .unwrap()
        .write_all(b"x")
        .unwrap();
    fs::set_permissions(&installed, fs::Permissions::from_mode(0o644)).unwrap();
    let ran = say(root, &["install"]);
    assert_eq!(ran.stdout.matches("replaced").count(), 2, "{}", ran.stdout);
    assert!(ran.stdout.contains("1 processes go on"), "{}", ran.stdout);
    assert_ne!(fs::metadata(&installed).unwrap().ino(), before);
    assert_eq!(files(root), paths, "nothing is left beside");

    let units = root.join("etc/systemd/system");
    fs::create_dir_all(&units).unwrap();
    fs::write(root.join("etc/ld.so.preload"), "/usr/local/lib/rampart/librampart.so /x.so\n")
        .unwrap();
    assert_eq!(say(root, &["install", "systemd", "agent"]).status, 0);
    assert!(units.join("agent.service.d/50-rampart.conf").exists());

    let ran = say(root, &["uninstall"]);
    assert_eq!(ran.status, 1, "{ran:?}");
    assert!(ran.stdout.contains(&format!("in use by  {} bash", user.id())), "{}", ran.stdout);
    assert!(installed.exists(), "it was taken from under a process");
    user.stdin.take().unwrap().write_all(b"/bin/true && echo went on\n").unwrap();
    let ended = user.wait_with_output().unwrap();
    assert_eq!(ended.stdout, b"went on\n");

    let ran = say(root, &["uninstall", "--dry-run"]);
    assert!(ran.status == 0 && installed.exists(), "{ran:?}");
    let ran = say(root, &["uninstall"]);
    assert_eq!((ran.status, ran.stderr.as_str()), (0, ""), "{}", ran.stdout);
    assert_eq!(files(root), [PathBuf::from("etc/ld.so.preload")]);
    assert_eq!(fs::read_to_string(root.join("etc/ld.so.preload")).unwrap(), "/x.so\n");
    assert!(!units.join("agent.service.d").exists());
}
