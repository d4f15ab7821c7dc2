//! What the process is, what time it is, and what limits it.

use core::ffi::c_int;

use libc::{CLOCK_MONOTONIC, CLOCK_MONOTONIC_COARSE, CLOCK_REALTIME};

use super::{Errno, call, call6, int};

/// `getpid(2)`, never cached: libc's answer may be a parent's.
pub fn process_id() -> u32 {
    identity(libc::SYS_getpid)
}

/// `getppid(2)`.
pub fn parent_id() -> u32 {
    identity(libc::SYS_getppid)
}

/// `getuid(2)`.
pub fn real_user() -> u32 {
    identity(libc::SYS_getuid)
}

/// `getgid(2)`.
pub fn real_group() -> u32 {
    identity(libc::SYS_getgid)
}

/// `geteuid(2)`.
pub fn effective_user() -> u32 {
    identity(libc::SYS_geteuid)
}

/// `PR_GET_NO_NEW_PRIVS` of `prctl(2)`.
pub fn has_no_new_privileges() -> bool {
    let args = [int(libc::PR_GET_NO_NEW_PRIVS), 0, 0, 0, 0, 0];
    // SAFETY: touches no memory.
    matches!(unsafe { call(libc::SYS_prctl, args) }, Ok(1))
}

fn identity(number: i64) -> u32 {
    // SAFETY: these calls take no arguments and cannot fail.
    unsafe { call6(number, [0; 6]) as u32 }
}

/// The machine's name (`uname(2)`); `None` if it does not fit.
pub fn node_name(out: &mut [u8]) -> Option<&[u8]> {
    /// Length of each of the six names, its NUL included (`__NEW_UTS_LEN`).
    const NAME: usize = 65;
    let mut names = [0_u8; 6 * NAME];
    // SAFETY: `names` has the size of `struct new_utsname`.
    unsafe { call(libc::SYS_uname, [names.as_mut_ptr() as usize, 0, 0, 0, 0, 0]) }.ok()?;
    let name = names.get(NAME..2 * NAME)?.split(|byte| *byte == 0).next()?;
    let out = out.get_mut(..name.len())?;
    out.iter_mut().zip(name).for_each(|(to, from)| *to = *from);
    Some(out)
}

/// Microseconds since the Unix epoch.
pub fn wall_time() -> u64 {
    let (seconds, nanos) = clock(CLOCK_REALTIME);
    seconds.saturating_mul(1_000_000).saturating_add(nanos / 1000)
}

/// Microseconds of a clock that is never set.
pub fn monotonic_time() -> u64 {
    let (seconds, nanos) = clock(CLOCK_MONOTONIC);
    seconds.saturating_mul(1_000_000).saturating_add(nanos / 1000)
}

/// Milliseconds of a clock that never goes back; a few milliseconds coarse.
pub fn coarse_time() -> u64 {
    let (seconds, nanos) = clock(CLOCK_MONOTONIC_COARSE);
    seconds.saturating_mul(1000).saturating_add(nanos / 1_000_000)
}

/// By the system call: the first reading by the vDSO in a process costs 20,000 cycles, since the
/// kernel has its page to map then, and a system call 3,000.
fn clock(which: c_int) -> (u64, u64) {
    let mut out = [0_i64; 2];
    let args = [int(which), out.as_mut_ptr() as usize, 0, 0, 0, 0];
    // SAFETY: `out` has the layout of the 64-bit `struct timespec`.
    let _ = unsafe { call(libc::SYS_clock_gettime, args) };
    let [seconds, nanos] = out;
    (seconds.unsigned_abs(), nanos.unsigned_abs())
}

/// The soft limit of the main stack in bytes (`getrlimit(2)`); 0 if it cannot be known.
pub fn stack_limit() -> u64 {
    limit(libc::RLIMIT_STACK as usize).unwrap_or(0)
}

/// The soft limit of one resource; `u64::MAX` is none.
fn limit(resource: usize) -> Option<u64> {
    let mut limits = [0_u64; 2];
    let args = [0, resource, 0, limits.as_mut_ptr() as usize, 0, 0];
    // SAFETY: `limits` has the layout of the 64-bit `struct rlimit`.
    let done = unsafe { call(libc::SYS_prlimit64, args) };
    done.ok().map(|_| limits[0])
}

/// A signal set as the kernel takes it, 64 signals.
pub const SIGNAL_SET: usize = size_of::<u64>();

/// Runs `write` so that a limit on the size of files (`RLIMIT_FSIZE`, `setrlimit(2)`) makes it fail
/// with `EFBIG` and nothing else: the signal `SIGXFSZ` that comes with it would end the host
/// program. The signal goes to the thread that writes, so it is held back and taken away there.
pub fn within_file_size_limit(
    write: &mut dyn FnMut() -> Result<usize, Errno>,
) -> Result<usize, Errno> {
    if limit(libc::RLIMIT_FSIZE as usize).is_none_or(|bytes| bytes == u64::MAX) {
        return write();
    }
    let held = 1_u64 << (libc::SIGXFSZ - 1);
    let mut before = 0_u64;
    change_mask(libc::SIG_BLOCK, &held, &mut before);
    let result = write();
    if result == Err(Errno(libc::EFBIG)) {
        let at_once = [0_i64; 2];
        let args = [(&raw const held) as usize, 0, at_once.as_ptr() as usize, SIGNAL_SET, 0, 0];
        // SAFETY: `held` and `at_once` have the layouts of the kernel's signal set and timespec.
        let _ = unsafe { call(libc::SYS_rt_sigtimedwait, args) };
    }
    change_mask(libc::SIG_SETMASK, &before, &mut 0);
    result
}

/// `rt_sigprocmask(2)`.
pub fn change_mask(how: c_int, set: &u64, before: &mut u64) {
    let args = [
        int(how),
        core::ptr::from_ref(set) as usize,
        core::ptr::from_mut(before) as usize,
        SIGNAL_SET,
        0,
        0,
    ];
    // SAFETY: both have the layout of the kernel's signal set.
    let _ = unsafe { call(libc::SYS_rt_sigprocmask, args) };
}
