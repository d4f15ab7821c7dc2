//! `rampart audit stats`: how much there is of what, and how large the log is.

use crate::audit::select::{Selection, each_event};
use crate::audit::stats::{Log, Stats};
use crate::audit::{self};
use crate::directories::Directories;
use crate::failure::Failure;
use crate::output::Output;
use crate::policy::json;

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
        false => print(&stats, &mut output)?,
    }
    output.flush()
}

fn print(stats: &Stats, output: &mut Output) -> Result<(), Failure> {
    let Log { files, compressed, bytes } = &stats.log;
    output.line(&format!("{} events of {} trees", stats.events, stats.trees))?;
    if stats.events > 0 {
        output.line(&format!("from {} to {}", stats.first, stats.last))?;
    }
    let size = bytes / 1024;
    output.line(&format!("{files} files, {compressed} of them compressed: {size} KiB"))?;
    let kinds = [
        ("outcome", &stats.outcomes),
        ("action", &stats.actions),
        ("answered by", &stats.answered_by),
        ("flag", &stats.flags),
        ("agent", &stats.agents),
        ("day", &stats.days),
        ("rule", &stats.rules),
        ("program", &stats.programs),
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
