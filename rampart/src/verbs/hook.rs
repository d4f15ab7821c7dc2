//! `rampart hook --format HOST`: what an agent's host calls before and after each tool call.
//!
//! Hosts take an exit status, a word on standard error or silence for "go on". So nothing is said
//! there, the exit status is always 0, and whatever goes wrong is a denial in the host's own form.

use crate::failure::Failure;
use crate::hosts::Host;
use crate::hosts::answer::{self, Answer};
use crate::hosts::decide::{Desk, Mode};
use crate::hosts::payload::{self, Event, LONGEST, Payload};
use crate::launch::environment::Environment;
use crate::launch::tell;
use crate::policy::Choice;
use serde_json::{Map, Value};
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Answers an agent's hook: one tool call as JSON on standard input, the answer on standard output
///
/// For the configuration of the agent; `rampart setup` writes it. The exit status is 0 whatever the
/// answer is.
#[derive(clap::Args, Debug)]
pub struct Arguments {
    /// Whose hook it is
    #[arg(long, value_enum)]
    format: Host,
    #[command(flatten)]
    choice: Choice,
}

/// The arguments, if `words` are just `hook --format NAME`: then there is nothing to be parsed.
pub fn plain(words: &[OsString]) -> Option<Arguments> {
    match words {
        [verb, option, name] if verb == "hook" && option == "--format" => {
            let format = Host::named(name.to_str()?)?;
            Some(Arguments { format, choice: Choice::default() })
        }
        _ => None,
    }
}

/// Runs the verb.
///
/// # Errors
/// If the answer cannot be written.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    silence();
    let host = arguments.format;
    let mut bytes = Vec::new();
    let read = io::stdin().lock().take(LONGEST as u64 + 1).read_to_end(&mut bytes);
    let environment = Environment::own();
    let mode = Mode::of(&environment);
    let broken = |why: &str| match mode {
        Mode::Enforce => Answer::Deny(format!("rampart: denied: {why}; nothing was run")),
        Mode::Monitor | Mode::Disabled => Answer::Nothing,
    };
    let mut log = None;
    let (event, answer) = match read.map_err(|error| error.to_string()) {
        _ if mode == Mode::Disabled => (Event::Before, Answer::Nothing),
        Err(why) => (Event::Before, broken(&format!("the hook could not read its input: {why}"))),
        Ok(_) => {
            let event = || payload::event_in(&bytes);
            let answered = catch_unwind(AssertUnwindSafe(|| {
                answered(arguments, &bytes, environment, &mut log)
            }));
            match answered {
                Ok(Ok(told)) => told,
                Ok(Err(failure)) => {
                    (event(), broken(&format!("the policy cannot be used: {}", failure.message)))
                }
                Err(_) => (event(), broken("Rampart failed on this call; please report it")),
            }
        }
    };
    let mut line = answer::written(host, event, &answer).to_string();
    line.push('\n');
    let written = io::stdout().write_all(line.as_bytes()).and_then(|()| io::stdout().flush());
    if let Some(environment) = log {
        tell::aside(&environment);
    }
    written.map_err(|_| Failure::other("cannot write the answer"))
}

/// What came of the call. Where receivers may want to know of it, `log` becomes the environment that says
/// where it was recorded.
fn answered(
    arguments: &Arguments,
    bytes: &[u8],
    environment: Environment,
    log: &mut Option<Environment>,
) -> Result<(Event, Answer), Failure> {
    let layers = arguments.choice.load(&environment)?;
    let mut desk = Desk::new(arguments.format, &layers, environment)?;
    let answer = match payload::read(arguments.format, bytes) {
        Ok(payload) => {
            let answer = match payload.event {
                Event::Before => desk.before(&payload),
                Event::After | Event::Failed => desk.after(&payload),
            };
            (payload.event, answer)
        }
        Err(why) => {
            let event = payload::event_in(bytes);
            (event, desk.refuse(&unreadable(event), "payload", &format!("The payload {why}.")))
        }
    };
    *log = desk.is_notable.then(|| desk.environment().clone());
    Ok(answer)
}

/// What stands for a call that cannot be read.
fn unreadable(event: Event) -> Payload {
    Payload {
        event,
        tool: "unreadable-payload".to_owned(),
        input: Map::new(),
        output: None::<Value>,
        session: String::new(),
        call: String::new(),
        cwd: None,
        does: None,
    }
}

/// Nothing that is written to standard error from here on is seen.
fn silence() {
    if let Ok(null) = File::options().write(true).open("/dev/null") {
        // If this fails, standard error is no worse than it was.
        let _ = rustix::stdio::dup2_stderr(&null);
    }
}
