//! Work that other threads of the evaluator bring to the loop: what requests are answered from
//! belongs to the loop alone, so whoever needs it has it done there. Each piece is small; what takes
//! long is done before and after it, outside.

use super::reports::Said;
use super::requests::Desk;
use crate::failure::{Failure, reason};
use rustix::event::{EventfdFlags, eventfd};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};

/// How many pieces of work may wait.
const MOST: usize = 256;

/// How many pieces one round of the loop does, so that its own clients do not wait for more.
const ROUND: usize = 16;

/// Answers for clients of the loop that a piece of work leads to.
type Replies = Vec<(u64, Said)>;

/// One piece.
struct Work {
    run: Box<dyn FnOnce(&mut Desk) -> Replies + Send>,
    /// Is told whether what changed is on the disk.
    kept: Sender<bool>,
}

/// A way into the loop. It can be cloned.
#[derive(Clone)]
pub struct Front {
    work: SyncSender<Work>,
    bell: Arc<OwnedFd>,
}

/// The loop's side.
pub struct Inbox {
    work: Receiver<Work>,
    bell: OwnedFd,
    kept: Vec<Sender<bool>>,
}

/// Both sides.
///
/// # Errors
/// If there is no descriptor to be had.
pub fn pair() -> Result<(Front, Inbox), Failure> {
    let failed = |error: std::io::Error| {
        Failure::other(format!("cannot make a descriptor: {}", reason(&error)))
    };
    let flags = EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK;
    let bell = eventfd(0, flags).map_err(|errno| failed(errno.into()))?;
    let own = bell.try_clone().map_err(failed)?;
    let (work, received) = sync_channel(MOST);
    let front = Front { work, bell: Arc::new(bell) };
    Ok((front, Inbox { work: received, bell: own, kept: Vec::new() }))
}

/// Why nothing was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Undone {
    /// The evaluator is stopping.
    Stopping,
    /// What changed could not be put on the disk, so it must not be relied on.
    NotKept,
}

impl Front {
    /// Has `run` done in the loop, and waits until what it changed is on the disk. Beside its result it
    /// gives the answers for those who wait for what it has done.
    ///
    /// # Errors
    /// If it was not done, or not kept.
    pub fn call<R: Send + 'static>(
        &self,
        run: impl FnOnce(&mut Desk) -> (R, Replies) + Send + 'static,
    ) -> Result<R, Undone> {
        let (send, result) = channel();
        let (kept, is_kept) = channel();
        let run = move |desk: &mut Desk| {
            let (result, replies) = run(desk);
            // Whoever wanted it may have gone.
            let _ = send.send(result);
            replies
        };
        self.work.send(Work { run: Box::new(run), kept }).map_err(|_| Undone::Stopping)?;
        // A full counter rings, too.
        let _ = rustix::io::write(&self.bell, &1_u64.to_ne_bytes());
        let result = result.recv().map_err(|_| Undone::Stopping)?;
        match is_kept.recv() {
            Ok(true) => Ok(result),
            Ok(false) => Err(Undone::NotKept),
            Err(_) => Err(Undone::Stopping),
        }
    }

    /// The same for what changes nothing.
    ///
    /// # Errors
    /// If it was not done.
    pub fn look<R: Send + 'static>(
        &self,
        look: impl FnOnce(&Desk) -> R + Send + 'static,
    ) -> Result<R, Undone> {
        self.call(move |desk| (look(desk), Vec::new()))
    }
}

impl Inbox {
    /// Can be read when there is work.
    pub fn bell(&self) -> BorrowedFd<'_> {
        self.bell.as_fd()
    }

    /// Does what has come. What it changed is to be put on the disk, and then [`Inbox::confirm`].
    pub fn run(&mut self, desk: &mut Desk) -> Replies {
        let mut count = [0; 8];
        // Silenced before looking: what comes after that rings again.
        let _ = rustix::io::read(&self.bell, &mut count);
        let mut replies = Vec::new();
        for work in self.work.try_iter().take(ROUND) {
            replies.extend((work.run)(desk));
            self.kept.push(work.kept);
        }
        if self.kept.len() == ROUND {
            // There may be more.
            let _ = rustix::io::write(&self.bell, &1_u64.to_ne_bytes());
        }
        replies
    }

    /// Tells those whose work was done whether it is on the disk.
    pub fn confirm(&mut self, is_kept: bool) {
        for kept in self.kept.drain(..) {
            let _ = kept.send(is_kept);
        }
    }
}
