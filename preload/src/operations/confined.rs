//! A program that takes system calls away from itself (seccomp(2)) may be ended for one that it does
//! not make. From that moment on its paths are judged as they are spelled, without a look at where
//! they lead: a filter says nothing of what it lets pass.

use core::ffi::{c_int, c_long, c_ulong};
use core::sync::atomic::Ordering;

use super::{State, refuse, state};
use crate::sys;

impl State {
    /// Whether no system call of ours may be made any more before there is something to refuse.
    pub fn is_confined(&self) -> bool {
        self.confined.load(Ordering::Relaxed)
    }

    pub fn confine(&self) {
        self.confined.store(true, Ordering::Relaxed);
        self.lacks_openat2.store(true, Ordering::Relaxed);
    }
}

/// `prctl(2)`, which may install a filter.
///
/// # Safety
/// As the function of that name.
pub unsafe extern "C" fn prctl(
    option: c_int,
    a: c_ulong,
    b: c_ulong,
    c: c_ulong,
    d: c_ulong,
) -> c_int {
    type Next = unsafe extern "C" fn(c_int, c_ulong, c_ulong, c_ulong, c_ulong) -> c_int;
    let Some(state) = state() else {
        return refuse();
    };
    if option == libc::PR_SET_SECCOMP {
        state.confine();
    }
    // SAFETY: the caller's promise.
    unsafe { next!(state, prctl as Next)(option, a, b, c, d) }
}

/// `syscall(2)` with `SYS_seccomp`, as libseccomp calls it: what the naked entry hands on.
///
/// # Safety
/// As the call.
pub unsafe extern "C" fn syscall_seccomp(
    operation: c_ulong,
    flags: c_ulong,
    arguments: *const u8,
) -> c_long {
    match super::system_call::state() {
        // It is made ready first: afterwards there may be no memory to be had.
        Ok(Some(state)) => state.confine(),
        Ok(None) => {}
        Err(answer) => return answer,
    }
    super::system_call::done(sys::seccomp(operation, flags, arguments))
}
