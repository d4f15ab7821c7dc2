//! The seccomp filter: which system calls are put to the supervisor. Starting a program is, in every
//! calling convention that the machine has, and so is what changes where paths lead: until the first of these nobody
//! has to be asked for his root directory. Nothing else costs more than the filter itself
//! (`Documentation/userspace-api/seccomp_filter.rst`).
#![allow(unsafe_code, reason = "neither std nor rustix can install a filter")]

use std::io;
use std::os::fd::{FromRawFd, OwnedFd};

/// `AUDIT_ARCH_*` (`linux/audit.h`).
const X86_64: u32 = 0xc000_003e;
const I386: u32 = 0x4000_0003;
const AARCH64: u32 = 0xc000_00b7;
const ARM: u32 = 0x4000_0028;

/// The bit in a number that makes it one of x32 (`asm/unistd.h`).
const X32: u32 = 0x4000_0000;

/// Offsets in `struct seccomp_data`.
const NUMBER: u32 = 0;
const ARCH: u32 = 4;

/// How a program can be started: by which system call, and how wide its pointers are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Convention {
    /// `AUDIT_ARCH_*`.
    arch: u32,
    /// The number of execve(2).
    execve: u32,
    /// The number of execveat(2).
    execveat: u32,
    /// What gives a process another root directory or other mounts: chroot(2), pivot_root(2), setns(2), mount(2),
    /// umount(2), move_mount(2). A new mount namespace alone leads nowhere else.
    moves: &'static [u32],
    /// Width of a pointer in an array of strings, in bytes.
    pub width: usize,
}

/// The same number in every convention (`asm-generic/unistd.h`).
const MOVE_MOUNT: u32 = 429;

/// All conventions of this machine.
pub const CONVENTIONS: &[Convention] = if cfg!(target_arch = "aarch64") {
    &[
        Convention {
            arch: AARCH64,
            execve: 221,
            execveat: 281,
            moves: &[51, 41, 268, 40, 39, MOVE_MOUNT],
            width: 8,
        },
        Convention {
            arch: ARM,
            execve: 11,
            execveat: 387,
            moves: &[61, 218, 375, 21, 52, MOVE_MOUNT],
            width: 4,
        },
    ]
} else {
    &[
        Convention {
            arch: X86_64,
            execve: 59,
            execveat: 322,
            moves: &[161, 155, 308, 165, 166, MOVE_MOUNT],
            width: 8,
        },
        Convention {
            arch: X86_64,
            execve: X32 | 520,
            execveat: X32 | 545,
            moves: &[X32 | 161, X32 | 155, X32 | 308, X32 | 165, X32 | 166, X32 | MOVE_MOUNT],
            width: 4,
        },
        // It has two of umount(2).
        Convention {
            arch: I386,
            execve: 11,
            execveat: 358,
            moves: &[61, 217, 346, 21, 22, 52, MOVE_MOUNT],
            width: 4,
        },
    ]
};

/// Whether a call changes where paths lead.
pub fn moves(arch: u32, number: u32) -> bool {
    CONVENTIONS.iter().any(|one| one.arch == arch && one.moves.contains(&number))
}

/// Which convention a call has, and whether it is execveat(2).
pub fn convention(arch: u32, number: u32) -> Option<(Convention, bool)> {
    CONVENTIONS.iter().find_map(|one| {
        let is_here = one.arch == arch && [one.execve, one.execveat].contains(&number);
        is_here.then_some((*one, one.execveat == number))
    })
}

/// The filter (classic BPF): starts of programs are put to the listener, a foreign architecture ends
/// the process, everything else goes ahead.
fn program() -> Vec<libc::sock_filter> {
    const LOAD: u32 = libc::BPF_LD | libc::BPF_W | libc::BPF_ABS;
    const EQUAL: u32 = libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K;
    const RETURN: u32 = libc::BPF_RET | libc::BPF_K;
    let line = |code: u32, k: u32, jt: u8, jf: u8| libc::sock_filter {
        code: u16::try_from(code).unwrap_or_default(),
        jt,
        jf,
        k,
    };
    let mut all = vec![line(LOAD, ARCH, 0, 0)];
    let mut arches: Vec<u32> = CONVENTIONS.iter().map(|one| one.arch).collect();
    arches.dedup();
    for arch in arches {
        let numbers: Vec<u32> = CONVENTIONS
            .iter()
            .filter(|one| one.arch == arch)
            .flat_map(|one| [&[one.execve, one.execveat], one.moves].concat())
            .collect();
        let count = u8::try_from(numbers.len()).unwrap_or(u8::MAX);
        // Past this block: the load, a test for each number, and the two answers.
        all.push(line(EQUAL, arch, 0, count.saturating_add(3)));
        all.push(line(LOAD, NUMBER, 0, 0));
        for (at, number) in (0..count).zip(numbers) {
            all.push(line(EQUAL, number, count - at, 0));
        }
        all.push(line(RETURN, libc::SECCOMP_RET_ALLOW, 0, 0));
        all.push(line(RETURN, libc::SECCOMP_RET_USER_NOTIF, 0, 0));
    }
    all.push(line(RETURN, libc::SECCOMP_RET_KILL_PROCESS, 0, 0));
    all
}

/// Puts this process, and everything that it will start, under the filter. Returns the descriptor on
/// which its calls are put. Whoever may administrate the system keeps its way to privileges; for
/// others `no_new_privs` is set, without which the kernel takes no filter (seccomp(2)).
///
/// # Errors
/// What seccomp(2) says: `EBUSY` if somebody above already listens, `EINVAL` or `ENOSYS` if the
/// kernel has no user notification.
pub fn install() -> io::Result<OwnedFd> {
    let mut lines = program();
    let program = libc::sock_fprog {
        len: u16::try_from(lines.len()).unwrap_or_default(),
        filter: lines.as_mut_ptr(),
    };
    let attempt = |flags: libc::c_ulong| {
        // SAFETY: `program` and the lines that it points to outlive the call.
        let result = unsafe {
            libc::syscall(
                libc::SYS_seccomp,
                libc::SECCOMP_SET_MODE_FILTER,
                flags,
                &raw const program,
            )
        };
        match i32::try_from(result) {
            Ok(descriptor) if descriptor >= 0 => {
                // SAFETY: the call succeeded: a new descriptor that is nobody else's.
                Ok(unsafe { OwnedFd::from_raw_fd(descriptor) })
            }
            _ => Err(io::Error::last_os_error()),
        }
    };
    // A call that was put to us is not to be interrupted by signals that do not kill: Go sends
    // itself some all the time (`SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV`, Linux 5.19).
    let listener = libc::SECCOMP_FILTER_FLAG_NEW_LISTENER;
    let whole = listener | libc::SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV;
    match attempt(whole) {
        Err(error) if error.raw_os_error() == Some(libc::EACCES) => {
            rustix::thread::set_no_new_privs(true)?;
            attempt(whole)
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs the filter as the kernel would (the few instructions that it has).
    fn run(arch: u32, number: u32) -> u32 {
        let lines = program();
        let (mut at, mut value) = (0, 0);
        loop {
            let line = &lines[at];
            let code = u32::from(line.code);
            at += 1;
            match code & 7 {
                libc::BPF_LD => value = if line.k == ARCH { arch } else { number },
                libc::BPF_JMP => {
                    at += usize::from(if value == line.k { line.jt } else { line.jf });
                }
                _ => return line.k,
            }
        }
    }

    #[test]
    fn starts_are_put_to_us_and_nothing_else() {
        let mut cases = Vec::new();
        for one in CONVENTIONS {
            for number in [one.execve, one.execveat] {
                cases.push((one.arch, number, libc::SECCOMP_RET_USER_NOTIF));
                cases.push((one.arch, number + 1, libc::SECCOMP_RET_ALLOW));
                assert_eq!(convention(one.arch, number), Some((*one, number == one.execveat)));
            }
            for number in one.moves {
                cases.push((one.arch, *number, libc::SECCOMP_RET_USER_NOTIF));
                assert!(moves(one.arch, *number) && convention(one.arch, *number).is_none());
            }
            cases.push((one.arch, 0, libc::SECCOMP_RET_ALLOW));
        }
        cases.push((0xc000_0015, 11, libc::SECCOMP_RET_KILL_PROCESS));
        for (arch, number, expected) in cases {
            assert_eq!(run(arch, number), expected, "{arch:#x} {number:#x}");
        }
    }
}
