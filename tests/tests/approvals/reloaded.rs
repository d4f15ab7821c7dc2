//! The policy changes while the evaluator runs, and with it what running trees may do.

use std::fs;
use std::process::{Child, Stdio};

use tests::{Evaluator, compile, run};

use crate::clients::{ALLOW, DENY, verdict};
use crate::{guard, id, policy};

/// A process that ends with this value.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn replace(path: &std::path::Path, content: &[u8]) {
    let new = path.with_extension("new");
    fs::write(&new, content).unwrap();
    fs::rename(new, path).unwrap();
}

#[test]
fn a_changed_policy_is_in_force_and_a_broken_one_never() {
    let guard = guard("");
    let evaluator = Evaluator::start(&guard);
    let path = evaluator.socket();
    let log = || fs::read_to_string(guard.path("serve.log")).unwrap();
    assert_eq!(verdict(&path, "other"), ALLOW);
    let stricter = policy("").replace("[forbidden]", "[forbidden, other]");
    replace(&guard.image(), &compile(&stricter));
    evaluator.wait("the new policy", || (verdict(&path, "other") == DENY).then_some(()));
    // Half of an image.
    let image = compile(&policy(""));
    replace(&guard.image(), &image[..image.len() / 2]);
    evaluator.wait("the refusal", || log().contains("stays in force as it was").then_some(()));
    assert_eq!(verdict(&path, "other"), DENY);
    replace(&guard.image(), &image);
    evaluator.wait("the first policy", || (verdict(&path, "other") == ALLOW).then_some(()));
}

#[test]
fn running_trees_take_what_is_put_into_the_directory() {
    let guard = guard("");
    let evaluator = Evaluator::without_daemon(&guard);
    let directory = guard.path("home/.config/rampart/policy.d");
    let errors = fs::File::create(guard.path("serve.log")).unwrap();
    let mut daemon = evaluator.outside(tests::rampart());
    let _daemon = Killed(daemon.arg("serve").stderr(errors).spawn().unwrap());
    evaluator.wait("the daemon", || evaluator.socket().exists().then_some(()));
    // A tree that tries again and again until it may not.
    let mut tree = evaluator.outside(tests::rampart());
    tree.args(["run", "--", "sh", "-c", "while careful mark; [ $? = 7 ]; do sleep 0.05; done"]);
    tree.env("RAMPART_AUDIT_DIR", guard.audit()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut tree = Killed(tree.spawn().unwrap());
    evaluator.wait("the tree to run it", || guard.path("mark").exists().then_some(()));
    let rules = "version: '1'\npolicies:\n  - name: mine\n    rules:\n      - name: no\n        \
                 action: deny\n        when: {program: [careful]}\n";
    // A mistake first: said, and nothing changes.
    fs::create_dir_all(&directory).unwrap();
    fs::write(directory.join("a.yaml"), rules.replace("action", "acton")).unwrap();
    let log = || fs::read_to_string(guard.path("serve.log")).unwrap();
    evaluator.wait("the diagnostics", || log().contains("acton").then_some(()));
    assert!(tree.0.try_wait().unwrap().is_none(), "{}", log());
    fs::write(directory.join("a.yaml"), rules).unwrap();
    evaluator.wait("the tree to end", || tree.0.try_wait().unwrap());
    let denied = guard.events().into_iter().find(|event| event["outcome"] == "denied");
    assert_eq!(denied.expect("a denial")["rule"], "no");
    let ran = run(evaluator.outside(tests::rampart()).args(["run", "careful", "mark"]), "");
    assert_eq!(ran.status, 126, "{ran:?}");
}

#[test]
fn always_is_a_rule_of_the_user() {
    let guard = guard("");
    let evaluator = Evaluator::without_daemon(&guard);
    let directory = guard.path("home/.config/rampart/policy.d");
    fs::create_dir_all(&directory).unwrap();
    fs::write(directory.join("test.yaml"), policy("")).unwrap();
    let tree = || {
        let mut tree = evaluator.outside(tests::rampart());
        tree.args(["run", "--", "sh"]).env("RAMPART_AUDIT_DIR", guard.audit());
        tree.env("RAMPART_ASK_TIMEOUT", "30");
        tree
    };
    let ran = evaluator.while_running((tree(), "careful mark; echo $?"), || {
        let pending = evaluator.wait_for(1);
        let said = evaluator.say(&["approve", &id(&pending[0]), "--always"]);
        assert_eq!(said.status, 0, "{said:?}");
    });
    assert_eq!(ran.stdout, "ran\n7\n", "{ran:?}");
    let kept = fs::read_to_string(directory.join("user-overrides.yaml")).unwrap();
    assert!(kept.contains(r#"{rule: "test/think", command: ["careful","mark"]}"#), "{kept}");
    // Nobody is asked any more about this, and still about everything else.
    let mut again = tree();
    again.env("RAMPART_ASK_TIMEOUT", "1");
    let ran = run(&mut again, "careful mark; echo $?; careful other; echo $?");
    assert_eq!(ran.stdout, "ran\n7\n126\n", "{ran:?}");
}
