//! What a process pays for its first verdict: opening and mapping a policy that it has never touched, and
//! deciding by it. `bench` starts this program anew for each sample, so that nothing of the image and
//! nothing of the evaluator's code is mapped; the clock runs around just these steps. It is a program of its own
//! because it is to hold what librampart.so holds, compiled and linked as that is.

#![allow(unsafe_code, reason = "mapping a file")]

use std::ffi::CString;
use std::hint::black_box;
use std::io::Error;
use std::process::ExitCode;
use std::time::Instant;

use evaluator::command::{Command, Redirect, Var, Word};
use evaluator::request::{NoEnv, NoParams};
use evaluator::verdict::RuleMatch;
use evaluator::world::{NoWorld, World};
use evaluator::{Action, Call, Caller, Cwd, Image, Request, Scratch, Target, Verdict, decide};

/// What is judged: as most calls, an argument vector.
const ARGV: [&[u8]; 3] = [b"git", b"status", b"--short"];

/// `first IMAGE`: prints the nanoseconds of all and of the verdict, and the page faults.
fn main() -> ExitCode {
    let image = std::env::args().nth(1).and_then(|path| CString::new(path).ok());
    match image.ok_or_else(|| "usage: first IMAGE".to_owned()).and_then(|path| sample(&path)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("first: {message}");
            ExitCode::FAILURE
        }
    }
}

type Decide =
    for<'a> fn(&[Image<'a>], &Request<'_>, &dyn World, &'a mut Scratch<'_>) -> Verdict<'a>;

fn sample(image: &CString) -> Result<(), String> {
    // Arenas of the size that the library tries first (`preload/src/judge/memory.rs`), on this stack.
    let (mut text, mut words) = ([0; 8192], [Word::default(); 128]);
    let (mut commands, mut redirects) = ([Command::default(); 16], [Redirect::default(); 16]);
    let (mut vars, mut matches) = ([Var::default(); 16], [RuleMatch::default(); 32]);
    let mut scratch = Scratch {
        text: &mut text,
        words: &mut words,
        commands: &mut commands,
        redirects: &mut redirects,
        vars: &mut vars,
        matches: &mut matches,
    };
    let argv: &[&[u8]] = &ARGV;
    let asked = Request {
        tool: b"exec",
        call: Call::Exec { file: b"/usr/bin/git", argv: &argv },
        cwd: Cwd::Known(b"/work/project"),
        env: &NoEnv,
        target: Target::default(),
        caller: Caller::default(),
        path: None,
        url: None,
        params: &NoParams,
    };
    // A function of its own, as in the library, which calls it more than once.
    let decide: Decide = black_box(decide);
    // The clock's own first page fault.
    let _ = Instant::now();
    let faults_before = faults();
    let start = Instant::now();
    let bytes = map(image)?;
    let image = [Image::open(bytes).map_err(|error| error.text().to_owned())?];
    let mapped = Instant::now();
    let action = decide(&image, &asked, &NoWorld, &mut scratch).action;
    let end = Instant::now();
    let faults = faults() - faults_before;
    if action != Action::Allow {
        return Err("it was not allowed".to_owned());
    }
    println!("{} {} {faults}", (end - start).as_nanos(), (end - mapped).as_nanos());
    Ok(())
}

/// Page faults of this process so far that needed no disk.
fn faults() -> i64 {
    // SAFETY: a `rusage` is numbers, for which zero is a value, and the kernel fills it.
    unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        libc::getrusage(libc::RUSAGE_SELF, &raw mut usage);
        usage.ru_minflt
    }
}

/// Maps a file by the calls that the library makes (`preload/src/images.rs`), for as long as the process lives.
fn map(path: &CString) -> Result<&'static [u8], String> {
    let failed = || Error::last_os_error().to_string();
    // SAFETY: a C string; the descriptor is this function's; a new private mapping of a file that nobody
    // changes meanwhile, never unmapped, of the length that the kernel says.
    unsafe {
        let file = libc::open(path.as_ptr(), libc::O_RDONLY | libc::O_CLOEXEC);
        let mut stat: libc::stat = std::mem::zeroed();
        if file < 0 || libc::fstat(file, &raw mut stat) != 0 {
            return Err(failed());
        }
        let length = usize::try_from(stat.st_size).map_err(|_| "a negative size".to_owned())?;
        let at = std::ptr::null_mut();
        let start = libc::mmap(at, length, libc::PROT_READ, libc::MAP_PRIVATE, file, 0);
        if start == libc::MAP_FAILED {
            return Err(failed());
        }
        libc::close(file);
        Ok(std::slice::from_raw_parts(start.cast(), length))
    }
}
