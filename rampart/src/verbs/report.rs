//! `rampart report`: what was stopped, and what would have been, rule by rule. To be read before a
//! policy that only watched (`--mode monitor`) is enforced.

use crate::audit::event::Event;
use crate::audit::select::{Selection, each_event};
use crate::audit::{self};
use crate::directories::Directories;
use crate::failure::Failure;
use crate::output::Output;
use crate::policy::json;
use serde::Serialize;
use std::collections::BTreeMap;

/// How many different commands are shown of each rule.
const EXAMPLES: usize = 3;

/// Longest command that is shown, in characters.
const WIDTH: usize = 100;

/// Sums the log up: what each rule stopped, and what it would have stopped in enforce mode
#[derive(clap::Args, Debug)]
pub struct Arguments {
    #[command(flatten)]
    selection: Selection,
    /// As one JSON object
    #[arg(long)]
    json: bool,
}

/// What one rule came to.
#[derive(Default, Serialize)]
struct Line {
    outcome: String,
    rule: String,
    count: u64,
    /// The first few different commands.
    examples: Vec<String>,
}

#[derive(Default, Serialize)]
struct Report {
    first: String,
    last: String,
    events: u64,
    outcomes: BTreeMap<String, u64>,
    agents: BTreeMap<String, u64>,
    /// What was stopped or would have been, the most frequent first.
    stopped: Vec<Line>,
    /// What a rule only watched.
    watched: Vec<Line>,
}

/// Runs the verb.
///
/// # Errors
/// If the log cannot be read.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let filter = arguments.selection.filter()?;
    let files = audit::readable(&audit::places(&Directories::from_environment())?)?;
    let mut report = Report::default();
    let mut stopped = BTreeMap::new();
    let mut watched = BTreeMap::new();
    each_event(&files, &mut |_, event| {
        if filter.takes(event) {
            report.count(event);
            if event.is_denial() {
                add(&mut stopped, event);
            } else if event.text("action") == "watch" {
                add(&mut watched, event);
            }
        }
        Ok(())
    })?;
    report.stopped = sorted(stopped);
    report.watched = sorted(watched);
    let mut output = Output::new();
    if arguments.json {
        output.line(&json(&report)?)?;
    } else {
        report.print(&mut output)?;
    }
    output.flush()
}

type Lines = BTreeMap<(String, String), Line>;

fn add(lines: &mut Lines, event: &Event) {
    let (outcome, rule) = (event.text("outcome").to_owned(), event.rule());
    let line = lines.entry((outcome.clone(), rule.clone())).or_insert_with(|| Line {
        outcome,
        rule,
        ..Line::default()
    });
    line.count += 1;
    let call = event.call();
    let mut shown: String = call.chars().take(WIDTH).collect();
    if shown.len() < call.len() {
        shown.push('…');
    }
    if line.examples.len() < EXAMPLES && !line.examples.contains(&shown) {
        line.examples.push(shown);
    }
}

fn sorted(lines: Lines) -> Vec<Line> {
    let mut all: Vec<Line> = lines.into_values().collect();
    all.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.rule.cmp(&b.rule)));
    all
}

impl Report {
    fn count(&mut self, event: &Event) {
        let (time, _) = event.moment();
        if self.events == 0 || time < self.first {
            self.first.clone_from(&time);
        }
        if time > self.last {
            self.last = time;
        }
        self.events += 1;
        *self.outcomes.entry(event.text("outcome").to_owned()).or_default() += 1;
        let agent = event.text("agent");
        if !agent.is_empty() {
            *self.agents.entry(agent.to_owned()).or_default() += 1;
        }
    }

    fn print(&self, output: &mut Output) -> Result<(), Failure> {
        if self.events == 0 {
            return output.line("no events");
        }
        let number = |name: &str| self.outcomes.get(name).copied().unwrap_or(0);
        let day = |time: &str| time.get(..10).unwrap_or(time).to_owned();
        output.line(&format!(
            "{} events from {} to {}: {} went ahead, {} were stopped, {} would have been in enforce mode",
            self.events,
            day(&self.first),
            day(&self.last),
            number("allowed") + number("unconfirmed"),
            number("denied"),
            number("not-enforced"),
        ))?;
        for (title, lines) in [("stopped", &self.stopped), ("watched", &self.watched)] {
            if !lines.is_empty() {
                output.line(&format!("\n{title}"))?;
            }
            for line in lines {
                output.line(&format!("{:>7}  {:<12}  {}", line.count, line.outcome, line.rule))?;
                for example in &line.examples {
                    output.line(&format!("                         {example}"))?;
                }
            }
        }
        Ok(())
    }
}
