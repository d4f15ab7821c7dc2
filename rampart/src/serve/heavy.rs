//! Requests that are a lot to judge: a thread of their own, so that the loop, and everybody else, goes
//! on meanwhile. It sees nothing but the request and the policy; what comes of it is concluded
//! by the loop.

use super::brain::{Brain, InForce};
use super::peer::Peer;
use super::reports::refused;
use super::weigh::{Weighed, weigh};
use crate::channel::Sealed;
use crate::failure::{Failure, reason};
use evaluator::wire::{Body, Kind, Malformed};
use rustix::event::{EventfdFlags, eventfd};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

/// How many requests may wait for this: each holds at most 8 MiB of its sender's memory.
const MOST: usize = 256;

/// Where a body is.
pub enum Content {
    /// Here.
    Bytes(Vec<u8>),
    /// In a memfd that has not been looked at.
    Sealed(Sealed),
}

/// A request.
pub struct Job {
    /// The client that sent it.
    pub token: u64,
    /// What it is.
    pub kind: Kind,
    /// Its body.
    pub content: Content,
    /// Who sent it.
    pub peer: Peer,
    /// The policy that was in force when it came.
    pub policy: Arc<InForce>,
}

/// The thread, from the loop's side.
pub struct Worker {
    jobs: SyncSender<Job>,
    done: Receiver<(u64, Weighed)>,
    bell: OwnedFd,
}

impl Worker {
    /// Starts it, with `brain` to work with. It ends with this value.
    ///
    /// # Errors
    /// If there is no thread or no descriptor to be had.
    pub fn start(mut brain: Brain) -> Result<Self, Failure> {
        let failed = |error: std::io::Error| {
            Failure::other(format!("cannot start a thread: {}", reason(&error)))
        };
        let flags = EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK;
        let bell = eventfd(0, flags).map_err(|errno| failed(errno.into()))?;
        let own = bell.try_clone().map_err(failed)?;
        let (jobs, received) = sync_channel::<Job>(MOST);
        let (finished, done) = sync_channel(MOST);
        thread::Builder::new()
            .name("heavy".to_owned())
            .spawn(move || {
                for job in received {
                    if finished.send((job.token, work(job, &mut brain))).is_err() {
                        return;
                    }
                    // A full counter rings, too.
                    let _ = rustix::io::write(&own, &1_u64.to_ne_bytes());
                }
            })
            .map_err(failed)?;
        Ok(Self { jobs, done, bell })
    }

    /// Hands over `job`. Whether there was room for it.
    pub fn take(&self, job: Job) -> bool {
        self.jobs.try_send(job).is_ok()
    }

    /// What was finished since the last time.
    pub fn finished(&self) -> Vec<(u64, Weighed)> {
        let mut count = [0; 8];
        // Silenced before looking: what is finished after that rings again.
        let _ = rustix::io::read(&self.bell, &mut count);
        self.done.try_iter().collect()
    }

    /// Can be read when something is finished.
    pub fn bell(&self) -> BorrowedFd<'_> {
        self.bell.as_fd()
    }
}

fn work(job: Job, brain: &mut Brain) -> Weighed {
    let bytes = match job.content {
        Content::Bytes(bytes) => Some(bytes),
        Content::Sealed(sealed) => sealed.content(),
    };
    let malformed = |malformed: Malformed| Weighed::Said(refused(malformed.text()));
    let Some(bytes) = bytes else {
        return malformed(Malformed::Length);
    };
    match Body::read(&bytes) {
        Ok(body) => weigh(job.kind, body, &job.peer, (brain, &job.policy)),
        Err(error) => malformed(error),
    }
}
