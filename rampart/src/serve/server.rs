//! The loop: one thread, one epoll set. Each round reads at most one packet of every client that
//! has sent one, so that nobody who sends many delays the others; what the round changed is on the
//! disk before anybody is told.

use super::approval::Scope;
use super::approvals::Outcome;
use super::journal::Journal;
use super::listen::Listener;
use super::requests::{Desk, Handled, Peer, Said, answer, is_about_its_process, now, refused};
use crate::channel::{self, Received};
use crate::failure::{Failure, reason};
use crate::process::Process;
use evaluator::wire::Kind;
use rustix::buffer::spare_capacity;
use rustix::event::{PollFd, PollFlags, Timespec, epoll, poll};
use rustix::io::Errno;
use rustix::net::SocketFlags;
use rustix::process::{Pid, PidfdFlags};
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
    /// The process that connected, its number then, and its user.
    pidfd: OwnedFd,
    pid: Pid,
    uid: u32,
    since: Instant,
    /// It waits for an answer of a person.
    parked: bool,
}

/// Which descriptor an event is for: the listening one, others that are watched, and clients.
const LISTENER: u64 = 0;
/// The last token for others.
pub const LAST_TOKEN: u64 = 31;

/// How many events one round takes.
const EVENTS: usize = 256;

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
        let set = epoll::create(epoll::CreateFlags::CLOEXEC).map_err(failed)?;
        let server = Self {
            desk,
            listener,
            journal,
            is_shared,
            set,
            clients: HashMap::new(),
            next: LAST_TOKEN + 1,
            outbox: Vec::new(),
            tidied: Instant::now(),
        };
        server.watch(server.listener.socket.as_fd(), LISTENER).map_err(failed)?;
        raise_limit();
        Ok(server)
    }

    /// Wakes [`Server::turn`] when something can be read from `descriptor`; `token` is at most
    /// [`LAST_TOKEN`].
    ///
    /// # Errors
    /// If the kernel does not let it wait for that.
    pub fn watch(&self, descriptor: BorrowedFd<'_>, token: u64) -> rustix::io::Result<()> {
        let data = epoll::EventData::new_u64(token);
        epoll::add(&self.set, descriptor, data, epoll::EventFlags::IN | epoll::EventFlags::RDHUP)
    }

    /// Does not wait for `descriptor` any more.
    pub fn unwatch(&self, descriptor: BorrowedFd<'_>) {
        // What is not watched needs no end of it.
        let _ = epoll::delete(&self.set, descriptor);
    }

    /// Serves one round: waits, at most `limit`, reads, answers. Returns the tokens of the watched
    /// descriptors that can be read.
    ///
    /// # Errors
    /// If the kernel does not let it wait.
    pub fn turn(&mut self, limit: Duration) -> Result<Vec<u64>, Failure> {
        let limit = Timespec::try_from(self.patience().min(limit)).unwrap_or_default();
        let mut events = Vec::with_capacity(EVENTS);
        match epoll::wait(&self.set, spare_capacity(&mut events), Some(&limit)) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(errno) => return Err(failed(errno)),
        }
        let mut others = Vec::new();
        for event in &events {
            match event.data.u64() {
                LISTENER => self.accept(),
                other if other <= LAST_TOKEN => others.push(other),
                client => self.read(client),
            }
        }
        self.end_waiting();
        self.deliver();
        self.tidy();
        Ok(others)
    }

    /// Answers the approval `id` on the word of `by`, who has been asked directly.
    pub fn resolve(&mut self, id: &str, scope: Option<Scope>, by: &str) {
        // It may have been answered elsewhere meanwhile.
        if let Ok((_, replies)) = self.desk.approvals.resolve(id, scope, by, now()) {
            let said = replies.into_iter().map(|(token, outcome)| (token, answer(&outcome, false)));
            self.outbox.extend(said);
            self.deliver();
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
            let Ok(found) = rustix::net::sockopt::socket_peercred(&socket) else {
                continue;
            };
            let Ok(pidfd) = rustix::process::pidfd_open(found.pid, PidfdFlags::empty()) else {
                continue;
            };
            let (own, uid) = (rustix::process::geteuid().as_raw(), found.uid.as_raw());
            if !self.is_shared && uid != own && uid != 0 {
                continue;
            }
            let token = self.next;
            self.next += 1;
            if self.watch(socket.as_fd(), token).is_ok() {
                let since = Instant::now();
                let client = Client { socket, pidfd, pid: found.pid, uid, since, parked: false };
                self.clients.insert(token, client);
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
                let peer = client.peer(packet.kind);
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

fn failed(errno: Errno) -> Failure {
    Failure::other(format!("cannot wait for clients: {}", reason(&errno.into())))
}

/// Sends without waiting: a client that does not read what it asked for loses it.
fn say(client: &Client, said: &Said) -> std::io::Result<()> {
    channel::send(client.socket.as_fd(), said.kind, &said.body)
}

impl Client {
    /// Who it is. The number still means the process that connected if that one lives after the
    /// number was looked up.
    fn peer(&self, kind: Kind) -> Peer {
        let process = is_about_its_process(kind)
            .then(|| Process::of(self.pid.as_raw_nonzero().get().cast_unsigned()))
            .flatten();
        // A pidfd can be read when its process has ended.
        let mut waiting = [PollFd::new(&self.pidfd, PollFlags::IN)];
        let mut lives = || poll(&mut waiting, Some(&Timespec::default())) == Ok(0);
        Peer { process: process.filter(|_| lives()), uid: self.uid }
    }
}

/// Raises the limit on open descriptors to what the administrator permits.
fn raise_limit() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    let _ = setrlimit(Resource::Nofile, limit);
}
