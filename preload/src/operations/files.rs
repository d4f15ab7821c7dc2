//! The hooks on opening, and what all hooks on files ask. Where nothing is refused an open ends in
//! libc's own function, or was already made on the way.

use core::ffi::{CStr, c_char, c_int, c_uint};
use core::sync::atomic::Ordering;

use evaluator::image::gate::operation::{READ, TOOLS, WRITE};
use libc::{
    AT_FDCWD, O_ACCMODE, O_CREAT, O_DIRECTORY, O_NOFOLLOW, O_PATH, O_RDONLY, O_RDWR, O_TRUNC,
};

use super::path::Named;
use super::verdict::Operation;
use super::{State, refuse, state};
use crate::act::set_errno;
use crate::strings::PathBytes;
use crate::sys::{Errno, Fd};

pub type Path = *const c_char;
type Open = unsafe extern "C" fn(Path, c_int, ...) -> c_int;
type OpenAt = unsafe extern "C" fn(c_int, Path, c_int, ...) -> c_int;

/// The path at `path`, as a call relative to `dir` gets it. `None` for NULL, which the kernel refuses.
///
/// # Safety
/// `path` is NULL or a C string that outlives the call.
pub unsafe fn named<'a>(dir: c_int, path: Path, follows: bool) -> Option<Named<'a>> {
    if path.is_null() {
        return None;
    }
    // SAFETY: the caller's promise.
    Some(Named { dir, path: unsafe { CStr::from_ptr(path) }, follows })
}

impl State {
    /// Whether each of `kinds` may be done to `named`. `None` stands for no path.
    pub fn may(&self, hook: &'static str, kinds: u32, named: Option<Named<'_>>) -> bool {
        let Some(named) = named else {
            return true;
        };
        if named.path.is_empty() {
            // With `AT_EMPTY_PATH` the descriptor itself; without it the call fails.
            return named.dir == AT_FDCWD || self.may_change(hook, kinds, named.dir);
        }
        let may_hold = || self.may_hold(kinds, &named) & kinds != 0 || self.may_lead(kinds, &named);
        if !self.is_about(kinds) || !may_hold() {
            return true;
        }
        self.all_permit(hook, kinds, named)
    }

    pub fn all_permit(&self, hook: &'static str, kinds: u32, named: Named<'_>) -> bool {
        // What changes something is the better reason.
        let asked = TOOLS.iter().rev().filter(|(bit, _)| kinds & bit != 0 && self.is_about(*bit));
        let mut asked = asked.map(|(_, tool)| *tool);
        asked.all(|tool| {
            self.permits(&Operation { hook, tool, named: Some(named), urls: [&[], &[]] })
        })
    }

    /// Whether each of `kinds` may be done to the file behind a descriptor.
    #[inline(never)]
    pub fn may_change(&self, hook: &'static str, kinds: u32, fd: c_int) -> bool {
        if !self.is_about(kinds) {
            return true;
        }
        let mut link = PathBytes::<40>::new();
        behind(fd, &mut link).is_none_or(|named| {
            !self.is_open(kinds) && !self.may_lie(kinds, fd, None)
                || self.all_permit(hook, kinds, named)
        })
    }

    /// Opens, if it may be; `next` is libc's function.
    fn open(
        &self,
        hook: &'static str,
        named: Option<Named<'_>>,
        flags: c_int,
        mode: c_uint,
        next: impl Fn() -> c_int,
    ) -> c_int {
        let kinds = kinds_of(flags);
        // A descriptor for a path alone reads nothing; what is done with it comes here again.
        let named = named.filter(|named| flags & O_PATH == 0 && !named.path.is_empty());
        let Some(named) = named.filter(|_| self.is_about(kinds)) else {
            return next();
        };
        let held = self.may_hold(kinds, &named);
        if held & kinds == 0 {
            match self.open_alone(kinds, &named, flags, mode) {
                Some(Ok(fd)) if flags & O_DIRECTORY != 0 => {
                    self.note_directory(held, &named, fd);
                    return fd;
                }
                Some(Ok(fd)) => return fd,
                Some(Err(errno)) => {
                    set_errno(errno);
                    return -1;
                }
                None if kinds == READ => return self.judge_opened(hook, &named, next()),
                None if !self.may_lead_elsewhere(kinds, &named) => return next(),
                None => {}
            }
        }
        if self.all_permit(hook, kinds, named) { next() } else { refuse() }
    }

    /// As [`State::open_plain`], in place of libc's function: not where another library has one.
    fn open_alone(
        &self,
        kinds: u32,
        named: &Named<'_>,
        flags: c_int,
        mode: c_uint,
    ) -> Option<Result<c_int, Errno>> {
        if self.others_open.load(Ordering::Relaxed) {
            return None;
        }
        // What is only read is opened first where a link is expected, and then looked at.
        if kinds == READ && self.has_led_elsewhere(named) {
            return None;
        }
        self.cancellation_point();
        let opened = self.open_plain(named, flags, mode);
        if kinds == READ && opened.is_none() {
            self.note_link(named, true);
        }
        opened
    }

    /// A file that was opened for reading by a path with a link in it: what was opened is what is
    /// judged, whatever becomes of the link, and nobody has read it yet.
    #[inline(never)]
    fn judge_opened(&self, hook: &'static str, named: &Named<'_>, fd: c_int) -> c_int {
        if fd < 0 || !self.may_lie(READ, fd, Some(named)) {
            return fd;
        }
        let mut link = PathBytes::<40>::new();
        match behind(fd, &mut link) {
            Some(named) if !self.all_permit(hook, READ, named) => {
                drop(Fd::own(fd));
                refuse()
            }
            _ => fd,
        }
    }
}

/// The file behind a descriptor, as a path that leads there. `None` if it is none.
pub fn behind(fd: c_int, link: &mut PathBytes<40>) -> Option<Named<'_>> {
    let number = u32::try_from(fd).ok()?;
    let path = link.push(b"/proc/self/fd/")?.push_number(number)?.as_c_str();
    Some(Named { dir: AT_FDCWD, path, follows: true })
}

/// What an open with these flags is about.
pub const fn kinds_of(flags: c_int) -> u32 {
    let reads = matches!(flags & O_ACCMODE, O_RDONLY | O_RDWR);
    let writes = flags & O_ACCMODE != O_RDONLY || flags & (O_CREAT | O_TRUNC) != 0;
    (if reads { READ } else { 0 }) | (if writes { WRITE } else { 0 })
}

/// Defines hooks of the type of `open(2)`.
macro_rules! opens {
    ($($name:ident)*) => {
        $(
            /// The function of that name, judged.
            ///
            /// # Safety
            /// As the function of that name.
            pub unsafe extern "C" fn $name(path: Path, flags: c_int, mode: c_uint) -> c_int {
                let Some(state) = state() else {
                    return refuse();
                };
                // SAFETY: the caller's promise.
                let named = unsafe { named(AT_FDCWD, path, flags & O_NOFOLLOW == 0) };
                state.open(stringify!($name), named, flags, mode, || {
                    // SAFETY: the caller's promise.
                    unsafe { next!(state, $name as Open)(path, flags, mode) }
                })
            }
        )*
    };
}

/// Defines hooks of the type of `openat(2)`.
macro_rules! opens_at {
    ($($name:ident)*) => {
        $(
            /// The function of that name, judged.
            ///
            /// # Safety
            /// As the function of that name.
            pub unsafe extern "C" fn $name(
                dir: c_int,
                path: Path,
                flags: c_int,
                mode: c_uint,
            ) -> c_int {
                let Some(state) = state() else {
                    return refuse();
                };
                // SAFETY: the caller's promise.
                let named = unsafe { named(dir, path, flags & O_NOFOLLOW == 0) };
                state.open(stringify!($name), named, flags, mode, || {
                    // SAFETY: the caller's promise.
                    unsafe { next!(state, $name as OpenAt)(dir, path, flags, mode) }
                })
            }
        )*
    };
}

opens!(open open64 __open __open64 __open_2 __open64_2);
opens_at!(openat openat64 __openat_2 __openat64_2);
