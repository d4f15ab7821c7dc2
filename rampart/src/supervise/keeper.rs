//! What becomes of the tree if its supervisor is killed. The kernel answers every start with `ENOSYS` then:
//! nothing runs. Where the user wants what cannot be decided to go ahead (`RAMPART_FAIL_OPEN=1`), a
//! second process holds the listener, and lets everything go ahead from then on.

use super::kernel::{Listener, Reply};
use super::supervisor::say;
use crate::failure::{Failure, reason};
use crate::launch::exec;
use rustix::io::Errno;
use rustix::pipe::{PipeFlags, pipe_with};
use std::os::fd::OwnedFd;

/// What the first one is told that goes ahead.
const KILLED: &str = "rampart: warning: the supervisor was killed; because of RAMPART_FAIL_OPEN=1, or in mode \
                      monitor, what librampart.so does not see goes ahead";

/// That process, from the supervisor's side; none by default.
#[derive(Default)]
pub struct Keeper(Option<OwnedFd>);

impl Keeper {
    /// Starts it.
    ///
    /// # Errors
    /// If there is no process or descriptor to be had.
    pub fn start(listener: &Listener) -> Result<Self, Failure> {
        let failed = |error: std::io::Error| {
            Failure::other(format!("cannot keep the tree alive: {}", reason(&error)))
        };
        let (read, write) = pipe_with(PipeFlags::CLOEXEC).map_err(|errno| failed(errno.into()))?;
        if exec::fork().map_err(failed)?.is_some() {
            return Ok(Self(Some(write)));
        }
        drop(write);
        let _ = rustix::process::setsid();
        // Whoever reads the command's output is not to wait for us.
        exec::forget_standard_streams();
        keep(&read, listener);
        std::process::exit(0);
    }

    /// The supervisor ends as it should: the keeper is not needed.
    pub fn end(self) {
        if let Some(write) = self.0 {
            let _ = rustix::io::write(&write, b"e");
        }
    }
}

/// Waits for the end of the supervisor. If that did not say goodbye, everything goes ahead.
fn keep(read: &OwnedFd, listener: &Listener) {
    let mut byte = [0; 1];
    loop {
        match rustix::io::read(read, &mut byte) {
            Ok(0) => break,
            Err(Errno::INTR) => {}
            _ => return,
        }
    }
    let mut is_said = false;
    while listener.wait() {
        if let Ok(notice) = listener.receive() {
            if !std::mem::replace(&mut is_said, true) {
                say(notice.thread, KILLED);
            }
            let _ = listener.reply(notice.id, Reply::Continue);
        }
    }
}
