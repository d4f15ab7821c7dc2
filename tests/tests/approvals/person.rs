//! A person answers.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use tests::{Evaluator, Guard, LibC, find, probe, run};

use crate::{answers, guard, id, policy};

/// Every way to start a program: an interpreter, its arguments, and what it reads from its standard
/// input, where no verdict about the interpreter itself sees it. Each is one question.
const WAYS: &[(&str, &[&str], &str)] = &[
    ("vfork in dash", &["dash"], "true; careful mark; true"),
    ("fork in bash", &["bash"], "true; careful mark; true"),
    ("exec in place", &["dash"], "exec careful mark"),
    ("through env", &["dash"], "env careful mark; true"),
    ("text that the shell was given", &["sh", "-c", "true; careful mark; true"], ""),
    ("system, three processes", &["python3", "-"], "import os; os.system('true; careful mark; :')"),
    ("popen", &["python3", "-"], "import os; print(os.popen('careful mark').read(), end='')"),
    ("vfork in Python", &["python3", "-"], "import subprocess as s; s.run(['careful', 'mark'])"),
    (
        "posix_spawn",
        &["python3", "-"],
        "import os; os.waitpid(os.posix_spawnp('careful', ['careful', 'mark'], os.environ), 0)",
    ),
    (
        "an empty environment",
        &["python3", "-"],
        "import subprocess as s, shutil; s.run([shutil.which('careful'), 'mark'], env={})",
    ),
    ("more arguments than fit into a frame", &["bash"], "careful mark $(seq 1 1000); true"),
    (
        "a descriptor",
        &["python3", "-"],
        "import os, shutil; f = os.open(shutil.which('careful'), os.O_RDONLY); \
         os.execve(f, ['careful', 'mark'], os.environ)",
    ),
    ("a function that no hook sees", &["python3", "-"], UNSEEN),
];

/// glibc's own `system`, called past the hook: only the self-check of the shell sees it.
const UNSEEN: &str = "import ctypes; ctypes.CDLL('libc.so.6').__libc_system(b'careful mark; :')";

/// The interpreter of one of [`WAYS`]; `None` if it is not installed.
fn interpreter(evaluator: &Evaluator<'_>, words: &[&str]) -> Option<Command> {
    let Some(program) = find(words[0]) else {
        println!("skipped: {} is not installed", words[0]);
        return None;
    };
    let mut command = evaluator.inside(program);
    command.args(&words[1..]);
    Some(command)
}

#[test]
fn one_question_however_it_is_started() {
    let guard = guard("");
    let evaluator = Evaluator::start(&guard);
    for (name, words, input) in WAYS {
        let Some(command) = interpreter(&evaluator, words) else { continue };
        let _ = std::fs::remove_file(guard.path("mark"));
        guard.forget();
        let ran = evaluator.while_running((command, input), || {
            let pending = evaluator.wait_for(1);
            assert!(!guard.path("mark").exists(), "{name}: it ran before it was approved");
            assert_eq!(pending[0]["rule"], "test/think", "{name}");
            assert!(pending[0]["command"].as_str().unwrap().contains("careful mark"), "{name}");
            let said = evaluator.say(&["approve", &id(&pending[0])]);
            assert_eq!(said.status, 0, "{name}: {said:?}");
        });
        assert!(guard.path("mark").exists(), "{name}: {ran:?}");
        assert_eq!(ran.stderr, "", "{name}");
        assert!(ran.stdout.contains("ran"), "{name}: {ran:?}");
        assert_eq!(evaluator.pending().len(), 0, "{name}: a second question");
        let answers = answers(&guard);
        let all_by_a_person =
            answers.iter().all(|(outcome, by)| outcome == "allowed" && by == "approver");
        assert!(!answers.is_empty() && all_by_a_person, "{name}: {answers:?}");
    }
}

/// A shell does not look into the scripts that it starts, and so neither does the question about it: what in them is
/// asked about is asked about when they start, and nothing else is.
#[test]
fn a_yes_to_a_script_is_one_to_what_is_free_in_it() {
    for (inner, questions) in [("echo free > free", 1), ("delicate inner", 2)] {
        let guard = Guard::new(&policy("").replace("[careful]", "[careful, delicate]"));
        for (name, text) in [("careful", inner), ("delicate", ":")] {
            let path = guard.path("bin").join(name);
            std::fs::write(&path, format!("#!/bin/sh\n{text}\n: > $1\n")).unwrap();
            std::fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
        }
        let evaluator = Evaluator::start(&guard);
        let mut command = evaluator.inside("/bin/sh");
        command.args(["-c", "cd . && careful mark"]);
        let ran = evaluator.while_running((command, ""), || {
            for _ in 0..questions {
                let pending = evaluator.wait_for(1);
                assert_eq!(evaluator.say(&["approve", &id(&pending[0])]).status, 0);
            }
        });
        assert_eq!((ran.status, guard.path("mark").exists()), (0, true), "{inner}: {ran:?}");
        assert_eq!(guard.path("inner").exists(), questions == 2, "{inner}: one question too many");
    }
}

#[test]
fn no_is_a_program_that_exits_with_126() {
    let guard = guard("");
    let evaluator = Evaluator::start(&guard);
    for (name, words, input) in WAYS {
        let Some(command) = interpreter(&evaluator, words) else { continue };
        guard.forget();
        let ran = evaluator.while_running((command, input), || {
            // The same command was just denied, unless this way spells it otherwise.
            evaluator.wait("a no", || {
                for approval in &evaluator.pending() {
                    let _ = evaluator.say(&["deny", &id(approval)]);
                }
                guard.events().iter().any(|event| event["outcome"] == "denied").then_some(())
            });
        });
        assert!(!guard.path("mark").exists(), "{name}: {ran:?}");
        let lines = ran.stderr.matches("rampart: denied: ").count();
        assert_eq!(lines, 1, "{name}: {ran:?}");
        assert!(ran.stderr.contains("said no"), "{name}: {ran:?}");
        let answers = answers(&guard);
        assert!(
            answers.contains(&("denied".to_owned(), "approver".to_owned())),
            "{name}: {answers:?}"
        );
    }
}

#[test]
fn static_programs_are_asked_about_too() {
    let guard = guard("");
    let evaluator = Evaluator::start(&guard);
    let target = guard.path("bin/careful");
    if !probe("mark", LibC::GlibcStatic, &target) {
        return println!("skipped: no static libc");
    }
    let command = evaluator.inside("/bin/sh");
    let ran = evaluator.while_running((command, "true; careful mark; true"), || {
        let pending = evaluator.wait_for(1);
        let _ = evaluator.say(&["approve", &id(&pending[0])]);
    });
    assert!(guard.path("mark").exists(), "{ran:?}");
    let answers = answers(&guard);
    assert!(answers.contains(&("unconfirmed".into(), "approver".into())), "{answers:?}");
}

#[test]
fn equal_commands_are_one_question() {
    let guard = guard("");
    let evaluator = Evaluator::start(&guard);
    let equal = evaluator.inside("/bin/dash");
    let input = "for i in 1 2 3 4 5; do careful mark & done; wait";
    let ran = evaluator.while_running((equal, input), || {
        let pending = evaluator.wait("five to wait for one answer", || {
            let pending = evaluator.pending();
            (pending.len() == 1 && pending[0]["waiting"] == 5).then_some(pending)
        });
        assert_eq!(evaluator.say(&["approve", &id(&pending[0]), "--once"]).status, 0);
    });
    assert_eq!(ran.stdout.matches("ran").count(), 5, "{ran:?}");
}

#[test]
fn once_is_once_and_for_is_for_a_while() {
    let guard = guard("");
    let evaluator = Evaluator::start(&guard);
    let ask = || {
        let mut command = evaluator.inside(guard.path("bin/careful"));
        command.arg("mark").env("RAMPART_ASK_TIMEOUT", "1");
        command
    };
    let once = evaluator.while_running((ask(), ""), || {
        let _ = evaluator.say(&["approve", &id(&evaluator.wait_for(1)[0])]);
    });
    assert_eq!(once.status, 7, "{once:?}");
    let again = run(&mut ask(), "");
    assert_eq!(again.status, 126, "{again:?}");
    assert!(again.stderr.contains("nobody answered in time"), "{again:?}");
    let long = evaluator.while_running((ask(), ""), || {
        let pending = evaluator.wait_for(1);
        let said = evaluator.say(&["approve", &id(&pending[0]), "--for", "1h"]);
        assert_eq!(said.status, 0, "{said:?}");
    });
    assert_eq!(long.status, 7, "{long:?}");
    for _ in 0..3 {
        assert_eq!(run(&mut ask(), "").status, 7);
    }
    // Bound to the arguments and to the directory.
    let mut other = ask();
    other.arg("more");
    assert_eq!(run(&mut other, "").status, 126);
    let mut elsewhere = ask();
    elsewhere.current_dir("/");
    assert_eq!(run(&mut elsewhere, "").status, 126);
    let id = evaluator.say(&["why", "--json"]).stdout;
    assert!(id.contains("\"state\":\"expired\""), "{id}");
}

#[test]
fn nobody_in_the_tree_gives_itself_the_answer() {
    let guard = guard("");
    let evaluator = Evaluator::start(&guard);
    let rampart = tests::rampart();
    let mut agent = evaluator.inside("/bin/sh");
    // The one that asks, and the ways in which the tree tries to answer it.
    let script = format!(
        "careful mark & while [ ! -e asked ]; do sleep 0.05; done; id=$(cat asked); \
         {0} approve $id; env -i {0} approve $id; \
         env -i XDG_RUNTIME_DIR=\"$XDG_RUNTIME_DIR\" {0} approve $id; \
         python3 -c 'import os, sys; os.environ.clear(); os.execv(sys.argv[1], sys.argv[1:])' \
         {0} approve $id; touch tried; wait",
        rampart.display()
    );
    agent.env("RAMPART_ASK_TIMEOUT", "600");
    let ran = evaluator.while_running((agent, &script), || {
        let pending = evaluator.wait_for(1);
        std::fs::write(guard.path("asked.new"), id(&pending[0])).unwrap();
        std::fs::rename(guard.path("asked.new"), guard.path("asked")).unwrap();
        evaluator.wait("the agent to try", || guard.path("tried").exists().then_some(()));
        assert_eq!(evaluator.pending().len(), 1, "it is still pending");
        assert!(!guard.path("mark").exists());
        // A child of the agent that has left its session is still its child.
        let said = evaluator.say(&["deny", &id(&pending[0])]);
        assert_eq!(said.status, 0, "{said:?}");
    });
    assert!(!guard.path("mark").exists(), "{ran:?}");
    let refusals = ran.stderr.matches("may not answer for others").count();
    assert!(refusals >= 2, "{ran:?}");
}

#[test]
fn what_is_denied_is_not_asked_about() {
    let guard = guard("");
    let evaluator = Evaluator::start(&guard);
    let mut command = evaluator.inside("/bin/sh");
    let ran = run(command.arg("-s"), "forbidden mark; sh -c 'true; forbidden mark; careful mark'");
    assert!(ran.stderr.contains("[test/no]"), "{ran:?}");
    assert_eq!(evaluator.pending().len(), 0);
}
