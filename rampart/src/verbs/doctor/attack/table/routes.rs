//! The functions of libc and the ways round them: what becomes of each.

use super::Cell;
use Cell::{Absent, Denied, Ran, SelfCheck};

/// Title, name of the route and what is expected where the caller is linked to glibc, its target is
/// static, the same for musl, and where the caller is static.
pub type Row = (&'static str, &'static str, [Cell; 6]);

/// Seen by a hook in every dynamic launcher.
const HOOKED: [Cell; 6] = [Denied, Denied, Denied, Denied, SelfCheck, Ran];
/// The same where only glibc has it.
const GLIBC: [Cell; 6] = [Denied, Denied, Absent, Absent, SelfCheck, Ran];
/// Passes every hook: what loads us stops itself, what does not runs.
const PAST: [Cell; 6] = [SelfCheck, Ran, SelfCheck, Ran, SelfCheck, Ran];
/// Through `/bin/sh`, which is dynamic: where no hook sees the call, it stops itself.
const SHELL: [Cell; 6] = [Denied, Denied, Denied, Denied, SelfCheck, SelfCheck];
/// Not in this libc at all.
const NOWHERE: [Cell; 6] = [Absent; 6];

/// One line a route. `exec` routes are called in the process itself, in a `fork` and in a `vfork`
/// child; all three must come to the same.
pub const ROWS: &[Row] = &[
    ("execve", "execve", HOOKED),
    ("execv", "execv", HOOKED),
    ("execvp", "execvp", HOOKED),
    ("execvpe", "execvpe", HOOKED),
    ("execl", "execl", HOOKED),
    ("execl, nine arguments", "execl-9", HOOKED),
    ("execlp", "execlp", HOOKED),
    ("execle", "execle", HOOKED),
    ("execle, nine arguments", "execle-9", HOOKED),
    ("execveat", "execveat", GLIBC),
    ("execveat, directory", "execveat-dirfd", GLIBC),
    ("execveat, AT_EMPTY_PATH", "execveat-empty", GLIBC),
    ("fexecve", "fexecve", HOOKED),
    ("fexecve of a memfd", "fexecve-memfd", HOOKED),
    ("posix_spawn", "posix_spawn", HOOKED),
    ("posix_spawn, file actions", "posix_spawn-actions", HOOKED),
    ("posix_spawnp", "posix_spawnp", HOOKED),
    (
        "posix_spawn@GLIBC_2.2.5",
        "posix_spawn@GLIBC_2.2.5",
        [Denied, Denied, Absent, Absent, Absent, Absent],
    ),
    ("pidfd_spawn (glibc 2.39)", "pidfd_spawn", NOWHERE),
    ("system", "system", SHELL),
    ("popen", "popen", SHELL),
    ("_IO_popen", "_IO_popen", [Denied, Denied, Absent, Absent, Absent, Absent]),
    ("wordexp", "wordexp", SHELL),
    ("syscall(SYS_execve)", "syscall", HOOKED),
    ("syscall(SYS_execveat)", "syscall-execveat", HOOKED),
    ("dlsym(RTLD_DEFAULT)", "dlsym-default", [Denied, Denied, Denied, Denied, Absent, Absent]),
    ("dlsym on a handle of libc", "dlsym-handle", [SelfCheck, Ran, SelfCheck, Ran, Absent, Absent]),
    ("dlvsym", "dlvsym", [Denied, Denied, Absent, Absent, Absent, Absent]),
    ("__libc_system", "__libc_system", [SelfCheck, SelfCheck, Absent, Absent, Absent, Absent]),
    ("inline system call", "inline", PAST),
    ("inline system call, empty environment", "inline-bare", [Ran; 6]),
    ("ld.so TARGET", "ld.so", [Denied, Denied, Denied, Denied, SelfCheck, Ran]),
    ("another argv[0]", "other-argv0", HOOKED),
    ("a relative path", "relative", HOOKED),
    ("a symbolic link", "symlink", HOOKED),
    ("/proc/self/root/…", "proc-root", HOOKED),
    ("/proc/self/fd/N", "proc-fd", HOOKED),
];

/// Routes that replace the calling process: tried in each of these contexts.
const CONTEXTS: [&str; 3] = ["", "-f", "-v"];
const ONCE: [&str; 1] = [""];

/// In which contexts a route is tried.
pub fn contexts(route: &str) -> &'static [&'static str] {
    let is_spawn = route.starts_with("posix_spawn") || route == "pidfd_spawn";
    let is_shell = matches!(route, "system" | "popen" | "_IO_popen" | "wordexp" | "__libc_system");
    if is_spawn || is_shell { &ONCE } else { &CONTEXTS }
}
