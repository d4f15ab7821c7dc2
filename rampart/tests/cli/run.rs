//! `rampart run`: what the command gets, what the caller gets back, and what is refused.

use crate::support::{User, ended, mode, words};
use serde_json::Value;
use std::fs;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

fn guarded(user: &User, line: &str) -> Command {
    let mut command = user.command(&words(line));
    command.env("RAMPART_LIB", user.library());
    command
}

/// The variable `name` in the output of env(1).
fn variable<'o>(output: &'o str, name: &str) -> Option<&'o str> {
    output.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='))
}

#[test]
fn the_standard_policy_is_only_referred_to() {
    let user = User::new();
    let found = ended(&guarded(&user, "run -- env").env("KEPT", "a b").output().unwrap());
    assert_eq!((found.status, found.stderr.as_str()), (0, ""));
    let library = user.path("librampart.so");
    assert_eq!(variable(&found.stdout, "LD_PRELOAD"), library.to_str());
    // The path is pinned, so that what is allowed later reaches the tree.
    let set = variable(&found.stdout, "RAMPART_IMAGE").unwrap();
    assert!(fs::metadata(set).unwrap().len() < 1000);
    assert_eq!(mode(set.as_ref()), 0o600);
    let checked = user.command(&words("check -- x")).env("RAMPART_IMAGE", set).output().unwrap();
    assert!(ended(&checked).stdout.ends_with("policy: profile standard\n"));
    assert_eq!(variable(&found.stdout, "RAMPART_MODE"), None);
    assert_eq!(variable(&found.stdout, "KEPT"), Some("a b"));
    let audit = user.path(".local/state/rampart/audit");
    assert_eq!(variable(&found.stdout, "RAMPART_AUDIT_DIR"), audit.to_str());
    assert_eq!(mode(&audit), 0o700);
    // What nothing can change needs no file.
    let found = ended(&guarded(&user, "run --profile standard -- env").output().unwrap());
    assert_eq!(variable(&found.stdout, "RAMPART_IMAGE"), None);
}

#[test]
fn a_policy_becomes_an_image() {
    let user = User::new();
    let found =
        ended(&guarded(&user, "run --policy policy.yaml --mode monitor env").output().unwrap());
    assert_eq!((found.status, found.stderr.as_str()), (0, ""));
    assert_eq!(variable(&found.stdout, "RAMPART_MODE"), Some("monitor"));
    let image = variable(&found.stdout, "RAMPART_IMAGE").unwrap();
    assert!(
        image.starts_with(user.path(".local/state/rampart/images/").to_str().unwrap()),
        "{image}"
    );
    assert_eq!(mode(image.as_ref()), 0o600);
    let checked = user.rampart(&["check", "--policy", image, "--", "x-deny"]);
    assert_eq!(checked.status, 1, "{}", checked.stderr);
}

#[test]
fn an_image_is_copied_and_not_believed() {
    let user = User::new();
    let compiled = user.rampart(&words("policy compile policy.yaml"));
    assert_eq!(compiled.status, 0);
    let stored = compiled.stdout.lines().next().unwrap()[10..].to_owned();
    let honest = fs::read(&stored).unwrap();
    // The header, which the checksum does not cover, claims the digest of another policy.
    user.write("other.yaml", "version: \"1\"\ndefault_action: deny\n");
    assert_eq!(user.rampart(&words("policy compile other.yaml -o other.img")).status, 0);
    let mut forged = fs::read(user.path("other.img")).unwrap();
    forged[16..48].copy_from_slice(&honest[16..48]);
    user.write("forged.img", &forged);
    let line = format!("run --policy {} -- env", user.path("forged.img").display());
    let found = ended(&guarded(&user, &line).output().unwrap());
    assert_eq!((found.status, found.stderr.as_str()), (0, ""));
    let image = variable(&found.stdout, "RAMPART_IMAGE").unwrap();
    assert_ne!(image, stored);
    assert_eq!(fs::read(image).unwrap(), forged);
    assert_eq!(fs::read(&stored).unwrap(), honest);
    assert_eq!(mode(image.as_ref()), 0o600);
}

#[test]
fn layers_stay_apart() {
    let user = User::new();
    user.write(".config/rampart/policy.d/own.yaml", fs::read(user.path("policy.yaml")).unwrap());
    let found = ended(&guarded(&user, "run -- env").output().unwrap());
    let set = variable(&found.stdout, "RAMPART_IMAGE").unwrap();
    let found =
        user.command(&words("policy show --json")).env("RAMPART_IMAGE", set).output().unwrap();
    let shown: Value = serde_json::from_slice(&found.stdout).unwrap();
    let levels: Vec<_> =
        shown["layers"].as_array().unwrap().iter().map(|layer| &layer["level"]).collect();
    assert_eq!(levels, ["built-in", "user"]);
    // As does the same file, named by hand.
    for (call, status) in [("x-deny", 1), ("x-none", 0), ("rm -rf /", 1)] {
        let found = user.rampart(&["check", "--policy", set, "--shell", call]);
        assert_eq!(found.status, status, "{call}: {}", found.stderr);
    }
}

#[test]
fn what_the_user_sets_is_kept() {
    let user = User::new();
    let mut command = guarded(&user, "run -- env");
    let image = user.path("x.img");
    let compiled = user.rampart(&words("policy compile policy.yaml -o x.img"));
    assert_eq!(compiled.status, 0);
    let found = command
        .env("LD_PRELOAD", "/nonexistent/a.so /nonexistent/b.so")
        .env("RAMPART_FAIL_OPEN", "1")
        .env("RAMPART_ON_DENY", "errno")
        .env("RAMPART_MODE", "monitor")
        .env("RAMPART_IMAGE", &image)
        .env("RAMPART_AUDIT_DIR", "here")
        .env("RAMPART_TREE", "")
        .env_remove("HOME")
        .output()
        .unwrap();
    let found = ended(&found);
    let preload =
        format!("{}:/nonexistent/a.so:/nonexistent/b.so", user.path("librampart.so").display());
    let expected = [
        ("LD_PRELOAD", Some(preload.as_str())),
        ("RAMPART_FAIL_OPEN", Some("1")),
        ("RAMPART_ON_DENY", Some("errno")),
        ("RAMPART_MODE", Some("monitor")),
        ("RAMPART_IMAGE", image.to_str()),
        ("RAMPART_TREE", None),
    ];
    for (name, value) in expected {
        assert_eq!(variable(&found.stdout, name), value, "{name}: {}", found.stderr);
    }
    let audit = variable(&found.stdout, "RAMPART_AUDIT_DIR").unwrap();
    assert_eq!(fs::canonicalize(audit).unwrap(), fs::canonicalize(user.path("here")).unwrap());
}

#[test]
fn the_commands_own_end() {
    let user = User::new();
    user.write("plain", "text");
    let script = user.write("script", "echo from script \"$1\"\n");
    fs::set_permissions(script, fs::Permissions::from_mode(0o755)).unwrap();
    let cases = [
        ("run -- sh -c exit\\ 7", 7, "", ""),
        ("run -- true", 0, "", ""),
        ("run -- x-no-such-command", 127, "", "x-no-such-command"),
        ("run -- /no/such/file", 127, "", "/no/such/file"),
        ("run -- ./plain", 126, "", "./plain"),
        ("run -- /", 126, "", "cannot execute `/`"),
        ("run -- ./script a", 0, "from script a\n", "neither an ELF program nor a script"),
        ("run", 2, "", "required"),
        ("run --", 2, "", "required"),
        ("run --polcy x -- true", 2, "", "--policy"),
        ("run --mode off -- true", 2, "", "possible values"),
        ("run --policy none.yaml -- true", 2, "", "no such file"),
        ("run --profile none -- true", 2, "", "standard"),
    ];
    for (line, status, stdout, stderr) in cases {
        let arguments: Vec<String> = line
            .replace("\\ ", "\u{1}")
            .split(' ')
            .map(|word| word.replace('\u{1}', " "))
            .collect();
        let mut command = user.command(&arguments);
        let found = ended(&command.env("RAMPART_LIB", user.library()).output().unwrap());
        assert_eq!(
            (found.status, found.stdout.as_str()),
            (status, stdout),
            "{line}: {}",
            found.stderr
        );
        assert!(found.stderr.contains(stderr), "{line}: {}", found.stderr);
        assert_eq!(found.stderr.is_empty(), stderr.is_empty(), "{line}: {}", found.stderr);
    }
    let mut command = user.command(&["run", "--", "sh", "-c", "kill -TERM $$"]);
    let killed = ended(&command.env("RAMPART_LIB", user.library()).output().unwrap());
    assert_eq!(killed.status, 128 + 15);
}

#[test]
fn arguments_reach_the_command_as_they_are() {
    let user = User::new();
    let mut arguments = words("run -- printf %s|%s|%s -x --policy");
    arguments.push(std::ffi::OsString::from_vec(b"\xff\n".to_vec()));
    let mut command = user.command(&arguments);
    let found = command.env("RAMPART_LIB", user.library()).output().unwrap();
    assert_eq!(found.stdout, b"-x|--policy|\xff\n");
}

#[test]
fn broken_pipes_stay_as_the_caller_had_them() {
    let user = User::new();
    user.library();
    for (before, ignored) in [("", false), ("trap '' PIPE; ", true)] {
        let script = format!(
            "{before}exec '{}' run -- grep SigIgn /proc/self/status",
            env!("CARGO_BIN_EXE_rampart")
        );
        let found = Command::new("sh")
            .args(["-c", &script])
            .env("HOME", user.path(""))
            .env("RAMPART_LIB", user.path("librampart.so"))
            .output()
            .unwrap();
        let stdout = String::from_utf8(found.stdout).unwrap();
        let mask = u64::from_str_radix(stdout.trim().rsplit('\t').next().unwrap(), 16).unwrap();
        // SIGPIPE is 13: bit 12.
        assert_eq!(mask & 1 << 12 != 0, ignored, "{stdout}");
    }
}

#[test]
fn a_library_that_cannot_be_used_is_said() {
    let user = User::new();
    user.write("text.so", [b'x'; 64]);
    let cases = [("/nonexistent/l.so", "/nonexistent/l.so"), ("text.so", "no shared library")];
    for (library, part) in cases {
        let mut command = user.command(&words("run -- true"));
        let found = ended(&command.env("RAMPART_LIB", library).output().unwrap());
        assert_eq!(found.status, 2, "{library}");
        assert!(found.stderr.contains(part), "{library}: {}", found.stderr);
    }
}

#[test]
fn inside_a_tree() {
    let user = User::new();
    let library = user.library();
    let nested = |line: &str| {
        let mut command = user.command(&words(line));
        command
            .env("RAMPART_LIB", &library)
            .env("LD_PRELOAD", &library)
            .env("RAMPART_TREE", "01JDBF7Z000000000000000000");
        ended(&command.output().unwrap())
    };
    for line in ["--mode disabled", "--mode enforce", "--policy policy.yaml", "--profile standard"]
    {
        let found = nested(&format!("run {line} -- env"));
        assert_eq!((found.status, found.stdout.as_str()), (2, ""), "{line}");
        assert!(found.stderr.contains("inside a guarded tree"), "{line}: {}", found.stderr);
    }
    let found = nested("run -- env");
    assert_eq!(found.status, 0, "{}", found.stderr);
    assert_eq!(variable(&found.stdout, "RAMPART_TREE"), Some("01JDBF7Z000000000000000000"));
    assert_eq!(variable(&found.stdout, "RAMPART_AUDIT_DIR"), None);
}

#[test]
fn without_a_home_the_command_still_runs() {
    let user = User::new();
    let found = ended(&guarded(&user, "run -- echo on").env_remove("HOME").output().unwrap());
    assert_eq!((found.status, found.stdout.as_str()), (0, "on\n"));
    assert!(found.stderr.contains("set HOME"), "{}", found.stderr);
}

/// ldconfig(8) is linked statically on Debian, so the library would not be loaded into it.
const STATIC: &str = "/sbin/ldconfig";

#[test]
fn what_cannot_be_followed_is_judged_before_it_starts() {
    let user = User::new();
    let policy = "version: \"1\"\ndefault_action: allow\npolicies:\n  - name: p\n    rules:\n      - {name: no, action: deny, message: not this, when: {operand_matches: [x-no]}}\n";
    user.write("static.yaml", policy);
    let facts = user.rampart(&["check", "--json", "--policy", "static.yaml", "--", STATIC]);
    assert_eq!(facts.status, 0, "{}", facts.stderr);
    let cases = [
        ("enforce", "--version", 0, Some("unconfirmed")),
        ("enforce", "x-no", 126, Some("denied")),
        ("monitor", "x-no", 1, Some("not-enforced")),
        ("disabled", "x-no", 1, None),
    ];
    for (mode, operand, status, outcome) in cases {
        let spool = user.path(".local/state/rampart/audit");
        let _ = fs::remove_dir_all(&spool);
        let line = format!("run --policy static.yaml --mode {mode} -- {STATIC} {operand}");
        let found = ended(&guarded(&user, &line).output().unwrap());
        if !found.stderr.contains("statically linked") {
            eprintln!("skipped: {STATIC} is not linked statically here");
            return;
        }
        assert_eq!(found.status, status, "{line}: {}", found.stderr);
        assert_eq!(found.stderr.contains("rampart: denied:"), status == 126, "{}", found.stderr);
        let files: Vec<_> =
            fs::read_dir(&spool).unwrap().map(|entry| entry.unwrap().path()).collect();
        let recorded = files.first().map(|path| {
            // How the command ended may stand behind it.
            let text = fs::read_to_string(path).unwrap();
            let event: Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
            event["outcome"].as_str().unwrap().to_owned()
        });
        assert_eq!(recorded.as_deref(), outcome, "{line}");
    }
}
