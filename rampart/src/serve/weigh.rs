//! What a request comes to by the policy, before anybody is asked: the part of answering that costs
//! something and needs nothing but the request. It is done in the loop for everyday calls, and by
//! [`super::heavy`] for large ones.

use super::approval::{About, POLICY};
use super::approvals::Wanted;
use super::brain::{Brain, InForce};
use super::counters::Key;
use super::coverage::{self, Coverage, Id};
use super::facts;
use super::peer::Peer;
use super::reports::{Said, refused};
use crate::asked::Asked;
use crate::channel::Fields;
use crate::launch::program::Facts;
use crate::process::{Process, guardian};
use crate::verdict::effects;
use crate::webhook::{Address, Question};
use evaluator::effects::Around;
use evaluator::wire::{Body, Kind, Tag};
use evaluator::{Action, Request, Verdict};
use std::time::Duration;

/// How long an asker waits if it does not say, and at most, in seconds.
const TIMEOUT: (u32, u32) = (120, 24 * 3600);

/// Longest text of a call, in bytes, that the loop judges itself: that much costs less than a
/// tenth of a millisecond, whatever it holds.
const LIGHT: usize = 4096;

/// What a request comes to.
pub enum Weighed {
    /// This is the answer.
    Said(Said),
    /// It is open, unless it is a part of something that was let go before.
    Open(Box<Open>),
    /// Allowed if an approval covers it.
    Covered(Process, Coverage, Id),
}

/// A call that goes ahead, is denied, or has to be asked about.
pub struct Open {
    /// What is to be asked.
    pub wanted: Wanted,
    /// Whose call it is.
    pub process: Process,
    /// How it stands.
    pub stands: Stands,
    /// Under what it counts.
    pub counts: Vec<Key>,
}

/// How a call stands by our own policy.
pub enum Stands {
    /// A person is to be asked.
    Ask,
    /// A service is to be asked; whether its yes will do, or a person is asked then.
    Service(Address, Box<Question>, bool),
    /// The asker could not know it, and by its own policy it may go ahead.
    Vouched,
    /// The asker puts every verdict to us, and by our policy it may go ahead.
    Passed,
    /// This is the denial; whether a count has led to it, which what was let go before has no part
    /// in.
    Denied(Said, bool),
}

/// Whether the answer depends on which process asks.
pub const fn is_about_its_process(kind: Kind) -> bool {
    matches!(kind, Kind::Ask | Kind::Covered | Kind::Resolve | Kind::Digest | Kind::Once)
}

/// Whether a verdict is needed, and one that may take long.
pub fn is_heavy(kind: Kind, body: Body<'_>, peer: &Peer) -> bool {
    match kind {
        Kind::Judge | Kind::Ask => {
            let arguments: usize = body.all(Tag::Argument).map(<[u8]>::len).sum();
            arguments + body.one(Tag::Shell).unwrap_or_default().len() > LIGHT
        }
        // It may be a large file.
        Kind::Digest => true,
        Kind::Covered => peer.process.is_some_and(|process| process.has_more("cmdline", LIGHT)),
        _ => false,
    }
}

/// Weighs a request of one of the kinds [`Kind::Judge`], [`Kind::Ask`], [`Kind::Covered`] and
/// [`Kind::Digest`].
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
            let call = (&asked, &facts);
            Weighed::Said(brain.judge(policy, call, peer.asker(), |verdict, _| said(verdict)).0)
        }
        (Kind::Ask, Some(process)) => ask(body, (process, peer), brain, policy),
        (Kind::Digest, Some(process)) => Weighed::Said(facts::digest(body, process)),
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
    let mut asked = Asked::read(body);
    let Some((process, peer)) = on_behalf(body, process, peer) else {
        return Weighed::Said(refused("this process may not ask for others"));
    };
    // What a program does itself was judged by all that its process knows; here nothing is known better.
    let is_own = asked.hook.is_some();
    if is_own {
        asked.program = process.link("exe");
    }
    let facts = brain.facts(&asked);
    // Only the helper puts a verdict to us: it has judged by the tree's own policy before.
    let is_put = body.one(Tag::Scope) == Some(b"verdict") && process.runs_what_we_run();
    // By the very policy that the asker has, what we know and it does not is the answer.
    let is_same = body.one(Tag::Policy) == Some(&policy.digest[..]);
    let images = policy.images();
    let is_free = started(&asked, &facts).is_some_and(|started| {
        let script = Facts::default();
        let (is_free, _) = brain.judge(policy, (&started, &script), peer.asker(), |verdict, _| {
            verdict.action.permits() && !verdict.unsure
        });
        is_free
    });
    let ((coverage, action, rule, vouches, (service, effects)), counts) =
        brain.judge(policy, (&asked, &facts), peer.asker(), |verdict, request| {
            let vouches =
                (is_same || is_put) && !is_own && verdict.action.permits() && !verdict.unsure;
            let service = Address::of(&images, verdict)
                .map(|address| (address, question(&asked, request, verdict)));
            (
                Coverage::of(request, verdict, is_free),
                verdict.action,
                rule(verdict),
                vouches,
                (service, effects::lines(&verdict.tree, &Around::of(request), None)),
            )
        });
    let is_counted = counts.iter().any(|key| key.is_of(&rule));
    let timeout = body.number(Tag::Timeout).unwrap_or(TIMEOUT.0).clamp(1, TIMEOUT.1);
    let stands = match (action, service) {
        (Action::Deny, _) => {
            let said = Fields::default()
                .with(Tag::Action, &[Action::Deny as u8])
                .with(Tag::By, POLICY.as_bytes())
                .with(Tag::Rule, rule.as_bytes());
            Stands::Denied(Said { kind: Kind::Answer, body: said }, is_counted)
        }
        (_, Some((address, question))) => {
            let limit = address.limit.min(Duration::from_secs(timeout.into()));
            Stands::Service(Address { limit, ..address }, Box::new(question), is_same)
        }
        _ if vouches && is_put => Stands::Passed,
        _ if vouches => Stands::Vouched,
        _ => Stands::Ask,
    };
    let text = |tag| crate::bytes::visible(body.one(tag).unwrap_or_default());
    let named = |name| {
        let value = asked.environment.value(name).unwrap_or_default();
        crate::bytes::visible(value.as_encoded_bytes())
    };
    let key = match is_own {
        true => own_key(&asked, is_counted, (peer.uid, &policy.digest)),
        false => asked.key(peer.uid, body.one(Tag::Policy).unwrap_or_default()),
    };
    let wanted = Wanted {
        key,
        // Where no program is started there are no commands that a yes could be one to.
        coverage: if asked.is_no_program() { Coverage::default() } else { coverage },
        exact: if asked.is_no_program() { vec![key] } else { whole(&asked, &facts) },
        about: About {
            command: asked.shown(),
            argv: plain(&asked),
            rule: text(Tag::Rule),
            message: text(Tag::Message),
            cwd: crate::bytes::visible(asked.cwd.get().unwrap_or_default()),
            uid: peer.uid,
            agent: named("RAMPART_AGENT"),
            session: named("RAMPART_SESSION"),
            effects,
        },
        timeout: u64::from(timeout) * 1000,
        fallback: body.one(Tag::Action) == Some(&[Action::Allow as u8]),
    };
    // What a program does itself was counted before it is asked about.
    let counts = if is_own { Vec::new() } else { counts };
    Weighed::Open(Box::new(Open { wanted, process, stands, counts }))
}

/// What an approval of something that a program does itself is bound to. Where a rule asks for the number
/// of calls, the person answers for all of that kind and not for the one that made the number full.
fn own_key(asked: &Asked, is_counted: bool, (uid, policy): (u32, &[u8])) -> Id {
    let kind = || Asked { path: None, url: None, cwd: None.into(), ..asked.clone() };
    if is_counted { kind().key(uid, policy) } else { asked.key(uid, policy) }
}

/// What a service is asked about the call.
fn question(asked: &Asked, request: &Request<'_>, verdict: &Verdict<'_>) -> Question {
    let text = crate::bytes::visible;
    Question {
        tool: text(request.tool),
        command: asked.masked(),
        shell: asked.as_shell(),
        cwd: text(asked.cwd.get().unwrap_or_default()),
        params: Vec::new(),
        agent: text(request.caller.agent),
        session: text(request.caller.session),
        policy: text(verdict.policy),
        rule: text(verdict.rule),
        effects: effects::told(&verdict.tree, &Around::of(request), None),
    }
}

/// Whose call it is: that of the process at the other end, or of the one for which it asks as its
/// supervisor; `None` if it may not. A supervisor is outside of guarded trees, and of the same user or
/// root. What is granted is granted to the process, and to nobody else.
fn on_behalf(body: Body<'_>, process: Process, peer: &Peer) -> Option<(Process, Peer)> {
    let Some(number) = body.number(Tag::Process) else {
        return Some((process, *peer));
    };
    let whose = Process::of(number)?;
    let user = whose.user()?;
    let may = (peer.uid == 0 || peer.uid == user) && guardian(process).is_none();
    may.then_some((whose, Peer { process: Some(whose), uid: user }))
}

/// What the process at the other end runs: the kernel says it.
fn covered(process: Process, peer: &Peer, brain: &mut Brain, policy: &InForce) -> Weighed {
    let Some(asked) = Asked::of_process(process) else {
        let body = Fields::default().with(Tag::Action, &[Action::Ask as u8]);
        return Weighed::Said(Said { kind: Kind::Answer, body });
    };
    let facts = brain.facts(&asked);
    let (coverage, _) = brain.judge(policy, (&asked, &facts), peer.asker(), |verdict, request| {
        Coverage::of(request, verdict, false)
    });
    let argv: Vec<&[u8]> = asked.argv.iter().map(Vec::as_slice).collect();
    Weighed::Covered(process, coverage, coverage::exact(&argv, asked.cwd.get()))
}

/// The arguments as text; empty if some are none, or hold a secret.
fn plain(asked: &Asked) -> Vec<String> {
    if asked.shown().contains("[masked]") {
        return Vec::new();
    }
    let words = asked.argv.iter().map(|word| String::from_utf8(word.clone()));
    words.collect::<Result<_, _>>().unwrap_or_default()
}

/// The ids of the whole call: as it was asked for, and as the kernel starts it if it is a script.
fn whole(asked: &Asked, facts: &Facts) -> Vec<Id> {
    let id = |asked: &Asked| {
        let argv: Vec<&[u8]> = asked.argv.iter().map(Vec::as_slice).collect();
        coverage::exact(&argv, asked.cwd.get())
    };
    [Some(id(asked)), started(asked, facts).map(|started| id(&started))]
        .into_iter()
        .flatten()
        .collect()
}

/// The call as the kernel starts it if it is a script (execve(2), "Interpreter scripts").
fn started(asked: &Asked, facts: &Facts) -> Option<Asked> {
    let interpreter = facts.interpreter.as_ref()?.as_encoded_bytes();
    let argument = facts.interpreter_arg.as_ref().map(|text| text.as_encoded_bytes());
    let words = [interpreter].into_iter().chain(argument).chain([asked.file.as_slice()]);
    let argv = words.map(<[u8]>::to_vec).chain(asked.argv.iter().skip(1).cloned()).collect();
    Some(Asked { file: interpreter.to_vec(), argv, ..asked.clone() })
}

/// `policy/rule`, or why there is none.
pub fn rule(verdict: &Verdict<'_>) -> String {
    let text = crate::bytes::visible;
    match (verdict.policy, verdict.rule) {
        (b"", b"") => verdict.reason.name().to_owned(),
        (policy, rule) => format!("{}/{}", text(policy), text(rule)),
    }
}
