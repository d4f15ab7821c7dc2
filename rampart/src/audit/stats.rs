//! How much there is of what in the log, for `rampart audit stats` and the HTTP API.

use super::chain;
use super::event::Event;
use crate::bytes::visible;
use crate::failure::{Failure, reason};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// How often each value of something was seen.
pub type Counts = BTreeMap<String, u64>;

/// What was counted.
#[derive(Default, Serialize)]
pub struct Stats {
    /// How many events.
    pub events: u64,
    /// Time of the first.
    pub first: String,
    /// Time of the last.
    pub last: String,
    /// How many guarded trees.
    pub trees: u64,
    /// By outcome.
    pub outcomes: Counts,
    /// By the policy's action.
    pub actions: Counts,
    /// By who answered.
    pub answered_by: Counts,
    /// By flag.
    pub flags: Counts,
    /// By agent.
    pub agents: Counts,
    /// By day.
    pub days: Counts,
    /// By the rule that decided.
    pub rules: Counts,
    /// By the program's name.
    pub programs: Counts,
    /// The log itself.
    pub log: Log,
}

/// The log itself.
#[derive(Default, Serialize)]
pub struct Log {
    /// How many files.
    pub files: u64,
    /// How many of them are compressed.
    pub compressed: u64,
    /// Their size.
    pub bytes: u64,
}

impl Log {
    /// Adds the files of `directory`.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn add(&mut self, directory: &Path) -> Result<(), Failure> {
        let files = chain::files(directory).map_err(|error| {
            let place = directory.display();
            Failure::other(format!("cannot read `{place}`: {}", reason(&error)))
        })?;
        for (_, path) in files {
            self.files += 1;
            self.compressed += u64::from(path.extension().is_some_and(|kind| kind == "gz"));
            self.bytes += fs::metadata(&path).map_or(0, |found| found.len());
        }
        Ok(())
    }
}

impl Stats {
    /// Counts `event`.
    pub fn count(&mut self, event: &Event) {
        let (time, _) = event.moment();
        if self.events == 0 || time < self.first {
            self.first.clone_from(&time);
        }
        if time > self.last {
            self.last.clone_from(&time);
        }
        self.events += 1;
        let mut add = |counts: fn(&mut Self) -> &mut Counts, value: &str| {
            if !value.is_empty() {
                *counts(self).entry(visible(value.as_bytes())).or_default() += 1;
            }
        };
        add(|stats| &mut stats.outcomes, event.text("outcome"));
        add(|stats| &mut stats.actions, event.text("action"));
        let by = event.text("answered_by");
        add(|stats| &mut stats.answered_by, by.split(' ').next().unwrap_or_default());
        add(|stats| &mut stats.agents, event.text("agent"));
        add(|stats| &mut stats.days, time.get(..10).unwrap_or_default());
        let exe = event.text("exe");
        add(|stats| &mut stats.programs, exe.rsplit('/').next().unwrap_or_default());
        let flags = event.member("flags").and_then(|flags| flags.as_array());
        for flag in flags.into_iter().flatten().filter_map(|flag| flag.as_str()) {
            add(|stats| &mut stats.flags, flag);
        }
        if !event.text("rule").is_empty() || !event.text("policy").is_empty() {
            add(|stats| &mut stats.rules, &event.rule());
        }
    }
}
