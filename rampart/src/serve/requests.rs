//! One request from a client, and what is to be said to it.

use super::approval::{Approval, POLICY, Scope, State};
use super::approvals::{Approvals, Outcome, Unresolved, Wanted};
use super::brain::{Brain, InForce};
use super::facts;
use super::once::Uses;
use super::passed::{EVALUATOR, Passed};
use super::peer::Peer;
use super::reports::{Said, answer, answered, listed, refused, report, unresolved_text};
use super::tallies;
use super::weigh::{Open, Stands, Weighed, is_about_its_process, is_heavy, weigh};
use crate::audit::record;
use crate::channel::Fields;
use crate::process::{Process, forbids_loosening};
use crate::webhook;
use evaluator::Action;
use evaluator::wire::{Body, Kind, Tag};
use serde_json::json;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// What comes of a request.
pub enum Handled {
    /// This is the answer.
    Now(Said),
    /// This is the answer, once what has changed is on the disk.
    Kept(Said),
    /// The client waits for a person.
    Parked,
    /// It is a lot to judge, and somebody else's work.
    Heavy,
    /// A service is to be asked, and then [`Desk::advised`].
    Service(Box<Open>),
    /// These events are to be recorded, in the log of this directory if one is named; the answer comes
    /// when they are durable.
    Record(Vec<Vec<u8>>, Option<PathBuf>),
    /// This is the answer, and these are the answers for others.
    Resolved(Said, Vec<(u64, Said)>),
}

/// Everything that requests are answered from.
pub struct Desk {
    /// The policy.
    pub policy: Arc<InForce>,
    /// Working memory.
    pub brain: Brain,
    /// What was asked and answered.
    pub approvals: Approvals,
    /// What its own verdict let go.
    pub passed: Passed,
    /// The process below which there is nothing but a guarded tree.
    pub host: Option<u32>,
    /// Whether root alone answers for others.
    pub root_answers: bool,
    /// Where this evaluator listens, for `status`.
    pub name: String,
    /// When it started, in milliseconds since the epoch.
    pub started: u64,
    /// How many requests were answered, by all threads.
    pub answered: Arc<AtomicU64>,
}

/// Milliseconds since the epoch.
pub fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or_default()
}

impl Desk {
    /// At work by `policy`, listening at `name`, with the list of `uses`; `host` as in the field.
    pub fn new(
        policy: InForce,
        (approvals, uses): (Approvals, Uses),
        name: String,
        host: Option<u32>,
    ) -> Self {
        Self {
            policy: Arc::new(policy),
            brain: Brain::counting(uses),
            approvals,
            passed: Passed::default(),
            host,
            root_answers: false,
            name,
            started: now(),
            answered: Arc::default(),
        }
    }

    /// Answers the request of `kind` with this body, which client `token` sent.
    pub fn handle(&mut self, kind: Kind, body: &[u8], peer: &Peer, token: u64) -> Handled {
        self.answered.fetch_add(1, Ordering::Relaxed);
        let body = match Body::read(body) {
            Ok(body) => body,
            Err(malformed) => return Handled::Now(refused(malformed.text())),
        };
        match (kind, peer.process) {
            (kind, None) if is_about_its_process(kind) => {
                Handled::Now(refused("the process that asks has gone"))
            }
            (Kind::Judge | Kind::Ask | Kind::Covered | Kind::Digest, _) => {
                if is_heavy(kind, body, peer) {
                    return Handled::Heavy;
                }
                let weighed = weigh(kind, body, peer, (&mut self.brain, &self.policy));
                self.conclude(weighed, token)
            }
            (Kind::Record, _) => {
                let log = body.one(Tag::Directory).map(|path| OsStr::from_bytes(path).into());
                Handled::Record(body.all(Tag::Event).map(<[u8]>::to_vec).collect(), log)
            }
            (Kind::Once, Some(process)) => {
                Handled::Now(facts::once(&self.brain.uses, body, (process, peer.uid)))
            }
            (Kind::Count, _) => Handled::Now(tallies::answer(&self.brain.tallies, body)),
            (Kind::Taint, _) => Handled::Now(self.brain.taints.answer(body)),
            (Kind::Resolve, Some(process)) => self.resolve(body, process, *peer),
            (kind, _) => Handled::Now(self.tell(kind, body, *peer)),
        }
    }

    /// Answers what was weighed for client `token`.
    pub fn conclude(&mut self, weighed: Weighed, token: u64) -> Handled {
        match weighed {
            Weighed::Said(said) => Handled::Now(said),
            Weighed::Open(open) => self.open(*open, token),
            Weighed::Covered(process, coverage, exact) => {
                match self.approvals.covering(process, &coverage, &exact) {
                    Some(id) => Handled::Kept(self.granted(id)),
                    None if self.passed.covers(process, &exact) => {
                        Handled::Now(answered(Action::Allow, EVALUATOR, ""))
                    }
                    None => {
                        let body = Fields::default().with(Tag::Action, &[Action::Ask as u8]);
                        Handled::Now(Said { kind: Kind::Answer, body })
                    }
                }
            }
        }
    }

    /// Answers a call that is not decided by the policy alone. What is a part of something that was
    /// let go before is no call of its own, and is not counted.
    fn open(&mut self, open: Open, token: u64) -> Handled {
        let Open { wanted, process, stands, counts } = open;
        let first = wanted.exact.first().copied().unwrap_or_default();
        let covering = self.approvals.covering(process, &wanted.coverage, &first);
        if let Some(id) = covering.filter(|_| !matches!(stands, Stands::Denied(_, false))) {
            return Handled::Kept(self.granted(id));
        }
        self.brain.count(counts, process);
        match stands {
            Stands::Denied(said, _) => Handled::Now(said),
            Stands::Passed => {
                self.passed.note(process, wanted.exact);
                Handled::Now(answered(Action::Allow, EVALUATOR, ""))
            }
            Stands::Vouched => self.vouch(wanted, (process, POLICY)),
            Stands::Ask => self.ask(wanted, process, token),
            Stands::Service(..) => {
                Handled::Service(Box::new(Open { wanted, process, stands, counts: Vec::new() }))
            }
        }
    }

    /// Answers a call about which a service was asked. Its no, and a failure that the rule does not
    /// let pass, are final; its yes is for the policy that the asker has, or a person has a say, too. It may
    /// also want a person to say it.
    pub fn advised(&mut self, open: Open, answer: webhook::Answer, token: u64) -> Handled {
        let Open { mut wanted, process, stands, .. } = open;
        let Stands::Service(address, _, is_enough) = stands else {
            return Handled::Now(refused("nobody was asked"));
        };
        let settled = answer.settle(address.fail_open);
        match (settled.end, is_enough) {
            (webhook::End::Permitted, true) => self.vouch(wanted, (process, settled.by)),
            (webhook::End::Permitted, false) => self.ask(wanted, process, token),
            (webhook::End::Asked, _) => {
                wanted.about.message = asked_for(&wanted.about.message, &settled.why);
                self.ask(wanted, process, token)
            }
            (webhook::End::Denied, _) => {
                let mut said = answered(Action::Deny, settled.by, "");
                said.body.add(Tag::Message, settled.why.as_bytes());
                Handled::Now(said)
            }
        }
    }

    fn vouch(&mut self, wanted: Wanted, on_whose: (Process, &str)) -> Handled {
        let id = self.approvals.vouch(wanted, on_whose, (record::new_id(), now()));
        Handled::Kept(self.granted(id))
    }

    fn ask(&mut self, wanted: Wanted, process: Process, token: u64) -> Handled {
        match self.approvals.ask(wanted, process, token, (record::new_id(), now())) {
            Outcome::Parked => Handled::Parked,
            Outcome::Granted(id) => Handled::Kept(self.granted(id)),
            outcome => Handled::Kept(answer(&outcome, false)),
        }
    }

    /// The answer for who goes ahead on an approval.
    fn granted(&self, id: String) -> Said {
        let approval = self.approvals.get(&id);
        let by = match approval.map(|approval| (approval.state, approval.by.as_str())) {
            Some((State::Expired, _)) => "on_no_approver",
            Some((_, by)) if [POLICY, webhook::SERVICE, webhook::FAIL_OPEN].contains(&by) => by,
            _ => "approver",
        };
        answered(Action::Allow, by, &id)
    }

    fn tell(&self, kind: Kind, body: Body<'_>, peer: Peer) -> Said {
        match kind {
            Kind::List => {
                let all = self.approvals.pending().filter(|one| may_see(one, peer));
                report(&all.map(listed).collect())
            }
            Kind::Why => self.why(body, peer),
            Kind::Status => report(&json!({
                "socket": self.name,
                "pid": std::process::id(),
                "uptime_s": now().saturating_sub(self.started) / 1000,
                "requests": self.answered.load(Ordering::Relaxed),
                "pending": self.approvals.count_pending(),
            })),
            _ => refused("an answer is no request"),
        }
    }

    fn resolve(&mut self, body: Body<'_>, process: Process, peer: Peer) -> Handled {
        let now = now();
        if let Some(why) = forbids_loosening(process, self.host) {
            return Handled::Now(refused(&format!(
                "this process may not answer for others: {why}; a person can, from a terminal \
                 outside of it"
            )));
        }
        if self.root_answers && peer.uid != 0 {
            return Handled::Now(refused("only root answers here; use sudo"));
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

/// What a person is told whom a service has asked for, beside what the rule says.
pub fn asked_for(message: &str, why: &str) -> String {
    let said = match why {
        "" => "the service wants a person to decide".to_owned(),
        why => format!("the service wants a person to decide: {why}"),
    };
    if message.is_empty() { said } else { format!("{message} ({said})") }
}

/// A user sees and answers what is their own; root everything.
fn may_see(approval: &Approval, peer: Peer) -> bool {
    peer.uid == 0 || approval.about.uid == peer.uid
}
