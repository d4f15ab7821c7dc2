//! The hooks on files. Where nothing is refused each ends in libc's own function, but for an open
//! that was already made on the way.

use core::ffi::{CStr, c_char, c_int, c_uint, c_ulong, c_void};

use evaluator::image::gate::operation::{DELETE, READ, TOOLS, WRITE};
use libc::{AT_FDCWD, O_ACCMODE, O_CREAT, O_NOFOLLOW, O_PATH, O_RDONLY, O_RDWR, O_TRUNC};

use super::path::Named;
use super::verdict::Operation;
use super::{State, refuse, state};
use crate::act::set_errno;
use crate::strings::PathBytes;
use crate::sys::Fd;

type Path = *const c_char;
type Open = unsafe extern "C" fn(Path, c_int, ...) -> c_int;
type OpenAt = unsafe extern "C" fn(c_int, Path, c_int, ...) -> c_int;

/// The path at `path`, as a call relative to `dir` gets it. `None` for NULL, which the kernel refuses.
///
/// # Safety
/// `path` is NULL or a C string that outlives the call.
unsafe fn named<'a>(dir: c_int, path: Path, follows: bool) -> Option<Named<'a>> {
    if path.is_null() {
        return None;
    }
    // SAFETY: the caller's promise.
    Some(Named { dir, path: unsafe { CStr::from_ptr(path) }, follows })
}

impl State {
    /// Whether each of `kinds` may be done to `named`. `None` stands for no path.
    pub fn may(&self, hook: &'static str, kinds: u32, named: Option<Named<'_>>) -> bool {
        let Some(named) = named.filter(|named| !named.path.is_empty()) else {
            return true;
        };
        if !self.is_about(kinds) || !(self.may_hold(kinds, &named) || self.may_lead(&named)) {
            return true;
        }
        self.all_permit(hook, kinds, named)
    }

    fn all_permit(&self, hook: &'static str, kinds: u32, named: Named<'_>) -> bool {
        // What changes something is the better reason.
        let asked = TOOLS.iter().rev().filter(|(bit, _)| kinds & bit != 0 && self.is_about(*bit));
        let mut asked = asked.map(|(_, tool)| *tool);
        asked.all(|tool| {
            self.permits(&Operation { hook, tool, named: Some(named), urls: [&[], &[]] })
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
        if !self.may_hold(kinds, &named) {
            self.cancellation_point();
            match self.open_plain(&named, flags, mode) {
                Some(Ok(fd)) => return fd,
                Some(Err(errno)) => {
                    set_errno(errno);
                    return -1;
                }
                None if kinds == READ => return self.judge_opened(hook, next()),
                None if !self.may_lead_elsewhere(&named) => return next(),
                None => {}
            }
        }
        if self.all_permit(hook, kinds, named) { next() } else { refuse() }
    }

    /// A file that was opened for reading by a path with a link in it: what was opened is what is
    /// judged, whatever becomes of the link, and nobody has read it yet.
    #[inline(never)]
    fn judge_opened(&self, hook: &'static str, fd: c_int) -> c_int {
        if fd < 0 || !self.may_lie(fd) {
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
fn behind(fd: c_int, link: &mut PathBytes<40>) -> Option<Named<'_>> {
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

/// Defines hooks that take their first path and other arguments: each names what it is about, and
/// whether a link at the end of the path is followed.
macro_rules! hooks {
    ($($name:ident($($argument:ident: $type:ty),*) -> $answer:ty {
        $($kinds:expr, $dir:expr, $path:expr, $follows:expr;)+
    } else $refused:expr)*) => {
        $(
            /// The function of that name, judged.
            ///
            /// # Safety
            /// As the function of that name.
            pub unsafe extern "C" fn $name($($argument: $type),*) -> $answer {
                type Next = unsafe extern "C" fn($($type),*) -> $answer;
                let Some(state) = state() else {
                    refuse();
                    return $refused;
                };
                // SAFETY: the caller's promise.
                let may = unsafe {
                    true $(&& state.may(stringify!($name), $kinds, named($dir, $path, $follows)))+
                };
                if !may {
                    refuse();
                    return $refused;
                }
                // SAFETY: the caller's promise.
                unsafe { next!(state, $name as Next)($($argument),*) }
            }
        )*
    };
}

const NULL: *mut c_void = core::ptr::null_mut();

hooks! {
    creat(path: Path, mode: c_uint) -> c_int { WRITE, AT_FDCWD, path, true; } else -1
    creat64(path: Path, mode: c_uint) -> c_int { WRITE, AT_FDCWD, path, true; } else -1
    fopen(path: Path, mode: Path) -> *mut c_void { stream_kinds(mode), AT_FDCWD, path, true; } else NULL
    fopen64(path: Path, mode: Path) -> *mut c_void { stream_kinds(mode), AT_FDCWD, path, true; } else NULL
    freopen(path: Path, mode: Path, stream: *mut c_void) -> *mut c_void {
        stream_kinds(mode), AT_FDCWD, path, true;
    } else NULL
    freopen64(path: Path, mode: Path, stream: *mut c_void) -> *mut c_void {
        stream_kinds(mode), AT_FDCWD, path, true;
    } else NULL
    opendir(path: Path) -> *mut c_void { READ, AT_FDCWD, path, true; } else NULL
    unlink(path: Path) -> c_int { DELETE, AT_FDCWD, path, false; } else -1
    unlinkat(dir: c_int, path: Path, flags: c_int) -> c_int { DELETE, dir, path, false; } else -1
    remove(path: Path) -> c_int { DELETE, AT_FDCWD, path, false; } else -1
    rmdir(path: Path) -> c_int { DELETE, AT_FDCWD, path, false; } else -1
    rename(old: Path, new: Path) -> c_int {
        DELETE, AT_FDCWD, old, false;
        WRITE, AT_FDCWD, new, false;
    } else -1
    renameat(old_dir: c_int, old: Path, new_dir: c_int, new: Path) -> c_int {
        DELETE, old_dir, old, false;
        WRITE, new_dir, new, false;
    } else -1
    renameat2(old_dir: c_int, old: Path, new_dir: c_int, new: Path, flags: c_uint) -> c_int {
        DELETE | exchange_kinds(flags), old_dir, old, false;
        WRITE | exchange_kinds(flags), new_dir, new, false;
    } else -1
    truncate(path: Path, len: i64) -> c_int { WRITE, AT_FDCWD, path, true; } else -1
    truncate64(path: Path, len: i64) -> c_int { WRITE, AT_FDCWD, path, true; } else -1
    chmod(path: Path, mode: c_uint) -> c_int { WRITE, AT_FDCWD, path, true; } else -1
    fchmodat(dir: c_int, path: Path, mode: c_uint, flags: c_int) -> c_int {
        WRITE, dir, path, flags & libc::AT_SYMLINK_NOFOLLOW == 0;
    } else -1
    chown(path: Path, user: c_uint, group: c_uint) -> c_int { WRITE, AT_FDCWD, path, true; } else -1
    lchown(path: Path, user: c_uint, group: c_uint) -> c_int { WRITE, AT_FDCWD, path, false; } else -1
    fchownat(dir: c_int, path: Path, user: c_uint, group: c_uint, flags: c_int) -> c_int {
        WRITE, dir, path, flags & libc::AT_SYMLINK_NOFOLLOW == 0;
    } else -1
    link(old: Path, new: Path) -> c_int {
        READ | WRITE, AT_FDCWD, old, false;
        WRITE, AT_FDCWD, new, false;
    } else -1
    linkat(old_dir: c_int, old: Path, new_dir: c_int, new: Path, flags: c_int) -> c_int {
        READ | WRITE, old_dir, old, flags & libc::AT_SYMLINK_FOLLOW != 0;
        WRITE, new_dir, new, false;
    } else -1
    symlink(text: Path, new: Path) -> c_int { WRITE, AT_FDCWD, new, false; } else -1
    symlinkat(text: Path, dir: c_int, new: Path) -> c_int { WRITE, dir, new, false; } else -1
    mount(source: Path, target: Path, kind: Path, flags: c_ulong, data: *const c_void) -> c_int {
        WRITE, AT_FDCWD, target, true;
    } else -1
}

/// With `RENAME_EXCHANGE` both names are taken away and written.
const fn exchange_kinds(flags: c_uint) -> u32 {
    if flags & libc::RENAME_EXCHANGE != 0 { DELETE | WRITE } else { 0 }
}

/// What opening a stream with this mode is about (`fopen(3)`).
///
/// # Safety
/// `mode` is NULL or a C string.
unsafe fn stream_kinds(mode: Path) -> u32 {
    if mode.is_null() {
        return READ | WRITE;
    }
    // SAFETY: the caller's promise.
    let mode = unsafe { CStr::from_ptr(mode) }.to_bytes();
    // What follows a comma is the character set.
    let mode = mode.split(|byte| *byte == b',').next().unwrap_or(mode);
    match (mode.first(), mode.contains(&b'+')) {
        (Some(b'r'), false) => READ,
        (Some(b'w' | b'a'), false) => WRITE,
        _ => READ | WRITE,
    }
}

/// Whether the file behind a descriptor may be changed.
fn may_change(state: &State, hook: &'static str, fd: c_int) -> bool {
    if !state.is_about(WRITE) {
        return true;
    }
    let mut link = PathBytes::<40>::new();
    behind(fd, &mut link).is_none_or(|named| {
        !state.is_open(WRITE) && !state.may_lie(fd) || state.all_permit(hook, WRITE, named)
    })
}

/// `fchmod(2)`, judged.
///
/// # Safety
/// As the function of that name.
pub unsafe extern "C" fn fchmod(fd: c_int, mode: c_uint) -> c_int {
    match state() {
        Some(state) if may_change(state, "fchmod", fd) => {
            // SAFETY: the caller's promise.
            unsafe {
                next!(state, fchmod as unsafe extern "C" fn(c_int, c_uint) -> c_int)(fd, mode)
            }
        }
        _ => refuse(),
    }
}

/// `fchown(2)`, judged.
///
/// # Safety
/// As the function of that name.
pub unsafe extern "C" fn fchown(fd: c_int, user: c_uint, group: c_uint) -> c_int {
    type Next = unsafe extern "C" fn(c_int, c_uint, c_uint) -> c_int;
    match state() {
        Some(state) if may_change(state, "fchown", fd) => {
            // SAFETY: the caller's promise.
            unsafe { next!(state, fchown as Next)(fd, user, group) }
        }
        _ => refuse(),
    }
}
