//! What a thread that waits has to know of signals: which of them are to end a call that waits
//! (signal(7), "Interruption of system calls"), and whether one has come.

use core::ffi::c_int;

use super::process::{SIGNAL_SET, change_mask};
use super::{call, int};

/// What comes of what a thread does itself, and must never be held back; what cannot be; and what libc
/// uses (SIGILL, SIGTRAP, SIGBUS, SIGFPE, SIGKILL, SIGSEGV, SIGSTOP, SIGSYS, 32 to 34).
const NEVER: u64 = bit(4)
    | bit(5)
    | bit(7)
    | bit(8)
    | bit(9)
    | bit(11)
    | bit(19)
    | bit(31)
    | bit(32)
    | bit(33)
    | bit(34);

/// Highest signal.
const LAST: c_int = 64;

const fn bit(signal: c_int) -> u64 {
    1 << (signal - 1)
}

/// `struct sigaction` as the kernel has it, on both architectures.
#[repr(C)]
#[derive(Default)]
struct Action {
    handler: usize,
    flags: u64,
    restorer: usize,
    mask: u64,
}

/// Signals that are held back; they come when this goes.
pub struct Held {
    signals: u64,
    before: u64,
}

impl Held {
    /// Holds back every signal with a handler that was installed without `SA_RESTART`. `None` if there
    /// is none.
    pub fn new() -> Option<Self> {
        let (mut signals, mut blocked) = (0, 0);
        for signal in (1..=LAST).filter(|signal| NEVER & bit(*signal) == 0) {
            let mut action = Action::default();
            let args = [int(signal), 0, (&raw mut action) as usize, SIGNAL_SET, 0, 0];
            // SAFETY: `action` has the layout of the kernel's `struct sigaction`.
            let known = unsafe { call(libc::SYS_rt_sigaction, args) }.is_ok();
            // 0 and 1 are no handlers: SIG_DFL and SIG_IGN.
            if known && action.handler > 1 && action.flags & libc::SA_RESTART as u64 == 0 {
                signals |= bit(signal);
            }
        }
        change_mask(libc::SIG_BLOCK, &0, &mut blocked);
        signals &= !blocked;
        if signals == 0 {
            return None;
        }
        let mut before = 0;
        change_mask(libc::SIG_BLOCK, &signals, &mut before);
        Some(Self { signals, before })
    }

    /// Whether one of them has come (`rt_sigpending(2)`).
    pub fn has_come(&self) -> bool {
        let mut pending = 0_u64;
        let args = [(&raw mut pending) as usize, SIGNAL_SET, 0, 0, 0, 0];
        // SAFETY: `pending` has the layout of the kernel's signal set.
        let known = unsafe { call(libc::SYS_rt_sigpending, args) }.is_ok();
        known && pending & self.signals != 0
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        change_mask(libc::SIG_SETMASK, &self.before, &mut 0);
    }
}
