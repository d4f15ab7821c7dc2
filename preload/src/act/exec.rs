//! The exec family: judge, then one system call.

use core::ffi::{CStr, c_char, c_int};

use evaluator::TargetKinds;
use libc::AT_FDCWD;

use crate::act::{deny_in_place, errno, set_errno};
use crate::cascade::{Fit, with_environment};
use crate::escalate;
use crate::judge::{Judged, judge, judge_alone};
use crate::observe::{Call, Stage, process, walk};
use crate::snapshot::{Mode, Snapshot};
use crate::start;
use crate::strings::Vector;
use crate::sys::{self, Errno, Strings};

/// The name of the hook of `syscall(2)`.
pub const RAW: &str = "syscall";

/// `execveat(2)` flag of Linux 6.14: only asks whether the file may be executed.
const AT_EXECVE_CHECK: c_int = 0x10000;

/// Pointers of an argument vector that fit into a frame.
const FEW: usize = 64;
const MANY: usize = 256;

/// What every `exec*` function comes to. Returns -1 with `errno`, or not at all.
///
/// # Safety
/// As `execveat(2)`; the strings stay as they are until it returns.
pub unsafe fn at(
    hook: &'static str,
    dir: c_int,
    path: *const c_char,
    argv: Strings,
    env: Strings,
    flags: c_int,
) -> c_int {
    let errno = match start::state() {
        Some(snapshot) if flags & AT_EXECVE_CHECK == 0 => {
            match sys::may_execute(dir, path, flags) {
                // What cannot run is not judged. Also tells a path that is no address.
                Err(errno) => errno,
                // SAFETY: the kernel just read `path`; the rest is the caller's promise.
                Ok(()) => unsafe {
                    let call = Call {
                        hook,
                        file: CStr::from_ptr(path),
                        dir,
                        flags,
                        argv: Vector::new(argv),
                        env: Vector::new(env),
                        stage: Stage::Before,
                    };
                    run(snapshot, &call)
                },
            }
        }
        _ => sys::execute_at(dir, path, argv, env, flags),
    };
    if errno.0 == 0 {
        // AT_EXECVE_CHECK: the answer was yes.
        return 0;
    }
    set_errno(errno);
    -1
}

/// `execvp(3)` and its kind: the search along the caller's own `PATH`, then as [`at`].
///
/// # Safety
/// As `execvpe(3)`.
pub unsafe fn search(
    hook: &'static str,
    file: *const c_char,
    argv: Strings,
    env: Strings,
) -> c_int {
    // SAFETY: the caller's promise; libc reads all of them too.
    let (file, argv, env, own) = unsafe {
        let own = Vector::new(process::environment());
        (CStr::from_ptr(file), Vector::new(argv), Vector::new(env), own)
    };
    let snapshot = start::state();
    let is_glibc = snapshot.is_none_or(|snapshot| snapshot.is_glibc);
    let mut attempt = |candidate: &CStr| {
        let call = Call {
            hook,
            file: candidate,
            dir: AT_FDCWD,
            flags: 0,
            argv,
            env,
            stage: Stage::Before,
        };
        let errno = attempt(snapshot, &call);
        if errno.0 == libc::ENOEXEC && is_glibc { by_shell(snapshot, &call) } else { errno }
    };
    set_errno(walk::search(file, own.value(b"PATH"), is_glibc, &mut attempt));
    -1
}

fn attempt(snapshot: Option<&Snapshot>, call: &Call<'_>) -> Errno {
    let Some(snapshot) = snapshot else {
        return sys::execute(call.file.as_ptr(), call.argv.as_ptr(), call.env.as_ptr());
    };
    match sys::may_execute(AT_FDCWD, call.file.as_ptr(), 0) {
        Ok(()) => run(snapshot, call),
        Err(errno) => errno,
    }
}

/// Judges `call` and executes it. Returns only with an error.
fn run(snapshot: &Snapshot, call: &Call<'_>) -> Errno {
    let mut fit = Fit::ORDINARY;
    if snapshot.mode != Mode::Disabled && call.file != snapshot.library {
        let mut judged = judge(snapshot, call);
        if judged.escalates {
            if escalate::can_hand_over(call) {
                drop(judged);
                let _ = escalate::execute(snapshot, call);
                judged = judge_alone(snapshot, call);
            } else if judged.loads_us {
                // The self-check of the new process does it.
                judged.permitted = true;
            } else {
                drop(judged);
                judged = judge_alone(snapshot, call);
            }
        }
        if !judged.permitted {
            return deny_in_place(snapshot, judged);
        }
        fit = fit_of(&judged);
        // The memory goes with `judged`, before the exec.
    }
    with_environment(snapshot, call.env, fit, &mut |env| {
        if call.dir == AT_FDCWD && call.flags == 0 {
            execute(snapshot, call, env)
        } else {
            let (path, argv) = (call.file.as_ptr(), call.argv.as_ptr());
            sys::execute_at(call.dir, path, argv, env, call.flags)
        }
    })
}

/// The exec itself: by the next preloaded library that wants its turn, else by the kernel. Whoever
/// asked for the system call gets that: it may be the next library, in its turn.
fn execute(snapshot: &Snapshot, call: &Call<'_>, env: Strings) -> Errno {
    let (path, argv) = (call.file.as_ptr(), call.argv.as_ptr());
    match snapshot.next.execve().filter(|_| call.hook != RAW) {
        Some(next) => {
            // SAFETY: the caller's own arguments, and an environment like the caller's.
            unsafe { next(path, argv, env) };
            errno()
        }
        None => sys::execute(path, argv, env),
    }
}

/// What the new program's environment has to respect.
pub fn fit_of(judged: &Judged) -> Fit {
    Fit {
        asan: judged.asan,
        loads_us: !judged.kinds.intersects(TargetKinds::OTHER_ARCH.with(TargetKinds::OTHER_ROOT)),
    }
}

/// Runs a file without a format that the kernel knows as a shell script: `/bin/sh FILE ARG…`, as
/// glibc's `execvp` does.
fn by_shell(snapshot: Option<&Snapshot>, call: &Call<'_>) -> Errno {
    let count = call.argv.count();
    if count.saturating_add(2) <= FEW {
        shell_call::<FEW>(snapshot, call)
    } else if count.saturating_add(2) <= MANY {
        shell_call::<MANY>(snapshot, call)
    } else {
        let len = count.saturating_add(3).saturating_mul(size_of::<*const c_char>());
        let Ok(start) = sys::map_memory(len) else {
            return Errno(libc::ENOMEM);
        };
        // SAFETY: the mapping is page-aligned, zeroed and has room for that many pointers.
        let array =
            unsafe { core::slice::from_raw_parts_mut(start.cast(), count.saturating_add(3)) };
        let errno = shell_exec(snapshot, call, array);
        // SAFETY: mapped above; the array is not used any more.
        unsafe { sys::unmap(start, len) };
        errno
    }
}

#[inline(never)]
fn shell_call<const ROOM: usize>(snapshot: Option<&Snapshot>, call: &Call<'_>) -> Errno {
    let mut array = [core::ptr::null(); ROOM];
    shell_exec(snapshot, call, &mut array)
}

fn shell_exec(snapshot: Option<&Snapshot>, call: &Call<'_>, array: &mut [*const c_char]) -> Errno {
    let shell = c"/bin/sh";
    let rest = (1..call.argv.count()).filter_map(|index| call.argv.pointer(index));
    let words = [shell.as_ptr(), call.file.as_ptr()].into_iter().chain(rest);
    for (slot, word) in array.iter_mut().zip(words) {
        *slot = word;
    }
    let call = Call {
        file: shell,
        // SAFETY: the array was filled with C strings and has a NULL behind them.
        argv: unsafe { Vector::new(array.as_ptr()) },
        ..*call
    };
    attempt(snapshot, &call)
}
