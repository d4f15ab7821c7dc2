//! libc's own functions behind our names, found once when the process starts. `dlsym` is imported
//! weakly (before glibc 2.34 it lives in libdl, which a program need not have loaded), so it is
//! named in assembly only: stable Rust has no weak imports.

use core::arch::naked_asm;
use core::ffi::{CStr, c_char, c_int, c_void};

use crate::sys::Strings;

/// `posix_spawn(3)`.
pub type Spawn = unsafe extern "C" fn(
    *mut c_int,
    *const c_char,
    *const c_void,
    *const c_void,
    Strings,
    Strings,
) -> c_int;
/// `system(3)`.
pub type System = unsafe extern "C" fn(*const c_char) -> c_int;
/// `popen(3)`.
pub type Popen = unsafe extern "C" fn(*const c_char, *const c_char) -> *mut c_void;
/// `wordexp(3)`.
pub type Wordexp = unsafe extern "C" fn(*const c_char, *mut c_void, c_int) -> c_int;
type Dlsym = unsafe extern "C" fn(*mut c_void, *const c_char) -> *mut c_void;

/// The functions that the hooks hand an allowed call on to. `exec*` need none: they are one
/// system call.
#[derive(Clone, Copy)]
pub struct Next {
    /// The default version: since glibc 2.15 without the `ENOEXEC` fallback.
    pub spawn: Option<Spawn>,
    /// `system`.
    pub system: Option<System>,
    /// `popen`.
    pub popen: Option<Popen>,
    /// `wordexp`.
    pub wordexp: Option<Wordexp>,
}

impl Next {
    /// Looks all of them up. To be called from the constructor only: the lookup takes the
    /// loader's lock.
    pub fn find() -> Self {
        // SAFETY: the types are those of the functions in libc (POSIX, and their man pages);
        // `Option` of a function pointer is NULL for `None`.
        unsafe {
            Self {
                spawn: core::mem::transmute::<*mut c_void, Option<Spawn>>(find(c"posix_spawn")),
                system: core::mem::transmute::<*mut c_void, Option<System>>(find(c"system")),
                popen: core::mem::transmute::<*mut c_void, Option<Popen>>(find(c"popen")),
                wordexp: core::mem::transmute::<*mut c_void, Option<Wordexp>>(find(c"wordexp")),
            }
        }
    }
}

fn find(name: &CStr) -> *mut c_void {
    let Some(dlsym) = weak_dlsym() else {
        return core::ptr::null_mut();
    };
    // SAFETY: RTLD_NEXT and a C string; `dlsym` finds the calling object by our return address.
    unsafe { dlsym(libc::RTLD_NEXT, name.as_ptr()) }
}

/// Whether the process runs on glibc, whose `execvp` differs from musl's.
pub fn is_glibc() -> bool {
    gnu_get_libc_version_address() != 0
}

fn weak_dlsym() -> Option<Dlsym> {
    // SAFETY: the address of `dlsym`, or 0, which is `None`.
    unsafe { core::mem::transmute::<usize, Option<Dlsym>>(dlsym_address()) }
}

macro_rules! weak_address {
    ($name:ident, $symbol:literal) => {
        #[cfg(target_arch = "x86_64")]
        #[unsafe(naked)]
        extern "C" fn $name() -> usize {
            naked_asm!(
                concat!(".weak ", $symbol),
                concat!("mov rax, qword ptr [rip + ", $symbol, "@GOTPCREL]"),
                "ret",
            )
        }

        #[cfg(target_arch = "aarch64")]
        #[unsafe(naked)]
        extern "C" fn $name() -> usize {
            naked_asm!(
                concat!(".weak ", $symbol),
                concat!("adrp x0, :got:", $symbol),
                concat!("ldr x0, [x0, :got_lo12:", $symbol, "]"),
                "ret",
            )
        }
    };
}

weak_address!(dlsym_address, "dlsym");
weak_address!(gnu_get_libc_version_address, "gnu_get_libc_version");
