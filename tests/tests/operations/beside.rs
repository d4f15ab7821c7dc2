//! Another preloaded library that has functions of the same names gets its turn, with rules on what
//! programs do and without.

use std::fs;

use tests::{Guard, LibC, cc, library, probe, run};

use crate::place::{CONTENT, Place, VAULT};

/// Says that it was called, and goes on. What it is told to open it opens under another name.
const OTHER: &str = r#"
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
static void say(const char *name) { write(1, "other ", 6); write(1, name, strlen(name)); write(1, "\n", 1); }
int open(const char *path, int flags, ...) {
    say("open");
    if (strstr(path, "/elsewhere")) path = "open/file";
    if (strstr(path, "/astray")) path = "vault/secret";
    va_list more; va_start(more, flags);
    return NEXT(open)(path, flags, va_arg(more, int));
}
FILE *fopen(const char *path, const char *mode) { say("fopen"); return NEXT(fopen)(path, mode); }
int unlink(const char *path) { say("unlink"); return NEXT(unlink)(path); }
"#;

/// What the probe is told to do, what it prints.
const ROWS: &[(&str, &str, &str)] = &[
    ("open", "@O/file", "other open\nnothing special\nok\n"),
    ("open", "@O/elsewhere", "other open\nnothing special\nok\n"),
    ("open", "@S", "other open\nthe content of a secret\nok\n"),
    ("open", "@O/none", "other open\nNo such file or directory\n"),
    ("open64", "@O/file", "nothing special\nok\n"),
    ("fopen", "@O/file", "other fopen\nnothing special\nok\n"),
    ("fopen", "@S", "other fopen\nthe content of a secret\nok\n"),
    ("unlink", "@O/file", "other unlink\nok\n"),
    ("unlink", "@S", "other unlink\nok\n"),
    ("rmdir", "@V/empty", "ok\n"),
];

#[test]
fn it_gets_its_turn() {
    let none = VAULT.replace(", by: program", "");
    for (policy, has_rules) in [(none.as_str(), false), (VAULT, true)] {
        let place = Place::under(policy);
        let other = other(&place.guard, OTHER, &[]);
        let program = place.guard.path("operations");
        assert!(probe("operations", LibC::Glibc, &program), "cc is not installed");
        let both = format!("{}:{other}", library().display());
        for (function, path, printed) in ROWS {
            place.fill();
            let mut command = place.guard.command(&program);
            command.args([*function, &place.filled(path)]).env("LD_PRELOAD", &both);
            let ran = run(&mut command, "");
            if has_rules && (path.contains("@S") || path.contains("@V")) {
                assert_eq!(ran.stdout, "Permission denied\n", "{function} {path}: {ran:?}");
                assert!(place.secret().exists(), "{function} {path}");
            } else {
                let said = (ran.stdout.as_str(), ran.stderr.as_str());
                assert_eq!(said, (*printed, ""), "{has_rules}: {function} {path}");
            }
        }
    }
}

/// What it opens in place of the path that it was given is looked at for reading; writing is judged by that path
/// alone, which the threat model says.
#[test]
fn where_it_goes_astray_is_seen_in_reading() {
    let place = Place::new();
    let other = other(&place.guard, OTHER, &[]);
    let program = place.guard.path("operations");
    assert!(probe("operations", LibC::Glibc, &program), "cc is not installed");
    let both = format!("{}:{other}", library().display());
    for (function, printed) in
        [("open", "other open\nPermission denied\n"), ("open-write", "other open\nok\n")]
    {
        let mut command = place.guard.command(&program);
        command.args([function, &place.filled("@O/astray")]).env("LD_PRELOAD", &both);
        let ran = run(&mut command, "");
        assert_eq!(ran.stdout, printed, "{function}: {ran:?}");
    }
}

/// A library without a GNU hash table: then the loader is asked, when the process starts.
#[test]
fn one_with_an_old_symbol_table_gets_its_turn() {
    let place = Place::new();
    let other = other(&place.guard, OTHER, &["-Wl,--hash-style=sysv"]);
    let program = place.guard.path("operations");
    assert!(probe("operations", LibC::Glibc, &program), "cc is not installed");
    let both = format!("{}:{other}", library().display());
    for (path, printed) in
        [("@O/file", "other open\nnothing special\nok\n"), ("@S", "Permission denied\n")]
    {
        let mut command = place.guard.command(&program);
        let ran = run(command.args(["open", &place.filled(path)]).env("LD_PRELOAD", &both), "");
        assert_eq!(ran.stdout, printed, "{path}: {ran:?}");
        assert!(!ran.stdout.contains(CONTENT));
    }
}

fn other(guard: &Guard, text: &str, flags: &[&str]) -> String {
    let (source, other) = (guard.path("other.c"), guard.path("libother.so"));
    fs::write(&source, text).unwrap();
    cc("cc", &source, &other, &[&["-shared", "-fPIC", "-ldl"], flags].concat());
    other.to_string_lossy().into_owned()
}
