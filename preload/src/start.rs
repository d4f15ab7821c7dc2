//! The constructor: copies what the environment says, then judges the process that it runs in, on
//! the arguments that the kernel really copied, before `main`. This closes every way round the
//! hooks whose target loads us, and the race between a hook's look and the exec.

use core::ffi::{CStr, c_int};

use libc::AT_FDCWD;

use crate::escalate;
use crate::judge::{judge, judge_alone};
use crate::next;
use crate::observe::{Call, Stage, process};
use crate::snapshot::{self, Mode, Snapshot};
use crate::strings::Vector;
use crate::stub;
use crate::sys::{self, Strings};
use crate::tree;

#[used]
#[unsafe(link_section = ".init_array")]
static CONSTRUCTOR: extern "C" fn(c_int, Strings, Strings) = constructor;

extern "C" fn constructor(argc: c_int, argv: Strings, env: Strings) {
    // glibc passes main's arguments, and has not set `environ` yet; musl passes nothing, and has.
    let (argv, env) = if next::is_glibc() {
        // Else somebody opened us later, and `env` may be the program's own.
        if env == argv.wrapping_add(argc.unsigned_abs() as usize).wrapping_add(1) {
            // SAFETY: only the kernel puts the two into one piece.
            unsafe { process::note_auxiliary(env) };
        }
        (argv, env)
    } else {
        let env = process::environment();
        // SAFETY: before `main`, musl's `environ` is the kernel's.
        let argv = unsafe { process::arguments_before(env) };
        (argv.unwrap_or(core::ptr::null()), env)
    };
    snapshot::note_environment(env);
    // SAFETY: the kernel's own arrays, or NULL.
    let (argv, env) = unsafe { (Vector::new(argv), Vector::new(env)) };
    if let Some(snapshot) = ready(env) {
        check(snapshot, argv, env);
    } else {
        let _ = sys::write(
            2,
            b"rampart: denied: there is no memory to start the guard in (nothing was run)\n",
        );
        sys::exit(stub::STATUS);
    }
}

/// The snapshot, made from `env` if a hook runs before the constructor.
fn ready(env: Vector<'_>) -> Option<&'static Snapshot> {
    if snapshot::current().is_none() {
        snapshot::publish(tree::read(env)?);
    }
    snapshot::current()
}

/// The snapshot for a hook. `None` before libc has an environment.
pub fn state() -> Option<&'static Snapshot> {
    let current = snapshot::current();
    if current.is_some() {
        return current;
    }
    let env = process::environment();
    if env.is_null() {
        return None;
    }
    // SAFETY: libc's environment.
    ready(unsafe { Vector::new(env) })
}

/// The self-check: exits with the denial if this program may not run.
fn check(snapshot: &Snapshot, argv: Vector<'_>, env: Vector<'_>) {
    if snapshot.mode == Mode::Disabled
        || is_denial(snapshot, argv)
        || escalate::is_helper(snapshot, argv)
    {
        return;
    }
    let stage = if process::is_run_by_loader() { Stage::StartedByLoader } else { Stage::Started };
    let call = Call {
        hook: "start",
        file: process::executed_file(),
        dir: AT_FDCWD,
        flags: 0,
        argv,
        env,
        stage,
    };
    let mut judged = judge(snapshot, &call);
    if judged.escalates {
        let _ = escalate::execute_again(snapshot, &call);
        judged = judge_alone(snapshot, &call);
    }
    if !judged.permitted {
        let _ = sys::write(2, judged.notice());
        sys::exit(stub::STATUS);
    }
}

/// Whether this is the shell that a denied `system` or `popen` starts: `sh -c` with exactly one
/// `exec '<our library>' '<the line>'` (`act::shell`). It prints the denial that was recorded.
fn is_denial(snapshot: &Snapshot, argv: Vector<'_>) -> bool {
    let text = |index| argv.string(index).map(CStr::to_bytes);
    let command = match (argv.count(), text(1), text(2), text(3)) {
        (3, Some(b"-c"), Some(command), None) => command,
        // glibc 2.38 and later.
        (4, Some(b"-c"), Some(b"--"), Some(command)) => command,
        _ => return false,
    };
    command
        .strip_prefix(b"exec '")
        .and_then(|rest| rest.strip_prefix(snapshot.library.to_bytes()))
        .and_then(|rest| rest.strip_prefix(b"' '"))
        .and_then(|rest| rest.strip_suffix(b"'"))
        .is_some_and(|line| !line.contains(&b'\''))
}
