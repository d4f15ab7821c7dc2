//! Every way to start a program that no library sees, with what is denied and with what is not.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::{guard, supervised, under};
use tests::{find, run};

/// What comes before the program, and whether it runs where only the library stands in the way.
const ROUTES: &[(&str, &[&str])] = &[
    ("raw execve, no environment", &["./unseen", "execve"]),
    ("execveat of a memfd", &["./unseen", "execveat"]),
    ("int 0x80", &["./unseen", "int80"]),
    ("from a second thread", &["./unseen", "thread"]),
    ("static busybox", &["busybox", "env"]),
    ("static busybox, no environment", &["busybox", "env", "-i"]),
    ("libc, no environment", &["env", "-i"]),
    ("Go, static", &["./go-static"]),
    ("Go, with cgo", &["./go-cgo"]),
];

fn go(output: &Path, cgo: &str) -> bool {
    let Some(compiler) = find("go") else {
        return false;
    };
    let source = output.with_file_name("start-program.go");
    fs::write(
        &source,
        "package main\nimport (\"os\"; \"os/exec\"; _ \"os/user\")\nfunc main() { c := exec.Command(os.Args[1], \
         os.Args[2:]...); c.Env = []string{}; c.Stdout = os.Stdout; c.Stderr = os.Stderr; \
         if c.Run() != nil && c.ProcessState == nil { os.Exit(78) }; os.Exit(c.ProcessState.ExitCode()) }\n",
    )
    .unwrap();
    let mut command = Command::new(compiler);
    command.args(["build", "-o"]).arg(output).arg(&source);
    command.env("CGO_ENABLED", cgo).env("GOFLAGS", "-buildvcs=false");
    command.status().is_ok_and(|status| status.success())
}

#[test]
fn what_no_library_sees_is_stopped() {
    let guard = guard();
    let has_go = go(&guard.path("go-static"), "0") && go(&guard.path("go-cgo"), "1");
    for (name, words) in ROUTES {
        if (words[0].starts_with("./go") && !has_go)
            || (words[0] == "busybox" && find("busybox").is_none())
        {
            println!("skipped: {name} is not installed");
            continue;
        }
        for mark in ["./mark", "./dynamic/mark"] {
            let with = |word| [*words, &[mark, word]].concat();
            let ran = run(&mut supervised(&guard, &with("bad")), "");
            assert!(!guard.path("bad").exists(), "{name}, {mark}: {ran:?}");
            assert!(ran.status != 0 && ran.status != 7, "{name}, {mark}: {ran:?}");
            assert!(ran.stderr.contains("rampart: denied: "), "{name}, {mark}: {ran:?}");
            assert!(ran.stderr.contains("[p/no-bad]"), "{name}, {mark}: {ran:?}");
            let ran = run(&mut supervised(&guard, &with("fine")), "");
            assert_eq!((ran.status, ran.stdout.as_str()), (7, "ran\n"), "{name}, {mark}: {ran:?}");
            fs::remove_file(guard.path("fine")).unwrap();
        }
        // What it is good for: with the library alone the same runs.
        let ran = run(&mut under(&guard, "interposer", &[*words, &["./mark", "bad"]].concat()), "");
        let is_seen = matches!(words[0], "env" | "busybox");
        assert_eq!(guard.path("bad").exists(), !is_seen, "{name}: {ran:?}");
        let _ = fs::remove_file(guard.path("bad"));
    }
}

#[test]
fn the_loader_and_scripts_are_seen_through() {
    let guard = guard();
    let loader = ["/lib64/ld-linux-x86-64.so.2", "/lib/ld-linux-aarch64.so.1"];
    let loader = loader.into_iter().find(|path| Path::new(path).exists()).unwrap();
    fs::write(guard.path("script"), "#!/bin/sh\nexec \"$@\"\n").unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(guard.path("script"), mode).unwrap();
    for words in [
        &["./unseen", "execve", loader, "./dynamic/mark"][..],
        &["./unseen", "execve", loader, "./mark"],
        &["./unseen", "execve", "./script", "./mark"],
        &["./unseen", "execve", "/bin/sh", "-c", "./mark bad", "x"],
    ] {
        let ran = run(&mut supervised(&guard, &[words, &["bad"]].concat()), "");
        assert!(!guard.path("bad").exists() && ran.status != 7, "{words:?}: {ran:?}");
        assert!(ran.stderr.contains("rampart: denied: "), "{words:?}: {ran:?}");
    }
}

#[test]
fn each_start_is_recorded_once() {
    let guard = guard();
    let text = "/bin/true; ./mark one; ./dynamic/mark two; env -i ./mark three; ./unseen execve ./mark four";
    let ran = run(&mut supervised(&guard, &["dash"]), text);
    assert_eq!(ran.status, 7, "{ran:?}");
    let events = guard.events();
    for (word, hook) in [
        ("/bin/true", "start"),
        ("one", "seccomp"),
        ("two", "start"),
        ("three", "seccomp"),
        ("four", "seccomp"),
    ] {
        let is_it = |event: &&serde_json::Value| {
            let argv = event["argv"].as_array().map_or(&[][..], Vec::as_slice);
            argv.last().is_some_and(|last| last == word)
                && argv[0] != "env"
                && argv[0] != "./unseen"
        };
        let found: Vec<_> = events.iter().filter(is_it).collect();
        assert_eq!(found.len(), 1, "{word}: {found:?}");
        assert_eq!(found[0]["hook"], hook, "{word}: {found:?}");
        assert!(["allowed", "unconfirmed"].contains(&found[0]["outcome"].as_str().unwrap()));
    }
}
