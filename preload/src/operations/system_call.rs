//! `syscall(2)` with the numbers of an open: programs that know of `openat2(2)` call it so, for which
//! libc has no function.

use core::ffi::{CStr, c_char, c_int, c_long};

use libc::{O_NOFOLLOW, O_RDONLY};

use super::path::Named;
use super::{Activation, State, activate, refuse};
use crate::act::set_errno;
use crate::start;
use crate::sys::{self, Errno};

/// `RESOLVE_IN_ROOT`: an absolute path starts at the directory, too.
const IN_ROOT: u64 = 0x10;

/// The state of a process with rules; `Err` is the end of the call.
pub fn state() -> Result<Option<&'static State>, c_long> {
    match start::state().map(activate) {
        None | Some(Activation::NoRules) => Ok(None),
        Some(Activation::Judged(state)) => Ok(Some(state)),
        Some(Activation::NoMemory) => {
            set_errno(Errno(libc::ENOMEM));
            Err(-1)
        }
    }
}

/// Whether the open may go ahead.
///
/// # Safety
/// `path` is NULL or a C string.
unsafe fn may(
    hook: &'static str,
    dir: c_int,
    path: *const c_char,
    flags: c_int,
) -> Result<bool, c_long> {
    let Some(state) = state()?.filter(|_| !path.is_null()) else {
        return Ok(true);
    };
    // SAFETY: the caller's promise.
    let path = unsafe { CStr::from_ptr(path) };
    let named = Named { dir, path, follows: flags & O_NOFOLLOW == 0 };
    Ok(flags & libc::O_PATH != 0 || state.may(hook, super::files::kinds_of(flags), Some(named)))
}

pub fn done(result: Result<usize, Errno>) -> c_long {
    match result {
        Ok(fd) => fd as c_long,
        Err(errno) => {
            set_errno(errno);
            -1
        }
    }
}

/// `syscall(2)` with `SYS_openat`: what the naked entry hands on.
///
/// # Safety
/// As the call.
pub unsafe extern "C" fn syscall_openat(
    dir: c_int,
    path: *const c_char,
    flags: c_int,
    mode: u32,
) -> c_long {
    // SAFETY: the caller's promise.
    match unsafe { may("syscall", dir, path, flags) } {
        Ok(true) => done(sys::open_raw(dir, path, flags, mode)),
        Ok(false) => c_long::from(refuse()),
        Err(answer) => answer,
    }
}

/// `syscall(2)` with `SYS_openat2`: what the naked entry hands on.
///
/// # Safety
/// As the call.
pub unsafe extern "C" fn syscall_openat2(
    dir: c_int,
    path: *const c_char,
    how: *const u64,
    size: usize,
) -> c_long {
    // SAFETY: the caller's promise: `struct open_how` is three such words, or the kernel refuses it.
    let (flags, resolve) = match how.is_null() || size < 24 {
        true => (O_RDONLY, 0),
        // SAFETY: so it is.
        false => unsafe { ((*how) as c_int, *how.add(2)) },
    };
    let mut from = path;
    // SAFETY: a C string, or NULL.
    while unsafe { resolve & IN_ROOT != 0 && !from.is_null() && *from == b'/' as c_char } {
        from = from.wrapping_add(1);
    }
    // SAFETY: the caller's promise.
    match unsafe { may("syscall", dir, from, flags) } {
        Ok(true) => done(sys::open_how_raw(dir, path, how, size)),
        Ok(false) => c_long::from(refuse()),
        Err(answer) => answer,
    }
}
