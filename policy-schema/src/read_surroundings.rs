//! Reads the conditions on what surrounds a command: its environment, its file, and what it would
//! act on.

use evaluator::image::format::{context as kinds, node, pattern};

use crate::document::{Condition, Pattern};
use crate::keys;
use crate::read_patterns::patterns;
use crate::reader::{Fields, Reader};
use crate::yaml::Kind;

fn some(node: u8, flags: u8, patterns: Vec<Pattern>) -> Option<Condition> {
    (!patterns.is_empty()).then_some(Condition::Matches { node, flags, patterns })
}

/// `env`: names, or `NAME=glob`.
pub fn environment(reader: &mut Reader<'_>, fields: &Fields<'_>) -> Option<Condition> {
    let value = fields.get("env")?;
    let mut pairs = Vec::new();
    for (text, _) in patterns(reader, value, "env", pattern::GLOB, false) {
        let (name, glob) = text.value.split_once('=').unwrap_or((&text.value, "*"));
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if name.is_empty()
            || !name.chars().all(plain)
            || name.starts_with(|c: char| c.is_ascii_digit())
        {
            let help = "write `NAME`, or `NAME=pattern`; wildcards stand in the value only";
            reader.error(&text.range, format!("`{name}` is no name of a variable"), help);
            continue;
        }
        let literal = glob.is_empty();
        let class = if literal { pattern::LITERAL } else { pattern::GLOB };
        let name = name.to_owned();
        pairs.push(Pattern { class: pattern::LITERAL, fold_case: false, text: name });
        pairs.push(Pattern { class, fold_case: false, text: glob.to_owned() });
    }
    some(node::ENV, 0, pairs)
}

/// `context`: what the command would act on. Names of machines have no case.
pub fn context(reader: &mut Reader<'_>, fields: &Fields<'_>, all: &mut Vec<Condition>) {
    let Some(node) = fields.get("context") else {
        return;
    };
    let Some(inner) = reader.fields(node, &keys::CONTEXT) else {
        return;
    };
    if matches!(&node.kind, Kind::Map(entries) if entries.is_empty()) {
        let help = "say what of it, as in `context: {kube_context: ['*prod*']}`";
        reader.error(&node.range, "`context` is empty: it would match everything", help);
    }
    for (name, kind) in kinds::NAMES {
        if let Some(value) = inner.get(name) {
            let fold = matches!(kind, kinds::DATABASE_HOST | kinds::HOST);
            let found = patterns(reader, value, name, pattern::GLOB, fold);
            let patterns = found.into_iter().map(|(_, pattern)| pattern).collect();
            all.extend(some(node::CONTEXT, kind, patterns));
        }
    }
}

/// `exe_sha256`: digests in hexadecimal.
pub fn digests(reader: &mut Reader<'_>, fields: &Fields<'_>) -> Option<Condition> {
    let value = fields.get("exe_sha256")?;
    let mut digests = Vec::new();
    for (text, pattern) in patterns(reader, value, "exe_sha256", pattern::LITERAL, true) {
        if text.value.len() == 64 && text.value.chars().all(|c| c.is_ascii_hexdigit()) {
            digests.push(pattern);
        } else {
            let help = "64 hexadecimal digits, as `sha256sum FILE` prints them";
            reader.error(&text.range, format!("`{}` is no SHA-256", text.value), help);
        }
    }
    some(node::EXE_SHA256, 0, digests)
}
