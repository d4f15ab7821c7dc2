//! `rampart policy show` and `rampart policy list`: what is shipped.

use crate::failure::Failure;
use crate::output::Output;
use crate::policy::unknown_profile;
use crate::verdict::names::counts;
use evaluator::Image;

/// Prints a shipped policy as YAML, to read or to start an own one from
#[derive(clap::Args, Debug)]
pub struct Arguments {
    /// Which one (`rampart policy list` names them)
    #[arg(long, value_name = "NAME", default_value = "standard")]
    profile: String,
}

/// Runs `policy show`.
///
/// # Errors
/// Exit status 2 if there is no such profile.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let found = policies::SOURCES.iter().find(|(name, _)| *name == arguments.profile);
    let (_, text) = found.ok_or_else(|| unknown_profile(&arguments.profile))?;
    let mut output = Output::new();
    output.write(text.as_bytes())?;
    output.flush()
}

/// Runs `policy list`.
///
/// # Errors
/// If standard output cannot be written.
pub fn list() -> Result<(), Failure> {
    let mut output = Output::new();
    for (name, bytes) in policies::PROFILES {
        let (policies, rules) = Image::open(bytes).map_or((0, 0), |image| counts(&image));
        output.line(&format!("{name:<16} {policies} policies, {rules} rules"))?;
    }
    output.flush()
}
