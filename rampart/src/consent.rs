//! Asking the evaluator for a person's consent, for everybody who has to wait for one: the helper
//! that stands in a program's place, the hook of a host that cannot ask itself, the MCP proxy.

use crate::answer::Answer;
use crate::asked::Asked;
use crate::channel::{Connection, Fields};
use crate::launch::environment::Environment;
use crate::policy::Layers;
use crate::serve::brain::digest;
use crate::serve::passed::EVALUATOR;
use crate::serve::weigh::rule;
use evaluator::settle::{Settled, settle as settle_alone};
use evaluator::wire::{Body, Kind, Tag};
use evaluator::{Action, Verdict};
use std::ffi::OsStr;
use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

/// On whose word a call goes ahead where the evaluator that was to decide did not.
const LOCAL: &str = "local-image";

/// How long a person has to answer, in seconds, if `RAMPART_ASK_TIMEOUT` does not say.
const TIMEOUT: u32 = 120;

/// The evaluator says itself when the time is up; it is given this much longer to do so.
pub const GRACE: Duration = Duration::from_secs(5);

/// How long an evaluator that has just gone is waited for: it may be restarting.
const RESTART: Duration = Duration::from_secs(2);

/// How long nothing is done between two tries to reach it.
const PAUSE: Duration = Duration::from_millis(50);

/// Asks the evaluator at `socket` about the call on which `layers` gave `verdict`, and waits.
/// `settled` is what no answer comes to. Without a socket there is none. What whoever said no said
/// about it comes with the end of it.
pub fn settle(
    socket: Option<&Path>,
    asked: &Asked,
    layers: &Layers,
    verdict: &Verdict<'_>,
    settled: Settled,
) -> (Settled, String) {
    let body = || question(asked, &digest(layers), verdict, settled);
    let answer = match socket {
        Some(socket) => ask(socket, asked, &body()),
        None => Answer::Nobody("on_no_approver"),
    };
    answer.settled(settled)
}

/// What the evaluator says of a call that the tree's own policy lets go.
pub struct Put {
    /// What it comes to.
    pub settled: Settled,
    /// What was said about it.
    pub said: String,
    /// The policy, the rule and the message that decided; empty if that is the tree's own verdict.
    pub theirs: [Vec<u8>; 3],
}

/// Puts a call that `layers` let go to the evaluator at `socket`, whose policy may be another one: it lets
/// it go, denies it, or has a person asked. Where it does not answer, the tree's own verdict holds.
pub fn put(socket: Option<&Path>, asked: &Asked, layers: &Layers, verdict: &Verdict<'_>) -> Put {
    let own = Settled { permitted: true, answered_by: LOCAL };
    let done = |settled, theirs| Put { settled, said: String::new(), theirs };
    let packet = socket.and_then(|socket| {
        let connection = Connection::open(socket).ok()?;
        connection.send(Kind::Judge, &asked.fields()).ok()?;
        connection.receive(GRACE).ok()
    });
    let packet = packet.filter(|packet| packet.kind == Kind::Answer);
    let body = packet.as_ref().and_then(|packet| Body::read(&packet.body).ok());
    let code = body.and_then(|body| body.one(Tag::Action)).and_then(|code| code.first().copied());
    let (Some(socket), Some(body), Some(action)) = (socket, body, code.and_then(Action::from_code))
    else {
        return done(own, Default::default());
    };
    let rule = body.one(Tag::Rule).unwrap_or_default();
    let slash = rule.iter().position(|byte| *byte == b'/').unwrap_or(rule.len());
    let (policy, rule) = rule.split_at_checked(slash).unwrap_or_default();
    let message = body.one(Tag::Message).unwrap_or_default();
    let theirs = [policy, rule.get(1..).unwrap_or_default(), message].map(<[u8]>::to_vec);
    if action == Action::Deny {
        return done(Settled { permitted: false, answered_by: EVALUATOR }, theirs);
    }
    let [policy, rule, message] = &theirs;
    let asks = Verdict { action, policy, rule, message, ..*verdict };
    let alone = match action.permits() {
        true => own,
        false => settle_alone(&asks, asked.environment.fail_open()),
    };
    let mut body = question(asked, &digest(layers), &asks, alone);
    body.add(Tag::Scope, b"verdict");
    let (settled, said) = ask(socket, asked, &body).settled(alone);
    let is_theirs = !settled.permitted || !action.permits();
    Put { settled, said, theirs: if is_theirs { theirs } else { Default::default() } }
}

fn ask(socket: &Path, asked: &Asked, body: &Fields) -> Answer {
    let deadline =
        Instant::now() + Duration::from_secs(patience(&asked.environment).into()) + GRACE;
    let mut gone: Option<Instant> = None;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let seconds = u32::try_from(left.saturating_sub(GRACE).as_secs()).unwrap_or(u32::MAX);
        let mut body = body.clone();
        body.add_number(Tag::Timeout, seconds.max(1));
        let answer = Connection::open(socket).and_then(|connection| {
            connection.send(Kind::Ask, &body)?;
            gone = None;
            connection.receive(left)
        });
        match answer {
            Ok(packet) => return Answer::of(&packet),
            Err(error) if error.kind() == io::ErrorKind::TimedOut => {
                return Answer::Nobody("expired");
            }
            Err(error) if is_restarting(&error) && !left.is_zero() => {
                if gone.get_or_insert_with(Instant::now).elapsed() > RESTART {
                    return Answer::Nobody("on_no_approver");
                }
                std::thread::sleep(PAUSE);
            }
            Err(_) => return Answer::Nobody("on_no_approver"),
        }
    }
}

/// What is asked about a call: all but how long there is time for an answer.
pub fn question(
    asked: &Asked,
    policy: &[u8; 32],
    verdict: &Verdict<'_>,
    settled: Settled,
) -> Fields {
    let otherwise = if settled.permitted { Action::Allow } else { Action::Deny };
    asked
        .fields()
        .with(Tag::Policy, policy)
        .with(Tag::Rule, rule(verdict).as_bytes())
        .with(Tag::Message, verdict.message)
        .with(Tag::Action, &[otherwise as u8])
}

/// How long a person has to answer, in seconds.
pub fn patience(environment: &Environment) -> u32 {
    let stated = environment.value("RAMPART_ASK_TIMEOUT").and_then(OsStr::to_str);
    stated.and_then(|text| text.parse().ok()).unwrap_or(TIMEOUT)
}

/// Whether there was an evaluator a moment ago.
fn is_restarting(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionRefused | ConnectionReset | BrokenPipe)
}
