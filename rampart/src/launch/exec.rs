//! Becoming another program, changing nothing that it can see.
//!
//! `std::process::Command::exec` sets `SIGPIPE` and the signal mask to its own idea of a fresh
//! process. A command under `rampart run` must find what its caller left, so this module calls
//! execve(2) itself. It is the only one in this program with `unsafe`.
#![allow(
    unsafe_code,
    reason = "execve and the signal disposition at start have no safe interface in std"
)]

use std::ffi::{CString, OsStr};
use std::io::{self, ErrorKind};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether `SIGPIPE` was ignored when this process started; Rust's start-up always ignores it.
static SIGPIPE_IGNORED: AtomicBool = AtomicBool::new(false);

/// Runs before Rust's start-up code (and so before `main`), called by the dynamic loader.
#[used]
#[unsafe(link_section = ".init_array")]
static NOTE_SIGPIPE: extern "C" fn() = note_sigpipe;

extern "C" fn note_sigpipe() {
    let mut found = std::mem::MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: a null new action only queries; `found` is valid for writes.
    let result = unsafe { libc::sigaction(libc::SIGPIPE, std::ptr::null(), found.as_mut_ptr()) };
    // SAFETY: all-zero bytes are a valid `sigaction`, and the call filled it or left it alone.
    let found = unsafe { found.assume_init() };
    SIGPIPE_IGNORED.store(result == 0 && found.sa_sigaction == libc::SIG_IGN, Ordering::Relaxed);
}

/// Replaces this process by `file` with `argv` and `environment` (whole `NAME=value` entries).
/// A file that is no ELF program and has no `#!` line is run by `/bin/sh`, as execvp(3) does.
/// Returns only if it failed.
pub fn replace(file: &Path, argv: &[&OsStr], environment: &[Vec<u8>]) -> io::Error {
    let error = attempt(file.as_os_str(), argv, environment);
    if error.raw_os_error() != Some(libc::ENOEXEC) {
        return error;
    }
    let shell = OsStr::new("/bin/sh");
    let mut shell_argv = vec![shell, file.as_os_str()];
    shell_argv.extend(argv.iter().skip(1));
    attempt(shell, &shell_argv, environment)
}

fn attempt(file: &OsStr, argv: &[&OsStr], environment: &[Vec<u8>]) -> io::Error {
    let terminated = |bytes: &[u8]| {
        CString::new(bytes).map_err(|_| io::Error::new(ErrorKind::InvalidInput, "a NUL byte in it"))
    };
    let prepared = || -> io::Result<(CString, Vec<CString>, Vec<CString>)> {
        Ok((
            terminated(file.as_bytes())?,
            argv.iter().map(|arg| terminated(arg.as_bytes())).collect::<io::Result<_>>()?,
            environment.iter().map(|entry| terminated(entry)).collect::<io::Result<_>>()?,
        ))
    };
    let (file, argv, environment) = match prepared() {
        Ok(prepared) => prepared,
        Err(error) => return error,
    };
    let pointers = |strings: &[CString]| -> Vec<*const libc::c_char> {
        let all = strings.iter().map(|string| string.as_ptr());
        all.chain([std::ptr::null()]).collect()
    };
    let (argv, environment) = (pointers(&argv), pointers(&environment));
    let ignored = SIGPIPE_IGNORED.load(Ordering::Relaxed);
    if !ignored {
        // SAFETY: SIG_DFL is a valid disposition; no handler of ours is involved.
        unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
    }
    // SAFETY: `file` and every element of both arrays are NUL-terminated strings that live until
    // the end of this function, and both arrays end with a null pointer.
    unsafe { libc::execve(file.as_ptr(), argv.as_ptr(), environment.as_ptr()) };
    let error = io::Error::last_os_error();
    // SAFETY: as above; the process goes on, as Rust's start-up code left it.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_IGN) };
    error
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_executed_is_an_error() {
        let error = replace(Path::new("/nonexistent/x"), &[OsStr::new("x")], &[]);
        assert_eq!(error.kind(), ErrorKind::NotFound);
        let error = replace(Path::new("/"), &[OsStr::new("/")], &[]);
        assert_eq!(error.kind(), ErrorKind::PermissionDenied);
        let error = replace(Path::new("a\0b"), &[], &[]);
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
    }
}
