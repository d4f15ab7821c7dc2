//! `system(3)`, `popen(3)` and `wordexp(3)`: libc starts a shell in them, in ways that programs
//! depend on (signal dispositions, `pclose`), so libc's own functions do it. A denied text is
//! replaced by one that makes the shell print the line and exit with 126.

use core::ffi::{CStr, c_char, c_int, c_void};

use libc::AT_FDCWD;

use crate::act::exec::fit_of;
use crate::act::set_errno;
use crate::cascade::{Fit, with_environment};
use crate::judge::{Judged, judge, judge_alone};
use crate::observe::{Call, Stage, process};
use crate::snapshot::{Mode, Snapshot};
use crate::start;
use crate::strings::Vector;
use crate::sys::{self, Errno, Strings};

const SHELL: &CStr = c"/bin/sh";

/// `wordexp(3)` flag: command substitution is an error (`wordexp.h`, the same in glibc and musl).
const WRDE_NOCMD: c_int = 4;

/// `wordexp(3)` answers: no memory; a command substitution that may not be (the same in both).
const WRDE_NOSPACE: c_int = 1;
const WRDE_CMDSUB: c_int = 4;

/// What makes a command of words: it takes them and does nothing, so that what is judged are the
/// substitutions in them.
const NOTHING: &[u8] = b": ";

/// What is done for a text that a shell would run.
enum Answer<R> {
    /// libc's function ran.
    Ran(R),
    /// Nothing ran.
    Failed(Errno),
}

/// `system(3)`.
///
/// # Safety
/// As `system(3)`.
pub unsafe fn system(command: *const c_char) -> c_int {
    let Some((snapshot, next)) =
        start::state().and_then(|state| Some((state, state.next.system()?)))
    else {
        set_errno(Errno(libc::ENOSYS));
        return -1;
    };
    // SAFETY: libc's own function with the caller's text, or a C string of ours.
    let mut run = |text: *const c_char| unsafe { next(text) };
    if command.is_null() {
        return run(command);
    }
    // SAFETY: the caller's promise.
    let text = unsafe { CStr::from_ptr(command) };
    match shell(snapshot, "system", text, &mut run) {
        Answer::Ran(status) => status,
        Answer::Failed(errno) => {
            set_errno(errno);
            -1
        }
    }
}

/// `popen(3)`.
///
/// # Safety
/// As `popen(3)`.
pub unsafe fn popen(command: *const c_char, mode: *const c_char) -> *mut c_void {
    let Some((snapshot, next)) =
        start::state().and_then(|state| Some((state, state.next.popen()?)))
    else {
        set_errno(Errno(libc::ENOSYS));
        return core::ptr::null_mut();
    };
    // SAFETY: libc's own function with the caller's arguments, or a C string of ours.
    let mut run = |text: *const c_char| unsafe { next(text, mode) };
    if command.is_null() || mode.is_null() {
        return run(command);
    }
    // SAFETY: the caller's promise.
    let text = unsafe { CStr::from_ptr(command) };
    match shell(snapshot, "popen", text, &mut run) {
        Answer::Ran(stream) => stream,
        Answer::Failed(errno) => {
            set_errno(errno);
            core::ptr::null_mut()
        }
    }
}

/// `wordexp(3)`: the words are no command, but the substitutions in them are, and the shells that
/// libc starts for those have nothing to print to (glibc gives them no standard error, musl throws
/// it away). So they are judged here, where the line can be read, and a denied one is what it is
/// with `WRDE_NOCMD`: nothing runs, `WRDE_CMDSUB`. The shells still judge themselves.
///
/// # Safety
/// As `wordexp(3)`.
pub unsafe fn wordexp(words: *const c_char, result: *mut c_void, flags: c_int) -> c_int {
    let Some((snapshot, next)) =
        start::state().and_then(|state| Some((state, state.next.wordexp()?)))
    else {
        return libc::ENOSYS;
    };
    // SAFETY: libc's own function with the caller's arguments.
    let run = |flags: c_int| unsafe { next(words, result, flags) };
    // SAFETY: the caller's promise.
    let text = unsafe { CStr::from_ptr(words) }.to_bytes_with_nul();
    let substitutes = text.windows(2).any(|pair| pair == b"$(") || text.contains(&b'`');
    if !substitutes || flags & WRDE_NOCMD != 0 || snapshot.mode == Mode::Disabled {
        return run(flags);
    }
    let len = NOTHING.len().saturating_add(text.len());
    let Ok(start) = sys::map_memory(len) else {
        return WRDE_NOSPACE;
    };
    // SAFETY: `len` bytes, zeroed and writable, that nothing else uses.
    let command = unsafe { core::slice::from_raw_parts_mut(start, len) };
    for (to, from) in command.iter_mut().zip(NOTHING.iter().chain(text)) {
        *to = *from;
    }
    let argv = [c"sh".as_ptr(), c"-c".as_ptr(), start.cast_const().cast(), core::ptr::null()];
    let judged = judge_shell(snapshot, "wordexp", &argv);
    let permitted = judged.permitted;
    if !permitted && !judged.is_repeated {
        let _ = sys::write(2, judged.notice());
    }
    let fit = fit_of(&judged);
    drop(judged);
    // SAFETY: mapped above; the verdict that pointed there is gone.
    unsafe { sys::unmap(start, len) };
    if !permitted {
        // libc leaves the caller's record as it does when it refuses, for whatever reason it finds.
        let _ = run(flags | WRDE_NOCMD);
        return WRDE_CMDSUB;
    }
    in_environment(snapshot, fit, &mut || run(flags))
}

/// Runs `text`, or the denial in its place.
fn shell<R>(
    snapshot: &Snapshot,
    hook: &'static str,
    text: &CStr,
    run: &mut dyn FnMut(*const c_char) -> R,
) -> Answer<R> {
    if snapshot.mode == Mode::Disabled {
        return Answer::Ran(in_environment(snapshot, Fit::ORDINARY, &mut || run(text.as_ptr())));
    }
    let argv = [c"sh".as_ptr(), c"-c".as_ptr(), text.as_ptr(), core::ptr::null()];
    let judged = judge_shell(snapshot, hook, &argv);
    if judged.permitted {
        let fit = fit_of(&judged);
        drop(judged);
        return Answer::Ran(in_environment(snapshot, fit, &mut || run(text.as_ptr())));
    }
    let line = judged.notice().trim_ascii_end();
    let library = snapshot.library.to_bytes();
    let can_quote = !library.contains(&b'\'') && !line.contains(&b'\'');
    let denial = judged.compose(&[b"exec '", library, b"' '", line, b"'"]);
    match denial {
        Some(denial) if can_quote && !snapshot.deny_by_errno => {
            let fit = fit_of(&judged);
            Answer::Ran(in_environment(snapshot, fit, &mut || run(denial.as_ptr())))
        }
        _ => {
            if !judged.is_repeated {
                let _ = sys::write(2, judged.notice());
            }
            Answer::Failed(judged.errno)
        }
    }
}

/// Judges the shell that libc starts.
fn judge_shell(snapshot: &Snapshot, hook: &'static str, argv: &[*const c_char]) -> Judged {
    // SAFETY: the callers pass C strings with a NULL behind them, and libc's environment.
    let (argv, env) = unsafe { (Vector::new(argv.as_ptr()), Vector::new(process::environment())) };
    let call = Call { hook, file: SHELL, dir: AT_FDCWD, flags: 0, argv, env, stage: Stage::Before };
    let mut judged = judge(snapshot, &call);
    if judged.escalates {
        // The shell that libc starts has itself replaced by the helper before it does anything.
        judged.permitted = judged.loads_us;
        if !judged.permitted {
            drop(judged);
            judged = judge_alone(snapshot, &call);
        }
    }
    judged
}

/// Calls `run` with an `environ` that is right for a child. These functions take none, so where
/// the program changed its own, the variable itself is exchanged for the time of the call (other
/// threads see the same strings and ours).
fn in_environment<R>(snapshot: &Snapshot, fit: Fit, run: &mut dyn FnMut() -> R) -> R {
    let before = process::environment();
    // SAFETY: libc's environment.
    let env = unsafe { Vector::new(before) };
    with_environment(snapshot, env, fit, &mut |ours: Strings| {
        if ours == before {
            return run();
        }
        let variable = process::environment_variable();
        // SAFETY: libc's own variable; the array is valid until this closure returns, and the
        // caller's is put back unless the program replaced it meanwhile.
        unsafe { variable.write_volatile(ours) };
        let result = run();
        if process::environment() == ours {
            // SAFETY: as above.
            unsafe { variable.write_volatile(before) };
        }
        result
    })
}
