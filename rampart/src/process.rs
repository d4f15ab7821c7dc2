//! What the kernel says of other processes (proc(5)): who they are, whom they descend from, and
//! whether they live inside a guarded tree. Nothing here believes a word that a process says.

use crate::launch::environment::Environment;
use crate::launch::library;
use rustix::fs::{Mode, OFlags};
use std::ffi::OsStr;
use std::fs;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

pub mod who;

/// Whose call it is, as far as that has been looked up: most verdicts do not ask, and looking costs
/// more than they do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asker {
    /// Nobody knows.
    Unknown,
    /// This process.
    Known(Process),
    /// The process that has this number now, and keeps it while it is being judged.
    Numbered(u32),
    /// The same, of one that lives in another mount namespace or below another root directory.
    Elsewhere {
        /// The number of the process.
        process: u32,
        /// That of the thread of it whose root directory counts.
        root: u32,
        /// Whether it has become the program that is asked about.
        runs: bool,
    },
}

impl Asker {
    /// The process; `None` if it is not known, or has ended.
    pub fn process(self) -> Option<Process> {
        match self {
            Self::Unknown => None,
            Self::Known(process) => Some(process),
            Self::Numbered(pid) | Self::Elsewhere { process: pid, .. } => Process::of(pid),
        }
    }
}

impl From<Option<Process>> for Asker {
    fn from(process: Option<Process>) -> Self {
        process.map_or(Self::Unknown, Self::Known)
    }
}

/// How far up the ancestors of a process are followed.
const DEEPEST: usize = 512;

/// So often a process may lose its parent while that is looked up.
const ADOPTIONS: usize = 4;

/// One process for good: numbers are used again, but never with the same start time in one boot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Process {
    /// Its number.
    pub pid: u32,
    /// When it started, in clock ticks since boot.
    pub start: u64,
}

impl Process {
    /// The process that has the number `pid` now.
    pub fn of(pid: u32) -> Option<Self> {
        stat(pid).map(|(_, start)| Self { pid, start })
    }

    /// Whether it still runs.
    pub fn is_alive(self) -> bool {
        Self::of(self.pid) == Some(self)
    }

    /// The process itself, its parent, and so on up.
    pub fn with_ancestors(self) -> impl Iterator<Item = Self> {
        // Each with its parent, once that is known.
        let above = |(process, parent): &(Self, Option<u32>)| process.parent(*parent);
        let all = std::iter::successors(Some((self, None)), above);
        all.map(|(process, _)| process).take(DEEPEST)
    }

    /// Its parent, which had the number `known` a moment ago, and the parent of that.
    fn parent(self, known: Option<u32>) -> Option<(Self, Option<u32>)> {
        let now = || stat(self.pid).map(|(parent, _)| parent).filter(|parent| *parent != 0);
        let mut parent = known.filter(|parent| *parent != 0).or_else(now)?;
        for _ in 0..ADOPTIONS {
            match stat(parent) {
                // A parent is older than its child; a younger one has taken over the number.
                Some((above, start)) if start <= self.start => {
                    return Some((Self { pid: parent, start }, Some(above)));
                }
                // It has ended, and another one has taken its child over.
                _ => parent = now()?,
            }
        }
        None
    }

    /// Its real user; `None` if it has ended.
    pub fn user(self) -> Option<u32> {
        let text = self.read("status")?;
        let mut lines = text.split(|byte| *byte == b'\n');
        let line = lines.find_map(|line| line.strip_prefix(b"Uid:"))?;
        let first = std::str::from_utf8(line).ok()?.split_ascii_whitespace().next()?;
        first.parse().ok()
    }

    /// A file of its directory in `/proc`; `None` if it may not be read.
    pub fn read(self, name: &str) -> Option<Vec<u8>> {
        // Such a file states no length, and std would begin with 32 bytes.
        let mut found = Vec::with_capacity(16 * 1024);
        let mut file = fs::File::open(format!("/proc/{}/{name}", self.pid)).ok()?;
        file.read_to_end(&mut found).ok()?;
        Some(found)
    }

    /// Whether that file holds more than `limit` bytes, which reading it would show at some cost.
    pub fn has_more(self, name: &str, limit: usize) -> bool {
        let Ok(file) = fs::File::open(format!("/proc/{}/{name}", self.pid)) else {
            return false;
        };
        let mut found = Vec::with_capacity(limit);
        let read = file.take(limit as u64 + 1).read_to_end(&mut found);
        read.is_ok() && found.len() > limit
    }

    /// A directory of its directory in `/proc`, as `root`; `None` if it may not be opened.
    pub fn open(self, name: &str) -> Option<OwnedFd> {
        let path = format!("/proc/{}/{name}", self.pid);
        rustix::fs::open(path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty()).ok()
    }

    /// Whether it runs the very file that this process runs.
    pub fn runs_what_we_run(self) -> bool {
        let id = |pid: &str| {
            let found = fs::metadata(format!("/proc/{pid}/exe")).ok()?;
            Some((found.dev(), found.ino()))
        };
        id("self").is_some_and(|own| id(&self.pid.to_string()) == Some(own))
    }

    /// Whether the library lies in its memory.
    pub fn has_loaded_us(self) -> bool {
        is_loaded(self)
    }

    /// Where a link of its directory in `/proc` leads; `None` if it may not be read.
    pub fn link(self, name: &str) -> Option<Vec<u8>> {
        let found = fs::read_link(format!("/proc/{}/{name}", self.pid)).ok()?;
        Some(found.into_os_string().into_encoded_bytes())
    }
}

/// A file of `/proc`, by one read(2) where a page holds it: std asks for its size, which is none, and
/// reads small pieces.
///
/// # Errors
/// What open(2) and read(2) say.
pub fn small(path: &str) -> std::io::Result<Vec<u8>> {
    let mut file = fs::File::open(path)?;
    let mut room = vec![0; 4096];
    let length = file.read(&mut room)?;
    room.truncate(length);
    if length == 4096 {
        file.read_to_end(&mut room)?;
    }
    Ok(room)
}

/// The parent and the start time of `pid`. The name, which may hold anything, stands in
/// parentheses.
fn stat(pid: u32) -> Option<(u32, u64)> {
    let text = small(&format!("/proc/{pid}/stat")).ok()?;
    let end = text.iter().rposition(|byte| *byte == b')')?;
    let rest = std::str::from_utf8(text.get(end + 1..)?).ok()?;
    let mut fields = rest.split_ascii_whitespace();
    // Field 4 is the parent, 22 the start; the state, field 3, comes first here.
    let parent = fields.nth(1)?.parse().ok()?;
    let start = fields.nth(17)?.parse().ok()?;
    Some((parent, start))
}

/// A process under the library.
#[derive(Clone, Debug)]
pub struct Guardian {
    /// Which.
    pub process: Process,
    /// The environment that it was started with, which says how its tree is guarded.
    pub environment: Environment,
}

/// The nearest of `process` and its living ancestors that was started with the library or has it
/// loaded. What it was started with it cannot change afterwards; that of another user's process
/// cannot be read, nor can it be told.
pub fn guardian(process: Process) -> Option<Guardian> {
    process.with_ancestors().find_map(|ancestor| {
        let environment = ancestor.read("environ").unwrap_or_default();
        let is_guarded = is_preloaded(&environment) || is_loaded(ancestor);
        is_guarded.then(|| Guardian {
            process: ancestor,
            environment: Environment::from_block(&environment),
        })
    })
}

/// Why a process may not loosen what holds for a guarded tree; `None` if it may. It may not if it,
/// or a living ancestor, was started with the library, has it loaded, or is `host`, under which
/// there is nothing but the tree.
pub fn forbids_loosening(process: Process, host: Option<u32>) -> Option<&'static str> {
    // It is empty for a moment during an exec, too.
    if process.read("environ").is_none_or(|block| block.is_empty()) {
        return Some("what it was started with cannot be seen");
    }
    if process.with_ancestors().any(|ancestor| host == Some(ancestor.pid)) {
        return Some("it is a part of the guarded tree");
    }
    guardian(process).map(|_| "it runs inside a guarded tree")
}

/// Whether an environment preloads the library, by the name of the tree's own or by its usual one.
fn is_preloaded(environment: &[u8]) -> bool {
    let value = |name: &[u8]| {
        let mut entries = environment.split(|byte| *byte == 0);
        entries.find_map(|entry| entry.strip_prefix(name)?.strip_prefix(b"="))
    };
    let own = value(b"RAMPART_LIB").filter(|path| !path.is_empty());
    let is_ours = |path: &[u8]| {
        own == Some(path) || Path::new(OsStr::from_bytes(path)).ends_with("librampart.so")
    };
    value(b"LD_PRELOAD").is_some_and(|list| library::entries(OsStr::from_bytes(list)).any(is_ours))
}

/// Whether the library lies in the memory of a process.
fn is_loaded(process: Process) -> bool {
    let maps = process.read("maps").unwrap_or_default();
    String::from_utf8_lossy(&maps).contains("/librampart.so")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};

    #[test]
    fn processes_are_who_they_are() {
        let own = Process::of(std::process::id()).unwrap();
        assert!(own.is_alive());
        assert!(!Process { start: own.start + 1, ..own }.is_alive());
        let line: Vec<_> = own.with_ancestors().take(2).map(|process| process.pid).collect();
        assert_eq!(line, [own.pid, std::os::unix::process::parent_id()]);
        assert!(own.link("exe").is_some());
        assert_eq!(own.user(), Some(rustix::process::getuid().as_raw()));
        assert_eq!(Process::of(0), None);
    }

    #[test]
    fn who_may_loosen() {
        // The name of the library in the environment is enough; nothing has to be loaded.
        let cases: [(&[(&str, &str)], bool); 4] = [
            (&[], true),
            (&[("LD_PRELOAD", "/nonexistent/other.so")], true),
            (&[("LD_PRELOAD", "/x.so:/nonexistent/librampart.so")], false),
            (&[("LD_PRELOAD", "/nonexistent/y.so"), ("RAMPART_LIB", "/nonexistent/y.so")], false),
        ];
        for (variables, may) in cases {
            let mut command = Command::new("cat");
            command.env_remove("LD_PRELOAD").envs(variables.iter().copied());
            let mut child = command.stdin(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
            let process = Process::of(child.id()).unwrap();
            while process.read("environ").unwrap().is_empty() {
                std::thread::yield_now();
            }
            let why = forbids_loosening(process, None);
            let hosted = forbids_loosening(process, Some(std::process::id()));
            let above = guardian(process).map(|found| found.process);
            assert_eq!(above, (!may).then_some(process), "{variables:?}");
            drop(child.stdin.take());
            child.wait().unwrap();
            assert_eq!(why.is_none(), may, "{variables:?}: {why:?}");
            assert!(hosted.is_some());
        }
    }
}
