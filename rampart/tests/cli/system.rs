//! The system's layer, in `/etc/rampart`: tested in a mount namespace of its own, because no
//! variable and no option may lead anybody elsewhere.

use crate::support::{Ended, User, ended};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

/// `rampart` with the files in `etc` of the home over `/etc`.
fn under_etc(user: &User, arguments: &[&str]) -> Ended {
    under_etc_run(user, &[&[env!("CARGO_BIN_EXE_rampart")][..], arguments].concat())
}

/// The same for any program.
fn under_etc_run(user: &User, arguments: &[&str]) -> Ended {
    let mount = "mount -t overlay overlay -o \"lowerdir=$1:/etc\" /etc && shift && exec \"$@\"";
    // As root the owner of files can be anybody; without, the namespace maps us to root.
    let is_root = rustix::process::geteuid().is_root();
    let mut command = Command::new("unshare");
    command
        .arg(if is_root { "-m" } else { "-rm" })
        .args(["sh", "-c", mount, "sh"])
        .arg(user.path("etc"))
        .args(arguments)
        .current_dir(user.path(""))
        .env_clear()
        .env("HOME", user.path(""))
        .env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
    ended(&command.output().unwrap())
}

fn policy(name: &str, action: &str) -> String {
    format!(
        "policies: [{{name: {name}, rules: [{{action: {action}, when: {{program: x-{name}}}}}]}}]\n"
    )
}

const SYSTEM: &str = "etc/rampart/policy.d/site.yaml";

#[test]
fn layers_from_the_profile_to_the_project() {
    let user = User::new();
    user.write(SYSTEM, policy("site", "deny"));
    user.write(".config/rampart/policy.d/own.yaml", policy("own", "ask"));
    user.write(".rampart/policy.yaml", policy("project", "deny"));
    let found = under_etc(&user, &["policy", "show", "--json"]);
    assert_eq!(found.status, 0, "{}", found.stderr);
    let shown: serde_json::Value = serde_json::from_str(&found.stdout).unwrap();
    let layers = shown["layers"].as_array().unwrap();
    let levels: Vec<_> = layers.iter().map(|layer| layer["level"].as_str().unwrap()).collect();
    assert_eq!(levels, ["built-in", "system", "user", "project"]);
    for (program, status) in [("x-site", 1), ("x-own", 3), ("x-project", 1), ("x-none", 0)] {
        assert_eq!(under_etc(&user, &["check", "--", program]).status, status, "{program}");
    }
    // The user cannot do without it by having an empty configuration.
    fs::remove_dir_all(user.path(".config")).unwrap();
    assert_eq!(under_etc(&user, &["check", "--", "x-site"]).status, 1);
}

/// `--policy` and `--profile` stand in place of everything but the rules that the system locks.
#[test]
fn locked_rules_hold_under_any_policy() {
    let user = User::new();
    user.write(
        SYSTEM,
        "default_action: deny
on_unparseable: deny
lock: [site/never, site/late, destructive/*]
policies:
  - name: site
    rules:
      - {name: except, action: allow, when: {program: x-never, operand_matches: [fine]}}
      - {name: free, action: deny, when: {program: x-free}}
      - {name: never, action: deny, when: {program: x-never}}
      - {name: late, action: ask, when: {program: x-late}}
",
    );
    let open = "default_action: allow\non_unparseable: allow\ndisable: [site/never, site/*, destructive/*]\n";
    user.write("open.yaml", open);
    let compiled = user.rampart(&["policy", "compile", "-o", "open.img", "open.yaml"]);
    assert_eq!(compiled.status, 0, "{}", compiled.stderr);
    for choice in [
        &["--policy", "open.yaml"][..],
        &["--policy", "open.img"],
        &["--profile", "monitor"],
        &["--profile", "standard", "--pack", "git"],
    ] {
        for (shell, status) in [
            ("x-never", 1),
            ("echo $(x-never 1)", 1),
            ("x-late", 3),
            // Of the standard profile, which is not chosen here.
            ("rm -rf /", 1),
            // What the system does not lock, and its settings, do not hold.
            ("x-free", 0),
            ("x-never fine", 0),
            ("x-never fine; x-never", 1),
            ("x-none", 0),
        ] {
            let all = [&["check"][..], choice, &["--shell", shell]].concat();
            let found = under_etc(&user, &all);
            assert_eq!(
                found.status, status,
                "{choice:?} {shell}: {}{}",
                found.stdout, found.stderr
            );
        }
    }
    let shown = under_etc(&user, &["policy", "show", "--policy", "open.yaml"]);
    assert!(
        shown.stdout.contains("what /etc/rampart/policy.d locks of itself"),
        "{}",
        shown.stdout
    );
    // Entrances that load in their own way would be holes.
    let explained =
        under_etc(&user, &["policy", "explain", "--policy", "open.yaml", "--", "x-never"]);
    assert!(explained.stdout.contains("site/never"), "{}", explained.stdout);
    let corpus = "{\"id\":1,\"kind\":\"attack\",\"command\":\"x-never\"}\n";
    user.write("corpus.jsonl", corpus);
    let score = ["score", "--policy", "open.yaml", "corpus.jsonl"];
    assert!(
        under_etc(&user, &score).stdout.contains("100.0"),
        "{}",
        under_etc(&user, &score).stdout
    );
    // A mistake in the file leaves what it last locked in force, and nothing is an allow.
    user.write(SYSTEM, "lock: [\n");
    let found = under_etc(&user, &["check", "--policy", "open.yaml", "--", "x-never"]);
    assert_eq!(found.status, 1, "{}", found.stderr);
    assert!(found.stderr.contains("stays in force"), "{}", found.stderr);
}

/// A known gap: the variables at the root of a tree are its owner's word. Who sets `RAMPART_IMAGE`
/// there, or does without Rampart, is not under what the system locks.
#[test]
fn an_image_by_hand_goes_past_locked_rules() {
    let user = User::new();
    let lock = "lock: [site/never]\npolicies: [{name: site, rules: [{name: never, action: deny, when: {program: x-never}}]}]\n";
    user.write(SYSTEM, lock);
    user.write("open.yaml", "default_action: allow\n");
    let compiled = user.rampart(&["policy", "compile", "-o", "open.img", "open.yaml"]);
    assert_eq!(compiled.status, 0, "{}", compiled.stderr);
    let check = ["check", "--policy", "open.img", "--", "x-never"];
    assert_eq!(under_etc(&user, &check).status, 1);
    let image = user.path("open.img");
    let by_hand = |arguments: &[&str]| {
        let image = format!("RAMPART_IMAGE={}", image.display());
        let rampart = env!("CARGO_BIN_EXE_rampart");
        let all = [&["env", &image, rampart][..], arguments].concat();
        under_etc_run(&user, &all)
    };
    assert_eq!(by_hand(&["check", "--", "x-never"]).status, 0, "closed: say so in the documents");
    // A policy by name has them all the same.
    assert_eq!(by_hand(&check).status, 1);
}

#[test]
fn files_that_others_may_write_are_refused() {
    for (mode, owner, text) in [
        (0o646, None, "everybody may write to it"),
        (0o664, Some(12345), "others than root may write to it"),
        (0o644, Some(12345), "others than root may write to it"),
    ] {
        let user = User::new();
        let file = user.write(SYSTEM, policy("site", "deny"));
        fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
        if let Some(owner) = owner {
            let owner = Some(owner);
            if std::os::unix::fs::chown(&file, owner, owner).is_err() {
                eprintln!("NOT RUN: giving a file away needs root");
                continue;
            }
        }
        let found = under_etc(&user, &["check", "--", "x-none"]);
        assert_eq!(found.status, 2, "{mode:o}: {}", found.stdout);
        assert!(found.stderr.contains(text), "{mode:o}: {}", found.stderr);
    }
}
