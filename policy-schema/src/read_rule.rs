//! Reads one rule of a policy.

use evaluator::Action;
use evaluator::image::format::taint;

use crate::document::{At, Condition, Example, Examples, Rule, Webhook};
use crate::read_patterns::nonempty;
use crate::read_policy::{ACTIONS, head, setting, string};
use crate::reader::{Fields, Reader};
use crate::yaml::{Kind, Node};
use crate::{keys, read_condition, time};

/// What `severity` may be.
pub const SEVERITIES: &[(&str, u8)] = &[("low", 1), ("medium", 2), ("high", 3), ("critical", 4)];

fn action(reader: &mut Reader<'_>, node: &Node) -> Option<Action> {
    let text = reader.text(node, "`action`")?;
    if text.value == "require_approval" {
        reader.error(&text.range, "`require_approval` is no action", "write `action: ask`");
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

/// Reads one rule, the one at the 1-based `position` of its policy; `None` if nothing of it can
/// be used.
pub fn read(reader: &mut Reader<'_>, node: &Node, position: usize) -> Option<Rule> {
    let fields = reader.fields(node, &keys::RULE)?;
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
    let ask = fields.get("ask").and_then(|node| reader.fields(node, &keys::ASK));
    let mut ask_flag = |key| ask.as_ref().and_then(|ask| reader.flag(ask, key)).unwrap_or(false);
    let (ask_audit, ask_headless_only) = (ask_flag("audit"), ask_flag("headless_only"));
    if let Some(added) = reader.optional(&fields, "added") {
        point_in_time(reader, &added, "`added`");
    }
    let expires_at = reader
        .optional(&fields, "expires_at")
        .and_then(|text| point_in_time(reader, &text, "`expires_at`"));
    let name = string(reader, &fields, "name");
    Some(Rule {
        name: if name.is_empty() { position.to_string() } else { name },
        description: string(reader, &fields, "description"),
        action,
        condition,
        message: string(reader, &fields, "message"),
        severity: setting(reader, &fields, "severity", SEVERITIES).unwrap_or(0),
        techniques: techniques(reader, &fields),
        examples: examples(reader, &fields),
        expires_at,
        once: reader.flag(&fields, "once").unwrap_or(false),
        taint: taints(reader, &fields, "taint").unwrap_or(0),
        ask_audit,
        ask_headless_only,
        webhook: webhook(reader, &fields, node, action),
        range: head(node),
    })
}

/// Seconds since the epoch; anything else is reported.
pub fn point_in_time(reader: &mut Reader<'_>, text: &At<String>, what: &str) -> Option<u64> {
    let at = time::timestamp(&text.value);
    if at.is_none() {
        let help = "write it as in 2027-01-31T12:00:00Z";
        reader.error(&text.range, format!("{what} is no point in time"), help);
    }
    at
}

/// A set of what a tree can come by; `None` if there is no such key, or it names nothing.
pub fn taints(reader: &mut Reader<'_>, fields: &Fields<'_>, key: &str) -> Option<u8> {
    let node = fields.get(key)?;
    nonempty(reader, node, key);
    let items = reader.items(node);
    let what = format!("`{key}`");
    let set = items.iter().filter_map(|node| reader.choice(node, &what, &taint::NAMES));
    Some(set.fold(0, |set, bit| set | bit)).filter(|set| *set != 0)
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
            reader.error(&text.range, format!("`{}` is no technique", text.value), help);
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
            reader.error(&head(rule), "action `webhook` without the address to ask", help);
        }
        return None;
    };
    let inner = reader.fields(node, &keys::WEBHOOK)?;
    let url = string(reader, &inner, "url");
    if url.is_empty() {
        reader.error(&head(node), "`webhook` without a `url`", "add `url: https://…`");
    } else if url.starts_with("http://") {
        let place = inner.key("url").unwrap_or_else(|| head(node));
        reader.warn(&place, "the call is sent unencrypted", "use https://");
    } else if !url.starts_with("https://") && !url.starts_with("unix:/") {
        let place = inner.key("url").unwrap_or_else(|| head(node));
        let help = "it starts with https://, or unix: and the absolute path of a socket";
        reader.error(&place, "`url` is no web address", help);
    }
    let timeout = reader.optional(&inner, "timeout");
    let timeout_ms = match timeout {
        None => TIMEOUT_MS,
        Some(text) => time::duration_ms(&text.value).filter(|ms| *ms > 0).unwrap_or_else(|| {
            reader.error(&text.range, "`timeout` is no duration", "write it as in `5s`");
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
    let Some(inner) = reader.fields(node, &keys::EXAMPLES) else {
        return examples;
    };
    for (key, into) in
        [("match", &mut examples.matching), ("not_match", &mut examples.not_matching)]
    {
        let Some(node) = inner.get(key) else {
            continue;
        };
        for node in reader.list(node, &format!("`{key}`")) {
            if let Some(value) = example(reader, node) {
                into.push(At { value, range: node.range.clone() });
            }
        }
    }
    examples
}

fn example(reader: &mut Reader<'_>, node: &Node) -> Option<Example> {
    if !matches!(node.kind, Kind::Map(_)) {
        return reader.text(node, "an example").map(|text| Example::Shell(text.value));
    }
    let fields = reader.fields(node, &keys::EXAMPLE)?;
    let tool = string(reader, &fields, "tool");
    let path = reader.optional(&fields, "path").map(|text| text.value);
    let url = reader.optional(&fields, "url").map(|text| text.value);
    let program = reader.optional(&fields, "program").map(|text| text.value);
    if let Some(argv) = fields.get("argv") {
        if !tool.is_empty() || path.is_some() || url.is_some() || program.is_some() {
            let help = "write `{argv: [program, argument]}` alone";
            reader.error(&head(node), "an example with both `argv` and another call", help);
        }
        let mut words = Vec::new();
        for node in reader.list(argv, "`argv`") {
            words.push(reader.text(node, "an argument")?.value);
        }
        return Some(Example::Argv(words));
    }
    if tool.is_empty() {
        let help = "write shell text, {argv: [program, argument]}, or {tool: read, path: /file}";
        reader.error(&head(node), "an example that calls nothing", help);
        return None;
    }
    Some(Example::Tool { tool, path, url, program })
}
