use super::*;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

fn write(path: &Path, bytes: &[u8], mode: u32) {
    fs::write(path, bytes).unwrap();
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

#[test]
fn names_are_found_as_execvp_finds_them() {
    let root = tempfile::tempdir().unwrap();
    let at = |name: &str| root.path().join(name);
    for directory in ["one", "two", "one/dir"] {
        fs::create_dir(at(directory)).unwrap();
    }
    write(&at("one/plain"), b"x", 0o644);
    write(&at("two/plain"), b"x", 0o755);
    write(&at("one/only-plain"), b"x", 0o644);
    write(&at("two/dir"), b"x", 0o755);
    let path = format!("{}:{}", at("one").display(), at("two").display());
    let slashed = at("two/plain").display().to_string();
    let cases: [(&str, Option<&str>, Result<PathBuf, Missing>); 9] = [
        ("plain", Some(&path), Ok(at("two/plain"))),
        ("dir", Some(&path), Ok(at("two/dir"))),
        ("only-plain", Some(&path), Err(Missing::NotExecutable)),
        ("none", Some(&path), Err(Missing::NotFound)),
        ("", Some(&path), Err(Missing::NotFound)),
        (&slashed, Some(""), Ok(at("two/plain"))),
        ("./no/such", Some(&path), Err(Missing::NotFound)),
        ("/", Some(&path), Err(Missing::NotExecutable)),
        ("sh", None, Ok(PathBuf::from("/bin/sh"))),
    ];
    for (name, path, expected) in cases {
        assert_eq!(find(root.path(), OsStr::new(name), path.map(OsStr::new)), expected, "{name}");
    }
    let empty = Some(OsStr::new(""));
    let plain = OsStr::new("plain");
    assert_eq!(find(&at("one"), plain, empty), Err(Missing::NotExecutable));
    assert_eq!(find(&at("two"), plain, empty), Ok(PathBuf::from("plain")));
    assert_eq!(find(&at("two"), OsStr::new("./plain"), empty), Ok(PathBuf::from("./plain")));
}

#[test]
fn script_lines() {
    let cases: [(&[u8], Option<&str>, Option<&str>); 8] = [
        (b"#!/bin/sh\n", Some("/bin/sh"), None),
        (b"#! /bin/sh -e\necho", Some("/bin/sh"), Some("-e")),
        (b"#!/usr/bin/env\tpython3 -I \n", Some("/usr/bin/env"), Some("python3 -I")),
        (b"#!/bin/sh", Some("/bin/sh"), None),
        (b"#!/bin/sh \t\n", Some("/bin/sh"), None),
        (b"#!\n", None, None),
        (b"#!", None, None),
        (b"#!\xff\n", None, None),
    ];
    for (header, interpreter, argument) in cases {
        let facts = Facts::of_header(header);
        assert_eq!(facts.kinds, TargetKinds::SCRIPT);
        if header != b"#!\xff\n" {
            assert_eq!(facts.interpreter.as_deref(), interpreter.map(OsStr::new), "{header:?}");
        } else {
            assert_eq!(facts.interpreter, Some(OsString::from_vec(vec![0xff])));
        }
        assert_eq!(facts.interpreter_arg.as_deref(), argument.map(OsStr::new), "{header:?}");
    }
}

/// An ELF header of this machine with one program header of type `kind` at `at`.
fn elf(kind: u32, at: u64) -> Vec<u8> {
    let mut file = vec![0u8; 256];
    file[..6].copy_from_slice(&[0x7f, b'E', b'L', b'F', class(), data()]);
    file[18..20].copy_from_slice(&machine().to_ne_bytes());
    file[32..40].copy_from_slice(&at.to_ne_bytes());
    file[54..56].copy_from_slice(&56u16.to_ne_bytes());
    file[56..58].copy_from_slice(&1u16.to_ne_bytes());
    file[64..68].copy_from_slice(&kind.to_ne_bytes());
    file
}

#[test]
fn kinds_of_program() {
    let mut foreign_machine = elf(3, 64);
    foreign_machine[18] ^= 1;
    let mut other_class = elf(3, 64);
    other_class[4] = 3 - class();
    let cases: [(&str, Vec<u8>, TargetKinds); 8] = [
        ("dynamic", elf(3, 64), TargetKinds::default()),
        ("static", elf(1, 64), TargetKinds::STATIC),
        ("machine", foreign_machine, TargetKinds::OTHER_ARCH),
        ("class", other_class, TargetKinds::OTHER_ARCH),
        ("headers far away", elf(3, 1 << 20), TargetKinds::UNREADABLE),
        ("headers overflow", elf(3, u64::MAX), TargetKinds::UNREADABLE),
        ("cut short", elf(3, 64)[..40].to_vec(), TargetKinds::UNREADABLE),
        ("no format", b"hello".to_vec(), TargetKinds::FOREIGN),
    ];
    for (name, bytes, kinds) in cases {
        assert_eq!(Facts::of_header(&bytes).kinds, kinds, "{name}");
    }
}

#[test]
fn real_files() {
    let root = tempfile::tempdir().unwrap();
    let at = |name: &str| root.path().join(name);
    write(&at("setid"), &elf(3, 64), 0o4755);
    write(&at("script"), b"#!/bin/sh -e\n", 0o755);
    write(&at("outer"), format!("#!{}\n", at("script").display()).as_bytes(), 0o755);
    assert_eq!(Facts::of(Path::new("/bin/sh")).kinds, TargetKinds::default());
    assert!(Facts::of(&at("setid")).kinds.intersects(TargetKinds::SETID));
    assert_eq!(Facts::of(&at("none")).kinds, TargetKinds::UNREADABLE);
    assert_eq!(Facts::of(root.path()).kinds, TargetKinds::UNREADABLE);
    let (file, facts) = loaded(&at("outer"));
    assert_eq!((file, facts.kinds), (PathBuf::from("/bin/sh"), TargetKinds::default()));
}

#[test]
fn a_loop_of_scripts_ends() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("me");
    write(&path, format!("#!{}\n", path.display()).as_bytes(), 0o755);
    assert_eq!(loaded(&path).0, path);
}
