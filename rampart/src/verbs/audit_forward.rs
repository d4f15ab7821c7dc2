//! `rampart audit forward`: sends events to the receivers of `audit.yaml`. `rampart serve` does it by
//! itself; this is for where no evaluator runs.

use crate::audit::config::Config;
use crate::audit::forward::Forwarder;
use crate::audit::merge::merge;
use crate::audit::redaction::Redaction;
use crate::audit::{self};
use crate::directories::Directories;
use crate::failure::Failure;
use crate::output::Output;
use serde_json::json;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

/// How long is waited when there was nothing to send, and at most after failures.
const PAUSE: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(60);

/// Sends what the receivers of audit.yaml have not got yet
///
/// Exit status: 0 if all of them have got everything, 1 if one has not.
#[derive(clap::Args, Debug)]
pub struct Arguments {
    /// The file to use in place of /etc/rampart/audit.yaml or ~/.config/rampart/audit.yaml
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Go on until interrupted
    #[arg(short, long)]
    follow: bool,
    /// One JSON object for each receiver
    #[arg(long)]
    json: bool,
}

/// Runs the verb.
///
/// # Errors
/// If the configuration cannot be used.
pub fn run(arguments: &Arguments) -> Result<u8, Failure> {
    let config = match &arguments.config {
        Some(path) => Config::read(path)?
            .ok_or_else(|| Failure::usage(format!("there is no file `{}`", path.display())))?,
        None => Config::load()?,
    };
    if config.receivers().is_empty() {
        let what = "no receivers: audit.yaml has neither `exports` nor `notify`";
        return Err(Failure::usage(what));
    }
    let directories = Directories::from_environment();
    let main = directories.make_audit()?;
    let places = audit::places(&directories)?;
    merge(&places)?;
    if arguments.follow {
        return follow(&main, &places, &config);
    }
    let mut output = Output::new();
    let mut status = 0;
    for export in &config.receivers() {
        let redaction = Redaction::new(&config.redact).map_err(Failure::usage)?;
        let sent = Forwarder::new(&main, export, redaction).and_then(|mut one| one.send());
        let why = sent.as_ref().err().map(|failure| failure.message.clone());
        status |= u8::from(why.is_some());
        let progress = sent.unwrap_or_default();
        let name = &export.name;
        match (arguments.json, &why) {
            (true, _) => output.line(
                &json!({"name": name, "sent": progress.sent, "dropped": progress.dropped, "error": why})
                    .to_string(),
            )?,
            (false, Some(why)) => complain!("rampart: error: {why}"),
            (false, None) => {
                output.line(&format!("{name}: {} sent, {} passed over", progress.sent, progress.dropped))?;
            }
        }
    }
    output.flush()?;
    Ok(status)
}

fn follow(main: &Path, places: &[PathBuf], config: &Config) -> Result<u8, Failure> {
    start(main, config)?;
    loop {
        merge(places)?;
        thread::sleep(PAUSE);
    }
}

/// Sends to every receiver from now on, each in a thread of its own, until the process ends.
///
/// # Errors
/// If a receiver cannot be one, or there can be no thread.
pub fn start(main: &Path, config: &Config) -> Result<(), Failure> {
    for export in &config.receivers() {
        let redaction = Redaction::new(&config.redact).map_err(Failure::usage)?;
        let mut forwarder = Forwarder::new(main, export, redaction)?;
        let work = move || {
            let (mut pause, mut complaint) = (PAUSE, (String::new(), Instant::now()));
            loop {
                match forwarder.send() {
                    Ok(_) => {
                        pause = PAUSE;
                        complaint.0.clear();
                    }
                    Err(failure) => {
                        // The same is said again after a while only.
                        let is_old = complaint.1.elapsed() > 10 * LONGEST;
                        if complaint.0 != failure.message || is_old {
                            complain!("rampart: warning: {}", failure.message);
                            complaint = (failure.message, Instant::now());
                        }
                        pause = (pause * 2).min(LONGEST);
                    }
                }
                thread::sleep(pause);
            }
        };
        thread::Builder::new().name(format!("to {}", export.name)).spawn(work).map_err(
            |error| {
                Failure::other(format!("cannot send events: {}", crate::failure::reason(&error)))
            },
        )?;
    }
    Ok(())
}
