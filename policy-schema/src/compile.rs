//! Documents to the bytes of an image. One image is one layer: the files of a layer are joined
//! here, layers stay apart.
//!
//! The bytes depend on nothing but the sources and the options, so that two builds of a policy
//! can be compared.

mod count;
mod exceptions;
mod header;
mod webhook;

use std::collections::BTreeMap;

use evaluator::Action;
use evaluator::image::format::{
    self, Header, NO_CONDITION, NodeRecord, PatternRecord, PolicyRecord, RuleRecord, node,
    rule_flag,
};

use crate::diagnostic::{Diagnostic, Level, Source};
use crate::document::{Condition, Document, Pattern, Policy, Rule, RuleName};
use crate::examples::{self, Placed};
use crate::index::{Frequencies, Index, alternatives, flows, placement};
use crate::locked::only_locked;
use crate::sections::{Sections, write_image};
use crate::{Layer, Options, checks, needs, out_of_reach, read_policy};
use header::header;

/// A compiled layer and what it was made from.
#[derive(Clone, Debug)]
pub struct Compiled {
    /// The image.
    pub image: Vec<u8>,
    /// Its files, in order.
    pub documents: Vec<Document>,
    /// What is probably not as meant.
    pub warnings: Vec<Diagnostic>,
}

/// Compiles the files of one layer to an image.
///
/// # Errors
/// Every mistake in the files: syntax, keys, values, limits, repeated names, failing examples.
pub fn compile(sources: &[Source<'_>], options: &Options) -> Result<Vec<u8>, Vec<Diagnostic>> {
    compile_with_warnings(sources, options).map(|compiled| compiled.image)
}

/// The same with warnings and the typed documents.
///
/// # Errors
/// As [`compile`]; the list then holds the warnings too.
pub fn compile_with_warnings(
    sources: &[Source<'_>],
    options: &Options,
) -> Result<Compiled, Vec<Diagnostic>> {
    let (documents, mut found) = read_all(sources, options)?;
    let (image, placed) = Builder::build(sources, &documents, options);
    if options.run_examples {
        found.append(&mut examples::run(sources, &placed, &image));
    }
    if is_error(&found) {
        return Err(found);
    }
    Ok(Compiled { image, documents, warnings: found })
}

/// Compiles what of the files of a layer nobody can do without: the rules that they lock, or that
/// `locks` name, and the locks themselves. `None` if there is no such thing.
///
/// # Errors
/// As [`compile`], examples apart: they are about the whole files.
pub fn compile_locked(
    sources: &[Source<'_>],
    options: &Options,
    locks: &[RuleName],
) -> Result<Option<Vec<u8>>, Vec<Diagnostic>> {
    let (documents, _) = read_all(sources, options)?;
    let own = documents.iter().flat_map(|document| &document.lock);
    let locks: Vec<RuleName> = own.chain(locks).cloned().collect();
    let documents = only_locked(&documents, &locks);
    let is_empty = |document: &Document| document.policies.is_empty() && document.lock.is_empty();
    if documents.iter().all(is_empty) {
        return Ok(None);
    }
    // The image is another one than that of the whole files, and so is its digest.
    let names: String = locks.iter().map(|lock| format!("{lock:?}\n")).collect();
    let mut all = sources.to_vec();
    all.push(Source { name: "locks", text: names.as_bytes() });
    Ok(Some(Builder::build(&all, &documents, options).0))
}

fn is_error(found: &[Diagnostic]) -> bool {
    found.iter().any(|item| item.level == Level::Error)
}

/// The documents of a layer, and what is probably not as meant.
fn read_all(
    sources: &[Source<'_>],
    options: &Options,
) -> Result<(Vec<Document>, Vec<Diagnostic>), Vec<Diagnostic>> {
    let (mut documents, mut found) = (Vec::with_capacity(sources.len()), Vec::new());
    for source in sources {
        let (document, mut findings) = read_policy::read(source);
        found.append(&mut findings);
        documents.push(document);
    }
    out_of_reach::make_rules(&mut documents);
    checks::repeated_names(sources, &documents, &mut found);
    if options.layer == Layer::Project {
        checks::project_limits(sources, &documents, &mut found);
    }
    checks::exceptions(sources, &documents, options.layer, &mut found);
    if is_error(&found) { Err(found) } else { Ok((documents, found)) }
}

/// The policies that are in force, each with the index of its source, as they are looked at.
fn in_order(documents: &[Document]) -> Vec<(usize, &Policy)> {
    let all = documents.iter().enumerate();
    let all =
        all.flat_map(|(source, document)| document.policies.iter().map(move |it| (source, it)));
    let mut policies: Vec<_> = all.filter(|(_, policy)| policy.enabled).collect();
    policies.sort_by_key(|(_, policy)| policy.priority);
    policies
}

/// Where each rule of `documents` stands in their image.
pub fn placed(documents: &[Document]) -> Vec<Placed<'_>> {
    let rules = in_order(documents)
        .into_iter()
        .flat_map(|(source, policy)| policy.rules.iter().map(move |rule| (source, policy, rule)));
    (0..)
        .zip(rules)
        .map(|(number, (source, policy, rule))| Placed { source, policy, rule, number })
        .collect()
}

/// An image that stands for the standard policy which its reader has compiled in.
#[must_use]
pub fn stand_in() -> Vec<u8> {
    let header = Header { features: format::feature::STANDARD, ..Header::default() };
    write_image(header, &Sections::default())
}

/// The sections of an image while they grow.
#[derive(Default)]
struct Builder {
    sections: Sections,
    runs: BTreeMap<Vec<(u8, bool, String)>, u32>,
    index: Index,
    frequencies: Frequencies,
    /// Whether the allows of the file at hand are an operator's own.
    operator: bool,
}

impl Builder {
    fn build<'d>(
        sources: &[Source<'_>],
        documents: &'d [Document],
        options: &Options,
    ) -> (Vec<u8>, Vec<Placed<'d>>) {
        let mut builder = Self::default();
        for (_, policy) in in_order(documents) {
            policy.rules.iter().for_each(|rule| builder.frequencies.count(&rule.condition));
        }
        for (source, policy) in in_order(documents) {
            builder.operator = sources.get(source).is_some_and(|it| options.is_operator(it));
            builder.policy(policy);
        }
        for document in documents {
            builder.exceptions(document);
        }
        builder.sections.place(&builder.index);
        let header = header(sources, documents, options);
        (write_image(header, &builder.sections), placed(documents))
    }

    fn policy(&mut self, policy: &Policy) {
        let (name, name_len) = self.sections.text(policy.name.value.as_bytes());
        let optional = |builder: &mut Self, pattern: &Option<Pattern>| {
            pattern
                .as_ref()
                .map_or(0, |pattern| builder.patterns(std::slice::from_ref(pattern)) + 1)
        };
        let record = PolicyRecord {
            name,
            name_len,
            agent: optional(self, &policy.scope.agent),
            session: optional(self, &policy.scope.session),
            tools: self.patterns(&policy.scope.tools),
            tools_len: count(policy.scope.tools.len()),
            rules: count(self.sections.rules.len()),
            rules_len: count(policy.rules.len()),
            by: policy.scope.by,
        };
        self.sections.gate.add(policy);
        self.sections.policies.push(record);
        for rule in &policy.rules {
            self.rule(rule);
        }
    }

    fn rule(&mut self, rule: &Rule) {
        let number = count(self.sections.rules.len());
        let response = rule.condition.any_part(&|part| matches!(part, Condition::Response { .. }));
        let (name, name_len) = self.sections.text(rule.name.as_bytes());
        let (message, message_len) = self.sections.text(rule.message.as_bytes());
        let mut flags = if response { rule_flag::RESPONSE } else { 0 };
        if rule.once {
            flags |= rule_flag::ONCE;
        }
        if self.operator && rule.action == Action::Allow {
            flags |= rule_flag::OPERATOR;
        }
        if rule.condition.any_part(&Condition::looks_at_text) {
            flags |= rule_flag::TEXT;
        }
        if !rule.condition.any_part(&Condition::looks_at_commands) {
            flags |= if rule.condition.any_part(&Condition::looks_at_either) {
                rule_flag::EITHER
            } else {
                rule_flag::REQUEST_ONLY
            };
        }
        let root = match &rule.condition {
            Condition::Always => NO_CONDITION,
            condition => self.root(condition),
        };
        // Before a call there is no response that could match, whatever else holds.
        if !response {
            self.file(number, root, rule);
        }
        self.sections.rules.push(RuleRecord {
            policy: count(self.sections.policies.len().saturating_sub(1)),
            name,
            name_len,
            message,
            message_len,
            node: root,
            action: rule.action as u8,
            flags,
            severity: rule.severity,
            taint: rule.taint,
            expires_at: rule.expires_at.unwrap_or(0),
        });
        if let Some(webhook) = rule.webhook.as_ref().filter(|_| rule.action == Action::Webhook) {
            self.webhook(number, webhook);
        }
    }

    /// Files a rule under the programs that it can hold for. A grant stays whole, so that "every
    /// command is matched" is counted on one condition.
    fn file(&mut self, number: u32, root: u32, rule: &Rule) {
        let alternatives = if rule.action == Action::Allow {
            vec![rule.condition.clone()]
        } else {
            alternatives(&rule.condition)
        };
        for (set, keys) in placement(&alternatives, &self.frequencies) {
            let part = if set.len() == alternatives.len() {
                root
            } else {
                let chosen = set.iter().filter_map(|index| alternatives.get(*index));
                self.root(&Condition::Any(chosen.cloned().collect()))
            };
            for key in keys {
                self.index.add(&key, number, part);
            }
        }
    }

    /// Adds `condition` as a tree of its own and returns its root.
    fn root(&mut self, condition: &Condition) -> u32 {
        let root = self.reserve(1);
        self.node(root, condition);
        root
    }

    /// Makes room for `nodes` nodes side by side and returns the first.
    fn reserve(&mut self, nodes: usize) -> u32 {
        let first = self.sections.nodes.len();
        self.sections.nodes.resize(first + nodes, NodeRecord::default());
        count(first)
    }

    /// Writes `condition` into the reserved node `at`.
    fn node(&mut self, at: u32, condition: &Condition) {
        let record = match condition {
            Condition::Always => plain(node::ALWAYS),
            Condition::All(parts) => self.group(node::ALL, parts),
            Condition::Any(parts) => self.group(node::ANY, parts),
            Condition::Not(part) => self.group(node::NOT, std::slice::from_ref(part)),
            Condition::Matches { node, flags, patterns } => {
                self.sections.note(*node, *flags);
                NodeRecord {
                    kind: *node,
                    flags: *flags,
                    reserved: 0,
                    first: self.patterns(patterns),
                    count: count(patterns.len()),
                    number: 0,
                }
            }
            Condition::Tainted(set) => NodeRecord { number: (*set).into(), ..plain(node::TAINTED) },
            Condition::Written => plain(node::WRITTEN),
            Condition::Inside(set) => NodeRecord { number: *set, ..plain(node::INSIDE) },
            Condition::Target(set) => NodeRecord { number: set.0, ..plain(node::TARGET) },
            Condition::Fact(set) => NodeRecord { number: set.0, ..plain(node::COMMAND_FACT) },
            Condition::Effects(set) => NodeRecord { number: *set, ..plain(node::EFFECTS) },
            Condition::Sql(set) => NodeRecord { number: *set, ..plain(node::SQL) },
            Condition::AgentDepth { compare, depth } => {
                NodeRecord { flags: *compare, number: *depth, ..plain(node::AGENT_DEPTH) }
            }
            Condition::CallCount { tool, at_least, window } => {
                self.call_count(tool.as_deref(), *at_least, *window)
            }
            Condition::Response { matching, not_matching } => self.response(matching, not_matching),
        };
        self.put(at, record);
    }

    /// The output matches one of `matching`, if there are any, and none of `not_matching`.
    fn response(&mut self, matching: &[String], not_matching: &[String]) -> NodeRecord {
        let first = self.reserve(3);
        let (some, not, none) = (first, first + 1, first + 2);
        let mut regexes = |at: u32, texts: &[String]| {
            let of = |class, text| Pattern { class, fold_case: false, text };
            let with_needs = |text: &String| {
                let needs = of(format::pattern::SUBSTRING, needs::of(text));
                [of(format::pattern::REGEX, text.clone()), needs]
            };
            let patterns: Vec<Pattern> = texts.iter().flat_map(with_needs).collect();
            let record = NodeRecord {
                first: self.patterns(&patterns),
                count: count(patterns.len()),
                ..plain(node::RESPONSE)
            };
            self.put(at, record);
        };
        regexes(some, matching);
        regexes(none, not_matching);
        if matching.is_empty() {
            self.put(some, plain(node::ALWAYS));
        }
        self.put(not, NodeRecord { first: none, count: 1, ..plain(node::NOT) });
        NodeRecord { first: some, count: 2, ..plain(node::ALL) }
    }

    fn put(&mut self, at: u32, record: NodeRecord) {
        if let Some(slot) = self.sections.nodes.get_mut(at as usize) {
            *slot = record;
        }
    }

    /// Parts side by side, the cheapest first: the order decides nothing but the work.
    fn group(&mut self, kind: u8, parts: &[Condition]) -> NodeRecord {
        let first = self.reserve(parts.len());
        let mut parts: Vec<&Condition> = parts.iter().collect();
        parts.sort_by_key(|part| part.cost());
        for (offset, part) in parts.iter().enumerate() {
            self.node(first + count(offset), part);
        }
        let number = u32::from(kind == node::ALL && parts.iter().any(|it| flows(it)));
        NodeRecord { first, count: count(parts.len()), number, ..plain(kind) }
    }

    /// Adds a run of patterns, or finds the same run again, and returns its first.
    fn patterns(&mut self, patterns: &[Pattern]) -> u32 {
        let key = patterns
            .iter()
            .map(|pattern| (pattern.class, pattern.fold_case, pattern.text.clone()))
            .collect();
        if let Some(first) = self.runs.get(&key) {
            return *first;
        }
        let first = count(self.sections.patterns.len());
        for pattern in patterns {
            let (text, len) = self.sections.text(pattern.text.as_bytes());
            self.sections.patterns.push(PatternRecord {
                class: pattern.class,
                flags: if pattern.fold_case { format::FOLD_CASE } else { 0 },
                key: self.frequencies.key(pattern),
                text,
                len,
            });
        }
        self.runs.insert(key, first);
        first
    }
}

fn plain(kind: u8) -> NodeRecord {
    NodeRecord { kind, ..NodeRecord::default() }
}

/// A length as the format stores it. Sources are at most a few megabytes, so nothing that was
/// read from them can have four billion parts.
fn count(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}
