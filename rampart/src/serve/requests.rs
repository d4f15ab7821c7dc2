//! One packet from a client, and what is to be said to it.

use super::approval::{About, Approval, Scope, State};
use super::approvals::{Approvals, Outcome, Unresolved, Wanted};
use super::coverage::{self, Coverage};
use crate::asked::Asked;
use crate::audit::record;
use crate::channel::{Fields, Packet};
use crate::launch::program::Facts;
use crate::process::{Process, forbids_loosening};
use crate::verdict::judge::Judge;
use crate::verdict::world::FileSystem;
use evaluator::wire::{Body, Kind, Tag};
use evaluator::{Action, Verdict};
use policy_schema::time;
use serde_json::{Value, json};
use std::time::{SystemTime, UNIX_EPOCH};

/// How long an asker waits if it does not say, and at most, in seconds.
const TIMEOUT: (u32, u32) = (120, 24 * 3600);

/// Who is at the other end, on the kernel's word.
#[derive(Clone, Copy, Debug)]
pub struct Peer {
    /// The process that connected, for requests that are about it ([`is_about_its_process`]).
    pub process: Option<Process>,
    /// Its user.
    pub uid: u32,
}

/// Whether the answer depends on which process asks. Finding that out for good costs more than a
/// verdict.
pub const fn is_about_its_process(kind: Kind) -> bool {
    matches!(kind, Kind::Ask | Kind::Covered | Kind::Resolve)
}

/// What is said to a client.
#[derive(Debug)]
pub struct Said {
    /// Kind of the packet.
    pub kind: Kind,
    /// Its body.
    pub body: Fields,
}

/// What comes of a request.
pub enum Handled {
    /// This is the answer.
    Now(Said),
    /// The client waits for a person.
    Parked,
    /// This is the answer, and these are the answers for others.
    Resolved(Said, Vec<(u64, Said)>),
}

/// Everything that requests are answered from.
pub struct Desk<'p> {
    /// The policy.
    pub judge: Judge<'p>,
    /// What was asked and answered.
    pub approvals: Approvals,
    /// The process below which there is nothing but a guarded tree.
    pub host: Option<u32>,
    /// Where this evaluator listens, for `status`.
    pub name: String,
    /// When it started, in milliseconds since the epoch.
    pub started: u64,
    /// How many requests were answered.
    pub answered: u64,
}

/// Milliseconds since the epoch.
pub fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or_default()
}

/// What an answered approval means to somebody who waits for it.
pub fn answer(outcome: &Outcome, expired: bool) -> Said {
    let (action, by, id) = match outcome {
        Outcome::Granted(id) if expired => (Action::Allow, "on_no_approver", id.as_str()),
        Outcome::Granted(id) => (Action::Allow, "approver", id.as_str()),
        Outcome::Denied(id) if expired => (Action::Ask, "expired", id.as_str()),
        Outcome::Denied(id) => (Action::Deny, "approver", id.as_str()),
        // No approver: the asker's own policy says what that comes to.
        Outcome::Full | Outcome::Parked => (Action::Ask, "full", ""),
    };
    let body = Fields::default()
        .with(Tag::Action, &[action as u8])
        .with(Tag::By, by.as_bytes())
        .with(Tag::Approval, id.as_bytes());
    Said { kind: Kind::Answer, body }
}

/// A refusal.
pub fn refused(why: &str) -> Said {
    Said { kind: Kind::Refused, body: Fields::default().with(Tag::Text, why.as_bytes()) }
}

fn report(value: &Value) -> Said {
    let text = value.to_string();
    Said { kind: Kind::Report, body: Fields::default().with(Tag::Text, text.as_bytes()) }
}

impl Desk<'_> {
    /// Answers `packet`, which client `token` sent.
    pub fn handle(&mut self, packet: &Packet, peer: Peer, token: u64) -> Handled {
        self.answered += 1;
        let body = match Body::read(&packet.body) {
            Ok(body) => body,
            Err(malformed) => return Handled::Now(refused(malformed.text())),
        };
        match (packet.kind, peer.process) {
            (kind, None) if is_about_its_process(kind) => {
                Handled::Now(refused("the process that asks has gone"))
            }
            (Kind::Ask, Some(process)) => self.ask(body, (process, peer.uid), token),
            (Kind::Covered, Some(process)) => Handled::Now(self.covered(process)),
            (Kind::Resolve, Some(process)) => self.resolve(body, process, peer),
            (kind, _) => Handled::Now(self.answer_anybody(kind, body, peer)),
        }
    }

    fn answer_anybody(&mut self, kind: Kind, body: Body<'_>, peer: Peer) -> Said {
        match kind {
            Kind::Judge => self.judge(&Asked::read(body)),
            Kind::List => {
                let all = self.approvals.pending().filter(|one| may_see(one, peer));
                report(&all.map(listed).collect())
            }
            Kind::Why => self.why(body, peer),
            Kind::Status => report(&json!({
                "socket": self.name,
                "pid": std::process::id(),
                "uptime_s": now().saturating_sub(self.started) / 1000,
                "requests": self.answered,
                "pending": self.approvals.pending().count(),
            })),
            _ => refused("an answer is no request"),
        }
    }

    fn verdict<R>(
        &mut self,
        asked: &Asked,
        facts: &Facts,
        tell: impl FnOnce(&Verdict<'_>, &evaluator::Request<'_>) -> R,
    ) -> R {
        let judge = &mut self.judge;
        asked.with_request(facts, |request| {
            judge.judge(request, &FileSystem::default(), |verdict, _| tell(verdict, request))
        })
    }

    /// The policy's verdict, and nobody is asked.
    fn judge(&mut self, asked: &Asked) -> Said {
        self.verdict(asked, &asked.facts(), |verdict, _| {
            let rule = rule(verdict);
            let body = Fields::default()
                .with(Tag::Action, &[verdict.action as u8])
                .with(Tag::By, verdict.reason.name().as_bytes())
                .with(Tag::Rule, rule.as_bytes())
                .with(Tag::Message, verdict.message);
            Said { kind: Kind::Answer, body }
        })
    }

    /// A person is to be asked. Our own policy has its say first: what it denies is denied.
    fn ask(&mut self, body: Body<'_>, (process, uid): (Process, u32), token: u64) -> Handled {
        let asked = Asked::read(body);
        let facts = asked.facts();
        let (coverage, denied) = self.verdict(&asked, &facts, |verdict, request| {
            let denied = (verdict.action == Action::Deny).then(|| rule(verdict));
            (Coverage::of(request, verdict), denied)
        });
        if let Some(rule) = denied {
            let body = Fields::default()
                .with(Tag::Action, &[Action::Deny as u8])
                .with(Tag::By, b"policy")
                .with(Tag::Rule, rule.as_bytes());
            return Handled::Now(Said { kind: Kind::Answer, body });
        }
        let exact = whole(&asked, &facts);
        let first = exact.first().copied().unwrap_or_default();
        if let Some(id) = self.approvals.covering(process, &coverage, &first) {
            return Handled::Now(self.granted(id));
        }
        let text = |tag| crate::bytes::visible(body.one(tag).unwrap_or_default());
        let named = |name| {
            let value = asked.environment.value(name).unwrap_or_default();
            crate::bytes::visible(value.as_encoded_bytes())
        };
        let timeout = body.number(Tag::Timeout).unwrap_or(TIMEOUT.0).clamp(1, TIMEOUT.1);
        let wanted = Wanted {
            key: asked.key(uid, body.one(Tag::Policy).unwrap_or_default()),
            coverage,
            exact,
            about: About {
                command: asked.shown(),
                rule: text(Tag::Rule),
                message: text(Tag::Message),
                cwd: crate::bytes::visible(asked.cwd.as_deref().unwrap_or_default()),
                uid,
                agent: named("RAMPART_AGENT"),
                session: named("RAMPART_SESSION"),
            },
            timeout: u64::from(timeout) * 1000,
            fallback: body.one(Tag::Action) == Some(&[Action::Allow as u8]),
        };
        match self.approvals.ask(wanted, process, token, (record::new_id(), now())) {
            Outcome::Parked => Handled::Parked,
            Outcome::Granted(id) => Handled::Now(self.granted(id)),
            outcome => Handled::Now(answer(&outcome, false)),
        }
    }

    /// Whether the process at the other end goes ahead on an approval: what it is, the kernel says.
    fn covered(&mut self, process: Process) -> Said {
        let id = Asked::of_process(process).and_then(|asked| {
            let facts = asked.facts();
            let coverage =
                self.verdict(&asked, &facts, |verdict, request| Coverage::of(request, verdict));
            let argv: Vec<&[u8]> = asked.argv.iter().map(Vec::as_slice).collect();
            let exact = coverage::exact(&argv, asked.cwd.as_deref());
            self.approvals.covering(process, &coverage, &exact)
        });
        match id {
            Some(id) => self.granted(id),
            None => {
                let body = Fields::default().with(Tag::Action, &[Action::Ask as u8]);
                Said { kind: Kind::Answer, body }
            }
        }
    }

    /// The answer for who goes ahead on an approval.
    fn granted(&self, id: String) -> Said {
        let is_over =
            self.approvals.get(&id).is_some_and(|approval| approval.state == State::Expired);
        answer(&Outcome::Granted(id), is_over)
    }

    fn resolve(&mut self, body: Body<'_>, process: Process, peer: Peer) -> Handled {
        let now = now();
        if let Some(why) = forbids_loosening(process, self.host) {
            return Handled::Now(refused(&format!(
                "this process may not answer for others: {why}; a person can, from a terminal \
                 outside of it"
            )));
        }
        let scope = match body.one(Tag::Scope) {
            Some(b"once") => Some(Scope::Once),
            Some(b"always") => Some(Scope::Always),
            Some(b"for") => {
                let seconds = body.number(Tag::Duration).unwrap_or(0);
                Some(Scope::Until(now.saturating_add(u64::from(seconds) * 1000)))
            }
            Some(b"deny") => None,
            _ => return Handled::Now(refused("the scope is none of once, for, always and deny")),
        };
        let wanted = String::from_utf8_lossy(body.one(Tag::Approval).unwrap_or_default());
        if self.approvals.get(&wanted).is_some_and(|approval| !may_see(approval, peer)) {
            return Handled::Now(refused("it is another user's"));
        }
        let by = format!("uid {} (pid {})", peer.uid, process.pid);
        match self.approvals.resolve(&wanted, scope, &by, now) {
            Ok((id, replies)) => {
                let replies = replies
                    .into_iter()
                    .map(|(token, outcome)| (token, answer(&outcome, false)))
                    .collect();
                let said = match self.approvals.get(&id) {
                    Some(approval) => report(&listed(approval)),
                    None => refused("it is gone"),
                };
                Handled::Resolved(said, replies)
            }
            Err(unresolved) => Handled::Now(refused(&unresolved_text(&wanted, &unresolved))),
        }
    }

    fn why(&self, body: Body<'_>, peer: Peer) -> Said {
        let wanted = String::from_utf8_lossy(body.one(Tag::Approval).unwrap_or_default());
        let found = if wanted.is_empty() {
            self.approvals.all().filter(|one| may_see(one, peer)).last()
        } else {
            self.approvals.get(&wanted).filter(|one| may_see(one, peer))
        };
        match found {
            Some(approval) => report(&listed(approval)),
            None => refused(&unresolved_text(&wanted, &Unresolved::Unknown)),
        }
    }
}

/// A user sees and answers what is their own; root everything.
fn may_see(approval: &Approval, peer: Peer) -> bool {
    peer.uid == 0 || approval.about.uid == peer.uid
}

/// The ids of the whole call: as it was asked for, and as the kernel starts it if it is a script.
fn whole(asked: &Asked, facts: &Facts) -> Vec<coverage::Id> {
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

fn unresolved_text(wanted: &str, unresolved: &Unresolved) -> String {
    let wanted = crate::bytes::visible(wanted.as_bytes());
    match unresolved {
        Unresolved::Unknown => format!("there is no approval `{wanted}`"),
        Unresolved::Ambiguous => {
            format!("several approvals end with `{wanted}`; give more of the id")
        }
        Unresolved::Over(State::Pending) => format!("`{wanted}` is pending"),
        Unresolved::Over(State::Expired) => format!("`{wanted}` has expired"),
        Unresolved::Over(State::Approved) => format!("`{wanted}` was approved already"),
        Unresolved::Over(State::Denied) => format!("`{wanted}` was denied already"),
    }
}

/// An approval as JSON, for `pending` and `why`.
fn listed(approval: &Approval) -> Value {
    let about = &approval.about;
    let time = |ms: u64| time::format_timestamp(ms / 1000);
    let scope = match approval.scope {
        Some(Scope::Until(end)) => json!({"until": time(end)}),
        Some(Scope::Once) => json!("once"),
        Some(Scope::Always) => json!("always"),
        None => Value::Null,
    };
    let is_pending = approval.state == State::Pending;
    json!({
        "id": approval.id,
        "state": approval.state,
        "command": about.command,
        "rule": about.rule,
        "message": about.message,
        "cwd": about.cwd,
        "uid": about.uid,
        "agent": about.agent,
        "session": about.session,
        "created_at": time(approval.created),
        "expires_at": time(approval.expires),
        "waiting": approval.waiting.len(),
        "scope": scope,
        "resolved_at": (!is_pending).then(|| time(approval.resolved)),
        "resolved_by": (!is_pending).then_some(&approval.by),
        "used": approval.used.len(),
    })
}
