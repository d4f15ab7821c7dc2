//! What has to stand in a text for a regular expression to match it: found out once, when the policy
//! is compiled, so that an expression is only built where it can match at all. A hook lives for one
//! call, and building one expression costs more than everything else that it does.
//!
//! Necessary, never sufficient: where nothing can be said, nothing is needed.

use memchr::memmem;
use regex_syntax::ParserBuilder;
use regex_syntax::hir::{Class, Hir, HirKind};
use std::collections::BTreeSet;

/// Most literals in one clause.
const MOST: usize = 64;

/// Shortest literal that is worth looking for, in bytes.
const SHORTEST: usize = 2;

/// Between the literals of a clause, one of which has to stand in the text.
const OR: char = '\0';
/// Between clauses, all of which have to hold.
const AND: char = '\u{1}';
/// First in a clause whose literals are in lower case, and are looked for in a text in lower case.
const FOLDED: char = 'i';
/// First in a clause whose literals are looked for as they are.
const EXACT: char = 'c';

/// Texts that together are all that some part of an expression matches.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Texts {
    all: BTreeSet<Vec<u8>>,
    /// Whether they are in lower case and stand for all cases.
    is_folded: bool,
}

/// What `regex` needs: clauses of literals, as [`are_met`] reads them. Empty if nothing is known.
#[must_use]
pub fn of(regex: &str) -> String {
    // As `regex::bytes` reads it.
    let Ok(hir) = ParserBuilder::new().utf8(false).build().parse(regex) else {
        return String::new();
    };
    let clauses: Vec<String> = clauses(&hir).iter().filter_map(written).collect();
    clauses.join(&AND.to_string())
}

/// A text that expressions are held against.
pub struct Text<'t> {
    text: &'t [u8],
    folded: Vec<u8>,
}

impl<'t> Text<'t> {
    /// Prepares `text`.
    #[must_use]
    pub fn new(text: &'t [u8]) -> Self {
        Self { text, folded: lower(text) }
    }

    /// The text itself.
    #[must_use]
    pub const fn bytes(&self) -> &'t [u8] {
        self.text
    }

    /// Whether all `needs` of an expression ([`of`]) are met. If not, it does not match.
    #[must_use]
    pub fn meets(&self, needs: &[u8]) -> bool {
        needs.split(|byte| *byte == AND as u8).filter(|clause| !clause.is_empty()).all(|clause| {
            let (text, literals) = match clause.split_first() {
                Some((kind, literals)) if *kind == FOLDED as u8 => (&*self.folded, literals),
                Some((kind, literals)) if *kind == EXACT as u8 => (self.text, literals),
                _ => return true,
            };
            literals.split(|byte| *byte == OR as u8).any(|one| memmem::find(text, one).is_some())
        })
    }
}

/// `text` in lower case, as far as an expression that ignores case may take it for ASCII: `K` and
/// `ſ` (U+212A, U+017F) are the only other characters that do (Unicode's `CaseFolding.txt`).
fn lower(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((first, behind)) = rest.split_first() {
        if let Some(behind) = rest.strip_prefix("\u{212A}".as_bytes()) {
            out.push(b'k');
            rest = behind;
        } else if let Some(behind) = rest.strip_prefix("\u{17F}".as_bytes()) {
            out.push(b's');
            rest = behind;
        } else {
            out.push(first.to_ascii_lowercase());
            rest = behind;
        }
    }
    out
}

/// A clause as it stands in an image; `None` if it says too little, or cannot be written.
fn written(texts: &Texts) -> Option<String> {
    let mut clause = String::from(if texts.is_folded { FOLDED } else { EXACT });
    for (at, literal) in texts.all.iter().enumerate() {
        let literal = std::str::from_utf8(literal).ok()?;
        if literal.len() < SHORTEST || literal.contains([OR, AND]) {
            return None;
        }
        if at > 0 {
            clause.push(OR);
        }
        clause.push_str(literal);
    }
    (!texts.all.is_empty()).then_some(clause)
}

impl Texts {
    fn of(text: &[u8]) -> Self {
        Self { all: BTreeSet::from([text.to_vec()]), is_folded: false }
    }

    /// The shortest of them, in bytes: how much it says that one stands in a text.
    fn weight(&self) -> usize {
        self.all.iter().map(Vec::len).min().unwrap_or(0)
    }

    /// In lower case, for all cases.
    fn folded(self) -> Self {
        let all = self.all.iter().map(|text| lower(text)).collect();
        Self { all, is_folded: true }
    }

    /// Both in one way of spelling.
    fn alike(self, other: Self) -> (Self, Self) {
        match self.is_folded || other.is_folded {
            true => (self.folded(), other.folded()),
            false => (self, other),
        }
    }

    /// One of these or one of those.
    fn or(self, other: Self) -> Option<Self> {
        let (mut one, other) = self.alike(other);
        one.all.extend(other.all);
        (one.all.len() <= MOST).then_some(one)
    }

    /// One of these, and right behind it one of those.
    fn then(self, other: Self) -> Option<Self> {
        let (one, other) = self.alike(other);
        if one.all.len().saturating_mul(other.all.len()) > MOST {
            return None;
        }
        let behind =
            |head: &Vec<u8>| other.all.iter().map(|tail| [&**head, tail].concat()).collect();
        let all = one.all.iter().flat_map(|head| -> Vec<Vec<u8>> { behind(head) }).collect();
        Some(Self { all, is_folded: one.is_folded })
    }
}

/// All that `hir` matches, if that is a short list.
fn texts(hir: &Hir) -> Option<Texts> {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => Some(Texts::of(b"")),
        HirKind::Literal(literal) => Some(Texts::of(&literal.0)),
        HirKind::Class(class) => of_class(class),
        HirKind::Capture(capture) => texts(&capture.sub),
        HirKind::Concat(parts) => {
            parts.iter().try_fold(Texts::of(b""), |all, part| all.then(texts(part)?))
        }
        HirKind::Alternation(parts) => {
            let mut all = parts.iter().map(texts);
            let first = all.next()??;
            all.try_fold(first, |all, part| all.or(part?))
        }
        HirKind::Repetition(repetition) => match (repetition.min, repetition.max) {
            (0, Some(1)) => texts(&repetition.sub)?.or(Texts::of(b"")),
            (1, Some(1)) => texts(&repetition.sub),
            _ => None,
        },
    }
}

/// The characters of a small class; a letter in both cases, and what else it is in Unicode's eyes,
/// is one in lower case.
fn of_class(class: &Class) -> Option<Texts> {
    let few = |from: u32, to: u32| to.checked_sub(from).is_some_and(|more| more < 16);
    let mut all = BTreeSet::new();
    match class {
        Class::Unicode(class) => {
            for range in class.ranges() {
                few(range.start().into(), range.end().into()).then_some(())?;
                all.extend((range.start()..=range.end()).map(|one| one.to_string().into_bytes()));
            }
        }
        Class::Bytes(class) => {
            for range in class.ranges() {
                few(range.start().into(), range.end().into()).then_some(())?;
                all.extend((range.start()..=range.end()).map(|one| vec![one]));
            }
        }
    }
    let texts = Texts { all, is_folded: false };
    let folded = texts.clone().folded();
    match (folded.all.len(), texts.all.len()) {
        (0, _) => None,
        (1, 2..) => Some(folded),
        (..=16, _) => Some(texts),
        _ => None,
    }
}

/// What has to stand in whatever `hir` matches: all of these.
fn clauses(hir: &Hir) -> Vec<Texts> {
    if let Some(all) = texts(hir) {
        return vec![all];
    }
    match hir.kind() {
        HirKind::Capture(capture) => clauses(&capture.sub),
        HirKind::Repetition(repetition) if repetition.min > 0 => clauses(&repetition.sub),
        HirKind::Alternation(parts) => {
            // Of each the clause that says most: one of all those has to hold.
            let best = |part| clauses(part).into_iter().max_by_key(Texts::weight);
            let mut best = parts.iter().map(best);
            let first = best.next().flatten();
            best.fold(first, |all, part| all?.or(part?)).into_iter().collect()
        }
        HirKind::Concat(parts) => {
            let mut all = Vec::new();
            let mut run = Texts::of(b"");
            for part in parts {
                let (longer, ended) = match texts(part) {
                    Some(of) => match run.clone().then(of.clone()) {
                        Some(longer) => (longer, None),
                        None => (of, Some(run)),
                    },
                    None => (Texts::of(b""), Some(run)),
                };
                run = longer;
                all.extend(ended);
                if texts(part).is_none() {
                    all.extend(clauses(part));
                }
            }
            all.push(run);
            all.retain(|texts| texts.weight() >= SHORTEST);
            all
        }
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_needed() {
        let cases = [
            ("abc", "cabc"),
            ("ab[0-9]+cd", "cab\u{1}ccd"),
            ("(?i)ask", "iask"),
            ("(?i)K[ab]", "ika\0kb"),
            ("gh[po]_[a-z]{36}|glpat-x+", "cgho_\0ghp_\0glpat-"),
            ("a(?:bc|de)?f", "cabcf\0adef\0af"),
            (r"\b(?:do not|never)\b.{0,9}\b(?:tell|ask)\b", "cdo not\0never\u{1}cask\0tell"),
            // Nothing can be said of these.
            (".*", ""),
            ("a|.+", ""),
            ("[a-z]+", ""),
            ("(?:abc)*", ""),
            ("(", ""),
        ];
        for (regex, needs) in cases {
            assert_eq!(of(regex), needs, "{regex}");
        }
    }

    #[test]
    fn meeting_them() {
        let cases = [
            ("(?i)ask", "A\u{17F}\u{212A}", true),
            ("(?i)ask", "as", false),
            ("ab[0-9]+cd", "cd ab", true),
            ("ab[0-9]+cd", "ab AB", false),
            (".*", "", true),
        ];
        for (regex, text, expected) in cases {
            assert_eq!(Text::new(text.as_bytes()).meets(of(regex).as_bytes()), expected, "{regex}");
        }
    }

    proptest! {
        /// Whatever matches has what is needed.
        #[test]
        fn no_match_is_lost(
            regex in "(\\(\\?i\\))?([a-cks]{1,4}|[ab]\\[[a-ckK]{1,3}\\]|\\(ab\\|k[sb]{0,2}\\)\\??|\\.\\{0,2\\}|\\\\b|\\[\\^a\\]\\+|\\|){1,7}",
            text in "[a-cksKSAB \u{212A}\u{17F}]{0,12}",
        ) {
            if let Ok(built) = crate::limits::regex(&regex)
                && built.is_match(text.as_bytes())
            {
                prop_assert!(Text::new(text.as_bytes()).meets(of(&regex).as_bytes()), "{regex}");
            }
        }
    }
}
