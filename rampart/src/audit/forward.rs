//! Sending the log on. The log itself is the queue: for each receiver, one small file remembers how
//! far it has got, and moves on when the receiver has what was sent. So an outage costs nothing but
//! time, a restart loses nothing, and recording never waits for anybody.
//!
//! What waits is bounded. Beyond the limit the oldest is passed over, counted, and noted in the log.

pub mod place;
pub mod receiver;
pub mod tls;

use super::chain::Chain;
use super::config::{Export, Only};
use super::event::Event;
use super::redaction::Redaction;
use crate::failure::{Failure, reason};
use place::{Place, Reader};
use receiver::Receiver;
use serde_json::json;
use std::io;
use std::path::{Path, PathBuf};

/// How much is sent at once: events, and their bytes.
const BATCH: (usize, usize) = (500, 1024 * 1024);

/// Events with their lines.
pub type Batch = Vec<(Event, Vec<u8>)>;

/// One receiver and how far it has got.
pub struct Forwarder {
    directory: PathBuf,
    export: Export,
    receiver: Receiver,
    redaction: Redaction,
    place: Place,
}

/// What was sent and what was not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Events that the receiver has got.
    pub sent: u64,
    /// Entries that were passed over, since too much waited or the files are gone.
    pub dropped: u64,
}

impl Forwarder {
    /// For the log in `directory`. Waits for nobody: another process that does the same is an error.
    ///
    /// # Errors
    /// If the receiver cannot be one, or its place in the log cannot be kept.
    pub fn new(directory: &Path, export: &Export, redaction: Redaction) -> Result<Self, Failure> {
        let failed = |what: String| {
            Failure::other(format!("cannot send events to `{}`: {what}", export.name))
        };
        let receiver = Receiver::new(export).map_err(failed)?;
        let place = Place::open(directory, &export.name, export.hook.is_some())
            .map_err(|error| failed(reason(&error)))?;
        let (directory, export) = (directory.to_owned(), export.clone());
        Ok(Self { directory, export, receiver, redaction, place })
    }

    /// Sends what is there, batch by batch.
    ///
    /// # Errors
    /// What keeps it from going on; what was sent by then stays sent.
    pub fn send(&mut self) -> Result<Progress, Failure> {
        let mut progress = Progress::default();
        let failed = |name: &str, error: &io::Error| {
            Failure::other(format!("cannot send events to `{name}`: {}", reason(error)))
        };
        let name = self.export.name.clone();
        let limit = self.export.queue.saturating_mul(1024 * 1024);
        let dropped = self.place.bound(&self.directory, limit).map_err(|e| failed(&name, &e))?;
        if dropped > 0 {
            progress.dropped = dropped;
            self.note(dropped)?;
            self.place.keep().map_err(|e| failed(&name, &e))?;
        }
        let mut reader =
            Reader::open(&self.directory, &self.place).map_err(|e| failed(&name, &e))?;
        loop {
            let (events, is_end) = self.batch(&mut reader).map_err(|e| failed(&name, &e))?;
            if !events.is_empty() {
                self.receiver.send(&events).map_err(|e| failed(&name, &e))?;
                progress.sent += events.len() as u64;
            }
            if reader.place() != self.place.position() {
                self.place.set(reader.place());
                self.place.keep().map_err(|e| failed(&name, &e))?;
            }
            if is_end {
                return Ok(progress);
            }
        }
    }

    /// The next events with their lines, and whether that is all there is.
    fn batch(&self, reader: &mut Reader) -> io::Result<(Batch, bool)> {
        let (mut events, mut size) = (Vec::new(), 0);
        while events.len() < BATCH.0 && size < BATCH.1 {
            let Some(line) = reader.next_line()? else {
                return Ok((events, true));
            };
            let line = self.redaction.line(&line).into_owned();
            let event = Event::parse(&line).filter(|event| match self.export.only {
                Only::All => true,
                Only::Notable => {
                    let is_told = event.is_notable() || event.is_of_service();
                    is_told && !(self.export.hook.is_some() && event.is_heartbeat())
                }
            });
            if let Some(event) = event {
                size += line.len();
                events.push((event, line));
            }
        }
        Ok((events, false))
    }

    /// Says in the log what was passed over.
    fn note(&self, count: u64) -> Result<(), Failure> {
        let mut chain = Chain::open(&self.directory)?;
        super::merge::finish(&self.directory, &mut chain)?;
        let note = json!({"note": "dropped", "receiver": self.export.name, "entries": count});
        chain.note(note).and_then(|()| chain.commit()).map_err(|error| {
            Failure::other(format!("cannot write to the audit log: {}", reason(&error)))
        })
    }
}

#[cfg(test)]
mod tests;
