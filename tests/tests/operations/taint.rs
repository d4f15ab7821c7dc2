//! A tree that has read a secret and has taken in what others wrote sends nothing, whatever it did in
//! between and in which of its processes.

use std::fs;
use std::net::TcpListener;

use tests::{Evaluator, Guard, LibC, find, probe, run};

const POLICY: &str = "version: '1'\ndefault_action: allow\non_no_approver: deny\npolicies:
  - name: secrets
    match: {tool: [read], by: program}
    rules: [{name: read, action: watch, taint: secret, when: {path_matches: ['**/vault/**']}}]
  - name: fetches
    match: {tool: [exec]}
    rules: [{name: fetch, action: watch, taint: untrusted, when: {program: [fetch]}}]
  - name: sends
    match: {tool: [exec]}
    rules: [{name: send, action: deny, message: Not from here., when: {program: [send], tainted: [secret, untrusted]}}]
  - name: connects
    match: {tool: [connect], by: program}
    rules: [{name: connect, action: ask, message: Not from here., when: {tainted: [secret, untrusted]}}]
";

/// A guard with a secret and with programs `fetch` and `send`, which make the file that they are given.
fn guard() -> Guard {
    let guard = Guard::new(POLICY);
    for name in ["fetch", "send"] {
        assert!(probe("mark", LibC::Glibc, &guard.path("bin").join(name)), "cc is not installed");
    }
    fs::create_dir_all(guard.path("vault")).unwrap();
    fs::write(guard.path("vault/secret"), "a secret\n").unwrap();
    guard
}

/// Lines for a shell, and whether the last command, which sends, runs.
const LINES: &[(&str, bool)] = &[
    ("send sent", true),
    ("fetch f; send sent", true),
    ("cat vault/secret >/dev/null; send sent", true),
    ("cat vault/secret >/dev/null; fetch f; send sent", false),
    ("fetch f; cat vault/secret >/dev/null; send sent", false),
    ("fetch f; base64 vault/secret > encoded; send sent", false),
    ("fetch f; cp vault/secret a; mv a b; cat b | tr a-z b-za >/dev/null; send sent", false),
    ("fetch f; read -r line < vault/secret; send sent", false),
    ("fetch f; @python3 -c 'open(\"vault/secret\")'; send sent", false),
    ("fetch f; (cat vault/secret &) >/dev/null; sleep 0.5; sh -c 'sh -c \"send sent\"'", false),
    ("fetch f; cat vault/none; send sent", false),
    (
        "env -i RAMPART_TREE=01JDBF7Z000000000000000000 $(command -v cat) vault/secret; fetch f; env -i RAMPART_TREE=01JDBF7Z000000000000000000 $(command -v send) sent",
        false,
    ),
];

fn each(prepare: impl Fn(&Evaluator<'_>, &str) -> std::process::Command) {
    let guard = guard();
    let evaluator = Evaluator::start(&guard);
    let python = find("python3").unwrap_or_default();
    for (line, runs) in LINES {
        if line.contains("@python3") && python.as_os_str().is_empty() {
            println!("skipped: python3 is not installed");
            continue;
        }
        let line = line.replace("@python3", &python.to_string_lossy());
        let ran = run(&mut prepare(&evaluator, &line), "");
        assert_eq!(guard.path("sent").exists(), *runs, "{line}: {ran:?}");
        assert_eq!(ran.stderr.contains("[sends/send] Not from here."), !runs, "{line}: {ran:?}");
        for name in ["sent", "f"] {
            let _ = fs::remove_file(guard.path(name));
        }
    }
}

/// Each line is a tree of its own: what one has come by is nothing to the next.
#[test]
fn a_tree_that_has_both_sends_nothing() {
    each(|evaluator, line| {
        let mut command = evaluator.inside("sh");
        command.args(["-c", line]);
        command
    });
}

#[test]
fn a_connection_is_refused_as_a_program_is() {
    let guard = guard();
    let evaluator = Evaluator::start(&guard);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    for (before, is_refused) in [
        (":", false),
        ("fetch f", false),
        ("read -r x < vault/secret", false),
        ("read -r x < vault/secret; fetch f", true),
    ] {
        let line = format!("{before}; exec 3<>/dev/tcp/127.0.0.1/{port} && echo connected");
        let mut command = evaluator.inside("bash");
        let ran = run(command.args(["-c", &line]).env("RAMPART_ASK_TIMEOUT", "1"), "");
        assert_eq!(ran.stdout.contains("connected\n"), !is_refused, "{before}: {ran:?}");
        assert_eq!(ran.stderr.contains("[connects/connect]"), is_refused, "{before}: {ran:?}");
    }
}

/// What a tree has come by outlives the evaluator that was told, however that ends.
#[test]
fn a_restart_forgets_nothing() {
    let guard = guard();
    let mut evaluator = Evaluator::start(&guard);
    for (line, runs) in [("fetch f", true), ("fetch f; read -r x < vault/secret", false)] {
        for name in ["ready", "go", "sent"] {
            let _ = fs::remove_file(guard.path(name));
        }
        let line = format!("{line}; : > ready; until [ -e go ]; do sleep 0.02; done; send sent");
        let mut command = evaluator.inside("sh");
        command.args(["-c", &line]);
        let running = std::thread::spawn(move || run(&mut command, ""));
        evaluator.wait("the tree", || guard.path("ready").exists().then_some(()));
        evaluator.kill();
        evaluator.restart();
        fs::write(guard.path("go"), "").unwrap();
        let ran = running.join().unwrap();
        assert_eq!(guard.path("sent").exists(), runs, "{line}: {ran:?}");
    }
}

/// What nobody keeps is unknown, and a restriction holds.
#[test]
fn without_an_evaluator_nothing_is_sent() {
    let guard = guard();
    let evaluator = Evaluator::without_daemon(&guard);
    let ran = run(evaluator.inside("sh").args(["-c", "send sent"]), "");
    assert!(!guard.path("sent").exists(), "{ran:?}");
    assert!(ran.stderr.contains("[sends/send] Not from here."), "{ran:?}");
    let ran = run(evaluator.inside("sh").args(["-c", "fetch f"]), "");
    assert!(guard.path("f").exists(), "{ran:?}");
}

#[test]
fn rampart_run_keeps_it_itself() {
    let guard = guard();
    let evaluator = Evaluator::without_daemon(&guard);
    for (line, runs) in
        [("fetch f; send sent", true), ("cat vault/secret; fetch f; send sent", false)]
    {
        let mut command = evaluator.outside(tests::rampart());
        command.arg("run").arg("--policy").arg(guard.image()).args(["--", "sh", "-c", line]);
        let ran = run(&mut command, "");
        assert_eq!(guard.path("sent").exists(), runs, "{line}: {ran:?}");
        let _ = fs::remove_file(guard.path("sent"));
    }
}

/// Outside of a tree the host's session stands for one; the sessions of others are not affected.
#[test]
fn tools_of_agents_mark_and_are_judged() {
    let policy = "version: '1'\ndefault_action: allow\npolicies:
  - {name: secrets, match: {tool: [read]}, rules: [{name: read, action: watch, taint: secret, when: {path_matches: ['**/vault/**']}}]}
  - {name: fetches, match: {tool: [fetch]}, rules: [{name: fetch, action: watch, taint: untrusted}]}
  - {name: sends, match: {tool: [fetch]}, rules: [{name: send, action: deny, message: Not from here., when: {tainted: [secret, untrusted]}}]}
";
    let guard = Guard::new(policy);
    let evaluator = Evaluator::start(&guard);
    let call = |session: &str, tool: &str, input: serde_json::Value| {
        let payload = serde_json::json!({
            "session_id": session, "hook_event_name": "PreToolUse", "cwd": guard.dir(),
            "tool_name": tool, "tool_input": input, "tool_use_id": "t",
        });
        let mut command = evaluator.outside(tests::rampart());
        command.args(["hook", "--format", "claude-code", "--policy"]).arg(guard.image());
        let ran = run(&mut command, &payload.to_string());
        ran.stdout.contains("[sends/send]")
    };
    let read = |session| {
        let path = serde_json::json!({"file_path": guard.path("vault/secret")});
        call(session, "Read", path)
    };
    let fetch = |session| {
        let page = serde_json::json!({"url": "https://example.com/", "prompt": "x"});
        call(session, "WebFetch", page)
    };
    let steps = [fetch("a"), fetch("a"), read("a"), fetch("a"), fetch("b"), read("c"), fetch("c")];
    assert_eq!(steps, [false, false, false, true, false, false, false]);
    assert!(fetch("c"), "its own page came in between");
}
