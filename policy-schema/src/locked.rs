//! What of a layer holds even where somebody chose another policy in its place: the rules that the
//! system's policy locks, and nothing else of the files that they stand in.

use evaluator::image::format::exception;
use evaluator::{Image, image::format::Section};

use crate::document::{Condition, Document, Policy, Rule, RuleName};

/// The rules that an image locks.
#[must_use]
pub fn locks(image: &Image<'_>) -> Vec<RuleName> {
    let text = |at, len| image.text(at, len).map(|text| String::from_utf8_lossy(text).into_owned());
    let named = |index| {
        let entry = image.exception(index).filter(|entry| entry.kind == exception::LOCK)?;
        let rule = text(entry.rule, entry.rule_len)?;
        Some(RuleName {
            policy: text(entry.policy, entry.policy_len)?,
            rule: (!rule.is_empty()).then_some(rule),
            range: 0..0,
        })
    };
    (0..image.count(Section::Exceptions)).filter_map(named).collect()
}

/// `documents` without everything but the rules that `locks` name, and the locks of their own.
pub fn only_locked(documents: &[Document], locks: &[RuleName]) -> Vec<Document> {
    let kept = |document: &Document| Document {
        lock: document.lock.clone(),
        policies: document.policies.iter().filter_map(|policy| of_policy(policy, locks)).collect(),
        ..Document::default()
    };
    documents.iter().map(kept).collect()
}

/// A rule before a locked one that grants is an exception from it, since the first rule of a policy
/// that holds answers. It stays as that, and grants nothing by itself.
fn of_policy(policy: &Policy, locks: &[RuleName]) -> Option<Policy> {
    let is_locked = |rule: &Rule| {
        let is_it = |lock: &RuleName| lock.rule.as_ref().is_none_or(|name| *name == rule.name);
        locks.iter().any(|lock| lock.policy == policy.name.value && is_it(lock))
    };
    let mut before: Vec<Condition> = Vec::new();
    let mut rules = Vec::new();
    for rule in &policy.rules {
        let mut rule = rule.clone();
        if is_locked(&rule) {
            rule.condition = excepting(rule.condition, &before);
            rules.push(rule);
        } else if !rule.action.is_restrictive() && is_plain(&rule) {
            before.push(rule.condition);
        }
    }
    (!rules.is_empty()).then(|| Policy { rules, ..policy.clone() })
}

/// Whether a rule holds now, always and before a call.
fn is_plain(rule: &Rule) -> bool {
    let response = |part: &Condition| matches!(part, Condition::Response { .. });
    !rule.once && rule.expires_at.is_none() && !rule.condition.any_part(&response)
}

fn excepting(condition: Condition, exceptions: &[Condition]) -> Condition {
    if exceptions.is_empty() {
        return condition;
    }
    let mut all = vec![condition];
    all.extend(exceptions.iter().map(|one| Condition::Not(Box::new(one.clone()))));
    Condition::All(all)
}
