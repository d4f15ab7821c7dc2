//! What Landlock this kernel has (landlock(7)).
#![allow(unsafe_code, reason = "neither std nor rustix has Landlock's system calls")]

use std::io;

/// Which version of Landlock the kernel has.
///
/// # Errors
/// `ENOSYS` if it has none, `EOPNOTSUPP` if it was switched off at boot.
pub fn abi() -> io::Result<u32> {
    /// `LANDLOCK_CREATE_RULESET_VERSION` (`linux/landlock.h`).
    const VERSION: libc::c_uint = 1;
    // SAFETY: with this flag the kernel wants no structure, and only answers with a number.
    let found = unsafe {
        libc::syscall(
            libc::SYS_landlock_create_ruleset,
            std::ptr::null::<libc::c_void>(),
            0_usize,
            VERSION,
        )
    };
    u32::try_from(found).map_err(|_| io::Error::last_os_error())
}
