//! Counted rules on what a program does itself: a runaway removal is stopped after some files. The
//! counts are the process's own; what spans processes only an evaluator could count, and nobody waits
//! for one here.

use core::sync::atomic::{AtomicU64, Ordering};

/// Rules that are counted.
const SLOTS: usize = 16;

/// A count that is surely reached: there is no room for another rule.
const MANY: u32 = u32::MAX;

/// For each rule 16 bits of its digest (never 0), 32 bits of the milliseconds at which its window
/// began, 16 bits of a count. A window begins with the first call after the last one ended.
pub struct Counts([AtomicU64; SLOTS]);

impl Counts {
    /// How many calls there were for the rule with this digest in the window at hand. `is_new` says that
    /// this is one more.
    pub fn count(&self, rule: u64, window_ms: u64, now_ms: u64, is_new: bool) -> u32 {
        let tag = (rule >> 48) | 1;
        let now = now_ms & 0xffff_ffff;
        for slot in &self.0 {
            let mut last = slot.load(Ordering::Relaxed);
            while last == 0 || last >> 48 == tag {
                let (start, count) = ((last >> 16) & 0xffff_ffff, last & 0xffff);
                let is_over = last == 0 || now.wrapping_sub(start) & 0xffff_ffff >= window_ms;
                let (start, count) = if is_over { (now, 0) } else { (start, count) };
                let count = count.saturating_add(u64::from(is_new)).min(0xffff);
                let next = tag << 48 | start << 16 | count;
                match slot.compare_exchange(last, next, Ordering::Relaxed, Ordering::Relaxed) {
                    Ok(_) => return count as u32,
                    Err(other) => last = other,
                }
            }
        }
        MANY
    }
}
