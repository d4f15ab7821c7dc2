//! What packages hold beside the programs, made from the command line itself so that it cannot differ: manual pages and
//! completions.

use crate::failure::{Failure, reason};
use crate::output::Output;
use clap::Command;
use clap_complete::Shell;
use std::path::PathBuf;

/// Prints the completions for a shell
#[derive(clap::Args, Debug)]
pub struct Completions {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

/// Writes a manual page for each verb into a directory
#[derive(clap::Args, Debug)]
pub struct Manual {
    /// The directory, which is there
    directory: PathBuf,
}

impl Completions {
    /// Runs the verb for `line`, the whole command line.
    ///
    /// # Errors
    /// If standard output cannot be written.
    pub fn run(&self, mut line: Command) -> Result<(), Failure> {
        let mut text = Vec::new();
        clap_complete::generate(self.shell, &mut line, "rampart", &mut text);
        let mut output = Output::new();
        output.write(&text)?;
        output.flush()
    }
}

impl Manual {
    /// Runs the verb for `line`, the whole command line.
    ///
    /// # Errors
    /// If a page cannot be written.
    pub fn run(&self, line: Command) -> Result<(), Failure> {
        clap_mangen::generate_to(line.disable_help_subcommand(true), &self.directory).map_err(
            |error| {
                let directory = self.directory.display();
                Failure::other(format!(
                    "cannot write manual pages to `{directory}`: {}",
                    reason(&error)
                ))
            },
        )
    }
}
