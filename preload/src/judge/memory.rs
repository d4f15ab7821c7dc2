//! The working memory of one verdict: one private mapping that holds the evaluator's stack (above
//! a guard page), its arenas and the lines to be written. Backed lazily, so that what is not used
//! costs nothing, and gone before the exec, because a `vfork` parent would keep it.

use core::ffi::CStr;
use core::marker::PhantomData;

use evaluator::Scratch;
use evaluator::command::{Command, Redirect, Var, Word};
use evaluator::scratch::{ScratchLen, scratch_len};
use evaluator::verdict::RuleMatch;

use crate::sys::{self, Errno};

const PAGE: usize = 4096;

/// Room for the evaluator: a recursive parser takes some 160 KiB at its deepest, signal handlers
/// of the host program may come on top.
const STACK: usize = 768 * 1024;

/// Longest event, in bytes.
const EVENT: usize = 64 * 1024;

/// Longest line for the agent, in bytes.
const NOTICE: usize = 4096;

/// Rules that an image may have gained since the process started, and still be judged in full.
const MORE_RULES: usize = 4096;

/// Plain data for which all-zero bytes are a valid value.
///
/// # Safety
/// That must be true, and the type must need no drop.
unsafe trait Zeroable: Copy {}
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

/// The mapping; unmapped when dropped.
pub struct Memory {
    start: *mut u8,
    len: usize,
    arenas: ScratchLen,
}

/// What is cut from a [`Memory`].
pub struct Parts<'m> {
    /// For one event.
    pub event: &'m mut [u8],
    /// For the line that the agent reads.
    pub notice: &'m mut [u8],
    /// For the evaluator.
    pub scratch: Scratch<'m>,
}

impl Memory {
    /// Maps the memory for a request of `input` bytes in `args` arguments against `rules` rules.
    ///
    /// # Errors
    /// What `mmap(2)` says, usually `ENOMEM`.
    pub fn new(input: usize, args: usize, rules: usize) -> Result<Self, Errno> {
        let arenas = scratch_len(input, args, rules.saturating_add(MORE_RULES));
        let sizes = [
            PAGE.saturating_add(STACK),
            EVENT,
            NOTICE,
            arenas.text,
            arenas.words.saturating_mul(size_of::<Word>()),
            arenas.commands.saturating_mul(size_of::<Command>()),
            arenas.redirects.saturating_mul(size_of::<Redirect>()),
            arenas.vars.saturating_mul(size_of::<Var>()),
            arenas.matches.saturating_mul(size_of::<RuleMatch>()),
        ];
        // Each part is rounded up to 16 bytes.
        let sum = sizes.iter().fold(0_usize, |sum, size| {
            sum.saturating_add(*size).saturating_add(15)
        });
        let len = sum
            .checked_next_multiple_of(PAGE)
            .ok_or(Errno(libc::ENOMEM))?;
        let start = sys::map_memory(len)?;
        let memory = Self { start, len, arenas };
        // SAFETY: the first page of the mapping, which nothing uses: the guard below the stack.
        unsafe { sys::protect(start, PAGE, libc::PROT_NONE) }?;
        Ok(memory)
    }

    /// The end of the stack, 16-byte aligned.
    pub const fn stack_top(&self) -> *mut u8 {
        self.start.wrapping_add(PAGE + STACK)
    }

    /// The line for the agent, as far as it was written.
    pub fn notice(&self, len: usize) -> &[u8] {
        let start = self.stack_top().wrapping_add(EVENT);
        // SAFETY: `parts` puts the notice there (EVENT is a multiple of 16), zeroed or written.
        unsafe { core::slice::from_raw_parts(start, len.min(NOTICE)) }
    }

    /// Writes `parts` as one C string where the event was. `None` if they do not fit or hold a
    /// NUL.
    pub fn compose(&self, parts: &[&[u8]]) -> Option<&CStr> {
        // SAFETY: `parts` puts the event there; it is written to its file by now, and the borrow
        // of it ended with the verdict.
        let room = unsafe { core::slice::from_raw_parts_mut(self.stack_top(), EVENT) };
        let len = parts
            .iter()
            .fold(1_usize, |sum, part| sum.saturating_add(part.len()));
        let room = room.get_mut(..len)?;
        let bytes = parts.iter().copied().flatten().chain(&[0]);
        for (to, from) in room.iter_mut().zip(bytes) {
            *to = *from;
        }
        CStr::from_bytes_with_nul(room).ok()
    }

    /// Cuts everything above the stack.
    ///
    /// # Safety
    /// To be called once: a second call would hand out the same memory again.
    pub unsafe fn parts<'m>(&self) -> Parts<'m> {
        let mut rest = Rest {
            next: self.stack_top(),
            end: self.start.wrapping_add(self.len),
            lifetime: PhantomData,
        };
        Parts {
            event: rest.take(EVENT),
            notice: rest.take(NOTICE),
            scratch: Scratch {
                text: rest.take(self.arenas.text),
                words: rest.take(self.arenas.words),
                commands: rest.take(self.arenas.commands),
                redirects: rest.take(self.arenas.redirects),
                vars: rest.take(self.arenas.vars),
                matches: rest.take(self.arenas.matches),
            },
        }
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        // SAFETY: mapped by `new`; what was cut from it does not outlive the verdict.
        unsafe { sys::unmap(self.start, self.len) };
    }
}

/// What is left of the mapping.
struct Rest<'m> {
    next: *mut u8,
    end: *mut u8,
    lifetime: PhantomData<&'m mut u8>,
}

impl<'m> Rest<'m> {
    /// The next `count` elements; none if they do not fit.
    fn take<T: Zeroable>(&mut self, count: usize) -> &'m mut [T] {
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
