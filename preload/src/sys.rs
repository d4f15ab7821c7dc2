//! Raw system calls. The library runs where libc's own wrappers may not be called (a `vfork`
//! child, before libc is initialised, with another library's wrappers in between), so it asks
//! the kernel itself. One thin, safe function a call wherever that is possible.

use core::ffi::{CStr, c_char, c_int};

use libc::{
    AT_EACCESS, AT_EMPTY_PATH, AT_FDCWD, MAP_ANONYMOUS, MAP_FAILED, MAP_NORESERVE, MAP_PRIVATE,
    PROT_READ, PROT_WRITE,
};

use crate::strings::AnyPath;

mod process;
mod signals;
mod socket;

pub use signals::Held;
pub use socket::{own_address, pause};

pub use process::{
    coarse_time, effective_user, has_no_new_privileges, monotonic_time, node_name, parent_id,
    process_id, real_group, real_user, stack_limit, wall_time,
};

/// The kernel's answer to a failed call: an `errno` value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Errno(pub c_int);

/// A NULL-terminated array of C strings, as `execve(2)` takes them.
pub type Strings = *const *const c_char;

/// One system call, arguments as the kernel takes them.
///
/// # Safety
/// Whatever the call `number` requires of its arguments.
#[cfg(target_arch = "x86_64")]
#[inline]
unsafe fn call6(number: i64, args: [usize; 6]) -> isize {
    let [a, b, c, d, e, f] = args;
    let result;
    // SAFETY: the x86-64 Linux system call convention; the kernel changes rcx, r11 and rax only.
    unsafe {
        core::arch::asm!(
            "syscall",
            inlateout("rax") number as isize => result,
            in("rdi") a, in("rsi") b, in("rdx") c, in("r10") d, in("r8") e, in("r9") f,
            lateout("rcx") _, lateout("r11") _,
            options(nostack),
        );
    }
    result
}

/// One system call, arguments as the kernel takes them.
///
/// # Safety
/// Whatever the call `number` requires of its arguments.
#[cfg(target_arch = "aarch64")]
#[inline]
unsafe fn call6(number: i64, args: [usize; 6]) -> isize {
    let [a, b, c, d, e, f] = args;
    let result;
    // SAFETY: the AArch64 Linux system call convention; the kernel changes x0 only.
    unsafe {
        core::arch::asm!(
            "svc 0",
            in("x8") number,
            inlateout("x0") a as isize => result,
            in("x1") b, in("x2") c, in("x3") d, in("x4") e, in("x5") f,
            options(nostack),
        );
    }
    result
}

/// # Safety
/// As [`call6`].
#[inline]
unsafe fn call(number: i64, args: [usize; 6]) -> Result<usize, Errno> {
    // SAFETY: the caller's promise.
    let result = unsafe { call6(number, args) };
    match errno_of(result) {
        Some(errno) => Err(errno),
        None => Ok(result.cast_unsigned()),
    }
}

/// The error in the kernel's answer to a system call, if it is one.
pub fn errno_of(answer: isize) -> Option<Errno> {
    (-4095..0).contains(&answer).then(|| Errno(answer.unsigned_abs() as c_int))
}

const fn int(value: c_int) -> usize {
    value as isize as usize
}

/// An open descriptor, closed when dropped. Always `O_CLOEXEC`, never kept past a hook.
pub struct Fd(c_int);

impl Drop for Fd {
    fn drop(&mut self) {
        // SAFETY: the descriptor is ours; closing it touches no memory.
        let _ = unsafe { call(libc::SYS_close, [int(self.0), 0, 0, 0, 0, 0]) };
    }
}

/// `openat2(2)` with `RESOLVE_NO_SYMLINKS`: `ELOOP` if the path holds a symbolic link. The kernel adds
/// nothing to `flags`, and refuses what it does not know of them.
pub fn open_without_links(
    dir: c_int,
    path: &CStr,
    flags: c_int,
    mode: u32,
) -> Result<c_int, Errno> {
    const RESOLVE_NO_SYMLINKS: u64 = 4;
    let how = [u64::from(flags.cast_unsigned()), u64::from(mode), RESOLVE_NO_SYMLINKS];
    let args = [int(dir), path.as_ptr() as usize, how.as_ptr() as usize, size_of_val(&how), 0, 0];
    // SAFETY: `path` is NUL-terminated, `how` has the layout of `struct open_how`.
    unsafe { call(libc::SYS_openat2, args) }.map(|fd| fd as c_int)
}

/// `openat(2)` as it is.
/// The kernel checks the pointer itself (`EFAULT`).
pub fn open_raw(dir: c_int, path: *const c_char, flags: c_int, mode: u32) -> Result<usize, Errno> {
    // SAFETY: the kernel checks the pointer itself.
    unsafe { call(libc::SYS_openat, [int(dir), path as usize, int(flags), mode as usize, 0, 0]) }
}

/// `openat2(2)` as it is.
/// The kernel checks the pointers itself (`EFAULT`).
pub fn open_how_raw(
    dir: c_int,
    path: *const c_char,
    how: *const u64,
    size: usize,
) -> Result<usize, Errno> {
    // SAFETY: the kernel checks the pointers itself.
    unsafe { call(libc::SYS_openat2, [int(dir), path as usize, how as usize, size, 0, 0]) }
}

/// `seccomp(2)` as it is. The kernel checks the pointer itself (`EFAULT`).
pub fn seccomp(operation: u64, flags: u64, arguments: *const u8) -> Result<usize, Errno> {
    let args = [operation as usize, flags as usize, arguments as usize, 0, 0, 0];
    // SAFETY: what the host program asked for, with its own arguments.
    unsafe { call(libc::SYS_seccomp, args) }
}

impl Fd {
    /// Takes over a descriptor that is ours.
    pub const fn own(number: c_int) -> Self {
        Self(number)
    }

    /// `openat(2)`, with `O_CLOEXEC` added.
    pub fn open(dir: c_int, path: &CStr, flags: c_int, mode: u32) -> Result<Self, Errno> {
        let flags = flags | libc::O_CLOEXEC;
        let args = [int(dir), path.as_ptr() as usize, int(flags), mode as usize, 0, 0];
        // SAFETY: `path` is NUL-terminated.
        unsafe { call(libc::SYS_openat, args) }.map(|fd| Self(fd as c_int))
    }

    /// The number, for calls that take a directory.
    pub const fn number(&self) -> c_int {
        self.0
    }

    /// `fstat(2)`.
    pub fn stat(&self) -> Result<libc::stat, Errno> {
        stat_of(self.0)
    }

    /// `pread(2)`.
    pub fn read_at(&self, out: &mut [u8], offset: u64) -> Result<usize, Errno> {
        let args = [int(self.0), out.as_mut_ptr() as usize, out.len(), offset as usize, 0, 0];
        // SAFETY: `out` is valid for writes of its length.
        unsafe { call(libc::SYS_pread64, args) }
    }

    /// `read(2)`.
    pub fn read(&self, out: &mut [u8]) -> Result<usize, Errno> {
        let args = [int(self.0), out.as_mut_ptr() as usize, out.len(), 0, 0, 0];
        // SAFETY: `out` is valid for writes of its length.
        unsafe { call(libc::SYS_read, args) }
    }

    /// `write(2)`.
    pub fn write(&self, bytes: &[u8]) -> Result<usize, Errno> {
        write(self.0, bytes)
    }

    /// Whether the file carries `security.capability` (`fgetxattr(2)`).
    pub fn has_capabilities(&self) -> bool {
        let name = c"security.capability".as_ptr() as usize;
        // SAFETY: the name is NUL-terminated; size 0 asks for the length only.
        unsafe { call(libc::SYS_fgetxattr, [int(self.0), name, 0, 0, 0, 0]) }.is_ok()
    }

    /// Maps the first `len` bytes read-only; the mapping outlives the descriptor.
    pub fn map(&self, len: usize) -> Result<*mut u8, Errno> {
        let args = [0, len, int(PROT_READ), int(MAP_PRIVATE), int(self.0), 0];
        // SAFETY: a fresh mapping at an address of the kernel's choice changes nothing of ours.
        unsafe { call(libc::SYS_mmap, args) }.map(|address| address as *mut u8)
    }
}

/// `write(2)`, once, without retry. A file that may not grow any more is an error only.
pub fn write(fd: c_int, bytes: &[u8]) -> Result<usize, Errno> {
    let args = [int(fd), bytes.as_ptr() as usize, bytes.len(), 0, 0, 0];
    process::within_file_size_limit(&mut || {
        // SAFETY: `bytes` is valid for reads of its length.
        unsafe { call(libc::SYS_write, args) }
    })
}

/// `newfstatat(2)`.
pub fn stat(dir: c_int, path: &CStr, flags: c_int) -> Result<libc::stat, Errno> {
    let mut out = core::mem::MaybeUninit::<libc::stat>::zeroed();
    let args = [int(dir), path.as_ptr() as usize, out.as_mut_ptr() as usize, int(flags), 0, 0];
    // SAFETY: `path` is NUL-terminated and `out` has the kernel's layout of `struct stat`.
    unsafe { call(libc::SYS_newfstatat, args) }?;
    // SAFETY: all-zero bytes are a valid `struct stat`, and the kernel filled it.
    Ok(unsafe { out.assume_init() })
}

/// `fstat(2)`: no path is looked at, not even an empty one.
pub fn stat_of(fd: c_int) -> Result<libc::stat, Errno> {
    let mut out = core::mem::MaybeUninit::<libc::stat>::zeroed();
    // SAFETY: `out` has the kernel's layout of `struct stat`.
    unsafe { call(libc::SYS_fstat, [int(fd), out.as_mut_ptr() as usize, 0, 0, 0, 0]) }?;
    // SAFETY: all-zero bytes are a valid `struct stat`, and the kernel filled it.
    Ok(unsafe { out.assume_init() })
}

/// Whether the last component of `path` is a symbolic link.
pub fn is_link(dir: c_int, path: &CStr) -> bool {
    stat(dir, path, libc::AT_SYMLINK_NOFOLLOW)
        .is_ok_and(|stat| stat.st_mode & libc::S_IFMT == libc::S_IFLNK)
}

/// Whether the effective user may execute `path`: `faccessat2(2)` with `AT_EACCESS`, on kernels
/// before 5.8 `faccessat(2)`, which asks for the real user.
pub fn may_execute(dir: c_int, path: *const c_char, flags: c_int) -> Result<(), Errno> {
    let flags = flags | AT_EACCESS;
    let args = [int(dir), path as usize, int(libc::X_OK), int(flags), 0, 0];
    // SAFETY: the kernel checks the pointer itself (EFAULT).
    match unsafe { call(libc::SYS_faccessat2, args) } {
        // EPERM: seccomp profiles from before the call was known.
        Err(Errno(libc::ENOSYS | libc::EPERM)) if flags & AT_EMPTY_PATH == 0 => {
            // SAFETY: as above.
            unsafe { call(libc::SYS_faccessat, args) }.map(drop)
        }
        other => other.map(drop),
    }
}

/// Whether the real user can read `path` (`faccessat(2)`).
pub fn can_read(path: &CStr) -> bool {
    let args = [int(AT_FDCWD), path.as_ptr() as usize, int(libc::R_OK), 0, 0, 0];
    // SAFETY: the path is NUL-terminated.
    unsafe { call(libc::SYS_faccessat, args) }.is_ok()
}

/// `readlinkat(2)` into `out`, which is taken whole.
pub fn read_link<'b>(path: &CStr, out: &'b mut AnyPath) -> Result<&'b [u8], Errno> {
    // SAFETY: `path` is NUL-terminated; the kernel writes at most `room` bytes of a link, which
    // hold no NUL, to `at`.
    unsafe { out.fill(|at, room| read_link_raw(path, at, room)) }
}

/// `readlinkat(2)`: how many bytes at `out` were set.
///
/// # Safety
/// `out` must be valid for writes of `room` bytes.
pub unsafe fn read_link_raw(path: &CStr, out: *mut u8, room: usize) -> Result<usize, Errno> {
    let args = [int(AT_FDCWD), path.as_ptr() as usize, out as usize, room, 0, 0];
    // SAFETY: `path` is NUL-terminated; the rest is the caller's promise.
    unsafe { call(libc::SYS_readlinkat, args) }
}

/// `getcwd(2)` into `out`.
pub fn current_dir(out: &mut AnyPath) -> Result<&[u8], Errno> {
    // SAFETY: the kernel writes at most `room` bytes of a path and its NUL to `at`, and counts
    // the NUL.
    unsafe {
        out.fill(|at, room| {
            let args = [at as usize, room, 0, 0, 0, 0];
            call(libc::SYS_getcwd, args).map(|len| len.saturating_sub(1))
        })
    }
}

/// `symlinkat(2)`: a link at `path` that says `text`.
pub fn make_link(text: &CStr, path: &CStr) -> Result<(), Errno> {
    let args = [text.as_ptr() as usize, int(AT_FDCWD), path.as_ptr() as usize, 0, 0, 0];
    // SAFETY: both are NUL-terminated.
    unsafe { call(libc::SYS_symlinkat, args) }.map(drop)
}

/// `renameat2(2)` with `RENAME_EXCHANGE`: each gets what the other named.
pub fn exchange(one: &CStr, other: &CStr) -> Result<(), Errno> {
    let (one, other) = (one.as_ptr() as usize, other.as_ptr() as usize);
    let args = [int(AT_FDCWD), one, int(AT_FDCWD), other, libc::RENAME_EXCHANGE as usize, 0];
    // SAFETY: both are NUL-terminated.
    unsafe { call(libc::SYS_renameat2, args) }.map(drop)
}

/// `unlinkat(2)`.
pub fn remove(path: &CStr) -> Result<(), Errno> {
    let args = [int(AT_FDCWD), path.as_ptr() as usize, 0, 0, 0, 0];
    // SAFETY: `path` is NUL-terminated.
    unsafe { call(libc::SYS_unlinkat, args) }.map(drop)
}

/// `mkdirat(2)`.
pub fn make_dir(path: &CStr, mode: u32) -> Result<(), Errno> {
    let args = [int(AT_FDCWD), path.as_ptr() as usize, mode as usize, 0, 0, 0];
    // SAFETY: `path` is NUL-terminated.
    unsafe { call(libc::SYS_mkdirat, args) }.map(drop)
}

/// A private, zeroed, lazily backed mapping of `len` bytes.
pub fn map_memory(len: usize) -> Result<*mut u8, Errno> {
    let flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
    let args = [0, len, int(PROT_READ | PROT_WRITE), int(flags), usize::MAX, 0];
    // SAFETY: a fresh mapping at an address of the kernel's choice changes nothing of ours.
    match unsafe { call(libc::SYS_mmap, args) } {
        Ok(address) if address != MAP_FAILED as usize => Ok(address as *mut u8),
        Ok(_) => Err(Errno(libc::ENOMEM)),
        Err(errno) => Err(errno),
    }
}

/// `mprotect(2)`.
///
/// # Safety
/// The pages must be ours, and nothing may use them against `protection` afterwards.
pub unsafe fn protect(address: *mut u8, len: usize, protection: c_int) -> Result<(), Errno> {
    // SAFETY: the caller's promise.
    unsafe { call(libc::SYS_mprotect, [address as usize, len, int(protection), 0, 0, 0]) }.map(drop)
}

/// `munmap(2)`.
///
/// # Safety
/// The pages must be ours, and nothing may use them afterwards.
pub unsafe fn unmap(address: *mut u8, len: usize) {
    // SAFETY: the caller's promise.
    let _ = unsafe { call(libc::SYS_munmap, [address as usize, len, 0, 0, 0, 0]) };
}

/// Fills `out` from `getrandom(2)` without blocking; early at boot it may stay as it was.
pub fn random(out: &mut [u8]) {
    const GRND_NONBLOCK: usize = 1;
    let args = [out.as_mut_ptr() as usize, out.len(), GRND_NONBLOCK, 0, 0, 0];
    // SAFETY: `out` is valid for writes of its length.
    let _ = unsafe { call(libc::SYS_getrandom, args) };
}

/// `pidfd_open(2)` without flags.
pub fn process_fd(pid: c_int) -> Result<c_int, Errno> {
    // SAFETY: touches no memory.
    unsafe { call(libc::SYS_pidfd_open, [int(pid), 0, 0, 0, 0, 0]) }.map(|fd| fd as c_int)
}

/// `exit_group(2)`: no `atexit` handlers, no flushing, which a `vfork` child must not do.
pub fn exit(status: c_int) -> ! {
    loop {
        // SAFETY: does not return.
        let _ = unsafe { call(libc::SYS_exit_group, [int(status), 0, 0, 0, 0, 0]) };
    }
}

/// `execve(2)`; returns only if it failed. The kernel checks the pointers itself.
pub fn execute(path: *const c_char, argv: Strings, env: Strings) -> Errno {
    let args = [path as usize, argv as usize, env as usize, 0, 0, 0];
    // SAFETY: on success nothing of this process is left to be harmed.
    let result = unsafe { call(libc::SYS_execve, args) };
    result.err().unwrap_or(Errno(0))
}

/// `execveat(2)`; returns only if it failed, or for `AT_EXECVE_CHECK`.
pub fn execute_at(
    dir: c_int,
    path: *const c_char,
    argv: Strings,
    env: Strings,
    flags: c_int,
) -> Errno {
    let args = [int(dir), path as usize, argv as usize, env as usize, int(flags), 0];
    // SAFETY: as for `execute`.
    let result = unsafe { call(libc::SYS_execveat, args) };
    result.err().unwrap_or(Errno(0))
}
