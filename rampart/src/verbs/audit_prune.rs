//! `rampart audit prune`: removes the start of a log that has become too old or too large.

use crate::audit::archive::{Limits, prune};
use crate::audit::merge::merge;
use crate::audit::{self};
use crate::directories::Directories;
use crate::failure::Failure;
use crate::output::Output;
use crate::policy::json;
use std::time::{Duration, SystemTime};

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

fn before(text: &str) -> Result<SystemTime, Failure> {
    let ago = policy_schema::time::duration_ms(text).map(Duration::from_millis);
    ago.and_then(|ago| SystemTime::now().checked_sub(ago)).ok_or_else(|| {
        let odd = crate::bytes::visible(text.as_bytes());
        Failure::usage(format!("`{odd}` is no length of time; write 90d or 12h"))
    })
}

/// Bytes of a size with a binary unit.
fn size(text: &str) -> Result<u64, Failure> {
    let units = [("K", 1 << 10), ("M", 1 << 20), ("G", 1 << 30), ("T", 1_u64 << 40)];
    let upper = text.to_ascii_uppercase();
    let unit = units.into_iter().find_map(|(unit, scale)| Some((upper.strip_suffix(unit)?, scale)));
    let (digits, scale) = unit.unwrap_or((upper.as_str(), 1));
    let number = digits.parse::<u64>().ok().and_then(|number| number.checked_mul(scale));
    number.ok_or_else(|| {
        let odd = crate::bytes::visible(text.as_bytes());
        Failure::usage(format!("`{odd}` is no size; write 500M or 2G"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        let cases = [("0", 0), ("12", 12), ("3k", 3072), ("2G", 2 << 30)];
        for (text, expected) in cases {
            assert_eq!(size(text).unwrap(), expected, "{text}");
        }
        for text in ["", "M", "1.5G", "-1", "20000000T", "12 M"] {
            assert!(size(text).is_err(), "{text}");
        }
        assert!(before("90d").is_ok() && before("ninety").is_err());
    }
}
