//! Which piece of text stands for a pattern: the one that the fewest other patterns have.

use std::collections::BTreeMap;

use evaluator::image::format::{node, pattern};
use evaluator::image::gram::{self, Hashes, place};

use crate::document::{Condition, Pattern};

use super::{first_word, program_names};

/// How often programs and pieces are needed by the rules of an image.
#[derive(Default)]
pub struct Frequencies {
    pieces: BTreeMap<u32, u32>,
    programs: BTreeMap<String, u32>,
}

impl Frequencies {
    /// Counts what `condition` needs.
    pub fn count(&mut self, condition: &Condition) {
        match condition {
            Condition::All(parts) | Condition::Any(parts) => {
                parts.iter().for_each(|part| self.count(part));
            }
            Condition::Matches { node, flags, patterns } => {
                for name in program_names(condition).into_iter().flatten() {
                    *self.programs.entry(name).or_default() += 1;
                }
                let Some(place) = place_of(*node, *flags) else {
                    return;
                };
                for pattern in patterns {
                    let mut hashes: Vec<u32> = hashes(place, pattern);
                    hashes.sort_unstable();
                    hashes.dedup();
                    for hash in hashes {
                        *self.pieces.entry(hash).or_default() += 1;
                    }
                }
            }
            _ => {}
        }
    }

    /// How many conditions need `program`.
    pub fn of_program(&self, program: &str) -> u32 {
        self.programs.get(program).copied().unwrap_or(0)
    }

    /// How many patterns have the piece `hash`.
    pub fn of_piece(&self, hash: u32) -> u32 {
        self.pieces.get(&hash).copied().unwrap_or(0)
    }

    /// The piece that stands for a pattern; `None` if it is too short or all wildcards.
    pub fn piece(&self, place: u8, pattern: &Pattern) -> Option<u32> {
        hashes(place, pattern).into_iter().min_by_key(|hash| self.of_piece(*hash))
    }

    /// What is kept beside a pattern (`PatternRecord::key`): every path that it matches holds this, and
    /// every word.
    pub fn key(&self, found: &Pattern) -> u16 {
        let is_literal = found.class == pattern::LITERAL;
        let is_plain =
            matches!(found.class, pattern::GLOB | pattern::PATH_GLOB | pattern::SUBSTRING);
        // As a path, what begins with a tilde is compared without it.
        let whole = || {
            gram::short(found.text.as_bytes())
                .filter(|_| is_literal && !found.text.starts_with('~'))
        };
        let hash = self.piece(place::PATH, found).filter(|_| is_literal || is_plain).or_else(whole);
        hash.map_or(0, gram::key)
    }
}

/// Where the pieces of a kind of condition are looked for; `None` if it is not found by pieces.
pub fn place_of(node: u8, flags: u8) -> Option<u8> {
    Some(match node {
        node::OPERAND if flags & 1 == 0 => place::WORD,
        node::OPERAND | node::READS | node::WRITES | node::REDIRECTS_TO => place::PATH,
        node::PROGRAM => place::WORD,
        node::COMMAND_GLOB | node::COMMAND_CONTAINS => place::TEXT,
        node::ENV_ASSIGNS => place::ASSIGNMENT,
        node::URL | node::DOMAIN => place::ADDRESS,
        node::PATH => place::REQUEST_PATH,
        _ => return None,
    })
}

/// The program that a pattern on the text of commands is sure to need.
pub fn program_of(node: u8, pattern: &Pattern) -> Option<String> {
    (node == node::COMMAND_GLOB).then(|| first_word(pattern)).flatten()
}

fn hashes(place: u8, pattern: &Pattern) -> Vec<u32> {
    runs(pattern, place).iter().flat_map(|run| Hashes::new(place, run.as_bytes())).collect()
}

/// The parts of a pattern that stand, as they are, in everything that it matches.
pub fn runs(found: &Pattern, where_: u8) -> Vec<String> {
    // A home directory, or what is below the working directory, stands before these.
    let is_path = matches!(where_, place::PATH | place::REQUEST_PATH);
    let text = match found.text.strip_prefix('~') {
        Some(rest) if is_path && (rest.is_empty() || rest.starts_with('/')) => rest,
        _ if where_ == place::REQUEST_PATH => found.text.strip_prefix("./").unwrap_or(&found.text),
        _ => &found.text,
    };
    if !matches!(found.class, pattern::GLOB | pattern::PATH_GLOB) {
        return vec![text.to_owned()];
    }
    let mut runs = vec![String::new()];
    let mut rest = text;
    while let Some(letter) = rest.chars().next() {
        let (_, tail) = rest.split_at_checked(letter.len_utf8()).unwrap_or((rest, ""));
        rest = tail;
        match letter {
            '*' => {
                // A slash behind `**` may stand for nothing.
                if let Some(tail) = rest.strip_prefix('*') {
                    rest = tail.trim_start_matches('*');
                    rest = rest.strip_prefix(['/', '\\']).unwrap_or(rest);
                }
                runs.push(String::new());
            }
            '?' => runs.push(String::new()),
            '[' => {
                // The first byte of a class, and one behind its negation, closes nothing.
                let inner = rest.strip_prefix(['!', '^']).unwrap_or(rest);
                let skip = inner.chars().next().map_or(0, char::len_utf8);
                let close = inner.get(skip..).and_then(|inner| inner.find(']'));
                match close.and_then(|at| inner.get(skip + at + 1..)) {
                    Some(tail) => rest = tail,
                    None => break,
                }
                runs.push(String::new());
            }
            _ => {
                if let Some(run) = runs.last_mut() {
                    run.push(letter);
                }
            }
        }
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::*;
    use evaluator::glob;

    #[test]
    fn what_a_match_is_sure_to_hold() {
        let text = |class, text: &str| Pattern { class, fold_case: false, text: text.to_owned() };
        let glob = |it: &str| runs(&text(pattern::GLOB, it), place::TEXT).join("|");
        let path = |it: &str| runs(&text(pattern::PATH_GLOB, it), place::PATH).join("|");
        for (pattern, want) in [
            ("curl ** | bash", "curl | | bash"),
            ("rm -rf *", "rm -rf |"),
            ("*a*b", "|a|b"),
            ("a?b[cd]e[!]f]g", "a|b|e|g"),
            ("a[b", "a"),
        ] {
            assert_eq!(glob(pattern), want, "{pattern}");
        }
        for (pattern, want) in [
            ("~/.ssh/**", "/.ssh/|"),
            ("~", ""),
            ("~user/x", "~user/x"),
            ("**/.env", "|.env"),
            ("/a/**/b", "/a/|b"),
            ("/dev/sd*", "/dev/sd|"),
        ] {
            assert_eq!(path(pattern), want, "{pattern}");
        }
        assert_eq!(runs(&text(pattern::SUBSTRING, "a*b"), place::TEXT), ["a*b"]);
    }

    #[test]
    fn what_a_pattern_matches_holds_its_key() {
        let frequencies = Frequencies::default();
        let classes = [pattern::LITERAL, pattern::GLOB, pattern::PATH_GLOB, pattern::SUBSTRING];
        let texts = [
            "push",
            "rm",
            "/etc/passwd",
            "/etc/pass*",
            "**/.env",
            "~/.ssh/**",
            "~",
            "~x",
            "~/x",
            "*shadow",
            "a[bc]defg*",
            "a?cd",
            "**/x",
            "/a/**/bcde",
            "--force=*",
            "c:\\x\\y",
            "",
        ];
        let values = [
            "push",
            "rm",
            "/etc/passwd",
            "/etc/password",
            "/home/u/.env",
            ".env",
            "/root/.ssh/id",
            "/.ssh/id",
            "~",
            "~x",
            "~/x",
            "/x",
            "x",
            "/etc/shadow",
            "abdefgh",
            "abcd",
            "/a/bcde",
            "/a/b/bcde",
            "--force=1",
            "c:\\x\\y",
            "c:/x/y",
            "RM",
            "/ETC/passwd",
            "a[bc]defg1",
            "",
        ];
        let mut keyed = 0;
        for (class, text) in classes.iter().flat_map(|class| texts.map(|text| (*class, text))) {
            for fold_case in [false, true] {
                let found = Pattern { class, fold_case, text: text.to_owned() };
                let key = frequencies.key(&found);
                keyed += u32::from(key != 0);
                for value in values.map(str::as_bytes) {
                    let tail = text.strip_prefix('~').filter(|tail| tail.starts_with('/'));
                    // As a word it is compared whole, as a path behind somebody's home.
                    for wanted in [Some(text), tail].into_iter().flatten() {
                        let wanted = wanted.as_bytes();
                        let holds = match class {
                            pattern::LITERAL if fold_case => value.eq_ignore_ascii_case(wanted),
                            pattern::LITERAL => value == wanted,
                            pattern::GLOB => glob::command(wanted, value, fold_case) == Some(true),
                            pattern::PATH_GLOB => {
                                glob::path(wanted, value, fold_case) == Some(true)
                            }
                            _ => glob::find(value, wanted, fold_case).is_some(),
                        };
                        let mut all = Hashes::new(place::PATH, value).chain(gram::short(value));
                        let has = all.any(|hash| gram::key(hash) == key);
                        assert!(!holds || key == 0 || has, "{class} {text} for {value:?}");
                    }
                }
            }
        }
        assert!(keyed > 60, "{keyed}");
        let regex = Pattern { class: pattern::REGEX, fold_case: false, text: "/etc/.*".into() };
        assert_eq!(frequencies.key(&regex), 0);
    }

    #[test]
    fn the_rarest_piece_stands_for_a_pattern() {
        let operands = |texts: &[&str]| Condition::Matches {
            node: node::OPERAND,
            flags: 1,
            patterns: texts
                .iter()
                .map(|text| Pattern {
                    class: pattern::LITERAL,
                    fold_case: false,
                    text: (*text).to_owned(),
                })
                .collect(),
        };
        let mut frequencies = Frequencies::default();
        frequencies.count(&operands(&["/etc/shadow", "/etc/passwd", "/etc/hosts"]));
        let shadow =
            Pattern { class: pattern::LITERAL, fold_case: false, text: "/etc/shadow".to_owned() };
        let piece = frequencies.piece(place::PATH, &shadow).unwrap();
        assert_eq!(frequencies.of_piece(piece), 1);
        let etc = Hashes::new(place::PATH, b"/etc").next().unwrap();
        assert_eq!(frequencies.of_piece(etc), 3);
        assert_eq!(
            frequencies.piece(place::PATH, &Pattern { text: "/x".to_owned(), ..shadow }),
            None
        );
    }
}
