//! How clients come, are heard, and go.

use super::Server;
use crate::channel::{self, Received};
use crate::serve::peer::Peer;
use rustix::event::epoll;
use rustix::io::Errno;
use rustix::net::SocketFlags;
use std::io::{Error, ErrorKind};
use std::os::fd::AsFd;

impl Server {
    /// Takes one new client, and reads what it has already said; `is_alone` if nobody else is known to
    /// wait. Whether there was one.
    pub(super) fn accept(&mut self, is_alone: bool) -> bool {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = match rustix::net::accept_with(&self.listener.socket, flags) {
            Ok(socket) => socket,
            // It has gone again.
            Err(Errno::CONNABORTED | Errno::INTR) => return true,
            Err(Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM) => {
                return self.drop_oldest();
            }
            Err(_) => return false,
        };
        if self.clients.is_full() && !self.drop_oldest() {
            return true;
        }
        let Ok((peer, pid)) = Peer::of(socket.as_fd()) else {
            return true;
        };
        if !self.whom.has(&peer) {
            return true;
        }
        let token = self.clients.add(socket, peer, pid);
        // On the same processor the client was interrupted in connect(2), and is about to speak.
        if !self.read(token) && is_alone {
            std::thread::yield_now();
            self.read(token);
        }
        self.keep(token);
        true
    }

    /// Waits for what client `token` says next.
    pub(super) fn keep(&mut self, token: u64) {
        // It may be gone already.
        if let Some(client) = self.clients.get(token) {
            let data = epoll::EventData::new_u64(token);
            let flags = epoll::EventFlags::IN | epoll::EventFlags::RDHUP;
            if epoll::add(&self.set, &client.socket, data, flags).is_err() {
                self.leave(token);
            }
        }
    }

    /// Makes room for one more client: the one that has been silent for longest goes.
    pub(super) fn drop_oldest(&mut self) -> bool {
        self.clients.oldest().map(|token| self.leave(token)).is_some()
    }

    /// Forgets client `token`, and that it waits.
    pub(super) fn leave(&mut self, token: u64) {
        if self.clients.remove(token).is_some_and(|client| client.waits) {
            self.desk.approvals.leave(token);
        }
    }

    /// Reads what client `token` says. Whether it said something, or has gone.
    pub(super) fn read(&mut self, token: u64) -> bool {
        let Some(client) = self.clients.get(token) else {
            return true;
        };
        let mut buffer = self.buffer.take().unwrap_or_default();
        let received = channel::receive(client.socket.as_fd(), &mut buffer);
        let is_silent = |error: &Error| error.kind() == ErrorKind::WouldBlock;
        let speaks = !received.as_ref().is_err_and(is_silent);
        if speaks {
            self.received(token, received.unwrap_or(Received::End));
        }
        self.buffer = Some(buffer);
        speaks
    }
}
