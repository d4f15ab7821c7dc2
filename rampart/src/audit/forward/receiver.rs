//! Whom events are sent to. A batch counts as sent when the receiver has it, as far as its protocol
//! can tell: OTLP answers; of a stream the receiver's kernel has acknowledged every byte; of a
//! datagram nobody knows anything.

use super::super::config::{Export, Format, Heartbeat};
use super::super::event::Event;
use super::super::format::{cef, hook, otlp, syslog};
use super::tls::{self, Tls};
use std::io::{self, Read as _, Write};
use std::net::{TcpStream, ToSocketAddrs as _, UdpSocket};
use std::os::fd::{AsFd as _, AsRawFd as _};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use ureq::tls::{Certificate, RootCerts, TlsConfig};

/// How long a receiver may take for anything.
const LIMIT: Duration = Duration::from_secs(10);

/// Longest datagram: what every IPv4 host takes is less, what UDP can carry is more (RFC 5426 §3.2).
const DATAGRAM: usize = 60_000;

enum Way {
    Udp(String),
    Tcp(String, Option<TcpStream>),
    Tls(String, Box<Tls>),
    Unix(PathBuf),
    Otlp(String, Box<ureq::Agent>),
    Hook(String, Box<ureq::Agent>, Option<String>),
}

/// A receiver.
pub struct Receiver {
    way: Way,
    format: Format,
    host: String,
}

impl Receiver {
    /// # Errors
    /// What is wrong with the address.
    pub fn new(export: &Export) -> Result<Self, String> {
        let to = export.to.as_str();
        let authority = |rest: &str| match rest.rsplit_once(':') {
            Some((host, port)) if !host.is_empty() && port.parse::<u16>().is_ok() => {
                Ok(rest.to_owned())
            }
            _ => Err(format!("`{to}` needs a host and a port")),
        };
        let is_web = to.starts_with("http://") || to.starts_with("https://");
        let ca = export.ca.as_deref();
        let way = if let Some(template) = &export.hook {
            if !is_web {
                return Err(format!("`{to}` is no address of a webhook: https:// or http://"));
            }
            Way::Hook(to.to_owned(), Box::new(agent(ca)?), template.clone())
        } else if let Some(rest) = to.strip_prefix("udp://") {
            Way::Udp(authority(rest)?)
        } else if let Some(rest) = to.strip_prefix("tcp://") {
            Way::Tcp(authority(rest)?, None)
        } else if let Some(rest) = to.strip_prefix("tls://") {
            let ca = ca.ok_or("`tls://` needs `ca`, a file of certificates")?;
            Way::Tls(authority(rest)?, Box::new(Tls::new(rest, ca)?))
        } else if let Some(path) = to.strip_prefix("unix:").filter(|path| path.starts_with('/')) {
            Way::Unix(path.into())
        } else if is_web {
            let url = format!("{}{}", to.trim_end_matches('/'), otlp::PATH);
            Way::Otlp(url, Box::new(agent(ca)?))
        } else {
            let known = "udp://, tcp:// and tls://host:port, unix:/path, http:// and https://host";
            return Err(format!("`{to}` is no address; there are {known}"));
        };
        Ok(Self { way, format: export.format, host: super::super::host() })
    }

    /// Sends a batch.
    ///
    /// # Errors
    /// If the receiver has not got all of it; it is then to be sent again.
    pub fn send(&mut self, events: &[(Event, Vec<u8>)]) -> io::Result<()> {
        let messages = events.iter().map(|(event, line)| match self.format {
            Format::Json => syslog::message(event, &self.host, &String::from_utf8_lossy(line)),
            Format::Cef => syslog::message(event, &self.host, &cef::line(event)),
        });
        match &mut self.way {
            Way::Udp(to) => {
                let socket =
                    UdpSocket::bind(("::", 0)).or_else(|_| UdpSocket::bind(("0.0.0.0", 0)))?;
                let socket = match socket.connect(to.as_str()) {
                    Ok(()) => socket,
                    // An address of IPv4 that the socket of IPv6 does not take.
                    Err(_) => {
                        let socket = UdpSocket::bind(("0.0.0.0", 0))?;
                        socket.connect(to.as_str())?;
                        socket
                    }
                };
                for message in messages {
                    socket.send(message.get(..DATAGRAM).unwrap_or(&message))?;
                }
                Ok(())
            }
            Way::Unix(path) => {
                let socket = UnixDatagram::unbound()?;
                socket.connect(path)?;
                socket.set_write_timeout(Some(LIMIT))?;
                for message in messages {
                    socket.send(message.get(..DATAGRAM).unwrap_or(&message))?;
                }
                Ok(())
            }
            Way::Tcp(to, open) => {
                let bytes: Vec<u8> = messages.flat_map(|one| syslog::counted(&one)).collect();
                let sent = match open.take() {
                    Some(stream) => stream,
                    None => connect(to)?,
                };
                stream(&sent, &bytes)?;
                *open = Some(sent);
                Ok(())
            }
            Way::Tls(to, tls) => {
                let bytes: Vec<u8> = messages.flat_map(|one| syslog::counted(&one)).collect();
                tls.send(|| connect(to), &bytes)
            }
            Way::Otlp(url, agent) => {
                let events: Vec<Event> = events.iter().map(|(event, _)| event.clone()).collect();
                let body = otlp::request(&events, &self.host).to_string();
                post(agent, url, &body)
            }
            Way::Hook(url, agent, template) => events.iter().try_for_each(|(event, _)| {
                let body = match template {
                    Some(template) => hook::filled(template, event, &self.host),
                    None => hook::slack(event, &self.host),
                };
                post(agent, url, &body)
            }),
        }
    }
}

/// Where signs of life go.
pub struct Ping {
    to: Option<(String, Box<ureq::Agent>)>,
}

impl Ping {
    /// # Errors
    /// What is wrong with the address.
    pub fn new(heartbeat: &Heartbeat) -> Result<Self, String> {
        let Some(to) = &heartbeat.to else { return Ok(Self { to: None }) };
        if !to.starts_with("http://") && !to.starts_with("https://") {
            return Err(format!("heartbeat: `{to}` is no address: https:// or http://"));
        }
        let agent = agent(heartbeat.ca.as_deref())?;
        Ok(Self { to: Some((to.clone(), Box::new(agent))) })
    }

    /// Sends one, where there is an address.
    ///
    /// # Errors
    /// If the other end has not got it.
    pub fn send(&self, event: &[u8]) -> io::Result<()> {
        let text = String::from_utf8_lossy(event);
        self.to.as_ref().map_or(Ok(()), |(to, agent)| post(agent, to, &text))
    }
}

/// What speaks HTTP. Those in the file `ca` vouch for the receiver, without one the usual authorities.
fn agent(ca: Option<&Path>) -> Result<ureq::Agent, String> {
    let mut tls = TlsConfig::builder();
    if let Some(ca) = ca {
        let all = tls::certificates(ca)?;
        let all: Vec<_> = all.iter().map(|one| Certificate::from_der(one).to_owned()).collect();
        tls = tls.root_certs(RootCerts::new_with_certs(&all));
    }
    let config = ureq::Agent::config_builder()
        .timeout_global(Some(LIMIT))
        .http_status_as_error(false)
        .max_redirects(0)
        .tls_config(tls.build());
    Ok(config.build().into())
}

/// Sends JSON; anything but success is an error.
fn post(agent: &ureq::Agent, url: &str, body: &str) -> io::Result<()> {
    let sent = agent
        .post(url)
        .header("Content-Type", "application/json")
        .send(body.as_bytes())
        .map_err(|error| io::Error::other(error.to_string()))?;
    match sent.status().is_success() {
        true => Ok(()),
        false => Err(io::Error::other(format!("it answers {}", sent.status()))),
    }
}

fn connect(to: &str) -> io::Result<TcpStream> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
    for address in to.to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, LIMIT) {
            Ok(stream) => {
                stream.set_write_timeout(Some(LIMIT))?;
                stream.set_read_timeout(Some(LIMIT))?;
                return Ok(stream);
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// Writes `bytes`, and waits until the other end has acknowledged all of them.
fn stream(mut stream: &TcpStream, bytes: &[u8]) -> io::Result<()> {
    is_open(stream)?;
    stream.write_all(bytes)?;
    acknowledged(stream, || is_open(stream))
}

/// Waits until the other end of `stream` has acknowledged everything, and looks whether it `is_open`.
///
/// # Errors
/// If it is not, or does not acknowledge in time.
pub fn acknowledged(
    stream: &TcpStream,
    mut is_open: impl FnMut() -> io::Result<()>,
) -> io::Result<()> {
    let started = Instant::now();
    let mut pause = Duration::from_micros(100);
    loop {
        if unacknowledged(stream)? == 0 {
            return is_open();
        }
        is_open()?;
        if started.elapsed() > LIMIT {
            return Err(io::ErrorKind::TimedOut.into());
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(50));
    }
}

/// Whether the other end still reads: one that has gone says so by an end or a reset.
fn is_open(mut stream: &TcpStream) -> io::Result<()> {
    stream.set_nonblocking(true)?;
    let read = stream.read(&mut [0; 512]);
    stream.set_nonblocking(false)?;
    match read {
        Ok(0) => Err(io::ErrorKind::ConnectionAborted.into()),
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(()),
        Err(error) => Err(error),
    }
}

/// Bytes that were sent and not acknowledged (tcp(7), `SIOCOUTQ`).
fn unacknowledged(stream: &TcpStream) -> io::Result<usize> {
    let mut count: libc::c_int = 0;
    let socket = stream.as_fd().as_raw_fd();
    #[allow(unsafe_code, reason = "no safe wrapper has SIOCOUTQ, which is TIOCOUTQ")]
    // SAFETY: an open descriptor, and a place for one int.
    let done = unsafe { libc::ioctl(socket, libc::TIOCOUTQ, &raw mut count) };
    match done {
        0 => Ok(usize::try_from(count).unwrap_or(0)),
        _ => Err(io::Error::last_os_error()),
    }
}
