//! How often the programs of a tree did something themselves that a rule counts (`call_count` for
//! `delete`, `write` …). Processes count their own calls and tell of them a few at a time, so these are
//! numbers and no calls. They belong to the tree and live as long as the evaluator.

use super::reports::Said;
use super::requests::now;
use crate::channel::Fields;
use evaluator::wire::{Body, Kind, Tag};
use evaluator::world::Counted;
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

/// Most counts at a time; beyond, the one that was used longest ago goes.
const MOST: usize = 4096;

/// Most parts of a window: a longer one is counted in longer steps.
const PARTS: u64 = 600;

/// Longest name of a tree, a policy or a rule, in bytes.
const LONGEST: usize = 1024;

/// The tree, the policy and the rule.
type Key = [Vec<u8>; 3];

/// All counts: for each when, in seconds since the epoch, and how many then.
#[derive(Debug, Default)]
pub struct Tallies(HashMap<Key, VecDeque<(u64, u32)>>);

/// Counts that the loop and the worker share.
pub type Shared = Arc<Mutex<Tallies>>;

impl Tallies {
    /// Adds `more` to a count at `now`: how many there were within `window` seconds.
    fn add(&mut self, key: Key, window: u64, (now, more): (u64, u32)) -> u32 {
        if self.0.len() >= MOST && !self.0.contains_key(&key) {
            let last = |parts: &VecDeque<(u64, u32)>| parts.back().map_or(0, |(at, _)| *at);
            let oldest = self.0.iter().min_by_key(|(_, parts)| last(parts));
            if let Some(oldest) = oldest.map(|(key, _)| key.clone()) {
                self.0.remove(&oldest);
            }
        }
        let parts = self.0.entry(key).or_default();
        let step = (window / PARTS).max(1);
        match parts.back_mut() {
            Some((at, count)) if *at / step == now / step => *count = count.saturating_add(more),
            _ => parts.push_back((now, more)),
        }
        while parts.front().is_some_and(|(at, _)| at.saturating_add(window) < now) {
            parts.pop_front();
        }
        sum(parts, window, now)
    }

    fn known(&self, key: &Key, window: u64, now: u64) -> u32 {
        self.0.get(key).map_or(0, |parts| sum(parts, window, now))
    }
}

fn sum(parts: &VecDeque<(u64, u32)>, window: u64, now: u64) -> u32 {
    let recent = parts.iter().filter(|(at, _)| at.saturating_add(window) >= now);
    recent.fold(0, |sum, (_, count)| sum.saturating_add(*count))
}

/// How many calls `tree` has made that the rule counts.
pub fn known(tallies: &Shared, tree: &[u8], counted: &Counted<'_>) -> u32 {
    let key = [tree, counted.policy, counted.rule].map(<[u8]>::to_vec);
    let tallies = tallies.lock().unwrap_or_else(PoisonError::into_inner);
    tallies.known(&key, counted.window, now() / 1000)
}

/// The answer to a request of kind [`Kind::Count`]; without a number where it cannot be counted.
pub fn answer(tallies: &Shared, body: Body<'_>) -> Said {
    let text = |tag| body.one(tag).unwrap_or_default();
    let names = [Tag::Tree, Tag::Owner, Tag::Rule].map(text);
    let mut said = Fields::default();
    let is_short = names.iter().all(|name| name.len() <= LONGEST);
    if let (Some(more), Some(window)) = (body.number(Tag::Number), body.number(Tag::Duration))
        && is_short
        && !text(Tag::Tree).is_empty()
    {
        let mut tallies = tallies.lock().unwrap_or_else(PoisonError::into_inner);
        let key = names.map(<[u8]>::to_vec);
        said.add_number(Tag::Number, tallies.add(key, window.into(), (now() / 1000, more)));
    }
    Said { kind: Kind::Answer, body: said }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(tree: &str) -> Key {
        [tree, "p", "r"].map(|name| name.as_bytes().to_vec())
    }

    #[test]
    fn a_window_slides() {
        let mut tallies = Tallies::default();
        for (tree, now, more, total) in [
            ("a", 100, 1, 1),
            ("a", 100, 3, 4),
            ("a", 105, 6, 10),
            ("b", 105, 2, 2),
            ("a", 110, 0, 10),
            ("a", 111, 0, 6),
            ("a", 115, 1, 7),
            ("a", 116, 1, 2),
            ("a", 1000, 1, 1),
        ] {
            assert_eq!(tallies.add(key(tree), 10, (now, more)), total, "{tree} {now}");
            assert_eq!(tallies.known(&key(tree), 10, now), total, "{tree} {now}");
        }
        assert_eq!(tallies.known(&key("c"), 10, 1), 0);
    }

    #[test]
    fn memory_is_bounded() {
        let mut tallies = Tallies::default();
        let day = 24 * 3600;
        for now in 0..2 * day {
            tallies.add(key("a"), day, (now, 1));
        }
        let parts = tallies.0.get(&key("a")).map_or(0, VecDeque::len);
        assert!(parts <= PARTS as usize + 2, "{parts}");
        let known = tallies.known(&key("a"), day, 2 * day);
        assert!(known.abs_diff(day as u32) <= 200, "{known}");
        for number in 0..MOST + 10 {
            tallies.add(key(&format!("t{number}")), 10, (number as u64 + 200_000, 1));
        }
        assert_eq!(tallies.0.len(), MOST);
    }
}
