//! `rampart audit stats`: how much there is of what, and how large the log is.

use crate::audit::chain;
use crate::audit::event::Event;
use crate::audit::select::{Selection, each_event};
use crate::audit::{self};
use crate::bytes::visible;
use crate::directories::Directories;
use crate::failure::{Failure, reason};
use crate::output::Output;
use crate::policy::json;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// How many of each kind are shown.
const SHOWN: usize = 10;

/// Counts the events of the log by outcome, rule, program and more, and says how large it is
#[derive(clap::Args, Debug)]
pub struct Arguments {
    #[command(flatten)]
    selection: Selection,
    /// As one JSON object
    #[arg(long)]
    json: bool,
}

/// How often each value of something was seen.
type Counts = BTreeMap<String, u64>;

#[derive(Default, Serialize)]
struct Stats {
    events: u64,
    first: String,
    last: String,
    trees: u64,
    outcomes: Counts,
    actions: Counts,
    answered_by: Counts,
    flags: Counts,
    agents: Counts,
    days: Counts,
    rules: Counts,
    programs: Counts,
    log: Log,
}

/// The log itself.
#[derive(Default, Serialize)]
struct Log {
    files: u64,
    compressed: u64,
    bytes: u64,
}

/// Runs the verb.
///
/// # Errors
/// If the log cannot be read.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let filter = arguments.selection.filter()?;
    let places = audit::places(&Directories::from_environment())?;
    let files = audit::readable(&places)?;
    let mut stats = Stats::default();
    let mut trees = std::collections::BTreeSet::new();
    each_event(&files, &mut |_, event| {
        if filter.takes(event) {
            stats.count(event);
            trees.insert(event.text("tree").to_owned());
        }
        Ok(())
    })?;
    stats.trees = trees.iter().filter(|tree| !tree.is_empty()).count() as u64;
    for place in &places {
        stats.log.add(place)?;
    }
    let mut output = Output::new();
    match arguments.json {
        true => output.line(&json(&stats)?)?,
        false => stats.print(&mut output)?,
    }
    output.flush()
}

impl Log {
    fn add(&mut self, directory: &Path) -> Result<(), Failure> {
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
    fn count(&mut self, event: &Event) {
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

    fn print(&self, output: &mut Output) -> Result<(), Failure> {
        let Log { files, compressed, bytes } = &self.log;
        output.line(&format!("{} events of {} trees", self.events, self.trees))?;
        if self.events > 0 {
            output.line(&format!("from {} to {}", self.first, self.last))?;
        }
        let size = bytes / 1024;
        output.line(&format!("{files} files, {compressed} of them compressed: {size} KiB"))?;
        let kinds = [
            ("outcome", &self.outcomes),
            ("action", &self.actions),
            ("answered by", &self.answered_by),
            ("flag", &self.flags),
            ("agent", &self.agents),
            ("day", &self.days),
            ("rule", &self.rules),
            ("program", &self.programs),
        ];
        for (kind, counts) in kinds.into_iter().filter(|(_, counts)| !counts.is_empty()) {
            output.line(&format!("\n{kind}"))?;
            let mut all: Vec<_> = counts.iter().collect();
            if kind == "day" {
                all.reverse();
            } else {
                all.sort_by(|a, b| b.1.cmp(a.1).then_with(|| a.0.cmp(b.0)));
            }
            for (value, count) in all.iter().take(SHOWN) {
                output.line(&format!("{count:>9}  {value}"))?;
            }
            let rest = all.len().saturating_sub(SHOWN);
            if rest > 0 {
                output.line(&format!("{:>9}  and {rest} more", ""))?;
            }
        }
        Ok(())
    }
}
