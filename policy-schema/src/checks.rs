//! What the files of a layer may not be together, or in that layer.

use std::collections::BTreeMap;

use evaluator::Action;

use crate::Layer;
use crate::diagnostic::{Diagnostic, Level, Source};
use crate::document::Document;

/// Reports policies of the same name: which one answered could not be told.
pub fn repeated_names(sources: &[Source<'_>], documents: &[Document], found: &mut Vec<Diagnostic>) {
    let mut seen: BTreeMap<&str, &str> = BTreeMap::new();
    for (source, document) in sources.iter().zip(documents) {
        for policy in document.policies.iter().filter(|policy| !policy.name.value.is_empty()) {
            let name = policy.name.value.as_str();
            if let Some(first) = seen.insert(name, source.name) {
                let message = format!("policy `{name}` stands twice, first in {first}");
                let help = "give it another name, or join their rules";
                found.push(
                    Diagnostic::at(source, &policy.name.range, Level::Error, message).help(help),
                );
            }
        }
    }
}

/// Reports what a project's file may not do: it comes with code that nobody has looked at yet.
pub fn project_limits(sources: &[Source<'_>], documents: &[Document], found: &mut Vec<Diagnostic>) {
    for (source, document) in sources.iter().zip(documents) {
        for rule in document.policies.iter().flat_map(|policy| &policy.rules) {
            if rule.action == Action::Webhook {
                let message = "a project's policy may not call webhooks".to_owned();
                let help = "move the rule into your own policy, or write `action: ask`";
                found.push(Diagnostic::at(source, &rule.range, Level::Error, message).help(help));
            }
        }
    }
}

/// Reports `disable` where a layer may not loosen, `lock` where a layer may not bind, and what one
/// layer both switches off and locks.
pub fn exceptions(
    sources: &[Source<'_>],
    documents: &[Document],
    layer: Layer,
    found: &mut Vec<Diagnostic>,
) {
    let may_disable = matches!(layer, Layer::System | Layer::User);
    let locks = || documents.iter().flat_map(|document| &document.lock);
    for (source, document) in sources.iter().zip(documents) {
        let mut report = |range: &std::ops::Range<usize>, message: &str, help: &str| {
            found.push(Diagnostic::at(source, range, Level::Error, message.to_owned()).help(help));
        };
        for name in document.disable.iter().map(|entry| &entry.name) {
            if !may_disable {
                let help = "move it into your own policy or /etc/rampart/policy.d";
                report(
                    &name.range,
                    "only the user's and the system's policy may disable a rule",
                    help,
                );
            } else if locks().any(|lock| {
                lock.policy == name.policy && (lock.rule.is_none() || lock.rule == name.rule)
            }) {
                report(&name.range, "the same policy locks this rule", "remove one of the two");
            }
        }
        for name in &document.lock {
            if layer != Layer::System {
                let help = "move it into a file of /etc/rampart/policy.d";
                report(&name.range, "only the system's policy may lock a rule", help);
            }
        }
    }
}
