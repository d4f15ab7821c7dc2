//! Stage 7, act: an allowed call goes on with the environment that the tree prescribes; a denied
//! one is never started, and looks like a program that printed one line and exited with 126.

pub mod exec;
pub mod shell;
pub mod spawn;

use core::ffi::c_int;

use crate::judge::Judged;
use crate::snapshot::Snapshot;
use crate::stub;
use crate::sys::{self, Errno};

unsafe extern "C" {
    fn __errno_location() -> *mut c_int;
}

/// Sets libc's `errno`.
pub fn set_errno(errno: Errno) {
    // SAFETY: the calling thread's own errno.
    unsafe { *__errno_location() = errno.0 };
}

/// libc's `errno`.
pub fn errno() -> Errno {
    // SAFETY: the calling thread's own errno.
    Errno(unsafe { *__errno_location() })
}

/// Denies an exec in place. In a process that was forked for it, which is nothing but the program
/// to come, that program "runs" here: the line, and exit 126. Any other process gets the line and
/// the error.
fn deny_in_place(snapshot: &Snapshot, judged: Judged) -> Errno {
    if !judged.is_repeated {
        let _ = sys::write(2, judged.notice());
    }
    let errno = judged.errno;
    // A `vfork` child exits with its parent's memory: what was mapped for the verdict goes first.
    drop(judged);
    let is_forked = sys::process_id() != snapshot.pid;
    if is_forked && !snapshot.deny_by_errno {
        sys::exit(stub::STATUS);
    }
    errno
}
