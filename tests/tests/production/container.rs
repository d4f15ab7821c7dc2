//! `rampart inject` between a real OCI runtime and a container: roots of glibc and of musl, root and another user in them;
//! what is denied does not run, what is not does, and the events reach the machine.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use tests::{Guard, Ran, find, library, rampart, run};

const POLICY: &str = r#"
version: "1"
default_action: allow
policies:
  - name: container
    rules:
      - {name: forbidden, action: deny, message: "Not here.", when: {program: [forbidden]}}
"#;

/// Copies `program` into `root`, with the libraries and the loader that it needs, to `to`.
fn copied(program: &Path, root: &Path, to: &str) {
    let put = |from: &Path, to: &Path| {
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::copy(from, to).unwrap();
    };
    put(program, &root.join(to));
    let needs = run(Command::new("ldd").arg(program), "").stdout;
    for word in needs.split_whitespace().filter(|word| word.starts_with('/')) {
        put(Path::new(word), &root.join(&word[1..]));
    }
}

/// A root file system with a shell of this libc, and a program that may not be started in it.
fn rooted(kind: &str, root: &Path) -> bool {
    for dir in ["bin", "proc", "dev", "tmp", "etc", "sys"] {
        fs::create_dir_all(root.join(dir)).unwrap();
    }
    match kind {
        "glibc" => copied(&find("dash").expect("dash"), root, "bin/sh"),
        "musl" => {
            let loader = Path::new("/lib/ld-musl-x86_64.so.1");
            let Some(busybox) = find("busybox-musl").filter(|_| loader.exists()) else {
                return false;
            };
            fs::copy(busybox, root.join("bin/busybox")).unwrap();
            // Its own loader is all of musl.
            fs::create_dir_all(root.join("lib")).unwrap();
            fs::copy(loader, root.join("lib/ld-musl-x86_64.so.1")).unwrap();
            std::os::unix::fs::symlink("busybox", root.join("bin/sh")).unwrap();
        }
        "static" => {
            let Some(busybox) = find("busybox") else {
                return false;
            };
            fs::copy(busybox, root.join("bin/busybox")).unwrap();
            std::os::unix::fs::symlink("busybox", root.join("bin/sh")).unwrap();
        }
        other => panic!("{other}"),
    }
    for name in ["forbidden", "permitted"] {
        let path = root.join("bin").join(name);
        fs::write(&path, format!("#!/bin/sh\necho {name} ran as $1\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    true
}

/// A place with a policy, a spool and bundles.
struct Host {
    guard: Guard,
    runtime: PathBuf,
}

impl Host {
    fn new() -> Option<Self> {
        let is_root = run(Command::new("id").arg("-u"), "").stdout == "0\n";
        let guard = Guard::new(POLICY);
        fs::set_permissions(guard.image(), fs::Permissions::from_mode(0o644)).unwrap();
        fs::set_permissions(guard.audit(), fs::Permissions::from_mode(0o1733)).unwrap();
        let host = ["runc", "crun"].into_iter().filter_map(find).find_map(|runtime| {
            let host = Self { guard: Guard::new(POLICY), runtime };
            let works = is_root
                && rooted("glibc", &host.guard.path("try/rootfs"))
                && host.bare("try", "exit 7").status == 7;
            works.then_some(host)
        });
        let Some(Self { runtime, .. }) = host else {
            println!("skipped: no runc or crun that can start a container here");
            return None;
        };
        Some(Self { guard, runtime })
    }

    /// Writes the bundle's configuration: a shell that reads what to do on standard input.
    fn bundle(&self, name: &str, uid: u32) {
        let dir = self.guard.path(name);
        let _ = fs::remove_file(dir.join("config.json"));
        let ran = run(Command::new(&self.runtime).arg("spec").current_dir(&dir), "");
        assert_eq!(ran.status, 0, "{}", ran.stderr);
        let path = dir.join("config.json");
        let mut config: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        let process = &mut config["process"];
        process["terminal"] = json!(false);
        process["args"] = json!(["/bin/sh"]);
        process["user"] = json!({"uid": uid, "gid": uid});
        // A cgroup of its own cannot be had everywhere, and nothing here depends on it.
        config["linux"].as_object_mut().unwrap().remove("resources");
        fs::write(path, config.to_string()).unwrap();
    }

    fn command(&self, program: &Path, name: &str) -> Command {
        let mut command = self.guard.bare(program);
        command.current_dir(self.guard.path(name));
        command
    }

    /// The container without Rampart.
    fn bare(&self, name: &str, script: &str) -> Ran {
        self.bundle(name, 0);
        let mut command = self.command(&self.runtime, name);
        run(command.arg("run").arg(format!("{name}-{}", std::process::id())), script)
    }

    /// The container under Rampart.
    fn injected(&self, name: &str, script: &str, uid: u32, more: &[&str]) -> Ran {
        self.bundle(name, uid);
        let mut command = self.command(&rampart(), name);
        command.args(["inject", "--runtime"]).arg(&self.runtime);
        command.arg("--image").arg(self.guard.image()).arg("--spool").arg(self.guard.audit());
        command.args(more).args(["--", "run"]).arg(format!("{name}-{uid}-{}", std::process::id()));
        run(command.env("RAMPART_LIB", library()), script)
    }
}

#[test]
fn containers_of_glibc_and_musl() {
    let Some(host) = Host::new() else {
        return;
    };
    for kind in ["glibc", "musl"] {
        let root = host.guard.path(&format!("{kind}/rootfs"));
        if !rooted(kind, &root) {
            println!("skipped: {kind}: no program is built for it");
            continue;
        }
        for uid in [0, 1000] {
            host.guard.forget();
            let script = "f=forbidden; $f x; echo denied=$?; permitted here; echo permitted=$?";
            let ran = host.injected(kind, script, uid, &["--require"]);
            let what = format!("{kind}, uid {uid}: {ran:?}");
            assert!(ran.stdout.ends_with("permitted ran as here\npermitted=0\n"), "{what}");
            assert!(ran.stdout.starts_with("denied=126\n"), "{what}");
            assert!(ran.stderr.contains("[container/forbidden] Not here."), "{what}");
            let events = host.guard.events();
            let denied: Vec<_> =
                events.iter().filter(|event| event["outcome"] == "denied").collect();
            assert_eq!(denied.len(), 1, "{what}: {events:?}");
            let session = denied[0]["session"].as_str().unwrap();
            assert!(session.starts_with(&format!("{kind}-{uid}-")), "{session}");
            // What was mounted for it cannot be changed from inside.
            let script = "for f in librampart.so policy.img; do (: >>/opt/rampart/$f) 2>/dev/null && echo wrote $f; done; echo $LD_PRELOAD";
            let ran = host.injected(kind, script, uid, &[]);
            assert_eq!(ran.stdout, "/opt/rampart/librampart.so\n", "{ran:?}");
        }
    }
}

#[test]
fn a_static_root_is_said_or_refused() {
    let Some(host) = Host::new() else {
        return;
    };
    if !rooted("static", &host.guard.path("static/rootfs")) {
        return;
    }
    let ran = host.injected("static", "exit 7", 0, &[]);
    assert_eq!(ran.status, 7, "{ran:?}");
    assert!(ran.stderr.contains("they run unguarded"), "{ran:?}");
    let ran = host.injected("static", "echo ran", 0, &["--require"]);
    assert_eq!((ran.status, ran.stdout.as_str()), (1, ""), "{ran:?}");
}

#[test]
fn a_configuration_that_cannot_be_changed_starts_nothing() {
    let guard = Guard::new(POLICY);
    for (config, expected) in [
        ("{", "is no configuration"),
        ("{\"process\":{},\"mounts\":3}", "`mounts` is no array"),
        ("{\"mounts\":[]}", "names no process"),
    ] {
        fs::write(guard.path("config.json"), config).unwrap();
        let mut command = guard.bare(rampart());
        command.args(["inject", "--runtime", "/bin/echo", "--", "run", "c"]);
        let ran = run(command.env("RAMPART_LIB", library()), "");
        assert_eq!((ran.status, ran.stdout.as_str()), (1, ""), "{config}: {ran:?}");
        assert!(ran.stderr.contains(expected), "{config}: {ran:?}");
        // As a filter it prints nothing that a hook could start.
        let mut command = guard.bare(rampart());
        let ran = run(command.args(["inject", "--stdin"]).env("RAMPART_LIB", library()), config);
        assert_eq!((ran.status, ran.stdout.as_str()), (1, ""), "{config}: {ran:?}");
    }
    let config =
        r#"{"ociVersion":"1.0.2","process":{"args":["sh"],"env":["A=b"]},"x":{"b":1,"a":2}}"#;
    let mut command = guard.bare(rampart());
    command
        .args(["inject", "--stdin", "--image", "/none", "--socket", "/none", "--spool", "/none"]);
    let ran = run(command.env("RAMPART_LIB", library()), config);
    let changed: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(changed["process"]["env"], json!(["LD_PRELOAD=/opt/rampart/librampart.so", "A=b"]));
    assert_eq!(changed["mounts"][0]["source"], json!(library()));
    assert!(ran.stdout.contains(r#""x":{"b":1,"a":2}"#), "what is not ours stays: {}", ran.stdout);
}
