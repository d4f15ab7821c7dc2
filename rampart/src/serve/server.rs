//! The loop: one epoll set. Each round reads at most one packet of every client that
//! has sent one, so that nobody who sends many delays the others. What depends on an approval is on
//! the disk before anybody is told; everything else is told at once.

mod arrivals;
mod aside;
mod services;

use super::approval::Scope;
use super::approvals::Outcome;
use super::clients::Clients;
use super::front::Inbox;
use super::heavy::{Content, Worker};
use super::helpers::{Helpers, Whom};
use super::journal::Journal;
use super::listen::{Listener, raise_limit};
use super::reload::Reloader;
use super::reports::{Said, answer, refused};
use super::requests::{Desk, Handled, now};
use super::weigh::is_about_its_process;
use crate::audit::recorder::Recorder;
use crate::channel::{self, Buffer, Received};
use crate::failure::{Failure, reason};
use crate::policy::renewal::Renewal;
use evaluator::wire::{Header, Kind};
use rustix::buffer::spare_capacity;
use rustix::event::{Timespec, epoll};
use rustix::io::Errno;
use services::Services;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// How many new clients one round takes.
const ACCEPTED: usize = 64;

/// How often silent clients are looked for.
const SWEEP: Duration = Duration::from_secs(1);

/// How often old approvals are forgotten.
const TIDY: Duration = Duration::from_secs(60);

/// Which descriptor an event is for: the listening one, others that are watched, the worker's, the
/// recorder's, the reloader's, the answers of services, other threads, helpers, and clients.
const LISTENER: u64 = 0;
/// The last token for others.
pub const LAST_TOKEN: u64 = 31;
const WORKER: u64 = LAST_TOKEN + 1;
const RECORDER: u64 = LAST_TOKEN + 2;
const RELOADER: u64 = LAST_TOKEN + 3;
const SERVICES: u64 = LAST_TOKEN + 4;
const FRONT: u64 = LAST_TOKEN + 5;
const HELPERS: u64 = LAST_TOKEN + 6;

/// How many events one round takes.
const EVENTS: usize = 256;

/// An evaluator at work.
pub struct Server {
    /// What requests are answered from.
    pub desk: Desk,
    listener: Listener,
    journal: Option<Journal>,
    worker: Option<Worker>,
    /// Where events go that clients want recorded.
    recorder: Option<Recorder>,
    /// Where the log is of a recorder that is started when it is needed.
    later: Option<Vec<PathBuf>>,
    reloader: Option<Reloader>,
    renewal: Option<Renewal>,
    services: Services,
    inbox: Option<Inbox>,
    helpers: Option<Helpers>,
    /// Who may connect.
    whom: Whom,
    set: OwnedFd,
    clients: Clients,
    /// Where packets are read into, unless one is being looked at.
    buffer: Option<Buffer>,
    /// Answers that wait for what changed to be on the disk.
    outbox: Vec<(u64, Said)>,
    swept: Instant,
    tidied: Instant,
}

impl Server {
    /// An evaluator that listens at `listener`.
    ///
    /// # Errors
    /// If the kernel has no epoll set for it.
    pub fn new(
        desk: Desk,
        listener: Listener,
        journal: Option<Journal>,
        is_shared: bool,
    ) -> Result<Self, Failure> {
        let set = epoll::create(epoll::CreateFlags::CLOEXEC).map_err(failed)?;
        let server = Self {
            desk,
            listener,
            journal,
            worker: None,
            recorder: None,
            later: None,
            reloader: None,
            renewal: None,
            services: Services::default(),
            inbox: None,
            helpers: None,
            whom: Whom { is_shared, own_user: rustix::process::geteuid().as_raw() },
            set,
            clients: Clients::above(HELPERS),
            buffer: None,
            outbox: Vec::new(),
            swept: Instant::now(),
            tidied: Instant::now(),
        };
        // Whoever else waits there is woken only while this one is at work.
        let alone = epoll::EventFlags::IN | epoll::EventFlags::EXCLUSIVE;
        let data = epoll::EventData::new_u64(LISTENER);
        epoll::add(&server.set, &server.listener.socket, data, alone).map_err(failed)?;
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
        // Who only goes is no reason to look.
        let goes = |event: &epoll::Event| {
            let flags = event.flags;
            flags.contains(epoll::EventFlags::HUP)
        };
        if !events.iter().all(goes) {
            self.renewed();
        }
        let mut others = Vec::new();
        // Whoever asks anew comes after those who are connected.
        let mut is_called = false;
        for event in &events {
            let flags = event.flags;
            match event.data.u64() {
                LISTENER => is_called = true,
                WORKER => self.conclude(),
                RECORDER => self.recorded(),
                RELOADER => self.reload(),
                SERVICES => self.advise(),
                FRONT => self.work(),
                HELPERS => self.help(),
                other if other <= LAST_TOKEN => others.push(other),
                // Nobody is there to be answered any more.
                client if flags.contains(epoll::EventFlags::HUP) => self.leave(client),
                client => {
                    self.read(client);
                }
            }
        }
        if is_called {
            // The kernel tells again if there are more.
            let most = if events.len() > 1 { ACCEPTED } else { 1 };
            for _ in 0..most {
                if !self.accept(most == 1) {
                    break;
                }
            }
        }
        for (token, outcome) in self.desk.approvals.expire(now()) {
            self.outbox.push((token, answer(&outcome, true)));
        }
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
        let sweep = (self.clients.len() > 0).then_some(SWEEP);
        expiry.into_iter().chain(sweep).chain([TIDY]).min().unwrap_or(TIDY)
    }

    /// Does with what client `token` has said what it is for.
    fn received(&mut self, token: u64, received: Received<'_>) {
        let Some(client) = self.clients.get(token) else {
            return;
        };
        // It waits for its answer: whatever it says meanwhile is against the rules.
        if client.waits {
            return self.leave(token);
        }
        client.since = Instant::now();
        let who = |kind| match is_about_its_process(kind) {
            true => client.peer.with_process(client.socket.as_fd(), client.pid),
            false => client.peer,
        };
        let (handled, job) = match received {
            Received::End => return self.leave(token),
            Received::Malformed(malformed) => {
                let _ = say(client.socket.as_fd(), &refused(malformed.text()));
                return self.leave(token);
            }
            Received::Packet(Header { kind, is_only, .. }, body) => {
                client.is_only = is_only;
                let peer = who(kind);
                let handled = self.desk.handle(kind, body, &peer, token);
                let is_heavy = matches!(handled, Handled::Heavy);
                (handled, is_heavy.then(|| (kind, Content::Bytes(body.to_vec()), peer)))
            }
            Received::Large(Header { kind: Kind::Record, .. }, _) => {
                (Handled::Now(refused("events are recorded one packet at a time, 64 KiB")), None)
            }
            Received::Large(Header { kind, is_only, .. }, sealed) => {
                client.is_only = is_only;
                let job = (kind, Content::Sealed(sealed), who(kind));
                (Handled::Heavy, Some(job))
            }
        };
        match job {
            Some((kind, content, peer)) => self.hand_over(token, kind, content, peer),
            None => self.handled(handled, token),
        }
    }

    /// Does with the request of client `token` what came of it.
    fn handled(&mut self, handled: Handled, token: u64) {
        match handled {
            Handled::Now(said) => self.tell(token, &said),
            Handled::Kept(said) => self.outbox.push((token, said)),
            Handled::Parked | Handled::Heavy => {
                if let Some(client) = self.clients.get(token) {
                    client.waits = true;
                }
            }
            Handled::Record(events, log) => self.record(token, events, log.as_deref()),
            Handled::Service(open) => self.ask_service(token, open),
            Handled::Resolved(said, others) => {
                self.outbox.extend(others);
                self.outbox.push((token, said));
            }
        }
    }

    /// Says it without waiting: a client that does not read what it asked for loses it.
    fn tell(&mut self, token: u64, said: &Said) {
        if let Some(client) = self.clients.get(token) {
            client.waits = false;
            client.since = Instant::now();
            if say(client.socket.as_fd(), said).is_err() || client.is_only {
                self.leave(token);
            }
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
            complain!("rampart: error: approvals cannot be recorded: {}", reason(error));
        }
        if let Some(inbox) = &mut self.inbox {
            inbox.confirm(kept.is_ok());
        }
        for (token, said) in std::mem::take(&mut self.outbox) {
            match kept {
                Ok(()) => self.tell(token, &said),
                // Nobody may go ahead on an answer that would be gone after a restart.
                Err(_) => self.tell(token, &answer(&Outcome::Full, false)),
            }
        }
    }

    fn tidy(&mut self) {
        if self.swept.elapsed() >= SWEEP {
            self.swept = Instant::now();
            for token in self.clients.idle() {
                self.leave(token);
            }
        }
        if self.tidied.elapsed() < TIDY {
            return;
        }
        self.tidied = Instant::now();
        self.desk.approvals.forget(now());
        if let Some(journal) = self.journal.as_mut().filter(|journal| journal.is_large())
            && let Err(failure) = journal.compact(self.desk.approvals.all())
        {
            complain!("rampart: warning: {}", failure.message);
        }
    }
}

fn failed(errno: Errno) -> Failure {
    Failure::other(format!("cannot wait for clients: {}", reason(&errno.into())))
}

fn say(socket: BorrowedFd<'_>, said: &Said) -> std::io::Result<()> {
    channel::send(socket, said.kind, &said.body)
}
