//! What the files of a layer may not be together, or in that layer.

use std::collections::BTreeMap;

use evaluator::Action;

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
