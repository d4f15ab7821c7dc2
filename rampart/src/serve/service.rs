//! Being a service of systemd: a socket that it holds, and telling it how we are. Both are nothing
//! where there is no systemd. (sd_listen_fds(3), sd_notify(3), sd_watchdog_enabled(3))

use crate::failure::{Failure, reason};
use rustix::net::SocketType;
use rustix::net::sockopt::{socket_acceptconn, socket_type};
use rustix::process::{PidfdFlags, PidfdGetfdFlags, getpid, pidfd_getfd, pidfd_open};
use std::env;
use std::ffi::OsStr;
use std::os::fd::OwnedFd;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::{Duration, Instant};

/// The first descriptor that a service is given (`SD_LISTEN_FDS_START`).
const FIRST: i32 = 3;

/// The socket that this process was started with; `None` if it was not.
///
/// # Errors
/// If there are several, or it is not one to listen at with packets.
pub fn inherited() -> Result<Option<OwnedFd>, Failure> {
    let number = |name: &str| env::var(name).ok().and_then(|text| text.parse::<u32>().ok());
    if number("LISTEN_PID") != Some(std::process::id()) {
        return Ok(None);
    }
    match number("LISTEN_FDS") {
        None | Some(0) => return Ok(None),
        Some(1) => {}
        Some(more) => {
            let what = format!("systemd gives {more} sockets; the evaluator listens at one");
            return Err(Failure::usage(what));
        }
    }
    let failed = |errno: rustix::io::Errno| {
        let why = reason(&errno.into());
        Failure::usage(format!("cannot take the socket that systemd gives: {why}"))
    };
    // A second descriptor of the same socket: the number alone is nothing that can be owned.
    let own = pidfd_open(getpid(), PidfdFlags::empty()).map_err(failed)?;
    let socket = pidfd_getfd(&own, FIRST, PidfdGetfdFlags::empty()).map_err(failed)?;
    let is_right = socket_type(&socket).map_err(failed)? == SocketType::SEQPACKET
        && socket_acceptconn(&socket).map_err(failed)?;
    if !is_right {
        return Err(Failure::usage(
            "the socket that systemd gives is no listening SOCK_SEQPACKET one; write \
             `ListenSequentialPacket=` in the socket unit",
        ));
    }
    rustix::io::ioctl_fionbio(&socket, true).map_err(failed)?;
    Ok(Some(socket))
}

/// Tells the service manager, if there is one.
pub fn notify(text: &str) {
    let Some(name) = env::var_os("NOTIFY_SOCKET") else {
        return;
    };
    let address = match name.as_bytes() {
        [b'@', abstract_name @ ..] => SocketAddr::from_abstract_name(abstract_name),
        path => SocketAddr::from_pathname(OsStr::from_bytes(path)),
    };
    // Nobody to tell is no reason to stop.
    if let (Ok(address), Ok(socket)) = (address, UnixDatagram::unbound()) {
        let _ = socket.send_to_addr(text.as_bytes(), &address);
    }
}

/// The service manager's watchdog: it restarts a service that does not say in time that it lives.
pub struct Watchdog {
    every: Option<Duration>,
    said: Instant,
}

impl Watchdog {
    /// As the environment asks for it.
    pub fn from_environment() -> Self {
        let own = env::var("WATCHDOG_PID").ok();
        let is_ours = own.is_none_or(|pid| pid == std::process::id().to_string());
        let limit = env::var("WATCHDOG_USEC").ok().and_then(|text| text.parse().ok());
        let every = limit.filter(|limit| is_ours && *limit > 0).map(Duration::from_micros);
        Self { every: every.map(|limit| limit / 2), said: Instant::now() }
    }

    /// How long may pass before [`Watchdog::pat`].
    pub fn patience(&self) -> Duration {
        self.every.map_or(Duration::MAX, |every| every.saturating_sub(self.said.elapsed()))
    }

    /// Says that we live, if it is time to.
    pub fn pat(&mut self) {
        if self.every.is_some_and(|every| self.said.elapsed() >= every) {
            notify("WATCHDOG=1");
            self.said = Instant::now();
        }
    }
}
