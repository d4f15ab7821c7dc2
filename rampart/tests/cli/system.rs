//! The system's layer, in `/etc/rampart`: tested in a mount namespace of its own, because no
//! variable and no option may lead anybody elsewhere.

use crate::support::{Ended, User, ended};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

/// `rampart` with the files in `etc` of the home over `/etc`.
fn under_etc(user: &User, arguments: &[&str]) -> Ended {
    let mount = "mount -t overlay overlay -o \"lowerdir=$1:/etc\" /etc && shift && exec \"$@\"";
    // As root the owner of files can be anybody; without, the namespace maps us to root.
    let is_root = rustix::process::geteuid().is_root();
    let mut command = Command::new("unshare");
    command
        .arg(if is_root { "-m" } else { "-rm" })
        .args(["sh", "-c", mount, "sh"])
        .arg(user.path("etc"))
        .arg(env!("CARGO_BIN_EXE_rampart"))
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
