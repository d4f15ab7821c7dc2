//! `out_of_reach`: paths that are nobody's business in a guarded tree. Each becomes rules as somebody would
//! write them, so that every entrance holds them; `rampart run` also has the kernel hold what it can.

use std::ops::Range;

use evaluator::image::format::{NO_CONDITION, by, node, pattern};
use evaluator::{Action, Image};

use crate::document::{At, Condition, Document, Examples, Pattern, Policy, Rule, Scope};
use crate::limits;
use crate::read_patterns::pattern_of;
use crate::reader::{Fields, Reader};

/// The policy that the paths become, for what agents ask for.
pub const NAME: &str = "out-of-reach";

/// The same for what running programs do themselves.
pub const OF_PROGRAMS: &str = "out-of-reach-programs";

/// What a call of a running program does with a path.
const TOOLS: [&str; 3] = ["read", "write", "delete"];

/// Reads the paths; what is no literal path is reported and left out.
pub fn read(reader: &mut Reader<'_>, fields: &Fields<'_>) -> Vec<At<String>> {
    let Some(node) = fields.get("out_of_reach") else { return Vec::new() };
    let mut paths = Vec::new();
    for node in reader.list(node, "`out_of_reach`") {
        let Some(path) = reader.text(node, "a path of `out_of_reach`") else { continue };
        if let Some((what, help)) = mistake(&path.value) {
            let message = format!("`{}` {what}", path.value);
            reader.error(&path.range, message, help);
        } else {
            let below = At { value: below(&path.value), range: path.range.clone() };
            if limits::check(reader, &below, pattern::PATH_GLOB) {
                paths.push(path);
            }
        }
    }
    paths
}

fn mistake(path: &str) -> Option<(&'static str, &'static str)> {
    let rest = path.strip_prefix("~/").or_else(|| path.strip_prefix('/'));
    let is_whole = |part: &str| !matches!(part, "" | "." | "..");
    if path.contains(['*', '?', '[', '{', '\\']) {
        Some((
            "is a pattern, and `out_of_reach` takes paths as they are",
            "name the directory: all below it is meant, too; for patterns write a rule",
        ))
    } else if rest.is_none_or(|rest| !rest.split('/').all(is_whole)) {
        Some((
            "is no path for `out_of_reach`",
            "start with `/` or `~/`, and write it without `.`, `..`, `//` and a slash at the end",
        ))
    } else {
        None
    }
}

fn below(path: &str) -> String {
    format!("{path}/**")
}

/// Adds what the paths in `documents`, the files of one layer, come to: two policies in the first file that
/// names some.
pub fn make_rules(documents: &mut [Document]) {
    let named = documents.iter().flat_map(|document| &document.out_of_reach);
    let patterns: Vec<Pattern> = named
        .flat_map(|path| [path.value.clone(), below(&path.value)])
        .map(|text| pattern_of(&text, pattern::PATH_GLOB, false))
        .collect();
    let first = documents.iter_mut().find(|document| !document.out_of_reach.is_empty());
    let Some(document) = first else { return };
    let range = document.out_of_reach.first().map_or(0..0, |path| path.range.clone());
    let is = |node, flags| Condition::Matches { node, flags, patterns: patterns.clone() };
    let of_agents = [
        ("path", is(node::PATH, 0)),
        (
            "command",
            Condition::Any(vec![
                is(node::OPERAND, 1),
                is(node::READS, 0),
                is(node::WRITES, 0),
                is(node::EXE_PATH, node::EXE_SURE),
            ]),
        ),
    ];
    let of_programs = [("path", is(node::PATH, 0))];
    document.policies.push(policy(NAME, Scope::default(), (of_agents, &range)));
    let glob = |text: &str| pattern_of(text, pattern::GLOB, false);
    let tools = TOOLS.iter().map(|tool| glob(tool)).collect();
    let scope = Scope { tools, by: by::PROGRAM, ..Scope::default() };
    document.policies.push(policy(OF_PROGRAMS, scope, (of_programs, &range)));
}

fn policy(
    name: &str,
    scope: Scope,
    (rules, range): (impl IntoIterator<Item = (&'static str, Condition)>, &Range<usize>),
) -> Policy {
    let rule = |(name, condition): (&str, Condition)| Rule {
        name: name.to_owned(),
        description: String::new(),
        action: Action::Deny,
        condition,
        message: "The policy puts this path out of reach (`out_of_reach`).".to_owned(),
        severity: 3,
        techniques: Vec::new(),
        examples: Examples::default(),
        expires_at: None,
        once: false,
        taint: 0,
        ask_audit: false,
        ask_headless_only: false,
        webhook: None,
        range: range.clone(),
    };
    Policy {
        name: At { value: name.to_owned(), range: range.clone() },
        description: "What `out_of_reach` names.".to_owned(),
        priority: 100,
        enabled: true,
        scope,
        rules: rules.into_iter().map(rule).collect(),
    }
}

/// The paths that `image` puts out of reach, as they were written.
#[must_use]
pub fn paths(image: &Image<'_>) -> Vec<Vec<u8>> {
    let mut paths = Vec::new();
    for policy in (0..).map_while(|index| image.policy(index)) {
        if image.text(policy.name, policy.name_len) != Some(OF_PROGRAMS.as_bytes()) {
            continue;
        }
        let rule = image.rule(policy.rules).filter(|rule| rule.node != NO_CONDITION);
        let node = rule.and_then(|rule| image.node(rule.node));
        let Some(node) = node.filter(|node| node.kind == node::PATH) else { continue };
        let texts = (0..node.count).filter_map(|at| Some(image.pattern(node.first + at)?.1));
        paths.extend(texts.filter(|text| !text.ends_with(b"/**")).map(<[u8]>::to_vec));
    }
    paths
}
