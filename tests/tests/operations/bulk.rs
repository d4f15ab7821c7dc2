//! Counts that span the processes of a tree: where an evaluator keeps them, it does not matter whether one
//! program removes many files or many programs one each.

use std::fs;

use tests::{Evaluator, Guard, run};

const N: usize = 10;

fn policy(action: &str) -> String {
    format!(
        "version: '1'\ndefault_action: allow\npolicies:
  - name: bulk
    match: {{tool: [delete], by: program}}
    rules:
      - name: many
        action: {action}
        message: So many files are not removed without a person.
        when: {{path_matches: ['**/many/**'], call_count: {{gte: {}, window: 1h}}}}
",
        N + 1
    )
}

/// A guard with a directory of 40 files.
fn guard(action: &str) -> Guard {
    let guard = Guard::new(&policy(action));
    fill(&guard);
    guard
}

fn fill(guard: &Guard) {
    fs::create_dir_all(guard.path("many")).unwrap();
    for number in 0..40 {
        fs::write(guard.path(&format!("many/{number}")), "").unwrap();
    }
}

fn left(guard: &Guard) -> usize {
    fs::read_dir(guard.path("many")).unwrap().count()
}

/// Ways to remove the files one by one.
const WAYS: &[(&str, &str)] = &[
    ("sh", "for f in many/*; do rm -f $f; done"),
    ("sh", "ls many | xargs -I@ rm -f many/@"),
    ("sh", "cd many && for f in *; do unlink $f; done"),
    ("sh", "rm -rf many"),
    ("sh", "for f in many/1* many/2* many/3*; do env -i $(command -v rm) -f $f; done; rm -rf many"),
    (
        "python3",
        "import os, subprocess\nfor n in os.listdir('many'): subprocess.call(['rm', '-f', 'many/' + n])",
    ),
    (
        "python3",
        "import os\nfor n in os.listdir('many'):\n  if os.fork() == 0:\n    os.unlink('many/' + n); os._exit(0)\n  os.wait()",
    ),
];

#[test]
fn a_removal_by_many_processes_is_stopped() {
    let guard = guard("deny");
    let evaluator = Evaluator::start(&guard);
    for (program, text) in WAYS {
        fill(&guard);
        let ran = run(evaluator.inside(program).args(["-c", text]), "");
        assert_eq!(left(&guard), 40 - N, "{text}: {ran:?}");
        assert!(ran.stderr.contains("[bulk/many] So many files"), "{text}: {ran:?}");
    }
}

#[test]
fn rampart_run_keeps_the_count_itself() {
    let guard = guard("deny");
    let evaluator = Evaluator::without_daemon(&guard);
    for round in ["a tree", "another, which begins at nothing"] {
        fill(&guard);
        let mut command = evaluator.outside(tests::rampart());
        command.arg("run").arg("--policy").arg(guard.image());
        let ran = run(command.args(["--", "sh", "-c", WAYS[0].1]), "");
        assert_eq!(left(&guard), 40 - N, "{round}: {ran:?}");
    }
}

/// Several at a time go over by less than a sixteenth part for each.
#[test]
fn processes_at_the_same_time() {
    let policy = policy("deny").replace(&format!("gte: {}", N + 1), "gte: 33");
    let guard = Guard::new(&policy);
    let evaluator = Evaluator::start(&guard);
    fs::create_dir_all(guard.path("many")).unwrap();
    for number in 0..200 {
        fs::write(guard.path(&format!("many/{number}")), "").unwrap();
    }
    let script = "import os
names = os.listdir('many')
for part in range(4):
    if os.fork() == 0:
        for name in names[part::4]:
            try: os.unlink('many/' + name)
            except OSError: pass
        os._exit(0)
for _ in range(4): os.wait()
";
    let ran = run(evaluator.inside("python3").args(["-c", script]), "");
    let gone = 200 - left(&guard);
    assert!((32..32 + 4 * 2).contains(&gone), "{gone}: {ran:?}");
}

/// Nobody keeps the tree's count: each process has its own, a listed gap.
#[test]
fn without_an_evaluator_each_process_counts() {
    let guard = guard("deny");
    let evaluator = Evaluator::without_daemon(&guard);
    let ran = run(evaluator.inside("sh").args(["-c", WAYS[0].1]), "");
    assert_eq!((left(&guard), ran.stderr.as_str()), (0, ""));
    fill(&guard);
    let ran = run(evaluator.inside("sh").args(["-c", "rm -rf many"]), "");
    assert_eq!(left(&guard), 40 - N, "{ran:?}");
}

/// A yes to a rule that counts is one to the rest of what the process does, not to one file.
#[test]
fn a_yes_is_for_the_rest() {
    let guard = guard("ask");
    let evaluator = Evaluator::start(&guard);
    let mut command = evaluator.inside("rm");
    command.args(["-rf", "many"]);
    let ran = evaluator.while_running((command, ""), || {
        let pending = evaluator.wait_for(1);
        assert_eq!(left(&guard), 40 - N, "it waits at the limit");
        let id = pending[0]["id"].as_str().unwrap();
        assert_eq!(evaluator.say(&["approve", id]).status, 0);
    });
    assert_eq!((ran.status, ran.stderr.as_str()), (0, ""));
    assert!(!guard.path("many").exists());
    assert!(evaluator.pending().is_empty());
}
