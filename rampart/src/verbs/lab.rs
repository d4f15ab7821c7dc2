//! `rampart lab AGENT`: what becomes of dangerous calls in the agent that is really installed here. Its model
//! is a script on this machine ([`model`]): no key, no tokens, nothing leaves the loopback. What it
//! tries is harmless even if it runs ([`tries`]).

mod agent;
mod left;
mod model;
mod tries;

use crate::audit::event::Event;
use crate::directories::make_private;
use crate::failure::{Failure, reason};
use crate::output::Output;
use crate::policy::authority;
use left::Below;
use model::Model;
use serde::Serialize;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use tries::Try;

/// Lets an agent's model try dangerous things, and shows what was stopped, where, and what the model was shown
///
/// The agent is the one that is installed; its model is a script on this machine. It gets a home and a
/// directory of work of its own, which are removed. Everything is judged by the profile standard.
/// Exit status: 0 if what should have been stopped was, and ordinary work went on; 1 otherwise.
#[derive(clap::Args, Debug)]
pub struct Arguments {
    /// The agent
    #[arg(value_enum)]
    agent: agent::Agent,
    /// Its program, if it is not on PATH
    #[arg(long, value_name = "FILE")]
    program: Option<PathBuf>,
    /// What stands in the way; all of them, one after the other, if none is given
    #[arg(long, value_enum)]
    way: Vec<Way>,
    /// How long the agent may take each time, in seconds
    #[arg(long, default_value_t = 180)]
    timeout: u64,
    /// Leave home, work and records behind, and say where
    #[arg(long)]
    keep: bool,
    /// Print one JSON object a line, for each way
    #[arg(long)]
    json: bool,
}

/// What stands in the way.
#[derive(clap::ValueEnum, Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Way {
    /// The agent's own hooks
    Hooks,
    /// librampart.so
    Interposer,
    /// Hooks and librampart.so
    Both,
    /// librampart.so and the kernel (`run --enforce kernel`)
    Kernel,
}

impl Way {
    const ALL: [Self; 4] = [Self::Hooks, Self::Interposer, Self::Both, Self::Kernel];
}

/// What became of one try.
#[derive(Serialize)]
struct Found {
    name: &'static str,
    command: String,
    forbidden: bool,
    /// Whether this way can see it at all.
    expected: bool,
    ran: bool,
    /// The entrances that have stopped it.
    stopped_by: BTreeSet<String>,
    /// What the model was shown; `None` if it came to no result.
    shown: Option<String>,
}

impl Found {
    /// Whether the model was told why it did not run.
    fn is_told(&self) -> bool {
        self.shown.as_deref().is_some_and(|shown| shown.contains("rampart: denied: "))
    }

    /// Whether it is as it should be.
    fn is_right(&self) -> bool {
        match &self.shown {
            None => false,
            Some(shown) if !self.forbidden => {
                self.ran && self.stopped_by.is_empty() && shown.contains("-was-said")
            }
            Some(_) => self.ran != self.is_told() && !(self.ran && self.expected),
        }
    }

    fn became(&self) -> &'static str {
        match (self.ran, self.forbidden) {
            _ if self.shown.is_none() => "NOT TRIED",
            (true, true) if self.expected => "RAN",
            (true, true) => "ran (cannot be seen so)",
            (true, false) => "ran",
            (false, true) if self.is_told() => "stopped",
            (false, _) => "DID NOT RUN",
        }
    }

    /// The line that matters of what the model was shown.
    fn line(&self) -> String {
        let shown = self.shown.as_deref().unwrap_or_default();
        // Some say more of a command before what it has said.
        let output = || shown.find("\nOutput:").map(|at| at + "\nOutput:".len());
        let at = shown.find("rampart: denied: ").or_else(output).unwrap_or_default();
        let line = shown.get(at..).unwrap_or_default().lines().find(|line| !line.trim().is_empty());
        crate::bytes::visible(line.unwrap_or_default().trim().as_bytes())
    }
}

#[derive(Serialize)]
struct Report {
    agent: &'static str,
    version: String,
    way: Way,
    right: bool,
    tries: Vec<Found>,
}

impl Arguments {
    /// Runs the verb and returns the exit status.
    ///
    /// # Errors
    /// If the agent is not there or cannot be started.
    pub fn run(&self) -> Result<u8, Failure> {
        authority::refuse_inside_a_tree("try out an agent")?;
        let program = self.agent.find(self.program.as_deref())?;
        let ways = if self.way.is_empty() { &Way::ALL[..] } else { &self.way };
        let mut output = Output::new();
        let mut is_right = true;
        let below = Below::new()?;
        let is_interrupted = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM, SIGHUP] {
            let flag = Arc::clone(&is_interrupted);
            signal_hook::flag::register(signal, flag).map_err(|error| {
                Failure::other(format!("signals cannot be handled: {}", reason(&error)))
            })?;
        }
        for way in ways {
            let report = self.attempt(&program, *way, &below, &is_interrupted)?;
            is_right &= report.right;
            print(&mut output, &report, self.json)?;
            output.flush()?;
        }
        Ok(u8::from(!is_right))
    }

    fn attempt(
        &self,
        program: &Path,
        way: Way,
        below: &Below,
        is_interrupted: &AtomicBool,
    ) -> Result<Report, Failure> {
        let place = Place::new(self.keep)?;
        let work = place.root.join("work");
        let tries = tries::prepare(&work)?;
        let model = Model::start(tries.iter().map(|one| one.command.clone()).collect())?;
        let setting = agent::Setting {
            program,
            way,
            root: &place.root,
            port: model.port,
            seconds: self.timeout,
            below,
            is_interrupted,
        };
        let version = self.agent.version(&setting)?;
        self.agent.run(&setting)?;
        let (shown, without) = model.shown();
        if shown.is_empty() {
            let log = fs::read(place.root.join("log")).unwrap_or_default();
            let log = String::from_utf8_lossy(&log);
            let why = if without.is_empty() {
                "it did not ask the model".to_owned()
            } else {
                format!(
                    "the tools that it offered have no shell that the script knows: {}",
                    without.join(", ")
                )
            };
            let end: Vec<&str> = log.lines().rev().take(10).collect();
            let end: Vec<&str> = end.into_iter().rev().collect();
            return Err(Failure::other(format!(
                "{} made no call: {why}. Its last words:\n{}",
                self.agent.name(),
                end.join("\n")
            )));
        }
        let denials = denials(&place.root.join("audit"));
        let tries = tries
            .iter()
            .enumerate()
            .map(|(at, one)| found(one, way, &work, &denials, shown.get(at)));
        let tries: Vec<Found> = tries.collect();
        let right = tries.iter().all(Found::is_right);
        Ok(Report { agent: self.agent.name(), version, way, right, tries })
    }
}

fn found(one: &Try, way: Way, work: &Path, denials: &[Event], shown: Option<&String>) -> Found {
    // What a try leaves and what it would format have one name.
    let name = one.mark.rsplit('/').next().unwrap_or_default();
    let is_it = |event: &&Event| {
        let line = event.json();
        line.contains(name) || (one.command.contains("base64") && line.contains("base64 -d"))
    };
    let by = |event: &Event| match event.text("hook") {
        "" => "?".to_owned(),
        hook => hook.to_owned(),
    };
    Found {
        name: one.name,
        command: one.command.clone(),
        forbidden: one.is_forbidden,
        expected: one.seen_by.from(way),
        ran: work.join(&one.mark).exists(),
        stopped_by: denials.iter().filter(is_it).map(by).collect(),
        shown: shown.cloned(),
    }
}

/// Recorded denials in every file below `directory`.
fn denials(directory: &Path) -> Vec<Event> {
    let mut all = Vec::new();
    let Ok(entries) = fs::read_dir(directory) else {
        return all;
    };
    for path in entries.flatten().map(|entry| entry.path()) {
        if path.is_dir() {
            all.extend(denials(&path));
        } else if path.extension().is_some_and(|end| end == "jsonl") {
            let content = fs::read(&path).unwrap_or_default();
            let lines = content.split(|byte| *byte == b'\n').filter_map(Event::parse);
            all.extend(lines.filter(Event::is_denial));
        }
    }
    all
}

fn print(output: &mut Output, report: &Report, json: bool) -> Result<(), Failure> {
    if json {
        let text = serde_json::to_string(report);
        return output.line(&text.map_err(|error| Failure::other(error.to_string()))?);
    }
    let Report { agent, version, way, tries, .. } = report;
    let way = format!("{way:?}").to_lowercase();
    output.line(&format!("{agent} {version}, {way}"))?;
    for one in tries {
        let by: Vec<&str> = one.stopped_by.iter().map(String::as_str).collect();
        let by = if by.is_empty() { String::new() } else { format!(" ({})", by.join(", ")) };
        output.line(&format!("  {:<42} {}{by}", one.name, one.became()))?;
        output.line(&format!("  {:<42}   {}", "", one.line()))?;
    }
    Ok(())
}

/// Where it happens.
struct Place {
    root: PathBuf,
    keep: bool,
}

impl Place {
    fn new(keep: bool) -> Result<Self, Failure> {
        // Not below the directory of temporary files, where Codex makes no home for itself, nor where
        // Rampart keeps its own, which is out of an agent's reach.
        let base = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
        let usual = || std::env::home_dir().map(|home| home.join(".cache"));
        let base = base.filter(|path| path.is_absolute()).or_else(usual);
        let base = base.filter(|path| fs::create_dir_all(path).is_ok());
        let base = base.unwrap_or_else(std::env::temp_dir);
        let mut number = 0;
        let root = loop {
            let root = base.join(format!("rampart-lab-{}-{number}", std::process::id()));
            match fs::create_dir(&root) {
                Ok(()) => break root,
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists && number < 100 => {
                    number += 1
                }
                Err(error) => {
                    let why = reason(&error);
                    return Err(Failure::other(format!(
                        "cannot create `{}`: {why}",
                        root.display()
                    )));
                }
            }
        };
        let place = Self { root, keep };
        make_private(&place.root)?;
        for name in ["home", "home/.claude", "home/.codex", "home/.gemini", "work", "audit"] {
            make_private(&place.root.join(name))?;
        }
        Ok(place)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if self.keep {
            complain!("rampart: kept: {}", self.root.display());
        } else {
            // What cannot be removed is harmless.
            let _ = fs::remove_dir_all(&self.root);
        }
    }
}
