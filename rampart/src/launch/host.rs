//! `rampart run` as the parent of its command: it hosts an evaluator for that one tree, so that
//! what has to be asked reaches a person without a daemon. Otherwise it is not there: what the
//! terminal sends reaches the command, what others send is handed on, and it ends as the command ends.

use super::environment::Environment;
use super::notices::Notices;
use super::parent::{End, Signals};
use super::prompt::Prompt;
use crate::failure::{Failure, reason};
use crate::policy::renewal::Renewal;
use crate::serve::reload::Source;
use crate::serve::server::Server;
use rustix::process::{Pid, Signal, WaitOptions, kill_process, wait};
use std::os::fd::AsFd;
use std::time::Duration;

/// What the server tells about: the terminal can be read, or a signal has come.
const TERMINAL: u64 = 1;
const FIRST_SIGNAL: u64 = 2;

/// How often the terminal is looked at while something waits that could not be put to it.
const GLANCE: Duration = Duration::from_millis(500);

/// Serves the tree below `child` until it ends, and then ends this process in the same way. `policy`
/// is where that of the tree comes from, if it can change; `record` is told its exit status, and the
/// signal that it died of.
///
/// # Errors
/// Only if nothing can be waited for.
pub fn serve(
    mut server: Server,
    child: Pid,
    policy: Option<Source>,
    record: &dyn Fn(u8, Option<i32>),
) -> Result<u8, Failure> {
    let signals = Signals::catch()?;
    // A watch by inotify(7) would have the end of this process wait for the kernel, some ten milliseconds.
    server.renew(Renewal::new(policy));
    let cannot = |errno: rustix::io::Errno| {
        Failure::other(format!("cannot wait for the command: {}", reason(&errno.into())))
    };
    for (token, descriptor) in (FIRST_SIGNAL..).zip(signals.descriptors()) {
        server.watch(descriptor, token).map_err(cannot)?;
    }
    let mut prompt = Prompt::open();
    let mut notices = Notices::of(&Environment::own());
    let mut is_watched = false;
    let mut ended = reaped(child);
    let end = loop {
        if let Some(end) = ended.take() {
            break end;
        }
        let waits = server.desk.approvals.count_pending() > 0;
        let limit = if prompt.is_some() || waits { GLANCE } else { Duration::MAX };
        let happened = server.turn(limit)?;
        if happened.contains(&TERMINAL)
            && let Some((id, scope)) = prompt.as_mut().and_then(Prompt::answer)
        {
            server.resolve(&id, scope, "the terminal");
        }
        if let Some(prompt) = prompt.as_mut() {
            prompt.show(&server.desk.approvals);
            // What is typed at any other time is for the command, and stays where it is.
            match (prompt.is_asking(), is_watched) {
                (true, false) => is_watched = server.watch(prompt.as_fd(), TERMINAL).is_ok(),
                (false, true) => {
                    server.unwatch(prompt.as_fd());
                    is_watched = false;
                }
                _ => {}
            }
        }
        notices.tell(&server.desk.approvals, prompt.as_ref());
        signals.hand_on(child);
        if signals.child_has_changed() {
            ended = reaped(child);
        }
    };
    // The socket goes before we do.
    drop(server);
    match end {
        End::Status(status) => record(status, None),
        End::Unknown => {}
        End::Signal(signal) => record(u8::try_from(128 + signal).unwrap_or(u8::MAX), Some(signal)),
    }
    Ok(end.leave())
}

/// The same without an evaluator: somebody else has one.
///
/// # Errors
/// Only if nothing can be waited for.
pub fn attend(child: Pid) -> Result<u8, Failure> {
    let signals = Signals::catch()?;
    loop {
        if let Some(end) = reaped(child) {
            return Ok(end.leave());
        }
        signals.wait();
        signals.hand_on(child);
        signals.child_has_changed();
    }
}

/// Looks at every child that has changed. Orphans of the tree are ours, too: they are reaped.
fn reaped(command: Pid) -> Option<End> {
    loop {
        let options = WaitOptions::NOHANG | WaitOptions::UNTRACED;
        let (pid, status) = match wait(options) {
            Ok(Some(found)) => found,
            Ok(None) => return None,
            // Whoever started us does not want to know of children, and neither can we.
            Err(_) => return Some(End::Unknown),
        };
        if pid != command {
            continue;
        }
        if let Some(end) = End::of(status) {
            return Some(end);
        }
        if status.stopped() {
            // So that a shell sees the job stopped. SIGCONT comes for the whole group.
            let _ = kill_process(rustix::process::getpid(), Signal::STOP);
            let _ = kill_process(command, Signal::CONT);
        }
    }
}
