//! `rampart run`: a command under the interposer. Where a daemon is up, in this process's place; else
//! this process stays its parent and asks people itself.

mod unfollowed;

use super::wrap;
use crate::audit::config::Config;
use crate::audit::record;
use crate::audit::recorder::Speaker;
use crate::channel::Connection;
use crate::directories::Directories;
use crate::failure::{Failure, reason, status};
use crate::launch::environment::Environment;
use crate::launch::program::{self, Missing};
use crate::launch::tell::Teller;
use crate::launch::{exec, host, library, tree};
use crate::policy::{Choice, Layers, authority};
use crate::serve::approvals::Approvals;
use crate::serve::brain::InForce;
use crate::serve::listen::{self, Listener};
use crate::serve::once::Uses;
use crate::serve::reload::Source;
use crate::serve::requests::Desk;
use crate::serve::server::Server;
use crate::supervise::floor::Floor;
use crate::supervise::{self, Link, Plan, Side};
use std::cell::Cell;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// Runs a command, and everything that it starts, under the policy
///
/// Exit status and signals are the command's own; where no `rampart serve` is up, this process
/// stays its parent and puts what has to be asked to the terminal, or to `rampart pending`. Otherwise 2
/// for an error in usage or policy, 126 if the command may not or cannot be executed, 127 if
/// there is no such command.
#[derive(clap::Args, Debug)]
#[command(after_long_help = VARIABLES)]
pub struct Arguments {
    #[command(flatten)]
    choice: Choice,
    /// Whether the policy is enforced, only recorded, or switched off
    #[arg(long, value_enum)]
    mode: Option<Mode>,
    /// What stands before the command: librampart.so alone (the default), or the kernel as well. A policy
    /// that demands more has its way
    #[arg(long, value_enum, env = "RAMPART_ENFORCE")]
    enforce: Option<Enforce>,
    /// The command and its arguments
    #[arg(required = true, trailing_var_arg = true, value_name = "COMMAND")]
    command: Vec<OsString>,
    /// Whether shells of ours are put in its way.
    #[arg(skip)]
    wraps: bool,
}

impl Arguments {
    /// Those of `rampart wrap`.
    pub const fn wrapping(choice: Choice, mode: Option<Mode>, command: Vec<OsString>) -> Self {
        Self { choice, mode, enforce: None, command, wraps: true }
    }
}

/// What `run --help` says of the environment.
const VARIABLES: &str = "\
Environment, read at the root of a guarded tree:
  RAMPART_FAIL_OPEN=1   allow what cannot be decided; 0 denies it
  RAMPART_ON_DENY=errno fail a denied call with EPERM in place of a child that exits 126
  RAMPART_MODE          as --mode
  RAMPART_ENFORCE       as --enforce
  RAMPART_IMAGE         compiled policies, lowest layer first, separated by colons
  RAMPART_AUDIT_DIR     where events are recorded (~/.local/state/rampart/audit)
  RAMPART_AGENT, RAMPART_SESSION
                        names that policies match on and events hold
  RAMPART_ASK_TIMEOUT   how long a person has to answer, in seconds (120)
  RAMPART_LIB           path of librampart.so
  RAMPART_NO_PROJECT_POLICY=1
                        leave .rampart/policy.yaml of the project out";

/// What is done with verdicts.
#[derive(clap::ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// What the policy denies does not run
    Enforce,
    /// Everything runs; what would have been stopped is recorded
    Monitor,
    /// Nothing is judged
    Disabled,
}

impl Mode {
    const fn name(self) -> &'static str {
        match self {
            Self::Enforce => "enforce",
            Self::Monitor => "monitor",
            Self::Disabled => "disabled",
        }
    }
}

/// Who stops what is denied, the weakest first.
#[derive(clap::ValueEnum, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Enforce {
    /// librampart.so, which static programs and raw system calls pass by
    Interposer,
    /// As `kernel` where that can be had; else a warning, and librampart.so
    Best,
    /// The kernel puts every start of a program to a supervisor as well; nothing runs if it cannot
    Kernel,
}

/// What is to hold: what was asked for, or what the policy demands, if that is more.
fn enforced(arguments: &Arguments, layers: Option<&Layers>) -> Enforce {
    let demanded = match layers.map(Layers::enforced) {
        Some((_, true)) => Enforce::Kernel,
        Some((true, _)) => Enforce::Best,
        _ => Enforce::Interposer,
    };
    arguments.enforce.unwrap_or(Enforce::Interposer).max(demanded)
}

/// What is to be started.
struct Prepared {
    file: PathBuf,
    environment: Environment,
    /// The policy of the tree that starts here; `None` inside one.
    layers: Option<Layers>,
    enforce: Enforce,
}

/// Runs the verb. Returns the command's exit status if this process has stayed its parent.
///
/// # Errors
/// If the command was not started.
pub fn run(arguments: &Arguments) -> Result<u8, Failure> {
    let Prepared { file, mut environment, layers, enforce } = prepared(arguments)?;
    let hosted = layers.as_ref().and_then(|layers| listener(&mut environment, layers));
    let is_enforced = environment.value("RAMPART_MODE") != Some(OsStr::new(Mode::Disabled.name()));
    let link = match enforce {
        Enforce::Kernel | Enforce::Best if is_enforced => {
            environment.set("RAMPART_SUPERVISED", OsStr::new("1"));
            match supervise::split()? {
                Side::Inner(link) => Some(link),
                Side::Outer(link, child) => {
                    // The socket is the other one's.
                    std::mem::forget(hosted);
                    return supervised(link, child, layers, environment);
                }
            }
        }
        _ => None,
    };
    let floor = floor(layers.as_ref().filter(|_| link.is_some()), &environment);
    let start = |link: Option<Link>| {
        let mut environment = environment.clone();
        match link.map_or(Ok(()), |link| joined((enforce, &floor), link, &mut environment)) {
            Ok(()) => replace(arguments, &file, &environment),
            Err(failure) => failure,
        }
    };
    let (Some(layers), Some(listener)) = (layers, hosted) else {
        return match link {
            None => Err(start(None)),
            Some(link) => match fork()? {
                None => Err(start(Some(link))),
                Some(child) => {
                    drop(link);
                    host::attend(child)
                }
            },
        };
    };
    let name = listener.path.display().to_string();
    let is_recorded = layers.records_all();
    let host = Some(std::process::id());
    let uses = Directories::from_environment().uses().map(Uses::at).unwrap_or_default();
    let desk = Desk::new(InForce::new(layers)?, (Approvals::default(), uses), name, host);
    // What has left its parents in the tree stays ours, so that it is known as a part of it.
    let _ = rustix::process::set_child_subreaper(Some(rustix::process::getpid()));
    match fork()? {
        None => {
            // The parent's socket is not ours to remove.
            std::mem::forget(listener);
            Err(start(link))
        }
        Some(child) => {
            drop(link);
            let server = Server::new(desk, listener, None, false)?;
            hosted_until_the_end(server, child, environment, is_recorded)
        }
    }
}

/// Answers for the tree below `child`, and tells who wants to know of it.
fn hosted_until_the_end(
    mut server: Server,
    child: rustix::process::Pid,
    environment: Environment,
    is_recorded: bool,
) -> Result<u8, Failure> {
    if let Some(log) = environment.value("RAMPART_AUDIT_DIR") {
        server.record_later(vec![log.into()]);
    }
    let log = environment.clone();
    let teller = environment.value("RAMPART_AUDIT_DIR").map(Path::new).and_then(Teller::start);
    let teller = Cell::new(teller);
    host::serve(server, child, policy_of_tree(environment), &|status, signal| {
        if is_recorded {
            let pid = child.as_raw_nonzero().get().unsigned_abs();
            record::ended(&log, pid, status, signal);
        }
        if let Some(teller) = teller.take() {
            teller.finish();
        }
    })
}

fn fork() -> Result<Option<rustix::process::Pid>, Failure> {
    exec::fork().map_err(|error| {
        Failure::other(format!("cannot start a process for the command: {}", reason(&error)))
    })
}

/// Supervises the tree. One inside a guarded tree is judged by the policy of that.
fn supervised(
    link: Link,
    child: rustix::process::Pid,
    layers: Option<Layers>,
    environment: Environment,
) -> Result<u8, Failure> {
    let layers = match layers {
        Some(layers) => layers,
        None => Choice::default().load(&environment)?,
    };
    let library = match environment.value("RAMPART_LIB").filter(|path| !path.is_empty()) {
        Some(path) => PathBuf::from(path),
        None => library::find()?,
    };
    let source = policy_of_tree(environment.clone());
    supervise::supervise(link, child, Plan { layers, source, environment, library })
}

/// What of the policy the kernel can hold by itself, where anything is to be held.
fn floor(layers: Option<&Layers>, environment: &Environment) -> Floor {
    let is_held = environment.value("RAMPART_MODE").is_none_or(|mode| mode == Mode::Enforce.name());
    let paths = layers.filter(|_| is_held).map(Layers::out_of_reach).unwrap_or_default();
    Floor::new(&paths, environment)
}

/// Puts this process under the supervisor and onto the floor, or says why that cannot be.
fn joined(
    (enforce, floor): (Enforce, &Floor),
    link: Link,
    environment: &mut Environment,
) -> Result<(), Failure> {
    match link.join() {
        Ok(()) => {
            for told in floor.enter() {
                complain!("rampart: warning: {told}");
            }
            Ok(())
        }
        Err(failure) if enforce == Enforce::Best => {
            // The library records what nobody else does.
            environment.remove("RAMPART_SUPERVISED");
            complain!("rampart: warning: {}; it goes on so", failure.message);
            Ok(())
        }
        other => other,
    }
}

/// Where the policy comes from that the tree pins; `None` if that is built in.
fn policy_of_tree(environment: Environment) -> Option<Source> {
    let list = environment.value("RAMPART_IMAGE")?.to_owned();
    let paths = list.as_bytes().split(|byte| *byte == b':').map(OsStr::from_bytes);
    let places = paths.map(PathBuf::from).collect();
    let make = Box::new(move || Choice::default().load(&environment));
    Some(Source { places, make, tell: Speaker::default() })
}

/// Where to listen for the tree that starts here: nowhere if a daemon is up, if nothing is
/// enforced and nobody is to be told of it, or if there is no place for a socket. Tells the library where to ask.
fn listener(environment: &mut Environment, layers: &Layers) -> Option<Listener> {
    let helper = std::env::current_exe().ok()?;
    environment.set("RAMPART_HELPER", helper.as_os_str());
    let daemon = listen::daemon().ok()?;
    if Connection::open(&daemon).is_ok() {
        environment.set("RAMPART_SOCKET", daemon.as_os_str());
        return None;
    }
    let mode = environment.value("RAMPART_MODE").map(OsStr::as_bytes);
    let is_hosted = match mode {
        Some(b"disabled") => false,
        Some(b"monitor") => Config::load().is_ok_and(|config| !config.receivers().is_empty()),
        _ => true,
    };
    if !is_hosted || layers.images().is_err() {
        return None;
    }
    let listener = Listener::private().ok()?;
    environment.set("RAMPART_SOCKET", listener.path.as_os_str());
    Some(listener)
}

/// Puts the command in this process's place. Returns only if it was not started.
fn replace(arguments: &Arguments, file: &Path, environment: &Environment) -> Failure {
    let is_guarded = environment.has_library();
    let argv: Vec<&OsStr> = arguments.command.iter().map(OsString::as_os_str).collect();
    let error = exec::replace(file, &argv, environment.entries());
    let status = match error.kind() {
        std::io::ErrorKind::NotFound => status::NOT_FOUND,
        // The library in this very process has denied it, and has said so.
        _ if is_guarded && error.raw_os_error() == Some(libc::EPERM) => {
            return Failure::with(status::NOT_EXECUTABLE, "");
        }
        _ => status::NOT_EXECUTABLE,
    };
    let what = format!("cannot execute `{}`: {}", file.display(), reason(&error));
    Failure::with(status, what)
}

/// The file to execute, its environment, and the policy.
fn prepared(arguments: &Arguments) -> Result<Prepared, Failure> {
    let mut environment = Environment::own();
    let guardian = authority::guardian();
    let is_guarded = guardian.is_some();
    // A program in between may have cleared the environment, but not the tree that it is in.
    if let Some(guardian) = guardian.filter(|_| !environment.has_library()) {
        environment.join_tree_of(&guardian.environment);
    }
    if is_guarded && (arguments.choice.is_explicit() || arguments.mode.is_some()) {
        return Err(Failure::usage(
            "this process is already inside a guarded tree, whose policy and mode stay in force; \
             --policy, --profile, --pack and --mode can only be given by whoever starts the tree. Run the \
             command without them",
        ));
    }
    let name = arguments.command.first().map_or(OsStr::new(""), OsString::as_os_str);
    let file = program::find(Path::new("."), name, environment.value("PATH"));
    let file = file.map_err(|missing| not_runnable(name, missing))?;
    if arguments.wraps {
        wrap::put_shells(&mut environment)?;
    }
    if is_guarded {
        let enforce = enforced(arguments, None);
        return Ok(Prepared { file, environment, layers: None, enforce });
    }
    let layers = arguments.choice.load(&environment)?;
    let library = library::find()?;
    let enforce = enforced(arguments, Some(&layers));
    tree::guard(&mut environment, &library, &layers)?;
    if let Some(mode) = arguments.mode {
        environment.set("RAMPART_MODE", OsStr::new(mode.name()));
    }
    let why = program::unfollowed(program::loaded(&file).1.kinds);
    // Its supervisor judges it, too.
    if let Some(why) = why.filter(|_| enforce != Enforce::Kernel) {
        if !arguments.wraps {
            unfollowed::warn(&file, why);
        }
        unfollowed::judge(&arguments.command, &layers, environment.clone())?;
    }
    Ok(Prepared { file, environment, layers: Some(layers), enforce })
}

fn not_runnable(name: &OsStr, missing: Missing) -> Failure {
    let shown = crate::bytes::visible(name.as_bytes());
    let is_path = name.as_bytes().contains(&b'/');
    match missing {
        Missing::NotFound if is_path => {
            Failure::with(status::NOT_FOUND, format!("no such file: `{shown}`"))
        }
        Missing::NotFound => Failure::with(
            status::NOT_FOUND,
            format!("command not found: `{shown}` is in no directory of PATH"),
        ),
        Missing::NotExecutable => Failure::with(
            status::NOT_EXECUTABLE,
            format!("cannot execute `{shown}`: it is no executable file, or permission is denied"),
        ),
    }
}
