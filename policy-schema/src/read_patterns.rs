//! Reads the patterns of a condition.

use evaluator::image::format::pattern;

use crate::document::{At, Pattern};
use crate::reader::Reader;
use crate::yaml::{Kind, Node};
use crate::{limits, read_lists};

/// One or more patterns; mistakes are reported and left out.
pub fn patterns(
    reader: &mut Reader<'_>,
    value: &Node,
    key: &str,
    class: u8,
    fold_case: bool,
) -> Vec<(At<String>, Pattern)> {
    nonempty(reader, value, key);
    let mut found = Vec::new();
    for node in read_lists::entries(reader, value) {
        if let Some(text) = reader.text(&node, &format!("a pattern of `{key}`"))
            && limits::check(reader, &text, class)
        {
            let pattern = pattern_of(&text.value, class, fold_case);
            found.push((text, pattern));
        }
    }
    found
}

/// The pattern `text`; one without wildcards is compared as it is where that means the same.
pub fn pattern_of(text: &str, class: u8, fold_case: bool) -> Pattern {
    let plain = !text.contains(['*', '?', '[', '\\', '{']);
    // In the original's globs a slash is also a backslash, and nothing matches an empty one.
    let is_word = !text.is_empty() && !text.contains('/');
    let literal = match class {
        pattern::PATH_GLOB => plain,
        pattern::GLOB => plain && is_word,
        _ => false,
    };
    Pattern {
        class: if literal { pattern::LITERAL } else { class },
        fold_case,
        text: if fold_case { text.to_ascii_lowercase() } else { text.to_owned() },
    }
}

/// What only some of the patterned conditions demand of their patterns.
pub fn checked(
    reader: &mut Reader<'_>,
    key: &str,
    patterns: Vec<(At<String>, Pattern)>,
) -> Vec<Pattern> {
    for (text, _) in &patterns {
        let value = text.value.as_str();
        if matches!(key, "program" | "pipes_into" | "subcommand" | "parent")
            && value.contains(['/', ' '])
        {
            let help = "write the name alone, as `rm`; arguments go into `flags` and `operands`";
            reader.error(&text.range, format!("`{value}` is no name for `{key}`"), help);
        }
        let is_path = matches!(
            key,
            "operands" | "writes" | "reads" | "redirects_to" | "cwd_matches" | "exe_path"
        );
        let dots = value.split('/').any(|part| matches!(part, "." | ".."));
        if is_path && (dots || value.contains("//")) {
            let help = "paths are compared after resolving: write it without `.`, `..` and `//`";
            let message = format!("`{value}` can never match a resolved path");
            reader.error(&text.range, message, help);
        }
    }
    patterns.into_iter().map(|(_, pattern)| pattern).collect()
}

/// Reports an empty list or mapping: whether it matched nothing or everything, nobody means it.
pub fn nonempty(reader: &mut Reader<'_>, value: &Node, key: &str) {
    let is_empty = match &value.kind {
        Kind::List(items) => items.is_empty(),
        Kind::Map(entries) => entries.is_empty(),
        _ => false,
    };
    if is_empty {
        let message = format!("`{key}` is empty: it would match nothing");
        let help = "remove the key, or say what to match";
        reader.error(&value.range, message, help);
    }
}
