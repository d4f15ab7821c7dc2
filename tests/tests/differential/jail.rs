//! Scripts, and what they execute in a throw-away root.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use base64::Engine as _;
use serde_json::Value;
use tests::{LibC, events_in, find, library, probe};

/// Names that a stand-in is there for, beside those that scripts would not find anyway.
const PROGRAMS: &[&str] = &[
    "rm",
    "purge",
    "git",
    "docker",
    "kubectl",
    "ssh",
    "sudo",
    "doas",
    "su",
    "curl",
    "wget",
    "systemctl",
    "aws",
    "brew",
    "apt-get",
    "gh",
    "npm",
    "npx",
    "uvx",
    "uv",
    "poetry",
    "pipenv",
    "psql",
    "terraform",
    "rsync",
    "userdel",
    "tmux",
    "kill-all",
    "install",
    "reboot",
    "shutdown",
    "mkfs",
    "dd",
    "chattr",
    "ruff",
    "rimraf",
];

/// One script and the shells that read it.
pub struct Script {
    /// What it shows.
    pub why: String,
    /// The shells, by name; `gap` for what is known not to be understood.
    pub shells: Vec<String>,
    /// Its text, as the shell gets it behind `-c`.
    pub text: String,
}

/// One program that really started.
pub struct Executed {
    /// The file.
    pub exe: String,
    /// Its arguments.
    pub argv: Vec<Vec<u8>>,
}

impl Executed {
    /// For people.
    pub fn line(&self) -> String {
        String::from_utf8_lossy(&self.argv.join(&b' ')).into_owned()
    }
}

/// A directory with scripts, programs and room for what is recorded.
pub struct Jail {
    dir: tempfile::TempDir,
}

impl Jail {
    /// `None` where the kernel gives no namespaces.
    pub fn new() -> Option<Self> {
        let probe_namespace = Command::new(find("unshare")?).args(["-Urmpfn", "true"]).output();
        if !probe_namespace.is_ok_and(|done| done.status.success()) {
            return None;
        }
        let dir = tempfile::Builder::new().prefix("rampart-").tempdir().unwrap();
        for name in ["scripts", "audit", "programs"] {
            fs::create_dir(dir.path().join(name)).unwrap();
        }
        let programs = dir.path().join("programs");
        let standin = programs.join("standin");
        assert!(probe("standin", LibC::Glibc, &standin), "no C compiler; run `.ci/install.sh`");
        for name in PROGRAMS {
            std::os::unix::fs::symlink("standin", programs.join(name)).unwrap();
        }
        fs::write(programs.join("fixture.sh"), super::predict::FIXTURE).unwrap();
        Some(Self { dir })
    }

    /// Runs every script that `shell` reads; what each executed.
    pub fn run(&self, shell: &str) -> Vec<(Script, Vec<Executed>)> {
        let mut scripts: Vec<Script> = scripts()
            .into_iter()
            .filter(|script| script.shells.iter().any(|s| s == shell))
            .collect();
        let dir = self.dir.path();
        for (number, script) in scripts.iter_mut().enumerate() {
            if shell == "busybox" {
                // Its own `rm` needs no new program, so it would not be seen.
                script.text = script.text.replace("rm ", "purge ").replace("rm\n", "purge\n");
            }
            fs::write(dir.join(format!("scripts/{number:03}")), &script.text).unwrap();
        }
        let argv0 = if shell == "busybox" { vec!["busybox", "sh"] } else { vec![shell] };
        let done = Command::new(find("unshare").unwrap())
            .args(["-Urmpfn", "--kill-child", "--"])
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("probes/jail.sh"))
            .arg(dir)
            .arg(library())
            .args(argv0)
            .env_remove("LD_PRELOAD")
            .stdin(Stdio::null())
            .output()
            .unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        let recorded = |number| self.executed(&dir.join(format!("audit/{number:03}")));
        scripts.into_iter().enumerate().map(|(n, script)| (script, recorded(n))).collect()
    }

    /// What is recorded in `audit`, without the shells that a program starts to read its text from
    /// a pipe: what they read stands in the tree as commands of that program.
    fn executed(&self, audit: &Path) -> Vec<Executed> {
        let events = events_in(audit);
        let shell = |event: &Value| {
            let exe = event["exe"].as_str().unwrap_or("");
            ["sh", "bash", "dash", "zsh", "busybox"]
                .contains(&exe.rsplit('/').next().unwrap_or(exe))
        };
        // What the process was before, else what started it.
        let maker = |event: &Value| {
            let at = events.iter().position(|other| other["id"] == event["id"]);
            let before = &events[..at.unwrap_or(0)];
            let by = |pid: &Value| before.iter().rev().find(|other| other["pid"] == *pid);
            by(&event["pid"]).or_else(|| by(&event["ppid"])).is_some_and(|maker| !shell(maker))
        };
        let only_reads =
            |event: &Value| event["argv"].as_array().is_some_and(|argv| argv.len() == 1);
        events
            .iter()
            .filter(|event| !(shell(event) && only_reads(event) && maker(event)))
            .map(|event| Executed {
                exe: event["exe"].as_str().unwrap_or("").to_owned(),
                argv: event["argv"].as_array().into_iter().flatten().map(bytes).collect(),
            })
            .collect()
    }
}

/// An argument of an event.
fn bytes(value: &Value) -> Vec<u8> {
    let decode = |text: &str| base64::engine::general_purpose::STANDARD.decode(text).unwrap();
    match value {
        Value::String(text) => text.as_bytes().to_vec(),
        other => other["b64"].as_str().map(decode).unwrap_or_default(),
    }
}

/// The scripts: `## why [shells]`, then the text; `gap` among the shells marks what is not understood. Without shells every one reads it.
fn scripts() -> Vec<Script> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts");
    let mut files: Vec<PathBuf> = fs::read_dir(dir).unwrap().map(|e| e.unwrap().path()).collect();
    files.sort();
    let mut scripts = Vec::new();
    for file in files {
        let text = fs::read_to_string(file).unwrap();
        for part in text.split("\n## ").map(|part| part.trim_start_matches("## ")) {
            let (head, body) = part.split_once('\n').unwrap();
            let (why, shells) = head.split_once(" [").unwrap_or((head, "bash dash busybox zsh]"));
            scripts.push(Script {
                why: why.to_owned(),
                shells: shells.trim_end_matches(']').split(' ').map(str::to_owned).collect(),
                text: body.trim_end_matches('\n').to_owned(),
            });
        }
    }
    scripts
}
