//! The names behind the numbers of a verdict.

use evaluator::image::format::Section;
use evaluator::{Action, Image, RuleMatch, Verdict};

/// A rule that fired, by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Named<'a> {
    /// Its policy.
    pub policy: &'a [u8],
    /// Its name, or its position in the policy.
    pub rule: &'a [u8],
    /// Its words for whoever is stopped.
    pub message: &'a [u8],
    /// Its action; `deny` if the image is corrupt there, as in the verdict.
    pub action: Action,
    /// The first command that it matched.
    pub command: u32,
    /// Position of its layer.
    pub image: u32,
}

/// Every rule that fired, the strictest first; those alike stay in the order of the policy.
pub fn matched<'a>(verdict: &Verdict<'_>, images: &[Image<'a>]) -> Vec<Named<'a>> {
    let mut all: Vec<Named<'a>> =
        verdict.matched.iter().map(|found| named(found, images)).collect();
    all.sort_by_key(|found| std::cmp::Reverse(found.action));
    all
}

/// The names of one rule that fired.
pub fn named<'a>(found: &RuleMatch, images: &[Image<'a>]) -> Named<'a> {
    let image = images.get(found.image as usize);
    let rule = image.and_then(|image| image.rule(found.rule));
    let policy = image.zip(rule).and_then(|(image, rule)| image.policy(rule.policy));
    let text = |offset: u32, len: u32| image.and_then(|image| image.text(offset, len));
    let code = u8::try_from(found.action).ok();
    Named {
        policy: policy.and_then(|policy| text(policy.name, policy.name_len)).unwrap_or_default(),
        rule: rule.and_then(|rule| text(rule.name, rule.name_len)).unwrap_or_default(),
        message: rule.and_then(|rule| text(rule.message, rule.message_len)).unwrap_or_default(),
        action: code.and_then(Action::from_code).unwrap_or(Action::Deny),
        command: found.command,
        image: found.image,
    }
}

/// How many policies and rules an image has.
pub fn counts(image: &Image<'_>) -> (u32, u32) {
    (image.count(Section::Policies), image.count(Section::Rules))
}
