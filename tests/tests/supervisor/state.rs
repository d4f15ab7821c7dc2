//! What rules know of a tree, and of its files, beyond one start: where only the kernel sees who starts, too.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::Command;
use std::thread::sleep;
use std::time::Duration;

use super::{guard, guard_with, supervised, supervised_by_nobody};
use tests::{cc, run};

const TAINTS: &str = "version: '1'\ndefault_action: allow\npolicies: [{name: p, rules: [\
    {name: fetch, action: watch, taint: untrusted, when: {program: [fetch]}},\
    {name: send, action: deny, when: {program: [send], tainted: [untrusted]}}]}]";

/// Lines for a shell, and whether the last command runs. `lib` holds programs that load the library.
const TAINTED: &[(&str, bool)] = &[
    ("./unseen execve ./send sent", true),
    ("./unseen execve ./fetch f; ./unseen execve ./send sent", false),
    ("./unseen execve ./fetch f; ./lib/send sent", false),
    ("./lib/fetch f; ./unseen execve ./send sent", false),
    ("./lib/fetch f; env -i RAMPART_TREE=01JDBF7Z000000000000000000 ./send sent", false),
    (
        "./unseen execve ./fetch f; env -i RAMPART_TREE=01JDBF7Z000000000000000000 ./send sent",
        false,
    ),
    ("env -i RAMPART_TREE=01JDBF7Z000000000000000000 ./fetch f; ./send sent", false),
];

#[test]
fn what_a_tree_has_come_by() {
    let guard = guard_with(TAINTS);
    fs::create_dir(guard.path("lib")).unwrap();
    for name in ["fetch", "send"] {
        fs::copy(guard.path("mark"), guard.path(name)).unwrap();
        fs::copy(guard.path("dynamic/mark"), guard.path("lib").join(name)).unwrap();
    }
    for (line, runs) in TAINTED {
        // Each is a tree of its own. From standard input, so that nobody sees the line before.
        let ran = run(&mut supervised(&guard, &["sh"]), line);
        assert_eq!(guard.path("sent").exists(), *runs, "{line}: {ran:?}");
        assert_eq!(ran.stderr.contains("[p/send]"), !runs, "{line}: {ran:?}");
        let _ = fs::remove_file(guard.path("sent"));
    }
}

const WRITTEN: &str = "version: '1'\ndefault_action: allow\npolicies: [{name: p, rules: [\
    {name: own, action: deny, when: {written_by_agent: true}}]}]";

/// The same for what the tree has written itself.
const LINES: &[(&str, bool)] = &[
    ("./unseen execve ./mark left", true),
    ("./unseen execve ./dynamic/mark left", true),
    ("./unseen execve /bin/sh ./old", true),
    ("cp mark new; ./unseen execve ./new left", false),
    ("cp dynamic/mark new; ./unseen execve ./new left", false),
    ("cp mark new; ./unseen thread ./new left", false),
    ("cp mark new; env -i RAMPART_SINCE=99999999999999 ./new left", false),
    ("cp old new; ./unseen execve /bin/sh ./new", false),
    ("cp old new; ./unseen execve ./new", false),
];

#[test]
fn what_a_tree_has_written() {
    let guard = guard_with(WRITTEN);
    fs::write(guard.path("old"), "#!/bin/sh\n: > left\n").unwrap();
    let mode = PermissionsExt::from_mode(0o755);
    fs::set_permissions(guard.path("old"), mode).unwrap();
    // Longer than what is in doubt because clocks are coarse.
    sleep(Duration::from_millis(100));
    for (line, runs) in LINES {
        let ran = run(&mut supervised(&guard, &["sh"]), line);
        assert_eq!(guard.path("left").exists(), *runs, "{line}: {ran:?}");
        assert_eq!(ran.stderr.contains("[p/own]"), !runs, "{line}: {ran:?}");
        for name in ["left", "new"] {
            let _ = fs::remove_file(guard.path(name));
        }
    }
}

/// Another mount namespace, in which `work/tools` leads to `evil`, and another root directory.
#[test]
fn who_lives_elsewhere_is_still_judged() {
    let guard = guard_with(super::POLICY);
    let is_there = Command::new("unshare")
        .args(["-Urm", "true"])
        .status()
        .is_ok_and(|status| status.success());
    if !is_there {
        return println!("skipped: unshare is not installed, or may not be used");
    }
    for name in ["tools", "other"] {
        fs::create_dir(guard.path(name)).unwrap();
    }
    fs::copy(guard.path("mark"), guard.path("other/mark")).unwrap();
    // What is only there inside, started by name, by a relative path, and by a link.
    for path in ["./tools/mark", "tools/../tools/mark", "./link"] {
        for (word, runs) in [("fine", true), ("bad", false)] {
            let line = format!(
                "mount --bind other tools; ln -sf tools/mark link; ./unseen execve {path} {word}"
            );
            let ran = run(&mut supervised(&guard, &["unshare", "-Urm", "sh", "-c", &line]), "");
            assert_eq!(guard.path(word).exists(), runs, "{path} {word}: {ran:?}");
            assert_eq!(ran.stderr.contains("[p/no-bad]"), !runs, "{path} {word}: {ran:?}");
            let _ = fs::remove_file(guard.path(word));
        }
    }
}

const VAULT: &str = "version: '1'\ndefault_action: allow\npolicies: [{name: p, rules: [\
    {name: no-vault, action: deny, when: {program: [mark], operands: ['**/vault/**']}}]}]";

/// What arguments lead to is looked up where the process lives: by a link that only it sees.
#[test]
fn arguments_of_who_lives_elsewhere_lead_where_it_sees() {
    let guard = guard_with(VAULT);
    let mut unshare = Command::new("unshare");
    if !unshare.args(["-Urm", "true"]).status().is_ok_and(|status| status.success()) {
        return println!("skipped: unshare is not installed, or may not be used");
    }
    for name in ["tools", "other", "vault", "jail", "jail/vault", "jail/home"] {
        fs::create_dir(guard.path(name)).unwrap();
    }
    symlink("../vault", guard.path("other/door")).unwrap();
    symlink("/vault", guard.path("jail/door")).unwrap();
    for name in ["mark", "unseen"] {
        fs::copy(guard.path(name), guard.path("jail").join(name)).unwrap();
    }
    for name in ["other/fine", "vault/bad", "jail/home/fine", "jail/vault/bad"] {
        fs::write(guard.path(name), "").unwrap();
    }
    let mounts = "mount --bind other tools; ./unseen execve ./mark";
    let chroot = "chroot jail /unseen execve /mark";
    let below = "cd jail/home; exec chroot .. /unseen execve /mark";
    for (line, word, runs) in [
        (mounts, "tools/fine", true),
        (mounts, "tools/door/bad", false),
        (chroot, "/home/fine", true),
        (chroot, "/door/bad", false),
        (below, "door/bad", false),
    ] {
        let line = format!("{line} {word}");
        let ran = run(&mut supervised(&guard, &["unshare", "-Urm", "sh", "-c", &line]), "");
        assert_eq!(ran.stdout.contains("ran"), runs, "{line}: {ran:?}");
        assert_eq!(ran.stderr.contains("[p/no-vault]"), !runs, "{line}: {ran:?}");
    }
}

/// Starts a program below another root directory.
const JAILED: &str = "#include <unistd.h>\nint main(int argc, char **argv) {\n\
    char *none[] = {0};\n\
    return argc < 3 || chroot(argv[1]) || chdir(\"/\") || execve(argv[2], argv + 2, none); }\n";

/// What runs is known by its content there, too: started by a link, with another file where its name would lead if it was
/// looked for below the root directory once more.
#[test]
fn a_program_below_another_root_is_known_by_its_content() {
    let probe = super::guard();
    let sum = Command::new("sha256sum").arg(probe.path("mark")).output().unwrap().stdout;
    let sum = String::from_utf8(sum).unwrap();
    let (digest, _) = sum.split_once(' ').unwrap();
    let guard = guard_with(&format!(
        "version: '1'\ndefault_action: allow\npolicies: [{{name: p, rules: [\
         {{name: no-mark, action: deny, when: {{exe_sha256: ['{digest}']}}}}]}}]"
    ));
    if !Command::new("unshare").args(["-Ur", "true"]).status().is_ok_and(|it| it.success()) {
        return println!("skipped: unshare is not installed, or may not be used");
    }
    let jail = fs::canonicalize(guard.path("mark")).unwrap().with_file_name("jail");
    let decoy = jail.join(jail.strip_prefix("/").unwrap());
    fs::create_dir_all(&decoy).unwrap();
    fs::copy(guard.path("mark"), jail.join("mark")).unwrap();
    fs::copy(guard.path("unseen"), decoy.join("mark")).unwrap();
    fs::write(guard.path("jailed.c"), JAILED).unwrap();
    cc("cc", &guard.path("jailed.c"), &guard.path("jailed"), &["-static"]);
    symlink("mark", jail.join("link")).unwrap();
    // Another file, though it does the same.
    let mut other = fs::read(guard.path("mark")).unwrap();
    other.push(0);
    fs::write(jail.join("other"), other).unwrap();
    fs::set_permissions(jail.join("other"), PermissionsExt::from_mode(0o755)).unwrap();
    for (file, runs) in [("/link", false), ("/mark", false), ("/other", true)] {
        let words = ["unshare", "-Ur", "./jailed", "jail", file, "fine"];
        let ran = run(&mut supervised(&guard, &words), "");
        assert_eq!(ran.stdout.contains("ran"), runs, "{file}: {ran:?}");
        assert_eq!(ran.stderr.contains("[p/no-mark]"), !runs, "{file}: {ran:?}");
    }
}

const DIRECTORIES: &str = "version: '1'\ndefault_action: allow\npolicies: [{name: p, rules: [\
    {name: there, action: deny, when: {program: [mark], cwd_matches: ['**/prod']}},\
    {name: file, action: deny, when: {program: [mark], operands: ['**/other/secret']}}]}]";

/// In which directory, what, and the rule that stops it.
const MADE: &[(&str, &str, Option<&str>)] = &[
    ("other", "../unseen execve ../mark left", None),
    ("other", "../unseen execve ../dynamic/mark left", None),
    ("other", "../unseen execve ../mark secret", Some("file")),
    ("other", "../unseen execve ../dynamic/mark secret", Some("file")),
    ("other", "env -i ../mark secret", Some("file")),
    ("prod", "../unseen execve ../mark", Some("there")),
    ("prod", "../unseen execve ../dynamic/mark", Some("there")),
    ("prod/..", "./unseen execve ./mark secret", None),
];

/// The directory of a call is looked up once a rule or an event asks for it.
#[test]
fn where_a_call_is_made() {
    let guard = guard_with(DIRECTORIES);
    for name in ["prod", "other"] {
        fs::create_dir(guard.path(name)).unwrap();
    }
    for (directory, what, rule) in MADE {
        guard.forget();
        let ran = run(&mut supervised(&guard, &["sh"]), &format!("cd {directory} && {what}"));
        let said = rule.map(|rule| format!("[p/{rule}]"));
        let is_said = said.is_some_and(|said| ran.stderr.contains(&said));
        assert_eq!(is_said, rule.is_some(), "{directory}: {what}: {ran:?}");
        assert_eq!(ran.stdout.contains("ran"), rule.is_none(), "{directory}: {what}: {ran:?}");
        let here = fs::canonicalize(guard.path(directory)).unwrap();
        let events = guard.events();
        let is_of_it = |event: &&serde_json::Value| {
            let words = event["argv"].as_array();
            words.is_some_and(|words| {
                words.iter().any(|word| word.as_str().unwrap().ends_with("mark"))
            })
        };
        let event = events.iter().rfind(is_of_it);
        let cwd = event.and_then(|event| event["cwd"].as_str());
        assert_eq!(cwd, here.to_str(), "{directory}: {what}: {events:?}");
    }
}

/// A directory whose name no system call has room for: what is named by it is not let go.
#[test]
fn where_no_path_leads() {
    let guard = guard_with(DIRECTORIES);
    let at = guard.dir().display();
    let deep = format!(
        "import os\nfor at in range(22):\n  os.mkdir('d' * 200); os.chdir('d' * 200)\n\
         for words in (['{at}/unseen', 'execve', '{at}/mark', 'left'], ['{at}/mark', '{at}/whole']):\n  \
         print(words, os.spawnv(os.P_WAIT, words[0], words))\n"
    );
    fs::write(guard.path("deep.py"), deep).unwrap();
    let ran = run(&mut supervised(&guard, &["/usr/bin/python3", "deep.py"]), "");
    assert!(ran.stderr.contains("working directory is not known"), "{ran:?}");
    assert!(!ran.stdout.contains("ran"), "{ran:?}");
    let unseen = |event: &serde_json::Value| event["reason"] == "unseen";
    let denied: Vec<_> = guard.events().into_iter().filter(unseen).collect();
    let first = &denied.first().expect("a denial is recorded");
    assert_eq!((&first["outcome"], &first["hook"]), (&"denied".into(), &"seccomp".into()));
    let end = first["id"].as_str().and_then(|id| id.get(22..)).unwrap();
    assert!(ran.stderr.contains(&format!("id {end})")), "the line names it: {ran:?}");
    let stub = "import ctypes, os, sys\nfor at in range(22):\n  os.mkdir('e' * 200); os.chdir('e' * 200)\n\
         os.makedirs(os.path.dirname(sys.argv[1])); os.link(sys.argv[2], sys.argv[1])\n\
         ctypes.CDLL(None).ptrace(0, 0, 0, 0)\nos.execve(sys.argv[1], ['rampart', 'stub', 'left'], {})\n";
    fs::write(guard.path("stub.py"), stub).unwrap();
    let helper = tests::rampart().strip_prefix("/").unwrap().display().to_string();
    let mark = guard.path("mark").display().to_string();
    let ran = run(&mut supervised(&guard, &["/usr/bin/python3", "stub.py", &helper, &mark]), "");
    assert!(ran.stderr.contains("PermissionError"), "it was started, and denied: {ran:?}");
    assert!(!ran.stdout.contains("ran") && !guard.path("left").exists(), "{ran:?}");
}

/// A process that may not be looked at: its call is denied, or goes ahead by the fail mode, and either is recorded.
#[test]
fn who_may_not_be_looked_at() {
    let hides = "import ctypes, os\nctypes.CDLL(None).prctl(4, 0, 0, 0, 0)\n\
                 os.execve('./mark', ['mark', 'left'], {})\n";
    for (mode, runs, outcome, by) in
        [("0", false, "denied", None), ("1", true, "unconfirmed", Some("fail-open"))]
    {
        let guard = guard();
        fs::write(guard.path("hides.py"), hides).unwrap();
        let words = ["/usr/bin/python3", "hides.py"];
        let Some(mut command) = supervised_by_nobody(&guard, &words) else {
            return;
        };
        let ran = run(command.env("RAMPART_FAIL_OPEN", mode), "");
        assert_eq!(guard.path("left").exists(), runs, "{ran:?}");
        let events = guard.events();
        let event = events.iter().find(|event| event["reason"] == "unseen");
        let event = event.unwrap_or_else(|| panic!("nothing is recorded: {ran:?}"));
        assert_eq!((&event["outcome"], event["answered_by"].as_str()), (&outcome.into(), by));
        assert_eq!(
            ran.stderr.contains("cannot be seen: operation not permitted"),
            !runs,
            "{ran:?}"
        );
        assert_eq!(event["uid"], 65534, "{event}");
    }
}
