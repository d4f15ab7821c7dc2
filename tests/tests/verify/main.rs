//! Why this exists: verification is worth something only if a program is held by the library, waits for a
//! service that has read what it would do, and then runs or does not, whatever happens to the daemon and the
//! service in between. All of it real processes: an agent under the library, the evaluator, `rampart verify
//! serve` at a Unix socket, and a person.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test code: a case that cannot be set up fails the test, naming it"
)]

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use tests::{Evaluator, Guard, Ran, find, rampart, run};

/// The guard lies below `/tmp`, where anybody may remove what is theirs.
const RULES: &str = "rules: [{effects: [deletes], on: ['**/victim'], decision: deny}]\n";

/// `rampart verify serve`; it ends with this value.
struct Verifier(Child);

impl Verifier {
    fn start(guard: &Guard, config: &str) -> Self {
        let file = guard.path("verify.yaml");
        fs::write(&file, config).unwrap();
        let mut command = guard.bare(rampart());
        command.args(["verify", "serve", "--config"]).arg(file).arg("--listen").arg(place(guard));
        let mut child =
            command.env("RAMPART_AUDIT_DIR", guard.audit()).stderr(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stderr.take().unwrap()).read_line(&mut line).unwrap();
        assert!(line.contains("listening"), "{line}");
        Self(child)
    }
}

impl Drop for Verifier {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn place(guard: &Guard) -> String {
    format!("unix:{}", guard.path("verify.sock").display())
}

/// A guard whose policy has Python verified.
fn guard(more: &str) -> Guard {
    let guard = Guard::new("");
    let policy = format!(
        "default_action: allow\npolicies:\n  - name: test\n    rules:\n      - {{name: verify, action: webhook, \
         when: {{program: ['python3*']}}, webhook: {{url: '{}', timeout: 10s{more}}}}}\n",
        place(&guard)
    );
    fs::write(guard.image(), tests::compile(&policy)).unwrap();
    fs::create_dir_all(guard.path("work")).unwrap();
    guard
}

/// An agent's shell, in a directory of its own, runs this text of Python.
fn agent(guard: &Guard, evaluator: &Evaluator<'_>, code: &str) -> Command {
    let mut command = evaluator.inside("/bin/sh");
    let python = find("python3").unwrap();
    command.current_dir(guard.path("work"));
    command.args(["-c", "true; \"$0\" -c \"$1\"; true"]).arg(python).arg(code);
    command
}

/// A file outside of the agent's directory, which is there again.
fn victim(guard: &Guard) -> PathBuf {
    let path = guard.path("victim");
    fs::write(&path, "x").unwrap();
    path
}

fn ended(guard: &Guard, evaluator: &Evaluator<'_>, code: &str) -> Ran {
    guard.forget();
    run(&mut agent(guard, evaluator, code), "")
}

/// On whose word the last held program went ahead or did not.
fn by(guard: &Guard) -> String {
    let events = guard.events();
    let held = events.iter().rfind(|event| event["action"] == "webhook").expect("it was held");
    held["answered_by"]
        .as_str()
        .unwrap_or_default()
        .split(' ')
        .next()
        .unwrap_or_default()
        .to_owned()
}

#[test]
fn python_is_held_verified_and_allowed_or_denied() {
    if find("python3").is_none() {
        return println!("skipped: python3 is not installed");
    }
    let guard = guard("");
    let mut evaluator = Evaluator::start(&guard);
    let mut verifier = Some(Verifier::start(&guard, RULES));
    let harmless = "print('it' + ' ran')";
    let victim = victim(&guard);
    // Where a line breaks is part of what is read: the first line alone is harmless.
    let harmful = format!("import os\nos.remove('{}')", victim.display());
    for round in 0..3 {
        let ran = ended(&guard, &evaluator, harmless);
        assert_eq!((ran.stdout.trim(), ran.stderr.as_str()), ("it ran", ""), "{round}");
        assert_eq!(by(&guard), "webhook", "{round}");
        let ran = ended(&guard, &evaluator, &harmful);
        assert!(victim.exists(), "{round}: {ran:?}");
        assert!(ran.stderr.contains("it deletes: "), "{round}: {ran:?}");
        assert_eq!(by(&guard), "webhook", "{round}");
        match round {
            0 => {
                // Without the service there is no answer, and the rule says what that is.
                drop(verifier.take());
                let ran = ended(&guard, &evaluator, harmless);
                assert!(
                    !ran.stdout.contains("it ran") && by(&guard) == "webhook-failed",
                    "{ran:?}"
                );
                verifier = Some(Verifier::start(&guard, RULES));
            }
            1 => {
                // Without the daemon nobody asks.
                evaluator.kill();
                let ran = ended(&guard, &evaluator, harmless);
                assert!(
                    !ran.stdout.contains("it ran") && by(&guard) == "on_no_approver",
                    "{ran:?}"
                );
                evaluator.restart();
            }
            _ => {}
        }
    }
}

#[test]
fn a_person_answers_what_the_service_asks_about() {
    if find("python3").is_none() {
        return println!("skipped: python3 is not installed");
    }
    let guard = guard("");
    let evaluator = Evaluator::start(&guard);
    let _verifier = Verifier::start(&guard, RULES);
    let code = "import os; os.getpid(); print('it ran', eval(os.environ.get('CODE', '1')))";
    for (verb, runs) in [("approve", true), ("deny", false)] {
        guard.forget();
        let mut command = agent(&guard, &evaluator, code);
        command.env("CODE", verb.len().to_string());
        let ran = evaluator.while_running((command, ""), || {
            let pending = evaluator.wait_for(1);
            let message = pending[0]["message"].as_str().unwrap();
            assert!(message.contains("runs code that is not known here"), "{message}");
            assert_eq!(evaluator.say(&[verb, pending[0]["id"].as_str().unwrap()]).status, 0);
        });
        assert_eq!(
            (ran.stdout.contains("it ran"), by(&guard).as_str()),
            (runs, "approver"),
            "{ran:?}"
        );
    }
}

/// The service being gone is no answer: only a rule that lets failures pass lets the program run.
#[test]
fn no_answer_is_what_the_rule_says() {
    if find("python3").is_none() {
        return println!("skipped: python3 is not installed");
    }
    let guard = guard(", fail_open: true");
    let evaluator = Evaluator::start(&guard);
    let ran = ended(&guard, &evaluator, "print('it ran')");
    assert!(ran.stdout.contains("it ran"), "{ran:?}");
    assert_eq!(by(&guard), "webhook-fail-open");
    // A model that cannot be reached is no answer either, and is said by the service itself.
    let model = "model: {provider: ollama, name: m, url: 'http://127.0.0.1:9', timeout: 1s}\n";
    let _verifier = Verifier::start(&guard, &format!("{RULES}{model}"));
    let ran = ended(&guard, &evaluator, "print('it ran', 2)");
    assert!(ran.stdout.contains("it ran") && by(&guard) == "webhook-fail-open", "{ran:?}");
    let victim = victim(&guard);
    let ran = ended(&guard, &evaluator, &format!("import os; os.remove('{}')", victim.display()));
    assert!(victim.exists() && by(&guard) == "webhook", "effects need no model: {ran:?}");
}
