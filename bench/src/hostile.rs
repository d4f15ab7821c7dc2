//! How long verdicts on hostile inputs of 8 KiB take.

use evaluator::Image;
use policy_schema::OwnedScratch;

use crate::inputs;
use crate::report::Report;
use crate::verdict::{open, time, time_understanding};

/// Length of the inputs.
pub const SIZE: usize = 8192;

/// Most that a verdict on one may take, in microseconds.
const BUDGET: f64 = 500.0;

/// Measures every input against the standard policy; every one over the budget has a line, and so have
/// the `show` slowest. `HOSTILE=TEXT` leaves only those whose name holds the text.
pub fn measure(report: &mut Report, show: usize) -> Result<(), String> {
    let standard: Image<'_> = open(policies::STANDARD)?;
    let images = std::slice::from_ref(&standard);
    let mut scratch = OwnedScratch::default();
    let only = std::env::var("HOSTILE").unwrap_or_default();
    let all = inputs::all(SIZE);
    let mut times: Vec<(f64, f64, &str)> = all
        .iter()
        .filter(|(name, _)| name.contains(&only))
        .map(|(name, text)| {
            let text = text.as_bytes();
            let whole = time(images, text, 1000, &mut scratch) / 1e3;
            (whole, time_understanding(text, &mut scratch) / 1e3, name.as_str())
        })
        .collect();
    let count = times.len();
    let over = times.iter().filter(|(whole, _, _)| *whole > BUDGET).count();
    let name = format!("verdict, {count} inputs of 8 KiB: over {BUDGET} µs");
    report.absolute(&name, over as f64, "", Some(0.0));
    let over = times.iter().filter(|(_, part, _)| *part > BUDGET).count();
    let name = format!("understanding, {count} inputs of 8 KiB: over {BUDGET} µs");
    report.absolute(&name, over as f64, "", Some(0.0));
    times.sort_by(|one, other| other.1.total_cmp(&one.1));
    let shown = |micros: f64, at: usize| at < show || micros > BUDGET;
    for (_, part, name) in
        times.iter().enumerate().filter_map(|(at, row)| shown(row.1, at).then_some(row))
    {
        report.absolute(&format!("understanding, 8 KiB of `{name}`"), *part, "µs", Some(BUDGET));
    }
    times.sort_by(|one, other| other.0.total_cmp(&one.0));
    for (whole, _, name) in
        times.iter().enumerate().filter_map(|(at, row)| shown(row.0, at).then_some(row))
    {
        report.absolute(&format!("verdict, 8 KiB of `{name}`"), *whole, "µs", Some(BUDGET));
    }
    Ok(())
}
