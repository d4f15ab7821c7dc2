//! Reads a policy file's nodes into a [`Document`]: which keys there are, and what they may hold.
//! Conditions have a module of their own.

use std::ops::Range;

use evaluator::Action;
use evaluator::image::format::pattern;

use crate::diagnostic::{Diagnostic, Source};
use crate::document::{
    At, Condition, Document, Example, Examples, Notify, Pattern, Policy, Record, Rule, Scope,
    TestCase, Webhook,
};
use crate::reader::{Fields, Reader};
use crate::yaml::{self, Node};
use crate::{limits, read_condition, time};

const DOCUMENT: &[&str] = &[
    "version",
    "default_action",
    "on_no_approver",
    "on_too_complex",
    "on_unparseable",
    "record",
    "policies",
    "notify",
    "tests",
];
const POLICY: &[&str] = &[
    "name",
    "description",
    "priority",
    "enabled",
    "match",
    "rules",
];
const SCOPE: &[&str] = &["agent", "session", "tool"];
const RULE: &[&str] = &[
    "name",
    "description",
    "action",
    "when",
    "message",
    "severity",
    "technique",
    "examples",
    "expires_at",
    "once",
    "added",
    "ask",
    "webhook",
];
const RULE_HINTS: &[(&str, &str)] = &[
    ("match", "`match` belongs to the policy; a rule says `when`"),
    ("reason", "write `message`"),
    ("require_approval", "write `action: ask`"),
];

/// The actions that a rule may have, with the deprecated spelling.
const ACTIONS: &[(&str, Action)] = &[
    ("allow", Action::Allow),
    ("watch", Action::Watch),
    ("log", Action::Watch),
    ("ask", Action::Ask),
    ("webhook", Action::Webhook),
    ("deny", Action::Deny),
];
const DEFAULTS: &[(&str, Action)] = &[
    ("allow", Action::Allow),
    ("watch", Action::Watch),
    ("log", Action::Watch),
    ("ask", Action::Ask),
    ("deny", Action::Deny),
];
const FALLBACKS: &[(&str, Action)] = &[
    ("allow", Action::Allow),
    ("ask", Action::Ask),
    ("deny", Action::Deny),
];
const NO_APPROVER: &[(&str, Action)] = &[("allow", Action::Allow), ("deny", Action::Deny)];
const SEVERITIES: &[(&str, u8)] = &[("low", 1), ("medium", 2), ("high", 3), ("critical", 4)];
const RECORDS: &[(&str, Record)] = &[("all", Record::All), ("notable", Record::Notable)];
const PLATFORMS: &[&str] = &["auto", "slack", "discord", "teams", "openclaw", "webhook"];

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
    (document, reader.found)
}

fn document(reader: &mut Reader<'_>, node: &Node) -> Document {
    let mut document = Document::default();
    let Some(fields) = reader.fields(node, "a policy file", DOCUMENT, &[]) else {
        return document;
    };
    if let Some(version) = reader.optional(&fields, "version")
        && !matches!(version.value.as_str(), "" | "1")
    {
        let message = format!(
            "version `{}` of the policy language is not known",
            version.value
        );
        reader.error(&version.range, message, "write `version: \"1\"`");
    }
    document.default_action = setting(reader, &fields, "default_action", DEFAULTS);
    document.on_no_approver = setting(reader, &fields, "on_no_approver", NO_APPROVER);
    document.on_too_complex = setting(reader, &fields, "on_too_complex", FALLBACKS);
    document.on_unparseable = setting(reader, &fields, "on_unparseable", FALLBACKS);
    document.record = setting(reader, &fields, "record", RECORDS);
    if let Some(policies) = fields.get("policies") {
        for node in reader.list(policies, "`policies`") {
            document.policies.extend(policy(reader, node));
        }
    }
    document.notify = fields.get("notify").and_then(|node| notify(reader, node));
    if let Some(tests) = fields.get("tests") {
        for node in reader.list(tests, "`tests`") {
            document.tests.extend(test_case(reader, node));
        }
    }
    document
}

/// The value of a field that has a fixed set of values.
fn setting<T: Copy>(
    reader: &mut Reader<'_>,
    fields: &Fields<'_>,
    key: &str,
    choices: &[(&str, T)],
) -> Option<T> {
    let node = fields.get(key)?;
    reader.choice(node, &format!("`{key}`"), choices)
}

fn string(reader: &mut Reader<'_>, fields: &Fields<'_>, key: &str) -> String {
    reader
        .optional(fields, key)
        .map(|text| text.value)
        .unwrap_or_default()
}

fn policy(reader: &mut Reader<'_>, node: &Node) -> Option<Policy> {
    let fields = reader.fields(
        node,
        "a policy",
        POLICY,
        &[("when", "`when` belongs to a rule")],
    )?;
    let name = match reader.optional(&fields, "name") {
        Some(name) if !name.value.is_empty() => name,
        _ => {
            reader.error(
                &head(node),
                "a policy without a name",
                "add `name: what-it-guards`",
            );
            At {
                value: String::new(),
                range: head(node),
            }
        }
    };
    let mut rules = Vec::new();
    match fields.get("rules") {
        Some(list) => {
            for (index, node) in reader.list(list, "`rules`").iter().enumerate() {
                rules.extend(rule(reader, node, index + 1));
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
        scope: fields
            .get("match")
            .map(|node| scope(reader, node))
            .unwrap_or_default(),
        rules,
    })
}

/// The first byte of a node that has no better place to point at.
fn head(node: &Node) -> Range<usize> {
    node.range.start..node.range.start + 1
}

fn scope(reader: &mut Reader<'_>, node: &Node) -> Scope {
    let mut scope = Scope::default();
    let Some(fields) = reader.fields(node, "`match`", SCOPE, &[]) else {
        return scope;
    };
    scope.agent = glob_field(reader, &fields, "agent");
    scope.session = glob_field(reader, &fields, "session");
    if let Some(tools) = fields.get("tool") {
        for node in reader.items(tools) {
            if let Some(text) = reader.text(node, "a tool")
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
    Pattern {
        class: pattern::GLOB,
        fold_case: false,
        text,
    }
}

fn action(reader: &mut Reader<'_>, node: &Node) -> Option<Action> {
    let text = reader.text(node, "`action`")?;
    if text.value == "require_approval" {
        reader.error(
            &text.range,
            "`require_approval` is no action",
            "write `action: ask`",
        );
        return None;
    }
    if text.value == "log" {
        reader.warn(
            &text.range,
            "action `log` is the old name of `watch`",
            "write `action: watch`",
        );
    }
    reader.choice(node, "`action`", ACTIONS)
}

fn rule(reader: &mut Reader<'_>, node: &Node, position: usize) -> Option<Rule> {
    let fields = reader.fields(node, "a rule", RULE, RULE_HINTS)?;
    let action = match fields.get("action") {
        Some(node) => action(reader, node),
        None => {
            let help = "add `action:` allow, watch, ask, webhook or deny";
            reader.error(&head(node), "a rule without an action", help);
            None
        }
    };
    // A rule without a valid action is read on, so that its other mistakes are found too.
    let action = action.unwrap_or(Action::Deny);
    let condition = match fields.get("when") {
        Some(when) => read_condition::read(reader, when, action.is_restrictive())?,
        None => Condition::Always,
    };
    let ask = fields
        .get("ask")
        .and_then(|node| reader.fields(node, "`ask`", &["audit", "headless_only"], &[]));
    let mut ask_flag = |key| {
        ask.as_ref()
            .and_then(|ask| reader.flag(ask, key))
            .unwrap_or(false)
    };
    let (ask_audit, ask_headless_only) = (ask_flag("audit"), ask_flag("headless_only"));
    if let Some(added) = reader.optional(&fields, "added") {
        point_in_time(reader, &added, "`added`");
    }
    let expires_at = reader
        .optional(&fields, "expires_at")
        .and_then(|text| point_in_time(reader, &text, "`expires_at`"));
    let name = string(reader, &fields, "name");
    Some(Rule {
        name: if name.is_empty() {
            position.to_string()
        } else {
            name
        },
        description: string(reader, &fields, "description"),
        action,
        condition,
        message: string(reader, &fields, "message"),
        severity: setting(reader, &fields, "severity", SEVERITIES).unwrap_or(0),
        techniques: techniques(reader, &fields),
        examples: examples(reader, &fields),
        expires_at,
        once: reader.flag(&fields, "once").unwrap_or(false),
        ask_audit,
        ask_headless_only,
        webhook: webhook(reader, &fields, node, action),
        range: head(node),
    })
}

fn point_in_time(reader: &mut Reader<'_>, text: &At<String>, what: &str) -> Option<u64> {
    let at = time::timestamp(&text.value);
    if at.is_none() {
        let help = "write it as in 2027-01-31T12:00:00Z";
        reader.error(&text.range, format!("{what} is no point in time"), help);
    }
    at
}

fn techniques(reader: &mut Reader<'_>, fields: &Fields<'_>) -> Vec<String> {
    let Some(node) = fields.get("technique") else {
        return Vec::new();
    };
    let mut found = Vec::new();
    for node in reader.items(node) {
        let Some(text) = reader.text(node, "`technique`") else {
            continue;
        };
        let (id, sub) = text.value.split_once('.').unwrap_or((&text.value, "000"));
        let number = |s: &str, len| s.len() == len && s.bytes().all(|b| b.is_ascii_digit());
        if id.strip_prefix('T').is_some_and(|id| number(id, 4)) && number(sub, 3) {
            found.push(text.value);
        } else {
            let help = "an ATT&CK technique is written T1059 or T1059.004";
            reader.error(
                &text.range,
                format!("`{}` is no technique", text.value),
                help,
            );
        }
    }
    found
}

fn webhook(
    reader: &mut Reader<'_>,
    fields: &Fields<'_>,
    rule: &Node,
    action: Action,
) -> Option<Webhook> {
    const TIMEOUT_MS: u64 = 5_000;
    const LONGEST_MS: u64 = 30_000;
    let Some(node) = fields.get("webhook") else {
        if action == Action::Webhook {
            let help = "add `webhook: {url: https://…}`";
            reader.error(
                &head(rule),
                "action `webhook` without the address to ask",
                help,
            );
        }
        return None;
    };
    let inner = reader.fields(node, "`webhook`", &["url", "timeout", "fail_open"], &[])?;
    let url = string(reader, &inner, "url");
    if url.is_empty() {
        reader.error(
            &head(node),
            "`webhook` without a `url`",
            "add `url: https://…`",
        );
    } else if url.starts_with("http://") {
        let place = inner.key("url").unwrap_or_else(|| head(node));
        reader.warn(&place, "the call is sent unencrypted", "use https://");
    } else if !url.starts_with("https://") {
        let place = inner.key("url").unwrap_or_else(|| head(node));
        reader.error(&place, "`url` is no web address", "it starts with https://");
    }
    let timeout = reader.optional(&inner, "timeout");
    let timeout_ms = match timeout {
        None => TIMEOUT_MS,
        Some(text) => time::duration_ms(&text.value)
            .filter(|ms| *ms > 0)
            .unwrap_or_else(|| {
                reader.error(
                    &text.range,
                    "`timeout` is no duration",
                    "write it as in `5s`",
                );
                TIMEOUT_MS
            }),
    };
    Some(Webhook {
        url,
        timeout_ms: timeout_ms.min(LONGEST_MS),
        fail_open: reader.flag(&inner, "fail_open").unwrap_or(false),
    })
}

fn examples(reader: &mut Reader<'_>, fields: &Fields<'_>) -> Examples {
    let mut examples = Examples::default();
    let Some(node) = fields.get("examples") else {
        return examples;
    };
    let Some(inner) = reader.fields(node, "`examples`", &["match", "not_match"], &[]) else {
        return examples;
    };
    for (key, into) in [
        ("match", &mut examples.matching),
        ("not_match", &mut examples.not_matching),
    ] {
        let Some(node) = inner.get(key) else {
            continue;
        };
        for node in reader.list(node, &format!("`{key}`")) {
            if let Some(value) = example(reader, node) {
                into.push(At {
                    value,
                    range: node.range.clone(),
                });
            }
        }
    }
    examples
}

fn example(reader: &mut Reader<'_>, node: &Node) -> Option<Example> {
    if !matches!(node.kind, yaml::Kind::Map(_)) {
        return reader
            .text(node, "an example")
            .map(|text| Example::Shell(text.value));
    }
    let fields = reader.fields(node, "an example", &["argv", "tool", "path", "url"], &[])?;
    if let Some(argv) = fields.get("argv") {
        let mut words = Vec::new();
        for node in reader.list(argv, "`argv`") {
            words.push(reader.text(node, "an argument")?.value);
        }
        return Some(Example::Argv(words));
    }
    let tool = string(reader, &fields, "tool");
    if tool.is_empty() {
        let help = "write shell text, {argv: [program, argument]}, or {tool: read, path: /file}";
        reader.error(&head(node), "an example that calls nothing", help);
        return None;
    }
    Some(Example::Tool {
        tool,
        path: reader.optional(&fields, "path").map(|text| text.value),
        url: reader.optional(&fields, "url").map(|text| text.value),
    })
}

fn notify(reader: &mut Reader<'_>, node: &Node) -> Option<Notify> {
    let fields = reader.fields(node, "`notify`", &["url", "platform", "on"], &[])?;
    let platforms: Vec<(&str, &str)> = PLATFORMS.iter().map(|name| (*name, *name)).collect();
    let platform = setting(reader, &fields, "platform", &platforms).unwrap_or("auto");
    let mut on = Vec::new();
    if let Some(node) = fields.get("on") {
        for node in reader.items(node) {
            on.extend(reader.text(node, "`on`").map(|text| text.value));
        }
    }
    Some(Notify {
        url: string(reader, &fields, "url"),
        platform: platform.to_owned(),
        on,
    })
}

fn test_case(reader: &mut Reader<'_>, node: &Node) -> Option<TestCase> {
    let known = [
        "name",
        "tool",
        "agent",
        "params",
        "expect",
        "expect_message",
    ];
    let fields = reader.fields(node, "a test case", &known, &[])?;
    let mut params = Vec::new();
    if let Some(node) = fields.get("params") {
        for (key, _, node) in reader.map(node, "`params`")?.all() {
            params.push(((*key).to_owned(), reader.text(node, "a parameter")?.value));
        }
    }
    let Some(expect) = fields.get("expect") else {
        reader.error(
            &head(node),
            "a test case without `expect`",
            "add `expect: deny`",
        );
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
