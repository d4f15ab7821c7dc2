//! What is wrong with a policy, in the words of somebody who wants it repaired: where it stands,
//! the line itself with a caret, and what to write instead. People and language models read it.

use evaluator::escape;
use std::fmt;
use std::ops::Range;

/// One policy text.
#[derive(Clone, Copy, Debug)]
pub struct Source<'a> {
    /// Name for diagnostics, usually the path it was read from.
    pub name: &'a str,
    /// The YAML text. Must be UTF-8 and at most [`crate::MAX_SOURCE`] bytes.
    pub text: &'a [u8],
}

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Worth knowing.
    Note,
    /// The policy works, but probably not as meant.
    Warning,
    /// The policy is refused.
    Error,
}

impl Level {
    /// How it is written in front of a message.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// One finding, with the place it is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// How bad it is.
    pub level: Level,
    /// Name of the source.
    pub file: String,
    /// 1-based line; 0 where it is about the whole file.
    pub line: usize,
    /// 1-based column in characters; 0 where it is about the whole line or file.
    pub column: usize,
    /// A stable name for machines; empty for errors and older warnings.
    pub code: &'static str,
    /// What is wrong.
    pub message: String,
    /// What to do about it; may be empty.
    pub help: String,
    /// The source line, shortened and with control characters replaced; may be empty.
    pub excerpt: String,
    /// Where in `excerpt` the caret starts, in characters.
    pub caret: usize,
    /// How many characters it underlines, at least 1.
    pub width: usize,
}

/// Longest excerpt in characters.
const EXCERPT: usize = 120;

impl Diagnostic {
    /// A finding about the bytes `range` of `source`.
    #[must_use]
    pub fn at(source: &Source<'_>, range: &Range<usize>, level: Level, message: String) -> Self {
        let text = String::from_utf8_lossy(source.text);
        let start = floor_boundary(&text, range.start);
        let before = text.get(..start).unwrap_or_default();
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let line = before.matches('\n').count() + 1;
        let indent = text.get(line_start..start).unwrap_or_default();
        let rest = text.get(start..).unwrap_or_default();
        let rest = rest.lines().next().unwrap_or_default();
        let marked = range.end.saturating_sub(start).max(1);
        let width = rest.char_indices().take_while(|(offset, _)| *offset < marked).count();
        let column = indent.chars().count() + 1;
        let (excerpt, caret) = excerpt(indent, rest);
        Self {
            level,
            file: source.name.to_owned(),
            line,
            column,
            code: "",
            message: visible(&message),
            help: String::new(),
            width: width.clamp(1, EXCERPT.saturating_sub(caret).max(1)),
            excerpt,
            caret,
        }
    }

    /// A finding about `source` as a whole.
    #[must_use]
    pub fn whole(source: &Source<'_>, level: Level, message: String) -> Self {
        Self {
            level,
            file: source.name.to_owned(),
            line: 0,
            column: 0,
            code: "",
            message: visible(&message),
            help: String::new(),
            excerpt: String::new(),
            caret: 0,
            width: 1,
        }
    }

    /// The same with a name for machines.
    #[must_use]
    pub const fn code(mut self, code: &'static str) -> Self {
        self.code = code;
        self
    }

    /// The same with advice.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = visible(&help.into());
        self
    }
}

/// `text` with control characters escaped: it quotes the policy, which somebody else may have
/// written, and is read on terminals.
fn visible(text: &str) -> String {
    let mut shown = Vec::with_capacity(text.len());
    escape::visible(text.as_bytes(), &mut |piece| shown.extend_from_slice(piece));
    String::from_utf8_lossy(&shown).into_owned()
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let level = self.level.name();
        write!(f, "{}", visible(&self.file))?;
        if self.line > 0 {
            write!(f, ":{}:{}", self.line, self.column)?;
        }
        write!(f, ": {level}: {}", self.message)?;
        if !self.excerpt.is_empty() {
            let (line, caret, width) = (self.line, self.caret, self.width);
            write!(f, "\n{line:>5} | {}", self.excerpt)?;
            write!(f, "\n      | {:caret$}{}", "", "^".repeat(width))?;
        }
        if !self.help.is_empty() {
            write!(f, "\n      = {}", self.help)?;
        }
        Ok(())
    }
}

/// The line to show and where the caret stands in it: at most [`EXCERPT`] characters, the marked
/// place among them.
fn excerpt(indent: &str, rest: &str) -> (String, usize) {
    let caret = indent.chars().count();
    let skip = caret.saturating_sub(EXCERPT / 2);
    let shown: String = indent
        .chars()
        .chain(rest.chars())
        .skip(skip)
        .take(EXCERPT)
        .map(|c| match c {
            '\t' => ' ',
            c if escape::is_unsafe(c) => '\u{fffd}',
            c => c,
        })
        .collect();
    (shown, caret - skip)
}

/// The last character boundary at or before `index`.
fn floor_boundary(text: &str, index: usize) -> usize {
    let mut at = index.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

/// The known word that `word` was probably meant to be: at most two edits away (one for short
/// words), or equal without case, `-` and `_`.
#[must_use]
pub fn did_you_mean<'k>(word: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let plain = |s: &str| s.to_ascii_lowercase().replace('-', "_");
    let word = plain(word);
    let limit = if word.chars().count() < 5 { 1 } else { 2 };
    known
        .into_iter()
        .map(|candidate| (edits(&word, &plain(candidate)), candidate))
        .filter(|(edits, _)| *edits <= limit)
        .min_by_key(|(edits, _)| *edits)
        .map(|(_, candidate)| candidate)
}

/// Restricted Damerau-Levenshtein distance: insertions, deletions, replacements and swaps of
/// neighbours. Quadratic, so words longer than 64 characters are infinitely far away.
fn edits(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    if a.len() > 64 || b.len() > 64 {
        return usize::MAX;
    }
    let mut older: Vec<usize> = Vec::new();
    let mut previous: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, y) in b.iter().enumerate() {
            let cell = |cells: &[usize], at: usize| cells.get(at).copied().unwrap_or(usize::MAX);
            let replaced = cell(&previous, j).saturating_add(usize::from(x != y));
            let mut best = replaced
                .min(cell(&previous, j + 1).saturating_add(1))
                .min(cell(&row, j).saturating_add(1));
            let swapped = i > 0 && j > 0 && a.get(i - 1) == Some(y) && b.get(j - 1) == Some(x);
            if swapped {
                best = best.min(cell(&older, j - 1).saturating_add(1));
            }
            row.push(best);
        }
        older = previous;
        previous = row;
    }
    previous.last().copied().unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suggestions() {
        let known = ["priority", "policies", "name", "flags", "deny", "default_action"];
        for (word, expected) in [
            ("prioritty", Some("priority")),
            ("proirity", Some("priority")),
            ("default-action", Some("default_action")),
            ("NAME", Some("name")),
            ("dney", Some("deny")),
            ("flag", Some("flags")),
            ("nme", Some("name")),
            ("nope", None),
            ("rules", None),
            ("", None),
        ] {
            assert_eq!(did_you_mean(word, known), expected, "{word}");
        }
    }

    #[test]
    fn nothing_that_is_quoted_acts_on_a_terminal() {
        let source = Source { name: "a\u{1b}[2Jb.yaml", text: b"x: 1\t2" };
        let key = "un\u{1b}[31m\u{202e}known".to_owned();
        let found = Diagnostic::at(&source, &(0..1), Level::Error, key.clone()).help(key);
        let shown = found.to_string();
        let is_unsafe = |c: char| c != '\n' && escape::is_unsafe(c);
        assert!(!shown.contains(is_unsafe), "{shown:?}");
        assert!(shown.contains("un\\x1b[31m"), "{shown}");
    }

    #[test]
    fn display_marks_the_place() {
        let source = Source { name: "p.yaml", text: b"a: 1\n  bad\tkey: 2\n" };
        let shown = Diagnostic::at(&source, &(7..10), Level::Error, "no such key".into())
            .help("did you mean `good`?")
            .to_string();
        assert_eq!(
            shown,
            "p.yaml:2:3: error: no such key\n    2 |   bad key: 2\n      |   ^^^\n      = did you mean `good`?"
        );
    }

    #[test]
    fn long_lines_keep_the_marked_place() {
        let text = format!("{}X{}", "ü".repeat(300), "y".repeat(300));
        let source = Source { name: "p", text: text.as_bytes() };
        let found = Diagnostic::at(&source, &(600..601), Level::Error, String::new());
        assert_eq!((found.line, found.column, found.width), (1, 301, 1));
        assert_eq!(found.excerpt.chars().nth(found.caret), Some('X'));
        assert_eq!(found.excerpt.chars().count(), EXCERPT);
    }
}
