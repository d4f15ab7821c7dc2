//! The system calls of a supervisor: the listener of a seccomp filter (seccomp_unotify(2)), the memory
//! of another process (process_vm_readv(2)), whether two share theirs (kcmp(2)), and holding one at
//! the end of its execve(2) (ptrace(2)).
#![allow(unsafe_code, reason = "neither std nor rustix has these system calls")]

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{WaitOptions, WaitStatus, wait};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

/// Who waits, with which call.
#[derive(Clone, Copy, Debug)]
pub struct Notice {
    /// The kernel's name for this very call.
    pub id: u64,
    /// The thread that waits in it, as numbered here.
    pub thread: u32,
    /// `AUDIT_ARCH_*`.
    pub arch: u32,
    /// The system call.
    pub number: u32,
    /// Its arguments.
    pub args: [u64; 6],
}

/// What a call that waits is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reply {
    /// The kernel is to go on with it.
    Continue,
    /// It fails with this error number.
    Error(i32),
}

/// `SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP`: a call and its answer are worked on by one processor.
const SYNC_WAKE_UP: u64 = 1;

/// The descriptor on which calls are put.
pub struct Listener(OwnedFd);

impl Listener {
    /// That of `descriptor`, which `filter::install` has given.
    pub fn new(descriptor: OwnedFd) -> Self {
        // Who calls sleeps until it is answered: its processor is free for the answer, and on a busy machine
        // another one is not. Older kernels than 6.6 do not know that, and nothing else changes.
        // SAFETY: the flags are the argument itself.
        let _ = unsafe {
            libc::ioctl(descriptor.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_SET_FLAGS, SYNC_WAKE_UP)
        };
        Self(descriptor)
    }

    /// Waits until there is a call; false if there is nobody left who could call.
    pub fn wait(&self) -> bool {
        loop {
            let mut waiting = [PollFd::new(&self.0, PollFlags::IN)];
            match poll(&mut waiting, None) {
                Err(Errno::INTR) => {}
                Err(_) => return false,
                Ok(_) => {
                    let [one] = waiting;
                    return !one.revents().contains(PollFlags::HUP);
                }
            }
        }
    }

    /// Whether nobody is left who could call.
    pub fn is_forsaken(&self) -> bool {
        let mut waiting = [PollFd::new(&self.0, PollFlags::empty())];
        let _ = poll(&mut waiting, Some(&Timespec::default()));
        waiting.iter().any(|one| one.revents().contains(PollFlags::HUP))
    }

    /// Takes the next call, and waits for it.
    ///
    /// # Errors
    /// `ENOENT` if the caller was killed meanwhile, `EINTR`.
    pub fn receive(&self) -> io::Result<Notice> {
        // SAFETY: all-zero bytes are a valid value, and what the kernel demands to be given.
        let mut found: libc::seccomp_notif = unsafe { std::mem::zeroed() };
        self.ioctl(libc::SECCOMP_IOCTL_NOTIF_RECV, (&raw mut found).cast())?;
        Ok(Notice {
            id: found.id,
            thread: found.pid,
            arch: found.data.arch,
            number: found.data.nr.cast_unsigned(),
            args: found.data.args,
        })
    }

    /// Whether the call `id` still waits: what was read of its process since it came was its own.
    pub fn is_waiting(&self, id: u64) -> bool {
        let mut id = id;
        self.ioctl(libc::SECCOMP_IOCTL_NOTIF_ID_VALID, (&raw mut id).cast()).is_ok()
    }

    /// Answers the call `id`.
    ///
    /// # Errors
    /// `ENOENT` if it does not wait any more.
    pub fn reply(&self, id: u64, reply: Reply) -> io::Result<()> {
        let (error, flags) = match reply {
            Reply::Continue => (0, libc::SECCOMP_USER_NOTIF_FLAG_CONTINUE),
            Reply::Error(number) => (-number, 0),
        };
        let flags = u32::try_from(flags).unwrap_or_default();
        let mut answer = libc::seccomp_notif_resp { id, val: 0, error, flags };
        self.ioctl(libc::SECCOMP_IOCTL_NOTIF_SEND, (&raw mut answer).cast())
    }

    fn ioctl(&self, request: libc::Ioctl, data: *mut libc::c_void) -> io::Result<()> {
        // SAFETY: callers pass the structure that their request reads and writes.
        match unsafe { libc::ioctl(self.0.as_raw_fd(), request, data) } {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        }
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Reads memory of `thread`: each range (address, length) one behind the other into `out`, until the
/// first that cannot be read. Returns how many bytes were read. At most 1024 ranges.
///
/// # Errors
/// `EPERM` if it may not be looked at, `EFAULT` if not even the first byte is there, `ESRCH`.
pub fn read_memory(thread: u32, ranges: &[(u64, usize)], out: &mut [u8]) -> io::Result<usize> {
    let remote: Vec<libc::iovec> = ranges
        .iter()
        .map(|(address, length)| libc::iovec {
            // An address of the other process, which nothing here follows.
            iov_base: std::ptr::without_provenance_mut(usize::try_from(*address).unwrap_or(0)),
            iov_len: *length,
        })
        .collect();
    let local = libc::iovec { iov_base: out.as_mut_ptr().cast(), iov_len: out.len() };
    // SAFETY: the kernel writes at most `out.len()` bytes to `out`; remote addresses are checked by it.
    let count = unsafe {
        libc::process_vm_readv(
            thread.cast_signed(),
            &raw const local,
            1,
            remote.as_ptr(),
            remote.len() as libc::c_ulong,
            0,
        )
    };
    usize::try_from(count).map_err(|_| io::Error::last_os_error())
}

/// What two threads have to do with each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sharing {
    /// They share it.
    Shared,
    /// Each has its own.
    Separate,
    /// One of them is not there.
    Gone,
    /// It cannot be found out.
    Unknown,
}

/// What threads can share.
#[derive(Clone, Copy)]
pub enum Share {
    /// Their memory: `KCMP_VM` (`linux/kcmp.h`).
    Memory = 1,
    /// Their working directory and root directory: `KCMP_FS`.
    Place = 3,
}

/// Whether two threads share this.
pub fn shared(what: Share, one: u32, other: u32) -> Sharing {
    // SAFETY: takes numbers only.
    let result = unsafe {
        let what = what as libc::c_int;
        libc::syscall(libc::SYS_kcmp, one.cast_signed(), other.cast_signed(), what, 0, 0)
    };
    match result {
        0 => Sharing::Shared,
        1..=3 => Sharing::Separate,
        _ if io::Error::last_os_error().raw_os_error() == Some(libc::ESRCH) => Sharing::Gone,
        _ => Sharing::Unknown,
    }
}

/// Whether `other` could change what `one` starts: its words, or where its paths lead to.
pub fn meddles(one: u32, other: u32) -> Sharing {
    match shared(Share::Memory, one, other) {
        Sharing::Separate => shared(Share::Place, one, other),
        found => found,
    }
}

/// Whether `process` has a memory, which it has until its first thread has ended, and never again.
pub fn has_memory(process: u32) -> bool {
    // Nothing is ever there, but who has no memory is told that he is not there himself.
    let found = read_memory(process, &[(8, 1)], &mut [0]);
    found.map_or_else(|error| error.raw_os_error() == Some(libc::EFAULT), |_| true)
}

/// Has `thread` stop behind its next execve(2), or, if that fails, before it goes on. It must wait in
/// a call that was put to us.
///
/// # Errors
/// `EPERM` if it may not be traced, or somebody else does.
pub fn hold_at_exec(thread: u32) -> io::Result<()> {
    // If we are killed, nobody would judge it any more.
    let options = libc::PTRACE_O_TRACEEXEC | libc::PTRACE_O_EXITKILL;
    ptrace(libc::PTRACE_SEIZE, thread, options as usize)?;
    ptrace(libc::PTRACE_INTERRUPT, thread, 0).inspect_err(|_| let_go(thread))
}

/// Ends holding `process`, which goes on.
pub fn let_go(process: u32) {
    let _ = ptrace(libc::PTRACE_DETACH, process, 0);
}

/// Has `process`, which has stopped, go on with `signal`, and holds it still.
pub fn go_on(process: u32, signal: i32) {
    let _ = ptrace(libc::PTRACE_CONT, process, usize::try_from(signal).unwrap_or_default());
}

/// What each C library takes a request of ptrace(2) for.
#[cfg(target_env = "musl")]
type Request = libc::c_int;
#[cfg(not(target_env = "musl"))]
type Request = libc::c_uint;

fn ptrace(request: Request, process: u32, data: usize) -> io::Result<()> {
    // SAFETY: none of the requests used here takes an address of ours.
    let result = unsafe {
        libc::ptrace(
            request,
            process.cast_signed(),
            std::ptr::null_mut::<libc::c_void>(),
            std::ptr::without_provenance_mut::<libc::c_void>(data),
        )
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Threads, too, not only processes (`__WALL`); but only those of the thread that waits (`__WNOTHREAD`).
const ALL: WaitOptions =
    WaitOptions::from_bits_retain((libc::__WALL | libc::__WNOTHREAD).cast_unsigned());

/// What a process that is held has come to.
#[derive(Clone, Copy, Debug)]
pub enum Held {
    /// It has become another program, and has not run any of it.
    Executed,
    /// Its execve(2) has failed, or it was stopped for another reason that is none to hold it.
    NotExecuted,
    /// It is about to get this signal.
    Signal(i32),
    /// It has ended.
    Ended(WaitStatus),
}

/// The next change of any process that this thread holds or that is its child, if there is one: its number and
/// what it is. `Ended` also for children.
pub fn changed() -> Option<(u32, Held)> {
    let found = wait(WaitOptions::NOHANG | WaitOptions::UNTRACED | ALL);
    found.ok()?.map(|(pid, status)| (pid.as_raw_nonzero().get().cast_unsigned(), held(status)))
}

/// The same, and waits for it; `None` if this thread holds nobody.
pub fn change() -> Option<(u32, Held)> {
    loop {
        match wait(ALL) {
            Err(Errno::INTR) => {}
            Err(_) => return None,
            Ok(found) => {
                let (pid, status) = found?;
                return Some((pid.as_raw_nonzero().get().cast_unsigned(), held(status)));
            }
        }
    }
}

fn held(status: WaitStatus) -> Held {
    let raw = status.as_raw();
    match (status.stopping_signal(), raw >> 16) {
        (None, _) => Held::Ended(status),
        (Some(_), libc::PTRACE_EVENT_EXEC) => Held::Executed,
        (Some(signal), 0) => Held::Signal(signal),
        (Some(_), _) => Held::NotExecuted,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_read_up_to_the_first_gap() {
        let own = std::process::id();
        let text = *b"one, two";
        let at = text.as_ptr() as u64;
        let mut out = [0; 16];
        assert_eq!(read_memory(own, &[(at, 3), (at + 5, 3)], &mut out).unwrap(), 6);
        assert_eq!(&out[..6], b"onetwo");
        assert_eq!(read_memory(own, &[(at, 3), (8, 3)], &mut out).unwrap(), 3);
        let error = read_memory(own, &[(8, 3)], &mut out).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EFAULT));
    }

    #[test]
    fn who_shares_memory() {
        let own = std::process::id();
        let parent = std::os::unix::process::parent_id();
        for what in [Share::Memory, Share::Place] {
            assert_eq!(shared(what, own, own), Sharing::Shared);
            assert_eq!(shared(what, own, parent), Sharing::Separate);
            assert_eq!(shared(what, own, u32::MAX >> 1), Sharing::Gone);
        }
        assert!(has_memory(own) && !has_memory(u32::MAX >> 1));
    }
}
