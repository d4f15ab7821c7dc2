//! The threads that ask services, beside the evaluator's loop. They start with the first question.

use super::{Address, Answer, Client, Question};
use crate::failure::{Failure, reason};
use rustix::event::{EventfdFlags, eventfd};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

/// How many are asked at a time. Each takes a thread that waits.
const THREADS: usize = 8;

/// How many questions may wait for that.
const MOST: usize = 256;

/// One question on its way: for whom, to whom, about what.
pub struct Asking {
    /// The client that waits for the answer.
    pub token: u64,
    /// The service.
    pub address: Address,
    /// What it is asked.
    pub question: Question,
}

/// The threads, from the loop's side.
pub struct Pool {
    jobs: SyncSender<Asking>,
    done: Receiver<(u64, Answer)>,
    bell: OwnedFd,
}

impl Pool {
    /// Starts them. They end with this value.
    ///
    /// # Errors
    /// If there are no threads or no descriptor to be had.
    pub fn start() -> Result<Self, Failure> {
        let failed = |error: std::io::Error| {
            Failure::other(format!("cannot start a thread: {}", reason(&error)))
        };
        let flags = EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK;
        let bell = Arc::new(eventfd(0, flags).map_err(|errno| failed(errno.into()))?);
        let own = bell.try_clone().map_err(failed)?;
        let (jobs, waiting) = sync_channel::<Asking>(MOST);
        let (finished, done) = sync_channel(MOST + THREADS);
        // Looked at once, when it is first needed; a mistake in it is every question's answer.
        let client = Arc::new(Client::new().map_err(|failure| failure.message));
        if let Err(why) = client.as_ref() {
            complain!("rampart: warning: {why}; rules that ask services deny");
        }
        let waiting = Arc::new(Mutex::new(waiting));
        for _ in 0..THREADS {
            let (waiting, finished) = (Arc::clone(&waiting), finished.clone());
            let (client, bell) = (Arc::clone(&client), Arc::clone(&bell));
            let work = move || {
                loop {
                    let next = waiting.lock().unwrap_or_else(PoisonError::into_inner).recv();
                    let Ok(Asking { token, address, question }) = next else { return };
                    let answer = match client.as_ref() {
                        Ok(client) => client.ask(&address, &question),
                        Err(why) => Answer::Misconfigured(why.clone()),
                    };
                    if finished.send((token, answer)).is_err() {
                        return;
                    }
                    // A full counter rings, too.
                    let _ = rustix::io::write(&bell, &1_u64.to_ne_bytes());
                }
            };
            thread::Builder::new().name("webhook".to_owned()).spawn(work).map_err(failed)?;
        }
        Ok(Self { jobs, done, bell: own })
    }

    /// Has a question asked. Whether there was room for it.
    pub fn take(&self, asking: Asking) -> bool {
        self.jobs.try_send(asking).is_ok()
    }

    /// What was answered since the last time.
    pub fn finished(&self) -> Vec<(u64, Answer)> {
        let mut count = [0; 8];
        // Silenced before looking: what is finished after that rings again.
        let _ = rustix::io::read(&self.bell, &mut count);
        self.done.try_iter().collect()
    }

    /// Can be read when something is answered.
    pub fn bell(&self) -> BorrowedFd<'_> {
        self.bell.as_fd()
    }
}
