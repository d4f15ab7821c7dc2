//! The service's own signs of life, and its look at agents that nobody guards.
//!
//! A beat comes from the loop that answers clients, is made durable in the log, and only then goes
//! out: whoever misses it knows that one of the three does not work. All but the first happens in a
//! thread of its own, so that neither disk nor network delays a verdict.

use crate::audit::config::Heartbeat;
use crate::audit::forward::receiver::Ping;
use crate::audit::liveness::{Said, What};
use crate::audit::recorder::Speaker;
use crate::failure::{Failure, reason};
use crate::hosts::Host;
use crate::hosts::setup;
use crate::launch::environment::Environment;
use crate::process::{self, Process};
use std::collections::HashSet;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

/// How often agents are looked for where no heartbeat is configured.
const LOOK: Duration = Duration::from_secs(60);

/// The beat of the loop.
pub struct Heart {
    every: Duration,
    last: Instant,
    beats: Sender<()>,
}

impl Heart {
    /// Starts the thread behind it.
    ///
    /// # Errors
    /// If the heartbeat cannot be as configured, or there can be no thread.
    pub fn start(heartbeat: Option<&Heartbeat>, speaker: Speaker) -> Result<Self, Failure> {
        let ping = heartbeat.map(Ping::new).transpose().map_err(Failure::usage)?;
        let every = heartbeat.map(Heartbeat::every).transpose().map_err(Failure::usage)?;
        let (beats, taken) = channel();
        let mut body = Body { ping, speaker, seen: HashSet::new(), complaint: String::new() };
        thread::Builder::new().name("heart".to_owned()).spawn(move || body.work(&taken)).map_err(
            |error| Failure::other(format!("cannot give signs of life: {}", reason(&error))),
        )?;
        let every = every.unwrap_or(LOOK);
        // The first beat comes at once.
        let last = Instant::now().checked_sub(every).unwrap_or_else(Instant::now);
        Ok(Self { every, last, beats })
    }

    /// How long may pass before [`Heart::beat`].
    pub fn patience(&self) -> Duration {
        self.every.saturating_sub(self.last.elapsed())
    }

    /// Beats, if it is time to.
    pub fn beat(&mut self) {
        if self.last.elapsed() >= self.every {
            self.last = Instant::now();
            // Without the thread nothing goes out, and that is what a monitor looks for.
            let _ = self.beats.send(());
        }
    }
}

struct Body {
    /// `None` if no heartbeat is configured.
    ping: Option<Ping>,
    speaker: Speaker,
    /// The agents that were told of.
    seen: HashSet<Process>,
    /// What was last said about a beat that did not get out, so that it is said once.
    complaint: String,
}

impl Body {
    fn work(&mut self, beats: &Receiver<()>) {
        while beats.recv().is_ok() {
            // Those that came while the last one was stuck are one.
            while beats.try_recv().is_ok() {}
            let complaint = self.pulse().err().unwrap_or_default();
            if !complaint.is_empty() && complaint != self.complaint {
                complain!("rampart: warning: no sign of life gets out: {complaint}");
            }
            self.complaint = complaint;
            self.look();
        }
    }

    fn pulse(&self) -> Result<(), String> {
        let Some(ping) = &self.ping else { return Ok(()) };
        let said = Said::new(What::Alive, "");
        let tip = self.speaker.say(&said)?;
        // The end of the log goes along: an anchor that this machine cannot take back.
        ping.send(&said.anchored(tip)).map_err(|error| reason(&error))
    }

    /// Tells of agents that run unguarded, of each once.
    fn look(&mut self) {
        self.seen.retain(|process| process.is_alive());
        for (process, host) in unguarded() {
            if self.seen.contains(&process) {
                continue;
            }
            let exe = process.link("exe").map(|exe| String::from_utf8_lossy(&exe).into_owned());
            let text = format!(
                "{} runs as process {} without `rampart run`, and its own hook is not set up",
                host.name(),
                process.pid
            );
            let user = process.user().unwrap_or_default();
            let said = Said::new(What::Unguarded, text);
            let said = said.about(process.pid, user, exe.unwrap_or_default());
            if self.speaker.say(&said).is_ok() {
                self.seen.insert(process);
            }
        }
    }
}

/// How an agent is guarded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Guard {
    /// It runs in a guarded tree.
    Tree,
    /// Its own configuration holds our hook.
    Hook,
    /// Not at all.
    Nothing,
    /// What it was started with cannot be seen.
    Unknown,
}

impl Guard {
    /// Its name, for people and in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tree => "guarded",
            Self::Hook => "hooked",
            Self::Nothing => "unguarded",
            Self::Unknown => "unknown",
        }
    }
}

/// An agent that runs.
#[derive(Clone, Copy, Debug)]
pub struct Seen {
    /// Its process; of one in several the outermost.
    pub process: Process,
    /// Which agent.
    pub host: Host,
    /// How it is guarded.
    pub guard: Guard,
}

/// The agents that neither run in a guarded tree nor have our hook in their configuration. What cannot be
/// seen is not told of: it may be guarded.
fn unguarded() -> Vec<(Process, Host)> {
    let all = agents().into_iter().filter(|seen| seen.guard == Guard::Nothing);
    all.map(|seen| (seen.process, seen.host)).collect()
}

/// The agents that this user can see (root: everybody's).
pub fn agents() -> Vec<Seen> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let numbers = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let found: Vec<(Process, Host)> = numbers
        .filter_map(|pid| {
            let process = Process::of(pid)?;
            Some((process, agent(process)?))
        })
        .collect();
    let is_within = |process: Process, host: Host| {
        let mut above = process.with_ancestors().skip(1);
        above.any(|one| found.contains(&(one, host)))
    };
    let outermost = found.iter().filter(|(process, host)| !is_within(*process, *host));
    outermost
        .map(|(process, host)| Seen {
            process: *process,
            host: *host,
            guard: guard(*process, *host),
        })
        .collect()
}

fn guard(process: Process, host: Host) -> Guard {
    if process::guardian(process).is_some() {
        return Guard::Tree;
    }
    match process.read("environ").filter(|block| !block.is_empty()) {
        None => Guard::Unknown,
        Some(block) if is_hooked(host, &block) => Guard::Hook,
        Some(_) => Guard::Nothing,
    }
}

/// Whether `host`'s configuration, for a user with this environment, holds our hook.
fn is_hooked(host: Host, block: &[u8]) -> bool {
    let environment = Environment::from_block(block);
    let parts = setup::parts(host, &environment, Path::new("/rampart")).unwrap_or_default();
    parts.iter().any(|part| {
        fs::read_to_string(&part.path).is_ok_and(|text| text.contains(&setup::mark(host)))
    })
}

/// Which agent `process` is: by its program, or by the script that Node.js, Bun or Python runs.
fn agent(process: Process) -> Option<Host> {
    let exe = process.link("exe")?;
    let exe = exe.strip_suffix(b" (deleted)").unwrap_or(&exe);
    let script = match name(exe) {
        b"node" | b"nodejs" | b"bun" | b"deno" => {
            let line = process.read("cmdline")?;
            let mut words = line.split(|byte| *byte == 0).skip(1);
            words.find(|word| !word.starts_with(b"-")).map(<[u8]>::to_vec)?
        }
        _ => exe.to_vec(),
    };
    of_path(&script)
}

fn name(path: &[u8]) -> &[u8] {
    path.rsplit(|byte| *byte == b'/').next().unwrap_or_default()
}

/// The agent whose program or package this is.
fn of_path(path: &[u8]) -> Option<Host> {
    let packages = [
        ("@anthropic-ai/claude-code", Host::ClaudeCode),
        ("@openai/codex", Host::Codex),
        ("@google/gemini-cli", Host::Gemini),
        ("@github/copilot", Host::Copilot),
    ];
    let text = OsStr::from_bytes(path).to_string_lossy();
    let by_name = Host::ALL.into_iter().find(|host| name(path) == host.program().as_bytes());
    let package = packages.iter().find(|(package, _)| text.contains(&format!("/{package}/")));
    by_name.or(package.map(|(_, host)| *host))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agents_are_known_by_what_they_run() {
        let cases: [(&[u8], Option<Host>); 7] = [
            (b"/usr/bin/claude", Some(Host::ClaudeCode)),
            (b"codex", Some(Host::Codex)),
            (b"/n/node_modules/@google/gemini-cli/dist/index.js", Some(Host::Gemini)),
            (b"/opt/cursor-agent", Some(Host::Cursor)),
            (b"/usr/bin/claude-notes", None),
            (b"/home/codex/bin/ls", None),
            (b"", None),
        ];
        for (path, host) in cases {
            assert_eq!(of_path(path), host, "{}", String::from_utf8_lossy(path));
        }
    }
}
