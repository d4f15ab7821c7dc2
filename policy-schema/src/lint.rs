//! What a policy says that it probably does not mean: rules that can never answer, patterns that
//! can never match, settings without effect. Nothing here refuses a policy.
//!
//! The document says what is meant, the nodes beside it where that was written; a source without
//! errors has both in the same order.

mod patterns;
mod rules;
mod shadow;

use std::ops::Range;

use evaluator::Action;
use evaluator::image::format::by;

use crate::Layer;
use crate::diagnostic::{Diagnostic, Level, Source};
use crate::document::{Condition, Document, Policy};
use crate::yaml::{self, Kind, Node, range};

/// Looks at `sources`, the files of one layer, and the `documents` that were read from them without
/// an error. `now` is the time in seconds since the epoch, for rules that have expired. The
/// findings are warnings and notes, in file order.
#[must_use]
pub fn lint(
    sources: &[Source<'_>],
    documents: &[Document],
    layer: Layer,
    now: Option<u64>,
) -> Vec<Diagnostic> {
    let mut all = Vec::new();
    let mut steps = shadow::STEPS;
    for (source, document) in sources.iter().zip(documents) {
        let Ok(root) = yaml::parse(source) else {
            continue;
        };
        let mut lint =
            Lint { source, layer, now, policy: String::new(), by: by::AGENT, found: Vec::new() };
        lint.file(&root, document);
        for (policy, node) in document.policies.iter().zip(items(member(&root, "policies"))) {
            lint.policy(policy, node);
            lint.shadowed(policy, node, &mut steps);
        }
        lint.found.sort_by_key(|found| (found.line, found.column));
        all.append(&mut lint.found);
    }
    all
}

/// The findings in one source.
struct Lint<'s> {
    source: &'s Source<'s>,
    layer: Layer,
    now: Option<u64>,
    /// Name of the policy at hand.
    policy: String,
    /// Whose calls it is about.
    by: u32,
    found: Vec<Diagnostic>,
}

impl Lint<'_> {
    fn add(&mut self, level: Level, place: &Range<usize>, (code, message, help): Finding<'_>) {
        let found = Diagnostic::at(self.source, place, level, message.into_owned());
        self.found.push(found.help(help).code(code));
    }

    fn warn(&mut self, place: &Range<usize>, finding: Finding<'_>) {
        self.add(Level::Warning, place, finding);
    }

    fn note(&mut self, place: &Range<usize>, finding: Finding<'_>) {
        self.add(Level::Note, place, finding);
    }

    fn file(&mut self, root: &Node, document: &Document) {
        let whole = root.range.start..root.range.start + 1;
        if document.policies.is_empty() && document.default_action.is_none() && !takes_in(root) {
            let message = "the file says nothing: it has no policies and no default";
            self.warn(&whole, ("empty-file", message.into(), "add `policies:`"));
        }
        match (document.default_action, key(root, "default_action")) {
            (Some(Action::Allow), Some(place)) if self.layer != Layer::BuiltIn => {
                let message = "what no rule is about is allowed";
                let help = "meant so for rules that only forbid; `deny` turns it round";
                self.note(&place, ("default-allow", message.into(), help));
            }
            (None, _) if self.layer == Layer::User || self.layer == Layer::System => {
                let message = "no `default_action`: what no rule is about is answered by the \
                               layer below, and denied where there is none";
                self.note(&whole, ("no-default", message.into(), "state it, if that is not meant"));
            }
            _ => {}
        }
        let everything = |policy: &&Policy| {
            policy.enabled
                && policy.scope.tools.is_empty()
                && policy.scope.agent.is_none()
                && policy.scope.session.is_none()
                && policy.rules.first().is_some_and(|rule| {
                    rule.action == Action::Deny
                        && rule.condition == Condition::Always
                        && rule.expires_at.is_none()
                })
        };
        if let Some(policy) = document.policies.iter().find(everything)
            && document.policies.len() > 1
        {
            let message =
                format!("policy `{}` denies every call: no other can answer", policy.name.value);
            let help =
                "narrow it, or write `default_action: deny`, which other policies can grant from";
            self.warn(&policy.name.range, ("deny-all", message.into(), help));
        }
    }
}

/// A stable name for machines, the message, and what to do.
type Finding<'t> = (&'static str, std::borrow::Cow<'t, str>, &'t str);

/// Whether the file takes other files in, or states something else that has an effect alone.
fn takes_in(root: &Node) -> bool {
    let Kind::Map(entries) = &root.kind else {
        return false;
    };
    entries.iter().any(|(key, _)| !matches!(key.value.as_str(), "version" | "policies"))
}

/// The value of `key` in a mapping.
fn member<'n>(node: &'n Node, key: &str) -> Option<&'n Node> {
    let Kind::Map(entries) = &node.kind else {
        return None;
    };
    entries.iter().find(|(name, _)| name.value == key).map(|(_, value)| value)
}

/// Where `key` stands in a mapping.
fn key(node: &Node, key: &str) -> Option<Range<usize>> {
    let Kind::Map(entries) = &node.kind else {
        return None;
    };
    entries.iter().find(|(name, _)| name.value == key).map(|(name, _)| range(name.referenced))
}

/// The items of a list, or the one value.
fn items(node: Option<&Node>) -> &[Node] {
    match node {
        None => &[],
        Some(Node { kind: Kind::List(items), .. }) => items,
        Some(single) => std::slice::from_ref(single),
    }
}
