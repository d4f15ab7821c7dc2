//! How many pages of the policy's image a verdict looks at: in a process that has just begun, each may be a page
//! fault. The kernel keeps the count: `clear_refs` and `Referenced` of proc(5).

use std::fs;
use std::path::Path;

use evaluator::world::NoWorld;
use evaluator::{Image, decide};
use policy_schema::OwnedScratch;

use crate::fresh::map;
use crate::report::{Report, quantile};
use crate::verdict::{TYPICAL, commands, request};

/// Bytes of a page, as `Referenced` is counted.
const PAGE: f64 = 4.0;

/// Every so many of the corpora's commands is judged.
const STEP: usize = 37;

/// Adds the figures to `report`.
///
/// # Errors
/// If the image cannot be mapped, or the kernel does not count.
pub fn measure(work: &Path, report: &mut Report) -> Result<(), String> {
    let path = work.join("pages.img");
    fs::write(&path, policies::STANDARD).map_err(|error| format!("image: {error}"))?;
    let bytes = map(&path)?;
    let images = [Image::open(bytes).map_err(|error| error.text().to_owned())?];
    let mut scratch = OwnedScratch::default();
    let mut touched = |text: &str| -> Result<f64, String> {
        let call = request(text.as_bytes());
        scratch.fit(&call, 1000);
        fs::write("/proc/self/clear_refs", "1").map_err(|error| format!("clear_refs: {error}"))?;
        std::hint::black_box(decide(&images, &call, &NoWorld, &mut scratch.borrow()).action);
        referenced(bytes.as_ptr().addr()).map(|size| size / PAGE)
    };
    let whole = bytes.len() as f64 / 1024.0 / PAGE;
    let mut typical: Vec<f64> =
        TYPICAL.iter().map(|text| touched(text)).collect::<Result<_, _>>()?;
    let (what, all) = commands();
    let some = all.iter().step_by(STEP);
    let mut some: Vec<f64> = some.map(|text| touched(text)).collect::<Result<_, _>>()?;
    let name = format!(
        "pages of the image ({:.0}) a verdict looks at, 8 typical commands, p50",
        whole.ceil()
    );
    report.absolute(&name, quantile(&mut typical, 0.5), "pages", None);
    report.absolute(
        &format!("every {STEP}th of {what}, p50"),
        quantile(&mut some, 0.5),
        "pages",
        None,
    );
    report.absolute("p90", quantile(&mut some, 0.9), "pages", None);
    Ok(())
}

/// KiB of the mapping at `start` that were looked at.
fn referenced(start: usize) -> Result<f64, String> {
    let text = fs::read_to_string("/proc/self/smaps").map_err(|error| format!("smaps: {error}"))?;
    let head = format!("{start:x}-");
    let mapping = text.lines().skip_while(|line| !line.starts_with(&head));
    let line = mapping.take(24).find_map(|line| line.strip_prefix("Referenced:"));
    let number = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
    number.ok_or_else(|| "the kernel does not say what was referenced".to_owned())
}
