//! HTTP over a Unix socket, for a service on this machine: no port that others could take, and the
//! directory of the socket says who may ask. ureq does the HTTP; here is the connection below it.

use std::fmt;
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
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
        let stream = UnixStream::connect(&self.0)?;
        let config = details.config;
        let buffers = LazyBuffers::new(config.input_buffer_size(), config.output_buffer_size());
        Ok(Some(Local { stream, buffers }))
    }
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
