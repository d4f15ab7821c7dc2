//! Stage 1, intercept: the exported functions, as `exports.txt` lists them. Each only names
//! itself and passes on what it got.
//!
//! Inside libc these functions call each other by hidden names, so each of them is hooked, not
//! `execve` alone (tried on glibc 2.36 and musl 1.2.3).

mod variadic;

use core::ffi::{c_char, c_int, c_long, c_void};

use libc::{AT_EMPTY_PATH, AT_FDCWD};

use crate::act::{exec, set_errno, shell, spawn};
use crate::observe::process::environment;
use crate::start;
use crate::sys::{self, Errno, Strings};

/// `execve(2)`.
///
/// # Safety
/// As the function of that name.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn execve(path: *const c_char, argv: Strings, env: Strings) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { exec::at("execve", AT_FDCWD, path, argv, env, 0) }
}

/// `execv(3)`.
///
/// # Safety
/// As the function of that name.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn execv(path: *const c_char, argv: Strings) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { exec::at("execv", AT_FDCWD, path, argv, environment(), 0) }
}

/// `execvp(3)`.
///
/// # Safety
/// As the function of that name.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn execvp(file: *const c_char, argv: Strings) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { exec::search("execvp", file, argv, environment()) }
}

/// `execvpe(3)`.
///
/// # Safety
/// As the function of that name.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn execvpe(file: *const c_char, argv: Strings, env: Strings) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { exec::search("execvpe", file, argv, env) }
}

/// `execveat(2)`; musl has no such function, and then nobody calls it.
///
/// # Safety
/// As the function of that name.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn execveat(
    dir: c_int,
    path: *const c_char,
    argv: Strings,
    env: Strings,
    flags: c_int,
) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { exec::at("execveat", dir, path, argv, env, flags) }
}

/// `fexecve(3)`.
///
/// # Safety
/// As the function of that name.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fexecve(fd: c_int, argv: Strings, env: Strings) -> c_int {
    // glibc looks at its arguments first (`sysdeps/unix/sysv/linux/fexecve.c`).
    if (fd < 0 || argv.is_null() || env.is_null())
        && start::state().is_some_and(|state| state.is_glibc)
    {
        set_errno(Errno(libc::EINVAL));
        return -1;
    }
    // SAFETY: the caller's promise.
    unsafe { exec::at("fexecve", fd, c"".as_ptr(), argv, env, AT_EMPTY_PATH) }
}

/// `posix_spawn(3)`.
///
/// # Safety
/// As the function of that name.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn posix_spawn(
    pid: *mut c_int,
    path: *const c_char,
    actions: *const c_void,
    attributes: *const c_void,
    argv: Strings,
    env: Strings,
) -> c_int {
    let request = spawn::Request { pid, actions, attributes };
    // SAFETY: the caller's promise.
    unsafe { spawn::spawn("posix_spawn", false, request, path, argv, env) }
}

/// `posix_spawnp(3)`.
///
/// # Safety
/// As the function of that name.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn posix_spawnp(
    pid: *mut c_int,
    file: *const c_char,
    actions: *const c_void,
    attributes: *const c_void,
    argv: Strings,
    env: Strings,
) -> c_int {
    let request = spawn::Request { pid, actions, attributes };
    // SAFETY: the caller's promise.
    unsafe { spawn::spawn("posix_spawnp", true, request, file, argv, env) }
}

/// `pidfd_spawn(3)` of glibc 2.39; here for every libc, by `pidfd_open(2)`.
///
/// # Safety
/// As the function of that name.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pidfd_spawn(
    pidfd: *mut c_int,
    path: *const c_char,
    actions: *const c_void,
    attributes: *const c_void,
    argv: Strings,
    env: Strings,
) -> c_int {
    let request = spawn::Request { pid: pidfd, actions, attributes };
    // SAFETY: the caller's promise.
    unsafe { spawn::spawn_for_descriptor("pidfd_spawn", false, request, path, argv, env) }
}

/// `pidfd_spawnp(3)` of glibc 2.39; here for every libc, by `pidfd_open(2)`.
///
/// # Safety
/// As the function of that name.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pidfd_spawnp(
    pidfd: *mut c_int,
    file: *const c_char,
    actions: *const c_void,
    attributes: *const c_void,
    argv: Strings,
    env: Strings,
) -> c_int {
    let request = spawn::Request { pid: pidfd, actions, attributes };
    // SAFETY: the caller's promise.
    unsafe { spawn::spawn_for_descriptor("pidfd_spawnp", true, request, file, argv, env) }
}

/// `system(3)`.
///
/// # Safety
/// As the function of that name.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn system(command: *const c_char) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { shell::system(command) }
}

/// `popen(3)`.
///
/// # Safety
/// As the function of that name.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn popen(command: *const c_char, mode: *const c_char) -> *mut c_void {
    // SAFETY: the caller's promise.
    unsafe { shell::popen(command, mode) }
}

/// `popen(3)` under the name that old binaries and libstdc++ use.
///
/// # Safety
/// As `popen`.
#[unsafe(no_mangle)]
#[allow(non_snake_case, reason = "the name is glibc's")]
pub unsafe extern "C" fn _IO_popen(command: *const c_char, mode: *const c_char) -> *mut c_void {
    // SAFETY: the caller's promise.
    unsafe { shell::popen(command, mode) }
}

/// `wordexp(3)`.
///
/// # Safety
/// As the function of that name.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wordexp(words: *const c_char, result: *mut c_void, flags: c_int) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { shell::wordexp(words, result, flags) }
}

/// `syscall(2)` with `SYS_execve`: what the naked entry hands on.
///
/// # Safety
/// As the call.
unsafe extern "C" fn syscall_execve(path: *const c_char, argv: Strings, env: Strings) -> c_long {
    // SAFETY: the caller's promise.
    c_long::from(unsafe { exec::at(exec::RAW, AT_FDCWD, path, argv, env, 0) })
}

/// `syscall(2)` with `SYS_execveat`: what the naked entry hands on.
///
/// # Safety
/// As the call.
unsafe extern "C" fn syscall_execveat(
    dir: c_int,
    path: *const c_char,
    argv: Strings,
    env: Strings,
    flags: c_int,
) -> c_long {
    // SAFETY: the caller's promise.
    c_long::from(unsafe { exec::at(exec::RAW, dir, path, argv, env, flags) })
}

/// The end of any other `syscall(2)`: the kernel's answer as libc returns it.
extern "C" fn syscall_result(answer: isize) -> c_long {
    match sys::errno_of(answer) {
        Some(errno) => {
            crate::act::set_errno(errno);
            -1
        }
        None => answer as c_long,
    }
}
