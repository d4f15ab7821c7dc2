//! What no supervisor can beat on this machine: a filter like that of `rampart run --enforce kernel`, and
//! threads outside of it that let every start go ahead without looking at it.
#![allow(unsafe_code, reason = "neither std nor rustix can install a filter or answer its calls")]

use std::io;
use std::process::{Command, ExitCode};
use std::sync::mpsc::channel;

/// As many as the supervisor has on two processors.
const THREADS: usize = 2;

/// `SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP`, as the supervisor asks for it.
const SYNC_WAKE_UP: u64 = 1;

/// Runs `words` and what that starts below the filter; ends as it ends.
pub fn run(words: &[&str]) -> ExitCode {
    let Some((program, arguments)) = words.split_first() else {
        return ExitCode::from(2);
    };
    // The threads start before there is a filter, which only holds for who installs it and what that starts.
    let tell: Vec<_> = (0..THREADS)
        .map(|_| {
            let (tell, told) = channel();
            std::thread::spawn(move || {
                if let Ok(listener) = told.recv() {
                    answer(listener);
                }
            });
            tell
        })
        .collect();
    let listener = match install() {
        Ok(listener) => listener,
        Err(error) => {
            eprintln!("bench: no filter: {error}");
            return ExitCode::FAILURE;
        }
    };
    for thread in tell {
        // Each waits for nothing else.
        let _ = thread.send(listener);
    }
    match Command::new(program).args(arguments).status() {
        Ok(status) if status.success() => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}

fn install() -> io::Result<i32> {
    let line = |code: u32, k: u32, jt: u8, jf: u8| libc::sock_filter {
        code: u16::try_from(code).unwrap_or_default(),
        jt,
        jf,
        k,
    };
    let number = |number: libc::c_long| u32::try_from(number).unwrap_or_default();
    let equal = libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K;
    let answer = libc::BPF_RET | libc::BPF_K;
    // Only of this machine's own calls: nothing else is measured.
    let mut lines = [
        line(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, 0),
        line(equal, number(libc::SYS_execve), 2, 0),
        line(equal, number(libc::SYS_execveat), 1, 0),
        line(answer, libc::SECCOMP_RET_ALLOW, 0, 0),
        line(answer, libc::SECCOMP_RET_USER_NOTIF, 0, 0),
    ];
    let program = libc::sock_fprog {
        len: u16::try_from(lines.len()).unwrap_or_default(),
        filter: lines.as_mut_ptr(),
    };
    let flags =
        libc::SECCOMP_FILTER_FLAG_NEW_LISTENER | libc::SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV;
    let attempt = || {
        // SAFETY: `program` and the lines that it points to outlive the call.
        let found = unsafe {
            let what = libc::SECCOMP_SET_MODE_FILTER;
            libc::syscall(libc::SYS_seccomp, what, flags, &raw const program)
        };
        i32::try_from(found).ok().filter(|found| *found >= 0).ok_or_else(io::Error::last_os_error)
    };
    attempt().or_else(|_| {
        rustix::thread::set_no_new_privs(true)?;
        attempt()
    })
}

/// Lets everything go ahead, until nobody is left.
fn answer(listener: i32) {
    // SAFETY: the flags are the argument itself.
    let _ = unsafe { libc::ioctl(listener, libc::SECCOMP_IOCTL_NOTIF_SET_FLAGS, SYNC_WAKE_UP) };
    loop {
        // SAFETY: all-zero bytes are a valid value, and what the kernel demands to be given.
        let mut notice: libc::seccomp_notif = unsafe { std::mem::zeroed() };
        // SAFETY: the kernel writes the structure that this request reads.
        let got = unsafe { libc::ioctl(listener, libc::SECCOMP_IOCTL_NOTIF_RECV, &raw mut notice) };
        if got != 0 {
            let mut waiting = libc::pollfd { fd: listener, events: 0, revents: 0 };
            // SAFETY: one entry, as stated.
            unsafe { libc::poll(&raw mut waiting, 1, 0) };
            if waiting.revents & libc::POLLHUP != 0 {
                return;
            }
            continue;
        }
        let flags = u32::try_from(libc::SECCOMP_USER_NOTIF_FLAG_CONTINUE).unwrap_or_default();
        let mut reply = libc::seccomp_notif_resp { id: notice.id, val: 0, error: 0, flags };
        // SAFETY: the kernel reads the structure that this request is given.
        unsafe { libc::ioctl(listener, libc::SECCOMP_IOCTL_NOTIF_SEND, &raw mut reply) };
    }
}
