//! Rules that count: what no process knows of itself, the evaluator does. One count a call, however
//! many processes that makes.

use tests::{Evaluator, Guard, LibC, find, probe, run};

fn guard(action: &str) -> Guard {
    let policy = format!(
        "
version: '1'
default_action: allow
policies:
  - name: test
    rules:
      - name: often
        action: {action}
        when: {{program: [careful], call_count: {{gte: 3, window: 1h}}}}
        message: that was often enough
"
    );
    let guard = Guard::new(&policy);
    assert!(probe("mark", LibC::Glibc, &guard.path("bin/careful")), "cc is not installed");
    guard
}

/// Ways to run `careful mark` as one call: a name, an interpreter and what it is given.
const WAYS: [(&str, &[&str], &str); 5] = [
    ("a shell", &["sh"], "true; careful mark; true"),
    ("a shell in a shell", &["sh"], "sh -c 'careful mark; true'; true"),
    ("system", &["python3", "-"], "import os; os.system('careful mark; :')"),
    ("posix_spawn", &["python3", "-"], "import subprocess as s; s.run(['careful', 'mark'])"),
    ("a static shell's child", &["busybox", "sh"], "true; careful mark; true"),
];

#[test]
fn a_call_counts_once_however_it_is_made() {
    let guard = guard("deny");
    let mut evaluator = Evaluator::start(&guard);
    for (name, words, input) in WAYS {
        let Some(program) = find(words[0]) else {
            println!("skipped: {} is not installed", words[0]);
            continue;
        };
        evaluator.restart();
        for round in 1..=4 {
            let _ = std::fs::remove_file(guard.path("mark"));
            guard.forget();
            let mut command = evaluator.inside(&program);
            let ran = run(command.args(&words[1..]), input);
            let is_stopped = round >= 3;
            assert_eq!(guard.path("mark").exists(), !is_stopped, "{name}, {round}: {ran:?}");
            let denials = ran.stderr.matches("[test/often]").count();
            assert_eq!(denials, usize::from(is_stopped), "{name}, {round}: {ran:?}");
            let content = std::fs::read_to_string(guard.path("mark")).unwrap_or_default();
            assert_eq!(content, if is_stopped { "" } else { "mark\n" }, "{name}: it ran twice");
        }
    }
}

#[test]
fn sessions_count_apart() {
    let guard = guard("deny");
    let evaluator = Evaluator::start(&guard);
    for (session, statuses) in [("one", [7, 7, 126]), ("two", [7, 7, 126])] {
        for status in statuses {
            let mut command = evaluator.inside("/bin/sh");
            command.env("RAMPART_SESSION", session);
            let ran = run(&mut command, "true; careful mark; echo $?");
            assert!(ran.stdout.ends_with(&format!("{status}\n")), "{session}: {ran:?}");
        }
    }
}

#[test]
fn a_person_is_asked_from_the_third_on() {
    let guard = guard("ask");
    let evaluator = Evaluator::start(&guard);
    for round in 1..=3 {
        let _ = std::fs::remove_file(guard.path("mark"));
        let ran =
            evaluator.while_running((evaluator.inside("/bin/sh"), "true; careful mark; :"), || {
                if round == 3 {
                    let pending = evaluator.wait_for(1);
                    assert_eq!(pending[0]["rule"], "test/often");
                    assert_eq!(evaluator.say(&["approve", &crate::id(&pending[0])]).status, 0);
                }
            });
        assert!(guard.path("mark").exists(), "{round}: {ran:?}");
        assert!(evaluator.pending().is_empty(), "{round}");
    }
}

#[test]
fn where_nobody_counts_the_rule_holds() {
    for (action, line) in [("deny", "[test/often]"), ("ask", "nobody can be asked here")] {
        let guard = guard(action);
        let evaluator = Evaluator::without_daemon(&guard);
        let ran = run(&mut evaluator.inside("/bin/sh"), "true; careful mark; echo $?");
        assert_eq!(ran.stdout, "126\n", "{action}: {ran:?}");
        assert!(ran.stderr.contains(line), "{action}: {ran:?}");
    }
}

#[test]
fn a_tree_of_its_own_counts_for_itself() {
    let guard = guard("deny");
    let evaluator = Evaluator::without_daemon(&guard);
    let mut command = evaluator.outside(tests::rampart());
    command.arg("run").arg("--policy").arg(guard.image()).args(["--", "sh"]);
    let ran = run(&mut command, "for i in 1 2 3 4; do careful mark; echo $?; done");
    assert_eq!(ran.stdout, "ran\n7\nran\n7\n126\n126\n", "{ran:?}");
}
