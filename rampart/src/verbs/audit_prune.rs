//! `rampart audit prune`: removes the start of a log that has become too old or too large.

use crate::audit;
use crate::audit::archive::{Limits, prune};
use crate::audit::merge::merge;
use crate::audit::retention::{before, size};
use crate::directories::Directories;
use crate::failure::Failure;
use crate::output::Output;
use crate::policy::json;

/// Removes the oldest files of the log; the log itself says what is gone, so that `verify` knows
///
/// Files are removed whole, and the last two never.
#[derive(clap::Args, Debug)]
#[command(group(clap::ArgGroup::new("limit").required(true).multiple(true)))]
pub struct Arguments {
    /// Remove what is older than this (90d, 12h)
    #[arg(long, value_name = "TIME", group = "limit")]
    keep: Option<String>,
    /// Remove the oldest while the log is larger than this (500M, 2G)
    #[arg(long, value_name = "SIZE", group = "limit")]
    keep_size: Option<String>,
    /// Only say what would be removed
    #[arg(long)]
    dry_run: bool,
    /// As one JSON object
    #[arg(long)]
    json: bool,
}

/// Runs the verb.
///
/// # Errors
/// If a limit is none, or the log cannot be written.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let limits = Limits {
        before: arguments.keep.as_deref().map(before).transpose()?,
        largest: arguments.keep_size.as_deref().map(size).transpose()?,
    };
    let places = audit::places(&Directories::from_environment())?;
    merge(&places)?;
    let main = places.first().cloned().unwrap_or_default();
    let pruned = prune(&main, limits, arguments.dry_run)?;
    let mut output = Output::new();
    if arguments.json {
        output.line(&json(&pruned)?)?;
        return output.flush();
    }
    let would = if arguments.dry_run { "would be removed" } else { "removed" };
    for file in &pruned.files {
        output.line(&format!("{would}: {file}"))?;
    }
    match pruned.files.len() {
        0 => output.line("nothing to remove")?,
        _ => output.line(&format!("{} KiB, up to entry {}", pruned.bytes / 1024, pruned.upto))?,
    }
    output.flush()
}
