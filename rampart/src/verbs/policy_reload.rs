//! `rampart policy reload`: brings changed policies to the trees that run.

use crate::directories::Directories;
use crate::failure::{Failure, status};
use crate::output::Output;
use crate::policy::{authority, recipe};

/// Compiles the policies again that guarded trees were started with
///
/// Each tree takes them at its next command. One that does not compile stays as it is. Refused inside
/// a guarded tree. Exit status 1 if one could not be made again.
#[derive(clap::Args, Debug)]
pub struct Arguments {}

/// Runs the verb and returns the exit status.
///
/// # Errors
/// Inside a guarded tree; or if the store cannot be read.
pub fn run(_: &Arguments) -> Result<u8, Failure> {
    authority::refuse_inside_a_tree("reload the policy")?;
    let all = recipe::reload(&Directories::from_environment())?;
    let mut output = Output::new();
    let mut failed = false;
    for reloaded in &all {
        let path = reloaded.path.display();
        match &reloaded.result {
            Ok(true) => output.line(&format!("reloaded   {path}"))?,
            Ok(false) => output.line(&format!("unchanged  {path}"))?,
            Err(failure) => {
                failed = true;
                complain!("{failure}");
                output.line(&format!("kept       {path}"))?;
            }
        }
    }
    if all.is_empty() {
        output.line("no tree has been started with a policy that can be reloaded")?;
    }
    output.flush()?;
    Ok(if failed { status::DENIED } else { 0 })
}
