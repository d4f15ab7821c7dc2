//! What runs in place of a denied program where the program that asked must get a child all the
//! same (`posix_spawn`, `system`, `popen`): this very file, executed. Its ELF entry point prints
//! `argv[1]` and a newline to descriptor 2 and exits 126. There is no loader (`PT_INTERP`) and no
//! relocation at that point, so it is assembly that touches the initial stack only.

use core::arch::global_asm;

/// Exit status of a denied command: what shells use for "found, but not executable".
pub const STATUS: core::ffi::c_int = 126;

#[cfg(target_arch = "x86_64")]
global_asm!(
    ".pushsection .text.rampart_stub,\"ax\",@progbits",
    ".globl rampart_stub",
    ".hidden rampart_stub",
    ".type rampart_stub,@function",
    "rampart_stub:",
    ".cfi_startproc",
    ".cfi_undefined rip",
    "cmp qword ptr [rsp], 2", // argc
    "jl 2f",
    "mov rsi, qword ptr [rsp + 16]", // argv[1]
    "xor edx, edx",
    "1: cmp byte ptr [rsi + rdx], 0",
    "je 3f",
    "inc rdx",
    "jmp 1b",
    // The newline takes the place of the NUL: one write, so that lines of two stubs stay whole.
    "3: mov byte ptr [rsi + rdx], 10",
    "inc rdx",
    "mov edi, 2",
    "mov eax, {write}",
    "syscall",
    "2: mov edi, {status}",
    "mov eax, {exit}",
    "syscall",
    "ud2",
    ".cfi_endproc",
    ".size rampart_stub, . - rampart_stub",
    ".popsection",
    write = const libc::SYS_write,
    exit = const libc::SYS_exit_group,
    status = const STATUS,
);

#[cfg(target_arch = "aarch64")]
global_asm!(
    ".pushsection .text.rampart_stub,\"ax\",@progbits",
    ".globl rampart_stub",
    ".hidden rampart_stub",
    ".type rampart_stub,@function",
    "rampart_stub:",
    ".cfi_startproc",
    ".cfi_undefined x30",
    "ldr x0, [sp]", // argc
    "cmp x0, #2",
    "b.lt 2f",
    "ldr x1, [sp, #16]", // argv[1]
    "mov x2, #0",
    "1: ldrb w3, [x1, x2]",
    "cbz w3, 3f",
    "add x2, x2, #1",
    "b 1b",
    // As above: one write.
    "3: mov w3, #10",
    "strb w3, [x1, x2]",
    "add x2, x2, #1",
    "mov x0, #2",
    "mov x8, #{write}",
    "svc #0",
    "2: mov x0, #{status}",
    "mov x8, #{exit}",
    "svc #0",
    "brk #1",
    ".cfi_endproc",
    ".size rampart_stub, . - rampart_stub",
    ".popsection",
    write = const libc::SYS_write,
    exit = const libc::SYS_exit_group,
    status = const STATUS,
);
