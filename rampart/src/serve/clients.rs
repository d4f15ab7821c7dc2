//! The clients of an evaluator: who is connected, who waits, and who has to go.

use super::peer::Peer;
use rustix::process::Pid;
use std::collections::BTreeMap;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

/// Most clients at a time. A parked request takes a descriptor and a few hundred bytes.
const MOST: usize = 8192;

/// How long a client may be connected without having asked anything.
const IDLE: Duration = Duration::from_secs(5);

/// One client.
pub struct Client {
    /// The connection, not blocking.
    pub socket: OwnedFd,
    /// Who connected, without its process.
    pub peer: Peer,
    /// The number of the process then.
    pub pid: Option<Pid>,
    /// When it last said something or was told something.
    pub since: Instant,
    /// It waits for an answer: nothing that it says meanwhile is read.
    pub waits: bool,
    /// It asks nothing else: it is let go with its answer.
    pub is_only: bool,
}

/// All of them.
pub struct Clients {
    all: BTreeMap<u64, Client>,
    next: u64,
}

impl Clients {
    /// None; their tokens will be above `last`.
    pub fn above(last: u64) -> Self {
        Self { all: BTreeMap::new(), next: last + 1 }
    }

    /// Adds one, and gives its token.
    pub fn add(&mut self, socket: OwnedFd, peer: Peer, pid: Option<Pid>) -> u64 {
        let token = self.next;
        self.next += 1;
        let client =
            Client { socket, peer, pid, since: Instant::now(), waits: false, is_only: false };
        self.all.insert(token, client);
        token
    }

    /// Whether there is no room for one more.
    pub fn is_full(&self) -> bool {
        self.all.len() >= MOST
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// Client `token`, if it is still there.
    pub fn get(&mut self, token: u64) -> Option<&mut Client> {
        self.all.get_mut(&token)
    }

    /// Lets client `token` go.
    pub fn remove(&mut self, token: u64) -> Option<Client> {
        self.all.remove(&token)
    }

    /// The one that has been silent for longest.
    pub fn oldest(&self) -> Option<u64> {
        let silent = self.all.iter().filter(|(_, client)| !client.waits);
        silent.min_by_key(|(_, client)| client.since).map(|(token, _)| *token)
    }

    /// Those that have been silent for too long.
    pub fn idle(&self) -> Vec<u64> {
        let is_idle = |client: &Client| !client.waits && client.since.elapsed() >= IDLE;
        self.all.iter().filter(|(_, one)| is_idle(one)).map(|(token, _)| *token).collect()
    }
}
