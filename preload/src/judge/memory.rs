//! The working memory of one verdict: one private mapping that holds the evaluator's arenas, the
//! lines to be written and, at its upper end, the evaluator's stack. Backed lazily, so that what
//! is not used costs nothing, and gone before the exec, because a `vfork` parent would keep it.
//!
//! The stack has no guard page, which would cost each verdict a system call and a second area to
//! unmap: the evaluator's nesting is counted, its deepest use measured at a sixth of the room, and
//! below the stack lies nothing but the arenas of this very verdict.

use core::ffi::CStr;
use core::marker::PhantomData;

use evaluator::Scratch;
use evaluator::command::{Command, Redirect, Var, Word};
use evaluator::scratch::{ScratchLen, scratch_len};
use evaluator::verdict::RuleMatch;

use crate::strings::{AnyPath, LongPath, PathBytes};
use crate::sys::{self, Errno};

const PAGE: usize = 4096;

/// Room for the evaluator: a recursive parser takes some 128 KiB at its deepest, signal handlers
/// of the host program may come on top.
pub const STACK: usize = 768 * 1024;

/// The arenas of a first attempt.
pub const QUICK: ScratchLen = ScratchLen::QUICK;

/// Longest call that is tried with the small arenas, in bytes and in arguments.
const QUICK_INPUT: (usize, usize) = (512, 32);

/// Longest event, in bytes.
const EVENT: usize = 64 * 1024;

/// Longest line for the agent, in bytes.
const NOTICE: usize = 4096;

/// The path of the working directory and of the target.
pub const PATHS: usize = 2;

/// Rules that an image may have gained since the process started, and still be judged in full.
const MORE_RULES: usize = 4096;

/// Plain data for which all-zero bytes are a valid value.
///
/// # Safety
/// That must be true, and the type must need no drop.
pub unsafe trait Zeroable {}
// SAFETY: an integer.
unsafe impl Zeroable for u8 {}
// SAFETY: integers (`evaluator::scratch` promises it for all element types).
unsafe impl Zeroable for Word {}
// SAFETY: integers and an enum whose first variant is 0.
unsafe impl Zeroable for Command {}
// SAFETY: integers and an enum whose first variant is 0.
unsafe impl Zeroable for Redirect {}
// SAFETY: integers.
unsafe impl Zeroable for Var {}
// SAFETY: integers.
unsafe impl Zeroable for RuleMatch {}
// SAFETY: a length of 0, a flag that does not hold, and bytes that need not be set.
unsafe impl<const ROOM: usize> Zeroable for PathBytes<ROOM> {}

/// The mapping; unmapped when dropped.
pub struct Memory {
    start: *mut u8,
    len: usize,
    arenas: ScratchLen,
    is_small: bool,
}

/// What is cut from a [`Memory`].
pub struct Parts<'m> {
    /// For one event.
    pub event: &'m mut [u8],
    /// For the line that the agent reads.
    pub notice: &'m mut [u8],
    /// For the working directory and the target. On the stack they would cost a page each: the
    /// compiler touches every page of a frame.
    pub paths: [&'m mut AnyPath; PATHS],
    /// For a first attempt of the evaluator; `None` for a call that is not small.
    pub quick: Option<Scratch<'m>>,
    /// For the evaluator; `None` where the small arenas have to do.
    pub full: Option<Scratch<'m>>,
}

/// Whether a call of `input` bytes in `args` arguments is tried with the small arenas.
pub const fn is_small(input: usize, args: usize) -> bool {
    input <= QUICK_INPUT.0 && args <= QUICK_INPUT.1
}

impl Memory {
    /// Maps the memory for a request of `input` bytes in `args` arguments against `rules` rules;
    /// `with_stack` if it is to hold the evaluator's stack, too.
    ///
    /// # Errors
    /// What `mmap(2)` says, usually `ENOMEM`.
    pub fn new(input: usize, args: usize, rules: usize, with_stack: bool) -> Result<Self, Errno> {
        let arenas = scratch_len(input, args, rules.saturating_add(MORE_RULES));
        let stack = if with_stack { STACK } else { 0 };
        let paths = PATHS * size_of::<LongPath>() + 16;
        let parts = [stack, bytes(&QUICK), EVENT, NOTICE, paths, bytes(&arenas)];
        let sum = parts.iter().fold(0_usize, |sum, part| sum.saturating_add(*part));
        let len = sum.checked_next_multiple_of(PAGE).ok_or(Errno(libc::ENOMEM))?;
        Ok(Self { start: sys::map_memory(len)?, len, arenas, is_small: is_small(input, args) })
    }

    /// The end of the stack, 16-byte aligned.
    pub const fn stack_top(&self) -> *mut u8 {
        self.start.wrapping_add(self.len)
    }

    /// Where the event is put: behind the small arenas.
    const fn event(&self) -> *mut u8 {
        self.start.wrapping_add(bytes(&QUICK))
    }

    /// The line for the agent, as far as it was written.
    pub fn notice(&self, len: usize) -> &[u8] {
        let start = self.event().wrapping_add(EVENT);
        // SAFETY: `parts` puts the notice there (EVENT is a multiple of 16), zeroed or written.
        unsafe { core::slice::from_raw_parts(start, len.min(NOTICE)) }
    }

    /// Writes `parts` as one C string where the event was. `None` if they do not fit or hold a
    /// NUL.
    pub fn compose(&self, parts: &[&[u8]]) -> Option<&CStr> {
        // SAFETY: `parts` puts the event there; it is written to its file by now, and the borrow
        // of it ended with the verdict.
        let room = unsafe { core::slice::from_raw_parts_mut(self.event(), EVENT) };
        let len = parts.iter().fold(1_usize, |sum, part| sum.saturating_add(part.len()));
        let room = room.get_mut(..len)?;
        let bytes = parts.iter().copied().flatten().chain(&[0]);
        for (to, from) in room.iter_mut().zip(bytes) {
            *to = *from;
        }
        CStr::from_bytes_with_nul(room).ok()
    }

    /// Cuts everything below the stack. `None` if it is too small for that, which it is not.
    ///
    /// # Safety
    /// To be called once: a second call would hand out the same memory again.
    pub unsafe fn parts<'m>(&self) -> Option<Parts<'m>> {
        let mut rest = Rest::new(self.start, self.len);
        let quick = rest.scratch(&QUICK);
        let (event, notice) = (rest.take(EVENT), rest.take(NOTICE));
        let [cwd, target] = rest.take::<LongPath>(PATHS) else {
            return None;
        };
        Some(Parts {
            event,
            notice,
            paths: [cwd, target],
            quick: self.is_small.then_some(quick),
            full: Some(rest.scratch(&self.arenas)),
        })
    }
}

/// Bytes that arenas take, each rounded up to 16.
pub const fn bytes(arenas: &ScratchLen) -> usize {
    const fn round(count: usize, size: usize) -> usize {
        count.saturating_mul(size).saturating_add(15) & !15
    }
    round(arenas.matches, size_of::<RuleMatch>())
        .saturating_add(round(arenas.commands, size_of::<Command>()))
        .saturating_add(round(arenas.redirects, size_of::<Redirect>()))
        .saturating_add(round(arenas.vars, size_of::<Var>()))
        .saturating_add(round(arenas.words, size_of::<Word>()))
        .saturating_add(round(arenas.text, 1))
}

impl Drop for Memory {
    fn drop(&mut self) {
        // SAFETY: mapped by `new`; what was cut from it does not outlive the verdict.
        unsafe { sys::unmap(self.start, self.len) };
    }
}

/// What is left of the mapping.
pub struct Rest<'m> {
    next: *mut u8,
    end: *mut u8,
    lifetime: PhantomData<&'m mut u8>,
}

impl<'m> Rest<'m> {
    /// All of `len` bytes at `start`.
    pub const fn new(start: *mut u8, len: usize) -> Self {
        Self { next: start, end: start.wrapping_add(len), lifetime: PhantomData }
    }

    /// Fills what is left with zeros.
    ///
    /// # Safety
    /// The memory is writable and nobody else's for `'m`.
    pub unsafe fn clear(&mut self) {
        let len = (self.end as usize).saturating_sub(self.next as usize);
        // SAFETY: the caller's memory, of which nothing was handed out yet.
        unsafe { self.next.write_bytes(0, len) };
    }

    /// Arenas of these lengths.
    pub fn scratch(&mut self, len: &ScratchLen) -> Scratch<'m> {
        Scratch {
            matches: self.take(len.matches),
            commands: self.take(len.commands),
            redirects: self.take(len.redirects),
            vars: self.take(len.vars),
            words: self.take(len.words),
            text: self.take(len.text),
        }
    }

    /// The next `count` elements; none if they do not fit.
    pub fn take<T: Zeroable>(&mut self, count: usize) -> &'m mut [T] {
        let start = self.next;
        let bytes = count.saturating_mul(size_of::<T>());
        let used = bytes.saturating_add(15) & !15;
        let room = (self.end as usize).saturating_sub(start as usize);
        if used > room {
            return &mut [];
        }
        self.next = start.wrapping_add(used);
        // SAFETY: `bytes` bytes of the zeroed mapping from a 16-byte aligned address, handed out
        // once; `T` is plain data for which zeroes are valid.
        unsafe { core::slice::from_raw_parts_mut(start.cast::<T>(), count) }
    }
}
