//! Asking the evaluator for a person's consent, for everybody who has to wait for one: the helper
//! that stands in a program's place, the hook of a host that cannot ask itself, the MCP proxy.

use crate::answer::Answer;
use crate::asked::Asked;
use crate::channel::{Connection, Fields};
use crate::launch::environment::Environment;
use crate::policy::Layers;
use crate::serve::brain::digest;
use crate::serve::weigh::rule;
use evaluator::settle::Settled;
use evaluator::wire::{Kind, Tag};
use evaluator::{Action, Verdict};
use std::ffi::OsStr;
use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

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
    let answer = match socket {
        Some(socket) => ask(socket, asked, layers, verdict, settled),
        None => Answer::Nobody("on_no_approver"),
    };
    answer.settled(settled)
}

fn ask(
    socket: &Path,
    asked: &Asked,
    layers: &Layers,
    verdict: &Verdict<'_>,
    settled: Settled,
) -> Answer {
    let body = question(asked, &digest(layers), verdict, settled);
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
