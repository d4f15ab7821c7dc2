//! Telling the receivers of `audit.yaml` what happens where no daemon looks after it. The parent of a tree
//! merges what the tree records and sends it on, while the tree runs and once more at its end; an agent's
//! hook leaves that to a process of its own.

use crate::audit::config::Config;
use crate::audit::merge::merge;
use crate::channel::Connection;
use crate::hosts::decide::socket;
use crate::launch::environment::Environment;
use crate::launch::exec;
use crate::verbs::audit_forward::{self, Sending};
use rustix::fs::{FlockOperation, flock};
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// How often spools are merged.
const MERGE: Duration = Duration::from_secs(1);

/// How long the end of a tree may be delayed by a receiver that does not answer. What is not sent
/// by then waits in the log for whoever sends next.
const LAST: Duration = Duration::from_secs(2);

/// Somebody who tells.
pub struct Teller {
    places: Vec<PathBuf>,
    sending: Sending,
    stop: Sender<()>,
    thread: JoinHandle<()>,
}

impl Teller {
    /// Starts telling what is in the log of `directory`; `None` if nobody wants to know, or it cannot
    /// be, which is said.
    pub fn start(directory: &Path) -> Option<Self> {
        let config = Config::load();
        let config = config
            .inspect_err(|failure| complain!("rampart: warning: {}", failure.message))
            .ok()?;
        if config.receivers().is_empty() {
            return None;
        }
        let places = vec![directory.to_owned()];
        let started = audit_forward::start(directory, &config);
        let sending = started
            .inspect_err(|failure| complain!("rampart: warning: {}", failure.message))
            .ok()?;
        let (stop, stopped) = channel();
        let all = places.clone();
        let thread =
            thread::Builder::new().name("merge".to_owned()).spawn(move || work(&all, &stopped));
        Some(Self { places, sending, stop, thread: thread.ok()? })
    }

    /// Tells the rest.
    pub fn finish(self) {
        drop(self.stop);
        // It panicked if at all; the log is whole whatever it did last.
        let _ = self.thread.join();
        // What cannot be merged stays in the spools.
        let _ = merge(&self.places);
        self.sending.finish(LAST);
    }
}

fn work(places: &[PathBuf], stopped: &Receiver<()>) {
    while matches!(stopped.recv_timeout(MERGE), Err(RecvTimeoutError::Timeout)) {
        let _ = merge(places);
    }
}

/// Tells what an agent's hook has recorded, in a process of its own: the host waits for this one. Where an
/// evaluator is up, it does that.
pub fn aside(environment: &Environment) {
    let Some(log) = environment.value("RAMPART_AUDIT_DIR").map(PathBuf::from) else {
        return;
    };
    if socket(environment).is_some_and(|path| Connection::open(&path).is_ok()) {
        return;
    }
    // If it cannot be started, it waits for whoever sends next.
    if !matches!(exec::fork(), Ok(None)) {
        return;
    }
    // Out of the session and the pipes of the host, which may wait for their end.
    let _ = rustix::process::setsid();
    if let Ok(null) = File::options().read(true).write(true).open("/dev/null") {
        let _ = rustix::stdio::dup2_stdin(&null);
        let _ = rustix::stdio::dup2_stdout(&null);
        let _ = rustix::stdio::dup2_stderr(&null);
        let _ = in_turn(&log);
    }
    std::process::exit(0);
}

/// Tells what is in the log. Of many who want to, one is at it and one waits: that one will find what the
/// others have recorded.
fn in_turn(log: &Path) -> io::Result<()> {
    let lock = |name: &str, how| {
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(false).mode(0o600);
        let file = options.custom_flags(libc::O_NOFOLLOW).open(log.join(name))?;
        flock(&file, how)?;
        io::Result::Ok(file)
    };
    let next = lock("tell-next.lock", FlockOperation::NonBlockingLockExclusive)?;
    let _turn = lock("tell.lock", FlockOperation::LockExclusive)?;
    drop(next);
    if let Some(teller) = Teller::start(log) {
        teller.finish();
    }
    Ok(())
}
