//! The Debian package: made twice it is the same, lintian finds no error, and in a private copy of a root it installs, runs,
//! upgrades under a running process and is purged without a trace.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tests::{find, library, rampart, run};

fn repository() -> PathBuf {
    fs::canonicalize(Path::new(env!("CARGO_MANIFEST_DIR")).join("..")).unwrap()
}

fn built(dir: &Path, version: &str) -> PathBuf {
    let mut command = Command::new(repository().join("packaging/deb.sh"));
    command.args([rampart(), library(), dir.to_owned()]).arg(version);
    let ran = run(command.env("DEB_COMPRESSION", "gzip").env_remove("LD_PRELOAD"), "");
    assert_eq!((ran.status, ran.stderr.as_str()), (0, ""), "{}", ran.stdout);
    PathBuf::from(ran.stdout.trim())
}

fn has(tool: &str) -> bool {
    let is_there = find(tool).is_some();
    if !is_there {
        println!("skipped: {tool} is not installed");
    }
    is_there
}

/// Goes through `root`'s life with the package.
fn lived(root: &Path, old: &Path, new: &Path) {
    let mut command = Command::new(repository().join("tests/machines/package.sh"));
    let ran = run(command.args([root, old, new]).env_remove("LD_PRELOAD"), "");
    if ran.status != 0 && ran.stderr.contains("mount") {
        println!("skipped: no private copy of a root can be had: {}", ran.stderr);
        return;
    }
    let expected = "\
installed: 0.1.0-1 install ok installed
user: rampart
/etc/rampart/system.img root 644
/var/lib/rampart rampart 700
/var/spool/rampart rampart 1733
/usr/lib/rampart/librampart.so root 755
guards: 1
checks: deny
manual: 1
upgraded: 0.1.1-1, another file
in use: 1
the old library is mapped still
after the upgrade: 1, 0
left: nothing
user left: 0
";
    assert_eq!(ran.stdout, expected, "{}", ran.stderr);
}

#[test]
fn the_package_lives_and_dies() {
    let is_root = run(Command::new("id").arg("-u"), "").stdout == "0\n";
    if !has("dpkg-deb") || !is_root {
        return;
    }
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let old = built(one.path(), "0.1.0");
    let again = built(two.path(), "0.1.0");
    assert!(fs::read(&old).unwrap() == fs::read(again).unwrap(), "made again it is another");
    if has("lintian") {
        let mut command = Command::new("lintian");
        let ran =
            run(command.args(["--fail-on", "error", "--tag-display-limit", "0"]).arg(&old), "");
        assert_eq!(ran.status, 0, "{}{}", ran.stdout, ran.stderr);
    }
    let new = built(one.path(), "0.1.1");
    lived(Path::new("/"), &old, &new);
    // `.ci/roots.sh` makes it, in a minute and a half.
    let root = std::env::current_exe().unwrap().ancestors().nth(3).unwrap().join("roots/glibc");
    if root.join("etc/debian_version").exists() {
        lived(&root, &old, &new);
    } else {
        println!("skipped: a root by debootstrap (.ci/roots.sh makes it)");
    }
}
