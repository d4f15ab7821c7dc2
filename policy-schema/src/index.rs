//! The index from program name to rules, so that a verdict touches only what can hold.
//!
//! A rule's condition is taken apart into alternatives, and each is filed by itself: one that is
//! *sure* to need certain programs under their names, any other under every program. So a rule
//! that says `any: [{program: mv, …}, {writes: …}]` costs other programs one test. Nothing is
//! ever lost: the alternatives of a rule in all buckets are together its condition. A verdict on
//! a program whose name is not wholly known looks at all rules.

use std::collections::{BTreeMap, BTreeSet};

use evaluator::image::format::{BucketRecord, EntryRecord, context, node, pattern, program_hash};

use crate::document::{Condition, Pattern};

/// Most alternatives that one rule is taken apart into.
const ALTERNATIVES: usize = 64;

/// Which rules are filed under which program.
#[derive(Default)]
pub struct Index {
    named: BTreeMap<String, BTreeMap<u32, u32>>,
    any: BTreeMap<u32, u32>,
}

impl Index {
    /// Files the part `node` of rule number `rule` under `program`, or under every program.
    pub fn add(&mut self, program: Option<&str>, rule: u32, node: u32) {
        let bucket = match program {
            Some(name) => self.named.entry(name.to_owned()).or_default(),
            None => &mut self.any,
        };
        bucket.insert(rule, node);
    }

    /// The hash table: a power of two of buckets, and one more for "every program".
    pub fn table(&self) -> (Vec<BucketRecord>, Vec<EntryRecord>) {
        // Roomy: a rule that shares a bucket with a foreign name is tested for nothing.
        let size = (self.named.len() * 8).next_power_of_two();
        let mut table: Vec<BTreeSet<(u32, u32)>> = vec![BTreeSet::new(); size];
        for (name, rules) in &self.named {
            let slot = program_hash(name.as_bytes()) as usize & (size - 1);
            if let Some(bucket) = table.get_mut(slot) {
                bucket.extend(rules.iter().map(|(rule, node)| (*rule, *node)));
            }
        }
        table.push(self.any.iter().map(|(rule, node)| (*rule, *node)).collect());
        let mut entries = Vec::new();
        let buckets = table
            .iter()
            .map(|rules| {
                let first = u32::try_from(entries.len()).unwrap_or(u32::MAX);
                entries.extend(
                    rules.iter().map(|(rule, node)| EntryRecord { rule: *rule, node: *node }),
                );
                BucketRecord { first, count: u32::try_from(rules.len()).unwrap_or(u32::MAX) }
            })
            .collect();
        (buckets, entries)
    }
}

/// Where the alternatives of a condition belong: for each set of alternatives (indices into the
/// list) the programs that need exactly these; `None` for every program.
pub fn placement(alternatives: &[Condition]) -> BTreeMap<Vec<usize>, Vec<Option<String>>> {
    let mut needed: BTreeMap<Option<String>, Vec<usize>> = BTreeMap::new();
    for (index, alternative) in alternatives.iter().enumerate() {
        match programs(alternative) {
            Some(names) => {
                for name in names {
                    needed.entry(Some(name)).or_default().push(index);
                }
            }
            None => needed.entry(None).or_default().push(index),
        }
    }
    let mut places: BTreeMap<Vec<usize>, Vec<Option<String>>> = BTreeMap::new();
    for (program, set) in needed {
        places.entry(set).or_default().push(program);
    }
    places
}

/// Conditions of which one holds exactly if `condition` does. Groups of alternatives are opened
/// wherever that tells programs apart.
pub fn alternatives(condition: &Condition) -> Vec<Condition> {
    let opened = open(condition);
    if opened.len() > ALTERNATIVES { vec![condition.clone()] } else { opened }
}

fn open(condition: &Condition) -> Vec<Condition> {
    match condition {
        Condition::Any(parts) => parts.iter().flat_map(open).take(ALTERNATIVES + 1).collect(),
        Condition::All(parts) if programs(condition).is_none() => {
            let choice = parts.iter().position(|part| {
                matches!(part, Condition::Any(inner) if inner.iter().any(|it| programs(it).is_some()))
            });
            let Some(Condition::Any(inner)) = choice.and_then(|at| parts.get(at)) else {
                return vec![condition.clone()];
            };
            let rest = parts.iter().enumerate();
            let rest = rest.filter(|(index, _)| Some(*index) != choice);
            let rest: Vec<Condition> = rest.map(|(_, part)| part.clone()).collect();
            let each = inner.iter().flat_map(|part| {
                let mut all = vec![part.clone()];
                all.extend(rest.iter().cloned());
                open(&Condition::All(all))
            });
            each.take(ALTERNATIVES + 1).collect()
        }
        _ => vec![condition.clone()],
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
        Condition::Matches { node: node::PROGRAM, patterns, .. } => patterns
            .iter()
            .map(|found| (found.class == pattern::LITERAL).then(|| found.text.clone()))
            .collect(),
        Condition::Matches { node: node::COMMAND_GLOB, patterns, .. } => {
            patterns.iter().map(first_word).collect()
        }
        // A context is about the programs that would act on it.
        Condition::Matches { node: node::CONTEXT, flags, .. } => {
            let names = std::str::from_utf8(context::programs(*flags)).unwrap_or_default();
            let names: BTreeSet<String> = names.split_whitespace().map(str::to_owned).collect();
            (!names.is_empty()).then_some(names)
        }
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
    if text.contains(['|', ';', '&', '\n', '`', '(', ')', '<', '>', '\\', '"', '\'', '{', '}']) {
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
        let pattern = |text: &&str| Pattern { class, fold_case: false, text: (*text).to_owned() };
        Condition::Matches { node, flags: 0, patterns: texts.iter().map(pattern).collect() }
    }

    #[test]
    fn needed_programs() {
        let program = |names: &[&str]| matches(node::PROGRAM, pattern::LITERAL, names);
        let glob = |texts: &[&str]| matches(node::COMMAND_GLOB, pattern::GLOB, texts);
        let some_flag = || matches(node::FLAG, pattern::LITERAL, &["-r"]);
        let not = |part| Condition::Not(Box::new(part));
        for (condition, expected) in [
            (program(&["rm", "dd"]), Some("dd rm")),
            (matches(node::PROGRAM, pattern::PATH_GLOB, &["python*"]), None),
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
            (Condition::All(vec![some_flag(), program(&["rm"])]), Some("rm")),
            (Condition::All(vec![program(&["rm", "dd"]), glob(&["rm *"])]), Some("rm")),
            (Condition::Any(vec![program(&["rm"]), glob(&["dd *"])]), Some("dd rm")),
            (Condition::Any(vec![program(&["rm"]), some_flag()]), None),
            (not(program(&["rm"])), None),
            (Condition::All(vec![not(program(&["rm"])), program(&["dd"])]), Some("dd")),
            (Condition::Always, None),
        ] {
            let names = programs(&condition).map(|names| names.into_iter().collect::<Vec<_>>());
            assert_eq!(names.map(|names| names.join(" ")).as_deref(), expected, "{condition:?}");
        }
    }

    #[test]
    fn every_rule_is_found_where_it_is_filed() {
        let mut index = Index::default();
        let names: Vec<String> = (0..100).map(|n| format!("program{n}")).collect();
        for (number, name) in (0_u32..).zip(&names) {
            index.add(Some(name.as_str()), number, number + 1000);
        }
        index.add(None, 100, 7);
        let (buckets, entries) = index.table();
        assert!((buckets.len() - 1).is_power_of_two());
        let rules = |bucket: BucketRecord| -> Vec<(u32, u32)> {
            let first = bucket.first as usize;
            let found = &entries[first..first + bucket.count as usize];
            found.iter().map(|entry| (entry.rule, entry.node)).collect()
        };
        for (number, name) in (0_u32..).zip(&names) {
            let slot = program_hash(name.as_bytes()) as usize & (buckets.len() - 2);
            assert!(rules(buckets[slot]).contains(&(number, number + 1000)), "{name}");
        }
        assert_eq!(rules(buckets[buckets.len() - 1]), [(100, 7)]);
    }

    #[test]
    fn conditions_are_taken_apart() {
        let program = |name: &str| matches(node::PROGRAM, pattern::LITERAL, &[name]);
        let flag = |name: &str| matches(node::FLAG, pattern::LITERAL, &[name]);
        let (any, all) = (Condition::Any, Condition::All);
        let not = |part| Condition::Not(Box::new(part));
        for (condition, expected) in [
            (flag("-r"), vec![flag("-r")]),
            (any(vec![program("a"), flag("-r")]), vec![program("a"), flag("-r")]),
            (
                all(vec![any(vec![program("a"), flag("-r")]), not(flag("-n"))]),
                vec![
                    all(vec![program("a"), not(flag("-n"))]),
                    all(vec![flag("-r"), not(flag("-n"))]),
                ],
            ),
            // Sure to need a program as a whole: nothing is gained.
            (
                all(vec![program("a"), any(vec![flag("-r"), flag("-f")])]),
                vec![all(vec![program("a"), any(vec![flag("-r"), flag("-f")])])],
            ),
            (
                all(vec![any(vec![flag("-r"), flag("-f")]), flag("-x")]),
                vec![all(vec![any(vec![flag("-r"), flag("-f")]), flag("-x")])],
            ),
            (
                not(any(vec![program("a"), flag("-r")])),
                vec![not(any(vec![program("a"), flag("-r")]))],
            ),
        ] {
            assert_eq!(alternatives(&condition), expected, "{condition:?}");
        }
        let many = all(vec![
            any((0..70).map(|n| program(&n.to_string())).chain([flag("-r")]).collect()),
            flag("-x"),
        ]);
        assert_eq!(
            alternatives(&many),
            std::slice::from_ref(&many),
            "past the limit it stays whole"
        );
    }

    #[test]
    fn alternatives_are_filed_by_program() {
        let program = |names: &[&str]| matches(node::PROGRAM, pattern::LITERAL, names);
        let flag = matches(node::FLAG, pattern::LITERAL, &["-r"]);
        let places = placement(&[program(&["a", "b"]), program(&["b"]), flag]);
        let name = |name: &str| Some(name.to_owned());
        assert_eq!(
            places.into_iter().collect::<Vec<_>>(),
            [(vec![0], vec![name("a")]), (vec![0, 1], vec![name("b")]), (vec![2], vec![None]),]
        );
    }
}
