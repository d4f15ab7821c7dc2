//! `rampart serve`: the evaluator as a daemon.

use crate::audit;
use crate::audit::config::Config;
use crate::audit::liveness::{Said, What};
use crate::audit::recorder::{Recorder, Speaker};
use crate::directories::{Directories, make_private};
use crate::failure::{Failure, reason};
use crate::http;
use crate::launch::environment::Environment;
use crate::policy::recipe::{self, Recipe};
use crate::policy::{Choice, Layers};
use crate::serve::approvals::Approvals;
use crate::serve::brain::InForce;
use crate::serve::front;
use crate::serve::journal::Journal;
use crate::serve::listen::{self, Listener};
use crate::serve::liveness::Heart;
use crate::serve::once::Uses;
use crate::serve::reload::{Reloader, Source};
use crate::serve::requests::Desk;
use crate::serve::server::Server;
use crate::serve::service::{self, Watchdog, notify};
use crate::serve::signals;
use crate::serve::taints::Keeper;
use crate::verbs::audit_forward;
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::time::Duration;

/// What the server is told about signals by.
const STOP: u64 = 1;

/// Runs the evaluator: verdicts, and approvals that people give with `rampart approve`
///
/// Listens at $XDG_RUNTIME_DIR/rampart/evaluator.sock, for root without it at
/// /run/rampart/evaluator.sock, or at the socket that systemd gives (`ListenSequentialPacket=`), and stays
/// in the foreground until SIGTERM or SIGINT. A changed policy is in force at once. Approvals
/// outlive a restart.
#[derive(clap::Args, Debug)]
pub struct Arguments {
    #[command(flatten)]
    choice: Choice,
    /// Socket to listen at in place of the usual one
    #[arg(long, value_name = "PATH")]
    socket: Option<PathBuf>,
    /// Take events in from here, too: a directory where processes of other users leave them
    #[arg(long, value_name = "DIR")]
    spool: Option<PathBuf>,
    /// Approvals are root's alone to give, also to commands of the user who asks
    #[arg(long)]
    root_answers: bool,
    /// Serve the HTTP API, too, at this address: 127.0.0.1:9090 (`rampart token create` says who may use it)
    #[arg(long, value_name = "ADDRESS")]
    http: Option<SocketAddr>,
    /// Certificate for it (PEM); beyond this machine it has to be encrypted
    #[arg(long, value_name = "FILE", requires = "http", requires = "http_key")]
    http_cert: Option<PathBuf>,
    /// Key of that certificate (PEM)
    #[arg(long, value_name = "FILE", requires = "http_cert")]
    http_key: Option<PathBuf>,
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
    let recipe = layers.recipe.clone();
    let policy = InForce::new(layers)?;
    let stop = signals::caught(&[libc::SIGTERM, libc::SIGINT])?;
    let path = match &arguments.socket {
        Some(path) => std::path::absolute(path).unwrap_or_else(|_| path.clone()),
        None => listen::daemon()?,
    };
    let (listener, is_shared) = listening(&path)?;
    let directories = Directories::from_environment();
    directories.make_audit()?;
    let mut places = audit::places(&directories)?;
    places.extend(arguments.spool.clone());
    let (state, uses) = (directories.state()?, directories.uses()?);
    make_private(&state)?;
    let state = state.join("evaluator");
    make_private(&state)?;
    let (journal, kept) = Journal::open(&state.join(format!("approvals-{}.jsonl", digits(&path))))?;
    let approvals = Approvals::restored(kept.approvals, kept.same_boot);
    let name = path.display().to_string();
    let mut desk = Desk::new(policy, (approvals, Uses::at(uses)), name, None);
    desk.brain.taints = Keeper::at(&state.join(format!("taints-{}", digits(&path))))?;
    desk.root_answers = arguments.root_answers;
    let mut server = Server::new(desk, listener, Some(journal), is_shared)?;
    // One thread does it as well, if more slowly.
    let helped = server.share_work();
    let _ = helped.inspect_err(|failure| complain!("rampart: warning: {}", failure.message));
    let speaker = recorded(&mut server, places)?;
    let main = directories.audit()?;
    let config = Config::load().unwrap_or_else(|failure| {
        complain!("rampart: warning: {}", failure.message);
        Config::default()
    });
    let sending = audit_forward::start(&main, &config).inspect_err(|failure| {
        complain!("rampart: warning: {}", failure.message);
    });
    let heart = Heart::start(config.heartbeat.as_ref(), speaker.clone());
    let heart = heart.inspect_err(|failure| complain!("rampart: warning: {}", failure.message));
    if let Some(recipe) = recipe.filter(|recipe| !recipe.is_fixed()) {
        let places = Source::places_of(&recipe);
        let make = Box::new(move || remade(&recipe));
        let reloader = Reloader::start(Source { places, make, tell: speaker.clone() })?;
        server.follow(reloader).map_err(waits)?;
    }
    if let Some(address) = arguments.http {
        over_http(arguments, address, &mut server, main)?;
    }
    complain!("rampart: evaluator listening at `{}`", path.display());
    notify("READY=1\nSTATUS=Listening");
    server.watch(stop.as_fd(), STOP).map_err(waits)?;
    say(&speaker, What::Started, &path);
    turn(&mut server, heart.ok())?;
    notify("STOPPING=1");
    say(&speaker, What::Stopped, &path);
    // Whoever waits for the log is told, and what is in it is sent on.
    drop(server);
    if let Ok(sending) = sending {
        sending.finish(audit_forward::LAST);
    }
    Ok(0)
}

/// Serves the HTTP API at `address`, too, about the log in `main`.
fn over_http(
    arguments: &Arguments,
    address: SocketAddr,
    server: &mut Server,
    main: PathBuf,
) -> Result<(), Failure> {
    let tls = arguments.http_cert.clone().zip(arguments.http_key.clone());
    let (front, inbox) = front::pair()?;
    server.take_work(inbox).map_err(waits)?;
    let bound = http::start(&http::Place { address, tls }, front, main)?;
    complain!("rampart: HTTP API listening at `{bound}`");
    Ok(())
}

/// The socket at `path`, or that of systemd, and whether it is everybody's.
fn listening(path: &std::path::Path) -> Result<(Listener, bool), Failure> {
    let is_machines = path.starts_with("/run/rampart");
    let is_shared = is_machines && rustix::process::geteuid().is_root();
    match service::inherited()? {
        // What root's service manager opened there is everybody's, whoever serves it.
        Some(socket) => Ok((Listener::given(socket, path)?, is_machines)),
        None => Ok((Listener::new(path, is_shared)?, is_shared)),
    }
}

/// Has the log kept by `server`. What the service says of itself goes by what is returned.
fn recorded(server: &mut Server, places: Vec<PathBuf>) -> Result<Speaker, Failure> {
    let recorder = match Recorder::start(places) {
        Ok(recorder) => recorder,
        Err(failure) => {
            // Verdicts do not depend on the log.
            complain!("rampart: warning: {}", failure.message);
            return Ok(Speaker::default());
        }
    };
    let speaker = recorder.speaker();
    server.record_by(recorder).map_err(waits)?;
    Ok(speaker)
}

/// Serves until `stop` can be read, and beats meanwhile.
fn turn(server: &mut Server, mut heart: Option<Heart>) -> Result<(), Failure> {
    let mut watchdog = Watchdog::from_environment();
    loop {
        let beat = heart.as_ref().map_or(Duration::MAX, Heart::patience);
        if server.turn(watchdog.patience().min(beat))?.contains(&STOP) {
            return Ok(());
        }
        watchdog.pat();
        let _ = heart.as_mut().map(Heart::beat);
    }
}

/// Says in the log that the service is there, or not any more. Nobody waits for that: a disk that is
/// slow delays neither.
fn say(speaker: &Speaker, what: What, socket: &std::path::Path) {
    let text = format!("rampart {} at `{}`", env!("CARGO_PKG_VERSION"), socket.display());
    speaker.put(&Said::new(what, text));
}

fn waits(errno: rustix::io::Errno) -> Failure {
    Failure::other(format!("cannot wait: {}", reason(&errno.into())))
}

/// The layers as they are now, which running trees get, too.
fn remade(recipe: &Recipe) -> Result<Layers, Failure> {
    let directories = Directories::from_environment();
    let all = recipe.layers(&directories)?;
    for reloaded in recipe::reload(&directories)? {
        match reloaded.result {
            Ok(true) => complain!("rampart: reloaded `{}`", reloaded.path.display()),
            Ok(false) => {}
            Err(failure) => complain!("{failure}"),
        }
    }
    Ok(Layers { all, recipe: None })
}

/// What tells the files of one socket from those of another: two evaluators of a user must not share one.
fn digits(socket: &std::path::Path) -> String {
    use sha2::{Digest, Sha256};
    let digest = Sha256::digest(socket.as_os_str().as_bytes());
    digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}
