//! The index from program name to rules, so that a verdict touches only rules that can match.
//!
//! It must never lose a rule: one that is not *sure* to need a program of a known name is filed
//! under every program. A verdict on a program whose name is not wholly known looks at all rules.

use std::collections::{BTreeMap, BTreeSet};

use evaluator::image::format::{BucketRecord, EntryRecord, node, pattern, program_hash};

use crate::document::{Condition, Pattern};

/// Which rules need which program.
#[derive(Default)]
pub struct Index {
    named: BTreeMap<String, BTreeSet<u32>>,
    any: BTreeSet<u32>,
}

impl Index {
    /// Files rule number `rule`.
    pub fn add(&mut self, rule: u32, condition: &Condition) {
        match programs(condition) {
            Some(names) => {
                for name in names {
                    self.named.entry(name).or_default().insert(rule);
                }
            }
            None => {
                self.any.insert(rule);
            }
        }
    }

    /// The hash table: a power of two of buckets, and one more for "every program".
    pub fn table(&self) -> (Vec<BucketRecord>, Vec<EntryRecord>) {
        let size = (self.named.len() * 2).next_power_of_two();
        let mut table: Vec<BTreeSet<u32>> = vec![BTreeSet::new(); size];
        for (name, rules) in &self.named {
            let slot = program_hash(name.as_bytes()) as usize & (size - 1);
            if let Some(bucket) = table.get_mut(slot) {
                bucket.extend(rules);
            }
        }
        table.push(self.any.clone());
        let mut entries = Vec::new();
        let buckets = table
            .iter()
            .map(|rules| {
                let first = u32::try_from(entries.len()).unwrap_or(u32::MAX);
                entries.extend(rules.iter().map(|rule| EntryRecord { rule: *rule }));
                BucketRecord {
                    first,
                    count: u32::try_from(rules.len()).unwrap_or(u32::MAX),
                }
            })
            .collect();
        (buckets, entries)
    }
}

/// The programs of which one must be what a command runs for `condition` to hold; `None` for any.
fn programs(condition: &Condition) -> Option<BTreeSet<String>> {
    match condition {
        // One part that needs a program is enough; the one that needs the fewest is best.
        Condition::All(parts) => parts.iter().filter_map(programs).min_by_key(BTreeSet::len),
        Condition::Any(parts) => {
            let mut names = BTreeSet::new();
            for part in parts {
                names.extend(programs(part)?);
            }
            Some(names)
        }
        Condition::Matches {
            node: node::PROGRAM,
            patterns,
            ..
        } => patterns
            .iter()
            .map(|found| (found.class == pattern::LITERAL).then(|| found.text.clone()))
            .collect(),
        Condition::Matches {
            node: node::COMMAND_GLOB,
            patterns,
            ..
        } => patterns.iter().map(first_word).collect(),
        _ => None,
    }
}

/// Words that open a construct of the shell or stand for another program: text that starts with
/// one of them need not be the text of a command with that program.
const NOT_PROGRAMS: &[&str] = &[
    "if", "then", "elif", "else", "fi", "for", "while", "until", "do", "done", "case", "esac",
    "select", "function", "time", "coproc", "in",
];

/// The program that every command matching a text pattern must run, if that is sure: a literal
/// first word, and no character with which the pattern could span several commands.
fn first_word(found: &Pattern) -> Option<String> {
    let text = found.text.as_str();
    if text.contains([
        '|', ';', '&', '\n', '`', '(', ')', '<', '>', '\\', '"', '\'', '{', '}',
    ]) {
        return None;
    }
    let word = text.split(' ').next()?;
    let name = word.rsplit('/').next()?;
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "._+-@:".contains(c);
    if word.is_empty() || name.is_empty() || !word.chars().all(|c| is_plain(c) || c == '/') {
        return None;
    }
    let name = name.to_ascii_lowercase();
    // A pattern of one word alone may be a prefix of longer programs only if it ends in `*`,
    // which `is_plain` has refused.
    (!NOT_PROGRAMS.contains(&name.as_str())).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(node: u8, class: u8, texts: &[&str]) -> Condition {
        let pattern = |text: &&str| Pattern {
            class,
            fold_case: false,
            text: (*text).to_owned(),
        };
        Condition::Matches {
            node,
            flags: 0,
            patterns: texts.iter().map(pattern).collect(),
        }
    }

    #[test]
    fn needed_programs() {
        let program = |names: &[&str]| matches(node::PROGRAM, pattern::LITERAL, names);
        let glob = |texts: &[&str]| matches(node::COMMAND_GLOB, pattern::GLOB, texts);
        let some_flag = || matches(node::FLAG, pattern::LITERAL, &["-r"]);
        let not = |part| Condition::Not(Box::new(part));
        for (condition, expected) in [
            (program(&["rm", "dd"]), Some("dd rm")),
            (
                matches(node::PROGRAM, pattern::PATH_GLOB, &["python*"]),
                None,
            ),
            (glob(&["rm -rf *", "dd if=*"]), Some("dd rm")),
            (glob(&["/usr/bin/Git push **"]), Some("git")),
            (glob(&["shutdown"]), Some("shutdown")),
            (glob(&["rm*"]), None),
            (glob(&["*rm -rf"]), None),
            (glob(&["curl ** | bash"]), None),
            (glob(&["echo ok; rm *"]), None),
            (glob(&["FOO=1 rm *"]), None),
            (glob(&[":(){ :|:& };:*"]), None),
            (glob(&["'rm' *"]), None),
            (glob(&["r[m] *"]), None),
            (glob(&["time rm *"]), None),
            (glob(&[" rm *"]), None),
            (glob(&["bin/ *"]), None),
            (some_flag(), None),
            (
                Condition::All(vec![some_flag(), program(&["rm"])]),
                Some("rm"),
            ),
            (
                Condition::All(vec![program(&["rm", "dd"]), glob(&["rm *"])]),
                Some("rm"),
            ),
            (
                Condition::Any(vec![program(&["rm"]), glob(&["dd *"])]),
                Some("dd rm"),
            ),
            (Condition::Any(vec![program(&["rm"]), some_flag()]), None),
            (not(program(&["rm"])), None),
            (
                Condition::All(vec![not(program(&["rm"])), program(&["dd"])]),
                Some("dd"),
            ),
            (Condition::Always, None),
        ] {
            let names = programs(&condition).map(|names| names.into_iter().collect::<Vec<_>>());
            assert_eq!(
                names.map(|names| names.join(" ")).as_deref(),
                expected,
                "{condition:?}"
            );
        }
    }

    #[test]
    fn every_rule_is_found_where_it_is_filed() {
        let mut index = Index::default();
        let names: Vec<String> = (0..100).map(|n| format!("program{n}")).collect();
        for (number, name) in (0_u32..).zip(&names) {
            index.add(
                number,
                &matches(node::PROGRAM, pattern::LITERAL, &[name.as_str()]),
            );
        }
        index.add(100, &Condition::Always);
        let (buckets, entries) = index.table();
        assert!((buckets.len() - 1).is_power_of_two());
        let rules = |bucket: BucketRecord| -> Vec<u32> {
            let first = bucket.first as usize;
            entries[first..first + bucket.count as usize]
                .iter()
                .map(|entry| entry.rule)
                .collect()
        };
        for (number, name) in (0_u32..).zip(&names) {
            let slot = program_hash(name.as_bytes()) as usize & (buckets.len() - 2);
            assert!(rules(buckets[slot]).contains(&number), "{name}");
        }
        assert_eq!(rules(buckets[buckets.len() - 1]), [100]);
    }
}
