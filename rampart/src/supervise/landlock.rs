//! Landlock (landlock(7)): a domain in which files can be used only where that was granted. It cannot be
//! left, and what is started inside is inside, too.
#![allow(unsafe_code, reason = "neither std nor rustix has Landlock's system calls")]

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

/// `LANDLOCK_CREATE_RULESET_VERSION` (`linux/landlock.h`).
const VERSION: libc::c_uint = 1;
/// `LANDLOCK_RULE_PATH_BENEATH`.
const PATH_BENEATH: libc::c_uint = 1;

/// Since which version there are renames between directories, without which nobody can work.
pub const RENAMES: u32 = 2;

/// Rights (`LANDLOCK_ACCESS_FS_*`): to a file itself.
const EXECUTE: u64 = 1;
const WRITE_FILE: u64 = 1 << 1;
const READ_FILE: u64 = 1 << 2;
/// To make and remove what is in a directory, of each kind that there is (`REMOVE_DIR` to `MAKE_SYM`).
const ENTRIES: u64 = 0x1ff0;
/// To rename and link from and to another directory: version 2.
const REFER: u64 = 1 << 13;
/// To a file, version 3.
const TRUNCATE: u64 = 1 << 14;
/// To a device, version 5.
const IOCTL_DEV: u64 = 1 << 15;

/// Which version of Landlock the kernel has.
///
/// # Errors
/// `ENOSYS` if it has none, `EOPNOTSUPP` if it was switched off at boot.
pub fn abi() -> io::Result<u32> {
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

/// What a kernel of version `abi` cannot keep from files that are out of reach, in words; empty if nothing.
pub const fn lacks(abi: u32) -> &'static str {
    match abi {
        0..3 => "truncate(2) and ioctl(2) on devices",
        3..5 => "ioctl(2) on devices",
        _ => "",
    }
}

/// What is granted, before it holds.
pub struct Ruleset {
    descriptor: OwnedFd,
    abi: u32,
}

/// `struct landlock_ruleset_attr`, as long as version 1 has it.
#[repr(C)]
struct Handled {
    files: u64,
}

/// `struct landlock_path_beneath_attr`.
#[repr(C, packed)]
struct Beneath {
    rights: u64,
    parent: libc::c_int,
}

/// The rights to a file itself.
const fn of_files(abi: u32) -> u64 {
    let newer = if abi >= 3 { TRUNCATE } else { 0 } | if abi >= 5 { IOCTL_DEV } else { 0 };
    EXECUTE | WRITE_FILE | READ_FILE | newer
}

/// All rights but one: to list a directory. That would have to be granted to `/`, and so to everything.
const fn all(abi: u32) -> u64 {
    of_files(abi) | ENTRIES | REFER
}

impl Ruleset {
    /// One that grants nothing yet, for a kernel of version `abi`, at least [`RENAMES`].
    ///
    /// # Errors
    /// What landlock_create_ruleset(2) says.
    pub fn new(abi: u32) -> io::Result<Self> {
        let handled = Handled { files: all(abi) };
        // SAFETY: the kernel reads the structure, whose size it is told.
        let made = unsafe {
            libc::syscall(
                libc::SYS_landlock_create_ruleset,
                &raw const handled,
                size_of::<Handled>(),
                0,
            )
        };
        let number = libc::c_int::try_from(made).ok().filter(|number| *number >= 0);
        let number = number.ok_or_else(io::Error::last_os_error)?;
        // SAFETY: the call succeeded, so this is a new descriptor that is nobody else's.
        let descriptor = unsafe { OwnedFd::from_raw_fd(number) };
        Ok(Self { descriptor, abi })
    }

    /// Grants everything to `file`, and if it is a directory, to all that is below it.
    ///
    /// # Errors
    /// What landlock_add_rule(2) says.
    pub fn grant(&self, file: BorrowedFd<'_>, is_directory: bool) -> io::Result<()> {
        let rights = if is_directory { all(self.abi) } else { of_files(self.abi) };
        let beneath = Beneath { rights, parent: file.as_raw_fd() };
        // SAFETY: the kernel reads the structure, which is of the kind that it is told.
        let added = unsafe {
            libc::syscall(
                libc::SYS_landlock_add_rule,
                self.descriptor.as_raw_fd(),
                PATH_BENEATH,
                &raw const beneath,
                0,
            )
        };
        if added == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }

    /// Puts this thread, and what it starts, into a domain with what was granted. It needs `no_new_privs` or
    /// `CAP_SYS_ADMIN`, as a filter does.
    ///
    /// # Errors
    /// What landlock_restrict_self(2) says.
    pub fn enter(self) -> io::Result<()> {
        // SAFETY: the kernel is given two numbers.
        let done = unsafe {
            libc::syscall(libc::SYS_landlock_restrict_self, self.descriptor.as_raw_fd(), 0)
        };
        if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }
}
