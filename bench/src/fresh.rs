//! What a process pays for its first verdict: opening and mapping a policy that it has never touched, and
//! deciding by it. Each sample is a process of its own, executed anew (`bench/first`), so that nothing of the
//! image and nothing of the evaluator's code is mapped.

#![allow(unsafe_code, reason = "mapping a file")]

use std::os::fd::AsRawFd;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::fs::{Mode, OFlags};

use crate::report::{Report, quantile};

/// How many processes.
const PROCESSES: usize = 400;

/// The program of which each process is one sample, beside the library. Written there as the library is
/// (`make bench`): how a file was written decides how much of it the kernel maps at a time.
const SAMPLER: &str = "first-verdict";

/// Adds the figures to `report`; the sampler lies beside `library`.
///
/// # Errors
/// If a process cannot be started or does not measure.
pub fn measure(library: &Path, work: &Path, report: &mut Report) -> Result<(), String> {
    let image = work.join("standard.img");
    std::fs::write(&image, policies::STANDARD).map_err(|error| format!("image: {error}"))?;
    let sampler = library.with_file_name(SAMPLER);
    let (mut all, mut decided, mut faults) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..PROCESSES {
        let mut child = Command::new(&sampler);
        child.arg(&image).stdin(Stdio::null());
        let output = child
            .output()
            .map_err(|error| format!("{}: {error}; `make bench` builds it", sampler.display()))?;
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

/// The processor's time of every child that has ended and was waited for, and of theirs.
pub fn spent_by_children() -> Duration {
    // SAFETY: a `rusage` is numbers, for which zero is a value, and the kernel fills it.
    let used = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        libc::getrusage(libc::RUSAGE_CHILDREN, &raw mut usage);
        usage
    };
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
