//! Memory for the small calls that go ahead, which almost all are: the evaluator's stack and
//! small arenas, mapped for the first of them and kept. A mapping for each verdict would cost two
//! system calls, a fault for each page, and at its end an interrupt for every other processor that
//! the program ran on.
//!
//! One verdict at a time has it; another that comes meanwhile (in a thread, in a signal handler)
//! makes a mapping of its own instead of waiting. The self-check works on the stack of `main`,
//! where nobody else is yet: a process that starts nothing has no desk. A hook must not do that: it
//! may be called by a coroutine whose stack is an array in a frame of `main`.

use core::ptr::null_mut;
use core::sync::atomic::{AtomicBool, AtomicPtr, Ordering};

use evaluator::Scratch;
use evaluator::scratch::ScratchLen;

use super::memory::{PATHS, Parts, QUICK, Rest, STACK, bytes, is_small};
use crate::strings::PathBytes;
use crate::sys;

/// Longest event that is written here, in bytes.
const EVENT: usize = 2048;

/// Room for each path, in bytes.
const PATH: usize = 512;

/// Bytes of what is cleared: everything but the text, of which a call uses the first bytes only.
/// The two touch: what is used lies on as few pages as can be, and each costs two microseconds.
const CLEARED: usize =
    bytes(&ScratchLen { text: 0, ..QUICK }) + EVENT + PATHS * size_of::<PathBytes<PATH>>() + 16;

/// Bytes of what is cut into [`Parts`].
pub const LEN: usize = QUICK.text + CLEARED;

/// Where it is; NULL before there is one.
static PLACE: AtomicPtr<u8> = AtomicPtr::new(null_mut());

/// Whether a verdict has it. One that never ends, because a signal handler jumped out of it or
/// because `fork` left its thread behind, keeps it for good.
static IS_TAKEN: AtomicBool = AtomicBool::new(false);

/// The desk of a process, as long as one verdict has it.
pub struct Desk {
    start: *mut u8,
}

impl Desk {
    /// The desk, for a call of `input` bytes in `args` arguments. `None` if the call is not small,
    /// another verdict has the desk, or there is no memory.
    pub fn take(input: usize, args: usize) -> Option<Self> {
        if !is_small(input, args) || IS_TAKEN.swap(true, Ordering::Acquire) {
            return None;
        }
        let mut start = PLACE.load(Ordering::Relaxed);
        if start.is_null() {
            start = sys::map_memory(STACK + LEN).unwrap_or(null_mut());
            PLACE.store(start, Ordering::Relaxed);
        }
        let desk = Self { start };
        (!start.is_null()).then_some(desk)
    }

    /// The end of its stack, which is where the rest starts. 16-byte aligned.
    pub const fn stack_top(&self) -> *mut u8 {
        self.start.wrapping_add(STACK)
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        IS_TAKEN.store(false, Ordering::Release);
    }
}

/// Cuts [`LEN`] bytes; `None` if they are too few, which they are not. There is no room for the line of a denial, which must outlast the verdict.
///
/// # Safety
/// The bytes at `start` are writable, 16-byte aligned, and nobody else's as long as the parts live.
pub unsafe fn parts<'m>(start: *mut u8) -> Option<Parts<'m>> {
    let mut rest = Rest::new(start, LEN);
    let text = rest.take(QUICK.text);
    // SAFETY: the caller's promise.
    unsafe { rest.clear() };
    let [cwd, target] = rest.take::<PathBytes<PATH>>(PATHS) else {
        return None;
    };
    let event = rest.take(EVENT);
    let quick = Scratch { text, ..rest.scratch(&ScratchLen { text: 0, ..QUICK }) };
    Some(Parts { event, notice: &mut [], paths: [cwd, target], quick: Some(quick), full: None })
}
