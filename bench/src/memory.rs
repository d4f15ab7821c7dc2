//! What a process gains in memory that is its own.

use std::process::Command;

use crate::Setup;
use crate::report::{Report, quantile};

/// `Private_Dirty` of a `cat` of its own smaps, in KiB.
fn private_dirty(setup: &Setup, preload: bool) -> Result<f64, String> {
    let mut command = Command::new("/bin/cat");
    command.arg("/proc/self/smaps_rollup").env_remove("LD_PRELOAD");
    if preload {
        command
            .env("LD_PRELOAD", &setup.library)
            .env("RAMPART_AUDIT_DIR", setup.work.join("memory"));
    }
    let output = command.output().map_err(|error| format!("cat: {error}"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let line = text.lines().find_map(|line| line.strip_prefix("Private_Dirty:"));
    let number = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
    number.ok_or_else(|| "no Private_Dirty in smaps_rollup".to_owned())
}

/// Measures memory.
pub fn measure(setup: &Setup, report: &mut Report) -> Result<(), String> {
    let sample = |preload| -> Result<f64, String> {
        let all: Result<Vec<f64>, String> =
            (0..21).map(|_| private_dirty(setup, preload)).collect();
        Ok(quantile(&mut all?, 0.5))
    };
    let gained = sample(true)? - sample(false)?;
    report.absolute("memory a process gains (Private_Dirty)", gained, "KiB", Some(64.0));
    Ok(())
}
