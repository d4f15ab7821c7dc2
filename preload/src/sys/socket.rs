//! One request over a Unix socket: connect, send, wait, receive, close. For the few calls that
//! another party has to be asked about; nothing is kept.

use core::ffi::c_int;

use libc::{AF_UNIX, POLLIN, SOCK_CLOEXEC, SOCK_SEQPACKET, SOL_SOCKET};

use super::{Errno, Fd, call, int};

/// Room for a socket's path, its NUL included (`sun_path` in unix(7)).
const PATH: usize = 108;

/// `struct sockaddr_un`.
#[repr(C)]
struct Address {
    family: u16,
    path: [u8; PATH],
}

impl Fd {
    /// A `SOCK_SEQPACKET` connection to the socket at `path`. `ENAMETOOLONG` if it cannot be
    /// named.
    pub fn connect(path: &[u8]) -> Result<Self, Errno> {
        let mut address = Address { family: AF_UNIX as u16, path: [0; PATH] };
        if path.len() >= PATH {
            return Err(Errno(libc::ENAMETOOLONG));
        }
        for (to, from) in address.path.iter_mut().zip(path) {
            *to = *from;
        }
        let args = [int(AF_UNIX), int(SOCK_SEQPACKET | SOCK_CLOEXEC), 0, 0, 0, 0];
        // SAFETY: takes numbers only.
        let socket = unsafe { call(libc::SYS_socket, args) }.map(|fd| Self(fd as c_int))?;
        let args = [int(socket.0), (&raw const address) as usize, size_of::<Address>(), 0, 0, 0];
        // SAFETY: `address` has the layout of `struct sockaddr_un`, and its length.
        unsafe { call(libc::SYS_connect, args) }?;
        Ok(socket)
    }

    /// The user who listens at the other end (`SO_PEERCRED`).
    pub fn peer_user(&self) -> Result<u32, Errno> {
        let mut credentials = [0_u32; 3];
        let mut len = size_of::<[u32; 3]>() as u32;
        let args = [
            int(self.0),
            int(SOL_SOCKET),
            int(libc::SO_PEERCRED),
            credentials.as_mut_ptr() as usize,
            (&raw mut len) as usize,
            0,
        ];
        // SAFETY: `credentials` has the layout of `struct ucred`, and `len` is its length.
        unsafe { call(libc::SYS_getsockopt, args) }?;
        let [_, user, _] = credentials;
        Ok(user)
    }

    /// `sendto(2)` of one packet; a peer that has gone is an error, never a signal.
    pub fn send(&self, packet: &[u8]) -> Result<usize, Errno> {
        let flags = int(libc::MSG_NOSIGNAL);
        let args = [int(self.0), packet.as_ptr() as usize, packet.len(), flags, 0, 0];
        // SAFETY: `packet` is valid for reads of its length.
        unsafe { call(libc::SYS_sendto, args) }
    }

    /// Waits until a packet has come, or the other end has gone, at most `ms` milliseconds: whether it has.
    /// `EINTR` if a signal was handled meanwhile.
    pub fn has_come(&self, ms: u64) -> Result<bool, Errno> {
        let mut waiting = libc::pollfd { fd: self.0, events: POLLIN, revents: 0 };
        let limit = [(ms / 1000).cast_signed(), (ms % 1000 * 1_000_000).cast_signed()];
        let args = [(&raw mut waiting) as usize, 1, limit.as_ptr() as usize, 0, 0, 0];
        // SAFETY: one `struct pollfd`, and the layout of the 64-bit `struct timespec`.
        unsafe { call(libc::SYS_ppoll, args) }.map(|count| count > 0)
    }

    /// Waits until a packet has come, at most `seconds`, and receives it. `ETIMEDOUT` if none
    /// has.
    pub fn receive(&self, out: &mut [u8], seconds: i64) -> Result<usize, Errno> {
        let mut waiting = libc::pollfd { fd: self.0, events: POLLIN, revents: 0 };
        // The kernel writes back how much of it is left.
        let mut limit = [seconds, 0_i64];
        loop {
            let args = [(&raw mut waiting) as usize, 1, limit.as_mut_ptr() as usize, 0, 0, 0];
            // SAFETY: one `struct pollfd`, and the layout of the 64-bit `struct timespec`.
            match unsafe { call(libc::SYS_ppoll, args) } {
                Ok(0) => return Err(Errno(libc::ETIMEDOUT)),
                Ok(_) => break,
                Err(Errno(libc::EINTR)) => {}
                Err(errno) => return Err(errno),
            }
        }
        let args = [int(self.0), out.as_mut_ptr() as usize, out.len(), 0, 0, 0];
        // SAFETY: `out` is valid for writes of its length.
        unsafe { call(libc::SYS_recvfrom, args) }
    }
}

/// `getsockname(2)` into `out`: how many bytes of it are the address; 0 if that fails.
pub fn own_address(fd: c_int, out: &mut [u64; 16]) -> usize {
    let mut len = size_of::<[u64; 16]>() as u32;
    let args = [int(fd), out.as_mut_ptr() as usize, (&raw mut len) as usize, 0, 0, 0];
    // SAFETY: `out` is valid for writes of `len` bytes.
    match unsafe { call(libc::SYS_getsockname, args) } {
        Ok(_) => (len as usize).min(size_of::<[u64; 16]>()),
        Err(_) => 0,
    }
}

/// Sleeps for `ms` milliseconds, or until a signal.
pub fn pause(ms: i64) {
    let length = [ms / 1000, (ms % 1000) * 1_000_000];
    // SAFETY: `length` has the layout of the 64-bit `struct timespec`.
    let _ = unsafe { call(libc::SYS_nanosleep, [length.as_ptr() as usize, 0, 0, 0, 0, 0]) };
}
