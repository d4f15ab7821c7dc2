//! `rampart install`: the library and the command where every user finds them, the evaluator as a service of its
//! own user, and drop-ins for the units of agents.
//!
//! Every file is written beside its place and renamed into it: a running process keeps the library that it has
//! mapped, a new one gets the old or the new, never a part (rename(2)).

pub mod places;
pub mod separate;
mod systemd;

use crate::failure::{Failure, reason};
use crate::launch::library;
use crate::output::Output;
use crate::policy::authority;
use places::{Change, Places};

/// Installs the library and this command, or puts agents' units under it
///
/// Exit status: 0 if all is in place, 1 if something could not be written.
#[derive(clap::Args, Debug)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Arguments {
    #[command(subcommand)]
    what: Option<What>,
    #[command(flatten)]
    places: Places,
    /// As root: the evaluator as a service of a user `rampart`, and a policy that only root can change
    #[arg(long)]
    separate: bool,
    /// Show what would change, and change nothing
    #[arg(long)]
    dry_run: bool,
}

#[derive(clap::Subcommand, Debug)]
enum What {
    Systemd(systemd::Arguments),
}

/// Runs the verb.
///
/// # Errors
/// If something cannot be written, or this is inside a guarded tree.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    authority::refuse_inside_a_tree("install anything")?;
    let mut output = Output::new();
    match &arguments.what {
        Some(What::Systemd(arguments)) => systemd::run(arguments, &mut output)?,
        None => {
            let mut change = Change::new(&mut output, arguments.dry_run);
            files(&arguments.places, &mut change)?;
            if arguments.separate {
                separate::run(&arguments.places, &mut change)?;
            }
        }
    }
    output.flush()
}

/// The command and the library. What is running goes on with what it has.
fn files(places: &Places, change: &mut Change<'_>) -> Result<(), Failure> {
    let library = library::find()?;
    let own = std::env::current_exe()
        .map_err(|error| Failure::other(format!("cannot find this program: {}", reason(&error))))?;
    for (from, to) in [(library, places.library()), (own, places.program())] {
        let content = std::fs::read(&from).map_err(|error| {
            Failure::other(format!("cannot read `{}`: {}", from.display(), reason(&error)))
        })?;
        change.file(&to, &content, 0o755)?;
    }
    let using = places::users_of(&places.library());
    if !using.is_empty() {
        change.say(&format!(
            "{} processes go on with the library that they have loaded",
            using.len()
        ))?;
    }
    Ok(())
}
