//! Where an attack happens: a private directory with the targets, the policy that denies one of them, and what
//! is made of one attempt.

use super::super::{Trial, canary, written};
use super::table::Cell;
use super::table::cases::Case;
use super::{TARGETS, calls, target};
use crate::audit::event::Event;
use crate::failure::reason;
use crate::launch::environment::Environment;
use policy_schema::{Options, Source, compile};
use std::ffi::OsStr;
use std::fs::{self, File};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

pub use canary::{ALLOWED, DENIED};

/// What is denied here, to everybody: the canary, a directory `vault`, an address and a name.
const POLICY: &str = "version: '1'\ndefault_action: allow\npolicies:
  - name: doctor
    rules:
      - {name: canary, action: deny, when: {program: [rampart-canary-denied]}}
  - name: doctor-files
    match: {tool: [read, write, delete], by: program}
    rules:
      - {name: sealed, action: deny, when: {path_matches: ['**/vault', '**/vault/**']}}
  - name: doctor-addresses
    match: {tool: [connect, listen], by: program}
    rules:
      - {name: address, action: deny, when: {url_matches: ['socket://127.0.0.2:*']}}
      - {name: name, action: deny, when: {domain_matches: [localhost]}}
";

/// How long one attempt may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// The place; gone when it is dropped.
pub struct Place {
    trial: Trial,
    environment: Environment,
}

/// What came of one attempt.
pub struct Attempt {
    /// Whether the target left its mark.
    pub ran: bool,
    /// Both streams.
    told: String,
    /// The hook of each denial that was recorded.
    denials: Vec<String>,
}

impl Place {
    /// Prepares targets, policy and environment.
    ///
    /// # Errors
    /// What cannot be made.
    pub fn new(library: &Path, environment: &Environment) -> Result<Self, String> {
        let trial = Trial::with_plain_path()?;
        canary::prepare(&trial)?;
        let source = Source { name: "attack", text: POLICY.as_bytes() };
        let image = compile(&[source], &Options::default()).map_err(|found| {
            let lines: Vec<String> = found.iter().map(ToString::to_string).collect();
            lines.join("\n")
        })?;
        written(&trial.path("canary.img"), &image, 0o600)?;
        for name in ["audit", "home"] {
            make(&trial.path(name))?;
        }
        let loader = target::loader_of(Path::new("/bin/sh"))
            .ok_or("cannot make a dynamic program: /bin/sh names no loader for 64 bits")?;
        let files = [target::with_loader(&loader), target::without_loader()];
        for (kind, content) in TARGETS.iter().zip(files) {
            make(&trial.path(kind))?;
            for name in [DENIED, ALLOWED] {
                let path = trial.path(kind).join(name);
                written(&path, &content, 0o755)?;
                let link = trial.path(kind).join(format!("link-to-{name}"));
                std::os::unix::fs::symlink(&path, link).map_err(|error| reason(&error))?;
            }
        }
        let mut environment = canary::guarded(environment, library, &trial);
        environment.set("RAMPART_AUDIT_DIR", trial.path("audit").as_os_str());
        environment.set("M", trial.path("mark").as_os_str());
        Ok(Self { trial, environment })
    }

    /// Where the program of `case` is, or why it cannot be tried here.
    pub fn possible(&self, case: &Case) -> Result<PathBuf, String> {
        let is_root = rustix::process::geteuid().is_root();
        match case.runtime {
            "sudo, as a user" => return Err("needs another user and a changed /etc/sudoers".into()),
            "valgrind" => return Err("needs a program in C".into()),
            name if name.ends_with("as root") && !is_root => return Err("needs root".into()),
            _ => {}
        }
        // A row about a tool runs it from a shell.
        let tool = case.runtime.split([',', ' ']).next().unwrap_or(case.program);
        let is_from_shell = case.program == "dash" && tool != "dash";
        if is_from_shell && self.find(tool).is_none() {
            return Err(format!("{tool} is not installed"));
        }
        self.find(case.program).ok_or_else(|| format!("{} is not installed", case.program))
    }

    fn find(&self, name: &str) -> Option<PathBuf> {
        let path = self.environment.value("PATH")?;
        std::env::split_paths(path).map(|dir| dir.join(name)).find(|file| file.is_file())
    }

    /// A function of libc, called in a process of this program.
    pub fn call(
        &self,
        context: &str,
        route: &str,
        target: &str,
        name: &str,
    ) -> Result<Attempt, String> {
        let own = std::env::current_exe().map_err(|error| reason(&error))?;
        let mut command = Command::new(own);
        command.arg(calls::VERB);
        if !context.is_empty() {
            command.arg(context);
        }
        command.arg(route).arg(self.trial.path(target).join(name)).arg(self.mark());
        self.attempt(command, target, "", false)
    }

    /// A function by which a program does something itself: to files below the directory `about`, or to this address.
    pub fn operation(&self, kind: &str, name: &str, about: &str) -> Result<Attempt, String> {
        let own = std::env::current_exe().map_err(|error| reason(&error))?;
        let mut command = Command::new(own);
        command.args([calls::VERB, kind, name]);
        let directory = self.trial.path(about);
        if kind == "file" {
            let _ = fs::remove_dir_all(&directory);
            make(&directory)?;
            make(&directory.join("empty"))?;
            written(&directory.join("secret"), b"nothing\n", 0o600)?;
            command.args(["secret", "other", "empty"].map(|entry| directory.join(entry)));
        } else {
            command.arg(about);
        }
        let mut attempt = self.attempt(command, "dynamic", "", false)?;
        attempt.ran = attempt.told.lines().any(|line| line == "ok");
        Ok(attempt)
    }

    /// A runtime's way.
    pub fn run(
        &self,
        case: &Case,
        program: &Path,
        target: &str,
        name: &str,
    ) -> Result<Attempt, String> {
        let mut command = Command::new(program);
        for word in case.args.split_whitespace() {
            command.arg(self.filled(word, target, name));
        }
        for (file, text) in case.files {
            written(&self.trial.path(file), self.filled(text, target, name).as_bytes(), 0o600)?;
        }
        let has_home = case.files.iter().any(|(file, _)| file.starts_with("home/"));
        self.attempt(command, target, &self.filled(case.script, target, name), has_home)
    }

    fn mark(&self) -> PathBuf {
        self.trial.path("mark")
    }

    /// Replaces the placeholders of the table (`tests/tests/coverage/runtimes.rs`).
    fn filled(&self, text: &str, target: &str, name: &str) -> String {
        let directory = self.trial.path(target);
        text.replace("@T", &directory.join(name).to_string_lossy())
            .replace("@N", name)
            .replace("@D", &directory.to_string_lossy())
            .replace("@G", &self.trial.path("").to_string_lossy())
            .replace("@M", &self.mark().to_string_lossy())
    }

    fn attempt(
        &self,
        mut command: Command,
        target: &str,
        input: &str,
        has_home: bool,
    ) -> Result<Attempt, String> {
        let said = |error: std::io::Error| reason(&error);
        let _ = fs::remove_file(self.mark());
        let audit = self.trial.path("audit");
        let spools = || crate::audit::spool::files(&audit).map_err(|failure| failure.message);
        for spool in spools()? {
            fs::remove_file(spool).map_err(said)?;
        }
        let (stdin, told) = (self.trial.path("input"), self.trial.path("told"));
        written(&stdin, input.as_bytes(), 0o600)?;
        let output = File::create(&told).map_err(said)?;
        let mut environment = self.environment.clone();
        let mut path = self.trial.path(target).into_os_string();
        if let Some(own) = environment.value("PATH") {
            path.push(":");
            path.push(own);
        }
        environment.set("PATH", &path);
        environment.set("T", self.trial.path(target).as_os_str());
        if has_home {
            environment.set("HOME", self.trial.path("home").as_os_str());
        }
        command
            .env_clear()
            .envs(pairs(&environment))
            .current_dir(self.trial.path(""))
            .stdin(File::open(&stdin).map_err(said)?)
            .stderr(output.try_clone().map_err(said)?)
            .stdout(output)
            .process_group(0);
        wait(&mut command)?;
        let content: Vec<u8> =
            spools()?.iter().filter_map(|file| fs::read(file).ok()).flatten().collect();
        let events = content.split(|byte| *byte == b'\n').filter_map(Event::parse);
        let denials = events.filter(Event::is_denial).map(|event| event.text("hook").to_owned());
        let denials = denials.collect();
        let told = String::from_utf8_lossy(&fs::read(&told).map_err(said)?).into_owned();
        Ok(Attempt { ran: self.mark().exists(), told, denials })
    }
}

fn make(directory: &Path) -> Result<(), String> {
    let made = fs::create_dir(directory);
    made.map_err(|error| format!("cannot create `{}`: {}", directory.display(), reason(&error)))
}

/// Names and values, for a [`Command`].
fn pairs(environment: &Environment) -> impl Iterator<Item = (&OsStr, &OsStr)> {
    environment.entries().iter().filter_map(|entry| {
        let at = entry.iter().position(|byte| *byte == b'=')?;
        let (name, value) = entry.split_at_checked(at)?;
        Some((OsStr::from_bytes(name), OsStr::from_bytes(value.get(1..)?)))
    })
}

/// Runs `command` to its end, or ends its process group when the time is up.
fn wait(command: &mut Command) -> Result<(), String> {
    let failed = |error: std::io::Error| format!("it cannot be run: {}", reason(&error));
    let mut child = command.spawn().map_err(failed)?;
    let end = Instant::now() + PATIENCE;
    let mut pause = Duration::from_micros(200);
    while child.try_wait().map_err(failed)?.is_none() {
        if Instant::now() > end {
            if let Some(group) = rustix::process::Pid::from_raw(child.id().cast_signed()) {
                let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
            }
            child.wait().map_err(failed)?;
            return Err(format!("it did not end within {} s", PATIENCE.as_secs()));
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(4));
    }
    Ok(())
}

impl Attempt {
    /// Whether there is no such function.
    pub fn is_absent(&self) -> bool {
        self.told.starts_with("absent")
    }

    /// What was said, for a report.
    pub fn said(&self) -> String {
        match crate::bytes::visible(self.told.trim().as_bytes()) {
            text if text.is_empty() => "(it said nothing)".to_owned(),
            text => text.chars().take(200).collect(),
        }
    }

    /// What became of the denied program, or what is wrong. `is_heard`: whether what it prints comes to us.
    pub fn cell(&self, is_heard: bool) -> Result<Cell, String> {
        if self.ran {
            return match self.denials.is_empty() {
                true => Ok(Cell::Ran),
                false => Err("it RAN, although it was recorded as denied".to_owned()),
            };
        }
        if self.denials.is_empty() {
            return Err(format!("it did not run, and no denial was recorded: {}", self.said()));
        }
        if is_heard && !self.told.contains("rampart: denied: ") {
            return Err(format!("it did not run, and nobody was told why: {}", self.said()));
        }
        let is_own = self.denials.iter().all(|hook| hook == "start");
        Ok(if is_own { Cell::SelfCheck } else { Cell::Denied })
    }
}

/// A path that can stand in a script without quotes.
pub fn is_plain(path: &Path) -> bool {
    path.as_os_str()
        .as_bytes()
        .iter()
        .all(|byte| byte.is_ascii_alphanumeric() || b"/._-".contains(byte))
}
