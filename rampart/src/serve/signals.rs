//! Signals as descriptors, for a loop that waits for descriptors.

use crate::failure::{Failure, reason};
use rustix::net::{AddressFamily, SocketFlags, SocketType};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;

/// A descriptor from which a byte can be read for every one of `signals` that has come.
///
/// # Errors
/// If they cannot be caught.
pub fn caught(signals: &[i32]) -> Result<OwnedFd, Failure> {
    let failed =
        |error: std::io::Error| Failure::other(format!("cannot catch signals: {}", reason(&error)));
    let (read, write) = rustix::net::socketpair(
        AddressFamily::UNIX,
        SocketType::STREAM,
        SocketFlags::CLOEXEC | SocketFlags::NONBLOCK,
        None,
    )
    .map_err(|errno| failed(errno.into()))?;
    for signal in signals {
        let write = UnixStream::from(write.try_clone().map_err(failed)?);
        signal_hook::low_level::pipe::register(*signal, write).map_err(failed)?;
    }
    Ok(read)
}

/// Whether any has come; forgets them.
pub fn have_come(descriptor: &OwnedFd) -> bool {
    let mut bytes = [0; 64];
    let mut found = false;
    while rustix::io::read(descriptor, &mut bytes).is_ok_and(|count| count > 0) {
        found = true;
    }
    found
}
