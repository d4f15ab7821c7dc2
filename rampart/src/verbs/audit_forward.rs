//! `rampart audit forward`: sends events to the receivers of `audit.yaml`. `rampart serve` does it by
//! itself; this is for where no evaluator runs.

use crate::audit::config::{Config, Export};
use crate::audit::forward::Forwarder;
use crate::audit::forward::place::BUSY;
use crate::audit::merge::merge;
use crate::audit::redaction::Redaction;
use crate::audit::{self};
use crate::directories::Directories;
use crate::failure::Failure;
use crate::output::Output;
use crate::serve::signals;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

/// How long is waited when there was nothing to send, and at most after failures.
const PAUSE: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(60);

/// How long is sent at the end, at most.
pub const LAST: Duration = Duration::from_secs(5);

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
    let stop = signals::caught(&[libc::SIGTERM, libc::SIGINT])?;
    let sending = start(main, config)?;
    let pause = Timespec::try_from(PAUSE).unwrap_or_default();
    loop {
        merge(places)?;
        let mut waiting = [PollFd::new(&stop, PollFlags::IN)];
        if poll(&mut waiting, Some(&pause)).is_ok_and(|count| count > 0) {
            sending.finish(LAST);
            return Ok(0);
        }
    }
}

/// Threads that send events, one for each receiver.
pub struct Sending {
    /// Dropped when it is to end.
    stops: Vec<Sender<()>>,
    ended: Receiver<()>,
}

impl Sending {
    /// Sends what is there now, as far as that can be done in `limit`, and ends.
    pub fn finish(self, limit: Duration) {
        let started = Instant::now();
        let count = self.stops.len();
        drop(self.stops);
        for _ in 0..count {
            // What is not sent waits in the log.
            let _ = self.ended.recv_timeout(limit.saturating_sub(started.elapsed()));
        }
    }
}

/// Sends to every receiver from now on, until [`Sending::finish`] or the end of the process. A
/// receiver to whom another process sends is taken over when that ends.
///
/// # Errors
/// If a receiver cannot be one, or there can be no thread.
pub fn start(main: &Path, config: &Config) -> Result<Sending, Failure> {
    let (end, ended) = channel();
    let mut stops = Vec::new();
    for export in config.receivers() {
        let redaction = Redaction::new(&config.redact).map_err(Failure::usage)?;
        let (stop, stopped) = channel();
        let (main, end) = (main.to_owned(), end.clone());
        let first = Forwarder::new(&main, &export, redaction);
        let mut line = Line { main, export, patterns: config.redact.clone(), open: None };
        match first {
            Ok(forwarder) => line.open = Some(forwarder),
            Err(failure) if failure.message.contains(BUSY) => {}
            Err(failure) => return Err(failure),
        }
        let name = format!("to {}", line.export.name);
        let work = move || {
            line.work(&stopped);
            let _ = end.send(());
        };
        thread::Builder::new().name(name).spawn(work).map_err(|error| {
            Failure::other(format!("cannot send events: {}", crate::failure::reason(&error)))
        })?;
        stops.push(stop);
    }
    Ok(Sending { stops, ended })
}

/// The way to one receiver.
struct Line {
    main: PathBuf,
    export: Export,
    patterns: Vec<String>,
    open: Option<Forwarder>,
}

impl Line {
    fn work(&mut self, stopped: &Receiver<()>) {
        let (mut pause, mut complaint) = (PAUSE, (String::new(), Instant::now()));
        let mut is_over = false;
        loop {
            match self.send() {
                Ok(()) => {
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
            if is_over {
                return;
            }
            is_over = !matches!(stopped.recv_timeout(pause), Err(RecvTimeoutError::Timeout));
        }
    }

    fn send(&mut self) -> Result<(), Failure> {
        if self.open.is_none() {
            let redaction = Redaction::new(&self.patterns).map_err(Failure::usage)?;
            match Forwarder::new(&self.main, &self.export, redaction) {
                Ok(forwarder) => self.open = Some(forwarder),
                Err(failure) if failure.message.contains(BUSY) => return Ok(()),
                Err(failure) => return Err(failure),
            }
        }
        self.open.as_mut().map_or(Ok(()), |open| open.send().map(|_| ()))
    }
}
