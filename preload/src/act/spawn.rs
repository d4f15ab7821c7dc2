//! `posix_spawn(3)` and its kind: judged in the parent, then libc's own function. A denied call
//! starts the stub in the program's place, with the caller's file actions and attributes, so that
//! the line goes wherever the program's standard error would have gone.

use core::ffi::{CStr, c_char, c_int, c_void};

use libc::AT_FDCWD;

use crate::act::exec::fit_of;
use crate::cascade::{Fit, with_environment};
use crate::escalate;
use crate::judge::{Judged, judge, judge_alone};
use crate::next::Spawn;
use crate::observe::{Call, Stage, process, walk};
use crate::snapshot::{Mode, Snapshot};
use crate::start;
use crate::strings::Vector;
use crate::sys::{self, Errno, Strings};

/// The arguments that are handed on as they are.
#[derive(Clone, Copy)]
pub struct Request {
    /// Where the pid goes.
    pub pid: *mut c_int,
    /// `posix_spawn_file_actions_t *`.
    pub actions: *const c_void,
    /// `posix_spawnattr_t *`.
    pub attributes: *const c_void,
}

/// `posix_spawn(3)`, with `search` `posix_spawnp(3)`. Returns an error number, 0 for success.
///
/// # Safety
/// As `posix_spawn(3)`.
pub unsafe fn spawn(
    hook: &'static str,
    search: bool,
    request: Request,
    file: *const c_char,
    argv: Strings,
    env: Strings,
) -> c_int {
    let Some((snapshot, next)) =
        start::state().and_then(|state| Some((state, state.next.spawn()?)))
    else {
        return libc::ENOSYS;
    };
    // SAFETY: the caller's promise; libc reads all of them too.
    let call = unsafe {
        Call {
            hook,
            file: CStr::from_ptr(file),
            dir: AT_FDCWD,
            flags: 0,
            argv: Vector::new(argv),
            env: Vector::new(env),
            stage: if request.actions.is_null() { Stage::Before } else { Stage::BeforeElsewhere },
        }
    };
    let spawner = Spawner { snapshot, next, request };
    if !search {
        return spawner.run(&call).0;
    }
    // SAFETY: libc's environment.
    let own = unsafe { Vector::new(process::environment()) };
    let mut attempt = |candidate: &CStr| spawner.run(&Call { file: candidate, ..call });
    walk::search(call.file, own.value(b"PATH"), snapshot.is_glibc, &mut attempt).0
}

/// `pidfd_spawn(3)`, with `search` `pidfd_spawnp(3)`: as [`spawn`], then a descriptor of the child
/// in place of its pid. The child cannot be reaped before this returns it.
///
/// # Safety
/// As `pidfd_spawn(3)`; `request.pid` is where the descriptor goes.
pub unsafe fn spawn_for_descriptor(
    hook: &'static str,
    search: bool,
    request: Request,
    file: *const c_char,
    argv: Strings,
    env: Strings,
) -> c_int {
    let mut pid = 0;
    let for_pid = Request { pid: &raw mut pid, ..request };
    // SAFETY: the caller's promise.
    let status = unsafe { spawn(hook, search, for_pid, file, argv, env) };
    if status != 0 {
        return status;
    }
    match sys::process_fd(pid) {
        Ok(fd) => {
            if !request.pid.is_null() {
                // SAFETY: the caller's promise.
                unsafe { *request.pid = fd };
            }
            0
        }
        Err(errno) => errno.0,
    }
}

struct Spawner<'a> {
    snapshot: &'a Snapshot,
    next: Spawn,
    request: Request,
}

impl Spawner<'_> {
    fn run(&self, call: &Call<'_>) -> Errno {
        // A relative path may mean another file by the time that it is executed.
        let is_elsewhere =
            call.stage == Stage::BeforeElsewhere && !call.file.to_bytes().starts_with(b"/");
        if !is_elsewhere && let Err(errno) = sys::may_execute(AT_FDCWD, call.file.as_ptr(), 0) {
            return errno;
        }
        let mut fit = Fit::ORDINARY;
        if self.snapshot.mode != Mode::Disabled {
            let mut judged = judge(self.snapshot, call);
            if judged.escalates {
                drop(judged);
                if self.escalate(call) == Errno(0) {
                    return Errno(0);
                }
                judged = judge_alone(self.snapshot, call);
            }
            if !judged.permitted {
                return self.deny(call, &judged);
            }
            fit = fit_of(&judged);
        }
        with_environment(self.snapshot, call.env, fit, &mut |env| {
            self.next(call.file, call.argv.as_ptr(), env)
        })
    }

    fn next(&self, file: &CStr, argv: Strings, env: Strings) -> Errno {
        let Request { pid, actions, attributes } = self.request;
        // SAFETY: libc's own function with the caller's arguments, or ours that are like them.
        Errno(unsafe { (self.next)(pid, file.as_ptr(), actions, attributes, argv, env) })
    }

    /// Starts the helper in the program's place. This returns when the child has executed it, so a
    /// mapping for its arguments goes in time.
    fn escalate(&self, call: &Call<'_>) -> Errno {
        let snapshot = self.snapshot;
        let mut errno = Errno(libc::E2BIG);
        with_environment(snapshot, call.env, Fit::ORDINARY, &mut |env| {
            let run = &mut |argv: Strings| errno = self.next(snapshot.helper, argv, env);
            escalate::with_arguments(snapshot, call, true, run);
        });
        errno
    }

    fn deny(&self, call: &Call<'_>, judged: &Judged) -> Errno {
        if !self.snapshot.deny_by_errno
            && let Some(line) = judged.compose(&[judged.notice().trim_ascii_end()])
        {
            let argv = [c"rampart".as_ptr(), line.as_ptr(), core::ptr::null()];
            let errno = self.next(self.snapshot.library, argv.as_ptr(), call.env.as_ptr());
            if errno.0 == 0 {
                return errno;
            }
        }
        if !judged.is_repeated {
            let _ = sys::write(2, judged.notice());
        }
        judged.errno
    }
}
