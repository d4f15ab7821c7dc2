//! What a process pays for its first verdict: opening and mapping a policy that it has never touched, and
//! deciding by it. Each sample is a process of its own, executed anew, so that nothing of the image and
//! nothing of the evaluator's code is mapped; the clock runs around just these steps.

#![allow(unsafe_code, reason = "mapping a file")]

use std::os::fd::AsRawFd;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use evaluator::command::{Command as Simple, Redirect, Var, Word};
use evaluator::request::NoEnv;
use evaluator::verdict::RuleMatch;
use evaluator::world::NoWorld;
use evaluator::{Action, Call, Image, Request, Scratch, decide};
use rustix::fs::{Mode, OFlags};

use crate::report::{Report, quantile};
use crate::verdict::request;

/// How many processes.
const PROCESSES: usize = 400;

/// What is judged: as most calls, an argument vector.
const ARGV: [&[u8]; 3] = [b"git", b"status", b"--short"];

/// Adds the figures to `report`.
///
/// # Errors
/// If a process cannot be started or does not measure.
pub fn measure(work: &Path, report: &mut Report) -> Result<(), String> {
    let image = work.join("standard.img");
    std::fs::write(&image, policies::STANDARD).map_err(|error| format!("image: {error}"))?;
    let own = std::env::current_exe().map_err(|error| format!("own path: {error}"))?;
    let (mut all, mut decided, mut faults) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..PROCESSES {
        let mut child = Command::new(&own);
        child.arg("fresh").arg(&image).stdin(Stdio::null());
        let output = child.output().map_err(|error| format!("fresh process: {error}"))?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let mut numbers = text.split_whitespace().map(str::parse::<f64>);
        match (numbers.next(), numbers.next(), numbers.next()) {
            (Some(Ok(total)), Some(Ok(verdict)), Some(Ok(count))) => {
                all.push(total / 1e3);
                decided.push(verdict / 1e3);
                faults.push(count);
            }
            _ => return Err(format!("a fresh process said `{text}`")),
        }
    }
    let what = "fresh process: mapping the image and the first verdict, p50";
    report.absolute(what, quantile(&mut all, 0.5), "µs", Some(30.0));
    report.absolute("of that, the verdict", quantile(&mut decided, 0.5), "µs", None);
    report.absolute("page faults meanwhile", quantile(&mut faults, 0.5), "", None);
    Ok(())
}

/// `bench fresh IMAGE`: one sample; prints the nanoseconds of all and of the verdict, and
/// the page faults.
///
/// # Errors
/// If the image cannot be mapped.
pub fn sample(image: &Path) -> Result<(), String> {
    // Arenas of the size that the library tries first (`preload/src/judge/memory.rs`), on this stack.
    let (mut text, mut words) = ([0; 8192], [Word::default(); 128]);
    let (mut commands, mut redirects) = ([Simple::default(); 16], [Redirect::default(); 16]);
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
        call: Call::Exec { file: b"/usr/bin/git", argv: &argv },
        env: &NoEnv,
        ..request(b"")
    };
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

/// What `who` has used so far (getrusage(2)).
fn usage(who: libc::c_int) -> libc::rusage {
    // SAFETY: a `rusage` is numbers, for which zero is a value, and the kernel fills it.
    unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        libc::getrusage(who, &raw mut usage);
        usage
    }
}

/// Page faults of this process so far that needed no disk.
fn faults() -> i64 {
    usage(libc::RUSAGE_SELF).ru_minflt
}

/// The processor's time of every child that has ended and was waited for, and of theirs.
pub fn spent_by_children() -> Duration {
    let used = usage(libc::RUSAGE_CHILDREN);
    let time = |time: libc::timeval| {
        let micros = time.tv_sec.saturating_mul(1_000_000).saturating_add(time.tv_usec);
        Duration::from_micros(u64::try_from(micros).unwrap_or_default())
    };
    time(used.ru_utime) + time(used.ru_stime)
}

/// Maps a file, for as long as the process lives.
pub fn map(path: &Path) -> Result<&'static [u8], String> {
    let failed = |error: rustix::io::Errno| format!("{}: {error}", path.display());
    let file = rustix::fs::open(path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty());
    let file = file.map_err(failed)?;
    let length = rustix::fs::fstat(&file).map_err(failed)?.st_size;
    let length = usize::try_from(length).map_err(|_| "a negative size".to_owned())?;
    // SAFETY: a new private mapping of a file that nobody changes meanwhile; it is never unmapped.
    let bytes = unsafe {
        let (at, fd) = (std::ptr::null_mut(), file.as_raw_fd());
        let start = libc::mmap(at, length, libc::PROT_READ, libc::MAP_PRIVATE, fd, 0);
        if start == libc::MAP_FAILED {
            return Err(format!("{}: {}", path.display(), std::io::Error::last_os_error()));
        }
        std::slice::from_raw_parts(start.cast(), length)
    };
    Ok(bytes)
}
