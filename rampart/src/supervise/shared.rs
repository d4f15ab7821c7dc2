//! What the threads of a supervisor share. Each answers calls by itself; what takes its time (a person's
//! answer, a process that is held while nobody else waits for calls) is handed to the first thread, whose loop
//! ([`super::supervisor`]) waits for everything at once.

use super::kernel::{Listener, Notice};
use super::tracee::Tracee;
use super::workers::Crew;
use crate::channel::Connection;
use crate::policy::renewal::Renewal;
use crate::serve::brain::InForce;
use evaluator::settle::Settled;
use rustix::event::{EventfdFlags, eventfd};
use rustix::io::Errno;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Who waits for the answer of a person.
pub enum Waiting {
    /// A call that was put to us.
    Call(Notice),
    /// A process that the first thread holds.
    Held(u32),
}

/// One question that is out.
pub struct Question {
    /// Where the answer comes.
    pub connection: Connection,
    /// Whose call it is about.
    pub tracee: Tracee,
    /// Who waits.
    pub waiting: Waiting,
    /// What no answer comes to.
    pub alone: Settled,
}

/// What is handed to the first thread.
pub enum Task {
    /// To wait for an answer.
    Ask(Box<Question>),
    /// To let a call go ahead, and to hold and judge the process behind it.
    Hold(Notice, Box<Tracee>),
}

/// What all threads look at.
pub struct Shared {
    /// Where calls are put.
    pub listener: Listener,
    /// The policy, and what it is renewed from.
    policy: Mutex<(Renewal, Arc<InForce>)>,
    tasks: Mutex<Vec<Task>>,
    /// Can be read when there are tasks.
    bell: OwnedFd,
    /// How many threads wait for calls.
    waiting: AtomicUsize,
    is_over: AtomicBool,
    /// The threads.
    pub crew: Crew,
}

impl Shared {
    /// For calls that are put to `listener`, judged by `policy` until `renewal` has another one.
    ///
    /// # Errors
    /// If there is no descriptor to be had.
    pub fn new(listener: Listener, policy: Arc<InForce>, renewal: Renewal) -> Result<Self, Errno> {
        Ok(Self {
            listener,
            policy: Mutex::new((renewal, policy)),
            tasks: Mutex::default(),
            bell: eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?,
            waiting: AtomicUsize::new(0),
            is_over: AtomicBool::new(false),
            crew: Crew::default(),
        })
    }

    /// The policy as it is now.
    pub fn policy(&self) -> Arc<InForce> {
        let mut guard = locked(&self.policy);
        let (renewal, policy) = &mut *guard;
        if let Some(new) = renewal.due() {
            *policy = Arc::new(new);
        }
        Arc::clone(policy)
    }

    /// Hands `task` to the first thread.
    pub fn hand_over(&self, task: Task) {
        locked(&self.tasks).push(task);
        // If it cannot count any further, it can be read.
        let _ = rustix::io::write(&self.bell, &1_u64.to_ne_bytes());
    }

    /// What was handed over since the last time.
    pub fn tasks(&self) -> Vec<Task> {
        let _ = rustix::io::read(&self.bell, &mut [0; 8]);
        std::mem::take(&mut *locked(&self.tasks))
    }

    /// What can be read when there are tasks.
    pub fn bell(&self) -> BorrowedFd<'_> {
        self.bell.as_fd()
    }

    /// Takes the next call, and waits for it; `None` if that was interrupted, or the caller is gone.
    pub fn receive(&self) -> Option<Notice> {
        self.waiting.fetch_add(1, Ordering::SeqCst);
        let received = self.listener.receive().ok();
        self.waiting.fetch_sub(1, Ordering::SeqCst);
        received
    }

    /// Whether some thread waits for calls.
    pub fn is_attended(&self) -> bool {
        self.waiting.load(Ordering::SeqCst) > 0
    }

    /// Whether threads are to take no more calls.
    pub fn is_over(&self) -> bool {
        self.is_over.load(Ordering::SeqCst)
    }

    /// Says whether threads are to take no more calls.
    pub fn set_over(&self, is_over: bool) {
        self.is_over.store(is_over, Ordering::SeqCst);
    }
}

/// Whoever held it and failed has left it whole.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
