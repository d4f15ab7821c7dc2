//! Rules that ask a service about what a running program does itself: the service is a real one, and
//! what it answers, or that it does not, decides.

use std::fs;
use std::process::Command;

use serde_json::Value;
use tests::{Evaluator, Service, find, rampart, run};

use crate::place::{CONTENT, Place};

/// How the service answers each file of the vault, whether it may be read, on whose word, and what is said.
const ROWS: &[(&str, bool, &str, &str)] = &[
    ("good", true, "webhook", ""),
    ("bare", true, "webhook", ""),
    ("flaky", true, "webhook", ""),
    ("open", true, "webhook-fail-open", ""),
    ("deny", false, "webhook", r"(the service: not today\x1b[31m)"),
    ("undecided", false, "webhook-failed", "(the service: hm)"),
    ("slow", false, "webhook-failed", "in time"),
    ("broken", false, "webhook-failed", "status 500"),
    ("nonce", false, "webhook-failed", "another question"),
    ("redirect", false, "webhook-failed", "status 307"),
];

/// A place whose files each have a rule by their name that asks the service of that name.
fn place(names: &[&str], base: impl FnOnce(&Place) -> String) -> Place {
    let place = Place::under("");
    let base = base(&place);
    let rule = |name: &&str| {
        let more = if *name == "open" { ", fail_open: true" } else { "" };
        let timeout = if *name == "slow" { "300ms" } else { "20s" };
        format!(
            "      - {{name: {name}, action: webhook, when: {{path_matches: ['**/vault/{name}']}}, message: think, \
             webhook: {{url: '{base}/{name}', timeout: {timeout}{more}}}}}\n"
        )
    };
    let rules: String = names.iter().map(rule).collect();
    let policy = format!(
        "default_action: allow\npolicies:\n  - name: test\n    match: {{tool: [read, write, delete], by: program}}\n    rules:\n{rules}"
    );
    fs::write(place.guard.image(), tests::compile(&policy)).unwrap();
    for name in names {
        fs::write(place.guard.path("vault").join(name), CONTENT).unwrap();
    }
    place
}

/// The same, with the service.
fn served(names: &[&str]) -> (Place, Service) {
    let mut service = None;
    let place = place(names, |place| {
        let service = service.insert(Service::start(&place.guard, ""));
        format!("http://127.0.0.1:{}", service.port)
    });
    (place, service.unwrap())
}

/// Reads a file of the vault: whether that went, and what was said.
fn reads(place: &Place, mut command: Command, name: &str) -> (bool, String) {
    let ran = run(command.arg(place.guard.path("vault").join(name)), "");
    (ran.stdout == CONTENT, ran.stderr)
}

/// On whose word the last call went ahead or did not.
fn by(place: &Place) -> String {
    let events = place.guard.events();
    let asked = events.iter().rfind(|event| event["action"] == "webhook").unwrap();
    assert_eq!(asked["tool"], "read", "{asked}");
    let word = asked["answered_by"].as_str().unwrap_or_default();
    word.split(' ').next().unwrap_or_default().to_owned()
}

#[test]
fn only_a_yes_to_this_question_is_one() {
    let names: Vec<&str> = ROWS.iter().map(|(name, ..)| *name).collect();
    let (place, _service) = served(&names);
    let evaluator = Evaluator::start(&place.guard);
    for (name, may, word, said) in ROWS {
        place.guard.forget();
        let (is_read, stderr) = reads(&place, evaluator.inside("cat"), name);
        assert_eq!(is_read, *may, "{name}: {stderr}");
        assert_eq!(by(&place), *word, "{name}: {stderr}");
        let denied = stderr.lines().any(|line| line.starts_with("rampart: denied: open("));
        assert!(stderr.contains(said) && denied != *may, "{name}: {stderr}");
        assert_eq!(stderr.is_empty(), *may, "{name}: {stderr}");
    }
    let asked = Service::questions(&place.guard);
    let count = |name: &str| asked.iter().filter(|one| one["path"] == name).count();
    // One call is one question; only what may pass is tried again.
    for (name, tries) in [("good", 1), ("deny", 1), ("flaky", 3), ("broken", 3), ("undecided", 1)] {
        assert_eq!(count(name), tries, "{name}");
    }
    assert_eq!(count("elsewhere"), 0, "a redirect was followed");
    let good = &asked[0]["asked"];
    for (name, value) in [("tool", "read"), ("policy", "test"), ("rule", "good")] {
        assert_eq!(good[name], value, "{good}");
    }
    let cat = find("cat").unwrap();
    let command =
        format!("read {}/good (open in {})", place.guard.path("vault").display(), cat.display());
    assert_eq!(good["params"]["command"], command, "{good}");
    assert!(evaluator.pending().is_empty(), "a person was asked");
}

/// Each function, and a yes that goes as far as a person's: for the process that asked, as often as it does
/// the same.
#[test]
fn every_tool_asks_and_a_yes_is_for_one_process() {
    let (place, _service) = served(&["good", "deny"]);
    let evaluator = Evaluator::start(&place.guard);
    let script = "import os
for _ in range(5): open('@V/good').close()
open('@V/good', 'a').close(); os.chmod('@V/good', 0o600); print('written')
for act in (lambda: open('@V/deny'), lambda: open('@V/deny', 'w'), lambda: os.remove('@V/deny')):
    try: act()
    except PermissionError: print('refused')
os.remove('@V/good'); print('gone')
";
    let mut command = evaluator.inside("python3");
    let ran = run(command.args(["-c", &place.filled(script)]), "");
    assert_eq!(ran.stdout, "written\nrefused\nrefused\nrefused\ngone\n", "{ran:?}");
    let vault = place.guard.path("vault");
    assert!(!vault.join("good").exists() && vault.join("deny").exists());
    let asked = Service::questions(&place.guard);
    let tools = |name: &str| -> Vec<String> {
        let of = asked.iter().filter(|one| one["path"] == name);
        of.map(|one| one["asked"]["tool"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(tools("good"), ["read", "write", "delete"], "{asked:?}");
    assert_eq!(tools("deny"), ["read", "write", "delete"], "{asked:?}");
}

#[test]
fn a_service_may_want_a_person_to_say_it() {
    let (place, _service) = served(&["person"]);
    let evaluator = Evaluator::start(&place.guard);
    let path = place.guard.path("vault/person");
    for (verb, may) in [("approve", true), ("deny", false)] {
        place.guard.forget();
        let mut command = evaluator.inside("cat");
        command.arg(&path);
        let ran = evaluator.while_running((command, ""), || {
            let pending = evaluator.wait_for(1);
            let message = pending[0]["message"].as_str().unwrap();
            assert_eq!(message, "think (the service wants a person to decide: hm)");
            assert_eq!(evaluator.say(&[verb, pending[0]["id"].as_str().unwrap()]).status, 0);
        });
        assert_eq!((ran.stdout == CONTENT, by(&place).as_str()), (may, "approver"), "{ran:?}");
    }
    // From another directory it is another question.
    let mut command = evaluator.inside("cat");
    command.env("RAMPART_ASK_TIMEOUT", "1").current_dir(place.guard.path("open"));
    let (is_read, stderr) = reads(&place, command, "person");
    assert_eq!((is_read, by(&place)), (false, "expired".to_owned()), "{stderr}");
}

/// If the tree has another policy than the evaluator, a person is asked after a yes.
#[test]
fn a_yes_to_another_policy_is_not_enough() {
    let (place, _service) = served(&["good"]);
    let evaluator = Evaluator::start(&place.guard);
    let other = place.guard.path("other.img");
    let text = "default_action: allow\non_no_approver: deny\npolicies:
  - name: test
    match: {tool: [read], by: program}
    rules: [{name: good, action: ask, when: {path_matches: ['**/vault/good']}}]
";
    fs::write(&other, tests::compile(text)).unwrap();
    let mut command = evaluator.inside("cat");
    command.env("RAMPART_IMAGE", &other).arg(place.guard.path("vault/good"));
    let ran = evaluator.while_running((command, ""), || {
        let pending = evaluator.wait_for(1);
        assert_eq!(evaluator.say(&["approve", pending[0]["id"].as_str().unwrap()]).status, 0);
    });
    assert_eq!(ran.stdout, CONTENT, "{ran:?}");
    assert_eq!(Service::questions(&place.guard).len(), 1);
}

#[test]
fn without_an_evaluator_the_fail_mode_holds() {
    let place = place(&["good"], |_| "http://127.0.0.1:1".to_owned());
    let evaluator = Evaluator::without_daemon(&place.guard);
    let (is_read, stderr) = reads(&place, evaluator.inside("cat"), "good");
    assert!(!is_read && stderr.contains("none can be asked here"), "{stderr}");
    assert_eq!(by(&place), "on_no_approver");
    place.guard.forget();
    let mut open = evaluator.inside("cat");
    open.env("RAMPART_FAIL_OPEN", "1");
    let (is_read, stderr) = reads(&place, open, "good");
    assert!(is_read, "{stderr}");
    assert_eq!(by(&place), "fail-open");
}

/// Nobody listens where the service should be: closed by default, open where the rule says so.
#[test]
fn run_asks_it_itself() {
    let (place, service) = served(&["good", "deny", "open"]);
    let hosted = || {
        let mut command = place.guard.bare(rampart());
        command.env("RAMPART_AUDIT_DIR", place.guard.audit());
        command.args(["run", "--policy"]).arg(place.guard.image()).args(["--", "cat"]);
        command
    };
    for (name, may) in [("good", true), ("deny", false), ("open", true)] {
        let (is_read, stderr) = reads(&place, hosted(), name);
        assert_eq!(is_read, may, "{name}: {stderr}");
    }
    drop(service);
    for (name, may) in [("good", false), ("open", true)] {
        let (is_read, stderr) = reads(&place, hosted(), name);
        assert_eq!(is_read, may, "{name}: {stderr}");
    }
    let events: Vec<Value> = place.guard.events();
    assert!(events.iter().any(|event| event["answered_by"] == "webhook-failed"), "{events:?}");
}
