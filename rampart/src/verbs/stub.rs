//! `rampart stub FILE ARGV…`: what the library executes in the place of a program about which a
//! second party has to be asked. It has the program's environment, directory, descriptors and
//! process number; it asks once, and then becomes the program, or says why not and exits 126.
//!
//! It trusts nobody: it judges the call itself, by the policy of its tree, before it asks. Calling it
//! by hand is therefore the same as calling the program.

use crate::answer::with_reason;
use crate::asked::Asked;
use crate::audit::record::{self, Told};
use crate::channel::{Connection, Fields};
use crate::consent;
use crate::failure::{Failure, reason, status};
use crate::launch::environment::Environment;
use crate::launch::exec;
use crate::launch::program::{self, Facts};
use crate::policy::{Choice, Layers};
use crate::verdict::judge::Judge;
use crate::verdict::world::{FileSystem, Use};
use evaluator::event::Outcome;
use evaluator::settle::settle;
use evaluator::wire::{Body, Kind, Tag};
use evaluator::{Action, Reason, Request, Verdict};
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// The verb, as the library spells it.
pub const VERB: &str = "stub";

/// Runs the verb with the words behind it. Returns only if the program is not executed.
pub fn run(words: Vec<OsString>) -> Failure {
    let environment = Environment::own();
    if !environment.is_guarded() {
        return Failure::usage(
            "`stub` is what the library executes in a guarded tree; use `rampart run`",
        );
    }
    let mut words = words.into_iter().map(OsString::into_vec);
    let Some(file) = words.next() else {
        return Failure::usage("`stub` takes a file and its arguments");
    };
    let cwd = std::env::current_dir().ok();
    let asked = Asked {
        tool: b"exec".to_vec(),
        file,
        argv: words.collect(),
        shell: None,
        cwd: cwd.map(|path| path.into_os_string().into_vec()).into(),
        environment,
        ..Asked::default()
    };
    match decided(&asked) {
        Ok(facts) => become_program(&asked, &facts),
        Err(failure) => Failure::with(status::NOT_EXECUTABLE, failure.message),
    }
}

/// Decides, and records what the program itself will not.
///
/// # Errors
/// If it must not be executed: what is to be said.
pub fn decided(asked: &Asked) -> Result<Facts, Failure> {
    let layers = Choice::default().load(&asked.environment)?;
    let mut judge = Judge::new(&layers)?;
    let began = Instant::now();
    let facts = asked.facts();
    let socket = asked.environment.value("RAMPART_SOCKET").map(PathBuf::from);
    let mut world = FileSystem::of(&asked.environment);
    if let Some(socket) = socket.clone() {
        world = world.counted_by(Box::new(move |one| {
            matches!(used(&socket, one, false), Some(Action::Allow | Action::Ask))
        }));
    }
    let is_done = asked.with_request(&facts, |request| {
        judge.judge(request, &world, |verdict, _| {
            let took = began.elapsed();
            let wanted = world.wanted();
            let take = |one| socket.as_deref().and_then(|at| used(at, one, true));
            // What is denied all the same uses nothing up.
            let may_go = verdict.action != Action::Deny || verdict.unsure;
            if may_go && !wanted.iter().all(|one| take(one) == Some(Action::Allow)) {
                return Ok(false);
            }
            let is_told = !wanted.is_empty() || world.has_digests();
            let told = (request, verdict, is_told);
            conclude((asked, &facts, took), &layers, told).map(|()| true)
        })
    })?;
    if !is_done {
        // Somebody else was faster, so that what holds once does not hold here.
        let world = FileSystem::of(&asked.environment);
        asked.with_request(&facts, |request| {
            judge.judge(request, &world, |verdict, _| {
                let told = (request, verdict, world.has_digests());
                conclude((asked, &facts, began.elapsed()), &layers, told)
            })
        })?;
    }
    Ok(facts)
}

/// What the evaluator says of something that holds once; with `take`, this process uses it up.
fn used(socket: &Path, one: &Use, take: bool) -> Option<Action> {
    let mut body = Fields::default()
        .with(Tag::Owner, &one.policy)
        .with(Tag::Rule, &one.rule)
        .with(Tag::Ends, &one.ends.to_le_bytes());
    if take {
        body.add(Tag::Scope, b"once");
    }
    let connection = Connection::open(socket).ok()?;
    connection.send(Kind::Once, &body).ok()?;
    let packet = connection.receive(consent::GRACE).ok()?;
    let body = Body::read(&packet.body).ok().filter(|_| packet.kind == Kind::Answer)?;
    match body.one(Tag::Action)? {
        [code] => Action::from_code(*code),
        _ => None,
    }
}

/// Settles the verdict and records it. `is_told` if the evaluator has told, or will tell the new
/// process, something that the library did not know.
fn conclude(
    (asked, facts, took): (&Asked, &Facts, Duration),
    layers: &Layers,
    (request, verdict, is_told): (&Request<'_>, &Verdict<'_>, bool),
) -> Result<(), Failure> {
    let is_supervised = asked.environment.value("RAMPART_SUPERVISED") == Some(OsStr::new("1"));
    let mut settled = settle(verdict, asked.environment.fail_open());
    let mut said = String::new();
    // Where the library did not know something, it does not know it after the exec either: even
    // what may go ahead needs the evaluator's word, unless that is what the new process is told.
    let is_let_go = verdict.action.permits() && !verdict.unsure;
    let is_known = is_told && is_let_go;
    let socket = asked.environment.value("RAMPART_SOCKET").map(Path::new);
    let mut theirs = [const { Vec::new() }; 3];
    if is_let_go && asked.environment.asks_evaluator() {
        let put = consent::put(socket, asked, layers, verdict);
        (settled, said, theirs) = (put.settled, put.said, put.theirs);
    } else if (verdict.action != Action::Deny || verdict.unsure) && !is_known {
        // Inside a sandbox nobody may be reached, but the supervisor, which asks about the program itself.
        let is_reached = socket.is_some_and(|socket| Connection::open(socket).is_ok());
        if !is_reached && is_supervised && exec::is_supervised() {
            return Ok(());
        }
        (settled, said) = consent::settle(socket, asked, layers, verdict, settled);
    }
    let [policy, rule, message] = &theirs;
    let verdict = &match policy.is_empty() && rule.is_empty() {
        true => *verdict,
        false => {
            let (action, reason) = (Action::Deny, Reason::Rule);
            Verdict { action, reason, policy, rule, message, command: 0, ..*verdict }
        }
    };
    let message = with_reason(verdict.message, &said);
    let verdict = &Verdict { message: &message, ..*verdict };
    let record = |outcome| {
        let told = Told { hook: VERB, outcome, answered_by: settled.answered_by, took };
        record::event(request, verdict, &asked.environment, &told)
    };
    if !settled.permitted {
        let id = record(Outcome::Denied);
        return Err(record::denial(request, verdict, &settled, &id));
    }
    if program::unfollowed(facts.kinds).is_some() && !is_supervised {
        record(Outcome::Unconfirmed);
    }
    Ok(())
}

/// Executes the program. Returns only if that failed.
pub fn become_program(asked: &Asked, facts: &Facts) -> Failure {
    let mut environment = asked.environment.clone();
    if facts.kinds.intersects(evaluator::TargetKinds::OTHER_ARCH) {
        // Its loader would only print an error.
        environment.remove("LD_PRELOAD");
    }
    let file = Path::new(OsStr::from_bytes(&asked.file));
    let argv: Vec<&OsStr> = asked.argv.iter().map(|word| OsStr::from_bytes(word)).collect();
    let error = exec::replace_unjudged(file, &argv, environment.entries());
    let status = match error.kind() {
        io::ErrorKind::NotFound => status::NOT_FOUND,
        _ => status::NOT_EXECUTABLE,
    };
    let shown = crate::bytes::visible(&asked.file);
    Failure::with(status, format!("cannot execute `{shown}`: {}", reason(&error)))
}
