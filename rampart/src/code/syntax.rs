//! What the two languages' syntax trees are read with.

use super::lowered::{Expr, Statement};
use std::ops::ControlFlow;
use tree_sitter::{Language, Node, ParseOptions, ParseState, Parser, Tree};

/// Deepest nesting that is read. The parser has no such limit; our stack has.
pub const DEEPEST: usize = 150;

/// A text that was parsed, and how it is being read.
pub struct Source<'a> {
    /// The text.
    pub text: &'a [u8],
    /// How deep the reader is.
    pub depth: usize,
    /// Whether something was nested too deeply.
    pub is_cut: bool,
}

impl<'a> Source<'a> {
    /// Reads one level below by `read`, unless that is too deep.
    pub fn deeper<R: Default>(&mut self, read: impl FnOnce(&mut Self) -> R) -> R {
        if self.depth >= DEEPEST {
            self.is_cut = true;
            return R::default();
        }
        self.depth += 1;
        let done = read(self);
        self.depth -= 1;
        done
    }

    /// The text of a node.
    pub fn bytes(&self, node: Node<'_>) -> &'a [u8] {
        self.text.get(node.byte_range()).unwrap_or_default()
    }

    /// The same as characters.
    pub fn word(&self, node: Node<'_>) -> String {
        String::from_utf8_lossy(self.bytes(node)).into_owned()
    }
}

/// Parses `text`; nothing if that is more work than code of its length is. What is no code can take a parser
/// that goes on after errors hundreds of times as long; the work is counted, not timed, so that the same
/// text has the same answer on any load.
pub fn parsed(text: &[u8], language: &Language) -> Option<Tree> {
    let mut parser = Parser::new();
    parser.set_language(language).ok()?;
    // It reports every 100 steps; code takes a step for each two or three bytes.
    let mut left = 2_000 + text.len() / 16;
    let mut progress = |_: &ParseState| match left.checked_sub(1) {
        Some(fewer) => {
            left = fewer;
            ControlFlow::Continue(())
        }
        None => ControlFlow::Break(()),
    };
    let options = ParseOptions::new().progress_callback(&mut progress);
    parser.parse_with_options(&mut |at, _| text.get(at..).unwrap_or_default(), None, Some(options))
}

/// The named children of a node, comments left out.
pub fn children(node: Node<'_>) -> Vec<Node<'_>> {
    let mut cursor = node.walk();
    node.named_children(&mut cursor).filter(|child| child.kind() != "comment").collect()
}

/// The child in this field.
pub fn field<'t>(node: Node<'t>, name: &str) -> Option<Node<'t>> {
    node.child_by_field_name(name)
}

impl Default for Expr {
    fn default() -> Self {
        Self::Other(Vec::new())
    }
}

impl Default for Statement {
    fn default() -> Self {
        Self::Block(Vec::new())
    }
}

/// What an escape sequence of a string stands for, as far as Python and JavaScript agree: `\n`, `\x41`,
/// `\u0041`, `\u{41}`, `\101`, and a line break that is none.
pub fn escaped(sequence: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(sequence);
    let rest = text.strip_prefix('\\').unwrap_or(&text);
    let of = |digits: &str, radix| {
        let code = u32::from_str_radix(digits, radix).ok().and_then(char::from_u32);
        code.map(|code| code.to_string().into_bytes())
    };
    let mut letters = rest.chars();
    let found = match letters.next() {
        Some('n') => Some(b"\n".to_vec()),
        Some('t') => Some(b"\t".to_vec()),
        Some('r') => Some(b"\r".to_vec()),
        Some('\n') => Some(Vec::new()),
        Some('x' | 'u' | 'U') => of(letters.as_str().trim_matches(['{', '}']), 16),
        Some('0'..='7') => of(rest, 8),
        Some(other) => Some(other.to_string().into_bytes()),
        None => None,
    };
    // NUL means something else here.
    found.filter(|bytes| !bytes.contains(&0)).unwrap_or_default()
}
