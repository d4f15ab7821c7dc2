//! The hooks on what makes, changes and removes files by their paths, or opens them as streams and
//! directories. Each names what it is about; where nothing is refused it ends in libc's own function.

use core::ffi::{CStr, c_int, c_uint, c_ulong, c_void};

use evaluator::image::gate::operation::{DELETE, READ, WRITE};
use libc::AT_FDCWD;

use super::files::{Path, named};
use super::{refuse, state};

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
    scandir(path: Path, list: *mut c_void, filter: *const c_void, order: *const c_void) -> c_int {
        READ, AT_FDCWD, path, true;
    } else -1
    scandir64(path: Path, list: *mut c_void, filter: *const c_void, order: *const c_void) -> c_int {
        READ, AT_FDCWD, path, true;
    } else -1
    scandirat(
        dir: c_int, path: Path, list: *mut c_void, filter: *const c_void, order: *const c_void
    ) -> c_int {
        READ, dir, path, true;
    } else -1
    scandirat64(
        dir: c_int, path: Path, list: *mut c_void, filter: *const c_void, order: *const c_void
    ) -> c_int {
        READ, dir, path, true;
    } else -1
    mkdir(path: Path, mode: c_uint) -> c_int { WRITE, AT_FDCWD, path, false; } else -1
    mkdirat(dir: c_int, path: Path, mode: c_uint) -> c_int { WRITE, dir, path, false; } else -1
    mkfifo(path: Path, mode: c_uint) -> c_int { WRITE, AT_FDCWD, path, false; } else -1
    mkfifoat(dir: c_int, path: Path, mode: c_uint) -> c_int { WRITE, dir, path, false; } else -1
    mknod(path: Path, mode: c_uint, device: u64) -> c_int { WRITE, AT_FDCWD, path, false; } else -1
    mknodat(dir: c_int, path: Path, mode: c_uint, device: u64) -> c_int {
        WRITE, dir, path, false;
    } else -1
    mkstemp(path: Path) -> c_int { WRITE, AT_FDCWD, path, false; } else -1
    mkstemp64(path: Path) -> c_int { WRITE, AT_FDCWD, path, false; } else -1
    mkostemp(path: Path, flags: c_int) -> c_int { WRITE, AT_FDCWD, path, false; } else -1
    mkostemp64(path: Path, flags: c_int) -> c_int { WRITE, AT_FDCWD, path, false; } else -1
    mkstemps(path: Path, end: c_int) -> c_int { WRITE, AT_FDCWD, path, false; } else -1
    mkstemps64(path: Path, end: c_int) -> c_int { WRITE, AT_FDCWD, path, false; } else -1
    mkostemps(path: Path, end: c_int, flags: c_int) -> c_int {
        WRITE, AT_FDCWD, path, false;
    } else -1
    mkostemps64(path: Path, end: c_int, flags: c_int) -> c_int {
        WRITE, AT_FDCWD, path, false;
    } else -1
    mkdtemp(path: Path) -> *mut c_void { WRITE, AT_FDCWD, path, false; } else NULL
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
    lchmod(path: Path, mode: c_uint) -> c_int { WRITE, AT_FDCWD, path, false; } else -1
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
    setxattr(path: Path, name: Path, value: *const c_void, len: usize, flags: c_int) -> c_int {
        WRITE, AT_FDCWD, path, true;
    } else -1
    lsetxattr(path: Path, name: Path, value: *const c_void, len: usize, flags: c_int) -> c_int {
        WRITE, AT_FDCWD, path, false;
    } else -1
    removexattr(path: Path, name: Path) -> c_int { WRITE, AT_FDCWD, path, true; } else -1
    lremovexattr(path: Path, name: Path) -> c_int { WRITE, AT_FDCWD, path, false; } else -1
    mount(source: Path, target: Path, kind: Path, flags: c_ulong, data: *const c_void) -> c_int {
        bind_kinds(flags), AT_FDCWD, source, true;
        WRITE, AT_FDCWD, target, true;
    } else -1
    umount(path: Path) -> c_int { DELETE, AT_FDCWD, path, true; } else -1
    umount2(path: Path, flags: c_int) -> c_int {
        DELETE, AT_FDCWD, path, flags & libc::UMOUNT_NOFOLLOW == 0;
    } else -1
    open_tree(dir: c_int, path: Path, flags: c_uint) -> c_int {
        READ | WRITE, dir, path, flags & libc::AT_SYMLINK_NOFOLLOW as c_uint == 0;
    } else -1
    move_mount(old_dir: c_int, old: Path, new_dir: c_int, new: Path, flags: c_uint) -> c_int {
        READ | WRITE, old_dir, old, flags & libc::MOVE_MOUNT_F_SYMLINKS != 0;
        WRITE, new_dir, new, flags & libc::MOVE_MOUNT_T_SYMLINKS != 0;
    } else -1
    mount_setattr(
        dir: c_int, path: Path, flags: c_uint, attributes: *const c_void, len: usize
    ) -> c_int {
        WRITE, dir, path, flags & libc::AT_SYMLINK_NOFOLLOW as c_uint == 0;
    } else -1
}

/// With `MS_BIND` or `MS_MOVE` what is mounted gets another path, as by a link (mount(2)).
const fn bind_kinds(flags: c_ulong) -> u32 {
    if flags & (libc::MS_BIND | libc::MS_MOVE) != 0 { READ | WRITE } else { 0 }
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

/// Defines hooks that change the file behind their first argument, which may have been opened for reading.
macro_rules! on_descriptors {
    ($($name:ident($($argument:ident: $type:ty),*);)*) => {
        $(
            /// The function of that name, judged.
            ///
            /// # Safety
            /// As the function of that name.
            pub unsafe extern "C" fn $name(fd: c_int, $($argument: $type),*) -> c_int {
                type Next = unsafe extern "C" fn(c_int, $($type),*) -> c_int;
                match state() {
                    Some(state) if state.may_change(stringify!($name), WRITE, fd) => {
                        // SAFETY: the caller's promise.
                        unsafe { next!(state, $name as Next)(fd, $($argument),*) }
                    }
                    _ => refuse(),
                }
            }
        )*
    };
}

on_descriptors! {
    fchmod(mode: c_uint);
    fchown(user: c_uint, group: c_uint);
    fsetxattr(name: Path, value: *const c_void, len: usize, flags: c_int);
    fremovexattr(name: Path);
}
