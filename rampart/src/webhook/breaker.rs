//! A service that fails again and again is left alone for a while: each call would wait for its time
//! limit, and the service could not recover. Pure: the time is an argument.

use std::collections::HashMap;
use std::time::Duration;

/// So many failures one after the other open the circuit.
const FAILURES: u32 = 5;

/// For so long nobody asks then; after that one call tries it.
const REST: Duration = Duration::from_secs(30);

/// Most services that are remembered. Policies name few.
const MOST: usize = 256;

/// One service.
#[derive(Clone, Copy, Debug, Default)]
struct State {
    failures: u32,
    /// When it may be tried again, in milliseconds.
    rests_until: u64,
}

/// All services, by address.
#[derive(Debug, Default)]
pub struct Breaker(HashMap<String, State>);

impl Breaker {
    /// Whether the service at `url` may be asked at `now` (milliseconds). A yes after a rest is for
    /// one call: until that has ended, others are told no.
    pub fn may_ask(&mut self, url: &str, now: u64) -> bool {
        let Some(state) = self.0.get_mut(url).filter(|state| state.failures >= FAILURES) else {
            return true;
        };
        if now < state.rests_until {
            return false;
        }
        state.rests_until = now.saturating_add(rest());
        true
    }

    /// Notes how asking the service at `url` went.
    pub fn note(&mut self, url: &str, has_answered: bool, now: u64) {
        if has_answered {
            self.0.remove(url);
            return;
        }
        if self.0.len() >= MOST && !self.0.contains_key(url) {
            self.0.clear();
        }
        let state = self.0.entry(url.to_owned()).or_default();
        state.failures = state.failures.saturating_add(1);
        state.rests_until = now.saturating_add(rest());
    }
}

fn rest() -> u64 {
    u64::try_from(REST.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_that_fails_is_left_alone_and_tried_again() {
        let mut breaker = Breaker::default();
        for now in 0..5 {
            assert!(breaker.may_ask("a", now));
            breaker.note("a", false, now);
        }
        assert!(!breaker.may_ask("a", 5) && !breaker.may_ask("a", 30_003));
        assert!(breaker.may_ask("b", 5), "another service");
        assert!(breaker.may_ask("a", 30_004), "one tries it");
        assert!(!breaker.may_ask("a", 30_005), "and only one");
        breaker.note("a", false, 30_010);
        assert!(!breaker.may_ask("a", 60_009));
        assert!(breaker.may_ask("a", 60_010));
        breaker.note("a", true, 60_020);
        for now in 60_021..60_025 {
            assert!(breaker.may_ask("a", now));
            breaker.note("a", false, now);
        }
        assert!(breaker.may_ask("a", 60_026), "it starts counting anew");
    }
}
