//! The exported functions. Each is a load of one pointer and a jump to what stands there: libc's own
//! function, unless this process has rules for what it does itself. The first call finds out which.
//!
//! The pointers are write-once, so that a `vfork` child or a signal handler that writes one writes
//! what its parent would.

use core::arch::naked_asm;
use core::ffi::{CStr, c_int};
use core::sync::atomic::{AtomicUsize, Ordering};

use super::{Activation, activate, changes, confined, files, lookups, network};
use crate::act::set_errno;
use crate::next::{Next, find_in};
use crate::observe::process;
use crate::start;
use crate::symbols::Table;
use crate::sys::Errno;

/// Defines the entries: each exported under its own name, with what judges it.
macro_rules! entries {
    ($($name:ident => $judged:path,)*) => {
        /// The functions, by their names.
        #[allow(non_camel_case_types, reason = "the names are libc's")]
        #[derive(Clone, Copy)]
        #[repr(usize)]
        pub enum Entry {
            $(#[doc = stringify!($name)] $name,)*
        }

        /// How many there are.
        pub const COUNT: usize = [$(Entry::$name),*].len();

        /// Their names, each with its NUL. One text: an array of strings would have to be relocated
        /// in every process.
        static NAMES: &str = concat!($(stringify!($name), "\0"),*);

        $(
            /// The function of that name.
            ///
            /// # Safety
            /// As the function of that name.
            #[cfg(target_arch = "x86_64")]
            #[unsafe(no_mangle)]
            #[unsafe(naked)]
            pub unsafe extern "C" fn $name() -> c_int {
                naked_asm!(
                    ".cfi_startproc",
                    "mov r11, qword ptr [rip + {targets} + {offset}]",
                    "test r11, r11",
                    "jz 2f",
                    "jmp r11",
                    "2: mov r11d, {number}",
                    "lea r10, [rip + {judged}]",
                    "jmp {first}",
                    ".cfi_endproc",
                    targets = sym TARGETS,
                    offset = const Entry::$name as usize * size_of::<usize>(),
                    number = const Entry::$name as usize,
                    judged = sym $judged,
                    first = sym first,
                )
            }

            /// The function of that name.
            ///
            /// # Safety
            /// As the function of that name.
            #[cfg(target_arch = "aarch64")]
            #[unsafe(no_mangle)]
            #[unsafe(naked)]
            pub unsafe extern "C" fn $name() -> c_int {
                naked_asm!(
                    ".cfi_startproc",
                    "adrp x16, {targets}",
                    "add x16, x16, :lo12:{targets}",
                    "ldr x16, [x16, #{offset}]",
                    "cbz x16, 2f",
                    "br x16",
                    "2: mov x16, #{number}",
                    "adrp x17, {judged}",
                    "add x17, x17, :lo12:{judged}",
                    "b {first}",
                    ".cfi_endproc",
                    targets = sym TARGETS,
                    offset = const Entry::$name as usize * size_of::<usize>(),
                    number = const Entry::$name as usize,
                    judged = sym $judged,
                    first = sym first,
                )
            }
        )*
    };
}

entries! {
    open => files::open,
    open64 => files::open64,
    __open => files::__open,
    __open64 => files::__open64,
    __open_2 => files::__open_2,
    __open64_2 => files::__open64_2,
    openat => files::openat,
    openat64 => files::openat64,
    __openat_2 => files::__openat_2,
    __openat64_2 => files::__openat64_2,
    creat => changes::creat,
    creat64 => changes::creat64,
    fopen => changes::fopen,
    fopen64 => changes::fopen64,
    freopen => changes::freopen,
    freopen64 => changes::freopen64,
    opendir => changes::opendir,
    scandir => changes::scandir,
    scandir64 => changes::scandir64,
    scandirat => changes::scandirat,
    scandirat64 => changes::scandirat64,
    mkdir => changes::mkdir,
    mkdirat => changes::mkdirat,
    mkfifo => changes::mkfifo,
    mkfifoat => changes::mkfifoat,
    mknod => changes::mknod,
    mknodat => changes::mknodat,
    mkstemp => changes::mkstemp,
    mkstemp64 => changes::mkstemp64,
    mkostemp => changes::mkostemp,
    mkostemp64 => changes::mkostemp64,
    mkstemps => changes::mkstemps,
    mkstemps64 => changes::mkstemps64,
    mkostemps => changes::mkostemps,
    mkostemps64 => changes::mkostemps64,
    mkdtemp => changes::mkdtemp,
    unlink => changes::unlink,
    unlinkat => changes::unlinkat,
    remove => changes::remove,
    rmdir => changes::rmdir,
    rename => changes::rename,
    renameat => changes::renameat,
    renameat2 => changes::renameat2,
    truncate => changes::truncate,
    truncate64 => changes::truncate64,
    chmod => changes::chmod,
    fchmod => changes::fchmod,
    fchmodat => changes::fchmodat,
    lchmod => changes::lchmod,
    chown => changes::chown,
    lchown => changes::lchown,
    fchown => changes::fchown,
    fchownat => changes::fchownat,
    link => changes::link,
    linkat => changes::linkat,
    symlink => changes::symlink,
    symlinkat => changes::symlinkat,
    setxattr => changes::setxattr,
    lsetxattr => changes::lsetxattr,
    fsetxattr => changes::fsetxattr,
    removexattr => changes::removexattr,
    lremovexattr => changes::lremovexattr,
    fremovexattr => changes::fremovexattr,
    mount => changes::mount,
    umount => changes::umount,
    umount2 => changes::umount2,
    open_tree => changes::open_tree,
    move_mount => changes::move_mount,
    mount_setattr => changes::mount_setattr,
    connect => network::connect,
    sendto => network::sendto,
    sendmsg => network::sendmsg,
    sendmmsg => network::sendmmsg,
    bind => network::bind,
    listen => network::listen,
    getaddrinfo => lookups::getaddrinfo,
    gethostbyname => lookups::gethostbyname,
    gethostbyname2 => lookups::gethostbyname2,
    gethostbyname_r => lookups::gethostbyname_r,
    gethostbyname2_r => lookups::gethostbyname2_r,
    prctl => confined::prctl,
}

/// Where each entry jumps; 0 before its first use.
static TARGETS: [AtomicUsize; COUNT] = [const { AtomicUsize::new(0) }; COUNT];

/// The way of an entry that has no target yet: keeps what the caller passed, finds the target, and
/// jumps there.
///
/// # Safety
/// Jumped to by an entry only, in its caller's place.
#[cfg(target_arch = "x86_64")]
#[unsafe(naked)]
unsafe extern "C" fn first() {
    // r11 = number, r10 = what judges. rax holds the number of vector registers of a variadic call.
    naked_asm!(
        ".cfi_startproc",
        "push rax",
        ".cfi_adjust_cfa_offset 8",
        "push rdi",
        ".cfi_adjust_cfa_offset 8",
        "push rsi",
        ".cfi_adjust_cfa_offset 8",
        "push rdx",
        ".cfi_adjust_cfa_offset 8",
        "push rcx",
        ".cfi_adjust_cfa_offset 8",
        "push r8",
        ".cfi_adjust_cfa_offset 8",
        "push r9",
        ".cfi_adjust_cfa_offset 8",
        "mov rdi, r11",
        "mov rsi, r10",
        "call {settle}",
        "mov r11, rax",
        "pop r9",
        ".cfi_adjust_cfa_offset -8",
        "pop r8",
        ".cfi_adjust_cfa_offset -8",
        "pop rcx",
        ".cfi_adjust_cfa_offset -8",
        "pop rdx",
        ".cfi_adjust_cfa_offset -8",
        "pop rsi",
        ".cfi_adjust_cfa_offset -8",
        "pop rdi",
        ".cfi_adjust_cfa_offset -8",
        "pop rax",
        ".cfi_adjust_cfa_offset -8",
        "jmp r11",
        ".cfi_endproc",
        settle = sym settle,
    )
}

/// The way of an entry that has no target yet: keeps what the caller passed, finds the target, and
/// jumps there.
///
/// # Safety
/// Jumped to by an entry only, in its caller's place.
#[cfg(target_arch = "aarch64")]
#[unsafe(naked)]
unsafe extern "C" fn first() {
    // x16 = number, x17 = what judges.
    naked_asm!(
        ".cfi_startproc",
        "stp x29, x30, [sp, #-96]!",
        ".cfi_adjust_cfa_offset 96",
        ".cfi_offset x29, -96",
        ".cfi_offset x30, -88",
        "mov x29, sp",
        "stp x0, x1, [sp, #16]",
        "stp x2, x3, [sp, #32]",
        "stp x4, x5, [sp, #48]",
        "stp x6, x7, [sp, #64]",
        "str x8, [sp, #80]",
        "mov x0, x16",
        "mov x1, x17",
        "bl {settle}",
        "mov x16, x0",
        "ldp x0, x1, [sp, #16]",
        "ldp x2, x3, [sp, #32]",
        "ldp x4, x5, [sp, #48]",
        "ldp x6, x7, [sp, #64]",
        "ldr x8, [sp, #80]",
        "ldp x29, x30, [sp], #96",
        ".cfi_adjust_cfa_offset -96",
        ".cfi_restore x29",
        ".cfi_restore x30",
        "br x16",
        ".cfi_endproc",
        settle = sym settle,
    )
}

/// Where the entry `number` jumps from now on, and this time.
extern "C" fn settle(number: usize, judged: usize) -> usize {
    let Some(snapshot) = start::state() else {
        // Before libc has an environment. Nothing is kept of this.
        let table = process::libc_object().and_then(Table::of);
        return table.map_or(0, |table| in_tables(&[table], number)).max_or(missing(number));
    };
    let libc = snapshot.next.operation(number).max_or(missing(number));
    let target = match activate(snapshot) {
        Activation::NoRules => libc,
        Activation::Judged(state) => {
            if let Some(slot) = state.libc.get(number) {
                slot.store(libc, Ordering::Release);
            }
            judged
        }
        Activation::NoMemory => return no_memory(number),
    };
    if let Some(slot) = TARGETS.get(number) {
        slot.store(target, Ordering::Release);
    }
    target
}

/// An address, or another where it is none.
trait Or {
    fn max_or(self, other: usize) -> usize;
}

impl Or for usize {
    fn max_or(self, other: usize) -> usize {
        if self == 0 { other } else { self }
    }
}

/// The names of all entries, in order.
pub fn names() -> impl Iterator<Item = &'static CStr> {
    NAMES
        .as_bytes()
        .split_inclusive(|byte| *byte == 0)
        .filter_map(|name| CStr::from_bytes_with_nul(name).ok())
}

/// The function in `tables` for the entry `number`, by its own name or by that of one which does the same: musl
/// has no fortified functions, and no second set for large files. 0 if there is none.
pub fn in_tables(tables: &[Table], number: usize) -> usize {
    let Some(name) = names().nth(number) else {
        return 0;
    };
    find_in(tables, name).or_else(|| find_in(tables, plain(number)?)).unwrap_or(0)
}

/// Whether another library may stand before libc where files are opened.
pub fn others_open(next: &Next) -> bool {
    use Entry as E;
    [E::open, E::open64, E::openat, E::openat64].iter().any(|it| next.is_anothers(*it as usize))
}

/// The function that does the same for files of any size where there is one set of them.
fn plain(number: usize) -> Option<&'static CStr> {
    use Entry as E;
    const OPEN: [E; 5] = [E::open64, E::__open, E::__open64, E::__open_2, E::__open64_2];
    const OPENAT: [E; 3] = [E::openat64, E::__openat_2, E::__openat64_2];
    let is = |entry: &E| *entry as usize == number;
    if OPEN.iter().any(is) {
        return Some(c"open");
    }
    if OPENAT.iter().any(is) {
        return Some(c"openat");
    }
    let others = [
        (E::creat64, c"creat"),
        (E::fopen64, c"fopen"),
        (E::freopen64, c"freopen"),
        (E::truncate64, c"truncate"),
        (E::mkstemp64, c"mkstemp"),
        (E::mkostemp64, c"mkostemp"),
        (E::mkstemps64, c"mkstemps"),
        (E::mkostemps64, c"mkostemps"),
        (E::scandir64, c"scandir"),
    ];
    others.iter().find(|(entry, _)| is(entry)).map(|(_, name)| *name)
}

/// Whether the entry `number` answers with a pointer.
fn gives_pointer(number: usize) -> bool {
    use Entry as E;
    let streams = [E::fopen, E::fopen64, E::freopen, E::freopen64, E::opendir];
    let others = [E::mkdtemp, E::gethostbyname, E::gethostbyname2];
    let mut pointers = streams.iter().chain(&others);
    pointers.any(|entry| *entry as usize == number)
}

/// What stands in for a function that this libc does not have.
fn missing(number: usize) -> usize {
    if gives_pointer(number) {
        nothing as *const () as usize
    } else {
        unknown as *const () as usize
    }
}

extern "C" fn unknown() -> isize {
    set_errno(Errno(libc::ENOSYS));
    -1
}

extern "C" fn nothing() -> usize {
    set_errno(Errno(libc::ENOMEM));
    0
}

extern "C" fn failed() -> isize {
    set_errno(Errno(libc::ENOMEM));
    -1
}

/// What answers where there is no memory to judge in.
fn no_memory(number: usize) -> usize {
    if gives_pointer(number) { nothing as *const () as usize } else { failed as *const () as usize }
}
