//! The end of everything that an agent has started. It puts its commands into groups and sessions of their
//! own, so that neither its end nor that of its group is theirs. Whatever loses its parent becomes a child of
//! this process instead (`PR_SET_CHILD_SUBREAPER`, prctl(2)), and its own children alone are killed: their
//! numbers are not used again before they are waited for.

use crate::failure::{Failure, reason};
use crate::process::Process;
use rustix::process::{Pid, Signal, WaitOptions};
use std::fs;
use std::time::{Duration, Instant};

/// How long what was killed may take to go.
const PATIENCE: Duration = Duration::from_secs(10);

/// How often it is looked whether something has ended.
pub const PAUSE: Duration = Duration::from_millis(20);

/// Everything below this process, but for what was there before.
pub struct Below {
    before: Vec<Process>,
}

impl Below {
    /// From here on, what is started stays below this process.
    ///
    /// # Errors
    /// If the kernel does not let it.
    pub fn new() -> Result<Self, Failure> {
        let before = children();
        rustix::process::set_child_subreaper(Some(rustix::process::getpid())).map_err(|error| {
            let why = reason(&error.into());
            Failure::other(format!("what the agent starts cannot be kept together: {why}"))
        })?;
        Ok(Self { before })
    }

    /// Waits for what is left, for `grace`; then kills it. Whether nothing is left.
    pub fn end(&self, grace: Duration) -> bool {
        let start = Instant::now();
        loop {
            let mut left = children();
            left.retain(|child| !self.before.contains(child) && !is_over(*child));
            if left.is_empty() {
                return true;
            }
            if start.elapsed() > grace + PATIENCE {
                return false;
            }
            if start.elapsed() >= grace {
                // One that may not be killed, as another user's, is waited for all the same.
                for pid in left.iter().filter_map(|child| number(*child)) {
                    let _ = rustix::process::kill_process(pid, Signal::KILL);
                }
            }
            std::thread::sleep(PAUSE);
        }
    }
}

fn number(process: Process) -> Option<Pid> {
    i32::try_from(process.pid).ok().and_then(Pid::from_raw)
}

/// Whether a child has ended, and was waited for.
fn is_over(child: Process) -> bool {
    let Some(pid) = number(child) else { return true };
    !matches!(rustix::process::waitpid(Some(pid), WaitOptions::NOHANG), Ok(None))
}

/// The children of this process, those too that have ended.
fn children() -> Vec<Process> {
    let own = std::process::id();
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let numbers = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let processes = numbers.filter_map(Process::of);
    let is_child =
        |child: &Process| child.with_ancestors().nth(1).is_some_and(|parent| parent.pid == own);
    processes.filter(is_child).collect()
}
