//! Events that come to the evaluator over its socket, and spools, put into the log by one thread
//! beside the loop: a disk that is slow delays no verdict.
//!
//! Whatever came in while one fdatasync(2) was at work shares the next one (group commit). Nobody is
//! told that an event is recorded before it is durable.

use super::chain::Chain;
use super::config::Config;
use super::entry::Tip;
use super::liveness::Said;
use super::merge::Writing;
use super::redaction::Redaction;
use super::{merge, retention, seal};
use crate::failure::{Failure, reason};
use rustix::event::{EventfdFlags, eventfd};
use serde_json::json;
use std::fs::Metadata;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Weak};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How often spools are merged and the log is sealed.
const MERGE: Duration = Duration::from_secs(1);

/// Most bytes that one request may hold, and that may wait for the disk.
const LARGE: usize = 64 * 1024;
const WAITING: usize = 64 * 1024 * 1024;

/// How often the log is looked at for files that have become too old.
const RETAIN: Duration = Duration::from_secs(3600);

/// How long an event may wait for the log. Whoever sent it waits longer, and puts it elsewhere then.
pub const LATE: Duration = Duration::from_secs(2);

/// Most bytes that share an fdatasync(2).
const GROUP: usize = 8 * 1024 * 1024;

/// The last entry, or why the events are not in the log.
pub type Outcome = Result<Tip, String>;

/// What one client wants recorded.
struct Job {
    whose: Whose,
    uid: u32,
    events: Vec<Vec<u8>>,
    length: usize,
    since: Instant,
}

/// Who is told what came of a job.
enum Whose {
    /// The client of this token.
    Client(u64),
    /// The service itself.
    Own(Sender<Outcome>),
}

/// What came of it.
struct Done {
    token: u64,
    outcome: Outcome,
    length: usize,
}

/// The thread, and the ways to and from it.
pub struct Recorder {
    main: PathBuf,
    jobs: Option<Arc<Sender<Job>>>,
    done: Receiver<Done>,
    wake: Arc<OwnedFd>,
    /// Bytes that were given to the thread and not answered yet.
    waiting: std::cell::Cell<usize>,
    thread: Option<JoinHandle<()>>,
}

impl Recorder {
    /// Starts the thread. The log is that of the first of `places`; spools of all of them are merged.
    ///
    /// # Errors
    /// If the log cannot be opened, or there can be no thread.
    pub fn start(places: Vec<PathBuf>) -> Result<Self, Failure> {
        if let Some(main) = places.first() {
            // What is wrong with it is said now, to whoever starts the service.
            drop(Chain::open(main)?);
        }
        let main = places.first().cloned().unwrap_or_default();
        let failed = |what: String| Failure::other(format!("cannot record events: {what}"));
        let flags = EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK;
        let wake = eventfd(0, flags).map_err(|errno| failed(reason(&errno.into())))?;
        let wake = Arc::new(wake);
        let ((jobs, taken), (answered, done)) = (mpsc::channel(), mpsc::channel());
        let mut worker = Worker {
            places,
            answered,
            wake: Arc::clone(&wake),
            merged: Instant::now(),
            is_sealed: true,
            complaint: String::new(),
            kept: None,
            writing: Writing::new(Redaction::new(&Config::load()?.redact).map_err(Failure::usage)?),
        };
        let thread = std::thread::Builder::new()
            .name("recorder".to_owned())
            .spawn(move || worker.work(&taken))
            .map_err(|error| failed(reason(&error)))?;
        let (jobs, thread) = (Some(Arc::new(jobs)), Some(thread));
        Ok(Self { main, jobs, done, wake, waiting: std::cell::Cell::new(0), thread })
    }

    /// Has `events` of user `uid` recorded; [`Recorder::done`] tells `token` when they are.
    ///
    /// # Errors
    /// Why not.
    pub fn record(
        &mut self,
        token: u64,
        uid: u32,
        events: Vec<Vec<u8>>,
    ) -> Result<(), &'static str> {
        let length = events.iter().map(Vec::len).sum();
        if events.is_empty() || length > LARGE {
            return Err("one to many events, at most 64 KiB together, can be recorded at once");
        }
        if self.waiting.get().saturating_add(length) > WAITING {
            return Err("the disk is too slow for so many events; try again");
        }
        let whose = Whose::Client(token);
        let job = Job { whose, uid, events, length, since: Instant::now() };
        let sent = self.jobs.as_ref().map(|jobs| jobs.send(job));
        match sent {
            Some(Ok(())) => {
                self.waiting.set(self.waiting.get() + length);
                Ok(())
            }
            _ => Err("nothing is recorded any more"),
        }
    }

    /// What the service itself records by; it does not keep this from ending.
    pub fn speaker(&self) -> Speaker {
        Speaker { jobs: self.jobs.as_ref().map(Arc::downgrade).unwrap_or_default() }
    }

    /// Whether the log is in `directory`.
    pub fn is_at(&self, directory: &Path) -> bool {
        let which = |path: &Path| std::fs::metadata(path).ok();
        let same = |a: Metadata, b: Metadata| (a.dev(), a.ino()) == (b.dev(), b.ino());
        which(&self.main).zip(which(directory)).is_some_and(|(a, b)| same(a, b))
    }

    /// What came of earlier requests, each once.
    pub fn done(&self) -> Vec<(u64, Outcome)> {
        let _ = rustix::io::read(&self.wake, &mut [0; 8]);
        let done = self.done.try_iter().map(|done| {
            self.waiting.set(self.waiting.get().saturating_sub(done.length));
            (done.token, done.outcome)
        });
        done.collect()
    }
}

/// Puts into the log what the service says of itself.
#[derive(Clone, Default)]
pub struct Speaker {
    jobs: Weak<Sender<Job>>,
}

impl Speaker {
    /// Records `said`, and waits until that is durable: at most [`LATE`] and the time of the disk.
    ///
    /// # Errors
    /// Why it is not recorded.
    pub fn say(&self, said: &Said) -> Outcome {
        let over = || "nothing is recorded any more".to_owned();
        self.put(said).and_then(|told| told.recv().ok()).ok_or_else(over)?
    }

    /// Has `said` recorded; what comes of it can be waited for. `None` if nothing is recorded any more.
    pub fn put(&self, said: &Said) -> Option<Receiver<Outcome>> {
        let (reply, told) = mpsc::channel();
        let events = vec![said.event()];
        let job = Job {
            whose: Whose::Own(reply),
            uid: rustix::process::geteuid().as_raw(),
            length: events.iter().map(Vec::len).sum(),
            events,
            since: Instant::now(),
        };
        self.jobs.upgrade()?.send(job).ok()?;
        Some(told)
    }
}

impl AsFd for Recorder {
    /// Can be read when [`Recorder::done`] has something to say.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.wake.as_fd()
    }
}

impl Drop for Recorder {
    /// Waits until everything that was taken is durable.
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            // It panicked if at all; the log is whole whatever it did last.
            let _ = thread.join();
        }
    }
}

struct Worker {
    places: Vec<PathBuf>,
    answered: Sender<Done>,
    wake: Arc<OwnedFd>,
    merged: Instant,
    /// Whether nothing was recorded since the last seal.
    is_sealed: bool,
    /// What was last said about merging, so that it is said once.
    complaint: String,
    writing: Writing,
    /// How many files the log had when it was last looked at for what is not to be kept, and when.
    kept: Option<(usize, Instant)>,
}

impl Worker {
    fn work(&mut self, jobs: &Receiver<Job>) {
        loop {
            let first = jobs.recv_timeout(MERGE.saturating_sub(self.merged.elapsed()));
            let is_over = matches!(first, Err(RecvTimeoutError::Disconnected));
            if let Ok(first) = first {
                let mut length = first.length;
                let mut group = vec![first];
                while length < GROUP
                    && let Ok(job) = jobs.try_recv()
                {
                    length += job.length;
                    group.push(job);
                }
                self.record(group);
            }
            if is_over || self.merged.elapsed() >= MERGE {
                self.merge();
            }
            if is_over {
                return;
            }
        }
    }

    /// Records the events of `group` with one commit, and tells everybody.
    fn record(&mut self, group: Vec<Job>) {
        let mut good = Vec::new();
        for mut job in group {
            let is_own = matches!(job.whose, Whose::Own(_));
            let one = |event: &Vec<u8>| match event.contains(&b'\n') {
                true => None,
                false if is_own => self.writing.own_event(event),
                false => self.writing.event(event).map(|(line, _)| line),
            };
            match job.events.iter().map(one).collect() {
                Some(lines) => {
                    job.events = lines;
                    good.push(job);
                }
                None => self.tell(job, Err("that is no event".to_owned())),
            }
        }
        if !good.is_empty() {
            let chain = self.open();
            // With the lock of the log in our hands: what is put elsewhere from now on is merged
            // after what we write, and found to be there.
            let (good, late): (Vec<Job>, Vec<Job>) =
                good.into_iter().partition(|job| job.since.elapsed() < LATE);
            let outcome = chain.and_then(|mut chain| self.append(&mut chain, &good));
            let outcome = outcome.map_err(|failure| failure.message);
            for job in good {
                self.tell(job, outcome.clone());
            }
            for job in late {
                self.tell(job, Err("the log was not to be had in time".to_owned()));
            }
        }
        let _ = rustix::io::write(&self.wake, &1_u64.to_ne_bytes());
    }

    fn tell(&self, job: Job, outcome: Outcome) {
        // Nobody listens any more when the service ends.
        match job.whose {
            Whose::Client(token) => {
                let _ = self.answered.send(Done { token, outcome, length: job.length });
            }
            Whose::Own(reply) => {
                let _ = reply.send(outcome);
            }
        }
    }

    /// The log, ready for events.
    fn open(&self) -> Result<Chain, Failure> {
        let Some(main) = self.places.first() else {
            return Err(Failure::other("there is no log"));
        };
        let mut chain = Chain::open(main)?;
        // What a crash cut short is told by the last note alone: it goes first.
        merge::finish(main, &mut chain)?;
        Ok(chain)
    }

    fn append(&mut self, chain: &mut Chain, group: &[Job]) -> Result<Tip, Failure> {
        self.is_sealed = false;
        let mut write = || {
            for jobs in group.chunk_by(|a, b| a.uid == b.uid) {
                let owner = jobs.first().map(|job| job.uid);
                let lines: usize = jobs.iter().map(|job| job.events.len()).sum();
                chain.note(json!({"note": "record", "owner": owner, "lines": lines}))?;
                for line in jobs.iter().flat_map(|job| &job.events) {
                    chain.append(line)?;
                }
            }
            chain.commit()
        };
        write().map_err(|error| {
            Failure::other(format!("cannot write to the audit log: {}", reason(&error)))
        })?;
        Ok(chain.tip())
    }

    /// Merges the spools, and seals what was recorded.
    fn merge(&mut self) {
        let merged = merge::merge(&self.places).and_then(|merged| {
            if merged == 0 && !self.is_sealed {
                self.seal()?;
            }
            self.is_sealed = true;
            self.retain()
        });
        self.merged = Instant::now();
        let complaint = merged.err().map(|failure| failure.message).unwrap_or_default();
        if !complaint.is_empty() && complaint != self.complaint {
            complain!("rampart: warning: {complaint}");
        }
        self.complaint = complaint;
    }

    /// Removes what is not to be kept: when a file is full, and now and then, since files grow old.
    fn retain(&mut self) -> Result<(), Failure> {
        let Some(main) = self.places.first() else {
            return Ok(());
        };
        let count = super::chain_files(main)?.len();
        if self.kept.is_some_and(|(before, at)| before == count && at.elapsed() < RETAIN) {
            return Ok(());
        }
        let pruned = retention::apply(main, &Config::load()?)?;
        self.kept = Some((count.saturating_sub(pruned.files.len()), Instant::now()));
        Ok(())
    }

    fn seal(&self) -> Result<(), Failure> {
        let Some(main) = self.places.first() else {
            return Ok(());
        };
        let mut chain = Chain::open(main)?;
        seal::seal(main, &mut chain).map_err(|error| {
            Failure::other(format!("cannot seal the audit log: {}", reason(&error)))
        })
    }
}

#[cfg(test)]
mod tests;
