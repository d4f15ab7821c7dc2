//! A runaway removal is refused ten thousand times. It is said and recorded once a second for each
//! rule, so that neither the agent nor the log drowns in it.

use core::sync::atomic::{AtomicU64, Ordering};

/// Rules that are told apart; more share a slot, which says less.
const SLOTS: usize = 16;

/// How long a rule stays quiet, in milliseconds.
const PAUSE_MS: u64 = 1000;

/// When each rule was last heard: 24 bits of its digest, 40 bits of milliseconds. A lost update
/// repeats a line.
pub struct Quiet([AtomicU64; SLOTS]);

impl Quiet {
    /// Whether the rule with this digest is to be heard `now_ms`; then it is not, for a second.
    pub fn may_speak(&self, rule: u64, now_ms: u64) -> bool {
        const TIME: u64 = (1 << 40) - 1;
        let Some(slot) = self.0.get(rule as usize & (SLOTS - 1)) else {
            return true;
        };
        let entry = (rule & !TIME) | (now_ms & TIME);
        let last = slot.load(Ordering::Relaxed);
        let is_same = (last ^ entry) & !TIME == 0 && last != 0;
        if is_same && now_ms.wrapping_sub(last) & TIME < PAUSE_MS {
            return false;
        }
        slot.store(entry, Ordering::Relaxed);
        true
    }
}
