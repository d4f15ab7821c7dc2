//! The index from program name to rules, so that a verdict touches only what can hold.
//!
//! A rule's condition is taken apart into alternatives, and each is filed by itself: one that is
//! *sure* to need certain programs under their names, any other under every program. So a rule
//! that says `any: [{program: mv, …}, {writes: …}]` costs other programs one test. A part that is
//! about every program is filed under four bytes that its patterns have and few others. Nothing is
//! ever lost: the alternatives of a rule in all buckets are together its condition. A verdict on
//! a program whose name is not wholly known looks at all rules.

mod pieces;

use std::collections::{BTreeMap, BTreeSet};

use evaluator::image::format::{BucketRecord, EntryRecord, context, node, pattern, program_hash};

use evaluator::image::gram;

use crate::document::{Condition, Pattern};

pub use pieces::{Frequencies, runs};

/// Most alternatives that one rule is taken apart into.
const ALTERNATIVES: usize = 64;

/// Rules that one program may have before what else they need is looked at.
const CROWDED: u32 = 64;

/// Bits of the filter for each piece of text.
const FILTER_BITS: usize = 32;

/// What a rule is filed under.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    /// Every command.
    Any,
    /// A program.
    Program(String),
    /// A place and the hash of a piece of text (`evaluator::image::gram`).
    Piece(u8, u32),
}

/// Which rules are filed under what.
#[derive(Default)]
pub struct Index {
    named: BTreeMap<String, BTreeMap<u32, u32>>,
    pieces: BTreeMap<u32, BTreeSet<(u32, u32)>>,
    any: BTreeMap<u32, u32>,
    places: BTreeSet<u8>,
}

/// The index as an image holds it.
#[derive(Default)]
pub struct Tables {
    /// From program names.
    pub buckets: Vec<BucketRecord>,
    /// The rules in all buckets.
    pub entries: Vec<EntryRecord>,
    /// From pieces of text.
    pub pieces: Vec<BucketRecord>,
    /// The pieces, by bits of their hash.
    pub filter: Vec<u8>,
    /// The places in which pieces are looked for, as bits of the header's features.
    pub features: u16,
}

impl Index {
    /// Files the part `node` of rule number `rule`.
    pub fn add(&mut self, key: &Key, rule: u32, node: u32) {
        match key {
            Key::Any => drop(self.any.insert(rule, node)),
            Key::Program(name) => {
                self.named.entry(name.clone()).or_default().insert(rule, node);
            }
            Key::Piece(place, hash) => {
                self.places.insert(*place);
                self.pieces.entry(*hash).or_default().insert((rule, node));
            }
        }
    }

    /// The hash tables: each a power of two of buckets, and one more for "every one". Entries that
    /// every command comes to are first.
    pub fn tables(&self) -> Tables {
        let mut tables = Tables::default();
        let any = self.any.iter().map(|(rule, node)| (*rule, *node, 0)).collect();
        let any = tables.file(&[any]);
        self.file_pieces(&mut tables);
        let size = self.named.len().next_power_of_two();
        let mut slots: Vec<BTreeSet<(u32, u32, u32)>> = vec![BTreeSet::new(); size];
        for (name, rules) in &self.named {
            let key = program_hash(name.as_bytes());
            if let Some(bucket) = slots.get_mut(key as usize & (size - 1)) {
                bucket.extend(rules.iter().map(|(rule, node)| (*rule, *node, key)));
            }
        }
        tables.buckets = tables.file(&slots);
        tables.buckets.extend(any);
        tables
    }

    fn file_pieces(&self, tables: &mut Tables) {
        if self.pieces.is_empty() {
            return;
        }
        let all = self.pieces.values().flatten().map(|(rule, node)| (*rule, *node, 0)).collect();
        let all = tables.file(&[all]);
        let size = self.pieces.len().next_power_of_two();
        let mut slots: Vec<BTreeSet<(u32, u32, u32)>> = vec![BTreeSet::new(); size];
        let bits = (self.pieces.len() * FILTER_BITS).next_power_of_two().max(512);
        tables.filter = vec![0; bits / 8];
        for (key, rules) in &self.pieces {
            if let Some(bucket) = slots.get_mut(key.rotate_right(13) as usize & (size - 1)) {
                bucket.extend(rules.iter().map(|(rule, node)| (*rule, *node, *key)));
            }
            let bit = *key as usize & (bits - 1);
            if let Some(byte) = tables.filter.get_mut(bit / 8) {
                *byte |= 1 << (bit % 8);
            }
        }
        tables.pieces = tables.file(&slots);
        tables.pieces.extend(all);
        tables.features = self.places.iter().fold(0, |bits, place| bits | gram::feature(*place));
    }
}

impl Tables {
    /// Adds the entries of `slots` and returns their buckets.
    fn file(&mut self, slots: &[BTreeSet<(u32, u32, u32)>]) -> Vec<BucketRecord> {
        let number = |len| u32::try_from(len).unwrap_or(u32::MAX);
        let mut buckets = Vec::with_capacity(slots.len());
        for rules in slots {
            let first = number(self.entries.len());
            buckets.push(BucketRecord { first, count: number(rules.len()) });
            let records = rules.iter().map(|(rule, node, key)| EntryRecord {
                rule: *rule,
                node: *node,
                key: *key,
            });
            self.entries.extend(records);
        }
        buckets
    }
}

/// Where the alternatives of a condition belong: for each set of alternatives (indices into the
/// list) the keys that need exactly these.
pub fn placement(
    alternatives: &[Condition],
    frequencies: &Frequencies,
) -> BTreeMap<Vec<usize>, Vec<Key>> {
    let mut needed: BTreeMap<Key, Vec<usize>> = BTreeMap::new();
    for (index, alternative) in alternatives.iter().enumerate() {
        match keys(alternative, frequencies) {
            Some(keys) => {
                for key in keys {
                    needed.entry(key).or_default().push(index);
                }
            }
            None => needed.entry(Key::Any).or_default().push(index),
        }
    }
    let mut places: BTreeMap<Vec<usize>, Vec<Key>> = BTreeMap::new();
    for (key, set) in needed {
        places.entry(set).or_default().push(key);
    }
    places
}

/// What a command must have for `condition` to hold: one of the keys; `None` for any command.
fn keys(condition: &Condition, frequencies: &Frequencies) -> Option<BTreeSet<Key>> {
    match condition {
        // One part is enough: programs, unless very many rules need them, then the rarest.
        Condition::All(parts) => {
            let all = parts.iter().filter_map(|part| keys(part, frequencies));
            all.min_by_key(|keys| {
                let costs = keys.iter().map(|key| match key {
                    Key::Program(name) => {
                        let count = frequencies.of_program(name);
                        if count > CROWDED { count } else { 0 }
                    }
                    Key::Piece(_, hash) => 1 + frequencies.of_piece(*hash),
                    Key::Any => u32::MAX,
                });
                (costs.max(), keys.len())
            })
        }
        Condition::Any(parts) => {
            let mut all = BTreeSet::new();
            for part in parts {
                all.extend(keys(part, frequencies)?);
            }
            Some(all)
        }
        Condition::Matches { node, flags, patterns } => {
            if let Some(names) = program_names(condition) {
                return Some(names.into_iter().map(Key::Program).collect());
            }
            let place = pieces::place_of(*node, *flags)?;
            let key = |pattern| match pieces::program_of(*node, pattern) {
                Some(name) => Some(Key::Program(name)),
                None => frequencies.piece(place, pattern).map(|hash| Key::Piece(place, hash)),
            };
            patterns.iter().map(key).collect()
        }
        _ => None,
    }
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
        Condition::Matches { .. } => program_names(condition),
        _ => None,
    }
}

/// The programs that one test is sure to need.
fn program_names(condition: &Condition) -> Option<BTreeSet<String>> {
    match condition {
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

/// Whether `condition` holds only for commands whose output flows into another.
pub const fn flows(condition: &Condition) -> bool {
    matches!(condition, Condition::Matches { node: node::PIPES_INTO, .. })
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
mod tests;
