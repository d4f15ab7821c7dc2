//! Reads `disable` and `lock`: rules that are switched off, and rules that may not be.

use crate::document::{Disable, Document, ExactCommand, RuleName};
use crate::keys;
use crate::read_policy::head;
use crate::read_rule::point_in_time;
use crate::reader::{Fields, Reader};
use crate::yaml::{Kind, Node};

/// Reads both keys into `document`.
pub fn read(reader: &mut Reader<'_>, fields: &Fields<'_>, document: &mut Document) {
    if let Some(node) = fields.get("disable") {
        for item in reader.list(node, "`disable`") {
            document.disable.extend(disable(reader, item));
        }
    }
    if let Some(node) = fields.get("lock") {
        for item in reader.list(node, "`lock`") {
            document.lock.extend(rule_name(reader, item));
        }
    }
}

/// `policy/rule` or `policy/*`.
fn rule_name(reader: &mut Reader<'_>, node: &Node) -> Option<RuleName> {
    let text = reader.text(node, "a rule")?;
    match text.value.rsplit_once('/') {
        Some((policy, rule)) if !policy.is_empty() && !rule.is_empty() => Some(RuleName {
            policy: policy.to_owned(),
            rule: (rule != "*").then(|| rule.to_owned()),
            range: text.range,
        }),
        _ => {
            let help = "write `policy/rule` as in records and messages, or `policy/*`";
            reader.error(&text.range, format!("`{}` names no rule", text.value), help);
            None
        }
    }
}

fn disable(reader: &mut Reader<'_>, node: &Node) -> Option<Disable> {
    if !matches!(node.kind, Kind::Map(_)) {
        let name = rule_name(reader, node)?;
        return Some(Disable { name, command: None, expires_at: None, once: false });
    }
    let fields = reader.fields(node, &keys::DISABLE)?;
    let command = fields.get("command").and_then(|node| exact(reader, node));
    let expires_at = reader
        .optional(&fields, "expires_at")
        .and_then(|text| point_in_time(reader, &text, "`expires_at`"));
    if let Some(added) = reader.optional(&fields, "added") {
        point_in_time(reader, &added, "`added`");
    }
    let once = reader.flag(&fields, "once").unwrap_or(false);
    let Some(name) = fields.get("rule") else {
        let help = "add `rule: policy/rule`";
        reader.error(&head(node), "an entry of `disable` without a rule", help);
        return None;
    };
    Some(Disable { name: rule_name(reader, name)?, command, expires_at, once })
}

/// Text, or a list of words.
fn exact(reader: &mut Reader<'_>, node: &Node) -> Option<ExactCommand> {
    if let Kind::List(items) = &node.kind {
        let words: Vec<String> = items
            .iter()
            .filter_map(|item| reader.text(item, "an argument"))
            .map(|text| text.value)
            .collect();
        if words.is_empty() {
            reader.error(&node.range, "`command` is empty", "write `[program, argument]`");
        }
        return Some(ExactCommand::Words(words));
    }
    let text = reader.text(node, "`command`")?;
    let plain = text.value.trim();
    if plain.is_empty() {
        reader.error(&text.range, "`command` is empty", "write the command as it was denied");
        return None;
    }
    Some(ExactCommand::Text(plain.to_owned()))
}
