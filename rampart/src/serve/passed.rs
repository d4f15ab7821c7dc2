//! Calls that the evaluator's own verdict let go, for trees that put every verdict to it: their processes ask
//! again when they have started, and are answered from here. It is not on the disk: after a restart the
//! call is put to the evaluator once more.

use super::coverage::Id;
use crate::process::Process;
use std::collections::HashMap;

/// On whose word such a call goes ahead.
pub const EVALUATOR: &str = "evaluator";

/// How many processes are known before those that have ended are looked for.
const MOST: usize = 4096;

/// What each process may start as.
#[derive(Debug)]
pub struct Passed {
    all: HashMap<Process, Vec<Id>>,
    most: usize,
}

impl Default for Passed {
    fn default() -> Self {
        Self { all: HashMap::new(), most: MOST }
    }
}

impl Passed {
    /// `process` may start as any of `calls`, its last word on that.
    pub fn note(&mut self, process: Process, calls: Vec<Id>) {
        if self.all.len() >= self.most {
            self.all.retain(|process, _| process.is_alive());
            // Not again for each of many that live.
            self.most = MOST.max(2 * self.all.len());
        }
        self.all.insert(process, calls);
    }

    /// Whether `process` may start as `call`.
    pub fn covers(&self, process: Process, call: &Id) -> bool {
        self.all.get(&process).is_some_and(|calls| calls.contains(call))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_word_counts_and_the_dead_go() {
        let mut passed = Passed::default();
        let own = Process::of(std::process::id()).unwrap();
        passed.note(own, vec![[1; 32], [2; 32]]);
        assert!(passed.covers(own, &[2; 32]) && !passed.covers(own, &[3; 32]));
        passed.note(own, vec![[3; 32]]);
        assert!(passed.covers(own, &[3; 32]) && !passed.covers(own, &[2; 32]));
        for pid in 0..2 * MOST as u64 {
            passed.note(Process { start: u64::MAX - pid, ..own }, Vec::new());
        }
        assert!(passed.all.len() <= MOST && passed.covers(own, &[3; 32]));
    }
}
