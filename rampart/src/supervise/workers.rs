//! The threads that answer calls: as many as processors, within reason. They wait in an ioctl(2) that only a signal
//! ends, and have to be gone before this process becomes two (fork(2)): a call that one of them took
//! would never be answered.
#![allow(unsafe_code, reason = "neither std nor rustix can send a signal to a thread")]

use super::worker::Worker;
use std::io;
use std::os::unix::thread::JoinHandleExt;
use std::sync::{Arc, Mutex, Once, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// Nobody sends it to end anything (signal(7)), and nothing else uses it here.
const WAKE: i32 = libc::SIGURG;

/// One waits for calls while another holds a process; more than this many only get into each other's way, as
/// a call wakes all who wait.
const COUNT: std::ops::RangeInclusive<usize> = 2..=4;

/// Those that have been started.
#[derive(Debug, Default)]
pub struct Crew(Mutex<Vec<JoinHandle<()>>>);

/// Starts as many as this machine can use, each like `worker`.
///
/// # Errors
/// If not even one can be had.
pub fn start_all(worker: &Worker) -> io::Result<()> {
    let processors = thread::available_parallelism().map_or(1, usize::from);
    start(worker.another())?;
    for _ in 1..processors.clamp(*COUNT.start(), *COUNT.end()) {
        // With fewer it is slower, and nothing else.
        let _ = start(worker.another());
    }
    Ok(())
}

/// Starts one.
///
/// # Errors
/// If there is none to be had.
pub fn start(worker: Worker) -> io::Result<()> {
    catch();
    let shared = Arc::clone(worker.shared());
    let work = move || {
        let _all = AllOrNobody;
        leave_signals_to_others();
        take_short_turns();
        worker.work();
    };
    let mut crew = shared.crew.0.lock().unwrap_or_else(PoisonError::into_inner);
    crew.retain(|thread| !thread.is_finished());
    crew.push(thread::Builder::new().name("supervisor".to_owned()).spawn(work)?);
    Ok(())
}

impl Crew {
    /// Wakes all until they have ended, for at most a second: one that waits for somebody does not end sooner.
    /// They must have been told to.
    pub fn end(&self) {
        for _ in 0..1000 {
            let mut crew = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            crew.retain(|thread| !thread.is_finished());
            if crew.is_empty() {
                return;
            }
            for thread in crew.iter() {
                // SAFETY: it has not been joined, so the kernel's or the C library's record of it is there.
                unsafe { libc::pthread_kill(thread.as_pthread_t(), WAKE) };
            }
            drop(crew);
            thread::sleep(Duration::from_millis(1));
        }
    }
}

/// Ends the process if a thread fails, as if it was killed: whose call that thread had taken would wait for ever.
struct AllOrNobody;

impl Drop for AllOrNobody {
    fn drop(&mut self) {
        if thread::panicking() {
            std::process::abort();
        }
    }
}

/// Lets [`WAKE`] interrupt a system call, and do nothing else.
fn catch() {
    extern "C" fn nothing(_: libc::c_int) {}
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // SAFETY: all-zero bytes are a valid value: no flags (above all no `SA_RESTART`), no signals held.
        let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
        action.sa_sigaction = nothing as extern "C" fn(libc::c_int) as libc::sighandler_t;
        // SAFETY: a valid action whose handler does nothing, and no old one is asked for.
        unsafe { libc::sigaction(WAKE, &raw const action, std::ptr::null_mut()) };
    });
}

/// Signals are the first thread's: it waits for them beside everything else.
fn leave_signals_to_others() {
    // SAFETY: all-zero bytes are a valid set, which the calls fill; the old mask is not asked for.
    unsafe {
        let mut mask: libc::sigset_t = std::mem::zeroed();
        libc::sigfillset(&raw mut mask);
        libc::sigdelset(&raw mut mask, WAKE);
        libc::pthread_sigmask(libc::SIG_SETMASK, &raw const mask, std::ptr::null_mut());
    }
}

/// `struct sched_attr` (sched_setattr(2)), in its first form.
#[repr(C)]
#[derive(Default)]
struct Turns {
    size: u32,
    policy: u32,
    flags: u64,
    nice: i32,
    priority: u32,
    runtime: u64,
    deadline: u64,
    period: u64,
}

/// Has the scheduler give this thread short turns, and the next one soon: somebody waits for each of them, and
/// does nothing meanwhile. Before Linux 6.12 that changes little, and only who may raise priorities gets one.
fn take_short_turns() {
    /// Nanoseconds: the least that the kernel takes.
    const TURN: u64 = 100_000;
    /// Before what others do, behind what the kernel itself does.
    const NICE: i32 = -10;
    let size = u32::try_from(size_of::<Turns>()).unwrap_or_default();
    let mut turns = Turns::default();
    // SAFETY: the kernel fills at most `size` bytes of it, for this thread.
    let found = unsafe { libc::syscall(libc::SYS_sched_getattr, 0, &raw mut turns, size, 0) };
    if found != 0 || turns.policy != libc::SCHED_OTHER.cast_unsigned() {
        return;
    }
    for nice in [turns.nice.min(NICE), turns.nice] {
        let turns = Turns { size, flags: 0, nice, runtime: TURN, ..turns };
        // SAFETY: a valid structure of the size that it states, for this thread.
        if unsafe { libc::syscall(libc::SYS_sched_setattr, 0, &raw const turns, 0) } == 0 {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::process::ExitStatusExt;
    use std::process::Command;

    #[test]
    fn a_thread_that_fails_ends_the_process() {
        const NAME: &str = "supervise::workers::tests::a_thread_that_fails_ends_the_process";
        if std::env::var_os("RAMPART_TEST_FAILS").is_some() {
            let failing = || {
                let _all = AllOrNobody;
                panic!("on purpose");
            };
            let _ = thread::spawn(failing).join();
            return;
        }
        let own = std::env::current_exe().unwrap();
        let mut again = Command::new(own);
        let ran = again.args(["--exact", NAME]).env("RAMPART_TEST_FAILS", "1").output().unwrap();
        assert_eq!(ran.status.signal(), Some(libc::SIGABRT), "{ran:?}");
    }
}
