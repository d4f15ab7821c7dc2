//! Telling the receivers of `audit.yaml` what happens in a tree that no daemon looks after: its parent
//! merges what the tree records and sends it on, while the tree runs and once more at its end.

use crate::audit::config::Config;
use crate::audit::merge::merge;
use crate::verbs::audit_forward::{self, Sending};
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
