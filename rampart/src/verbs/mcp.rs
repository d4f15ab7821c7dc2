//! `rampart mcp`: a proxy in front of an MCP server (`mcp`).

use crate::audit::recorder::Speaker;
use crate::directories::Directories;
use crate::failure::{Failure, reason};
use crate::launch::environment::Environment;
use crate::mcp::message::LONGEST;
use crate::mcp::pins::Pins;
use crate::mcp::proxy::{Event, OnChange, Parts, Proxy};
use crate::mcp::server::Server;
use crate::mcp::stream::{Line, Writer, read};
use crate::policy::{Choice, Layers, authority};
use crate::serve::reload::{Reloader, Source};
use crate::serve::signals;
use rustix::event::{PollFd, PollFlags, poll};
use std::ffi::OsString;
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

/// How long the server may go on after the client has ended.
const LAST: Duration = Duration::from_secs(3);

/// Stands between a client and its MCP server: judges what is called, searches what is answered
///
/// For the client's configuration, in front of the server's command. The server runs as by
/// `rampart run`, under the policy that is in force without any option; --policy, --profile and --pack
/// are for what the client asks for. Exit status: the server's.
#[derive(clap::Args, Debug)]
pub struct Arguments {
    #[command(flatten)]
    choice: Choice,
    /// What is done about a tool that is not as it was when this server was first seen
    #[arg(long, value_enum, default_value = "warn")]
    on_change: OnChange,
    /// Take what the tools say of themselves now for what they said first
    #[arg(long)]
    repin: bool,
    /// The server and its arguments
    #[arg(required = true, trailing_var_arg = true, value_name = "SERVER")]
    server: Vec<OsString>,
}

/// Runs the verb until one of the two ends.
///
/// # Errors
/// If the policy cannot be used, or the server cannot be started.
pub fn run(arguments: &Arguments) -> Result<u8, Failure> {
    let environment = Environment::own();
    let is_guarded = authority::guardian().is_some();
    if is_guarded && (arguments.choice.is_explicit() || arguments.repin) {
        return Err(Failure::usage(
            "this process is inside a guarded tree, whose policy stays in force; --policy, --profile, --pack \
             and --repin can only be given outside of it",
        ));
    }
    let layers = arguments.choice.load(&environment)?;
    let reloader = reloader(&layers, &environment);
    let pins = Pins::open(&arguments.server, arguments.repin)?;
    let cannot = |error: io::Error| Failure::other(format!("cannot go on: {}", reason(&error)));
    let stop = signals::caught(&[libc::SIGTERM, libc::SIGINT, libc::SIGHUP])?;
    let (server, input, output) = Server::start(&arguments.server)?;
    let (events, happened) = channel();
    let ends = (
        Writer::start("to client", io::stdout()).map_err(cannot)?,
        Writer::start("to server", input).map_err(cannot)?,
    );
    started("from client", io::stdin(), events.clone(), Event::Client).map_err(cannot)?;
    started("from server", output, events.clone(), Event::Server).map_err(cannot)?;
    let told = events.clone();
    let wait = move || {
        let mut waiting = [PollFd::new(&stop, PollFlags::IN)];
        let _ = poll(&mut waiting, None);
        let _ = told.send(Event::Stop);
    };
    thread::Builder::new().name("signals".to_owned()).spawn(wait).map_err(cannot)?;
    let mut proxy = Proxy::new(Parts {
        // For threads that ask; this process holds no other.
        layers: Box::leak(Box::new(layers)),
        reloader,
        environment,
        pins,
        on_change: arguments.on_change,
        events,
        ends,
    })?;
    serve(&mut proxy, &happened);
    proxy.close_server();
    let status = server.end();
    proxy.fail("rampart: the server has ended");
    proxy.finish();
    Ok(status)
}

/// Hands what `source` says to the proxy, in a thread of its own.
fn started(
    name: &str,
    source: impl Read + Send + 'static,
    events: Sender<Event>,
    as_event: fn(Line) -> Event,
) -> io::Result<()> {
    let work = move || read(source, LONGEST, |line| events.send(as_event(line)).is_ok());
    thread::Builder::new().name(name.to_owned()).spawn(work).map(drop)
}

/// Serves until the server has ended, the client and then what it waited for, or a signal comes.
fn serve(proxy: &mut Proxy, happened: &Receiver<Event>) {
    let mut ended: Option<Instant> = None;
    loop {
        let left = ended.map_or(Duration::MAX, |ended| LAST.saturating_sub(ended.elapsed()));
        let event = match ended {
            None => happened.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Some(_) => happened.recv_timeout(left),
        };
        let goes_on = match event {
            Ok(Event::Client(Line::Whole(line))) => proxy.client_says(line),
            Ok(Event::Client(Line::TooLong)) => proxy.too_long(),
            Ok(Event::Client(Line::End)) => {
                ended = Some(Instant::now());
                proxy.close_server();
                true
            }
            Ok(Event::Server(Line::Whole(line))) => proxy.server_says(line),
            Ok(Event::Server(Line::TooLong)) => {
                // Whose answer that was nobody can know.
                proxy.fail(&format!("rampart: the server's answer is longer than {LONGEST} bytes"));
                false
            }
            Ok(Event::Judged(from, id, answer)) => proxy.answered(from, id, answer),
            Ok(Event::Server(Line::End) | Event::Stop) | Err(_) => return,
        };
        if !goes_on {
            complain!("rampart: error: an end does not read what it is sent, or sends too much");
            return;
        }
    }
}

/// What tells of a policy that changes; `None` if it cannot, or that cannot be seen.
fn reloader(layers: &Layers, environment: &Environment) -> Option<Reloader> {
    let source = match layers.recipe.clone() {
        Some(recipe) if recipe.is_fixed() => return None,
        Some(recipe) => {
            let places = Source::places_of(&recipe);
            let make = Box::new(move || {
                let all = recipe.layers(&Directories::from_environment())?;
                Ok(Layers { all, recipe: None })
            });
            Source { places, make, tell: Speaker::default() }
        }
        None => {
            let list = environment.value("RAMPART_IMAGE")?.to_owned();
            let paths = list.as_bytes().split(|byte| *byte == b':');
            let places =
                paths.map(|path| PathBuf::from(std::ffi::OsStr::from_bytes(path))).collect();
            let environment = environment.clone();
            let make = Box::new(move || Choice::default().load(&environment));
            Source { places, make, tell: Speaker::default() }
        }
    };
    let started = Reloader::start(source);
    started.inspect_err(|failure| complain!("rampart: warning: {}", failure.message)).ok()
}
