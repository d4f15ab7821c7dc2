//! Where the tests happen: directories with a `forbidden` and a `permitted` program, and what is
//! made of one attempt to start one of them.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use tests::{Guard, LibC, Ran, probe, run};

/// Allows everything but programs of one name.
pub const POLICY: &str = r#"
version: "1"
default_action: allow
policies:
  - name: coverage
    rules:
      - name: forbidden
        action: deny
        message: This program is forbidden.
        when: {program: [forbidden]}
"#;

/// What became of a denied program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cell {
    /// The library stopped the call: the program was never started.
    Denied,
    /// The call was not seen, and the new process was stopped before `main`.
    SelfCheck,
    /// It ran: `LD_PRELOAD` cannot cover this.
    Ran,
    /// This libc, or this way of linking, has no such thing.
    Absent,
}

impl Cell {
    /// As it stands in the table.
    pub fn text(self) -> &'static str {
        match self {
            Self::Denied => "denied",
            Self::SelfCheck => "self-check",
            Self::Ran => "**ran**",
            Self::Absent => "–",
        }
    }
}

/// One attempt: what the launching program printed, whether the target ran, what was recorded.
pub struct Attempt {
    /// The launching program's output and status.
    pub ran: Ran,
    /// What the target left behind, if it ran.
    pub mark: Option<String>,
    /// Events of the attempt.
    pub events: Vec<Value>,
}

/// A guard with programs.
pub struct Place {
    /// The policy in force.
    pub guard: Guard,
}

/// How the programs of a directory are linked.
pub const DIRS: [(&str, LibC); 5] = [
    ("glibc", LibC::Glibc),
    ("static", LibC::GlibcStatic),
    ("musl", LibC::Musl),
    ("musl-static", LibC::MuslStatic),
    ("i386", LibC::I386),
];

impl Place {
    /// Builds the programs. A directory whose compiler is not installed stays empty.
    pub fn new() -> Self {
        Self::with(POLICY)
    }

    /// The same under another policy; the standard one if `policy` is empty.
    pub fn with(policy: &str) -> Self {
        let guard = Guard::new(policy);
        // Other users start programs here, too.
        for (name, mode) in [("", 0o755), ("audit", 0o1777), ("home", 0o777)] {
            fs::set_permissions(guard.path(name), fs::Permissions::from_mode(mode)).unwrap();
        }
        for (name, libc) in DIRS {
            let dir = guard.path(name);
            fs::create_dir(&dir).unwrap();
            if !probe("mark", libc, &dir.join("forbidden")) {
                println!("skipped: {name} programs, as there is no compiler for them");
                continue;
            }
            fs::copy(dir.join("forbidden"), dir.join("permitted")).unwrap();
            for target in ["forbidden", "permitted"] {
                symlink(target, dir.join(format!("link-to-{target}"))).unwrap();
            }
            probe("launch", libc, &dir.join("launch"));
            probe("chain", libc, &dir.join("chain"));
        }
        Self { guard }
    }

    /// Whether the programs of `dir` were built.
    pub fn has(&self, dir: &str) -> bool {
        self.guard.path(dir).join("launch").exists()
    }

    /// A program in one of the directories.
    pub fn program(&self, dir: &str, name: &str) -> PathBuf {
        self.guard.path(dir).join(name)
    }

    /// Where a target leaves its mark.
    pub fn mark(&self) -> PathBuf {
        self.guard.path("mark")
    }

    /// Runs `command` and collects what came of it.
    pub fn attempt(&self, command: &mut Command, input: &str) -> Attempt {
        self.guard.forget();
        let _ = fs::remove_file(self.mark());
        let ran = run(command, input);
        Attempt { ran, mark: fs::read_to_string(self.mark()).ok(), events: self.guard.events() }
    }

    /// `program` under the library, the directory of its target first on `PATH`.
    pub fn guarded(&self, program: &Path, target_dir: &str) -> Command {
        let mut command = self.guard.command(program);
        self.prefer(&mut command, target_dir);
        command
    }

    /// [`Place::attempt`] of a command that is [`Place::supervised`]: `rampart run` takes no log that
    /// everybody may write to.
    pub fn attempt_supervised(&self, command: &mut Command, input: &str) -> Attempt {
        let mode = |mode| fs::set_permissions(self.guard.audit(), fs::Permissions::from_mode(mode));
        mode(0o755).unwrap();
        let tried = self.attempt(command, input);
        mode(0o1777).unwrap();
        tried
    }

    /// The same without the library.
    pub fn bare(&self, program: &Path, target_dir: &str) -> Command {
        let mut command = self.guard.bare(program);
        self.prefer(&mut command, target_dir);
        command
    }

    /// `program` under the library and the kernel's supervisor.
    pub fn supervised(&self, program: &Path, target_dir: &str) -> Command {
        let mut command = self.guard.bare(tests::rampart());
        command.arg("run").arg("--policy").arg(self.guard.image());
        command.args(["--enforce", "kernel", "--"]).arg(program);
        command.env("RAMPART_AUDIT_DIR", self.guard.audit()).env("RAMPART_LIB", tests::library());
        self.prefer(&mut command, target_dir);
        command
    }

    fn prefer(&self, command: &mut Command, target_dir: &str) {
        let dir = self.guard.path(target_dir);
        command.env("PATH", format!("{}:/usr/local/bin:/usr/bin:/bin", dir.display()));
        command.env("T", dir).env("M", self.mark());
    }
}

impl Attempt {
    /// What became of the denied program, or what is wrong. `is_heard`: whether what the program
    /// prints comes to us (`wordexp` throws it away).
    pub fn cell(&self, is_heard: bool) -> Result<Cell, String> {
        let denials = self.denials();
        if self.mark.is_some() {
            // A gap: then nothing may claim that it was denied.
            return if denials.is_empty() {
                Ok(Cell::Ran)
            } else {
                Err(format!("it ran although it was said to be denied: {self}"))
            };
        }
        let Ran { stdout, stderr, .. } = &self.ran;
        // musl's loader takes no static program as its argument.
        let is_refused = stderr.contains("Not a valid dynamic program");
        if stdout.contains("absent") || stdout.contains("status 77") || is_refused {
            return Ok(Cell::Absent);
        }
        let lines = self.lines();
        if lines != 1 && (lines > 1 || is_heard) {
            return Err(format!("{lines} lines of denial where one belongs: {self}"));
        }
        match denials.as_slice() {
            [only] if only["hook"] == "start" => Ok(Cell::SelfCheck),
            [_] => Ok(Cell::Denied),
            // A second look at a text that failed, as a static glibc's wordexp takes by `sh -nc`.
            [first, second] if !is_heard && first["hook"] == second["hook"] => Ok(Cell::SelfCheck),
            _ => Err(format!("{} denials recorded where one belongs: {self}", denials.len())),
        }
    }

    /// What became of the denied program under the supervisor: whether it was stopped, by whom ever, or what
    /// is wrong.
    pub fn stopped(&self) -> Result<bool, String> {
        let is_told = self.lines() > 0 || !self.denials().is_empty();
        match (self.mark.is_some(), is_told) {
            (true, false) => Ok(false),
            (true, true) => Err(format!("it ran although it was said to be denied: {self}")),
            (false, true) => Ok(true),
            (false, false) => Err(format!("nobody was told why it did not run: {self}")),
        }
    }

    /// Events of calls that were not permitted.
    pub fn denials(&self) -> Vec<&Value> {
        let denied = |event: &&Value| event["outcome"] == "denied";
        self.events.iter().filter(denied).collect()
    }

    /// How often the denial was said, to either stream.
    fn lines(&self) -> usize {
        let both = [&self.ran.stdout, &self.ran.stderr];
        let is_denial = |line: &&str| {
            line.starts_with("rampart: denied: ") && line.contains(" [coverage/forbidden] ")
        };
        both.iter().flat_map(|text| text.lines()).filter(is_denial).count()
    }

    /// Recorded starts of a program whose file or `argv[0]` has this name.
    pub fn records_of(&self, name: &str) -> usize {
        let named = |value: &Value| value.as_str().is_some_and(|path| path.ends_with(name));
        let is_start = |event: &&Value| named(&event["exe"]) || named(&event["argv"][0]);
        self.events.iter().filter(is_start).count()
    }
}

impl std::fmt::Display for Attempt {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{:?} mark {:?}", self.ran, self.mark)?;
        self.events.iter().try_for_each(|event| write!(out, "\n      {event}"))
    }
}
