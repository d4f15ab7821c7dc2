//! How a verdict came about: which policy answered what, and which answer won. The rules of
//! `evaluator::decide` in words.

use super::names::{self, Named};
use super::text::label;
use crate::bytes::visible;
use crate::policy::inventory::{effective_default, level_name};
use evaluator::command::Outcome;
use evaluator::decide::commands_to_cover;
use evaluator::image::format::{level, rule_flag};
use evaluator::{Action, Image, Reason, RuleMatch, Verdict};

/// The steps, one or more lines each. `layers` says where each image came from.
pub fn steps(verdict: &Verdict<'_>, images: &[Image<'_>], layers: &[String]) -> Vec<String> {
    let mut lines = vec!["how it is decided:".to_owned()];
    let needed = commands_to_cover(&verdict.tree);
    for (position, image) in images.iter().enumerate() {
        let origin = layers.get(position).map_or("", String::as_str);
        lines.push(format!("  {} layer, {origin}", level_name(image.header.level)));
        let before = lines.len();
        let mut answered = None;
        for hit in verdict.matched.iter().filter(|hit| hit.image as usize == position) {
            let policy = image.rule(hit.rule).map(|rule| rule.policy);
            let standing = standing(verdict, image, hit, needed, answered == policy);
            if standing.is_none() {
                answered = policy;
            }
            lines.push(answer(&names::named(hit, images), standing));
        }
        if lines.len() == before {
            lines.push("    no rule matches".to_owned());
        }
    }
    lines.push(format!("  {}", outcome(verdict, images)));
    lines
}

/// Why a rule that matches does not answer for its policy; `None` if it does.
fn standing(
    verdict: &Verdict<'_>,
    image: &Image<'_>,
    hit: &RuleMatch,
    needed: u32,
    is_answered: bool,
) -> Option<String> {
    if is_answered {
        return Some("a rule before it in its policy answers".to_owned());
    }
    if hit.action != Action::Allow as u32 {
        return None;
    }
    if image.header.level == level::PROJECT {
        return Some("a project may only restrict".to_owned());
    }
    if verdict.tree.outcome != Outcome::Complete {
        return Some("not everything could be understood".to_owned());
    }
    (hit.hits < needed).then(|| format!("it covers {} of {needed} commands", hit.hits))
}

fn answer(found: &Named<'_>, standing: Option<String>) -> String {
    let (action, label) = (found.action.name(), label(found.policy, found.rule));
    let message = visible(found.message);
    match (standing, message.is_empty()) {
        (Some(why), _) => format!("    {action:<8} {label}: does not count, {why}"),
        (None, true) => format!("    {action:<8} {label}"),
        (None, false) => format!("    {action:<8} {label}: {message}"),
    }
}

fn outcome(verdict: &Verdict<'_>, images: &[Image<'_>]) -> String {
    let action = verdict.action.name();
    let is_operators = verdict.matched.iter().any(|hit| {
        let image = images.get(hit.image as usize);
        let rule = image.and_then(|image| image.rule(hit.rule));
        hit.action == verdict.action as u32
            && rule.is_some_and(|rule| rule.flags & rule_flag::OPERATOR != 0)
    });
    match verdict.reason {
        Reason::Rule if is_operators => {
            format!("an operator's allow goes before everything but a deny: {action}")
        }
        Reason::Rule => format!("the strictest answer counts: {action}"),
        Reason::Default => format!(
            "no rule answers, or none is as strict as the default: {}",
            effective_default(images).name()
        ),
        Reason::TooComplex => {
            format!("`on_too_complex` is stricter than what the rules say: {action}")
        }
        Reason::Unparseable => {
            format!("`on_unparseable` is stricter than what the rules say: {action}")
        }
        Reason::CorruptImage | Reason::NoMemory | Reason::Unseen => {
            format!("the policy could not be consulted: {action}")
        }
    }
}
