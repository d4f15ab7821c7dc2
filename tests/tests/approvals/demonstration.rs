//! The demonstration in README.md, "One asked about": three processes, and what the log says of each ending.

use std::fs;

use serde_json::Value;
use tests::{Evaluator, Guard, Ran, run};

use crate::id;

/// The policy that README.md calls `team.yaml`.
const TEAM: &str = include_str!("../../demo/team.yaml");
const README: &str = include_str!("../../../README.md");

/// A guard with [`TEAM`] and `more` in it, and a `git` that leaves the file `pushed`.
fn team(more: &str) -> Guard {
    let guard = Guard::new(&format!("{TEAM}{more}"));
    let git = guard.path("bin/git");
    fs::write(&git, "#!/bin/sh\n: > pushed\n").unwrap();
    fs::set_permissions(&git, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    guard
}

/// The agent's command.
fn agent(evaluator: &Evaluator<'_>) -> std::process::Command {
    let mut command = evaluator.inside("/bin/sh");
    command.args(["-c", "cd . && git push -f"]);
    command
}

/// Whether the push ran, what the agent got, and what the log says about it. Forgets both.
fn ended(guard: &Guard, ran: &Ran) -> (bool, i32, String, String) {
    let events = guard.events();
    let text = |event: &Value, name: &str| event[name].as_str().unwrap_or_default().to_owned();
    let asked = events.iter().find(|event| event["rule"] == "force-push").expect("an event");
    let by = text(asked, "answered_by").split(' ').next().unwrap_or_default().to_owned();
    let did_run = guard.path("pushed").exists();
    let _ = fs::remove_file(guard.path("pushed"));
    guard.forget();
    (did_run, ran.status, text(asked, "outcome"), by)
}

#[test]
fn what_the_readme_shows_is_so() {
    let guard = team("");
    let mut evaluator = Evaluator::start(&guard);
    for (verb, expected) in [
        ("approve", (true, 0, "allowed", "approver")),
        ("deny", (false, 126, "denied", "approver")),
    ] {
        let ran = evaluator.while_running((agent(&evaluator), ""), || {
            let pending = evaluator.wait_for(1);
            assert_eq!(pending[0]["rule"], "releases/force-push", "{pending:?}");
            assert!(pending[0]["command"].as_str().unwrap().contains("git push -f"));
            assert_eq!(evaluator.say(&[verb, &id(&pending[0])]).status, 0);
        });
        let (did_run, status, outcome, by) = ended(&guard, &ran);
        assert_eq!((did_run, status, outcome.as_str(), by.as_str()), expected, "{verb}: {ran:?}");
    }
    // The daemon is stopped: denied, or as the policy says.
    evaluator.kill();
    let ran = run(&mut agent(&evaluator), "");
    let (did_run, status, outcome, by) = ended(&guard, &ran);
    assert_eq!((did_run, status, &*outcome, &*by), (false, 126, "denied", "on_no_approver"));
    assert!(ran.stderr.contains("nobody can be asked here"), "{ran:?}");
    let open = team("on_no_approver: allow\n");
    let ran = run(&mut agent(&Evaluator::without_daemon(&open)), "");
    let (did_run, status, outcome, by) = ended(&open, &ran);
    assert_eq!(
        (did_run, status, &*outcome, &*by),
        (true, 0, "allowed", "on_no_approver"),
        "{ran:?}"
    );
    // README.md says just this.
    for part in [
        "rampart serve --policy tests/demo/team.yaml",
        "[releases/force-push]  git push -f",
        "rampart approve",
        "rampart deny",
        "exits with 126",
        "on_no_approver: allow",
        "\"answered_by\":\"approver",
        "\"answered_by\":\"on_no_approver\"",
    ] {
        assert!(README.contains(part), "README.md does not say `{part}`");
    }
}
