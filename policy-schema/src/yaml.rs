//! YAML text to a tree whose every node knows its place, so that the reader can go on after an
//! error and report them all. Typed deserialization would stop at the first.

use std::fmt;
use std::ops::Range;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::options::{DuplicateKeyPolicy, MergeKeyPolicy};
use serde_saphyr::{Location, Spanned};

use crate::diagnostic::{Diagnostic, Level, Source};

/// Largest policy file in bytes.
pub const MAX_SOURCE: usize = 1024 * 1024;

/// A node and the bytes of the source it was written as.
#[derive(Clone, Debug)]
pub struct Node {
    /// What it is.
    pub kind: Kind,
    /// Where it stands: at the alias, if it was written as one.
    pub range: Range<usize>,
    /// Where its text stands: at the anchor, if it was written as an alias.
    pub defined: Range<usize>,
}

/// What a node is. Scalars other than strings keep no value: their meaning depends on what is
/// expected, and is read from the source text.
#[derive(Clone, Debug)]
pub enum Kind {
    /// Nothing, `~` or `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number; the text says which.
    Number,
    /// Quoted or plain text.
    Text(String),
    /// A sequence.
    List(Vec<Node>),
    /// A mapping, duplicate keys included.
    Map(Vec<(Spanned<String>, Node)>),
}

impl Kind {
    /// What it is, with its article, for messages.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Null => "nothing",
            Self::Bool(_) => "true or false",
            Self::Number => "a number",
            Self::Text(_) => "text",
            Self::List(_) => "a list",
            Self::Map(_) => "a mapping",
        }
    }
}

/// The bytes that `location` is about.
pub fn range(location: Location) -> Range<usize> {
    let span = location.span();
    let start = usize::try_from(span.byte_offset().unwrap_or(0)).unwrap_or(0);
    let len = usize::try_from(span.byte_len().unwrap_or(0)).unwrap_or(0);
    start..start.saturating_add(len)
}

/// Reads the one document of `source`.
///
/// # Errors
/// If it is too large, not UTF-8, no YAML, not exactly one document, or past a counted limit
/// (nesting, nodes, aliases).
pub fn parse(source: &Source<'_>) -> Result<Node, Box<Diagnostic>> {
    let whole = |message: String| Diagnostic::whole(source, Level::Error, message);
    if source.text.len() > MAX_SOURCE {
        let size = source.text.len();
        let found = whole(format!("a policy file of {size} bytes; the limit is {MAX_SOURCE}"));
        return Err(Box::new(found.help("split it into several files")));
    }
    let text = std::str::from_utf8(source.text).map_err(|error| {
        let at = error.valid_up_to();
        Box::new(Diagnostic::at(source, &(at..at + 1), Level::Error, "not UTF-8 text".into()))
    })?;
    let options = serde_saphyr::options! {
        strict_booleans: true,
        // Both are reported by the reader, which knows the place of each.
        duplicate_keys: DuplicateKeyPolicy::PassThrough,
        merge_keys: MergeKeyPolicy::AsOrdinary,
        leading_zero_numbers_as_strings: true,
        underscored_numbers_as_strings: true,
        budget: serde_saphyr::budget! {
            max_depth: 32,
            flow_nesting_limit: 32,
            max_nodes: 100_000,
            max_events: 250_000,
            max_aliases: 1_000,
            max_anchors: 1_000,
            max_recorded_anchor_events: 20_000,
            max_total_scalar_bytes: 4 * MAX_SOURCE,
        },
        alias_limits: serde_saphyr::alias_limits! {
            max_total_replayed_events: 50_000,
            max_replay_stack_depth: 8,
        },
    };
    serde_saphyr::from_str_with_options::<Node>(text, options)
        .map_err(|error| Box::new(syntax_error(source, text, &error)))
}

fn syntax_error(source: &Source<'_>, text: &str, error: &serde_saphyr::Error) -> Diagnostic {
    let bare = error.without_snippet();
    let mut message = bare.to_string();
    // The place is shown by the diagnostic; the rest is advice about the parser's own API.
    for tail in [" at line ", "; use from_"] {
        if let Some((head, _)) = message.split_once(tail) {
            message = head.to_owned();
        }
    }
    let found = match error.location() {
        Some(location) if location != Location::UNKNOWN => {
            let place = place(text, location);
            Diagnostic::at(source, &place, Level::Error, format!("not valid YAML: {message}"))
        }
        _ => Diagnostic::whole(source, Level::Error, format!("not valid YAML: {message}")),
    };
    if message.contains("unknown anchor") {
        return found.help("a value that starts with `*` must be quoted: \"*.env\"");
    }
    if message.contains("multiple") || message.contains("documents") {
        return found.help("a policy file holds exactly one document; remove the `---`");
    }
    found
}

/// The bytes of an error's place; errors know their line and column, not always their bytes.
fn place(text: &str, location: Location) -> Range<usize> {
    let line = usize::try_from(location.line()).unwrap_or(1).max(1);
    let column = usize::try_from(location.column()).unwrap_or(1).max(1);
    let start: usize = text.split_inclusive('\n').take(line - 1).map(str::len).sum();
    let rest = text.get(start..).unwrap_or_default();
    let inside: usize =
        rest.chars().take(column - 1).take_while(|c| *c != '\n').map(char::len_utf8).sum();
    start + inside..start + inside + 1
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = Spanned::<Kind>::deserialize(deserializer)?;
        Ok(Self {
            kind: spanned.value,
            range: range(spanned.referenced),
            defined: range(spanned.defined),
        })
    }
}

impl<'de> Deserialize<'de> for Kind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(KindVisitor)
    }
}

struct KindVisitor;

impl<'de> Visitor<'de> for KindVisitor {
    type Value = Kind;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }
    fn visit_unit<E>(self) -> Result<Kind, E> {
        Ok(Kind::Null)
    }
    fn visit_none<E>(self) -> Result<Kind, E> {
        Ok(Kind::Null)
    }
    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Kind, D::Error> {
        Kind::deserialize(deserializer)
    }
    fn visit_bool<E>(self, value: bool) -> Result<Kind, E> {
        Ok(Kind::Bool(value))
    }
    fn visit_i64<E>(self, _: i64) -> Result<Kind, E> {
        Ok(Kind::Number)
    }
    fn visit_u64<E>(self, _: u64) -> Result<Kind, E> {
        Ok(Kind::Number)
    }
    fn visit_i128<E>(self, _: i128) -> Result<Kind, E> {
        Ok(Kind::Number)
    }
    fn visit_u128<E>(self, _: u128) -> Result<Kind, E> {
        Ok(Kind::Number)
    }
    fn visit_f64<E>(self, _: f64) -> Result<Kind, E> {
        Ok(Kind::Number)
    }
    fn visit_str<E>(self, value: &str) -> Result<Kind, E> {
        Ok(Kind::Text(value.to_owned()))
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Kind, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element::<Node>()? {
            list.push(item);
        }
        Ok(Kind::List(list))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Kind, A::Error> {
        let mut map = Vec::new();
        while let Some(key) = entries.next_key::<Spanned<String>>()? {
            map.push((key, entries.next_value::<Node>()?));
        }
        Ok(Kind::Map(map))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(text: &str) -> Source<'_> {
        Source { name: "t.yaml", text: text.as_bytes() }
    }

    #[test]
    fn nodes_know_their_bytes() {
        let text = "a: &x 'b'\nc: [*x, 010, true]\n";
        let node = parse(&source(text)).unwrap();
        let Kind::Map(entries) = node.kind else { panic!("a mapping") };
        assert_eq!(text.get(range(entries[0].0.referenced)), Some("a"));
        assert_eq!(text.get(entries[0].1.range.clone()), Some("'b'"));
        let Kind::List(items) = &entries[1].1.kind else { panic!("a list") };
        assert_eq!(text.get(items[0].range.clone()), Some("*x"));
        assert_eq!(text.get(items[0].defined.clone()), Some("'b'"));
        assert!(matches!(&items[1].kind, Kind::Text(s) if s == "010"));
        assert!(matches!(items[2].kind, Kind::Bool(true)));
    }

    #[test]
    fn refused_texts() {
        let deep = "[".repeat(100_000);
        let bomb = "a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: [*d,*d,*d,*d,*d,*d,*d,*d,*d]\n";
        let large = format!("a: {}", "x".repeat(MAX_SOURCE));
        for (text, line, column, fragment) in [
            ("a: [1\nb: 2\n", 2, 0, "not valid YAML"),
            ("a: 1\n---\nb: 2\n", 0, 0, "not valid YAML"),
            ("a: *.env\n", 1, 4, "anchor"),
            (&deep, 1, 0, "not valid YAML"),
            (bomb, 0, 0, "not valid YAML"),
            (&large, 0, 0, "the limit is"),
            ("a: \"\\q\"\n", 1, 0, "not valid YAML"),
        ] {
            let shown = text.get(..40.min(text.len())).unwrap();
            let found = parse(&source(text)).expect_err(shown);
            assert!(found.message.contains(fragment), "{shown}: {found}");
            println!("{found}\n");
            if line > 0 {
                assert_eq!(found.line, line, "{shown}: {found}");
            }
            if column > 0 {
                assert_eq!(found.column, column, "{shown}: {found}");
            }
        }
    }
}
