//! Syslog over TLS (RFC 5425): rustls, with the certificates that the configuration names as the only
//! ones to believe.

use super::receiver::acknowledged;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore};
use std::io::{self, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;

/// A receiver that speaks TLS, and the connection to it.
pub struct Tls {
    config: Arc<ClientConfig>,
    name: ServerName<'static>,
    open: Option<(ClientConnection, TcpStream)>,
}

impl Tls {
    /// For `host:port`, whose certificate somebody in the file `ca` vouches for.
    ///
    /// # Errors
    /// What is wrong with the file or the name.
    pub fn new(authority: &str, ca: &Path) -> Result<Self, String> {
        let mut roots = RootCertStore::empty();
        for certificate in certificates(ca)? {
            let added = roots.add(certificate);
            added.map_err(|error| format!("`{}`: {error}", ca.display()))?;
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let host = authority.rsplit_once(':').map_or(authority, |(host, _)| host);
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let name = ServerName::try_from(host).map_err(|error| error.to_string())?;
        Ok(Self { config: Arc::new(config), name, open: None })
    }

    /// Sends `bytes` over the connection, or over one that `connect` makes.
    ///
    /// # Errors
    /// If the other end has not acknowledged all of them; the connection is then given up.
    pub fn send(
        &mut self,
        connect: impl FnOnce() -> io::Result<TcpStream>,
        bytes: &[u8],
    ) -> io::Result<()> {
        let (mut connection, mut socket) = match self.open.take() {
            Some(open) => open,
            None => {
                let connection = ClientConnection::new(Arc::clone(&self.config), self.name.clone());
                (connection.map_err(io::Error::other)?, connect()?)
            }
        };
        let mut stream = rustls::Stream::new(&mut connection, &mut socket);
        stream.write_all(bytes)?;
        stream.flush()?;
        while connection.wants_write() {
            connection.write_tls(&mut socket)?;
        }
        acknowledged(&socket, || is_open(&mut connection, &socket))?;
        self.open = Some((connection, socket));
        Ok(())
    }
}

/// The certificates in a file (PEM), at least one.
///
/// # Errors
/// What is wrong with the file.
pub fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let failed = |what: String| format!("`{}`: {what}", path.display());
    let all = CertificateDer::pem_file_iter(path).map_err(|error| failed(error.to_string()))?;
    let all: Result<Vec<_>, _> = all.collect();
    let all = all.map_err(|error| failed(error.to_string()))?;
    if all.is_empty() {
        return Err(failed("there is no certificate in it".to_owned()));
    }
    Ok(all)
}

/// Takes in what the other end has said: whether it has ended the connection.
fn is_open(connection: &mut ClientConnection, mut socket: &TcpStream) -> io::Result<()> {
    socket.set_nonblocking(true)?;
    let read = loop {
        match connection.read_tls(&mut socket) {
            Ok(0) => break Err(io::ErrorKind::ConnectionAborted.into()),
            Ok(_) => match connection.process_new_packets() {
                Ok(state) if state.peer_has_closed() => {
                    break Err(io::ErrorKind::ConnectionAborted.into());
                }
                Ok(_) => {}
                Err(error) => break Err(io::Error::other(error)),
            },
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => break Ok(()),
            Err(error) => break Err(error),
        }
    };
    socket.set_nonblocking(false)?;
    read
}
