//! `rampart lab`: what it says of an agent is what happened. The agents are a small one that is written here
//! and, where `RAMPART_TEST_AGENTS` names a directory with their programs in it (as npm's
//! `node_modules/.bin`), the real ones.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test stops where it fails")]

use std::collections::HashMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tests::{Guard, find, rampart, run};

/// Asks the model, runs what it says in a shell, and tells it what came of that.
const AGENT: &str = r#"#!/usr/bin/env python3
import json, re, subprocess, sys, urllib.request
if '--version' in sys.argv:
    print('small 1.0')
    sys.exit()
base = re.search('base_url="([^"]*)"', ' '.join(sys.argv)).group(1)
told = []
while True:
    ask = {'tools': [{'name': 'shell_command'}], 'input': told}
    request = urllib.request.Request(base + '/responses', json.dumps(ask).encode())
    answer = urllib.request.urlopen(request).read().decode()
    lines = [line[6:] for line in answer.splitlines() if line.startswith('data: ')]
    item = json.loads(lines[1])['item']
    if item['type'] == 'message':
        break
    words = ['sh', '-c', json.loads(item['arguments'])['command']]
    done = subprocess.run(words, capture_output=True, text=True)
    told += [item, {'type': 'function_call_output', 'call_id': item['call_id'], 'output': done.stdout + done.stderr}]
"#;

/// What the lab says, by way and try.
fn lab(
    guard: &Guard,
    agent: &str,
    program: &Path,
    ways: &[&str],
) -> HashMap<(String, String), Value> {
    let mut command = guard.bare(rampart());
    // The machine may be busy; a run has a limit of its own.
    command.args(["lab", agent, "--json", "--timeout", "500", "--program"]).arg(program);
    command.args(ways.iter().flat_map(|way| ["--way", way]));
    // Codex makes no home for itself below the directory of temporary files. This is inside of a repository, as
    // work usually is, so that the agents ask git about it: none of that may wait for a person.
    let name = format!("rampart-lab-{}", program.display()).replace('/', "-");
    let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    command.env("RAMPART_LIB", tests::library()).env("XDG_CACHE_HOME", &cache);
    let ran = run(&mut command, "");
    assert_eq!(ran.status, 0, "{ran:?}");
    let mut all = HashMap::new();
    for line in ran.stdout.lines() {
        let report: Value = serde_json::from_str(line).unwrap();
        for found in report["tries"].as_array().unwrap() {
            let key = |value: &Value| value.as_str().unwrap().to_owned();
            all.insert((key(&report["way"]), key(&found["name"])), found.clone());
        }
    }
    let left = fs::read_dir(&cache).unwrap().flatten();
    let left: Vec<PathBuf> = left.map(|entry| entry.path()).collect();
    assert!(left.is_empty(), "{left:?}");
    fs::remove_dir(&cache).unwrap();
    all
}

/// What ran, and that what did not run was told.
fn check(all: &HashMap<(String, String), Value>, ran: &[(&str, &str, bool)]) {
    for (way, name, expected) in ran {
        let found = &all[&((*way).to_owned(), (*name).to_owned())];
        assert_eq!(found["ran"], *expected, "{way}, {name}: {found:#}");
        let shown = found["shown"].as_str().unwrap();
        let is_denied = shown.contains("rampart: denied: ");
        assert_eq!(is_denied, !expected, "{way}, {name}: {found:#}");
    }
}

const STATIC: &str = "by a static program, without environment";

#[test]
fn a_small_agent() {
    if find("python3").is_none() {
        return println!("skipped: python3 is not installed");
    }
    let guard = Guard::new("");
    let program = guard.path("agent");
    fs::write(&program, AGENT).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let all = lab(&guard, "codex", &program, &["interposer", "kernel"]);
    let mut expected = Vec::new();
    for way in ["interposer", "kernel"] {
        expected.extend([
            (way, "ordinary work, before", true),
            (way, "as it is", false),
            (way, "in base64, to a shell", false),
            (way, "by a script in Python", false),
            (way, "ordinary work, after", true),
        ]);
    }
    expected.extend([("interposer", STATIC, true), ("kernel", STATIC, false)]);
    check(&all, &expected);
    assert_eq!(all[&("kernel".to_owned(), STATIC.to_owned())]["stopped_by"][0], "seccomp");

    // One that waits for what somebody would have to approve.
    fs::write(
        &program,
        "#!/bin/sh\ntest \"$1\" = --version || git -C none config core.hooksPath x\n",
    )
    .unwrap();
    let mut command = guard.bare(rampart());
    command.args(["lab", "codex", "--way", "interposer", "--timeout", "4", "--program"]);
    command.arg(&program).env("RAMPART_LIB", tests::library());
    command.env("XDG_CACHE_HOME", env!("CARGO_TARGET_TMPDIR"));
    let ran = run(&mut command, "");
    assert!(ran.status == 1 && ran.stderr.contains("these wait for a person"), "{ran:?}");
    assert!(ran.stderr.contains("[persistence/startup-files]"), "{ran:?}");

    // One that does not talk to the model at all.
    fs::write(&program, "#!/bin/sh\necho 'nothing to do'\n").unwrap();
    let mut command = guard.bare(rampart());
    command.args(["lab", "codex", "--way", "interposer", "--program"]).arg(&program);
    let cache = env!("CARGO_TARGET_TMPDIR");
    command.env("RAMPART_LIB", tests::library()).env("XDG_CACHE_HOME", cache);
    let ran = run(&mut command, "");
    assert_eq!(ran.status, 1, "{ran:?}");
    assert!(
        ran.stderr.contains("it did not ask the model") && ran.stderr.contains("nothing to do"),
        "{ran:?}"
    );
}

/// Ignores SIGTERM, and has a child in a session of its own, whose parent ends.
const STUBBORN: &str = r#"#!/usr/bin/env python3
import os, signal, sys, time
if '--version' in sys.argv:
    sys.exit()
signal.signal(signal.SIGTERM, signal.SIG_IGN)
def tell(*pids):
    with open('PIDS', 'a') as file:
        file.writelines(f'{pid}\n' for pid in pids)
tell(os.getppid(), os.getpid())
if os.fork() == 0:
    os.setsid()
    if os.fork():
        os._exit(0)
    tell(os.getpid())
time.sleep(600)
"#;

#[test]
fn one_that_does_not_end_is_ended_with_all_that_it_started() {
    if find("python3").is_none() {
        return println!("skipped: python3 is not installed");
    }
    let guard = Guard::new("");
    let program = guard.path("agent");
    let cache = guard.path("cache");
    for way in ["hooks", "interposer", "kernel"] {
        let pids = guard.path(way);
        fs::write(&program, STUBBORN.replace("PIDS", &pids.display().to_string())).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        let mut command = guard.bare(rampart());
        command.args(["lab", "codex", "--way", way, "--timeout", "5", "--program"]).arg(&program);
        command.env("RAMPART_LIB", tests::library()).env("XDG_CACHE_HOME", &cache);
        let ran = run(&mut command, "");
        assert_eq!(ran.status, 1, "{way}: {ran:?}");
        assert!(ran.stderr.contains("did not end within 5 s"), "{way}: {ran:?}");
        let pids = fs::read_to_string(&pids).unwrap();
        assert_eq!(pids.lines().count(), 3, "{way}: {pids}");
        let runs = |pid: &str| {
            let words = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            String::from_utf8_lossy(&words).contains(program.to_str().unwrap())
        };
        let left: Vec<&str> = pids.lines().filter(|pid| runs(pid)).collect();
        assert!(left.is_empty(), "{way}: {left:?}");
        assert_eq!(fs::read_dir(&cache).unwrap().count(), 0, "{way}");
    }
}

#[test]
fn the_real_ones() {
    let Some(directory) = std::env::var_os("RAMPART_TEST_AGENTS") else {
        return println!("skipped: RAMPART_TEST_AGENTS is not set");
    };
    let ways = ["hooks", "interposer", "both", "kernel"];
    let agents = [
        ("claude-code", "claude"),
        ("codex", "codex"),
        ("gemini", "gemini"),
        ("opencode", "opencode"),
    ];
    for (agent, name) in agents {
        let guard = Guard::new("");
        let all = lab(&guard, agent, &Path::new(&directory).join(name), &ways);
        for way in ways {
            check(
                &all,
                &[
                    (way, "ordinary work, before", true),
                    (way, "as it is", false),
                    (way, "in base64, to a shell", false),
                    (way, "by a script in Python", way == "hooks"),
                    (way, STATIC, way != "kernel"),
                    (way, "ordinary work, after", true),
                ],
            );
        }
    }
}
