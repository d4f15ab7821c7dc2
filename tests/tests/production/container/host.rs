//! A machine with a policy, a spool and bundles, and the runtimes that can start containers on it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::{Value, json};
use tests::{Guard, Ran, find, library, rampart, run};

use super::POLICY;
use super::roots::Kind;

pub struct Host {
    pub guard: Guard,
    pub runtime: PathBuf,
}

/// A name that no other container of this machine has: the runtime keeps one list, and tests run at the same time.
fn unique(name: &str, uid: u32) -> String {
    static STARTED: AtomicU32 = AtomicU32::new(0);
    format!("{name}-{uid}-{}-{}", std::process::id(), STARTED.fetch_add(1, Ordering::Relaxed))
}

impl Host {
    /// One for each OCI runtime that can start a container here, and one with bubblewrap, which stands in where none can.
    pub fn all() -> Vec<Self> {
        if run(Command::new("id").arg("-u"), "").stdout != "0\n" {
            println!("skipped: containers need root");
            return Vec::new();
        }
        let stand_in = Path::new(env!("CARGO_MANIFEST_DIR")).join("machines/bwrap-runtime");
        let runtimes = ["runc", "crun"].into_iter().filter_map(find);
        let runtimes = runtimes.chain(find("bwrap").map(|_| stand_in));
        let hosts: Vec<Self> = runtimes.filter_map(Self::with).collect();
        if hosts.is_empty() {
            println!("skipped: neither runc nor crun nor bwrap can start a container here");
        }
        for host in &hosts {
            println!("containers by {}", host.runtime.display());
        }
        hosts
    }

    fn with(runtime: PathBuf) -> Option<Self> {
        let guard = Guard::new(POLICY);
        fs::set_permissions(guard.image(), fs::Permissions::from_mode(0o644)).unwrap();
        fs::set_permissions(guard.audit(), fs::Permissions::from_mode(0o1733)).unwrap();
        let host = Self { guard, runtime };
        if !Kind::Glibc.make(&host.guard.path("try/rootfs")) {
            return None;
        }
        let ran = host.bare("try", "exit 7", |_| ());
        if ran.status != 7 {
            println!("{} starts nothing here: {}", host.runtime.display(), ran.stderr.trim());
        }
        (ran.status == 7).then_some(host)
    }

    /// Whether this user of a container is another user of the machine than root: the stand-in has only one.
    pub fn is_another(&self, uid: u32) -> bool {
        uid != 0 && !self.runtime.ends_with("bwrap-runtime")
    }

    /// The root of the bundle `name`.
    pub fn root(&self, name: &str) -> PathBuf {
        self.guard.path(name).join("rootfs")
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
        // The root itself is read-only (`spec` says so); what the scripts need to write is here.
        config["mounts"].as_array_mut().unwrap().retain(|mount| mount["destination"] != "/tmp");
        let tmp = json!({"destination": "/tmp", "type": "tmpfs", "source": "tmpfs", "options": ["mode=1777"]});
        config["mounts"].as_array_mut().unwrap().push(tmp);
        fs::write(path, config.to_string()).unwrap();
    }

    fn command(&self, program: &Path, name: &str) -> Command {
        let mut command = self.guard.bare(program);
        command.current_dir(self.guard.path(name));
        command
    }

    /// The container without `rampart inject`, its configuration as `change` leaves it.
    pub fn bare(&self, name: &str, script: &str, change: impl FnOnce(&mut Value)) -> Ran {
        self.bundle(name, 0);
        let path = self.guard.path(name).join("config.json");
        let mut config: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        change(&mut config);
        fs::write(path, config.to_string()).unwrap();
        let mut command = self.command(&self.runtime, name);
        run(command.arg("run").arg(unique(name, 0)), script)
    }

    /// The call that starts the container under Rampart.
    pub fn inject(&self, name: &str, uid: u32, more: &[&str]) -> Command {
        self.bundle(name, uid);
        let mut command = self.command(&rampart(), name);
        command.args(["inject", "--runtime"]).arg(&self.runtime);
        command.arg("--image").arg(self.guard.image()).arg("--spool").arg(self.guard.audit());
        command.arg("--socket").arg(self.guard.path("run/rampart"));
        command.args(more).args(["--", "run"]).arg(unique(name, uid));
        command.env("RAMPART_LIB", library());
        command
    }

    /// What the container does under Rampart.
    pub fn injected(&self, name: &str, script: &str, uid: u32, more: &[&str]) -> Ran {
        run(&mut self.inject(name, uid, more), script)
    }
}
