//! HTTP over a Unix socket, for a service on this machine: no port that others could take, and the
//! directory of the socket says who may ask. ureq does the HTTP; here is the connection below it.

use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, socket_with};
use std::fmt;
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use ureq::http::Uri;
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, LazyBuffers, NextTimeout, Transport,
};
use ureq::{Error, config::Config};

/// What the address of such a service begins with; its path follows.
pub const SCHEME: &str = "unix:";

/// Asks whoever listens at `path`, one connection a question.
pub fn agent(path: &str) -> ureq::Agent {
    let config = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .proxy(None)
        .user_agent(concat!("rampart/", env!("CARGO_PKG_VERSION")))
        .build();
    ureq::Agent::with_parts(config, Socket(path.into()), Nowhere)
}

/// The socket at this path.
#[derive(Debug)]
struct Socket(PathBuf);

impl Connector for Socket {
    type Out = Local;

    fn connect(
        &self,
        details: &ConnectionDetails<'_>,
        _: Option<()>,
    ) -> Result<Option<Local>, Error> {
        let stream = connect(&self.0)?;
        let config = details.config;
        let buffers = LazyBuffers::new(config.input_buffer_size(), config.output_buffer_size());
        Ok(Some(Local { stream, buffers }))
    }
}

/// Connects, or fails at once: connect(2) waits without limit for a service that takes no connections
/// and has a full queue of them (unix(7)), which is one that hangs.
fn connect(path: &Path) -> io::Result<UnixStream> {
    let address = SocketAddrUnix::new(path)?;
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    rustix::net::connect(&socket, &address)?;
    let stream = UnixStream::from(socket);
    stream.set_nonblocking(false)?;
    Ok(stream)
}

/// No name is looked up: the socket is the address.
#[derive(Debug)]
struct Nowhere;

impl Resolver for Nowhere {
    fn resolve(&self, _: &Uri, _: &Config, _: NextTimeout) -> Result<ResolvedSocketAddrs, Error> {
        let mut all = self.empty();
        all.push(([127, 0, 0, 1], 0).into());
        Ok(all)
    }
}

/// A connection.
struct Local {
    stream: UnixStream,
    buffers: LazyBuffers,
}

impl fmt::Debug for Local {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Local").finish_non_exhaustive()
    }
}

/// What an error means to ureq: a time limit is one, whatever the kernel calls it (socket(7)).
fn said(error: io::Error, timeout: NextTimeout) -> Error {
    match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => Error::Timeout(timeout.reason),
        _ => error.into(),
    }
}

impl Transport for Local {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        self.stream.set_write_timeout(timeout.not_zero().map(|left| *left))?;
        let output = self.buffers.output().get(..amount).unwrap_or_default();
        (&self.stream).write_all(output).map_err(|error| said(error, timeout))
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        self.stream.set_read_timeout(timeout.not_zero().map(|left| *left))?;
        let count = (&self.stream).read(self.buffers.input_append_buf());
        let count = count.map_err(|error| said(error, timeout))?;
        self.buffers.input_appended(count);
        Ok(count > 0)
    }

    fn is_open(&mut self) -> bool {
        // One question, one connection.
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One that hangs: its queue is full, and nobody takes a connection from it.
    #[test]
    fn a_service_with_a_full_queue_is_not_waited_for() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("s");
        let kind = (AddressFamily::UNIX, SocketType::STREAM);
        let listener = socket_with(kind.0, kind.1, SocketFlags::CLOEXEC, None).unwrap();
        rustix::net::bind(&listener, &SocketAddrUnix::new(&path).unwrap()).unwrap();
        rustix::net::listen(&listener, 0).unwrap();
        let mut held = Vec::new();
        let full = loop {
            match connect(&path) {
                Ok(stream) => held.push(stream),
                Err(error) => break error,
            }
            assert!(held.len() < 16, "the queue has no end");
        };
        assert_eq!(full.kind(), io::ErrorKind::WouldBlock);
        assert!(agent(path.to_str().unwrap()).get("http://localhost/").call().is_err());
    }
}
