//! Reads a policy file's nodes into a [`Document`]: which keys there are, and what they may hold.
//! Rules and their conditions have modules of their own.

use std::ops::Range;

use evaluator::Action;
use evaluator::image::format::{by, pattern};

use crate::diagnostic::{Diagnostic, Source};
use crate::document::{
    At, Document, Enforce, Notify, Packs, Pattern, Policy, Record, Scope, TestCase,
};
use crate::reader::{Fields, Reader};
use crate::yaml::{self, Kind, Node};
use crate::{keys, limits, out_of_reach, read_exceptions, read_lists, read_rule};

/// The actions that a rule may have, with the deprecated spelling.
pub const ACTIONS: &[(&str, Action)] = &[
    ("allow", Action::Allow),
    ("watch", Action::Watch),
    ("log", Action::Watch),
    ("ask", Action::Ask),
    ("webhook", Action::Webhook),
    ("deny", Action::Deny),
];
/// What `default_action` may be.
pub const DEFAULTS: &[(&str, Action)] = &[
    ("allow", Action::Allow),
    ("watch", Action::Watch),
    ("log", Action::Watch),
    ("ask", Action::Ask),
    ("deny", Action::Deny),
];
/// What `on_too_complex` and `on_unparseable` may be.
pub const FALLBACKS: &[(&str, Action)] =
    &[("allow", Action::Allow), ("ask", Action::Ask), ("deny", Action::Deny)];
/// What `on_no_approver` may be.
pub const NO_APPROVER: &[(&str, Action)] = &[("allow", Action::Allow), ("deny", Action::Deny)];
/// What `record` may be.
pub const RECORDS: &[(&str, Record)] = &[("all", Record::All), ("notable", Record::Notable)];
/// What `enforce` may be.
pub const ENFORCED: &[(&str, Enforce)] =
    &[("interposer", Enforce::Interposer), ("best", Enforce::Best), ("kernel", Enforce::Kernel)];
/// What `match.by` may be.
pub const BY: &[(&str, u32)] = &[("agent", by::AGENT), ("program", by::PROGRAM), ("any", by::ANY)];
/// What `platform` of `notify` may be.
pub const PLATFORMS: &[&str] = &["auto", "slack", "discord", "teams", "openclaw", "webhook"];

/// Reads `source`. The document holds what could be read; it is good only if no finding is an
/// error.
#[must_use]
pub fn read(source: &Source<'_>) -> (Document, Vec<Diagnostic>) {
    let mut reader = Reader::new(*source);
    let document = match yaml::parse(source) {
        Ok(node) => document(&mut reader, &node),
        Err(found) => {
            reader.found.push(*found);
            Document::default()
        }
    };
    let mut found = reader.found;
    found.sort_by_key(|item| (item.line, item.column));
    // A mistake in a named list is found wherever the list is used.
    let mut seen = Vec::new();
    found.retain(|item| {
        let is_new = !seen.contains(item);
        if is_new {
            seen.push(item.clone());
        }
        is_new
    });
    (document, found)
}

fn document(reader: &mut Reader<'_>, node: &Node) -> Document {
    let mut document = Document::default();
    let Some(fields) = reader.fields(node, &keys::DOCUMENT) else {
        return document;
    };
    version(reader, &fields);
    document.default_action = fields.get("default_action").and_then(|node| {
        // The original takes it in any case and with blanks around it.
        let text = reader.text(node, "`default_action`")?;
        let plain = text.value.trim().to_ascii_lowercase();
        match DEFAULTS.iter().find(|(name, _)| *name == plain) {
            Some((_, action)) => Some(*action),
            None => reader.choice(node, "`default_action`", DEFAULTS),
        }
    });
    document.on_no_approver = setting(reader, &fields, "on_no_approver", NO_APPROVER);
    document.on_too_complex = setting(reader, &fields, "on_too_complex", FALLBACKS);
    document.on_unparseable = setting(reader, &fields, "on_unparseable", FALLBACKS);
    document.record = setting(reader, &fields, "record", RECORDS);
    document.enforce = setting(reader, &fields, "enforce", ENFORCED);
    document.out_of_reach = out_of_reach::read(reader, &fields);
    document.packs = fields.get("packs").and_then(|node| packs(reader, node));
    read_lists::read(reader, &fields);
    read_exceptions::read(reader, &fields, &mut document);
    if let Some(policies) = fields.get("policies") {
        for node in reader.list(policies, "`policies`") {
            document.policies.extend(policy(reader, node));
        }
    }
    read_lists::report_unused(reader, &fields);
    document.notify = fields.get("notify").and_then(|node| notify(reader, node));
    if let Some(tests) = fields.get("tests") {
        for node in reader.list(tests, "`tests`") {
            document.tests.extend(test_case(reader, node));
        }
    }
    document
}

/// Reports a version of the language that is not known.
pub fn version(reader: &mut Reader<'_>, fields: &Fields<'_>) {
    if let Some(version) = reader.optional(fields, "version")
        && !matches!(version.value.as_str(), "" | "1")
    {
        let message = format!("version `{}` of the policy language is not known", version.value);
        reader.error(&version.range, message, "write `version: \"1\"`");
    }
}

/// The value of a field that has a fixed set of values.
pub fn setting<T: Copy>(
    reader: &mut Reader<'_>,
    fields: &Fields<'_>,
    key: &str,
    choices: &[(&str, T)],
) -> Option<T> {
    let node = fields.get(key)?;
    reader.choice(node, &format!("`{key}`"), choices)
}

/// The text of a field; empty if it is absent.
pub fn string(reader: &mut Reader<'_>, fields: &Fields<'_>, key: &str) -> String {
    reader.optional(fields, key).map(|text| text.value).unwrap_or_default()
}

/// The shipped packs that the file takes in: `all`, or names.
fn packs(reader: &mut Reader<'_>, node: &Node) -> Option<Packs> {
    if matches!(&node.kind, Kind::Text(text) if text == "all") {
        return Some(Packs::All);
    }
    let mut names: Vec<At<String>> = Vec::new();
    for item in reader.items(node) {
        let Some(name) = reader.text(item, "a pack") else {
            continue;
        };
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if name.value.is_empty() || !name.value.chars().all(plain) || name.value == "all" {
            let help = "write `packs: all`, or names as in `packs: [git, databases]`";
            reader.error(&name.range, format!("`{}` is no name of a pack", name.value), help);
        } else if names.iter().any(|known| known.value == name.value) {
            reader.error(&name.range, format!("pack `{}` stands twice", name.value), "");
        } else {
            names.push(name);
        }
    }
    Some(Packs::Named(names))
}

fn policy(reader: &mut Reader<'_>, node: &Node) -> Option<Policy> {
    let fields = reader.fields(node, &keys::POLICY)?;
    let name = match reader.optional(&fields, "name") {
        Some(name) if !name.value.is_empty() => name,
        _ => {
            reader.error(&head(node), "a policy without a name", "add `name: what-it-guards`");
            At { value: String::new(), range: head(node) }
        }
    };
    let mut rules = Vec::new();
    match fields.get("rules") {
        Some(list) => {
            for (index, node) in reader.list(list, "`rules`").iter().enumerate() {
                rules.extend(read_rule::read(reader, node, index + 1));
            }
        }
        None => {
            let message = format!("policy `{}` has no rules", name.value);
            reader.warn(&name.range, message, "");
        }
    }
    let priority = fields
        .get("priority")
        .and_then(|node| reader.integer(node, "`priority`", -1_000_000_000..=1_000_000_000))
        .filter(|priority| *priority != 0)
        .unwrap_or(100);
    Some(Policy {
        name,
        description: string(reader, &fields, "description"),
        priority,
        enabled: reader.flag(&fields, "enabled").unwrap_or(true),
        scope: fields.get("match").map(|node| scope(reader, node)).unwrap_or_default(),
        rules,
    })
}

/// The first byte of a node that has no better place to point at.
pub fn head(node: &Node) -> Range<usize> {
    node.range.start..node.range.start + 1
}

fn scope(reader: &mut Reader<'_>, node: &Node) -> Scope {
    let mut scope = Scope::default();
    let Some(fields) = reader.fields(node, &keys::SCOPE) else {
        return scope;
    };
    scope.agent = glob_field(reader, &fields, "agent");
    scope.session = glob_field(reader, &fields, "session");
    scope.by = setting(reader, &fields, "by", BY).unwrap_or(by::AGENT);
    if let Some(tools) = fields.get("tool") {
        for node in read_lists::entries(reader, tools) {
            if let Some(text) = reader.text(&node, "a tool")
                && limits::check(reader, &text, pattern::GLOB)
            {
                scope.tools.push(glob(text.value));
            }
        }
    }
    scope
}

fn glob_field(reader: &mut Reader<'_>, fields: &Fields<'_>, key: &str) -> Option<Pattern> {
    let text = reader.optional(fields, key)?;
    if text.value.is_empty() || text.value == "*" {
        return None;
    }
    limits::check(reader, &text, pattern::GLOB).then(|| glob(text.value))
}

fn glob(text: String) -> Pattern {
    Pattern { class: pattern::GLOB, fold_case: false, text }
}

fn notify(reader: &mut Reader<'_>, node: &Node) -> Option<Notify> {
    let fields = reader.fields(node, &keys::NOTIFY)?;
    let platforms: Vec<(&str, &str)> = PLATFORMS.iter().map(|name| (*name, *name)).collect();
    let platform = setting(reader, &fields, "platform", &platforms).unwrap_or("auto");
    let mut on = Vec::new();
    if let Some(node) = fields.get("on") {
        for node in reader.items(node) {
            on.extend(reader.text(node, "`on`").map(|text| text.value));
        }
    }
    Some(Notify { url: string(reader, &fields, "url"), platform: platform.to_owned(), on })
}

/// Reads one test case.
pub fn test_case(reader: &mut Reader<'_>, node: &Node) -> Option<TestCase> {
    let fields = reader.fields(node, &keys::TEST)?;
    let mut params = Vec::new();
    if let Some(node) = fields.get("params") {
        for (key, _, node) in reader.map(node, "`params`")?.all() {
            params.push(((*key).to_owned(), reader.text(node, "a parameter")?.value));
        }
    }
    let Some(expect) = fields.get("expect") else {
        reader.error(&head(node), "a test case without `expect`", "add `expect: deny`");
        return None;
    };
    Some(TestCase {
        name: string(reader, &fields, "name"),
        tool: string(reader, &fields, "tool"),
        agent: string(reader, &fields, "agent"),
        params,
        expect: reader.choice(expect, "`expect`", ACTIONS)?,
        expect_message: string(reader, &fields, "expect_message"),
        range: head(node),
    })
}
