//! Stage 2, observe: what a libc call is about to start, found out with as few system calls as
//! possible and without a copy of what the caller passed.

pub mod elf;
pub mod process;
pub mod target;
pub mod walk;

use core::ffi::{CStr, c_int};

use crate::strings::Vector;

/// One call that would start a program, as a hook received it.
#[derive(Clone, Copy)]
pub struct Call<'a> {
    /// The libc function, or `start`; the name in events.
    pub hook: &'static str,
    /// The file that the kernel would open, relative to `dir`.
    pub file: &'a CStr,
    /// As the first argument of `execveat(2)`; `AT_FDCWD` for all other calls.
    pub dir: c_int,
    /// `AT_EMPTY_PATH` and `AT_SYMLINK_NOFOLLOW`, as for `execveat(2)`.
    pub flags: c_int,
    /// The arguments.
    pub argv: Vector<'a>,
    /// The environment that the caller meant the program to have.
    pub env: Vector<'a>,
    /// Who runs it, and where.
    pub stage: Stage,
}

/// At which point of a program's start the call is judged.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Before the exec, which keeps the working directory.
    Before,
    /// Before an exec whose working directory the caller's spawn file actions may change first.
    BeforeElsewhere,
    /// In the new program, before its `main`.
    Started,
    /// The same, where the loader was run by name (`ld.so ./prog`).
    StartedByLoader,
}

impl Stage {
    /// Whether this is the load-time self-check.
    pub const fn is_start(self) -> bool {
        matches!(self, Self::Started | Self::StartedByLoader)
    }
}
