//! Rules that can never answer, because a rule before them in the same policy always does.

use evaluator::Action;
use evaluator::image::format::{node, pattern};

use super::{Lint, items, member};
use crate::diagnostic::Level;
use crate::document::{Condition, Pattern, Policy, Rule};
use crate::yaml::Node;

/// Comparisons of conditions for a layer, so that a file of thousands of rules ends.
pub const STEPS: u32 = 5_000_000;

impl Lint<'_> {
    /// Reports the rules of `policy` that another one shadows.
    pub fn shadowed(&mut self, policy: &Policy, node: &Node, steps: &mut u32) {
        let nodes = items(member(node, "rules"));
        for (at, (later, node)) in policy.rules.iter().zip(nodes).enumerate() {
            let before = policy.rules.get(..at).unwrap_or_default();
            let Some(earlier) = before.iter().find(|earlier| shadows(earlier, later, steps)) else {
                continue;
            };
            let (policy, name, by) = (&policy.name.value, &later.name, &earlier.name);
            let place = node.range.start..node.range.start + 1;
            let (code, message) = match earlier.condition {
                Condition::Always => (
                    "unreachable-rule",
                    format!(
                        "rule `{policy}/{name}` is never reached: rule `{by}` before it always matches"
                    ),
                ),
                _ => (
                    "shadowed-rule",
                    format!(
                        "rule `{policy}/{name}` never answers: rule `{by}` before it matches all that it matches"
                    ),
                ),
            };
            let level = if earlier.action == later.action { Level::Note } else { Level::Warning };
            let help = format!("move it before `{by}`, or remove it");
            self.add(level, &place, (code, message.into(), &help));
        }
    }
}

/// Whether `earlier` answers wherever `later` would.
fn shadows(earlier: &Rule, later: &Rule, steps: &mut u32) -> bool {
    if earlier.expires_at.is_some() || earlier.once {
        return false;
    }
    let response =
        |rule: &Rule| rule.condition.any_part(&|part| matches!(part, Condition::Response { .. }));
    if response(earlier) != response(later) {
        return false;
    }
    // An allow answers only if it covers every command, other actions if they match any.
    let is_enough = earlier.action != Action::Allow
        || later.action == Action::Allow
        || earlier.condition == Condition::Always
        || !later.condition.any_part(&Condition::looks_at_commands);
    is_enough && implies(&later.condition, &earlier.condition, steps)
}

/// Whether `earlier` surely holds where `later` does. Past the budget nothing is sure.
fn implies(later: &Condition, earlier: &Condition, steps: &mut u32) -> bool {
    use Condition::{Always, Effects, Fact, Inside, Matches, Sql, Target};
    match steps.checked_sub(1) {
        Some(left) => *steps = left,
        None => return false,
    }
    match (later, earlier) {
        (_, Always) => true,
        (_, Condition::All(parts)) => parts.iter().all(|part| implies(later, part, steps)),
        (Condition::Any(parts), _) => parts.iter().all(|part| implies(part, earlier, steps)),
        (Condition::All(parts), _) if parts.iter().any(|part| implies(part, earlier, steps)) => {
            true
        }
        (_, Condition::Any(parts)) => parts.iter().any(|part| implies(later, part, steps)),
        (
            Matches { node: kind, flags, patterns },
            Matches { node: of, flags: with, patterns: covers },
        ) => {
            // These alternate names and values.
            let pairs = *kind == node::PARAM || *kind == node::CALL_COUNT || *kind == node::ENV;
            *kind == *of
                && *flags == *with
                && (later == earlier
                    || !pairs
                        && patterns.iter().all(|one| {
                            *steps = steps.saturating_sub(1);
                            covers.iter().any(|cover| takes_in(cover, one))
                        }))
        }
        (Inside(some), Inside(all)) | (Sql(some), Sql(all)) | (Effects(some), Effects(all)) => {
            some & !all == 0
        }
        (Target(some), Target(all)) => some.0 & !all.0 == 0,
        (Fact(some), Fact(all)) => some.0 & !all.0 == 0,
        _ => later == earlier,
    }
}

/// Whether every value that `one` matches surely matches `cover`.
fn takes_in(cover: &Pattern, one: &Pattern) -> bool {
    if one.fold_case && !cover.fold_case {
        return false;
    }
    let plain = |text: &str| !text.contains(['*', '?', '[', '\\', '{']);
    let (text, all) = (one.text.as_str(), cover.text.as_str());
    if text == all {
        return cover.class == one.class || plain(text);
    }
    match cover.class {
        pattern::SUBSTRING => plain(text) && text.contains(all),
        pattern::GLOB if all == "*" || all == "**" => true,
        pattern::GLOB => {
            all.strip_suffix('*').is_some_and(|prefix| plain(prefix) && text.starts_with(prefix))
        }
        pattern::PATH_GLOB if all == "**" => true,
        pattern::PATH_GLOB => {
            let prefix = all.strip_suffix("**").filter(|prefix| plain(prefix));
            let end = all.strip_prefix("**/").filter(|end| plain(end));
            prefix.is_some_and(|prefix| !prefix.is_empty() && text.starts_with(prefix))
                || end.is_some_and(|end| {
                    text.strip_suffix(end).is_some_and(|head| head.ends_with('/'))
                })
        }
        _ => false,
    }
}
