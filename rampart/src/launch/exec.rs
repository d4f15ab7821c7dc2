//! Becoming another program, changing nothing that it can see.
//!
//! `std::process::Command::exec` sets `SIGPIPE` and the signal mask to its own idea of a fresh
//! process. A command under `rampart run` must find what its caller left, so this module calls
//! execve(2) itself. It is the only one in this program with `unsafe`.
#![allow(
    unsafe_code,
    reason = "execve and the signal disposition at start have no safe interface in std"
)]

use evaluator::bell;
use rustix::process::Pid;
use std::ffi::{CString, OsStr};
use std::io::{self, ErrorKind};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

/// Whether `SIGPIPE` was ignored when this process started; Rust's start-up always ignores it.
static SIGPIPE_IGNORED: AtomicBool = AtomicBool::new(false);

/// Which of descriptors 0 to 2 were closed when this process started, a bit each.
static CLOSED: AtomicU8 = AtomicU8::new(0);

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
    for descriptor in 0..3 {
        // SAFETY: only asks.
        if unsafe { libc::fcntl(descriptor, libc::F_GETFD) } < 0 {
            CLOSED.fetch_or(1 << descriptor, Ordering::Relaxed);
        }
    }
    SIGPIPE_IGNORED.store(result == 0 && found.sa_sigaction == libc::SIG_IGN, Ordering::Relaxed);
}

/// Replaces this process by `file` with `argv` and `environment` (whole `NAME=value` entries).
/// A file that is no ELF program and has no `#!` line is run by `/bin/sh`, as execvp(3) does.
/// Returns only if it failed.
pub fn replace(file: &Path, argv: &[&OsStr], environment: &[Vec<u8>]) -> io::Error {
    let call = |file, argv, environment| {
        // SAFETY: `attempt` passes what execve(2) takes.
        unsafe { libc::execve(file, argv, environment) };
        io::Error::last_os_error()
    };
    by_name_or_shell(file, argv, environment, &call)
}

/// The same for the helper, which the library has been loaded into: past its hooks, because the
/// call was judged here; and with those standard descriptors closed that were when this process
/// started (Rust's start-up opens `/dev/null` there).
pub fn replace_unjudged(file: &Path, argv: &[&OsStr], environment: &[Vec<u8>]) -> io::Error {
    let closed = CLOSED.load(Ordering::Relaxed);
    for descriptor in (0..3).filter(|descriptor| closed & 1 << descriptor != 0) {
        // SAFETY: nobody uses them any more but for a last message, which was not to be seen.
        unsafe { libc::close(descriptor) };
    }
    by_name_or_shell(file, argv, environment, &|file, argv, environment| {
        // SAFETY: `attempt` passes what execve(2) takes.
        let error = unsafe { raw_execve(file, argv, environment) };
        io::Error::from_raw_os_error(error)
    })
}

/// Whether a supervisor is above that hears its bell, and so judges what this process starts.
pub fn is_supervised() -> bool {
    let path = Path::new(OsStr::from_bytes(bell::PATH.to_bytes()));
    let word = OsStr::from_bytes(bell::PING.to_bytes());
    let call = |file, argv, environment| {
        // SAFETY: `attempt` passes what execve(2) takes.
        io::Error::from_raw_os_error(unsafe { raw_execve(file, argv, environment) })
    };
    attempt(path.as_os_str(), &[word], &[], &call).raw_os_error() == Some(bell::HEARD)
}

/// The signal mask as it was before the first [`fork`].
static MASK: OnceLock<libc::sigset_t> = OnceLock::new();

/// fork(2). Only for a process of one thread, whose child may then do anything. The child finds
/// everything as it was; in the parent the signals that [`super::parent`] hands on or sets aside wait from
/// here to [`let_signals_in`], so that none comes before that.
///
/// # Errors
/// As fork(2).
pub fn fork() -> io::Result<Option<Pid>> {
    let before = *MASK.get_or_init(|| {
        // SAFETY: all-zero bytes are a valid set; the call fills it.
        let mut mask = unsafe { std::mem::zeroed() };
        // SAFETY: a null new set only queries; `mask` is valid for writes.
        unsafe { libc::sigprocmask(libc::SIG_SETMASK, std::ptr::null(), &raw mut mask) };
        mask
    });
    let mut held = before;
    let handed_on = super::parent::HANDED_ON.map(|(signal, _)| signal);
    for signal in handed_on.into_iter().chain(super::parent::ITS_OWN) {
        // SAFETY: a valid set and a valid number.
        unsafe { libc::sigaddset(&raw mut held, signal) };
    }
    set_mask(&held);
    // SAFETY: this program has no other thread when it forks: none was started, or all have ended
    // (`supervise::workers`).
    match unsafe { libc::fork() } {
        -1 => {
            let error = io::Error::last_os_error();
            set_mask(&before);
            Err(error)
        }
        0 => {
            set_mask(&before);
            Ok(None)
        }
        child => Ok(Pid::from_raw(child)),
    }
}

/// Lets come what [`fork`] has held back.
pub fn let_signals_in() {
    if let Some(before) = MASK.get() {
        set_mask(before);
    }
}

fn set_mask(mask: &libc::sigset_t) {
    // SAFETY: a valid set; the old one is not asked for.
    unsafe { libc::sigprocmask(libc::SIG_SETMASK, mask, std::ptr::null_mut()) };
}

/// Points descriptors 0 to 2 to `/dev/null`, so that whoever waits for the end of what is written
/// there does not wait for us.
pub fn forget_standard_streams() {
    let flags = rustix::fs::OFlags::RDWR | rustix::fs::OFlags::CLOEXEC;
    if let Ok(null) = rustix::fs::open("/dev/null", flags, rustix::fs::Mode::empty()) {
        let _ = rustix::stdio::dup2_stdin(&null);
        let _ = rustix::stdio::dup2_stdout(&null);
        let _ = rustix::stdio::dup2_stderr(&null);
    }
}

/// Sets a signal aside: what a terminal sends to a whole group is for the command, not for us.
pub fn ignore(signal: i32) {
    // SAFETY: SIG_IGN is a valid disposition; no handler of ours is involved.
    unsafe { libc::signal(signal, libc::SIG_IGN) };
}

/// Ends this process by `signal`, as its child was ended.
pub fn end_by(signal: i32) -> ! {
    use rustix::process::{Resource, Rlimit, setrlimit};
    // The command has left its core dump; ours would overwrite it.
    let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
    // SAFETY: SIG_DFL is a valid disposition, and both calls take numbers only.
    unsafe {
        libc::signal(signal, libc::SIG_DFL);
        libc::raise(signal);
    }
    // It was blocked, or does not end a process.
    std::process::exit(128 + signal)
}

/// An array of strings, as execve(2) takes it.
type Strings = *const *const libc::c_char;

/// execve(2) by one way or another.
type Execve<'a> = &'a dyn Fn(*const libc::c_char, Strings, Strings) -> io::Error;

fn by_name_or_shell(
    file: &Path,
    argv: &[&OsStr],
    environment: &[Vec<u8>],
    execve: Execve<'_>,
) -> io::Error {
    let error = attempt(file.as_os_str(), argv, environment, execve);
    if error.raw_os_error() != Some(libc::ENOEXEC) {
        return error;
    }
    let shell = OsStr::new("/bin/sh");
    let mut shell_argv = vec![shell, file.as_os_str()];
    shell_argv.extend(argv.iter().skip(1));
    attempt(shell, &shell_argv, environment, execve)
}

/// The system call itself, which no library stands before. Returns the error number.
///
/// # Safety
/// As execve(2).
unsafe fn raw_execve(file: *const libc::c_char, argv: Strings, environment: Strings) -> i32 {
    let result: isize;
    // SAFETY: the Linux system call convention; on success nothing is left to be harmed.
    #[cfg(target_arch = "x86_64")]
    unsafe {
        std::arch::asm!(
            "syscall",
            inlateout("rax") libc::SYS_execve as isize => result,
            in("rdi") file, in("rsi") argv, in("rdx") environment,
            lateout("rcx") _, lateout("r11") _,
            options(nostack),
        );
    }
    // SAFETY: as above.
    #[cfg(target_arch = "aarch64")]
    unsafe {
        std::arch::asm!(
            "svc 0",
            in("x8") libc::SYS_execve,
            inlateout("x0") file => result,
            in("x1") argv, in("x2") environment,
            options(nostack),
        );
    }
    i32::try_from(-result).unwrap_or(libc::EINVAL)
}

fn attempt(
    file: &OsStr,
    argv: &[&OsStr],
    environment: &[Vec<u8>],
    execve: Execve<'_>,
) -> io::Error {
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
    // `file` and every element of both arrays are NUL-terminated strings that live until the end of
    // this function, and both arrays end with a null pointer.
    let error = execve(file.as_ptr(), argv.as_ptr(), environment.as_ptr());
    // SAFETY: the process goes on, as Rust's start-up code left it.
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
