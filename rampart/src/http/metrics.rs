//! Counts for Prometheus, in its text format.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Upper bounds of the time of a verdict, in microseconds.
const BOUNDS: [u64; 11] = [1, 5, 10, 50, 100, 500, 1_000, 5_000, 10_000, 50_000, 100_000];

/// Most pairs of action and policy that are told apart.
const MOST: usize = 1000;

/// What is counted.
#[derive(Debug, Default)]
struct Counts {
    decisions: BTreeMap<(String, String), u64>,
    times: [u64; BOUNDS.len()],
    count: u64,
    sum: Duration,
}

/// All of it.
#[derive(Debug, Default)]
pub struct Metrics(Mutex<Counts>);

impl Metrics {
    /// Counts a verdict.
    pub fn note(&self, action: &str, policy: &str, took: Duration) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (action.to_owned(), policy.to_owned());
        if counts.decisions.len() < MOST || counts.decisions.contains_key(&key) {
            *counts.decisions.entry(key).or_default() += 1;
        }
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        for (count, bound) in counts.times.iter_mut().zip(BOUNDS) {
            *count += u64::from(micros <= bound);
        }
        counts.count += 1;
        counts.sum += took;
    }

    /// The text, with numbers that are measured now: pending approvals, policies, seconds of uptime.
    pub fn text(&self, pending: usize, policies: usize, uptime: u64) -> String {
        let counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut out = String::from("# TYPE rampart_decisions_total counter\n");
        for ((action, policy), count) in &counts.decisions {
            let policy = policy.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
            out.push_str(&format!(
                "rampart_decisions_total{{action=\"{action}\",policy=\"{policy}\"}} {count}\n"
            ));
        }
        out.push_str("# TYPE rampart_eval_duration_seconds histogram\n");
        for (count, bound) in counts.times.iter().zip(BOUNDS) {
            let seconds = Duration::from_micros(bound).as_secs_f64();
            out.push_str(&format!(
                "rampart_eval_duration_seconds_bucket{{le=\"{seconds}\"}} {count}\n"
            ));
        }
        let (count, sum) = (counts.count, counts.sum.as_secs_f64());
        out.push_str(&format!(
            "rampart_eval_duration_seconds_bucket{{le=\"+Inf\"}} {count}\n\
             rampart_eval_duration_seconds_sum {sum}\nrampart_eval_duration_seconds_count {count}\n\
             # TYPE rampart_pending_approvals gauge\nrampart_pending_approvals {pending}\n\
             # TYPE rampart_policy_count gauge\nrampart_policy_count {policies}\n\
             # TYPE rampart_uptime_seconds gauge\nrampart_uptime_seconds {uptime}\n"
        ));
        out
    }
}
