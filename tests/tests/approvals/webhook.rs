//! Rules that ask a service, which is a real one on this machine. Whatever it answers, the program
//! runs only if that was a yes to this very question, or the rule lets failures pass.

use std::fs;
use std::process::Command;

use serde_json::Value;
use tests::{Evaluator, Guard, LibC, Service, find, probe, rampart, run};

/// A guard whose rules ask the service about programs that are called as its paths are.
fn guard(names: &[&str], base: impl FnOnce(&Guard) -> String) -> Guard {
    let guard = Guard::new("");
    let base = base(&guard);
    let rule = |name: &&str| {
        let more = if *name == "open" { ", fail_open: true" } else { "" };
        let timeout = if *name == "slow" { "300ms" } else { "20s" };
        format!(
            "      - {{name: {name}, action: webhook, when: {{program: {name}}}, message: think, \
             webhook: {{url: '{base}/{name}', timeout: {timeout}{more}}}}}\n"
        )
    };
    let rules: String = names.iter().map(rule).collect();
    let policy = format!("default_action: allow\npolicies:\n  - name: test\n    rules:\n{rules}");
    fs::write(guard.image(), tests::compile(&policy)).unwrap();
    for name in names {
        assert!(probe("mark", LibC::Glibc, &guard.path("bin").join(name)), "cc is not installed");
    }
    guard
}

fn configure(guard: &Guard, text: &str) {
    let directory = guard.path("home/.config/rampart");
    fs::create_dir_all(&directory).unwrap();
    fs::write(directory.join("webhook.yaml"), text).unwrap();
}

/// Runs the program `name` by a shell: whether it ran, and what was said.
fn ran(guard: &Guard, mut command: Command, name: &str) -> (bool, String) {
    let _ = fs::remove_file(guard.path("mark"));
    let ran = run(command.args(["-c", &format!("true; {name} mark; true")]), "");
    (guard.path("mark").exists(), ran.stderr)
}

/// On whose word the last program went ahead or did not.
fn by(guard: &Guard) -> String {
    let events = guard.events();
    let asked = events.iter().rfind(|event| event["action"] == "webhook").unwrap();
    let word = asked["answered_by"].as_str().unwrap_or_default();
    word.split(' ').next().unwrap_or_default().to_owned()
}

#[test]
fn only_a_yes_to_this_question_is_one() {
    let mut service = None;
    let cases = [
        ("good", true, "webhook", ""),
        ("bare", true, "webhook", ""),
        ("flaky", true, "webhook", ""),
        ("open", true, "webhook-fail-open", ""),
        ("deny", false, "webhook", r"(the service: not today\x1b[31m)"),
        ("undecided", false, "webhook-failed", "(the service: hm)"),
        ("slow", false, "webhook-failed", "in time"),
        ("broken", false, "webhook-failed", "status 500"),
        ("truncated", false, "webhook-failed", "the service: it"),
        ("type", false, "webhook-failed", "text/plain"),
        ("html", false, "webhook-failed", "text/html"),
        ("nonce", false, "webhook-failed", "another question"),
        ("two", false, "webhook-failed", "one JSON object"),
        ("huge", false, "webhook-failed", "64 KiB"),
        ("redirect", false, "webhook-failed", "status 307"),
    ];
    let names = cases.map(|(name, ..)| name);
    let guard = guard(&names, |guard| {
        let service = service.insert(Service::start(guard, ""));
        format!("http://127.0.0.1:{}", service.port)
    });
    let evaluator = Evaluator::start(&guard);
    for (name, runs, word, said) in cases {
        guard.forget();
        let (did_run, stderr) = ran(&guard, evaluator.inside("/bin/sh"), name);
        assert_eq!(did_run, runs, "{name}: {stderr}");
        assert_eq!(by(&guard), word, "{name}: {stderr}");
        assert!(stderr.contains(said) && stderr.is_empty() == runs, "{name}: {stderr}");
    }
    let asked = Service::questions(&guard);
    let count = |name: &str| asked.iter().filter(|one| one["path"] == name).count();
    // One call is one question, however many processes it makes; only what may pass is tried again.
    for (name, tries) in
        [("good", 1), ("deny", 1), ("flaky", 3), ("broken", 3), ("two", 1), ("undecided", 1)]
    {
        assert_eq!(count(name), tries, "{name}");
    }
    assert_eq!(count("elsewhere"), 0, "a redirect was followed");
    let good = &asked[0]["asked"];
    for (name, value) in [("tool", "exec"), ("policy", "test"), ("rule", "good")] {
        assert_eq!(good[name], value, "{good}");
    }
    assert_eq!(good["params"]["command"], "/bin/sh -c 'true; good mark; true'", "{good}");
    let time = good["timestamp"].as_str().unwrap();
    assert!(time.ends_with('Z') && time.contains('T'), "RFC 3339: {time}");
    // It is told nothing secret.
    let secret = "true; good mark --token hunter2hunter2";
    let _ = run(evaluator.inside("/bin/sh").args(["-c", secret]), "");
    let last = Service::questions(&guard).pop().unwrap().to_string();
    assert!(last.contains("[masked]") && !last.contains("hunter2"), "{last}");
    assert!(evaluator.pending().is_empty(), "a person was asked");
}

/// Where nobody answers in time, it is as for a rule that asks a person.
#[test]
fn a_service_may_want_a_person_to_say_it() {
    let mut service = None;
    let guard = guard(&["person"], |guard| {
        let service = service.insert(Service::start(guard, ""));
        format!("http://127.0.0.1:{}", service.port)
    });
    let evaluator = Evaluator::start(&guard);
    for (verb, runs, word) in [("approve", true, "approver"), ("deny", false, "approver")] {
        guard.forget();
        let _ = fs::remove_file(guard.path("mark"));
        let mut command = evaluator.inside("/bin/sh");
        command.args(["-c", "true; person mark; true"]);
        let ran = evaluator.while_running((command, ""), || {
            let pending = evaluator.wait_for(1);
            let message = pending[0]["message"].as_str().unwrap();
            assert_eq!(message, "think (the service wants a person to decide: hm)");
            assert!(!guard.path("mark").exists());
            assert_eq!(evaluator.say(&[verb, pending[0]["id"].as_str().unwrap()]).status, 0);
        });
        assert_eq!((guard.path("mark").exists(), by(&guard)), (runs, word.to_owned()), "{ran:?}");
    }
    let mut command = evaluator.inside("/bin/sh");
    command.args(["-c", "true; person mark again; true"]).env("RAMPART_ASK_TIMEOUT", "1");
    let ran = run(&mut command, "");
    assert_eq!((ran.stderr.contains("denied"), by(&guard)), (true, "expired".to_owned()));
}

#[test]
fn without_an_evaluator_the_fail_mode_holds() {
    let guard = guard(&["good"], |_| "http://127.0.0.1:1".to_owned());
    let evaluator = Evaluator::without_daemon(&guard);
    let (did_run, stderr) = ran(&guard, evaluator.inside("/bin/sh"), "good");
    assert!(!did_run && stderr.contains("none can be asked here"), "{stderr}");
    assert_eq!(by(&guard), "on_no_approver");
    let mut open = evaluator.inside("/bin/sh");
    open.env("RAMPART_FAIL_OPEN", "1");
    let (did_run, stderr) = ran(&guard, open, "good");
    assert!(did_run, "{stderr}");
    assert_eq!(by(&guard), "fail-open");
}

#[test]
fn run_asks_the_service_itself_over_tls_with_a_signature() {
    let (Some(openssl), Some(_)) = (find("openssl"), find("python3")) else {
        return println!("skipped: openssl or python3 is not installed");
    };
    let mut service = None;
    let guard = guard(&["good", "bare"], |guard| {
        let both = guard.path("both.pem").display().to_string();
        let made = Command::new(openssl)
            .args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"])
            .args(["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"])
            .args(["-addext", "basicConstraints=critical,CA:FALSE"])
            .args(["-keyout", &both, "-out"])
            .arg(guard.path("ca.pem"))
            .output()
            .unwrap();
        assert!(made.status.success(), "{made:?}");
        let certificate = fs::read(guard.path("ca.pem")).unwrap();
        fs::write(&both, [fs::read(&both).unwrap(), certificate].concat()).unwrap();
        let service = service.insert(Service::start(guard, &both));
        format!("https://localhost:{}", service.port)
    });
    let key = guard.path("key");
    fs::write(&key, Service::KEY).unwrap();
    fs::set_permissions(&key, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let hosted = |name| {
        let mut command = guard.bare(rampart());
        command.env("RAMPART_AUDIT_DIR", guard.audit());
        command.arg("run").arg("--policy").arg(guard.image()).args(["--", "/bin/sh"]);
        ran(&guard, command, name)
    };
    // Nobody whom this machine believes vouches for it.
    let (did_run, stderr) = hosted("good");
    assert!(!did_run && stderr.contains("gave no answer"), "{stderr}");
    let ca = guard.path("ca.pem").display().to_string();
    configure(&guard, &format!("ca: {ca}\nkey: {}\n", key.display()));
    let (did_run, stderr) = hosted("good");
    assert!(did_run, "{stderr}");
    let asked = Service::questions(&guard);
    assert_eq!((asked.len(), &asked[0]["signed"]), (1, &Value::Bool(true)));
    // Who has the key must repeat what the question was bound to.
    let (did_run, stderr) = hosted("bare");
    assert!(!did_run && stderr.contains("lacks `id`"), "{stderr}");
    // What cannot be used as configured allows nothing.
    fs::write(&key, "short").unwrap();
    let (did_run, stderr) = hosted("good");
    assert!(!did_run && stderr.contains("32 bytes"), "{stderr}");
}
