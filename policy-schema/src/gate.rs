//! What the rules on running programs need a call to be about, for the few bytes in an image that
//! are looked at before there is a verdict (`evaluator::image::gate`). Nothing that a rule may hold
//! for is ever left out: where no piece of text is sure, every call of that kind is judged.

use std::collections::{BTreeMap, BTreeSet};

use evaluator::Action;
use evaluator::glob;
use evaluator::image::format::{by, node};
use evaluator::image::gate::operation::WITH_PATH;
use evaluator::image::gate::{ALWAYS_SHIFT, operation, slot, windows};
use evaluator::image::gram::place;

use crate::document::{Condition, Pattern, Policy};
use crate::index::runs;

/// Kinds of call that have an address.
const WITH_ADDRESS: u32 = operation::CONNECT | operation::LISTEN;

/// Paths that programs touch all the time: a piece of them tells nothing.
const COMMON: &str = "/usr/lib/x86_64-linux-gnu/python3/dist-packages/site-packages/node_modules/target/debug/release/deps/build/incremental/.git/objects/refs/heads/.cargo/registry/src/index.crates.io/home/user/root/work/project/main/tests/include/linux/share/locale/LC_MESSAGES/zoneinfo/doc/man/tmp/var/cache/log/etc/proc/self/fd/maps/status/dev/null/shm/sys/kernel/devices/config/__pycache__/encodings/collections/importlib/package.json/README.md/Makefile/.config/.local/state/.cache/bin/sbin/opt/java/jvm/lib64/modules/ssl/certs/ca-certificates/fonts/alternatives/profile/passwd/group/hosts/resolv.conf/nsswitch.conf/ld.so.cache/ld.so.preload/localtime/library/bytes/environment/security/profiles/system/multi-user.target.wants/system.conf.d/git-core/contrib/git/groff/group/auto-load/auth/keys/keyboard/keymaps/create/ssh_host_rsa_key/ssh-keys.d/keys-/cron.d/spool";

/// Bytes of paths, the most frequent first; those that are not here are rare.
const FREQUENT: &str = "etaoinsrlcdpmu/hgbfykvw.x-zjq_";

/// What a call must be about for a condition to hold.
#[derive(Debug, PartialEq, Eq)]
enum Need {
    /// One of these windows; with none, it never holds.
    Windows(BTreeSet<u32>),
    /// Nothing that is sure.
    Anything,
}

/// The gate of an image while it grows.
#[derive(Default)]
pub struct Gate {
    flags: u32,
    /// Each with the kinds of call that need it.
    windows: BTreeMap<u32, u32>,
}

impl Gate {
    /// Adds what the rules of `policy` need.
    pub fn add(&mut self, policy: &Policy) {
        if policy.scope.by == by::AGENT {
            return;
        }
        let tools = &policy.scope.tools;
        let is_about = |tool: &str| {
            let fits = |pattern: &Pattern| {
                glob::command(pattern.text.as_bytes(), tool.as_bytes(), pattern.fold_case)
            };
            tools.is_empty() || tools.iter().any(|pattern| fits(pattern) != Some(false))
        };
        let about = operation::TOOLS.iter().filter(|(_, tool)| is_about(tool));
        let about = about.fold(0, |bits, (bit, _)| bits | bit);
        // What no rule is about is allowed, so a grant alone needs no verdict.
        for rule in policy.rules.iter().filter(|rule| rule.action != Action::Allow) {
            if rule.condition.any_part(&|part| matches!(part, Condition::Response { .. })) {
                continue;
            }
            for kinds in [WITH_PATH, WITH_ADDRESS] {
                match need(&rule.condition, kinds == WITH_PATH) {
                    Need::Windows(windows) if windows.is_empty() => {}
                    Need::Windows(windows) => {
                        self.flags |= about & kinds;
                        for window in windows.into_iter().filter(|_| about & kinds != 0) {
                            *self.windows.entry(window).or_default() |= about & kinds;
                        }
                    }
                    Need::Anything => {
                        self.flags |= about & kinds | (about & kinds) << ALWAYS_SHIFT;
                    }
                }
            }
        }
    }

    /// The words of the section; none if there is no rule on running programs.
    pub fn words(&self) -> Vec<u32> {
        if self.flags == 0 {
            return Vec::new();
        }
        let len = match self.windows.len() {
            0 => 0,
            // A quarter full: a path's windows mostly come to an empty slot at once.
            len => (len * 4).next_power_of_two(),
        };
        let mut slots = vec![(0_u32, 0_u32); len];
        for (window, kinds) in &self.windows {
            let mut at = slot(*window, len);
            while slots.get(at).is_some_and(|(found, _)| *found != 0) {
                at = (at + 1) & (len - 1);
            }
            if let Some(empty) = slots.get_mut(at) {
                *empty = (*window, *kinds);
            }
        }
        let windows = slots.iter().map(|(window, _)| *window);
        let kinds = slots.iter().map(|(_, kinds)| *kinds);
        std::iter::once(self.flags).chain(windows).chain(kinds).collect()
    }
}

/// What `condition` needs of a call with a path, or of one with an address.
fn need(condition: &Condition, with_path: bool) -> Need {
    match condition {
        Condition::All(parts) => {
            let needs = parts.iter().map(|part| need(part, with_path));
            let windows = needs.filter_map(|need| match need {
                Need::Windows(windows) => Some(windows),
                Need::Anything => None,
            });
            windows.min_by_key(BTreeSet::len).map_or(Need::Anything, Need::Windows)
        }
        Condition::Any(parts) => {
            let mut all = BTreeSet::new();
            for part in parts {
                match need(part, with_path) {
                    Need::Windows(windows) => all.extend(windows),
                    Need::Anything => return Need::Anything,
                }
            }
            Need::Windows(all)
        }
        Condition::Matches { node: node::PATH, patterns, .. } if with_path => {
            patterns.iter().map(rarest).collect::<Option<_>>().map_or(Need::Anything, Need::Windows)
        }
        // Without a path or an address such a test does not hold.
        Condition::Matches { node: node::PATH, .. } => Need::Windows(BTreeSet::new()),
        Condition::Matches { node: node::URL | node::DOMAIN, .. } if with_path => {
            Need::Windows(BTreeSet::new())
        }
        _ => Need::Anything,
    }
}

/// The window of a path pattern that the fewest other paths have.
fn rarest(pattern: &Pattern) -> Option<u32> {
    if pattern.fold_case {
        return None;
    }
    let runs = runs(pattern, place::REQUEST_PATH);
    runs.iter().flat_map(|run| windows(run.as_bytes())).min_by_key(|window| commonness(*window))
}

fn commonness(window: u32) -> (bool, usize, u32) {
    let bytes = window.to_le_bytes();
    let is_common = glob::find(COMMON.as_bytes(), &bytes, false).is_some();
    let rank = |byte: &u8| FREQUENT.bytes().position(|frequent| frequent == *byte);
    let frequent = bytes.iter().map(|byte| FREQUENT.len() - rank(byte).unwrap_or(FREQUENT.len()));
    (is_common, frequent.sum(), window)
}

#[cfg(test)]
mod tests;
