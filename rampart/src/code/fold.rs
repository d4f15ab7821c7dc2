//! What can be worked out without running anything: paths, texts that are put together, and encodings
//! that hide what a text is.

use super::value::{Value, What};
use super::walk::Given;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use evaluator::command::UNKNOWN;

/// `a/b`, as `os.path.join` puts it together: an absolute part starts anew.
pub fn path(parts: &[Value]) -> Value {
    let (mut text, mut taint) = (Vec::new(), 0);
    for part in parts {
        taint |= part.whole_taint();
        let piece = part.bytes();
        if piece.first() == Some(&b'/') || text.is_empty() {
            text = piece;
        } else {
            if text.last() != Some(&b'/') {
                text.push(b'/');
            }
            text.extend_from_slice(&piece);
        }
    }
    Value::text(text).with(taint)
}

/// A text backwards.
pub fn reversed(value: &Value) -> Value {
    match &value.what {
        What::Text(text) => {
            let text: Vec<u8> = text.iter().rev().copied().collect();
            Value::text(text).with(value.taint)
        }
        What::List(all) => Value::list(all.iter().rev().cloned().collect()).with(value.taint),
        _ => Value::tainted(value.taint),
    }
}

/// `text % values`
pub fn filled(text: &Value, values: &Value) -> Value {
    let one = [values.clone()];
    let values = match &values.what {
        What::List(all) => all.as_slice(),
        _ => &one,
    };
    gaps(text, values, &["%s", "%d", "%r"])
}

/// `text` with its gaps, which are spelled as one of `marks`, filled by `values`.
fn gaps(text: &Value, values: &[Value], marks: &[&str]) -> Value {
    let taint = values.iter().fold(text.taint, |taint, value| taint | value.whole_taint());
    let What::Text(bytes) = &text.what else { return Value::tainted(taint) };
    let mut rest = bytes.as_slice();
    let mut out = Vec::new();
    let mut values = values.iter();
    while let Some(first) = rest.first() {
        let mark = marks.iter().find(|mark| rest.starts_with(mark.as_bytes()));
        match mark {
            Some(mark) => {
                out.extend(values.next().map_or_else(|| vec![UNKNOWN], Value::bytes));
                rest = rest.get(mark.len()..).unwrap_or_default();
            }
            None => {
                out.push(*first);
                rest = rest.get(1..).unwrap_or_default();
            }
        }
    }
    Value::text(out).with(taint)
}

/// What a part of a path, `path.name`, is.
pub fn part_of_path(text: &[u8], name: &str) -> Value {
    let slash = text.iter().rposition(|byte| *byte == b'/');
    match name {
        "parent" => parent(text),
        "parents" => {
            let mut all = vec![parent(text)];
            while let Some(up) = all.last().map(|last| parent(&last.bytes()))
                && all.len() < 16
            {
                all.push(up);
            }
            Value::list(all)
        }
        "name" => Value::text(slash.and_then(|at| text.get(at + 1..)).unwrap_or(text)),
        _ => Value::default(),
    }
}

/// The directory that a path lies in.
pub fn parent(path: &[u8]) -> Value {
    match path.iter().rposition(|byte| *byte == b'/') {
        Some(0) => Value::text("/"),
        Some(at) => Value::text(path.get(..at).unwrap_or_default()),
        None if path == b"." => Value::text(".."),
        None => Value::text("."),
    }
}

/// What a method of a text, a path or a list gives; `None` if it is none of those that are known.
pub fn method(object: &Value, name: &str, given: &[Given]) -> Option<Value> {
    let values: Vec<Value> = given.iter().map(|one| one.value.clone()).collect();
    let first = values.first();
    let taint = values.iter().fold(object.taint, |taint, value| taint | value.whole_taint());
    let text = match &object.what {
        What::Text(text) => text,
        What::List(all) => return list_method(all, name, first).map(|found| found.with(taint)),
        _ => return None,
    };
    let mapped = |each: fn(&u8) -> u8| Value::text(text.iter().map(each).collect::<Vec<_>>());
    Some(
        match name {
            "strip" | "trim" | "decode" | "encode" | "resolve" | "absolute" | "as_posix"
            | "rstrip" | "lstrip" | "toString" | "expandvars" | "valueOf" | "trimEnd" => {
                object.clone()
            }
            "expanduser" => object.clone(),
            // A part of what a search finds is what it finds.
            "slice" if text.contains(&b'*') => object.clone(),
            "lower" | "toLowerCase" => mapped(u8::to_ascii_lowercase),
            "upper" | "toUpperCase" => mapped(u8::to_ascii_uppercase),
            "joinpath" => path(&[std::slice::from_ref(object), &values].concat()),
            "join" => joined(text, first?),
            "concat" => Value::joined([std::slice::from_ref(object), &values].concat().iter()),
            "format" => gaps(object, &values, &["{}", "{0}", "{1}"]),
            "replace" | "replaceAll" => replaced(text, &values)?,
            "with_name" => path(&[parent(text), first?.clone()]),
            "with_suffix" => path(&[parent(text), Value::default()]),
            "glob" | "rglob" | "iterdir" => path(&[object.clone(), Value::text("*")]),
            "split" | "splitlines" => split(text, first),
            "reverse" => reversed(object),
            _ => return None,
        }
        .with(taint),
    )
}

fn list_method(all: &[Value], name: &str, first: Option<&Value>) -> Option<Value> {
    Some(match name {
        "join" => joined(
            &first.map(Value::bytes).unwrap_or_else(|| b",".to_vec()),
            &Value::list(all.to_vec()),
        ),
        "reverse" => Value::list(all.iter().rev().cloned().collect()),
        "flat" | "slice" | "copy" | "filter" | "sort" => Value::list(all.to_vec()),
        "pop" | "at" | "shift" => all.first().cloned().unwrap_or_default(),
        _ => return None,
    })
}

fn joined(between: &[u8], all: &Value) -> Value {
    let What::List(all) = &all.what else { return Value::tainted(all.whole_taint()) };
    let mut parts = Vec::new();
    for (at, one) in all.iter().enumerate() {
        if at > 0 {
            parts.push(Value::text(between));
        }
        parts.push(one.clone());
    }
    Value::joined(&parts)
}

fn replaced(text: &[u8], values: &[Value]) -> Option<Value> {
    let [from, to] = [values.first()?, values.get(1)?];
    let (Some(from), Some(to)) = (from.known(), to.known()) else { return Some(Value::default()) };
    let (from, text) = (std::str::from_utf8(from).ok()?, std::str::from_utf8(text).ok()?);
    let to = std::str::from_utf8(to).ok()?;
    Some(Value::text(text.replace(from, to)))
}

fn split(text: &[u8], at: Option<&Value>) -> Value {
    let at = at.and_then(Value::known).unwrap_or(b" ");
    let whole = String::from_utf8_lossy(text);
    let at = String::from_utf8_lossy(at);
    let parts: Vec<Value> = match at.is_empty() {
        true => whole.chars().map(|one| Value::text(one.to_string())).collect(),
        false => whole.split(at.as_ref()).map(Value::text).collect(),
    };
    Value::list(parts)
}

/// What a decoder gives: `kind` is its name, or that of the encoding.
pub fn decoded(kind: &str, value: &Value) -> Value {
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
        _ => return value.clone(),
    };
    match found {
        Some(found) if !found.contains(&UNKNOWN) => Value::text(found).with(value.taint),
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
pub fn characters(values: &[Value]) -> Value {
    let of = |value: &Value| {
        let digits = value.known_text()?;
        let code = match digits.strip_prefix("0x") {
            Some(digits) => u32::from_str_radix(digits, 16).ok()?,
            None => digits.parse().ok()?,
        };
        char::from_u32(code).filter(|found| *found != '\0')
    };
    values.iter().map(of).collect::<Option<String>>().map(Value::text).unwrap_or_default()
}
