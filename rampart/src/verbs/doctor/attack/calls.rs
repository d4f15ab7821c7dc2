//! `rampart doctor-call [-f|-v] ROUTE TARGET ARGUMENT`: a program that starts another by one function of libc,
//! where there is no compiler to make one. Prints `errno N` where the call failed, `status N` where a
//! child ended, `absent` where this libc has no such function.
//!
//! The functions are called as any program calls them: by name, through the dynamic linker. A `rampart` that is
//! linked statically has nothing that a library could take the place of; then every route is absent.

#![allow(unsafe_code, reason = "calls the functions themselves: exec, spawn and their kin")]

mod operations;
mod spawn;

use std::ffi::{CStr, CString, OsString, c_char, c_int, c_long, c_void};
use std::os::unix::ffi::OsStringExt;
use std::process::ExitCode;
use std::ptr::null;

/// The verb, before any other parsing.
pub const VERB: &str = "doctor-call";

/// Exit status where there is no such route.
const ABSENT: u8 = 77;

type Strings = *const *const c_char;
type Execve = unsafe extern "C" fn(*const c_char, Strings, Strings) -> c_int;

unsafe extern "C" {
    static environ: Strings;
}

#[cfg(target_env = "gnu")]
unsafe extern "C" {
    fn execveat(
        dir: c_int,
        path: *const c_char,
        argv: Strings,
        envp: Strings,
        flags: c_int,
    ) -> c_int;
}

/// What is to be called.
struct Call {
    route: String,
    target: CString,
    name: CString,
    dir: CString,
    /// The arguments and their terminator.
    argv: Vec<*const c_char>,
    /// The same as shell text.
    line: CString,
    _words: Vec<CString>,
}

impl Call {
    fn new(words: Vec<OsString>) -> Option<Self> {
        let mut words = words.into_iter().map(OsString::into_vec);
        let route = String::from_utf8(words.next()?).ok()?;
        let words: Vec<Vec<u8>> = words.collect();
        let target = words.first()?.clone();
        let slash = target.iter().rposition(|byte| *byte == b'/')?;
        let (dir, name) = (target.get(..slash)?, target.get(slash.saturating_add(1)..)?);
        let (dir, name) = (CString::new(dir).ok()?, CString::new(name).ok()?);
        let line = CString::new(words.join(&b' ')).ok()?;
        let words: Option<Vec<CString>> =
            words.into_iter().map(|word| CString::new(word).ok()).collect();
        let words = words?;
        let argv = words.iter().map(|word| word.as_ptr()).chain([null()]).collect();
        let target = CString::new(target).ok()?;
        Some(Self { route, target, name, dir, argv, line, _words: words })
    }
}

/// Runs the verb with the words behind it.
pub fn run(words: Vec<OsString>) -> ExitCode {
    let mut words = words;
    let context = words.first().filter(|word| *word == "-f" || *word == "-v").cloned();
    if context.is_some() {
        words.remove(0);
    }
    if let Some(code) = operation(&words) {
        return code;
    }
    let Some(call) = Call::new(words) else {
        return ExitCode::from(crate::failure::status::USAGE);
    };
    if cfg!(target_feature = "crt-static") {
        return absent();
    }
    if let Some(code) = spawn::run(&call) {
        return code;
    }
    match context {
        None => match replace(&call) {
            Some(error) => said("errno", error),
            None => absent(),
        },
        Some(context) => in_child(&call, context == "-v"),
    }
}

/// What a program does itself; `None` if `words` are about a start.
fn operation(words: &[OsString]) -> Option<ExitCode> {
    let (kind, rest) =
        words.split_first().filter(|(kind, _)| *kind == "file" || *kind == "address")?;
    let rest = rest.iter().map(|word| CString::new(word.clone().into_vec()).ok());
    let rest: Vec<CString> = rest.collect::<Option<_>>()?;
    let (name, rest) = rest.split_first()?;
    let name = name.to_str().ok()?;
    if cfg!(target_feature = "crt-static") {
        return Some(absent());
    }
    match rest {
        [address] if kind == "address" => Some(operations::address(name, address)),
        paths => Some(operations::file(name, paths)),
    }
}

fn absent() -> ExitCode {
    say("absent\n");
    ExitCode::from(ABSENT)
}

fn said(what: &str, number: c_int) -> ExitCode {
    say(&format!("{what} {number}\n"));
    ExitCode::SUCCESS
}

fn say(text: &str) {
    // SAFETY: writes from memory that is there; nothing is to be done if it cannot be written.
    let _ = unsafe { libc::write(1, text.as_ptr().cast(), text.len()) };
}

/// How the child `pid` ended.
fn waited(error: c_int, pid: c_int) -> ExitCode {
    if error != 0 {
        return said("errno", error);
    }
    let mut status = 0;
    // SAFETY: waits for our own child; `status` lives.
    while unsafe { libc::waitpid(pid, &raw mut status, 0) } < 0 {
        if errno() != libc::EINTR {
            return said("errno", errno());
        }
    }
    ended(status)
}

fn ended(status: c_int) -> ExitCode {
    if status < 0 {
        return said("errno", errno());
    }
    let is_exit = libc::WIFEXITED(status);
    said("status", if is_exit { libc::WEXITSTATUS(status) } else { 1000 + libc::WTERMSIG(status) })
}

fn errno() -> c_int {
    std::io::Error::last_os_error().raw_os_error().unwrap_or_default()
}

/// Runs in the child: the call, and the end if it failed.
extern "C" fn child(call: *mut c_void) -> c_int {
    // SAFETY: `in_child` hands its own reference on and outlives the child's use of it.
    let call = unsafe { &*call.cast::<Call>() };
    match replace(call) {
        Some(error) => say(&format!("errno {error}\n")),
        None => say("absent\n"),
    }
    // SAFETY: ends this process without running what belongs to its parent.
    unsafe { libc::_exit(99) }
}

/// The call in a child: of fork(2), or one that shares the memory and holds its parent, as vfork(2) makes it. The
/// latter has a stack of its own, so that nothing of the parent's is overwritten.
fn in_child(call: &Call, is_vfork: bool) -> ExitCode {
    const STACK: usize = 256 * 1024;
    let argument: *mut c_void = std::ptr::from_ref(call).cast_mut().cast();
    let pid = if is_vfork {
        let mut stack = vec![0u128; STACK / 16];
        let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::SIGCHLD;
        let top = stack.as_mut_ptr_range().end.cast();
        // SAFETY: the stack lives until the child has gone: it holds us until it execs or exits.
        unsafe { libc::clone(child, top, flags, argument) }
    } else {
        // SAFETY: this process has one thread.
        match unsafe { libc::fork() } {
            0 => child(argument),
            pid => pid,
        }
    };
    if pid < 0 { said("errno", errno()) } else { waited(0, pid) }
}

/// A function of libc, by the dynamic linker's search or, with `handle`, in libc alone.
fn symbol(name: &CStr, handle: *mut c_void) -> *mut c_void {
    // SAFETY: a terminated name and a handle of dlopen(3) or RTLD_DEFAULT.
    unsafe { libc::dlsym(handle, name.as_ptr()) }
}

/// Calls that replace the process. The error number of one that returned; `None` if there is no such route.
fn replace(call: &Call) -> Option<c_int> {
    let (target, argv) = (call.target.as_ptr(), call.argv.as_ptr());
    let name = call.name.as_ptr();
    // SAFETY: every string is terminated and every vector ends with a null pointer; variadic calls end with one;
    // `environ` is libc's own and nobody changes it here.
    unsafe {
        let env = environ;
        match call.route.as_str() {
            "execve" => libc::execve(target, argv, env),
            "execv" => libc::execv(target, argv),
            "execvp" => libc::execvp(name, argv),
            "execvpe" => libc::execvpe(name, argv, env),
            "fexecve" => libc::fexecve(opened(&call.target, libc::O_CLOEXEC), argv, env),
            "fexecve-memfd" => libc::fexecve(in_memory(call)?, argv, env),
            "syscall" => returned(libc::syscall(libc::SYS_execve, target, argv, env)),
            "syscall-execveat" => {
                returned(libc::syscall(libc::SYS_execveat, libc::AT_FDCWD, target, argv, env, 0))
            }
            _ => return replace_by_list(call),
        };
    }
    Some(errno())
}

/// The variadic ones.
fn replace_by_list(call: &Call) -> Option<c_int> {
    let target = call.target.as_ptr();
    let (first, second) = (*call.argv.first()?, *call.argv.get(1)?);
    let name = call.name.as_ptr();
    let end = null::<c_char>();
    let more = c"x".as_ptr();
    // SAFETY: as in `replace`.
    unsafe {
        let env = environ;
        match call.route.as_str() {
            "execl" => libc::execl(target, first, second, end),
            "execlp" => libc::execlp(name, first, second, end),
            "execle" => libc::execle(target, first, second, end, env),
            // More arguments than there are registers.
            "execl-9" => {
                libc::execl(target, first, second, more, more, more, more, more, more, more, end)
            }
            "execle-9" => libc::execle(
                target, first, second, more, more, more, more, more, more, more, end, env,
            ),
            _ => return replace_otherwise(call),
        };
    }
    Some(errno())
}

/// The rest of [`replace`]: newer functions, other names of the file, and ways past the linker.
fn replace_otherwise(call: &Call) -> Option<c_int> {
    let (target, argv) = (call.target.as_ptr(), call.argv.as_ptr());
    // SAFETY: as in `replace`; a symbol is called as the function that its name stands for.
    unsafe {
        let env = environ;
        let by_symbol = |found: *mut c_void| {
            (!found.is_null())
                .then(|| std::mem::transmute::<*mut c_void, Execve>(found)(target, argv, env))
        };
        match call.route.as_str() {
            #[cfg(target_env = "gnu")]
            "execveat" => execveat(libc::AT_FDCWD, target, argv, env, 0),
            #[cfg(target_env = "gnu")]
            "execveat-dirfd" => {
                execveat(opened(&call.dir, libc::O_DIRECTORY), call.name.as_ptr(), argv, env, 0)
            }
            #[cfg(target_env = "gnu")]
            "execveat-empty" => {
                execveat(opened(&call.target, 0), c"".as_ptr(), argv, env, libc::AT_EMPTY_PATH)
            }
            "dlsym-default" => by_symbol(symbol(c"execve", libc::RTLD_DEFAULT))?,
            "dlsym-handle" => by_symbol(symbol(c"execve", libc_alone()))?,
            #[cfg(all(target_env = "gnu", target_arch = "x86_64"))]
            "dlvsym" => by_symbol(versioned(c"execve"))?,
            "inline" => return raw_execve(target, argv, env),
            "inline-bare" => return raw_execve(target, argv, [null()].as_ptr()),
            _ => return renamed(call),
        };
    }
    Some(errno())
}

/// execve(2) of the target under another name.
fn renamed(call: &Call) -> Option<c_int> {
    let text = |parts: &[&[u8]]| CString::new(parts.concat()).ok();
    let (dir, name) = (call.dir.to_bytes(), call.name.to_bytes());
    let mut argv = call.argv.clone();
    let mut path = call.target.clone();
    let mut first = path.clone();
    match call.route.as_str() {
        "ld.so" => {
            path = CString::new(super::target::loader_of("/bin/sh".as_ref())?).ok()?;
            argv.insert(0, path.as_ptr());
            first.clone_from(&path);
        }
        "other-argv0" => first = CString::from(c"harmless"),
        "relative" => {
            std::env::set_current_dir(std::ffi::OsString::from_vec(dir.to_vec())).ok()?;
            path = text(&[b"./", name])?;
        }
        "symlink" => path = text(&[dir, b"/link-to-", name])?,
        "proc-root" => path = text(&[b"/proc/self/root", call.target.to_bytes()])?,
        "proc-fd" => {
            let number = opened(&call.target, 0).to_string();
            path = text(&[b"/proc/self/fd/", number.as_bytes()])?;
        }
        _ => return None,
    }
    if matches!(call.route.as_str(), "symlink" | "proc-root" | "proc-fd") {
        first.clone_from(&path);
    }
    *argv.first_mut()? = first.as_ptr();
    // SAFETY: as in `replace`.
    unsafe { libc::execve(path.as_ptr(), argv.as_ptr(), environ) };
    Some(errno())
}

/// The C library's own table of symbols.
fn libc_alone() -> *mut c_void {
    // SAFETY: opens what is loaded already.
    unsafe { libc::dlopen(c"libc.so.6".as_ptr(), libc::RTLD_LAZY) }
}

/// A function by the name of its version.
#[cfg(all(target_env = "gnu", target_arch = "x86_64"))]
fn versioned(name: &CStr) -> *mut c_void {
    unsafe extern "C" {
        fn dlvsym(handle: *mut c_void, name: *const c_char, version: *const c_char) -> *mut c_void;
    }
    // SAFETY: terminated names.
    unsafe { dlvsym(libc::RTLD_DEFAULT, name.as_ptr(), c"GLIBC_2.2.5".as_ptr()) }
}

fn returned(result: c_long) -> c_int {
    c_int::try_from(result).unwrap_or(-1)
}

fn opened(path: &CStr, flags: c_int) -> c_int {
    // SAFETY: a terminated path.
    unsafe { libc::open(path.as_ptr(), libc::O_RDONLY | flags) }
}

/// A copy of the target in memory, named like it.
fn in_memory(call: &Call) -> Option<c_int> {
    let path = OsString::from_vec(call.target.to_bytes().to_vec());
    let content = std::fs::read(path).ok()?;
    // SAFETY: a terminated name, and bytes that are there.
    unsafe {
        let file = libc::memfd_create(call.name.as_ptr(), 0);
        let written = libc::write(file, content.as_ptr().cast(), content.len());
        (usize::try_from(written) == Ok(content.len())).then_some(file)
    }
}

/// execve(2) without libc.
///
/// # Safety
/// As for [`libc::execve`].
unsafe fn raw_execve(path: *const c_char, argv: Strings, envp: Strings) -> Option<c_int> {
    let result: i64;
    // SAFETY: the kernel's convention; it reads the caller's strings and changes no memory.
    #[cfg(target_arch = "x86_64")]
    unsafe {
        std::arch::asm!("syscall", inlateout("rax") libc::SYS_execve => result, in("rdi") path,
            in("rsi") argv, in("rdx") envp, lateout("rcx") _, lateout("r11") _);
    }
    // SAFETY: the same.
    #[cfg(target_arch = "aarch64")]
    unsafe {
        std::arch::asm!("svc 0", in("x8") libc::SYS_execve, inlateout("x0") path => result,
            in("x1") argv, in("x2") envp);
    }
    c_int::try_from(result.checked_neg()?).ok()
}
