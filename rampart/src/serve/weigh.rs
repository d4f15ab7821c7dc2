//! What a request comes to by the policy, before anybody is asked: the part of answering that costs
//! something and needs nothing but the request. It is done in the loop for everyday calls, and by
//! [`super::heavy`] for large ones.

use super::approval::About;
use super::approvals::Wanted;
use super::brain::{Brain, InForce};
use super::coverage::{self, Coverage, Id};
use super::peer::Peer;
use super::reports::{Said, refused};
use crate::asked::Asked;
use crate::channel::Fields;
use crate::launch::program::Facts;
use crate::process::Process;
use evaluator::wire::{Body, Kind, Tag};
use evaluator::{Action, Verdict};

/// How long an asker waits if it does not say, and at most, in seconds.
const TIMEOUT: (u32, u32) = (120, 24 * 3600);

/// Longest text of a call, in bytes, that the loop judges itself: that much costs less than a
/// tenth of a millisecond, whatever it holds.
const LIGHT: usize = 4096;

/// What a request comes to.
pub enum Weighed {
    /// This is the answer.
    Said(Said),
    /// A person is to be asked, unless it was approved already.
    Ask(Box<Wanted>, Process),
    /// Allowed if an approval covers it.
    Covered(Process, Coverage, Id),
}

/// Whether the answer depends on which process asks.
pub const fn is_about_its_process(kind: Kind) -> bool {
    matches!(kind, Kind::Ask | Kind::Covered | Kind::Resolve)
}

/// Whether a verdict is needed, and one that may take long.
pub fn is_heavy(kind: Kind, body: Body<'_>, peer: &Peer) -> bool {
    match kind {
        Kind::Judge | Kind::Ask => {
            let arguments: usize = body.all(Tag::Argument).map(<[u8]>::len).sum();
            arguments + body.one(Tag::Shell).unwrap_or_default().len() > LIGHT
        }
        Kind::Covered => peer.process.is_some_and(|process| process.has_more("cmdline", LIGHT)),
        _ => false,
    }
}

/// Weighs a request of one of the kinds [`Kind::Judge`], [`Kind::Ask`] and [`Kind::Covered`].
pub fn weigh(
    kind: Kind,
    body: Body<'_>,
    peer: &Peer,
    (brain, policy): (&mut Brain, &InForce),
) -> Weighed {
    match (kind, peer.process) {
        (Kind::Judge, _) => {
            let asked = Asked::read(body);
            let facts = brain.facts(&asked);
            let said = |verdict: &Verdict<'_>| judged(verdict);
            Weighed::Said(brain.judge(policy, (&asked, &facts), peer, |verdict, _| said(verdict)))
        }
        (Kind::Ask, Some(process)) => ask(body, (process, peer), brain, policy),
        (Kind::Covered, Some(process)) => covered(process, peer, brain, policy),
        _ => Weighed::Said(refused("the process that asks has gone")),
    }
}

/// The policy's verdict, and nobody is asked.
fn judged(verdict: &Verdict<'_>) -> Said {
    let body = Fields::default()
        .with(Tag::Action, &[verdict.action as u8])
        .with(Tag::By, verdict.reason.name().as_bytes())
        .with(Tag::Rule, rule(verdict).as_bytes())
        .with(Tag::Message, verdict.message);
    Said { kind: Kind::Answer, body }
}

/// A person is to be asked. Our own policy has its say first: what it denies is denied.
fn ask(
    body: Body<'_>,
    (process, peer): (Process, &Peer),
    brain: &mut Brain,
    policy: &InForce,
) -> Weighed {
    let asked = Asked::read(body);
    let facts = brain.facts(&asked);
    let (coverage, denied) = brain.judge(policy, (&asked, &facts), peer, |verdict, request| {
        let denied = (verdict.action == Action::Deny).then(|| rule(verdict));
        (Coverage::of(request, verdict), denied)
    });
    if let Some(rule) = denied {
        let body = Fields::default()
            .with(Tag::Action, &[Action::Deny as u8])
            .with(Tag::By, b"policy")
            .with(Tag::Rule, rule.as_bytes());
        return Weighed::Said(Said { kind: Kind::Answer, body });
    }
    let text = |tag| crate::bytes::visible(body.one(tag).unwrap_or_default());
    let named = |name| {
        let value = asked.environment.value(name).unwrap_or_default();
        crate::bytes::visible(value.as_encoded_bytes())
    };
    let timeout = body.number(Tag::Timeout).unwrap_or(TIMEOUT.0).clamp(1, TIMEOUT.1);
    let wanted = Wanted {
        key: asked.key(peer.uid, body.one(Tag::Policy).unwrap_or_default()),
        coverage,
        exact: whole(&asked, &facts),
        about: About {
            command: asked.shown(),
            rule: text(Tag::Rule),
            message: text(Tag::Message),
            cwd: crate::bytes::visible(asked.cwd.as_deref().unwrap_or_default()),
            uid: peer.uid,
            agent: named("RAMPART_AGENT"),
            session: named("RAMPART_SESSION"),
        },
        timeout: u64::from(timeout) * 1000,
        fallback: body.one(Tag::Action) == Some(&[Action::Allow as u8]),
    };
    Weighed::Ask(Box::new(wanted), process)
}

/// What the process at the other end runs: the kernel says it.
fn covered(process: Process, peer: &Peer, brain: &mut Brain, policy: &InForce) -> Weighed {
    let Some(asked) = Asked::of_process(process) else {
        let body = Fields::default().with(Tag::Action, &[Action::Ask as u8]);
        return Weighed::Said(Said { kind: Kind::Answer, body });
    };
    let facts = brain.facts(&asked);
    let coverage = brain
        .judge(policy, (&asked, &facts), peer, |verdict, request| Coverage::of(request, verdict));
    let argv: Vec<&[u8]> = asked.argv.iter().map(Vec::as_slice).collect();
    Weighed::Covered(process, coverage, coverage::exact(&argv, asked.cwd.as_deref()))
}

/// The ids of the whole call: as it was asked for, and as the kernel starts it if it is a script.
fn whole(asked: &Asked, facts: &Facts) -> Vec<Id> {
    let argv: Vec<&[u8]> = asked.argv.iter().map(Vec::as_slice).collect();
    let cwd = asked.cwd.as_deref();
    let mut all = vec![coverage::exact(&argv, cwd)];
    if let Some(interpreter) = &facts.interpreter {
        let argument = facts.interpreter_arg.as_ref().map(|text| text.as_encoded_bytes());
        let words: Vec<&[u8]> = [interpreter.as_encoded_bytes()]
            .into_iter()
            .chain(argument)
            .chain([asked.file.as_slice()])
            .chain(argv.iter().skip(1).copied())
            .collect();
        all.push(coverage::exact(&words, cwd));
    }
    all
}

/// `policy/rule`, or why there is none.
pub fn rule(verdict: &Verdict<'_>) -> String {
    let text = crate::bytes::visible;
    match (verdict.policy, verdict.rule) {
        (b"", b"") => verdict.reason.name().to_owned(),
        (policy, rule) => format!("{}/{}", text(policy), text(rule)),
    }
}
