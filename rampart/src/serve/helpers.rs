//! Threads that answer beside the loop what needs nothing of its memory: a verdict for a client that
//! asks nothing else. The kernel wakes one only while the loop is at work (`EPOLLEXCLUSIVE`, epoll_ctl(2)),
//! so a single client meets the loop alone. Whoever wants more is given to the loop, and so is whoever says
//! nothing at once.

use super::brain::{Brain, InForce};
use super::peer::Peer;
use super::reports::{Said, refused};
use super::weigh::{Weighed, is_heavy, weigh};
use crate::channel::{self, Buffer, Received, Sealed};
use crate::failure::{Failure, reason};
use evaluator::wire::{Body, Header, Kind};
use rustix::buffer::spare_capacity;
use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, epoll, eventfd, poll};
use rustix::io::Errno;
use rustix::net::SocketFlags;
use rustix::process::Pid;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, PoisonError, RwLock};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// Most threads: more than so many calls at a time are rare.
const MOST: usize = 3;

/// How many clients may wait for the loop to take them.
const WAITING: usize = 256;

/// How long a client that has just connected is waited for, unless there is another.
const PATIENCE: Timespec = Timespec { tv_sec: 0, tv_nsec: 500_000 };

/// How long to leave the loop to make room.
const PAUSE: Duration = Duration::from_millis(1);

/// What tells a thread to end.
const END: u64 = 1;

/// A client for the loop.
pub struct Caller {
    /// The connection, not blocking.
    pub socket: OwnedFd,
    /// Who connected, without its process.
    pub peer: Peer,
    /// The number of the process then.
    pub pid: Option<Pid>,
    /// What it has said.
    pub said: Option<Spoken>,
}

/// A packet that a thread has read and not answered.
pub enum Spoken {
    /// One with its body.
    Packet(Header, Vec<u8>),
    /// One whose body is elsewhere.
    Large(Header, Sealed),
}

impl Spoken {
    /// As it was received.
    pub fn into_received(self, body: &mut Vec<u8>) -> Received<'_> {
        match self {
            Self::Large(header, sealed) => Received::Large(header, sealed),
            Self::Packet(header, bytes) => {
                *body = bytes;
                Received::Packet(header, body)
            }
        }
    }
}

/// What the threads want of the loop.
pub enum Wish {
    /// It is to take this client.
    Take(Box<Caller>),
    /// It is to make room: there are no descriptors left.
    Room,
}

/// What threads and loop share.
struct Shared {
    policy: RwLock<Arc<InForce>>,
    answered: Arc<AtomicU64>,
    bell: OwnedFd,
}

impl Shared {
    fn in_force(&self) -> Arc<InForce> {
        Arc::clone(&self.policy.read().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Whom the threads may answer.
#[derive(Clone, Copy)]
pub struct Whom {
    /// Every user.
    pub is_shared: bool,
    /// This one and root.
    pub own_user: u32,
}

impl Whom {
    /// Whether `peer` is one of them.
    pub const fn has(self, peer: &Peer) -> bool {
        self.is_shared || peer.uid == self.own_user || peer.uid == 0
    }
}

/// The threads, from the loop's side. They end with this value.
pub struct Helpers {
    shared: Arc<Shared>,
    wishes: Option<Receiver<Wish>>,
    threads: Vec<JoinHandle<()>>,
    end: OwnedFd,
}

impl Helpers {
    /// Starts one for every processor but one that listens at `listener`, too. `brain` is for one thread
    /// each.
    ///
    /// # Errors
    /// If there are no descriptors or threads to be had.
    pub fn start(
        listener: BorrowedFd<'_>,
        (policy, answered): (Arc<InForce>, Arc<AtomicU64>),
        whom: Whom,
        brain: impl Fn() -> Brain,
    ) -> Result<Self, Failure> {
        let failed = |error: std::io::Error| {
            Failure::other(format!("cannot start a thread: {}", reason(&error)))
        };
        let flags = EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK;
        let counter = || eventfd(0, flags).map_err(|errno| failed(errno.into()));
        let (send, wishes) = sync_channel(WAITING);
        let shared = Arc::new(Shared { policy: RwLock::new(policy), answered, bell: counter()? });
        let mut started =
            Self { shared, wishes: Some(wishes), threads: Vec::new(), end: counter()? };
        let processors = thread::available_parallelism().map_or(1, usize::from);
        for _ in 0..(processors - 1).min(MOST) {
            let helper = Helper {
                listener: listener.try_clone_to_owned().map_err(failed)?,
                set: waiting(listener, started.end.as_fd()).map_err(|no| failed(no.into()))?,
                shared: Arc::clone(&started.shared),
                wishes: send.clone(),
                whom,
                brain: brain(),
                buffer: Buffer::default(),
            };
            let thread = thread::Builder::new().name("helper".to_owned());
            started.threads.push(thread.spawn(move || helper.run()).map_err(failed)?);
        }
        Ok(started)
    }

    /// Can be read when there are wishes.
    pub fn bell(&self) -> BorrowedFd<'_> {
        self.shared.bell.as_fd()
    }

    /// At most `most` wishes since the last time.
    pub fn wishes(&self, most: usize) -> Vec<Wish> {
        let mut count = [0; 8];
        // Silenced before looking: what comes after that rings again.
        let _ = rustix::io::read(&self.shared.bell, &mut count);
        let wishes: Vec<Wish> =
            self.wishes.iter().flat_map(Receiver::try_iter).take(most).collect();
        if wishes.len() == most {
            ring(&self.shared.bell);
        }
        wishes
    }

    /// Puts `policy` in force for calls that come from now on.
    pub fn follow(&self, policy: Arc<InForce>) {
        *self.shared.policy.write().unwrap_or_else(PoisonError::into_inner) = policy;
    }
}

impl Drop for Helpers {
    fn drop(&mut self) {
        // Nobody takes clients any more, so nobody waits for room in the queue.
        self.wishes = None;
        ring(&self.end);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

/// A full counter rings, too.
fn ring(bell: &OwnedFd) {
    let _ = rustix::io::write(bell, &1_u64.to_ne_bytes());
}

/// The set of one thread: clients that nobody else is woken for, and the end.
fn waiting(listener: BorrowedFd<'_>, end: BorrowedFd<'_>) -> rustix::io::Result<OwnedFd> {
    let set = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    let alone = epoll::EventFlags::IN | epoll::EventFlags::EXCLUSIVE;
    epoll::add(&set, listener, epoll::EventData::new_u64(END + 1), alone)?;
    epoll::add(&set, end, epoll::EventData::new_u64(END), epoll::EventFlags::IN)?;
    Ok(set)
}

/// One thread.
struct Helper {
    listener: OwnedFd,
    set: OwnedFd,
    shared: Arc<Shared>,
    wishes: SyncSender<Wish>,
    whom: Whom,
    brain: Brain,
    buffer: Buffer,
}

impl Helper {
    fn run(mut self) {
        loop {
            let mut events = Vec::with_capacity(2);
            match epoll::wait(&self.set, spare_capacity(&mut events), None) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(_) => return,
            }
            if events.iter().any(|event| event.data.u64() == END) {
                return;
            }
            let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
            match rustix::net::accept_with(&self.listener, flags) {
                Ok(socket) => self.serve(socket),
                Err(Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM) => {
                    self.wish(Wish::Room);
                    thread::sleep(PAUSE);
                }
                // The loop was faster, or whoever it was has gone again.
                Err(_) => {}
            }
        }
    }

    fn wish(&self, wish: Wish) {
        // Without a loop it is the end.
        if self.wishes.send(wish).is_ok() {
            ring(&self.shared.bell);
        }
    }

    fn serve(&mut self, socket: OwnedFd) {
        let Ok((peer, pid)) = Peer::of(socket.as_fd()) else { return };
        if !self.whom.has(&peer) {
            return;
        }
        let mut received = channel::receive(socket.as_fd(), &mut self.buffer);
        let is_silent = |error: &std::io::Error| error.kind() == std::io::ErrorKind::WouldBlock;
        if received.as_ref().is_err_and(is_silent) && speaks(&socket, &self.listener) {
            received = channel::receive(socket.as_fd(), &mut self.buffer);
        }
        let said = match received {
            Err(error) if is_silent(&error) => None,
            Err(_) | Ok(Received::End) => return,
            Ok(Received::Malformed(malformed)) => {
                let _ = say(&socket, &refused(malformed.text()));
                return;
            }
            Ok(Received::Large(header, sealed)) => Some(Spoken::Large(header, sealed)),
            Ok(Received::Packet(header, body)) => {
                let policy = self.shared.in_force();
                match verdict(header, body, &peer, (&mut self.brain, &policy)) {
                    Some(said) => {
                        self.shared.answered.fetch_add(1, Ordering::Relaxed);
                        let _ = say(&socket, &said);
                        return;
                    }
                    None => Some(Spoken::Packet(header, body.to_vec())),
                }
            }
        };
        self.wish(Wish::Take(Box::new(Caller { socket, peer, pid, said })));
    }
}

/// The answer to the only request of a client if it depends on the policy alone and is soon made.
fn verdict(header: Header, body: &[u8], peer: &Peer, by: (&mut Brain, &InForce)) -> Option<Said> {
    if header.kind != Kind::Judge || !header.is_only {
        return None;
    }
    let body = Body::read(body).ok().filter(|body| !is_heavy(header.kind, *body, peer))?;
    match weigh(header.kind, body, peer, by) {
        Weighed::Said(said) => Some(said),
        Weighed::Open(_) | Weighed::Covered(..) => None,
    }
}

/// Whether `client` says something before somebody else comes.
fn speaks(client: &OwnedFd, listener: &OwnedFd) -> bool {
    let mut waiting = [PollFd::new(client, PollFlags::IN), PollFd::new(listener, PollFlags::IN)];
    let _ = poll(&mut waiting, Some(&PATIENCE));
    waiting.first().is_some_and(|client| !client.revents().is_empty())
}

fn say(socket: &OwnedFd, said: &Said) -> std::io::Result<()> {
    channel::send(socket.as_fd(), said.kind, &said.body)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::channel::Connection;
    use crate::policy::{Layers, profile};
    use crate::serve::listen::Listener;
    use evaluator::Action;
    use evaluator::wire::Tag;
    use rustix::net::{SendFlags, send};
    use std::path::Path;
    use std::time::Instant;

    fn packet(kind: Kind, is_only: bool) -> Vec<u8> {
        let mut body = Vec::new();
        for value in [b"dd" as &[u8], b"if=/dev/zero", b"of=/dev/sda"] {
            let mut put = |piece: &[u8]| body.extend_from_slice(piece);
            evaluator::wire::field(Tag::Argument, value, &mut put);
        }
        let length = u32::try_from(body.len()).unwrap();
        let header = Header { kind, length, in_memfd: false, is_only };
        [&header.bytes()[..], &body].concat()
    }

    fn caller(path: &Path, bytes: &[u8]) -> Connection {
        let client = Connection::open(path).unwrap();
        if !bytes.is_empty() {
            send(&client, bytes, SendFlags::NOSIGNAL).unwrap();
        }
        client
    }

    /// The next client that the loop gets.
    fn taken(helpers: &Helpers) -> Caller {
        let began = Instant::now();
        loop {
            match helpers.wishes(1).pop() {
                Some(Wish::Take(caller)) => return *caller,
                Some(Wish::Room) => panic!("there is room"),
                None => assert!(began.elapsed() < Duration::from_secs(10), "nobody came"),
            }
            thread::sleep(PAUSE);
        }
    }

    #[test]
    fn who_is_answered_without_the_loop() {
        // One processor has none.
        if thread::available_parallelism().unwrap().get() == 1 {
            return;
        }
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("evaluator.sock");
        let listener = Listener::new(&path, false).unwrap();
        let layers = Layers { all: vec![profile("standard").unwrap()], recipe: None };
        let policy = Arc::new(InForce::new(layers).unwrap());
        let none = Arc::new(InForce::new(Layers { all: Vec::new(), recipe: None }).unwrap());
        let own_user = rustix::process::geteuid().as_raw();
        let whom = Whom { is_shared: false, own_user };
        let answered = Arc::new(AtomicU64::new(0));
        let known = (none, Arc::clone(&answered));
        let helpers = Helpers::start(listener.socket.as_fd(), known, whom, Brain::default).unwrap();
        let limit = Duration::from_secs(10);
        let said = |bytes: &[u8]| caller(&path, bytes).receive(limit).unwrap();
        let judged = |by: &str| {
            let packet = said(&packet(Kind::Judge, true));
            let body = Body::read(&packet.body).unwrap();
            assert_eq!(packet.kind, Kind::Answer);
            assert_eq!(body.one(Tag::Action), Some(&[Action::Deny as u8][..]), "{by}");
            assert!(String::from_utf8_lossy(body.one(Tag::Rule).unwrap()).contains(by));
        };
        judged("default");
        helpers.follow(policy);
        judged("/");
        assert_eq!(answered.load(Ordering::Relaxed), 2);
        assert_eq!(said(b"garbage").kind, Kind::Refused);
        // These are the loop's, with what they have said.
        let is_packet = |kind, said: Option<Spoken>| matches!(said, Some(Spoken::Packet(header, _)) if header.kind == kind);
        for (kind, is_only) in [(Kind::Ask, true), (Kind::Status, true), (Kind::Judge, false)] {
            let _client = caller(&path, &packet(kind, is_only));
            assert!(is_packet(kind, taken(&helpers).said), "{kind:?}");
        }
        // So is whoever says nothing, and nobody waits for him.
        let _silent: Vec<_> = (0..20).map(|_| caller(&path, b"")).collect();
        judged("/");
        assert!((0..20).all(|_| taken(&helpers).said.is_none()));
        // Others of the machine are not listened to.
        drop(helpers);
        let others = Whom { is_shared: false, own_user: own_user + 1 };
        assert_eq!(others.has(&Peer { process: None, uid: own_user }), own_user == 0);
        assert!(whom.has(&Peer { process: None, uid: own_user }));
        assert!(!whom.has(&Peer { process: None, uid: own_user + 1 }));
    }
}
