//! What verdicts on texts cost, in units of counted work and in time: to see whether the units say
//! what the time is, and how far real scripts stay below the limits.

use std::path::Path;

use evaluator::command::Outcome;
use evaluator::world::NoWorld;
use evaluator::{Image, decide};
use policy_schema::OwnedScratch;

use crate::inputs;
use crate::verdict::{open, request, time, time_understanding, understood};

/// What one text costs.
struct Cost {
    name: String,
    bytes: usize,
    outcome: Outcome,
    /// Units of understanding and of deciding.
    units: (u64, u64),
    /// Microseconds of understanding and of the whole verdict.
    micros: (f64, f64),
}

fn cost(image: &Image<'_>, name: String, text: &[u8], scratch: &mut OwnedScratch) -> Cost {
    let images = std::slice::from_ref(image);
    let (read, _) = understood(text, scratch);
    let call = request(text);
    scratch.fit(&call, 4096);
    let mut memory = scratch.borrow();
    let tree = decide(images, &call, &NoWorld, &mut memory).tree;
    let (all, outcome) = (tree.work, tree.outcome);
    let understanding = time_understanding(text, scratch) / 1e3;
    let whole = time(images, text, 4096, scratch) / 1e3;
    let units = (read, all.saturating_sub(read));
    Cost { name, bytes: text.len(), outcome, units, micros: (understanding, whole) }
}

/// Prints a line for each of the files at `paths`, or for each hostile input of `size` bytes, the
/// slowest first.
pub fn print(paths: &[&str], size: usize) -> Result<(), String> {
    let image = open(policies::STANDARD)?;
    let mut scratch = OwnedScratch::default();
    let mut costs = Vec::new();
    for path in paths {
        let text = std::fs::read(Path::new(path)).map_err(|error| format!("{path}: {error}"))?;
        costs.push(cost(&image, (*path).to_owned(), &text, &mut scratch));
    }
    if paths.is_empty() {
        for (name, text) in inputs::all(size) {
            costs.push(cost(&image, name, text.as_bytes(), &mut scratch));
        }
    }
    costs.sort_by(|one, other| other.micros.1.total_cmp(&one.micros.1));
    println!("  bytes   units read  judged  ns a unit  µs read  µs judged  ns a unit  µs whole");
    for Cost { name, bytes, outcome, units, micros } in costs {
        let judging = micros.1 - micros.0;
        let each = |micros: f64, units: u64| micros * 1e3 / units.max(1) as f64;
        println!(
            "{bytes:7} {:12} {:7} {:10.1} {:8.1} {judging:10.1} {:10.1} {:9.1}  {outcome:?} {name}",
            units.0,
            units.1,
            each(micros.0, units.0),
            micros.0,
            each(judging, units.1),
            micros.1,
        );
    }
    Ok(())
}
