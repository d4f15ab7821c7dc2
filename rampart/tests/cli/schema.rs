//! `rampart policy schema`: what the schema and the reader say of the same files. The files are made
//! from the tables of keys: each key with what it may hold, and each with what it may not.

use crate::support::User;
use policy_schema::Source;
use policy_schema::diagnostic::Level;
use policy_schema::keys::{DOCUMENT, Holds, Mapping, SUITE};
use policy_schema::read_policy::read;
use policy_schema::read_suite;
use policy_schema::schema::find;
use policy_schema::yaml::{self, Kind, Node};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// What no key may hold.
const WRONG: &str = "{x-wrong: {x-wrong: 1}}";

/// Says for each document, one a line on standard input, whether the schema takes it.
const VALIDATE: &str = "
import json, sys, jsonschema
schema = json.load(open(sys.argv[1]))
jsonschema.Draft202012Validator.check_schema(schema)
validator = jsonschema.Draft202012Validator(schema)
for line in sys.stdin:
    print(int(validator.is_valid(json.loads(line))))
";

fn sample(holds: &Holds) -> String {
    match holds {
        Holds::Text => "'x'".to_owned(),
        Holds::Form(_, sample) => format!("'{sample}'"),
        Holds::Flag => "true".to_owned(),
        Holds::Integer(_, most) => most.to_string(),
        Holds::Choice(names) | Holds::AnyCase(names) => format!("'{}'", names()[0]),
        Holds::Mapping(mapping) => with(mapping, None),
        Holds::Named(inner, _) => format!("{{x: {}}}", sample(inner)),
        Holds::List(inner, _) | Holds::Items(inner, _) => format!("[{}]", sample(inner)),
        Holds::Either(several) => sample(&several[0]),
        Holds::ListName => "{list: x}".to_owned(),
        Holds::Patterns => "['x']".to_owned(),
    }
}

/// A mapping with what has to be in it, and one entry more.
fn with(mapping: &Mapping, more: Option<(&str, &str)>) -> String {
    let is_more = |name: &str| more.is_some_and(|(key, _)| key == name);
    let mut all = Vec::new();
    let needed =
        mapping.needs.first().copied().filter(|_| !mapping.needs.iter().any(|key| is_more(key)));
    for key in mapping.keys {
        if (key.is_required || needed == Some(key.name)) && !is_more(key.name) {
            all.push(format!("{}: {}", key.name, sample(&key.holds)));
        }
    }
    all.extend(more.map(|(key, value)| format!("{key}: {value}")));
    format!("{{{}}}", all.join(", "))
}

/// For every mapping below `root`, a file with a hole where it stands.
fn places(root: &'static Mapping) -> Vec<(&'static Mapping, String)> {
    let mut found: Vec<(&Mapping, String)> = vec![(root, "@".to_owned())];
    let mut at = 0;
    while let Some((mapping, place)) = found.get(at).cloned() {
        at += 1;
        // A list that is named has to be there: elsewhere.
        for key in mapping.keys.iter().filter(|key| key.name != "lists") {
            each_inner(&key.holds, "@", &mut |inner, hole| {
                if found.iter().all(|(known, _)| known.name != inner.name) {
                    let whole = place.replace('@', &with(mapping, Some((key.name, hole))));
                    found.push((inner, whole));
                }
            });
        }
    }
    found
}

fn each_inner(holds: &Holds, hole: &str, each: &mut dyn FnMut(&'static Mapping, &str)) {
    match holds {
        Holds::Mapping(mapping) => each(mapping, hole),
        Holds::Named(inner, _) => each_inner(inner, &format!("{{x: {hole}}}"), each),
        Holds::List(inner, _) | Holds::Items(inner, _) => {
            each_inner(inner, &format!("[{hole}]"), each);
        }
        Holds::Either(several) => several.iter().for_each(|one| each_inner(one, hole, each)),
        Holds::ListName => each(&policy_schema::keys::LIST_NAME, hole),
        Holds::Patterns => each_inner(&policy_schema::keys::PATTERN, &format!("[{hole}]"), each),
        _ => {}
    }
}

/// Every file to be held against both: a name, and the text.
fn files(root: &'static Mapping) -> Vec<(String, String)> {
    let mut all = Vec::new();
    let mut add = |name: String, text: String| {
        // A list has to be there to be named.
        let lists = if text.contains("list: ") { "lists: {x: [x]}, " } else { "" };
        all.push((name, format!("{{{lists}{}", text.strip_prefix('{').unwrap())));
    };
    for (mapping, place) in places(root) {
        for key in mapping.keys {
            let at = |what: &str| format!("{}.{} {what}", mapping.name, key.name);
            let file = |value: &str| place.replace('@', &with(mapping, Some((key.name, value))));
            add(at("fits"), file(&sample(&key.holds)));
            add(at("wrong"), file(WRONG));
            if !key.is_required && mapping.needs.is_empty() {
                add(at("nothing"), file(""));
            }
            if let Holds::List(_, 1) | Holds::Items(_, 1) | Holds::Named(_, 1) | Holds::Patterns =
                key.holds
            {
                add(
                    at("empty"),
                    file(if matches!(key.holds, Holds::Named(..)) { "{}" } else { "[]" }),
                );
            }
        }
        add(
            format!("{} unknown", mapping.name),
            place.replace('@', &with(mapping, Some(("x-unknown", "1")))),
        );
        for key in mapping.keys.iter().filter(|key| key.is_required) {
            let text = with(mapping, Some((key.name, "null")));
            add(
                format!("{} without {}", mapping.name, key.name),
                place.replace('@', &text.replace(&format!("{}: null", key.name), "")),
            );
        }
    }
    all
}

/// Whether the reader takes it.
fn is_read(text: &str, root: &Mapping) -> bool {
    let source = Source { name: "p.yaml", text: text.as_bytes() };
    let found = match (root.name == SUITE.name, read_suite(&source)) {
        (false, _) => read(&source).1,
        (true, Some((_, found))) => found,
        // What names no policy is no suite.
        (true, None) => return false,
    };
    found.iter().all(|found| found.level != Level::Error)
}

/// The file as an editor sees it.
fn as_json(text: &str, node: &Node) -> Value {
    match &node.kind {
        Kind::Null => Value::Null,
        Kind::Bool(value) => json!(value),
        Kind::Number => serde_json::from_str(&text[node.defined.clone()]).unwrap_or(json!(0.5)),
        Kind::Text(text) => json!(text),
        Kind::List(items) => items.iter().map(|item| as_json(text, item)).collect(),
        Kind::Map(entries) => {
            let entries =
                entries.iter().map(|(key, node)| (key.value.clone(), as_json(text, node)));
            Value::Object(entries.collect::<Map<_, _>>())
        }
    }
}

/// What the schema says of each file.
fn validated(user: &User, arguments: &[&str], texts: &[String]) -> Vec<bool> {
    let schema = user.rampart(arguments);
    assert_eq!(schema.status, 0, "{}", schema.stderr);
    let path = user.write("schema.json", &schema.stdout);
    let documents: String = texts
        .iter()
        .map(|text| {
            let source = Source { name: "p.yaml", text: text.as_bytes() };
            format!("{}\n", as_json(text, &yaml::parse(&source).unwrap()))
        })
        .collect();
    let input = user.write("documents.jsonl", documents);
    let mut python = std::process::Command::new("/usr/bin/python3");
    python.args(["-W", "ignore", "-c", VALIDATE]).arg(path);
    let output = python.stdin(std::fs::File::open(input).unwrap()).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "python3-jsonschema, see .ci/install.sh: {errors}");
    String::from_utf8_lossy(&output.stdout).lines().map(|line| line == "1").collect()
}

#[test]
fn every_key_means_the_same_to_the_schema_and_to_the_reader() {
    let user = User::new();
    for (root, arguments) in
        [(&DOCUMENT, &["policy", "schema"][..]), (&SUITE, &["policy", "schema", "--suite"])]
    {
        let (names, texts): (Vec<_>, Vec<_>) = files(root).into_iter().unzip();
        let taken = validated(&user, arguments, &texts);
        assert_eq!(taken.len(), texts.len());
        for ((name, text), taken) in names.iter().zip(&texts).zip(taken) {
            let should = name.ends_with(" fits") || name.ends_with(" nothing");
            assert_eq!(
                (taken, is_read(text, root)),
                (should, should),
                "schema, reader: {name}: {text}"
            );
        }
    }
}

#[test]
fn the_schema_has_the_reader_s_keys_and_no_others() {
    let user = User::new();
    let schema: Value = serde_json::from_str(&user.rampart(&["policy", "schema"]).stdout).unwrap();
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    let mut mappings = BTreeMap::new();
    find(&DOCUMENT, &mut mappings);
    let definitions = schema["$defs"].as_object().unwrap();
    assert_eq!(definitions.len(), mappings.len());
    for (name, mapping) in mappings {
        let definition = &definitions[name];
        assert_eq!(definition["additionalProperties"], false, "{name}");
        let keys: Vec<_> = definition["properties"].as_object().unwrap().keys().collect();
        assert_eq!(keys, mapping.names().collect::<Vec<_>>(), "{name}");
    }
}

#[test]
fn shipped_policies_and_wrong_files() {
    let user = User::new();
    let sources = policies::SOURCES.iter().chain(policies::PACK_SOURCES);
    let shipped: Vec<String> = sources.map(|(_, text)| (*text).to_owned()).collect();
    assert!(shipped.len() > 10);
    assert!(validated(&user, &["policy", "schema"], &shipped).iter().all(|taken| *taken));
    let rule = |text: &str| format!("policies: [{{name: p, rules: [{{{text}}}]}}]");
    let wrong: Vec<String> = [
        "default_actoin: deny".to_owned(),
        "default_action: maybe".to_owned(),
        "policies: {}".to_owned(),
        "policies: [{rules: []}]".to_owned(),
        "record: 1".to_owned(),
        "version: 2".to_owned(),
        "lock: [p]".to_owned(),
        "- a".to_owned(),
        rule("action: dney"),
        rule("when: {program: rm}"),
        rule("action: deny, when: {programm: rm}"),
        rule("action: deny, when: {program: []}"),
        rule("action: deny, when: {flags: [r]}"),
        rule("action: deny, when: {inside: here}"),
        rule("action: deny, when: {any: []}"),
        rule("action: deny, when: {not: {any: [{operand: x}]}}"),
        rule("action: deny, when: {exe_sha256: abc}"),
        rule("action: deny, when: {context: {cluster: x}}"),
        rule("action: deny, when: {call_count: {gte: 1001, window: 1h}}"),
        rule("action: deny, when: {agent_depth: {}}"),
        rule("action: deny, once: maybe"),
        rule("action: deny, expires_at: soon"),
        rule("action: webhook, webhook: {url: ftp://x}"),
        rule("action: deny, examples: {match: [{path: x}]}"),
    ]
    .into();
    let taken = validated(&user, &["policy", "schema"], &wrong);
    for (text, taken) in wrong.iter().zip(taken) {
        assert_eq!((taken, is_read(text, &DOCUMENT)), (false, false), "{text}");
    }
}
