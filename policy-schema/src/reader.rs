//! Typed access to YAML nodes that goes on after an error: every reading method reports what is
//! wrong and answers `None` or a default, so that one run finds all mistakes.

use std::ops::Range;

use crate::diagnostic::{Diagnostic, Level, Source, did_you_mean};
use crate::document::At;
use crate::keys::Mapping;
use crate::read_lists::Lists;
use crate::yaml::{Kind, Node, range};

/// Reads nodes of one source and collects what is wrong with them.
pub struct Reader<'s> {
    source: Source<'s>,
    /// Everything found so far, in reading order.
    pub found: Vec<Diagnostic>,
    /// The named lists read so far.
    pub lists: Lists,
}

/// The entries of a mapping whose keys are known.
pub struct Fields<'n> {
    entries: Vec<(&'n str, Range<usize>, &'n Node)>,
}

impl<'n> Fields<'n> {
    /// The value of `key`; `None` if it is absent or empty.
    pub fn get(&self, key: &str) -> Option<&'n Node> {
        self.entries
            .iter()
            .find(|(name, _, _)| *name == key)
            .map(|(_, _, node)| *node)
            .filter(|node| !matches!(node.kind, Kind::Null))
    }

    /// Where `key` stands.
    pub fn key(&self, key: &str) -> Option<Range<usize>> {
        let found = self.entries.iter().find(|(name, _, _)| *name == key);
        found.map(|(_, range, _)| range.clone())
    }

    /// Every entry, in order: key, its place, its value.
    pub fn all(&self) -> impl Iterator<Item = &(&'n str, Range<usize>, &'n Node)> {
        self.entries.iter()
    }
}

impl<'s> Reader<'s> {
    /// A reader of `source` that has found nothing.
    pub fn new(source: Source<'s>) -> Self {
        Self { source, found: Vec::new(), lists: Lists::default() }
    }

    /// Reports an error at `range`.
    pub fn error(
        &mut self,
        range: &Range<usize>,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        let found = Diagnostic::at(&self.source, range, Level::Error, message.into());
        self.found.push(found.help(help));
    }

    /// Reports a warning at `range`.
    pub fn warn(
        &mut self,
        range: &Range<usize>,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        let found = Diagnostic::at(&self.source, range, Level::Warning, message.into());
        self.found.push(found.help(help));
    }

    /// Reports that `node` is not what `what` should be.
    fn wrong_type(&mut self, node: &Node, what: &str, expected: &str) {
        let message = format!("{what} must be {expected}, not {}", node.kind.name());
        self.error(&node.range, message, "");
    }

    /// The bytes that a scalar was written as.
    fn raw(&self, node: &Node) -> Option<String> {
        let bytes = self.source.text.get(node.defined.clone())?;
        String::from_utf8(bytes.to_vec()).ok()
    }

    /// The entries of a mapping of any keys; a repeated key is an error.
    pub fn map<'n>(&mut self, node: &'n Node, what: &str) -> Option<Fields<'n>> {
        let Kind::Map(map) = &node.kind else {
            self.wrong_type(node, what, "a mapping");
            return None;
        };
        let mut entries: Vec<(&str, Range<usize>, &Node)> = Vec::with_capacity(map.len());
        for (key, value) in map {
            let place = range(key.referenced);
            if entries.iter().any(|(name, _, _)| *name == key.value) {
                let message = format!("`{}` stands twice in {what}", key.value);
                self.error(&place, message, "remove one of them, or join their values");
                continue;
            }
            entries.push((&key.value, place, value));
        }
        Some(Fields { entries })
    }

    /// The entries of a mapping whose keys are known.
    pub fn fields<'n>(&mut self, node: &'n Node, mapping: &Mapping) -> Option<Fields<'n>> {
        let what = mapping.what;
        let mut fields = self.map(node, what)?;
        fields.entries.retain(|(key, place, _)| {
            let is_known = mapping.names().any(|name| name == *key);
            if !is_known {
                let hint = mapping.hints.iter().find(|(name, _)| name == key);
                let help = match (hint, did_you_mean(key, mapping.names())) {
                    (Some((_, hint)), _) => (*hint).to_owned(),
                    (None, Some(meant)) => format!("did you mean `{meant}`?"),
                    (None, None) => {
                        format!("known keys: {}", mapping.names().collect::<Vec<_>>().join(", "))
                    }
                };
                self.error(place, format!("unknown key `{key}` in {what}"), help);
            }
            is_known
        });
        Some(fields)
    }

    /// The items of a list; a single value counts as a list of one.
    pub fn items<'n>(&mut self, node: &'n Node) -> &'n [Node] {
        match &node.kind {
            Kind::List(items) => items,
            _ => std::slice::from_ref(node),
        }
    }

    /// The items of what must be written as a list.
    pub fn list<'n>(&mut self, node: &'n Node, what: &str) -> &'n [Node] {
        if let Kind::List(items) = &node.kind {
            return items;
        }
        self.wrong_type(node, what, "a list");
        &[]
    }

    /// Text. Numbers and booleans are taken as they are written, and so is an item `~`, by which
    /// an author of path patterns means a home directory and not YAML's null.
    pub fn text(&mut self, node: &Node, what: &str) -> Option<At<String>> {
        let value = match &node.kind {
            Kind::Text(text) => Some(text.clone()),
            Kind::Number | Kind::Bool(_) => self.raw(node),
            Kind::Null => self.raw(node).filter(|raw| raw == "~"),
            Kind::List(_) | Kind::Map(_) => None,
        };
        if value.is_none() {
            self.wrong_type(node, what, "text");
        }
        value.map(|value| At { value, range: node.range.clone() })
    }

    /// Text of a field, or nothing.
    pub fn optional(&mut self, fields: &Fields<'_>, key: &str) -> Option<At<String>> {
        let node = fields.get(key)?;
        self.text(node, &format!("`{key}`"))
    }

    /// Text that is one of `choices`.
    pub fn choice<T: Copy>(&mut self, node: &Node, what: &str, choices: &[(&str, T)]) -> Option<T> {
        let text = self.text(node, what)?;
        let found = choices.iter().find(|(name, _)| *name == text.value);
        if found.is_none() {
            let names = || choices.iter().map(|(name, _)| *name);
            let help = match did_you_mean(&text.value, names()) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => format!("one of: {}", names().collect::<Vec<_>>().join(", ")),
            };
            self.error(&node.range, format!("`{}` is no value of {what}", text.value), help);
        }
        found.map(|(_, value)| *value)
    }

    /// `true` or `false`; `None` if absent or wrong.
    pub fn flag(&mut self, fields: &Fields<'_>, key: &str) -> Option<bool> {
        let node = fields.get(key)?;
        if let Kind::Bool(value) = node.kind {
            return Some(value);
        }
        self.wrong_type(node, &format!("`{key}`"), "`true` or `false`");
        None
    }

    /// A whole number in `bounds`.
    pub fn integer(
        &mut self,
        node: &Node,
        what: &str,
        bounds: std::ops::RangeInclusive<i64>,
    ) -> Option<i64> {
        let number = match &node.kind {
            Kind::Number => self.raw(node).and_then(|raw| raw.parse::<i64>().ok()),
            _ => None,
        };
        let Some(number) = number else {
            self.wrong_type(node, what, "a whole number");
            return None;
        };
        if !bounds.contains(&number) {
            let help = format!("from {} to {}", bounds.start(), bounds.end());
            self.error(&node.range, format!("{what} is out of bounds"), help);
            return None;
        }
        Some(number)
    }
}
