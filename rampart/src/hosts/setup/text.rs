//! Entries in the lists of a JSON text, put in and taken out without touching anything else.

use crate::cases::strict;
use serde_json::Value;
use std::ops::Range;

/// A value in a text: where it stands and what is in it.
struct Node {
    at: Range<usize>,
    inside: Inside,
}

enum Inside {
    Object(Vec<(String, usize, Node)>),
    Array(Vec<Node>),
    Other,
}

/// `text` with `entry` at the end of the list at `way`; what is missing on the way is made.
///
/// # Errors
/// If the text is no JSON object, has a name twice, or holds something else on the way.
pub fn with(text: &str, way: &[&str], entry: &Value) -> Result<String, String> {
    let text = if text.trim().is_empty() { "{}\n" } else { text };
    let (mut node, mut depth) = (&root(text)?, 0);
    for name in way {
        let Inside::Object(members) = &node.inside else {
            return Err(format!(
                "has a `{}` that is no object",
                way.get(depth.max(1) - 1).unwrap_or(&"")
            ));
        };
        match members.iter().find(|(known, ..)| known == name) {
            Some((.., inner)) => (node, depth) = (inner, depth + 1),
            None => break,
        }
    }
    let rest = way.get(depth..).unwrap_or_default();
    let mut value = entry.clone();
    let Some((first, more)) = rest.split_first() else {
        let Inside::Array(items) = &node.inside else {
            return Err(format!("has a `{}` that is no list", way.join(".")));
        };
        let last = items.last().map(|item| item.at.end);
        let first = items.first().map(|item| item.at.start);
        return Ok(inserted(text, node, (first, last), None, &value));
    };
    value = Value::Array(vec![value]);
    for name in more.iter().rev() {
        value = Value::Object([((*name).to_owned(), value)].into_iter().collect());
    }
    let Inside::Object(members) = &node.inside else {
        return Err(format!(
            "has a `{}` that is no object",
            way.get(..depth).unwrap_or_default().join(".")
        ));
    };
    let ends =
        (members.first().map(|(_, at, _)| *at), members.last().map(|(.., node)| node.at.end));
    Ok(inserted(text, node, ends, Some(first), &value))
}

/// `text` without the entries of the list at `way` that hold `mark`, and without the lists and
/// objects on the way that are empty then; whether there was one.
///
/// # Errors
/// As [`with`].
pub fn without(text: &str, way: &[&str], mark: &str) -> Result<(String, bool), String> {
    let root = root(text)?;
    let mut on_way = vec![&root];
    for name in way {
        let Some(Inside::Object(members)) = on_way.last().map(|node| &node.inside) else {
            return Ok((text.to_owned(), false));
        };
        match members.iter().find(|(known, ..)| known == name) {
            Some((.., inner)) => on_way.push(inner),
            None => return Ok((text.to_owned(), false)),
        }
    }
    let Some(Inside::Array(items)) = on_way.last().map(|node| &node.inside) else {
        return Ok((text.to_owned(), false));
    };
    let is_ours = |node: &Node| text.get(node.at.clone()).is_some_and(|of| of.contains(mark));
    let Some(at) = items.iter().position(is_ours) else {
        return Ok((text.to_owned(), false));
    };
    // Up from the list to the outermost object that holds nothing else.
    let spans = |items: Vec<Range<usize>>, at: usize, of: &Node| -> Range<usize> {
        let own = items.get(at).cloned().unwrap_or_default();
        match (at.checked_sub(1).and_then(|before| items.get(before)), items.get(at + 1)) {
            (Some(before), _) => before.end..own.end,
            (None, Some(next)) => own.start..next.start,
            (None, None) => of.at.start + 1..of.at.end - 1,
        }
    };
    let list = on_way.last().copied().unwrap_or(&root);
    let mut cut = spans(items.iter().map(|item| item.at.clone()).collect(), at, list);
    let mut is_alone = items.len() == 1;
    for (object, name) in on_way.iter().zip(way).rev().filter(|_| items.len() == 1) {
        let Inside::Object(members) = &object.inside else {
            break;
        };
        if !is_alone {
            break;
        }
        let at = members.iter().position(|(known, ..)| known == name).unwrap_or_default();
        let all = members.iter().map(|(_, start, node)| *start..node.at.end).collect();
        cut = spans(all, at, object);
        is_alone = members.len() == 1;
    }
    let left = [text.get(..cut.start), text.get(cut.end..)].map(Option::unwrap_or_default).concat();
    let (left, _) = without(&left, way, mark)?;
    Ok((left, true))
}

/// `text` with a value behind the last one in `node`, written as what is there is written.
fn inserted(
    text: &str,
    node: &Node,
    (first, last): (Option<usize>, Option<usize>),
    name: Option<&&str>,
    value: &Value,
) -> String {
    let indent_of = |at: usize| {
        let line = text.get(..at).unwrap_or_default().rsplit('\n').next().unwrap_or_default();
        line.len() - line.trim_start().len()
    };
    let own = indent_of(node.at.start);
    // A list on one line stays so; a tab counts as one.
    let on_lines = first
        .is_none_or(|first| text.get(node.at.start..first).is_some_and(|gap| gap.contains('\n')));
    let tab = text.contains("\n\t");
    let step = if tab { 1 } else { 2 };
    let inner = first.filter(|_| on_lines).map_or(own + step, indent_of);
    let pad = |width: usize| if tab { "\t".repeat(width) } else { " ".repeat(width) };
    let name =
        name.map(|name| format!("{}: ", Value::String((**name).to_owned()))).unwrap_or_default();
    let written = match on_lines {
        true => {
            let lines = format!("{value:#}");
            let lines = lines.lines().map(|line| {
                let deep = (line.len() - line.trim_start().len()) / 2;
                format!("{}{}", pad(deep * step), line.trim_start())
            });
            lines.collect::<Vec<_>>().join(&format!("\n{}", pad(inner)))
        }
        false => value.to_string(),
    };
    let gap = if on_lines { format!("\n{}", pad(inner)) } else { " ".to_owned() };
    let (head, tail, piece) = match last {
        Some(last) => (last, last, format!(",{gap}{name}{written}")),
        None => (node.at.start + 1, node.at.end - 1, format!("{gap}{name}{written}\n{}", pad(own))),
    };
    [text.get(..head).unwrap_or_default(), &piece, text.get(tail..).unwrap_or_default()].concat()
}

/// The object that `text` is.
fn root(text: &str) -> Result<Node, String> {
    let (_, duplicate) = strict::object(text.as_bytes())?;
    if let Some(name) = duplicate {
        return Err(format!("has `{}` twice", crate::bytes::visible(name.as_bytes())));
    }
    let mut scanner = Scanner { text: text.as_bytes(), at: 0 };
    scanner.blank();
    Ok(scanner.value())
}

/// Walks over JSON that is known to be valid.
struct Scanner<'t> {
    text: &'t [u8],
    at: usize,
}

impl Scanner<'_> {
    fn peek(&self) -> u8 {
        self.text.get(self.at).copied().unwrap_or_default()
    }

    fn blank(&mut self) {
        while self.peek().is_ascii_whitespace() || matches!(self.peek(), b',' | b':') {
            self.at += 1;
        }
    }

    fn string(&mut self) -> String {
        let start = self.at;
        self.at += 1;
        while self.at < self.text.len() && self.peek() != b'"' {
            self.at += if self.peek() == b'\\' { 2 } else { 1 };
        }
        self.at += 1;
        serde_json::from_slice(self.text.get(start..self.at).unwrap_or_default())
            .unwrap_or_default()
    }

    fn value(&mut self) -> Node {
        let start = self.at;
        let inside = match self.peek() {
            b'{' => self.object(),
            b'[' => self.array(),
            b'"' => {
                self.string();
                Inside::Other
            }
            _ => {
                while self.at < self.text.len() && !b",]} \t\r\n".contains(&self.peek()) {
                    self.at += 1;
                }
                Inside::Other
            }
        };
        Node { at: start..self.at, inside }
    }

    fn object(&mut self) -> Inside {
        let mut members = Vec::new();
        self.at += 1;
        self.blank();
        while self.at < self.text.len() && self.peek() != b'}' {
            let start = self.at;
            let name = self.string();
            self.blank();
            members.push((name, start, self.value()));
            self.blank();
        }
        self.at += 1;
        Inside::Object(members)
    }

    fn array(&mut self) -> Inside {
        let mut items = Vec::new();
        self.at += 1;
        self.blank();
        while self.at < self.text.len() && self.peek() != b']' {
            items.push(self.value());
            self.blank();
        }
        self.at += 1;
        Inside::Array(items)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// Put in and taken out, each text is what it was, and in between it holds what it held.
    #[test]
    fn texts_come_back_byte_for_byte() {
        let texts = [
            "{\n  \"model\": \"x\",\n  \"hooks\": {\n    \"PreToolUse\": [\n      {\"matcher\": \"Bash\", \"hooks\": []}\n    ]\n  }\n}\n",
            "{\"hooks\":{\"PreToolUse\":[{\"a\":1}],\"Stop\":[]},\"b\":\"}]\\\"\"}",
            "{\n\t\"env\": {\n\t\t\"A\": \"1\"\n\t}\n}",
            "{ \"a\": [1, 2,3 ] , \"hooks\" : { \"Stop\" : [ { } ] } }",
            "{}",
            "{\r\n  \"a\": 1\r\n}\r\n",
        ];
        let ways: [&[&str]; 2] = [&["hooks", "PreToolUse"], &["hooks", "PostToolUse"]];
        let entry = json!({"matcher": ".*", "hooks": [{"type": "command", "command": "/r hook --format x"}]});
        for text in texts {
            let mut now = text.to_owned();
            for way in ways {
                now = with(&now, way, &entry).unwrap();
            }
            let (before, after): (Value, Value) =
                (serde_json::from_str(text).unwrap(), serde_json::from_str(&now).expect(&now));
            for (name, value) in
                before.as_object().unwrap().iter().filter(|(name, _)| *name != "hooks")
            {
                assert_eq!(after[name], *value, "{now}");
            }
            for way in ways {
                let list = after["hooks"][way[1]].as_array().unwrap();
                assert_eq!(list.last().unwrap(), &entry, "{now}");
            }
            for way in ways.into_iter().rev() {
                let (left, was_there) = without(&now, way, " hook --format x").unwrap();
                assert!(was_there);
                now = left;
            }
            assert_eq!(now, text);
            assert!(!without(&now, ways[0], " hook --format x").unwrap().1);
        }
    }

    #[test]
    fn what_is_no_configuration_is_refused() {
        let way = ["hooks", "PreToolUse"];
        for text in [
            "{",
            "[]",
            "{\"a\":1,\"a\":2}",
            "{\"hooks\":[]}",
            "{\"hooks\":{\"PreToolUse\":{}}}",
            "// x\n{}",
        ] {
            assert!(with(text, &way, &json!({})).is_err(), "{text}");
        }
    }
}
