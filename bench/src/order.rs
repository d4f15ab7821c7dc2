//! `bench order LIBRARY`: the linker script `rampart/order.ld`, made from what the command really runs through when it
//! is called: one call over the socket, and some starts of supervised programs, step by step (ptrace(2)).
#![allow(unsafe_code, reason = "neither std nor rustix has ptrace(2)")]

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};
use std::{fs, io, ptr, thread};

use crate::socket;

/// A call that is judged takes tens of thousands of steps; a thread that only finds nothing to do, some hundred.
const JUDGED: usize = 10_000;

/// More than any call takes: what has not come to its end by then is somewhere else.
const MOST: usize = 2_000_000;

/// A child of vfork(2) is looked at otherwise than a process that becomes another program: of several, some are of each.
const STARTS: usize = 4;

/// Where system calls come from is so many bytes before where they return to.
const SYSCALL: u64 = 2;

const HEAD: &str = "\
/* The order of the command's code: what answers a call over the socket, what answers that of a supervised process, then
   the rest. Whoever calls has just started a program, so nothing of ours is in the processor's caches, and strewn
   over ten megabytes the code of one verdict lies on twice as many pages.

   Made by `bench order target/release/librampart.so`, which follows some calls step by step: a line is a function, in the
   order in which they are first needed. A function that is missing here, or a line that fits none, costs part of a
   microsecond and changes nothing else. */
SECTIONS
{
  .text :
  {";

const FOOT: &str = "
    *(.text .text.*)
  }
}
INSERT AFTER .eh_frame;";

/// Prints the script for the command beside `library`.
///
/// # Errors
/// If it cannot be started, or may not be traced.
pub fn print(library: &Path, work: &Path) -> Result<(), String> {
    let program = library.with_file_name("rampart");
    let functions = Functions::of(&program)?;
    let mut run = Vec::new();
    run.extend(steps(&called(&program, work)?)?);
    let tree = supervised(&program, work)?;
    for _ in 0..STARTS {
        run.extend(steps(&tree)?);
    }
    let mut seen = HashSet::new();
    println!("{HEAD}");
    for name in run.iter().filter_map(|at| functions.at(*at)) {
        let line = pattern(name);
        if seen.insert(line.clone()) {
            println!("    *(.text.{line})");
        }
    }
    println!("{FOOT}");
    Ok(())
}

/// Where each function begins and ends, in order.
struct Functions(Vec<(u64, u64, String)>);

impl Functions {
    fn of(program: &Path) -> Result<Self, String> {
        let listed = Command::new("nm").args(["--defined-only", "-n", "-S"]).arg(program).output();
        let listed = listed.map_err(|error| format!("nm (of binutils): {error}"))?;
        let text = String::from_utf8_lossy(&listed.stdout);
        let one = |line: &str| {
            let mut words = line.split(' ');
            let mut number = || u64::from_str_radix(words.next()?, 16).ok();
            let (at, size) = (number()?, number()?);
            let (kind, name) = (words.next()?, words.next()?);
            let is_code = matches!(kind, "t" | "T" | "w" | "W");
            is_code.then(|| (at, at + size, name.to_owned()))
        };
        let all: Vec<_> = text.lines().filter_map(one).collect();
        if all.is_empty() {
            return Err(format!("{}: no symbols", program.display()));
        }
        Ok(Self(all))
    }

    fn at(&self, address: u64) -> Option<&str> {
        let after = self.0.partition_point(|(at, ..)| *at <= address);
        let (_, end, name) = self.0.get(after.checked_sub(1)?)?;
        (address < *end).then_some(name)
    }
}

/// What fits the section of the function `name`, whatever its hash in the next build.
fn pattern(name: &str) -> String {
    let mut line = String::new();
    let mut rest = name;
    // `17h` and sixteen digits end a name, `Cs`, a hash and `_` stand before that of a crate.
    while let Some((before, after)) = rest.split_once("Cs").filter(|_| name.starts_with("_R")) {
        let hash = after.bytes().take_while(u8::is_ascii_alphanumeric).count();
        line.push_str(before);
        let is_hash = after.as_bytes().get(hash) == Some(&b'_');
        line.push_str(if is_hash { "Cs*" } else { "Cs" });
        rest = if is_hash { after.get(hash..).unwrap_or_default() } else { after };
    }
    line.push_str(rest);
    if let Some(at) = line.rfind("17h").filter(|_| name.starts_with("_ZN")) {
        line.truncate(at + 3);
        line.push('*');
    }
    // A number that the compiler adds where it has two.
    if let Some((stem, number)) = line.rsplit_once('.')
        && number.bytes().all(|byte| byte.is_ascii_digit())
    {
        line = format!("{stem}*");
    }
    // A linker script has its own use for it.
    line.replace('$', "?")
}

/// A process that is called, and the thread of it that answers.
struct Called {
    thread: i32,
    /// What has to live meanwhile, and is ended then.
    processes: Vec<Child>,
    _daemon: Option<socket::Daemon>,
}

impl Drop for Called {
    fn drop(&mut self) {
        for process in &mut self.processes {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

/// An evaluator that knows the program which it is asked about, and is asked once more in a moment.
fn called(program: &Path, work: &Path) -> Result<Called, String> {
    let daemon = socket::start(program, work)?;
    for _ in 0..3 {
        socket::once(&daemon.socket, &socket::call())?;
    }
    let caller = Command::new("sh")
        .args(["-c", "sleep 1; exec \"$@\" >/dev/null", "sh"])
        .arg(own()?)
        .arg("call")
        .arg(&daemon.socket)
        .spawn()
        .map_err(|error| format!("sh: {error}"))?;
    let thread = number(daemon.process())?;
    Ok(Called { thread, processes: vec![caller], _daemon: Some(daemon) })
}

/// A supervisor below which a program is started again and again.
fn supervised(program: &Path, work: &Path) -> Result<Called, String> {
    let mut tree = Command::new(program)
        .args(["run", "--profile", "standard", "--enforce", "kernel", "--"])
        .arg(own()?)
        .arg("starts")
        .env("XDG_STATE_HOME", work)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| format!("{}: {error}", program.display()))?;
    let deadline = Instant::now() + Duration::from_secs(10);
    let thread = loop {
        thread::sleep(Duration::from_millis(200));
        if let Some(thread) = thread_of(tree.id(), "supervisor") {
            break thread;
        }
        if Instant::now() > deadline {
            let _ = tree.kill();
            return Err("no supervisor came up".to_owned());
        }
    };
    // It has seen some by then.
    thread::sleep(Duration::from_secs(2));
    Ok(Called { thread: number(thread)?, processes: vec![tree], _daemon: None })
}

/// `bench starts`: starts programs, each by vfork(2), that become another one, until nobody lets it.
pub fn start_many() -> ExitCode {
    while Command::new("/usr/bin/env").arg("true").status().is_ok_and(|status| status.success()) {
        thread::sleep(Duration::from_millis(100));
    }
    ExitCode::SUCCESS
}

fn own() -> Result<PathBuf, String> {
    std::env::current_exe().map_err(|error| format!("own path: {error}"))
}

/// The thread of `process` that has this name.
fn thread_of(process: u32, name: &str) -> Option<u32> {
    let threads = fs::read_dir(format!("/proc/{process}/task")).ok()?;
    threads.flatten().find_map(|thread| {
        let found = fs::read_to_string(thread.path().join("comm")).ok()?;
        (found.trim_end() == name).then(|| thread.file_name().to_str()?.parse().ok())?
    })
}

fn number(process: u32) -> Result<i32, String> {
    i32::try_from(process).map_err(|error| error.to_string())
}

/// The addresses that the thread runs through, from waiting for a call until it waits for the next.
fn steps(called: &Called) -> Result<Vec<u64>, String> {
    let thread = called.thread;
    let failed = |error: io::Error| format!("thread {thread} cannot be followed: {error}");
    trace(libc::PTRACE_SEIZE, thread, ptr::null_mut()).map_err(failed)?;
    trace(libc::PTRACE_INTERRUPT, thread, ptr::null_mut()).map_err(failed)?;
    stopped(thread).map_err(failed)?;
    let waits = address(thread).map_err(failed)? - SYSCALL;
    let (mut run, mut since) = (Vec::new(), 0);
    while run.len() < MOST {
        trace(libc::PTRACE_SINGLESTEP, thread, ptr::null_mut()).map_err(failed)?;
        stopped(thread).map_err(failed)?;
        let at = address(thread).map_err(failed)?;
        run.push(at);
        if at == waits {
            if run.len() - since > JUDGED {
                break;
            }
            // It was woken for nothing, or by us.
            since = run.len();
        }
    }
    trace(libc::PTRACE_DETACH, thread, ptr::null_mut()).map_err(failed)?;
    if run.len() == MOST {
        return Err(format!("thread {thread} has come to no end in {MOST} steps"));
    }
    Ok(run.split_off(since))
}

fn trace(what: libc::c_uint, thread: i32, data: *mut libc::c_void) -> io::Result<()> {
    let none: *mut libc::c_void = ptr::null_mut();
    // SAFETY: `data` is NULL, or what the request writes to.
    match unsafe { libc::ptrace(what, thread, none, data) } {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

/// Waits until the thread stops.
fn stopped(thread: i32) -> io::Result<()> {
    let mut status = 0;
    // SAFETY: the kernel writes one number.
    match unsafe { libc::waitpid(thread, &raw mut status, libc::__WALL) } {
        found if found == thread && libc::WIFSTOPPED(status) => Ok(()),
        -1 => Err(io::Error::last_os_error()),
        _ => Err(io::Error::other("it has ended")),
    }
}

/// Where the thread, which is stopped, goes on.
#[cfg(target_arch = "x86_64")]
fn address(thread: i32) -> io::Result<u64> {
    // SAFETY: all-zero bytes are a valid value.
    let mut registers: libc::user_regs_struct = unsafe { std::mem::zeroed() };
    trace(libc::PTRACE_GETREGS, thread, (&raw mut registers).cast())?;
    Ok(registers.rip)
}

#[cfg(not(target_arch = "x86_64"))]
fn address(_thread: i32) -> io::Result<u64> {
    Err(io::Error::other("only on x86-64"))
}
