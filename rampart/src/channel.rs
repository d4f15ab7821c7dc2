//! Packets on a socket, for both ends: the evaluator and whoever asks it. What a packet holds is
//! `evaluator::wire`; how it travels is here: in one message, or, if it is long, as a sealed memfd.

use crate::failure::{Failure, reason};
use crate::serve::peer::Peer;
use evaluator::wire::{self, Header, Kind, LARGEST, Malformed, PACKET, Tag};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{MemfdFlags, SealFlags};
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags,
    SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketAddrUnix, SocketFlags, SocketType,
};
use std::fs::File;
use std::io::{self, IoSlice, IoSliceMut, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::{Duration, Instant};

/// Seals without which a memfd is not read: nothing about it can change any more.
const SEALS: SealFlags = SealFlags::SHRINK.union(SealFlags::GROW).union(SealFlags::WRITE);

/// A body in the making.
#[derive(Clone, Debug, Default)]
pub struct Fields(Vec<u8>);

impl Fields {
    /// With one more field.
    pub fn with(mut self, tag: Tag, value: &[u8]) -> Self {
        self.add(tag, value);
        self
    }

    /// Adds a field.
    pub fn add(&mut self, tag: Tag, value: &[u8]) {
        wire::field(tag, value, &mut |piece| self.0.extend_from_slice(piece));
    }

    /// Adds a number.
    pub fn add_number(&mut self, tag: Tag, value: u32) {
        self.add(tag, &value.to_le_bytes());
    }
}

/// A packet that came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet {
    /// What it is.
    pub kind: Kind,
    /// Its body, not yet looked at.
    pub body: Vec<u8>,
}

/// What came of reading.
pub enum Received<'b> {
    /// A packet, its body not yet looked at.
    Packet(Header, &'b [u8]),
    /// A packet whose body is yet to be read from its memfd.
    Large(Header, Sealed),
    /// The peer has gone.
    End,
    /// Something that is no packet. Nothing more is to be read from there.
    Malformed(Malformed),
}

/// Room for any packet; used again and again.
pub struct Buffer(Vec<u8>);

impl Default for Buffer {
    fn default() -> Self {
        // One byte more than a packet may have, so that a longer one shows.
        Self(vec![0; PACKET + 1])
    }
}

/// A body in a memfd.
pub struct Sealed {
    memfd: OwnedFd,
    length: u32,
}

impl Sealed {
    /// The body; `None` if somebody could still change it, or it has another length than the
    /// packet said.
    pub fn content(self) -> Option<Vec<u8>> {
        if !rustix::fs::fcntl_get_seals(&self.memfd).ok()?.contains(SEALS) {
            return None;
        }
        let file = File::from(self.memfd);
        if file.metadata().ok()?.len() != u64::from(self.length) {
            return None;
        }
        let mut body = vec![0; self.length as usize];
        file.read_exact_at(&mut body, 0).ok()?;
        Some(body)
    }
}

/// Sends one packet. Never waits: on a socket that is not blocking, a full one is an error.
///
/// # Errors
/// What sendmsg(2) or memfd_create(2) says; `E2BIG` for a body above the limit.
pub fn send(socket: BorrowedFd<'_>, kind: Kind, body: &Fields) -> io::Result<()> {
    let body = &body.0;
    if body.len() > LARGEST {
        return Err(Errno::TOOBIG.into());
    }
    let in_memfd = body.len() > PACKET - wire::HEADER;
    let length = u32::try_from(body.len()).unwrap_or(u32::MAX);
    let header = Header { kind, length, in_memfd, is_only: false }.bytes();
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !in_memfd {
        let parts = [IoSlice::new(&header), IoSlice::new(body)];
        rustix::net::sendmsg(socket, &parts, &mut control, SendFlags::NOSIGNAL)?;
        return Ok(());
    }
    let memfd = sealed(body)?;
    let memfds = [memfd.as_fd()];
    if !control.push(SendAncillaryMessage::ScmRights(&memfds)) {
        return Err(Errno::NOMEM.into());
    }
    rustix::net::sendmsg(socket, &[IoSlice::new(&header)], &mut control, SendFlags::NOSIGNAL)?;
    Ok(())
}

fn sealed(body: &[u8]) -> io::Result<OwnedFd> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    let mut memfd = File::from(rustix::fs::memfd_create(c"rampart-request", flags)?);
    memfd.write_all(body)?;
    rustix::fs::fcntl_add_seals(&memfd, SEALS | SealFlags::SEAL)?;
    Ok(memfd.into())
}

/// Reads one packet into `buffer`.
///
/// # Errors
/// What recvmsg(2) says: `EAGAIN` if there is none and the socket does not block.
pub fn receive<'b>(socket: BorrowedFd<'_>, buffer: &'b mut Buffer) -> io::Result<Received<'b>> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let flags = RecvFlags::CMSG_CLOEXEC;
    let got =
        rustix::net::recvmsg(socket, &mut [IoSliceMut::new(&mut buffer.0)], &mut control, flags)?;
    let mut memfd = None;
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(descriptors) = message {
            memfd = descriptors.last();
        }
    }
    if got.bytes == 0 {
        return Ok(Received::End);
    }
    if got.bytes > PACKET || got.flags.contains(ReturnFlags::TRUNC) {
        return Ok(Received::Malformed(Malformed::Length));
    }
    let read = Header::read(buffer.0.get(..got.bytes).unwrap_or_default());
    Ok(match (read, memfd) {
        (Err(malformed), _) => Received::Malformed(malformed),
        (Ok((header, body)), _) if !header.in_memfd => Received::Packet(header, body),
        (Ok((header, _)), Some(memfd)) => {
            Received::Large(header, Sealed { memfd, length: header.length })
        }
        (Ok(_), None) => Received::Malformed(Malformed::Length),
    })
}

/// The same, with the body read from wherever it is.
fn receive_whole(socket: BorrowedFd<'_>) -> io::Result<Result<Packet, Option<Malformed>>> {
    Ok(match receive(socket, &mut Buffer::default())? {
        Received::Packet(header, body) => Ok(Packet { kind: header.kind, body: body.to_vec() }),
        Received::Large(Header { kind, .. }, sealed) => match sealed.content() {
            Some(body) => Ok(Packet { kind, body }),
            None => Err(Some(Malformed::Length)),
        },
        Received::End => Err(None),
        Received::Malformed(malformed) => Err(Some(malformed)),
    })
}

/// A connection to an evaluator.
pub struct Connection {
    socket: OwnedFd,
}

impl Connection {
    /// Connects to the socket at `path`.
    ///
    /// # Errors
    /// What connect(2) says: `ENOENT` where there never was an evaluator, `ECONNREFUSED` where
    /// there is none any more. `EPERM` if whoever listens is neither this user nor root.
    pub fn open(path: &Path) -> io::Result<Self> {
        let socket = rustix::net::socket_with(
            AddressFamily::UNIX,
            SocketType::SEQPACKET,
            SocketFlags::CLOEXEC,
            None,
        )?;
        rustix::net::connect(&socket, &SocketAddrUnix::new(path)?)?;
        let (peer, _) = Peer::of(socket.as_fd())?;
        if peer.uid != 0 && peer.uid != rustix::process::geteuid().as_raw() {
            return Err(Errno::PERM.into());
        }
        Ok(Self { socket })
    }

    /// Sends a request.
    ///
    /// # Errors
    /// As [`send`].
    pub fn send(&self, kind: Kind, body: &Fields) -> io::Result<()> {
        send(self.socket.as_fd(), kind, body)
    }

    /// Waits for the answer, at most `limit`.
    ///
    /// # Errors
    /// `ETIMEDOUT` if it did not come; `ECONNRESET` if the evaluator has gone; `EPROTO` if it
    /// says something that is no packet.
    pub fn receive(&self, limit: Duration) -> io::Result<Packet> {
        let deadline = Instant::now() + limit;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let left = Timespec::try_from(left).unwrap_or_default();
            let mut waiting = [PollFd::new(&self.socket, PollFlags::IN)];
            match poll(&mut waiting, Some(&left)) {
                Ok(0) => return Err(Errno::TIMEDOUT.into()),
                Ok(_) => break,
                Err(Errno::INTR) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
        receive_whole(self.socket.as_fd())?.map_err(|malformed| match malformed {
            None => Errno::CONNRESET.into(),
            Some(_) => Errno::PROTO.into(),
        })
    }
}

impl AsFd for Connection {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// Asks the evaluator at `path` for a report, and gives its JSON text.
///
/// # Errors
/// Exit status 1 if it cannot be reached, does not answer, or refuses: then its own words.
pub fn report(path: &Path, kind: Kind, body: &Fields) -> Result<String, Failure> {
    /// Nobody is asked for a report, so it comes at once.
    const LIMIT: Duration = Duration::from_secs(5);
    let failed = |error: io::Error| {
        Failure::other(format!(
            "no answer from the evaluator at `{}`: {}",
            path.display(),
            reason(&error)
        ))
    };
    let packet = Connection::open(path)
        .and_then(|connection| {
            connection.send(kind, body)?;
            connection.receive(LIMIT)
        })
        .map_err(failed)?;
    let text = wire::Body::read(&packet.body).ok().and_then(|body| body.one(Tag::Text));
    let text = String::from_utf8_lossy(text.unwrap_or_default()).into_owned();
    match packet.kind {
        Kind::Report => Ok(text),
        _ => Err(Failure::other(text)),
    }
}

/// The bytes of a body.
#[cfg(test)]
pub fn body_of(fields: &Fields) -> Vec<u8> {
    fields.0.clone()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair() -> (OwnedFd, OwnedFd) {
        rustix::net::socketpair(
            AddressFamily::UNIX,
            SocketType::SEQPACKET,
            SocketFlags::CLOEXEC | SocketFlags::NONBLOCK,
            None,
        )
        .unwrap()
    }

    fn received(socket: &OwnedFd) -> Packet {
        receive_whole(socket.as_fd()).unwrap().unwrap()
    }

    #[test]
    fn packets_arrive_whole_whatever_their_length() {
        let (one, other) = pair();
        for length in [0, 1, PACKET - wire::HEADER - 8, PACKET, 3 * 1024 * 1024, LARGEST - 8] {
            let value = vec![b'x'; length];
            let body = Fields::default().with(Tag::Text, &value);
            send(one.as_fd(), Kind::Ask, &body).unwrap();
            let packet = received(&other);
            assert_eq!(packet.kind, Kind::Ask);
            let text = wire::Body::read(&packet.body).unwrap().one(Tag::Text).unwrap();
            assert!(text == value, "{length}");
        }
        let body = Fields::default().with(Tag::Text, &vec![b'x'; LARGEST]);
        assert_eq!(
            send(one.as_fd(), Kind::Ask, &body).unwrap_err().raw_os_error(),
            Some(libc::E2BIG)
        );
        drop(one);
        assert_eq!(receive_whole(other.as_fd()).unwrap(), Err(None));
    }

    #[test]
    fn what_could_still_change_is_not_read() {
        let (one, other) = pair();
        let header = Header { kind: Kind::Ask, length: 3, in_memfd: true, is_only: false }.bytes();
        let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
        let open = File::from(rustix::fs::memfd_create(c"open", flags).unwrap());
        (&open).write_all(b"abc").unwrap();
        let short = File::from(sealed(b"ab").unwrap());
        let plain = File::open("/proc/self/exe").unwrap();
        for file in [&open, &short, &plain] {
            let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
            let mut control = SendAncillaryBuffer::new(&mut space);
            let descriptors = [file.as_fd()];
            assert!(control.push(SendAncillaryMessage::ScmRights(&descriptors)));
            let part = [IoSlice::new(&header)];
            rustix::net::sendmsg(&one, &part, &mut control, SendFlags::empty()).unwrap();
            let got = receive_whole(other.as_fd()).unwrap();
            assert_eq!(got, Err(Some(Malformed::Length)));
        }
        rustix::net::send(&one, &header, SendFlags::empty()).unwrap();
        let got = receive_whole(other.as_fd()).unwrap();
        assert_eq!(got, Err(Some(Malformed::Length)), "no descriptor");
        rustix::net::send(&one, &vec![0; PACKET + 1], SendFlags::empty()).unwrap();
        let got = receive_whole(other.as_fd()).unwrap();
        assert_eq!(got, Err(Some(Malformed::Length)), "too long");
    }
}
