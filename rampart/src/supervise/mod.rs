//! The kernel-side supervisor of `rampart run --enforce kernel`: what LD_PRELOAD cannot see, the kernel
//! puts to this process before it happens (seccomp_unotify(2)). Static programs, Go, raw system calls
//! and scrubbed environments are judged like everything else, by the same evaluator.
//!
//! It is the outermost process, an ancestor of the whole tree and outside of it, so that it may look
//! into it whatever Yama says. Below it lives what `rampart run` is without it: the parent of the command,
//! and maybe its private evaluator. That the two are different processes is a demand of ptrace(2):
//! wait(2) cannot tell the stops of one's own children from those of whom one traces.

mod children;
mod directory;
pub mod filter;
pub mod floor;
mod judge;
mod keeper;
mod kernel;
pub mod landlock;
mod numbers;
mod parent;
mod parents;
mod shared;
mod still;
mod strings;
mod supervisor;
mod tracee;
mod words;
mod worker;
mod workers;

use crate::failure::{Failure, reason, status};
use crate::launch::environment::Environment;
use crate::launch::{exec, host};
use crate::policy::Layers;
use crate::policy::renewal::Renewal;
use crate::serve::reload::Source;
use judge::Judge;
use keeper::Keeper;
use kernel::Listener;
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketFlags, SocketType,
};
use rustix::process::Pid;
use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use supervisor::Supervisor;

/// The way from the process that puts itself under the filter to its supervisor.
pub struct Link(OwnedFd);

/// Which of the two processes this is.
pub enum Side {
    /// The supervisor, of the other one.
    Outer(Link, Pid),
    /// What `rampart run` is otherwise.
    Inner(Link),
}

/// Splits this process in two.
///
/// # Errors
/// If there is no process or descriptor to be had.
pub fn split() -> Result<Side, Failure> {
    let failed = |error: io::Error| {
        Failure::other(format!("cannot start a process for the command: {}", reason(&error)))
    };
    let pair = rustix::net::socketpair(
        AddressFamily::UNIX,
        SocketType::SEQPACKET,
        SocketFlags::CLOEXEC,
        None,
    );
    let (outer, inner) = pair.map_err(|errno| failed(errno.into()))?;
    Ok(match exec::fork().map_err(failed)? {
        Some(child) => Side::Outer(Link(outer), child),
        None => Side::Inner(Link(inner)),
    })
}

impl Link {
    /// Puts this process, which is about to become the command, under the filter.
    ///
    /// # Errors
    /// Why that cannot be, with exit status 126: nothing is started without what was asked for.
    pub fn join(self) -> Result<(), Failure> {
        let failed = |error: &io::Error| {
            let why = match error.raw_os_error() {
                Some(libc::EBUSY) => "another supervisor is above this one".to_owned(),
                Some(libc::ENOSYS | libc::EINVAL) => {
                    "the kernel has no user notification (Linux 5.19 or newer, CONFIG_SECCOMP_FILTER)"
                        .to_owned()
                }
                _ => reason(error),
            };
            Failure::with(
                status::NOT_EXECUTABLE,
                format!(
                    "cannot enforce the policy in the kernel: {why}. `--enforce best` goes on with \
                     librampart.so alone where that is so"
                ),
            )
        };
        let listener = filter::install().map_err(|error| failed(&error))?;
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        let descriptors = [listener.as_fd()];
        control.push(SendAncillaryMessage::ScmRights(&descriptors));
        let part = [IoSlice::new(b"l")];
        rustix::net::sendmsg(&self.0, &part, &mut control, SendFlags::NOSIGNAL)
            .map_err(|errno| failed(&errno.into()))?;
        Ok(())
    }

    /// The listener, once there is one; `None` if there will be none.
    fn listener(self) -> Option<Listener> {
        let mut byte = [0; 1];
        loop {
            let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
            let mut control = RecvAncillaryBuffer::new(&mut space);
            let part = &mut [IoSliceMut::new(&mut byte)];
            let flags = RecvFlags::CMSG_CLOEXEC;
            match rustix::net::recvmsg(&self.0, part, &mut control, flags) {
                Err(rustix::io::Errno::INTR) => continue,
                Err(_) => return None,
                Ok(_) => {}
            }
            return control.drain().find_map(|message| match message {
                RecvAncillaryMessage::ScmRights(mut found) => found.next().map(Listener::new),
                _ => None,
            });
        }
    }
}

/// What the supervisor judges by.
pub struct Plan {
    /// The policy of the tree.
    pub layers: Layers,
    /// Where it comes from, if it can change.
    pub source: Option<Source>,
    /// What the tree is started with.
    pub environment: Environment,
    /// `librampart.so`.
    pub library: PathBuf,
}

/// Supervises the tree below `child`, and ends as it ends.
///
/// # Errors
/// If the policy is not intact, or nothing can be waited for.
pub fn supervise(link: Link, child: Pid, plan: Plan) -> Result<u8, Failure> {
    let Plan { layers, source, environment, library } = plan;
    let judge = Judge::new(layers, environment, library)?;
    let renewal = Renewal::new(source);
    let Some(listener) = link.listener() else {
        return host::attend(child);
    };
    let keeper = if judge.fails_open() { Keeper::start(&listener)? } else { Keeper::default() };
    let mut supervisor = Supervisor::new(listener, judge, renewal)?;
    let end = supervisor.attend(child)?;
    leave_behind(supervisor, keeper);
    Ok(end.leave())
}

/// Whoever is left when the command has ended, in the background, is supervised by a process of its
/// own until nobody is left; it holds none of our descriptors open.
fn leave_behind(mut supervisor: Supervisor, keeper: Keeper) {
    if !supervisor.is_needed() {
        return keeper.end();
    }
    supervisor.withdraw();
    if let Ok(None) = exec::fork() {
        let _ = rustix::process::setsid();
        exec::forget_standard_streams();
        let _ = supervisor.rest();
        keeper.end();
        std::process::exit(0);
    }
}
