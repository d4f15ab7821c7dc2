//! What can be worked out without running anything: paths, texts that are put together, and encodings
//! that hide what a text is.

use super::arena::Arena;
use super::value::{LONGEST, Value, What};
use super::walk::Given;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use evaluator::command::UNKNOWN;

/// `a/b`, as `os.path.join` puts it together: an absolute part starts anew.
pub fn path<'t>(arena: &'t Arena, parts: &[Value<'t>]) -> Value<'t> {
    let (mut text, mut taint) = (arena.list(), 0);
    for part in parts {
        taint |= part.whole_taint();
        let piece = part.bytes();
        if piece.first() == Some(&b'/') || text.is_empty() {
            text.clear();
        } else if text.last() != Some(&b'/') {
            text.push(b'/');
        }
        text.extend_from_slice(piece);
    }
    Value::text(arena.done(text)).with(taint)
}

/// A text backwards.
pub fn reversed<'t>(arena: &'t Arena, value: Value<'t>) -> Value<'t> {
    match value.what {
        What::Text(text) => Value::text(arena.all(text.iter().rev().copied())).with(value.taint),
        What::List(all) => Value::list(backwards(arena, all)).with(value.taint),
        _ => Value::tainted(value.taint),
    }
}

fn backwards<'t>(arena: &'t Arena, all: &[Value<'t>]) -> &'t [Value<'t>] {
    arena.all(all.iter().rev().copied())
}

/// `text % values`
pub fn filled<'t>(arena: &'t Arena, text: Value<'t>, values: Value<'t>) -> Value<'t> {
    let values = match values.what {
        What::List(all) => all,
        _ => arena.all([values]),
    };
    gaps(arena, text, values, &["%s", "%d", "%r"])
}

/// `text` with its gaps, which are spelled as one of `marks`, filled by `values`.
fn gaps<'t>(arena: &'t Arena, text: Value<'t>, values: &[Value<'t>], marks: &[&str]) -> Value<'t> {
    let taint = values.iter().fold(text.taint, |taint, value| taint | value.whole_taint());
    let What::Text(mut rest) = text.what else { return Value::tainted(taint) };
    let mut out = arena.list();
    let mut values = values.iter();
    while let Some(first) = rest.first() {
        let mark = marks.iter().find(|mark| rest.starts_with(mark.as_bytes()));
        match mark {
            Some(mark) => {
                out.extend_from_slice(values.next().map_or(&[UNKNOWN], Value::bytes));
                rest = rest.get(mark.len()..).unwrap_or_default();
            }
            None => {
                out.push(*first);
                rest = rest.get(1..).unwrap_or_default();
            }
        }
        if out.len() > LONGEST.0 {
            return Value::tainted(taint);
        }
    }
    Value::text(arena.done(out)).with(taint)
}

/// What a part of a path, `path.name`, is.
pub fn part_of_path<'t>(arena: &'t Arena, text: &'t [u8], name: &str) -> Value<'t> {
    let slash = text.iter().rposition(|byte| *byte == b'/');
    match name {
        "parent" => parent(text),
        "parents" => {
            let ups = std::iter::successors(Some(parent(text)), |last| Some(parent(last.bytes())));
            Value::list(arena.all(ups.take(16)))
        }
        "name" => Value::text(slash.and_then(|at| text.get(at + 1..)).unwrap_or(text)),
        _ => Value::default(),
    }
}

/// The directory that a path lies in.
pub fn parent(path: &[u8]) -> Value<'_> {
    match path.iter().rposition(|byte| *byte == b'/') {
        Some(0) => Value::text(b"/"),
        Some(at) => Value::text(path.get(..at).unwrap_or_default()),
        None if path == b"." => Value::text(b".."),
        None => Value::text(b"."),
    }
}

/// What a method of a text, a path or a list gives; `None` if it is none of those that are known.
pub fn method<'t>(
    arena: &'t Arena,
    object: Value<'t>,
    name: &str,
    given: &[Given<'t>],
) -> Option<Value<'t>> {
    let values = arena.all(given.iter().map(|one| one.value));
    let first = values.first().copied();
    let taint = values.iter().fold(object.taint, |taint, value| taint | value.whole_taint());
    let text = match object.what {
        What::Text(text) => text,
        What::List(all) => {
            return list_method(arena, all, name, first).map(|found| found.with(taint));
        }
        _ => return None,
    };
    let mapped = |each: fn(&u8) -> u8| Value::text(arena.all(text.iter().map(each)));
    let with_object = || std::iter::once(object).chain(values.iter().copied());
    Some(
        match name {
            "strip" | "trim" | "decode" | "encode" | "resolve" | "absolute" | "as_posix"
            | "rstrip" | "lstrip" | "toString" | "expandvars" | "valueOf" | "trimEnd" => object,
            "expanduser" => object,
            // A part of what a search finds is what it finds.
            "slice" if text.contains(&b'*') => object,
            "lower" | "toLowerCase" => mapped(u8::to_ascii_lowercase),
            "upper" | "toUpperCase" => mapped(u8::to_ascii_uppercase),
            "joinpath" => path(arena, arena.all(with_object())),
            "join" => joined(arena, text, first?),
            "concat" => Value::joined(arena, with_object()),
            "format" => gaps(arena, object, values, &["{}", "{0}", "{1}"]),
            "replace" | "replaceAll" => replaced(arena, text, values)?,
            "with_name" => path(arena, &[parent(text), first?]),
            "with_suffix" => path(arena, &[parent(text), Value::default()]),
            "glob" | "rglob" | "iterdir" => path(arena, &[object, Value::text(b"*")]),
            "split" | "splitlines" => split(arena, text, first),
            "reverse" => reversed(arena, object),
            _ => return None,
        }
        .with(taint),
    )
}

fn list_method<'t>(
    arena: &'t Arena,
    all: &'t [Value<'t>],
    name: &str,
    first: Option<Value<'t>>,
) -> Option<Value<'t>> {
    Some(match name {
        "join" => joined(arena, first.map_or(b",", |between| between.bytes()), Value::list(all)),
        "reverse" => Value::list(backwards(arena, all)),
        "flat" | "slice" | "copy" | "filter" | "sort" => Value::list(all),
        "pop" | "at" | "shift" => all.first().copied().unwrap_or_default(),
        _ => return None,
    })
}

fn joined<'t>(arena: &'t Arena, between: &'t [u8], all: Value<'t>) -> Value<'t> {
    let What::List(all) = all.what else { return Value::tainted(all.whole_taint()) };
    let parts = all.iter().enumerate().flat_map(|(at, one)| {
        let between = (at > 0).then(|| Value::text(between));
        between.into_iter().chain([*one])
    });
    Value::joined(arena, parts)
}

fn replaced<'t>(arena: &'t Arena, text: &[u8], values: &[Value<'t>]) -> Option<Value<'t>> {
    let [from, to] = [values.first()?, values.get(1)?];
    let (Some(from), Some(to)) = (from.known(), to.known()) else { return Some(Value::default()) };
    let (from, text) = (std::str::from_utf8(from).ok()?, std::str::from_utf8(text).ok()?);
    let to = std::str::from_utf8(to).ok()?;
    // What could come of it, were each place a match.
    if text.len().saturating_mul(to.len().max(1)) > LONGEST.0 * 256 {
        return Some(Value::default());
    }
    Some(Value::made(arena, text.replace(from, to).as_bytes()))
}

fn split<'t>(arena: &'t Arena, text: &[u8], at: Option<Value<'t>>) -> Value<'t> {
    let at = at.and_then(|at| at.known()).unwrap_or(b" ");
    let whole = arena.text(&String::from_utf8_lossy(text));
    let at = String::from_utf8_lossy(at);
    let most = LONGEST.1;
    Value::list(match at.is_empty() {
        true => arena.all(
            whole
                .split("")
                .filter(|one| !one.is_empty())
                .take(most)
                .map(|one| Value::text(one.as_bytes())),
        ),
        false => {
            arena.all(whole.split(at.as_ref()).take(most).map(|one| Value::text(one.as_bytes())))
        }
    })
}

/// What a decoder gives: `kind` is its name, or that of the encoding.
pub fn decoded<'t>(arena: &'t Arena, kind: &str, value: Value<'t>) -> Value<'t> {
    let unknown = Value::tainted(value.whole_taint());
    let Some(text) = value.known() else { return unknown };
    let plain: Vec<u8> = text.iter().filter(|byte| !byte.is_ascii_whitespace()).copied().collect();
    let found = match kind {
        "base64" => STANDARD.decode(&plain).or_else(|_| URL_SAFE.decode(&plain)).ok(),
        "hex" => (0..plain.len() / 2)
            .map(|at| {
                let pair = plain.get(at * 2..at * 2 + 2)?;
                u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()
            })
            .collect(),
        "rot13" | "rot_13" => Some(text.iter().map(rotated).collect()),
        _ => return value,
    };
    match found {
        Some(found) if !found.contains(&UNKNOWN) => {
            Value::text(arena.copied(&found)).with(value.taint)
        }
        _ => unknown,
    }
}

fn rotated(byte: &u8) -> u8 {
    match byte {
        b'a'..=b'z' => (byte - b'a' + 13) % 26 + b'a',
        b'A'..=b'Z' => (byte - b'A' + 13) % 26 + b'A',
        other => *other,
    }
}

/// The text of characters by their numbers.
pub fn characters<'t>(arena: &'t Arena, values: &[Value<'t>]) -> Value<'t> {
    let of = |value: &Value<'_>| {
        let digits = value.known_text()?;
        let code = match digits.strip_prefix("0x") {
            Some(digits) => u32::from_str_radix(digits, 16).ok()?,
            None => digits.parse().ok()?,
        };
        char::from_u32(code).filter(|found| *found != '\0')
    };
    let text = values.iter().map(of).collect::<Option<String>>();
    text.map(|text| Value::text(arena.text(&text).as_bytes())).unwrap_or_default()
}
