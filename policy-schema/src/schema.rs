//! The language as a JSON Schema (draft 2020-12), for editors and other programs that write
//! policies. It is made from the tables that the reader uses ([`crate::keys`]): what it refuses,
//! the reader refuses. The reader refuses more: repeated names, impossible dates, failing examples.

use std::collections::BTreeMap;

use regex::Regex;
use serde_json::{Map, Value, json};

use crate::keys::{Holds, LIST_NAME, Mapping, PATTERN};
use crate::limits;

/// The dialect that the schema is written in.
const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";

/// The schema of a document whose top is `root`, [`crate::keys::DOCUMENT`] or
/// [`crate::keys::SUITE`].
#[must_use]
pub fn schema(root: &'static Mapping) -> Value {
    let mut found = BTreeMap::new();
    find(root, &mut found);
    let definitions: Map<String, Value> =
        found.values().map(|mapping| (mapping.name.to_owned(), definition(mapping))).collect();
    json!({
        "$schema": DIALECT,
        "title": format!("Rampart: {}", root.what),
        "$ref": reference(root),
        "$defs": definitions,
    })
}

/// Every mapping below `mapping`, itself included, by name.
pub fn find(mapping: &'static Mapping, found: &mut BTreeMap<&'static str, &'static Mapping>) {
    if found.insert(mapping.name, mapping).is_none() {
        mapping.keys.iter().for_each(|key| find_in(&key.holds, found));
    }
}

fn find_in(holds: &Holds, found: &mut BTreeMap<&'static str, &'static Mapping>) {
    match holds {
        Holds::Mapping(mapping) => find(mapping, found),
        Holds::Named(inner, _) | Holds::List(inner, _) | Holds::Items(inner, _) => {
            find_in(inner, found);
        }
        Holds::Either(several) => several.iter().for_each(|one| find_in(one, found)),
        Holds::ListName | Holds::Patterns => find(&LIST_NAME, found),
        _ => {}
    }
}

fn reference(mapping: &Mapping) -> String {
    format!("#/$defs/{}", mapping.name)
}

fn definition(mapping: &Mapping) -> Value {
    let properties: Map<String, Value> = mapping
        .keys
        .iter()
        .map(|key| {
            let mut value = or_nothing(value(&key.holds));
            value.insert("description".to_owned(), json!(key.about));
            (key.name.to_owned(), Value::Object(value))
        })
        .collect();
    let required: Vec<&str> =
        mapping.keys.iter().filter(|key| key.is_required).map(|key| key.name).collect();
    let mut all = object(json!({
        "type": "object",
        "properties": properties,
        "additionalProperties": false,
    }));
    if !required.is_empty() {
        all.insert("required".to_owned(), json!(required));
    }
    if !mapping.needs.is_empty() {
        let each: Vec<Value> = mapping.needs.iter().map(|key| json!({"required": [key]})).collect();
        all.insert("anyOf".to_owned(), json!(each));
    }
    Value::Object(all)
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        other => Map::from_iter([("const".to_owned(), other)]),
    }
}

/// A key without a value is the same as no key.
fn or_nothing(schema: Value) -> Map<String, Value> {
    let mut map = object(schema);
    if let Some(kind) = map.get_mut("type") {
        let mut kinds = kind.as_array().cloned().unwrap_or_else(|| vec![kind.clone()]);
        if !kinds.contains(&json!("null")) {
            kinds.push(json!("null"));
        }
        *kind = json!(kinds);
        return map;
    }
    let mut choices = match map.remove("anyOf") {
        Some(Value::Array(choices)) => choices,
        _ => vec![Value::Object(map)],
    };
    choices.push(json!({"type": "null"}));
    object(json!({"anyOf": choices}))
}

fn value(holds: &Holds) -> Value {
    match holds {
        // An item `~` is text for the reader, and nothing for YAML.
        Holds::Text => json!({"type": ["string", "number", "boolean", "null"]}),
        Holds::Form(form, _) => {
            json!({"type": scalars(form), "pattern": form, "maxLength": limits::PATTERN})
        }
        Holds::Flag => json!({"type": "boolean"}),
        Holds::Integer(least, most) => {
            json!({"type": "integer", "minimum": least, "maximum": most})
        }
        Holds::Choice(names) => choice(&names()),
        Holds::AnyCase(names) => {
            json!({"anyOf": [choice(&names()), {"type": "string", "pattern": any_case(&names())}]})
        }
        Holds::Mapping(mapping) => json!({"$ref": reference(mapping)}),
        Holds::Named(inner, least) => {
            json!({"type": "object", "additionalProperties": value(inner), "minProperties": least})
        }
        Holds::List(inner, least) => list(inner, *least),
        Holds::Items(inner, least) => either([value(inner), list(inner, *least)]),
        Holds::Either(several) => either(several.iter().map(value)),
        Holds::ListName => json!({"$ref": reference(&LIST_NAME)}),
        Holds::Patterns => value(&Holds::Items(&PATTERN, 1)),
    }
}

fn list(inner: &Holds, least: u32) -> Value {
    json!({"type": "array", "items": value(inner), "minItems": least})
}

/// One of several, without nesting.
fn either(several: impl IntoIterator<Item = Value>) -> Value {
    let mut all = Vec::new();
    for one in several {
        match one {
            Value::Object(mut map) if map.len() == 1 && map.contains_key("anyOf") => {
                let inner = map.remove("anyOf").unwrap_or_default();
                all.extend(inner.as_array().cloned().unwrap_or_default());
            }
            other => all.push(other),
        }
    }
    json!({"anyOf": all})
}

/// One of `names`, of which a number may be written without quotes.
fn choice(names: &[&str]) -> Value {
    let mut all: Vec<Value> = names.iter().map(|name| json!(name)).collect();
    all.extend(names.iter().filter_map(|name| Some(json!(name.parse::<i64>().ok()?))));
    json!({"enum": all})
}

/// What text of a form may look like to YAML. A form says nothing about what is no string.
fn scalars(form: &str) -> Vec<&'static str> {
    let form = Regex::new(form);
    let fits = |text: &str| form.as_ref().is_ok_and(|form| form.is_match(text));
    let kinds = [("7", "number"), ("-7", "number"), ("true", "boolean"), ("~", "null")];
    let mut all = vec!["string"];
    for (_, kind) in kinds.iter().filter(|(text, _)| fits(text)) {
        if !all.contains(kind) {
            all.push(kind);
        }
    }
    all
}

/// The words of `names` in any case, with blanks around them.
fn any_case(names: &[&str]) -> String {
    let word = |name: &&str| -> String {
        let letter = |c: char| format!("[{}{}]", c.to_ascii_uppercase(), c.to_ascii_lowercase());
        name.chars().map(letter).collect()
    };
    let words: Vec<String> = names.iter().map(word).collect();
    format!(r"^\s*({})\s*$", words.join("|"))
}
