//! The server: a guarded tree, started by `rampart run`, with its two streams in our hands.

use crate::failure::{Failure, reason};
use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use std::ffi::OsString;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// How long it may take to end after its input has ended, and again after SIGTERM.
const PATIENCE: Duration = Duration::from_secs(3);

/// A server that runs.
pub struct Server(Child);

impl Server {
    /// Starts `command` under the library, by the policy that is in force without any choice.
    ///
    /// # Errors
    /// If it cannot be started.
    pub fn start(command: &[OsString]) -> Result<(Self, ChildStdin, ChildStdout), Failure> {
        let failed = |why: String| Failure::other(format!("cannot start the server: {why}"));
        let own = std::env::current_exe().map_err(|error| failed(reason(&error)))?;
        let mut run = Command::new(own);
        run.arg("run").arg("--").args(command);
        // A group of its own, so that nothing of it is left when we end.
        run.stdin(Stdio::piped()).stdout(Stdio::piped()).process_group(0);
        let mut child = run.spawn().map_err(|error| failed(reason(&error)))?;
        match (child.stdin.take(), child.stdout.take()) {
            (Some(input), Some(output)) => Ok((Self(child), input, output)),
            _ => Err(failed("it has no streams".to_owned())),
        }
    }

    /// Waits for its end, and brings that about if it takes too long. Its exit status; 128 and its
    /// number if a signal ended it.
    pub fn end(mut self) -> u8 {
        let pid = i32::try_from(self.0.id()).ok().and_then(Pid::from_raw);
        let ends: [fn(Pid) -> rustix::io::Result<()>; 2] = [
            // `rampart run` hands it on.
            |pid| kill_process(pid, Signal::TERM),
            |pid| kill_process_group(pid, Signal::KILL),
        ];
        for end in ends {
            let started = Instant::now();
            while started.elapsed() < PATIENCE {
                if let Ok(Some(status)) = self.0.try_wait() {
                    let code = status.code().or(status.signal().map(|signal| 128 + signal));
                    return code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1);
                }
                thread::sleep(Duration::from_millis(5));
            }
            if let Some(pid) = pid {
                // It may have ended by now.
                let _ = end(pid);
            }
        }
        let _ = self.0.wait();
        128 + 9
    }
}
