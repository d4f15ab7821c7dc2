//! What the library cannot find out by itself, answered without judging anything: its own policy
//! says what it comes to.

use super::once::{self, SharedUses};
use super::reports::{Said, refused};
use crate::channel::Fields;
use crate::process::Process;
use crate::verdict::digests;
use evaluator::Action;
use evaluator::wire::{Body, Kind, Tag};
use std::os::fd::AsFd;
use std::sync::PoisonError;

/// The digest of a file where `process`, which asks, would find it; nothing if that cannot be known.
pub fn digest(body: Body<'_>, process: Process) -> Said {
    let below = |path| digests::below(process.open("root")?.as_fd(), path);
    // The number may be another process's by now.
    let found = body.one(Tag::File).and_then(below).filter(|_| process.is_alive());
    let body = match &found {
        Some(digest) => Fields::default().with(Tag::Sha256, digest),
        None => Fields::default(),
    };
    Said { kind: Kind::Answer, body }
}

/// Whether `process`, which asks, may use what holds once; with the scope `once`, it uses it up.
/// Only the helper may do that: it stands in the place of the one call, and becomes it.
pub fn once(uses: &SharedUses, body: Body<'_>, (process, uid): (Process, u32)) -> Said {
    let ends = body.one(Tag::Ends).and_then(|bytes| bytes.try_into().ok()).map(u64::from_le_bytes);
    let (Some(policy), Some(rule), Some(ends)) = (body.one(Tag::Owner), body.one(Tag::Rule), ends)
    else {
        return refused("it does not say what is to be used");
    };
    let key = once::key(uid, policy, rule, ends);
    let mut uses = uses.lock().unwrap_or_else(PoisonError::into_inner);
    let action = match body.one(Tag::Scope) {
        None => uses.look(&key, process),
        Some(b"once") if process.runs_what_we_run() && uses.take(&key, process) => Action::Allow,
        Some(_) => Action::Deny,
    };
    let body = Fields::default().with(Tag::Action, &[action as u8]);
    Said { kind: Kind::Answer, body }
}
