//! The shipped pack `programs` on the standard policy: what it stops, and the ordinary work that it
//! must not be in the way of.

use std::fs;

use tests::{Guard, find, run};

const PACK: &str = include_str!("../../../policies/packs/programs.yaml");

/// A home with the usual files.
fn guard() -> Guard {
    let guard = Guard::on_standard(PACK);
    for dir in [".ssh", ".aws", ".config/rampart/policy.d", "Documents"] {
        fs::create_dir_all(guard.path("home").join(dir)).unwrap();
    }
    for (name, text) in [
        (".ssh/id_ed25519", "a private key\n"),
        (".ssh/id_ed25519.pub", "a public key\n"),
        (".ssh/config", "Host *\n"),
        (".aws/credentials", "[default]\n"),
        (".bashrc", "# mine\n"),
        (".config/rampart/policy.d/a.yaml", "version: \"1\"\n"),
    ] {
        fs::write(guard.path("home").join(name), text).unwrap();
    }
    guard
}

#[test]
fn what_it_stops() {
    let guard = guard();
    let mut wrong = Vec::new();
    for (program, script, rule) in [
        (
            "python3",
            "import os; open(os.path.expanduser('~/.ssh/id_ed25519'))",
            "program-secrets/read-keys",
        ),
        (
            "bash",
            "while read -r l; do echo \"$l\"; done < ~/.ssh/id_ed25519",
            "program-secrets/read-keys",
        ),
        (
            "perl",
            "open(F, '<', \"$ENV{HOME}/.aws/credentials\") or die",
            "program-secrets/read-keys",
        ),
        ("bash", "echo evil >> ~/.bashrc", "program-files/startup-files"),
        (
            "python3",
            "import os; open(os.path.expanduser('~/.ssh/authorized_keys'), 'a')",
            "program-files/accounts",
        ),
        (
            "python3",
            "import os; os.remove(os.path.expanduser('~/.config/rampart/policy.d/a.yaml'))",
            "program-files/own-files",
        ),
        (
            "ruby",
            "File.symlink('/x', File.expand_path('~/.config/rampart/policy.d/b.yaml'))",
            "program-files/own-files",
        ),
    ] {
        let Some(path) = find(program) else {
            continue;
        };
        guard.forget();
        let ran = run(&mut guard.command(path), script);
        let said = format!("[{rule}]");
        if !ran.stderr.contains(&said) || ran.stdout.contains("private") {
            wrong.push(format!("{program}: {script}: {ran:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let home = guard.path("home");
    assert_eq!(fs::read_to_string(home.join(".bashrc")).unwrap(), "# mine\n");
    assert!(!home.join(".ssh/authorized_keys").exists());
    assert!(home.join(".config/rampart/policy.d/a.yaml").exists());
}

#[test]
fn what_it_lets_be() {
    let guard = guard();
    let script = "set -e
cat ~/.ssh/config ~/.ssh/id_ed25519.pub ~/.bashrc
mkdir -p work; cd work; git init -q .; echo a > a; git add a; git -c user.name=a -c user.email=a@b.test commit -qm a
for i in $(seq 150); do echo > f$i; done; rm f*
python3 -c 'import json, http.client, ssl, os; print(len(os.listdir(os.path.expanduser(\"~\"))) > 0)'
cp ~/.ssh/config copy; mv copy other; rm other; touch ~/.cache-file; rm ~/.cache-file
id -un > /dev/null; getent passwd root > /dev/null; echo finished";
    let ran = run(&mut guard.command("bash"), script);
    assert_eq!((ran.status, ran.stderr.as_str()), (0, ""), "{ran:?}");
    assert!(ran.stdout.ends_with("True\nfinished\n"), "{ran:?}");
    if let Some(keygen) = find("ssh-keygen") {
        let key = guard.path("home/.ssh/id_rsa");
        let args = ["-q", "-t", "ed25519", "-N", "", "-f"];
        let ran = run(guard.command(&keygen).args(args).arg(&key), "");
        assert_eq!((ran.status, ran.stderr.as_str()), (0, ""), "{ran:?}");
        let ran = run(guard.command(&keygen).arg("-y").arg("-f").arg(&key), "");
        assert!(ran.stdout.starts_with("ssh-ed25519 "), "{ran:?}");
        // The same key in other hands.
        let script = "import os; open(os.path.expanduser('~/.ssh/id_rsa'))";
        let ran = run(&mut guard.command("python3"), script);
        assert!(ran.stderr.contains("[program-secrets/read-keys]"), "{ran:?}");
    }
}

#[test]
fn a_runaway_removal_ends_early() {
    let guard = guard();
    let documents = guard.path("home/Documents");
    for number in 0..300 {
        fs::write(documents.join(number.to_string()), "").unwrap();
    }
    let script =
        "import shutil, os; shutil.rmtree(os.path.expanduser('~/Documents'), ignore_errors=True)";
    let ran = run(guard.command("python3").current_dir(guard.path("bin")), script);
    let left = fs::read_dir(&documents).unwrap().count();
    assert_eq!(left, 300 - 99, "{ran:?}");
    assert!(ran.stderr.contains("[program-removal/many-files]"), "{ran:?}");
}
