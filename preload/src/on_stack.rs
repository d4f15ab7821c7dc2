//! Running the evaluator on a stack of its own. A recursive parser does not fit on a 16 KiB
//! thread or an 8 KiB signal stack, so a hook runs it on a private mapping. The constructor has
//! the stack of `main` and takes the memory from it, without the probes that would touch every page
//! of a large frame. The frames keep their unwind information, so that debuggers,
//! profilers and cancellation see through them.

use core::arch::naked_asm;
use core::ffi::c_void;

/// Calls `run(argument, top)` with the stack pointer at `top`, then returns to the old stack.
///
/// # Safety
/// `top` is the 16-byte aligned end of writable memory with room for everything that `run` does,
/// signal handlers included. `run` does not unwind.
#[cfg(target_arch = "x86_64")]
#[unsafe(naked)]
pub unsafe extern "C" fn on_stack(
    argument: *mut c_void,
    run: extern "C" fn(*mut c_void, *mut u8),
    top: *mut u8,
) {
    naked_asm!(
        ".cfi_startproc",
        "push rbp",
        ".cfi_adjust_cfa_offset 8",
        ".cfi_offset rbp, -16",
        "mov rbp, rsp",
        ".cfi_def_cfa_register rbp",
        "mov rsp, rdx",
        "mov rax, rsi",
        "mov rsi, rdx",
        "call rax",
        "mov rsp, rbp",
        "pop rbp",
        ".cfi_def_cfa rsp, 8",
        "ret",
        ".cfi_endproc",
    )
}

/// Calls `run(argument, top)` with the stack pointer at `top`, then returns to the old stack.
///
/// # Safety
/// As on x86-64.
#[cfg(target_arch = "aarch64")]
#[unsafe(naked)]
pub unsafe extern "C" fn on_stack(
    argument: *mut c_void,
    run: extern "C" fn(*mut c_void, *mut u8),
    top: *mut u8,
) {
    naked_asm!(
        ".cfi_startproc",
        "stp x29, x30, [sp, #-16]!",
        ".cfi_adjust_cfa_offset 16",
        ".cfi_offset x29, -16",
        ".cfi_offset x30, -8",
        "mov x29, sp",
        ".cfi_def_cfa_register x29",
        "mov sp, x2",
        "mov x9, x1",
        "mov x1, x2",
        "blr x9",
        "mov sp, x29",
        ".cfi_def_cfa_register sp",
        "ldp x29, x30, [sp], #16",
        ".cfi_adjust_cfa_offset -16",
        "ret",
        ".cfi_endproc",
    )
}

/// Calls `run(argument, room)`, where `room` is the 16-byte aligned start of `len` bytes of the
/// caller's own stack. They are not cleared, and gone when this returns.
///
/// # Safety
/// The stack has `len` bytes below it and enough for everything that `run` does, signal handlers
/// included. `run` does not unwind.
#[cfg(target_arch = "x86_64")]
#[unsafe(naked)]
pub unsafe extern "C" fn with_room(
    argument: *mut c_void,
    run: extern "C" fn(*mut c_void, *mut u8),
    len: usize,
) {
    naked_asm!(
        ".cfi_startproc",
        "push rbp",
        ".cfi_adjust_cfa_offset 8",
        ".cfi_offset rbp, -16",
        "mov rbp, rsp",
        ".cfi_def_cfa_register rbp",
        "sub rsp, rdx",
        "and rsp, -16",
        "mov rax, rsi",
        "mov rsi, rsp",
        "call rax",
        "mov rsp, rbp",
        "pop rbp",
        ".cfi_def_cfa rsp, 8",
        "ret",
        ".cfi_endproc",
    )
}

/// Calls `run(argument, room)`, where `room` is the 16-byte aligned start of `len` bytes of the
/// caller's own stack. They are not cleared, and gone when this returns.
///
/// # Safety
/// As on x86-64.
#[cfg(target_arch = "aarch64")]
#[unsafe(naked)]
pub unsafe extern "C" fn with_room(
    argument: *mut c_void,
    run: extern "C" fn(*mut c_void, *mut u8),
    len: usize,
) {
    naked_asm!(
        ".cfi_startproc",
        "stp x29, x30, [sp, #-16]!",
        ".cfi_adjust_cfa_offset 16",
        ".cfi_offset x29, -16",
        ".cfi_offset x30, -8",
        "mov x29, sp",
        ".cfi_def_cfa_register x29",
        "sub x9, sp, x2",
        "and x9, x9, #-16",
        "mov sp, x9",
        "mov x10, x1",
        "mov x1, x9",
        "blr x10",
        "mov sp, x29",
        ".cfi_def_cfa_register sp",
        "ldp x29, x30, [sp], #16",
        ".cfi_adjust_cfa_offset -16",
        "ret",
        ".cfi_endproc",
    )
}
