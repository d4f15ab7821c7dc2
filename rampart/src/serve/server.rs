//! The loop: one thread, one epoll set. Each round reads at most one packet of every client that
//! has sent one, so that nobody who sends many delays the others; what the round changed is on the
//! disk before anybody is told.

use super::approvals::Outcome;
use super::journal::Journal;
use super::listen::Listener;
use super::requests::{Desk, Handled, Peer, Said, answer, now, refused};
use crate::channel::{self, Received};
use crate::failure::{Failure, reason};
use crate::process::Process;
use rustix::buffer::spare_capacity;
use rustix::event::{PollFd, PollFlags, Timespec, epoll, poll};
use rustix::io::Errno;
use rustix::net::SocketFlags;
use rustix::process::PidfdFlags;
use std::collections::HashMap;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

/// Most clients at a time. A parked request takes a descriptor and a few hundred bytes.
const MOST_CLIENTS: usize = 8192;

/// How long a client may be connected without having asked anything.
const IDLE: Duration = Duration::from_secs(5);

/// How many new clients one round takes.
const ACCEPTED: usize = 64;

/// How often old approvals are forgotten.
const TIDY: Duration = Duration::from_secs(60);

/// What a client is.
struct Client {
    socket: OwnedFd,
    peer: Peer,
    since: Instant,
    /// It waits for an answer of a person.
    parked: bool,
}

/// Which of the watched descriptors an event is for. Clients come after these.
mod token {
    pub const LISTENER: u64 = 0;
    pub const STOP: u64 = 1;
    pub const CLIENTS: u64 = 16;
}

/// Why the loop ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Something can be read from the descriptor that stops it.
    Stopped,
}

/// An evaluator at work.
pub struct Server<'p> {
    /// What requests are answered from.
    pub desk: Desk<'p>,
    listener: Listener,
    journal: Option<Journal>,
    /// Whether other users may connect.
    is_shared: bool,
    set: OwnedFd,
    clients: HashMap<u64, Client>,
    next: u64,
    outbox: Vec<(u64, Said)>,
    tidied: Instant,
}

impl<'p> Server<'p> {
    /// An evaluator that listens at `listener`.
    ///
    /// # Errors
    /// If the kernel has no epoll set for it.
    pub fn new(
        desk: Desk<'p>,
        listener: Listener,
        journal: Option<Journal>,
        is_shared: bool,
    ) -> Result<Self, Failure> {
        let failed = |errno: Errno| {
            Failure::other(format!("cannot wait for clients: {}", reason(&errno.into())))
        };
        let set = epoll::create(epoll::CreateFlags::CLOEXEC).map_err(failed)?;
        let server = Self {
            desk,
            listener,
            journal,
            is_shared,
            set,
            clients: HashMap::new(),
            next: token::CLIENTS,
            outbox: Vec::new(),
            tidied: Instant::now(),
        };
        server.watch(server.listener.socket.as_fd(), token::LISTENER).map_err(failed)?;
        raise_limit();
        Ok(server)
    }

    fn watch(&self, descriptor: BorrowedFd<'_>, token: u64) -> rustix::io::Result<()> {
        let data = epoll::EventData::new_u64(token);
        epoll::add(&self.set, descriptor, data, epoll::EventFlags::IN | epoll::EventFlags::RDHUP)
    }

    /// Serves until something can be read from `stop`.
    ///
    /// # Errors
    /// If the kernel does not let it wait.
    pub fn run(&mut self, stop: BorrowedFd<'_>) -> Result<Ended, Failure> {
        let failed = |errno: Errno| {
            Failure::other(format!("cannot wait for clients: {}", reason(&errno.into())))
        };
        self.watch(stop, token::STOP).map_err(failed)?;
        let mut events = Vec::with_capacity(256);
        loop {
            events.clear();
            let limit = Timespec::try_from(self.patience()).unwrap_or_default();
            match epoll::wait(&self.set, spare_capacity(&mut events), Some(&limit)) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(errno) => return Err(failed(errno)),
            }
            let mut is_stopped = false;
            for event in &events {
                match event.data.u64() {
                    token::LISTENER => self.accept(),
                    token::STOP => is_stopped = true,
                    client => self.read(client),
                }
            }
            self.end_waiting();
            self.deliver();
            if is_stopped {
                return Ok(Ended::Stopped);
            }
            self.tidy();
        }
    }

    /// How long nothing has to be done unless somebody says something.
    fn patience(&self) -> Duration {
        let expiry = self.desk.approvals.next_expiry();
        let expiry = expiry.map(|at| Duration::from_millis(at.saturating_sub(now()) + 1));
        let idle = self.clients.values().any(|client| !client.parked).then_some(IDLE);
        expiry.into_iter().chain(idle).chain([TIDY]).min().unwrap_or(TIDY)
    }

    fn accept(&mut self) {
        for _ in 0..ACCEPTED {
            let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
            let Ok(socket) = rustix::net::accept_with(&self.listener.socket, flags) else {
                return;
            };
            if self.clients.len() >= MOST_CLIENTS && !self.drop_oldest() {
                return;
            }
            let Some(peer) = peer_of(&socket) else {
                continue;
            };
            let own = rustix::process::geteuid().as_raw();
            if !self.is_shared && peer.uid != own && peer.uid != 0 {
                continue;
            }
            let token = self.next;
            self.next += 1;
            if self.watch(socket.as_fd(), token).is_ok() {
                let since = Instant::now();
                self.clients.insert(token, Client { socket, peer, since, parked: false });
            }
        }
    }

    /// Makes room for one more client: the one that has been silent for longest goes.
    fn drop_oldest(&mut self) -> bool {
        let silent = self.clients.iter().filter(|(_, client)| !client.parked);
        let oldest = silent.min_by_key(|(_, client)| client.since).map(|(token, _)| *token);
        oldest.map(|token| self.leave(token)).is_some()
    }

    fn leave(&mut self, token: u64) {
        if self.clients.remove(&token).is_some_and(|client| client.parked) {
            self.desk.approvals.leave(token);
        }
    }

    fn read(&mut self, token: u64) {
        let Some(client) = self.clients.get_mut(&token) else {
            return;
        };
        let received = match channel::receive(client.socket.as_fd()) {
            // It waits for its answer: whatever it says meanwhile is against the rules.
            Ok(Received::Packet(_)) if client.parked => Received::End,
            Ok(received) => received,
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => return,
            Err(_) => Received::End,
        };
        match received {
            Received::End => self.leave(token),
            Received::Malformed(malformed) => {
                let _ = say(client, &refused(malformed.text()));
                self.leave(token);
            }
            Received::Packet(packet) => {
                let peer = client.peer;
                client.since = Instant::now();
                match self.desk.handle(&packet, peer, token) {
                    Handled::Now(said) => self.outbox.push((token, said)),
                    Handled::Parked => {
                        if let Some(client) = self.clients.get_mut(&token) {
                            client.parked = true;
                        }
                    }
                    Handled::Resolved(said, others) => {
                        self.outbox.extend(others);
                        self.outbox.push((token, said));
                    }
                }
            }
        }
    }

    /// Answers those whose time is up, and drops those who never said anything.
    fn end_waiting(&mut self) {
        for (token, outcome) in self.desk.approvals.expire(now()) {
            self.outbox.push((token, answer(&outcome, true)));
        }
        let is_idle = |client: &Client| !client.parked && client.since.elapsed() >= IDLE;
        let idle: Vec<u64> = self
            .clients
            .iter()
            .filter(|(_, client)| is_idle(client))
            .map(|(token, _)| *token)
            .collect();
        for token in idle {
            self.leave(token);
        }
    }

    /// Puts what changed on the disk, and says what there is to say.
    fn deliver(&mut self) {
        let changed = self.desk.approvals.changes();
        let kept = match (&mut self.journal, changed.is_empty()) {
            (Some(journal), false) => journal.append(&changed),
            _ => Ok(()),
        };
        if let Err(error) = &kept {
            eprintln!("rampart: error: approvals cannot be recorded: {}", reason(error));
        }
        for (token, said) in std::mem::take(&mut self.outbox) {
            let said = match kept {
                Ok(()) => said,
                // Nobody may go ahead on an answer that would be gone after a restart.
                Err(_) => answer(&Outcome::Full, false),
            };
            let Some(client) = self.clients.get_mut(&token) else {
                continue;
            };
            client.parked = false;
            client.since = Instant::now();
            if say(client, &said).is_err() {
                self.leave(token);
            }
        }
    }

    fn tidy(&mut self) {
        if self.tidied.elapsed() < TIDY {
            return;
        }
        self.tidied = Instant::now();
        self.desk.approvals.forget(now());
        if let Some(journal) = self.journal.as_mut().filter(|journal| journal.is_large())
            && let Err(failure) = journal.compact(self.desk.approvals.all())
        {
            eprintln!("rampart: warning: {}", failure.message);
        }
    }
}

/// Sends without waiting: a client that does not read what it asked for loses it.
fn say(client: &Client, said: &Said) -> std::io::Result<()> {
    channel::send(client.socket.as_fd(), said.kind, &said.body)
}

/// Who connected. The kernel noted the number when they did; it still means the same process if
/// that one lives and the connection was not closed meanwhile.
fn peer_of(socket: &OwnedFd) -> Option<Peer> {
    let found = rustix::net::sockopt::socket_peercred(socket).ok()?;
    let pidfd = rustix::process::pidfd_open(found.pid, PidfdFlags::empty()).ok()?;
    let process = Process::of(found.pid.as_raw_nonzero().get().cast_unsigned())?;
    // A pidfd can be read when its process has ended.
    let mut waiting = [PollFd::new(&pidfd, PollFlags::IN)];
    let ended = poll(&mut waiting, Some(&Timespec::default())).ok()?;
    (ended == 0).then_some(Peer { process, uid: found.uid.as_raw() })
}

/// Raises the limit on open descriptors to what the administrator permits.
fn raise_limit() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    let _ = setrlimit(Resource::Nofile, limit);
}
