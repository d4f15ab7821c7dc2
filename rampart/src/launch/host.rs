//! `rampart run` as the parent of its command: it hosts an evaluator for that one tree, so that
//! what has to be asked reaches a person without a daemon. Otherwise it is not there: what the
//! terminal sends reaches the command, what others send is handed on, and it ends as the command ends.

use super::exec;
use super::prompt::Prompt;
use crate::failure::{Failure, reason};
use crate::serve::reload::{Reloader, Source};
use crate::serve::server::Server;
use crate::serve::signals;
use rustix::process::{Pid, Signal, WaitOptions, kill_process, waitpid};
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

/// Signals that are handed on to the command.
const HANDED_ON: [(i32, Signal); 4] = [
    (libc::SIGTERM, Signal::TERM),
    (libc::SIGHUP, Signal::HUP),
    (libc::SIGUSR1, Signal::USR1),
    (libc::SIGUSR2, Signal::USR2),
];

/// Signals of a terminal, which the command gets itself.
const ITS_OWN: [i32; 4] = [libc::SIGINT, libc::SIGQUIT, libc::SIGTTIN, libc::SIGTTOU];

/// What the server tells about: a child has changed, or the terminal can be read.
const CHILD: u64 = 1;
const TERMINAL: u64 = 2;
const FIRST_SIGNAL: u64 = 3;

/// How often the terminal is looked at while something waits that could not be put to it.
const GLANCE: Duration = Duration::from_millis(500);

/// The descriptors that tell of signals.
struct Signals {
    child: OwnedFd,
    handed_on: Vec<(OwnedFd, Signal)>,
}

impl Signals {
    /// Catches them: after the command's own process was made, which is to find them as they were.
    fn catch() -> Result<Self, Failure> {
        let mut handed_on = Vec::new();
        for (number, signal) in HANDED_ON {
            handed_on.push((signals::caught(&[number])?, signal));
        }
        Ok(Self { child: signals::caught(&[libc::SIGCHLD])?, handed_on })
    }
}

/// How the command ended.
enum End {
    /// With this status.
    Status(u8),
    /// By this signal.
    Signal(i32),
    /// Nobody can know.
    Unknown,
}

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
    for signal in ITS_OWN {
        exec::ignore(signal);
    }
    // Not before: until then a signal that is meant for the command would end us.
    if let Some(policy) = policy {
        follow(&mut server, policy);
    }
    let cannot = |errno: rustix::io::Errno| {
        Failure::other(format!("cannot wait for the command: {}", reason(&errno.into())))
    };
    server.watch(signals.child.as_fd(), CHILD).map_err(cannot)?;
    for (token, (descriptor, _)) in (FIRST_SIGNAL..).zip(&signals.handed_on) {
        server.watch(descriptor.as_fd(), token).map_err(cannot)?;
    }
    let mut prompt = Prompt::open();
    let mut is_watched = false;
    let mut ended = reaped(child);
    let end = loop {
        if let Some(end) = ended.take() {
            break end;
        }
        let limit = if prompt.is_some() { GLANCE } else { Duration::MAX };
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
        for (descriptor, signal) in &signals.handed_on {
            if signals::have_come(descriptor) {
                let _ = kill_process(child, *signal);
            }
        }
        if signals::have_come(&signals.child) {
            ended = reaped(child);
        }
    };
    // The socket goes before we do.
    drop(server);
    match end {
        End::Status(status) => {
            record(status, None);
            Ok(status)
        }
        End::Unknown => Ok(0),
        End::Signal(signal) => {
            record(u8::try_from(128 + signal).unwrap_or(u8::MAX), Some(signal));
            exec::end_by(signal)
        }
    }
}

/// Has the evaluator take what `rampart policy reload` and `rampart allow` bring to the tree.
fn follow(server: &mut Server, policy: Source) {
    let cannot = |errno: rustix::io::Errno| Failure::other(reason(&errno.into()));
    let followed = Reloader::start(policy).and_then(|made| server.follow(made).map_err(cannot));
    if let Err(failure) = followed {
        complain!(
            "rampart: warning: {}; what is allowed later will not reach whoever answers for this tree",
            failure.message
        );
    }
}

/// Looks at every child that has changed. Orphans of the tree are ours, too: they are reaped.
fn reaped(command: Pid) -> Option<End> {
    loop {
        let options = WaitOptions::NOHANG | WaitOptions::UNTRACED;
        let (pid, status) = match waitpid(None, options) {
            Ok(Some(found)) => found,
            Ok(None) => return None,
            // Whoever started us does not want to know of children, and neither can we.
            Err(_) => return Some(End::Unknown),
        };
        if pid != command {
            continue;
        }
        if let Some(code) = status.exit_status() {
            return Some(End::Status(u8::try_from(code).unwrap_or(u8::MAX)));
        }
        if let Some(signal) = status.terminating_signal() {
            return Some(End::Signal(signal));
        }
        if status.stopped() {
            // So that a shell sees the job stopped. SIGCONT comes for the whole group.
            let _ = kill_process(rustix::process::getpid(), Signal::STOP);
            let _ = kill_process(command, Signal::CONT);
        }
    }
}
