//! `librampart.so`: every way in which a program starts another one, checked before it happens.
//!
//! The library lives in processes that it knows nothing about: in a `vfork` child that shares its
//! parent's memory, in a signal handler, on a 16 KiB stack. It therefore has no heap, no lock, no
//! thread-local, keeps no descriptor, and its only state is written once, when the process starts.
//!
//! The stages of one call, in order (3 and 4 are the `evaluator` crate's):
//!
//! | stage | module | in → out |
//! | --- | --- | --- |
//! | 1 intercept | [`hooks`], [`start`] | libc call, or the start of a process → [`observe::Call`] |
//! | 2 observe | [`observe`] | → `evaluator::Request` |
//! | 3–4 judge | [`judge`] | `Request` × [`images`] → verdict, on a mapping of its own |
//! | 5 escalate | [`escalate`] | ask → the helper in place of the program |
//! | 6 record | [`spool`] | → one line in the audit spool |
//! | 7 act | [`act`], [`cascade`], [`stub`] | the real call with a corrected environment, or the denial |
//!
//! What a running program does itself (files, connections) has a shorter way, in [`operations`].
//!
//! [`snapshot`] holds the write-once state, [`world`] answers the evaluator's questions, [`next`]
//! finds libc's own functions, [`sys`] is the kernel.

#![cfg_attr(panic = "abort", no_std)]

mod act;
mod cascade;
mod escalate;
mod hooks;
mod images;
mod judge;
mod next;
mod observe;
mod on_stack;
mod operations;
mod snapshot;
mod spool;
mod start;
mod strings;
mod stub;
mod symbols;
mod sys;
mod tree;
mod warn;
mod world;

/// Cannot be reached: the build is checked to hold no call of it (`.ci/symbols.sh`). If it is
/// reached all the same, nothing that is undecided may run.
#[cfg(panic = "abort")]
#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    let _ = sys::write(2, b"rampart: internal error in librampart.so; nothing was run\n");
    sys::exit(126)
}
