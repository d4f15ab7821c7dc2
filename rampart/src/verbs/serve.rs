//! `rampart serve`: the evaluator as a daemon.

use crate::audit;
use crate::audit::config::Config;
use crate::audit::recorder::Recorder;
use crate::directories::{Directories, make_private};
use crate::failure::{Failure, reason};
use crate::launch::environment::Environment;
use crate::policy::Choice;
use crate::serve::approvals::Approvals;
use crate::serve::brain::InForce;
use crate::serve::journal::Journal;
use crate::serve::listen::{self, Listener};
use crate::serve::requests::Desk;
use crate::serve::server::Server;
use crate::serve::signals;
use crate::verbs::audit_forward;
use std::ffi::OsStr;
use std::os::fd::AsFd;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::PathBuf;
use std::time::Duration;

/// What the server is told about signals by.
const STOP: u64 = 1;

/// Runs the evaluator: verdicts, and approvals that people give with `rampart approve`
///
/// Listens at $XDG_RUNTIME_DIR/rampart/evaluator.sock, for root without it at
/// /run/rampart/evaluator.sock, and stays in the foreground until SIGTERM or SIGINT. Approvals
/// outlive a restart.
#[derive(clap::Args, Debug)]
pub struct Arguments {
    #[command(flatten)]
    choice: Choice,
    /// Socket to listen at in place of the usual one
    #[arg(long, value_name = "PATH")]
    socket: Option<PathBuf>,
}

/// Runs the verb until it is stopped.
///
/// # Errors
/// Exit status 2 for a policy with errors; 1 if another evaluator listens there, or it cannot.
pub fn run(arguments: &Arguments) -> Result<u8, Failure> {
    let environment = Environment::own();
    if environment.is_guarded() {
        return Err(Failure::usage(
            "an evaluator inside a guarded tree would be the agent's own; start it outside",
        ));
    }
    let layers = arguments.choice.load(&environment)?;
    let policy = InForce::new(layers)?;
    let stop = signals::caught(&[libc::SIGTERM, libc::SIGINT])?;
    let path = match &arguments.socket {
        Some(path) => std::path::absolute(path).unwrap_or_else(|_| path.clone()),
        None => listen::daemon()?,
    };
    let is_shared = rustix::process::geteuid().is_root() && path.starts_with("/run/rampart");
    let listener = Listener::new(&path, is_shared)?;
    let directories = Directories::from_environment();
    directories.make_audit()?;
    let places = audit::places(&directories)?;
    let state = directories.state()?;
    make_private(&state)?;
    let state = state.join("evaluator");
    make_private(&state)?;
    let (journal, kept) = Journal::open(&state.join(journal_name(&path)))?;
    let approvals = Approvals::restored(kept.approvals, kept.same_boot);
    let desk = Desk::new(policy, approvals, path.display().to_string(), None);
    let mut server = Server::new(desk, listener, Some(journal), is_shared)?;
    match Recorder::start(places) {
        Ok(recorder) => server.record_by(recorder).map_err(cannot_wait)?,
        // Verdicts do not depend on the log.
        Err(failure) => eprintln!("rampart: warning: {}", failure.message),
    }
    let main = directories.audit()?;
    if let Err(failure) = Config::load().and_then(|config| audit_forward::start(&main, &config)) {
        eprintln!("rampart: warning: {}", failure.message);
    }
    eprintln!("rampart: evaluator listening at `{}`", path.display());
    notify("READY=1\nSTATUS=Listening");
    server.watch(stop.as_fd(), STOP).map_err(cannot_wait)?;
    while !server.turn(Duration::MAX)?.contains(&STOP) {}
    notify("STOPPING=1");
    Ok(0)
}

fn cannot_wait(errno: rustix::io::Errno) -> Failure {
    Failure::other(format!("cannot wait for signals: {}", reason(&errno.into())))
}

/// One journal a socket: two evaluators of a user must not share one.
fn journal_name(socket: &std::path::Path) -> String {
    use sha2::{Digest, Sha256};
    let digest = Sha256::digest(socket.as_os_str().as_bytes());
    let name: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    format!("approvals-{name}.jsonl")
}

/// Tells the service manager (sd_notify(3)), if there is one.
fn notify(text: &str) {
    let Some(name) = std::env::var_os("NOTIFY_SOCKET") else {
        return;
    };
    let address = match name.as_bytes() {
        [b'@', abstract_name @ ..] => SocketAddr::from_abstract_name(abstract_name),
        path => SocketAddr::from_pathname(OsStr::from_bytes(path)),
    };
    // Nobody to tell is no reason to stop.
    if let (Ok(address), Ok(socket)) = (address, UnixDatagram::unbound()) {
        let _ = socket.send_to_addr(text.as_bytes(), &address);
    }
}
