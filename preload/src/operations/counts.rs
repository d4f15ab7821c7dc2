//! Counted rules on what a program does itself: a runaway removal is stopped after some files. Each
//! process counts its own calls. Where there is an evaluator it keeps the tree's, and a process tells it
//! of its own a few at a time: of the first at once, for it may be the only one, and then of every sixteenth
//! part of what the rule asks for.

use core::sync::atomic::{AtomicU64, Ordering};

/// Rules that are counted.
const SLOTS: usize = 16;

/// A process tells of its calls when there are so many parts of what the rule asks for.
const PARTS: u32 = 16;

/// For each rule 16 bits of its digest (never 0), 32 bits of the milliseconds at which its window
/// began, 16 bits of a count. A window begins with the first call after the last one ended. Beside it
/// 32 bits of how many calls others in the tree have made, 16 bits of how many of the own the
/// evaluator knows, and 16 of when the window began for which this holds.
pub struct Counts {
    own: [AtomicU64; SLOTS],
    tree: [AtomicU64; SLOTS],
}

/// One rule's count.
pub struct Count<'c> {
    tree: &'c AtomicU64,
    own: u32,
    began: u64,
}

impl Counts {
    /// How many calls of this process there were for the rule with this digest in the window at hand.
    /// `is_new` says that this is one more. `None` if there is no room for another rule.
    pub fn count(&self, rule: u64, window_ms: u64, now_ms: u64, is_new: bool) -> Option<Count<'_>> {
        let tag = (rule >> 48) | 1;
        let now = now_ms & 0xffff_ffff;
        for (slot, tree) in self.own.iter().zip(&self.tree) {
            let mut last = slot.load(Ordering::Relaxed);
            while last == 0 || last >> 48 == tag {
                let (start, count) = ((last >> 16) & 0xffff_ffff, last & 0xffff);
                let is_over = last == 0 || now.wrapping_sub(start) & 0xffff_ffff >= window_ms;
                let (start, count) = if is_over { (now, 0) } else { (start, count) };
                let count = count.saturating_add(u64::from(is_new)).min(0xffff);
                let next = tag << 48 | start << 16 | count;
                match slot.compare_exchange(last, next, Ordering::Relaxed, Ordering::Relaxed) {
                    Ok(_) => return Some(Count { tree, own: count as u32, began: start & 0xffff }),
                    Err(other) => last = other,
                }
            }
        }
        None
    }
}

impl Count<'_> {
    /// How many calls others in the tree have made, and how many of its own this process has told of.
    fn known(&self) -> (u32, u32) {
        let word = self.tree.load(Ordering::Relaxed);
        match word & 0xffff == self.began {
            true => ((word >> 32) as u32, (word >> 16) as u32 & 0xffff),
            false => (0, 0),
        }
    }

    /// How many calls there are, where a rule asks for `least`. `tell` tells the evaluator of so many more,
    /// and knows how many the tree has made; `None` where nobody does.
    pub fn of_tree(&self, least: u32, tell: impl FnOnce(u32) -> Option<u32>) -> u32 {
        let (others, told) = self.known();
        let sum = others.saturating_add(self.own);
        let new = self.own.saturating_sub(told);
        let is_due = new >= (least / PARTS).max(1) || told == 0 || sum >= least;
        if new == 0 || !is_due {
            return sum;
        }
        // Without an answer it is tried again as late as with one.
        let total = tell(new).unwrap_or(sum).max(self.own);
        let others = total.saturating_sub(self.own);
        let word = u64::from(others) << 32 | u64::from(self.own) << 16 | self.began;
        self.tree.store(word, Ordering::Relaxed);
        total
    }
}
