//! Who is at the other end of a connection, on the kernel's word.
//!
//! A number can be used again by the time that it is read, so for requests that depend on the process the
//! kernel is asked for a handle of the very one that connected (`SO_PEERPIDFD`, Linux 6.5). Finding
//! that out costs more than a verdict; what anybody may ask does without.
#![allow(
    unsafe_code,
    reason = "rustix has no SO_PEERPIDFD yet, and no peer whose number is unknown"
)]

use crate::process::who::User;
use crate::process::{Asker, Process};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::{io, ptr};

/// `SO_PEERPIDFD` (socket(7); `asm-generic/socket.h`).
const SO_PEERPIDFD: libc::c_int = 77;

/// Who is at the other end.
#[derive(Clone, Copy, Debug)]
pub struct Peer {
    /// The process that connected, for requests that are about it.
    pub process: Option<Process>,
    /// Its user.
    pub uid: u32,
}

impl Peer {
    /// Its user alone, and its number, which may be another's by now; `None` if it has none in this process's
    /// namespace (pid_namespaces(7)), as an evaluator has none in a container.
    ///
    /// # Errors
    /// What getsockopt(2) says.
    pub fn of(socket: BorrowedFd<'_>) -> io::Result<(Self, Option<Pid>)> {
        let mut found = libc::ucred { pid: 0, uid: 0, gid: 0 };
        option(socket, libc::SO_PEERCRED, &mut found)?;
        Ok((Self { process: None, uid: found.uid }, Pid::from_raw(found.pid)))
    }

    /// Whose call it is, for a verdict.
    pub fn asker(&self) -> (User, Asker) {
        (User::Known(self.uid), self.process.into())
    }

    /// With its process; without if that has ended, or cannot be seen from here.
    pub fn with_process(self, socket: BorrowedFd<'_>, pid: Option<Pid>) -> Self {
        let Some(pid) = pid else { return self };
        let number = pid.as_raw_nonzero().get().cast_unsigned();
        let process = handle(socket, pid).ok().and_then(|handle| {
            let process = Process::of(number)?;
            // The number was still its own when it was looked up. A pidfd can be read when its
            // process has ended.
            let mut waiting = [PollFd::new(&handle, PollFlags::IN)];
            (poll(&mut waiting, Some(&Timespec::default())) == Ok(0)).then_some(process)
        });
        Self { process, ..self }
    }
}

/// A handle of the process that connected `socket`. An older kernel gives one of whoever has its
/// number `pid` now.
fn handle(socket: BorrowedFd<'_>, pid: Pid) -> io::Result<OwnedFd> {
    match peer_pidfd(socket) {
        Err(error) if error.raw_os_error() == Some(libc::ENOPROTOOPT) => {
            Ok(pidfd_open(pid, PidfdFlags::empty())?)
        }
        other => other,
    }
}

fn peer_pidfd(socket: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    let mut found: libc::c_int = -1;
    option(socket, SO_PEERPIDFD, &mut found)?;
    // SAFETY: the call succeeded, so `found` is a new descriptor that is nobody else's.
    Ok(unsafe { OwnedFd::from_raw_fd(found) })
}

/// Reads an option of a socket whose value is a plain record of integers.
fn option<T: Plain>(socket: BorrowedFd<'_>, name: libc::c_int, into: &mut T) -> io::Result<()> {
    let mut length = size_of::<T>() as libc::socklen_t;
    // SAFETY: the kernel writes at most `length` bytes, the size of `into`, and any bytes are a `Plain`.
    let result = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            name,
            ptr::from_mut(into).cast(),
            &raw mut length,
        )
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Values of which any bytes are one.
trait Plain {}
impl Plain for libc::c_int {}
impl Plain for libc::ucred {}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
    use std::os::fd::AsFd;

    #[test]
    fn the_peer_of_a_pair_is_this_process() {
        let flags = SocketFlags::CLOEXEC;
        let (one, _other) =
            socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None).unwrap();
        let (peer, pid) = Peer::of(one.as_fd()).unwrap();
        assert_eq!(peer.uid, rustix::process::geteuid().as_raw());
        let own = Process::of(std::process::id());
        assert_eq!(peer.with_process(one.as_fd(), pid).process, own);
        let handle = peer_pidfd(one.as_fd());
        let is_old = |error: &io::Error| error.raw_os_error() == Some(libc::ENOPROTOOPT);
        assert!(handle.is_ok() || handle.is_err_and(|error| is_old(&error)));
    }
}
