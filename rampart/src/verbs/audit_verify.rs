//! `rampart audit verify`, `seal` and `anchor`: what the log proves, and what it takes to prove it.

use crate::audit::chain::Chain;
use crate::audit::entry::Tip;
use crate::audit::merge::merge;
use crate::audit::seal::{self, Key};
use crate::audit::verify::{Against, Problem, Report, verify};
use crate::audit::{self};
use crate::directories::Directories;
use crate::failure::{Failure, reason, status};
use crate::output::Output;
use crate::policy::json;
use std::io::Read as _;
use std::path::{Path, PathBuf};

/// Says what the audit log proves
///
/// Exit status: 0 if it is intact, 1 if something is broken or missing, 2 if that cannot be checked.
/// Without a key only changes that do not rewrite everything behind them are found.
#[derive(clap::Args, Debug)]
pub struct Verify {
    /// The verification key that `rampart audit seal` showed, or `-` to read it from standard input
    #[arg(long, value_name = "KEY")]
    key: Option<String>,
    /// A file that holds what `rampart audit anchor` printed, or a heartbeat or an event (JSON) that was
    /// sent elsewhere, kept where this user cannot write; of several lines the last counts
    #[arg(long, value_name = "FILE")]
    anchor: Option<PathBuf>,
    /// As one JSON object
    #[arg(long)]
    json: bool,
}

/// Starts sealing the log: from now on what was sealed cannot be forged, not even by this user
///
/// Shows the verification key once. Write it down, or keep it on another machine.
#[derive(clap::Args, Debug)]
pub struct Seal {}

/// Prints the end of the log in one line, to be kept elsewhere: nothing before it can then be cut
/// off or rewritten unseen
#[derive(clap::Args, Debug)]
pub struct Anchor {}

/// Runs `verify`.
///
/// # Errors
/// Exit status 2 if the log or what it is to be held against cannot be read.
pub fn run(arguments: &Verify) -> Result<u8, Failure> {
    let against = Against {
        key: arguments.key.as_deref().map(key).transpose()?,
        anchor: arguments.anchor.as_deref().map(anchor).transpose()?,
    };
    let places = audit::places(&Directories::from_environment())?;
    if let Err(failure) = merge(&places) {
        complain!("rampart: warning: {}", failure.message);
    }
    let main = places.first().cloned().unwrap_or_default();
    let report = verify(&main, &against).map_err(|error| {
        let why = reason(&error);
        Failure::usage(format!("cannot check the log in `{}`: {why}", main.display()))
    })?;
    if report.files == 0 && against.key.is_none() && against.anchor.is_none() {
        let place = main.display();
        return Err(Failure::usage(format!("there is no log in `{place}`: nothing to check")));
    }
    let mut output = Output::new();
    if arguments.json {
        output.line(&json(&report)?)?;
    } else {
        print(&report, &mut output)?;
    }
    output.flush()?;
    Ok(if report.problem_count > 0 { status::DENIED } else { 0 })
}

fn print(report: &Report, output: &mut Output) -> Result<(), Failure> {
    let place = |found: &Problem| match (found.file.as_str(), found.line) {
        ("", _) => String::new(),
        (file, 0) => format!("{file}: "),
        (file, line) => format!("{file}:{line}: "),
    };
    for found in &report.problems {
        output.line(&format!("broken: {}{}", place(found), found.what))?;
    }
    let untold = report.problem_count.saturating_sub(report.problems.len() as u64);
    if untold > 0 {
        output.line(&format!("broken: {untold} more"))?;
    }
    for found in &report.notes {
        output.line(&format!("note: {}{}", place(found), found.what))?;
    }
    output.line(&format!(
        "{} entries in {} files, {} to {}",
        report.entries, report.files, report.first, report.last
    ))?;
    let proof = match (report.proven_upto, report.seals) {
        (Some(upto), _) => format!("proven by the seals up to entry {upto}"),
        (None, 0) => "not sealed (`rampart audit seal` starts that)".to_owned(),
        (None, seals) => format!(
            "{seals} seals up to entry {}, not checked (that takes --key)",
            report.sealed_upto
        ),
    };
    output.line(&proof)?;
    if let Some(upto) = report.anchored_upto {
        output.line(&format!("as the anchor says up to entry {upto}"))?;
    }
    let proven = report.proven_upto.unwrap_or(0).max(report.anchored_upto.unwrap_or(0));
    if report.problem_count == 0 && report.last > proven {
        let from = proven.saturating_add(1);
        output.line(&format!("entries {from} to {} are only consistent", report.last))?;
    }
    output.line(if report.problem_count == 0 { "intact" } else { "NOT intact" })
}

fn key(given: &str) -> Result<Key, Failure> {
    let mut text = given.to_owned();
    if given == "-" {
        text.clear();
        let read = std::io::stdin().lock().take(4096).read_to_string(&mut text);
        read.map_err(|error| Failure::usage(format!("cannot read the key: {}", reason(&error))))?;
    }
    Key::from_verification(&text).ok_or_else(|| {
        Failure::usage(
            "that is no verification key; it looks like rampart-audit-1-… with 64 digits",
        )
    })
}

fn anchor(path: &Path) -> Result<Tip, Failure> {
    let text = std::fs::read(path).map_err(|error| {
        let why = reason(&error);
        Failure::usage(format!("cannot read the anchor `{}`: {why}", path.display()))
    })?;
    let text = String::from_utf8_lossy(&text);
    let tip = text.lines().rev().find_map(Tip::read);
    tip.ok_or_else(|| {
        let place = path.display();
        Failure::usage(format!("`{place}` holds neither a line that `rampart audit anchor` prints nor an entry of the log"))
    })
}

/// Runs `seal`.
///
/// # Errors
/// If the log is sealed already, or cannot be written.
pub fn seal(_: &Seal) -> Result<(), Failure> {
    let directories = Directories::from_environment();
    let main = directories.make_audit()?;
    merge(&audit::places(&directories)?)?;
    let shown = seal::start(&main)?;
    let mut output = Output::new();
    output.line(&shown)?;
    output.flush()?;
    complain!(
        "rampart: this verification key is shown once and kept nowhere: write it down, or store it on \
         another machine. `rampart audit verify --key KEY` needs it"
    );
    Ok(())
}

/// Runs `anchor`.
///
/// # Errors
/// If the log cannot be used.
pub fn print_anchor(_: &Anchor) -> Result<(), Failure> {
    let directories = Directories::from_environment();
    let main = directories.make_audit()?;
    merge(&audit::places(&directories)?)?;
    let tip = Chain::open(&main)?.tip();
    let mut output = Output::new();
    output.line(&tip.to_string())?;
    output.flush()
}
