//! The Debian package: made twice it is the same, lintian finds no error, and in a private copy of a root it installs, runs,
//! upgrades under a running process and is purged without a trace.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tests::{find, library, rampart, run};

use crate::container::debootstrapped;

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
stale: FAILED
mended: /etc/rampart/system.img was made again
then: ok, deny
not mended by a user: FAILED
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
    match debootstrapped() {
        Ok(root) => lived(&root, &old, &new),
        Err(missing) => println!("skipped: {missing}"),
    }
}

#[test]
fn the_bill_of_materials_is_what_its_standard_says() {
    let python =
        std::env::current_exe().unwrap().ancestors().nth(3).unwrap().join("python/bin/python3");
    let validator = repository().join("tests/machines/sbom.py");
    let valid = |text: &str| run(Command::new(&python).arg(&validator), text);
    if !python.exists() || valid("{}").stdout.is_empty() {
        println!("skipped: cyclonedx-python-lib is not installed; .ci/install.sh does it");
        return;
    }
    let sbom = repository().join("packaging/sbom.py");
    let made = run(Command::new("python3").arg(sbom).current_dir(repository()), "");
    assert_eq!((made.status, made.stderr.as_str()), (0, ""));
    assert_eq!(valid(&made.stdout).stdout, "valid\n");
    // The validator looks.
    let broken = made.stdout.replacen("\"library\"", "\"bibliotheca\"", 1);
    assert!(valid(&broken).stdout.starts_with("invalid: "));
    let sbom: serde_json::Value = serde_json::from_str(&made.stdout).unwrap();
    let components = sbom["components"].as_array().unwrap();
    for name in ["rampart", "preload", "evaluator", "libc", "rustls"] {
        assert!(components.iter().any(|one| one["name"] == name), "{name} is missing");
    }
    // All that is downloaded has its digest.
    for one in components.iter().filter(|one| one["version"] != env!("CARGO_PKG_VERSION")) {
        assert_eq!(one["hashes"][0]["alg"], "SHA-256", "{one}");
    }
}
