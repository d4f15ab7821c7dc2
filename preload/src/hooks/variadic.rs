//! The variadic functions. Stable Rust cannot define any, so they are naked: each lays its
//! register arguments down below those that its caller put on the stack, which makes one
//! NULL-terminated array of them in place, and calls an ordinary function with its address.

use core::arch::naked_asm;
use core::ffi::{c_char, c_int, c_long};

use libc::{AT_FDCWD, SYS_execve, SYS_execveat, SYS_openat, SYS_openat2, SYS_seccomp};

use crate::act::exec;
use crate::hooks::{syscall_execve, syscall_execveat, syscall_result};
use crate::observe::process::environment;
use crate::operations::{syscall_openat, syscall_openat2, syscall_seccomp};
use crate::strings::Vector;
use crate::sys::Strings;

/// What `execl` comes to.
///
/// # Safety
/// As `execl(3)`, with the arguments as an array.
unsafe extern "C" fn execl_list(path: *const c_char, argv: Strings) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { exec::at("execl", AT_FDCWD, path, argv, environment(), 0) }
}

/// What `execlp` comes to.
///
/// # Safety
/// As `execlp(3)`, with the arguments as an array.
unsafe extern "C" fn execlp_list(file: *const c_char, argv: Strings) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { exec::search("execlp", file, argv, environment()) }
}

/// What `execle` comes to.
///
/// # Safety
/// As `execle(3)`, with the arguments as an array.
unsafe extern "C" fn execle_list(path: *const c_char, argv: Strings) -> c_int {
    // SAFETY: the caller's promise; the environment stands behind the NULL that ends the list.
    unsafe {
        let count = Vector::new(argv).count();
        let env = (*argv.add(count.saturating_add(1))).cast();
        exec::at("execle", AT_FDCWD, path, argv, env, 0)
    }
}

/// Defines the variadic function `$name(path, …)` by `$list(path, array)`.
macro_rules! listed {
    ($(#[$meta:meta])* $name:ident, $list:ident) => {
        $(#[$meta])*
        ///
        /// # Safety
        /// As the function of that name.
        #[cfg(target_arch = "x86_64")]
        #[unsafe(no_mangle)]
        #[unsafe(naked)]
        pub unsafe extern "C" fn $name() -> c_int {
            // rdi = path. The return address makes room for the five register arguments and goes
            // back on top; `ret`, not `jmp`, keeps a CET shadow stack in step.
            naked_asm!(
                ".cfi_startproc",
                "pop r11",
                ".cfi_adjust_cfa_offset -8",
                ".cfi_register rip, r11",
                "push r9",
                ".cfi_adjust_cfa_offset 8",
                "push r8",
                ".cfi_adjust_cfa_offset 8",
                "push rcx",
                ".cfi_adjust_cfa_offset 8",
                "push rdx",
                ".cfi_adjust_cfa_offset 8",
                "push rsi",
                ".cfi_adjust_cfa_offset 8",
                "mov rsi, rsp",
                "push r11",
                ".cfi_adjust_cfa_offset 8",
                ".cfi_offset rip, -48",
                "call {list}",
                "pop r11",
                ".cfi_adjust_cfa_offset -8",
                ".cfi_register rip, r11",
                "add rsp, 40",
                ".cfi_adjust_cfa_offset -40",
                "push r11",
                ".cfi_adjust_cfa_offset 8",
                ".cfi_offset rip, -8",
                "ret",
                ".cfi_endproc",
                list = sym $list,
            )
        }

        $(#[$meta])*
        ///
        /// # Safety
        /// As the function of that name.
        #[cfg(target_arch = "aarch64")]
        #[unsafe(no_mangle)]
        #[unsafe(naked)]
        pub unsafe extern "C" fn $name() -> c_int {
            // x0 = path. x1..x7 end where the caller's stack arguments begin (AAPCS64).
            naked_asm!(
                ".cfi_startproc",
                "sub sp, sp, #80",
                ".cfi_adjust_cfa_offset 80",
                "stp x29, x30, [sp]",
                ".cfi_offset x29, -80",
                ".cfi_offset x30, -72",
                "mov x29, sp",
                "str x1, [sp, #24]",
                "stp x2, x3, [sp, #32]",
                "stp x4, x5, [sp, #48]",
                "stp x6, x7, [sp, #64]",
                "add x1, sp, #24",
                "bl {list}",
                "ldp x29, x30, [sp]",
                "add sp, sp, #80",
                ".cfi_adjust_cfa_offset -80",
                ".cfi_restore x29",
                ".cfi_restore x30",
                "ret",
                ".cfi_endproc",
                list = sym $list,
            )
        }
    };
}

listed!(
    /// `execl(3)`.
    execl, execl_list
);
listed!(
    /// `execlp(3)`.
    execlp, execlp_list
);
listed!(
    /// `execle(3)`.
    execle, execle_list
);

/// `syscall(2)`: the exec calls, two opens and seccomp go the way of the other hooks, everything
/// else straight to the kernel.
///
/// # Safety
/// As the function of that name.
#[cfg(target_arch = "x86_64")]
#[unsafe(no_mangle)]
#[unsafe(naked)]
pub unsafe extern "C" fn syscall() -> c_long {
    naked_asm!(
        ".cfi_startproc",
        "mov rax, rdi",
        "mov rdi, rsi",
        "mov rsi, rdx",
        "mov rdx, rcx",
        "cmp eax, {execve}",
        "je {execve_hook}",
        "mov rcx, r8",
        "cmp eax, {execveat}",
        "je 2f",
        "cmp eax, {openat}",
        "je {openat_hook}",
        "cmp eax, {openat2}",
        "je {openat2_hook}",
        "cmp eax, {seccomp}",
        "je {seccomp_hook}",
        "mov r10, r8",
        "mov r8, r9",
        "mov r9, qword ptr [rsp + 8]",
        "syscall",
        "cmp rax, -4095",
        "jae 3f",
        "ret",
        "2: mov r8, r9",
        "jmp {execveat_hook}",
        "3: mov rdi, rax",
        "jmp {result}",
        ".cfi_endproc",
        execve = const SYS_execve,
        execveat = const SYS_execveat,
        execve_hook = sym syscall_execve,
        execveat_hook = sym syscall_execveat,
        openat = const SYS_openat,
        openat2 = const SYS_openat2,
        openat_hook = sym syscall_openat,
        seccomp = const SYS_seccomp,
        seccomp_hook = sym syscall_seccomp,
        openat2_hook = sym syscall_openat2,
        result = sym syscall_result,
    )
}

/// `syscall(2)`: the exec calls, two opens and seccomp go the way of the other hooks, everything
/// else straight to the kernel.
///
/// # Safety
/// As the function of that name.
#[cfg(target_arch = "aarch64")]
#[unsafe(no_mangle)]
#[unsafe(naked)]
pub unsafe extern "C" fn syscall() -> c_long {
    naked_asm!(
        ".cfi_startproc",
        "mov w8, w0",
        "mov x0, x1",
        "mov x1, x2",
        "mov x2, x3",
        "mov x3, x4",
        "mov x4, x5",
        "mov x5, x6",
        "cmp w8, #{execve}",
        "b.eq {execve_hook}",
        "cmp w8, #{execveat}",
        "b.eq {execveat_hook}",
        "cmp w8, #{openat}",
        "b.eq {openat_hook}",
        "cmp w8, #{openat2}",
        "b.eq {openat2_hook}",
        "cmp w8, #{seccomp}",
        "b.eq {seccomp_hook}",
        "svc #0",
        "cmn x0, #4095",
        "b.cs {result}",
        "ret",
        ".cfi_endproc",
        execve = const SYS_execve,
        execveat = const SYS_execveat,
        execve_hook = sym syscall_execve,
        execveat_hook = sym syscall_execveat,
        openat = const SYS_openat,
        openat2 = const SYS_openat2,
        openat_hook = sym syscall_openat,
        seccomp = const SYS_seccomp,
        seccomp_hook = sym syscall_seccomp,
        openat2_hook = sym syscall_openat2,
        result = sym syscall_result,
    )
}
