//! Named lists (`lists:`), and entries that stand for one (`{list: name}`). An entry is a mapping
//! because every text can be a pattern: `$name` is one in files of the original.

use std::collections::{BTreeMap, BTreeSet};

use crate::diagnostic::did_you_mean;
use crate::keys;
use crate::reader::{Fields, Reader};
use crate::yaml::{Kind, Node};

/// The lists of a file.
#[derive(Default)]
pub struct Lists {
    known: BTreeMap<String, Vec<Node>>,
    used: BTreeSet<String>,
}

/// Reads `lists`. An entry of a list may stand for a list above it.
pub fn read(reader: &mut Reader<'_>, fields: &Fields<'_>) {
    let Some(lists) = fields.get("lists").and_then(|node| reader.map(node, "`lists`")) else {
        return;
    };
    for (name, place, value) in lists.all() {
        let items = reader.list(value, &format!("list `{name}`"));
        if items.is_empty() && matches!(value.kind, Kind::List(_)) {
            let message = format!("list `{name}` is empty: it would match nothing");
            reader.error(place, message, "remove it, or say what is in it");
        }
        let mut items = expanded(reader, items);
        items.retain(|item| reader.text(item, &format!("an entry of list `{name}`")).is_some());
        reader.lists.known.insert((*name).to_owned(), items);
    }
}

/// Reports the lists that nothing refers to.
pub fn report_unused(reader: &mut Reader<'_>, fields: &Fields<'_>) {
    let Some(node) = fields.get("lists") else {
        return;
    };
    let Kind::Map(lists) = &node.kind else {
        return;
    };
    for (name, _) in lists {
        if !reader.lists.used.contains(&name.value) {
            let place = crate::yaml::range(name.referenced);
            let message = format!("list `{}` is not used", name.value);
            reader.warn(&place, message, "refer to it with `{list: name}`, or remove it");
        }
    }
}

/// The entries of `value`, one or a list, with those of a named list in place of its name.
pub fn entries(reader: &mut Reader<'_>, value: &Node) -> Vec<Node> {
    let items = reader.items(value);
    expanded(reader, items)
}

fn expanded(reader: &mut Reader<'_>, items: &[Node]) -> Vec<Node> {
    let mut all = Vec::with_capacity(items.len());
    for item in items {
        if !matches!(item.kind, Kind::Map(_)) {
            all.push(item.clone());
            continue;
        }
        let Some(fields) = reader.fields(item, &keys::LIST_NAME) else {
            continue;
        };
        let Some(name) = reader.optional(&fields, "list") else {
            let is_empty = matches!(&item.kind, Kind::Map(entries) if entries.is_empty());
            if is_empty || (fields.key("list").is_some() && fields.get("list").is_none()) {
                let help = "write text, or `{list: name}`";
                reader.error(&item.range, "an entry that is no pattern", help);
            }
            continue;
        };
        match reader.lists.known.get(&name.value) {
            Some(found) => {
                all.extend(found.iter().cloned());
                reader.lists.used.insert(name.value);
            }
            None => {
                let known = || reader.lists.known.keys().map(String::as_str);
                let help = match did_you_mean(&name.value, known()) {
                    Some(meant) => format!("did you mean `{meant}`?"),
                    None if reader.lists.known.is_empty() => {
                        "name it in this file: `lists: {name: [entry, …]}`".to_owned()
                    }
                    None => format!("lists above: {}", known().collect::<Vec<_>>().join(", ")),
                };
                reader.error(&name.range, format!("there is no list `{}`", name.value), help);
            }
        }
    }
    all
}
