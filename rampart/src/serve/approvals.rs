//! Approvals: what was asked, how it was answered, who has used the answer. Pure: the time is an
//! argument, and what has to be on disk before anybody hears of it is a list of changed ones.

use super::approval::{About, Approval, LINGER, Scope, State, Used, Waiting};
use super::coverage::{Coverage, Id};
use crate::process::Process;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

/// Most approvals that may be pending at a time.
pub const MOST_PENDING: usize = 1000;

/// How long answered approvals are kept for `rampart why`, in milliseconds.
const KEPT: u64 = 24 * 3600 * 1000;

/// How many approvals are kept if nothing else needs them.
const MOST_KEPT: usize = 10_000;

/// How often one process may use one approval: it needs it once, and again if the evaluator was
/// restarted meanwhile. More is a loop.
const USES: u32 = 8;

/// What somebody wants to be asked.
pub struct Wanted {
    /// Bound to this.
    pub key: Id,
    /// What it would run.
    pub coverage: Coverage,
    /// The whole call, as the kernel may start it.
    pub exact: Vec<Id>,
    /// For people.
    pub about: About,
    /// How long the asker waits, in milliseconds.
    pub timeout: u64,
    /// Whether the asker goes ahead if nobody answers (`on_no_approver`).
    pub fallback: bool,
}

/// What comes of asking.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Go ahead, on this approval.
    Granted(String),
    /// Do not, on this one.
    Denied(String),
    /// Wait.
    Parked,
    /// Too many wait already.
    Full,
}

/// Why an approval cannot be answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unresolved {
    /// There is none of that id.
    Unknown,
    /// The end of an id that several have.
    Ambiguous,
    /// It was answered, or has expired.
    Over(State),
}

/// An answer for a client that waits: which client, yes or no, and on which approval.
pub type Reply = (u64, Outcome);

/// All approvals.
#[derive(Debug, Default)]
pub struct Approvals {
    all: BTreeMap<String, Approval>,
    latest: HashMap<Id, String>,
    users: HashMap<Process, Vec<String>>,
    /// Those that are pending, the next to expire first.
    open: BTreeSet<(u64, String)>,
    changed: Vec<String>,
}

impl Approvals {
    /// Those that were kept. What was used in another boot covers nobody any more.
    pub fn restored(kept: Vec<Approval>, same_boot: bool) -> Self {
        let mut approvals = Self::default();
        for mut approval in kept {
            if !same_boot {
                approval.used.clear();
            }
            let Some(key) = approval.key.first().copied() else { continue };
            for used in &approval.used {
                let process = Process { pid: used.pid, start: used.start };
                approvals.users.entry(process).or_default().push(approval.id.clone());
            }
            if approval.state == State::Pending {
                approvals.open.insert((approval.expires, approval.id.clone()));
            }
            let newer = approvals.latest.get(&key).is_none_or(|id| *id <= approval.id);
            if newer {
                approvals.latest.insert(key, approval.id.clone());
            }
            approvals.all.insert(approval.id.clone(), approval);
        }
        approvals
    }

    /// Whether `process`, or one that it descends from, goes ahead on an approval that covers
    /// what it runs: then the id.
    pub fn covering(&self, process: Process, coverage: &Coverage, exact: &Id) -> Option<String> {
        if self.users.is_empty() {
            return None;
        }
        for ancestor in process.with_ancestors() {
            for id in self.users.get(&ancestor).into_iter().flatten() {
                let covers = self.all.get(id).map(|approval| approval.covers.as_slice());
                let covers = covers.unwrap_or_default();
                // The whole call is the process's own; its children are judged by their commands.
                let is_call = ancestor == process && covers.contains(exact);
                if is_call || coverage.is_within(covers) {
                    return Some(id.clone());
                }
            }
        }
        None
    }

    /// `process`, which client `token` speaks for, asks.
    pub fn ask(
        &mut self,
        wanted: Wanted,
        process: Process,
        token: u64,
        (id, now): (String, u64),
    ) -> Outcome {
        if let Some(known) = self.latest.get(&wanted.key).cloned()
            && let Some(outcome) = self.answered(&known, process, token, &wanted, now)
        {
            return outcome;
        }
        let is_full = self.open.len() >= MOST_PENDING;
        if is_full && !wanted.fallback {
            return Outcome::Full;
        }
        let (key, fallback) = (wanted.key, wanted.fallback);
        let mut approval = Approval::new(id.clone(), wanted, now);
        approval.waiting.push(Waiting { token, process, fallback });
        if is_full {
            // Nobody will be asked; what runs all the same must be known as covered.
            approval.state = State::Expired;
            approval.resolved = now;
            approval.waiting.clear();
            self.latest.insert(key, id.clone());
            self.all.insert(id.clone(), approval);
            return self.grant(&id, process);
        }
        self.latest.insert(key, id.clone());
        self.changed.push(id.clone());
        self.open.insert((approval.expires, id.clone()));
        self.all.insert(id, approval);
        Outcome::Parked
    }

    /// Notes that `process` goes ahead without a person, on the word of `by`. Returns the id.
    pub fn vouch(
        &mut self,
        wanted: Wanted,
        (process, by): (Process, &str),
        (id, now): (String, u64),
    ) -> String {
        let approval = Approval {
            state: State::Approved,
            scope: Some(Scope::Once),
            by: by.to_owned(),
            resolved: now,
            ..Approval::new(id.clone(), wanted, now)
        };
        // Another process is another call: it is judged anew.
        self.all.insert(id.clone(), approval);
        self.grant(&id, process);
        id
    }

    /// What an approval of the same call says; `None` if it has to be asked for again.
    fn answered(
        &mut self,
        id: &str,
        process: Process,
        token: u64,
        wanted: &Wanted,
        now: u64,
    ) -> Option<Outcome> {
        let approval = self.all.get_mut(id)?;
        match approval.state {
            State::Pending => {
                let later = now.saturating_add(wanted.timeout);
                if later > approval.expires {
                    self.open.remove(&(approval.expires, id.to_owned()));
                    approval.expires = later;
                    self.open.insert((later, id.to_owned()));
                }
                approval.waiting.push(Waiting { token, process, fallback: wanted.fallback });
                self.changed.push(id.to_owned());
                Some(Outcome::Parked)
            }
            State::Denied if now < approval.resolved.saturating_add(LINGER) => {
                Some(Outcome::Denied(id.to_owned()))
            }
            State::Approved if approval.holds_for(process, now) => Some(self.grant(id, process)),
            State::Expired if approval.has_used(process) => Some(self.grant(id, process)),
            State::Approved | State::Denied | State::Expired => None,
        }
    }

    /// Notes that `process` goes ahead on the approval.
    fn grant(&mut self, id: &str, process: Process) -> Outcome {
        let Some(approval) = self.all.get_mut(id) else {
            return Outcome::Denied(id.to_owned());
        };
        let is_same = |used: &&mut Used| used.pid == process.pid && used.start == process.start;
        if let Some(used) = approval.used.iter_mut().find(is_same) {
            used.times += 1;
            if used.times >= USES {
                return Outcome::Denied(id.to_owned());
            }
            return Outcome::Granted(id.to_owned());
        }
        approval.used.push(Used { pid: process.pid, start: process.start, times: 1 });
        approval.spent |= approval.scope == Some(Scope::Once);
        self.users.entry(process).or_default().push(id.to_owned());
        self.changed.push(id.to_owned());
        Outcome::Granted(id.to_owned())
    }

    /// Answers the approval whose id ends with `wanted`: yes as far as `scope` says, or no.
    /// Returns its id and the answers for those who wait.
    ///
    /// # Errors
    /// If there is no such one to be answered; nothing has changed then.
    pub fn resolve(
        &mut self,
        wanted: &str,
        scope: Option<Scope>,
        by: &str,
        now: u64,
    ) -> Result<(String, Vec<Reply>), Unresolved> {
        let id = self.find(wanted)?;
        let approval = self.all.get_mut(&id).ok_or(Unresolved::Unknown)?;
        if approval.state != State::Pending {
            return Err(Unresolved::Over(approval.state));
        }
        self.open.remove(&(approval.expires, id.clone()));
        approval.state = if scope.is_some() { State::Approved } else { State::Denied };
        approval.scope = scope;
        approval.by = by.to_owned();
        approval.resolved = now;
        let waiting = std::mem::take(&mut approval.waiting);
        self.changed.push(id.clone());
        let replies = waiting.into_iter().map(|one| match scope {
            Some(_) => (one.token, self.grant(&id, one.process)),
            None => (one.token, Outcome::Denied(id.clone())),
        });
        let replies = replies.collect();
        Ok((id, replies))
    }

    /// The whole id of the approval that `wanted` is the end of, in any case.
    fn find(&self, wanted: &str) -> Result<String, Unresolved> {
        let wanted = wanted.to_ascii_uppercase();
        if self.all.contains_key(&wanted) {
            return Ok(wanted);
        }
        if wanted.len() < 4 {
            return Err(Unresolved::Unknown);
        }
        let ends = || self.all.values().filter(|approval| approval.id.ends_with(&wanted));
        let mut pending = ends().filter(|approval| approval.state == State::Pending);
        match (pending.next(), pending.next()) {
            (Some(_), Some(_)) => Err(Unresolved::Ambiguous),
            (Some(only), None) => Ok(only.id.clone()),
            (None, _) => ends()
                .next_back()
                .map_or(Err(Unresolved::Unknown), |approval| Ok(approval.id.clone())),
        }
    }

    /// The approval that `wanted` is the end of the id of.
    pub fn get(&self, wanted: &str) -> Option<&Approval> {
        self.find(wanted).ok().and_then(|id| self.all.get(&id))
    }

    /// The approval of the same call that was asked for last.
    pub fn latest(&self, key: &Id) -> Option<&Approval> {
        self.all.get(self.latest.get(key)?)
    }

    /// Those that are pending, oldest first.
    pub fn pending(&self) -> impl Iterator<Item = &Approval> {
        self.all.values().filter(|approval| approval.state == State::Pending)
    }

    /// How many are pending.
    pub fn count_pending(&self) -> usize {
        self.open.len()
    }

    /// Ends those whose time is up. Returns the answers for those who wait.
    pub fn expire(&mut self, now: u64) -> Vec<Reply> {
        let mut replies = Vec::new();
        while self.open.first().is_some_and(|(expires, _)| *expires <= now) {
            let Some((_, id)) = self.open.pop_first() else { break };
            let Some(approval) = self.all.get_mut(&id) else { continue };
            approval.state = State::Expired;
            approval.resolved = now;
            self.changed.push(id.clone());
            for one in std::mem::take(&mut approval.waiting) {
                replies.push(match one.fallback {
                    true => (one.token, self.grant(&id, one.process)),
                    false => (one.token, Outcome::Denied(id.clone())),
                });
            }
        }
        replies
    }

    /// When the next one expires, in milliseconds since the epoch.
    pub fn next_expiry(&self) -> Option<u64> {
        self.open.first().map(|(expires, _)| *expires)
    }

    /// Forgets what nobody needs any more: answered a day ago, and used by nobody who lives.
    pub fn forget(&mut self, now: u64) {
        self.users.retain(|process, _| process.is_alive());
        let needed: HashSet<&String> = self.users.values().flatten().collect();
        let may_go = |approval: &&Approval| {
            approval.state != State::Pending
                && !approval.outlasts(now)
                && !needed.contains(&approval.id)
        };
        // Ids are in the order of time.
        let surplus = self.all.len().saturating_sub(MOST_KEPT);
        let idle = self.all.values().filter(may_go).enumerate();
        let old: Vec<String> = idle
            .filter(|(index, one)| *index < surplus || one.resolved.saturating_add(KEPT) < now)
            .map(|(_, one)| one.id.clone())
            .collect();
        for id in &old {
            self.all.remove(id);
        }
        self.latest.retain(|_, latest| self.all.contains_key(latest));
    }

    /// A client has gone. What it asked for stays pending: it may come again.
    pub fn leave(&mut self, token: u64) {
        for approval in self.all.values_mut() {
            approval.waiting.retain(|waiting| waiting.token != token);
        }
    }

    /// The approvals that changed since this was last called, as they are now.
    pub fn changes(&mut self) -> Vec<&Approval> {
        let changed: BTreeSet<String> = self.changed.drain(..).collect();
        changed.iter().filter_map(|id| self.all.get(id)).collect()
    }

    /// Every approval.
    pub fn all(&self) -> impl Iterator<Item = &Approval> {
        self.all.values()
    }
}

#[cfg(test)]
mod tests;
