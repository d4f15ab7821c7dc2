//! What is in the layers in force: their settings and their rules, as `rules` and `policy show`
//! list them.

use super::{Layers, digest};
use crate::failure::Failure;
use evaluator::image::format::{Header, level, record_events, rule_flag};
use evaluator::{Action, Image};
use serde::Serialize;

/// One layer.
#[derive(Clone, Debug, Serialize)]
pub struct LayerInfo {
    /// `built-in`, `system`, `user` or `project`.
    pub level: &'static str,
    /// Where it came from.
    pub origin: String,
    /// Digest of its sources.
    pub digest: String,
    #[serde(flatten)]
    pub settings: Settings,
    /// How many policies it has.
    pub policies: u32,
    /// How many rules it has.
    pub rules: usize,
}

/// The settings of a layer, or what those of all layers come to. Not stated: absent.
#[derive(Clone, Debug, Default, Serialize, PartialEq, Eq)]
pub struct Settings {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default_action: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_no_approver: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_too_complex: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_unparseable: Option<&'static str>,
    pub record: &'static str,
}

/// One rule.
#[derive(Clone, Debug, Serialize)]
pub struct RuleInfo {
    /// Position of its layer, from 1.
    pub layer: usize,
    pub level: &'static str,
    pub policy: String,
    pub rule: String,
    pub action: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub severity: Option<&'static str>,
    /// The tools that its policy is about; empty for all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tools: Vec<String>,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub message: String,
    /// Seconds since the epoch at which it is void.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<u64>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub once: bool,
    /// It looks at what a tool put out.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub response: bool,
    /// An operator's allow, which beats an ask.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub operator: bool,
    /// A grant of a project's layer, which counts for nothing.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub ignored: bool,
}

/// Everything in force.
#[derive(Clone, Debug, Serialize)]
pub struct Inventory {
    /// What the settings of all layers come to.
    pub effective: Settings,
    /// The paths that some layer puts out of reach.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub out_of_reach: Vec<String>,
    /// Lowest first.
    pub layers: Vec<LayerInfo>,
    /// In the order in which they are looked at.
    pub rules: Vec<RuleInfo>,
}

/// Lists `layers`.
///
/// # Errors
/// If an image is not intact.
pub fn inventory(layers: &Layers) -> Result<Inventory, Failure> {
    let images = layers.images()?;
    let mut rules = Vec::new();
    let mut infos = Vec::new();
    for (position, (layer, image)) in (1..).zip(layers.all.iter().zip(&images)) {
        let before = rules.len();
        let numbers = 0..image.count(evaluator::image::format::Section::Rules);
        rules.extend(numbers.filter_map(|number| rule(image, position, number)));
        infos.push(LayerInfo {
            level: level_name(image.header.level),
            origin: layer.origin.to_string(),
            digest: digest(image),
            settings: stated(&image.header),
            policies: image.count(evaluator::image::format::Section::Policies),
            rules: rules.len() - before,
        });
    }
    let out_of_reach =
        layers.out_of_reach().iter().map(|path| crate::bytes::visible(path)).collect();
    Ok(Inventory { effective: effective(&images), out_of_reach, layers: infos, rules })
}

/// The name of a layer's level.
pub const fn level_name(code: u8) -> &'static str {
    match code {
        level::BUILT_IN => "built-in",
        level::SYSTEM => "system",
        level::USER => "user",
        level::PROJECT => "project",
        _ => "unknown",
    }
}

fn action_name(code: u8) -> Option<&'static str> {
    Action::from_code(code).map(Action::name)
}

fn stated(header: &Header) -> Settings {
    Settings {
        default_action: action_name(header.default_action),
        on_no_approver: action_name(header.on_no_approver),
        on_too_complex: action_name(header.on_too_complex),
        on_unparseable: action_name(header.on_unparseable),
        record: if header.record == record_events::NOTABLE { "notable" } else { "all" },
    }
}

/// What happens to a call that no rule is about, as `decide` finds it.
pub fn effective_default(images: &[Image<'_>]) -> Action {
    let is_project = |image: &&Image<'_>| image.header.level == level::PROJECT;
    let default = |image: &Image<'_>| Action::from_code(image.header.default_action);
    let own = images.iter().rev().filter(|image| !is_project(image)).find_map(default);
    let stricter = images.iter().filter(is_project).filter_map(default);
    stricter.fold(own.unwrap_or(Action::Deny), Action::max)
}

/// What the settings come to, as `decide` combines them.
fn effective(images: &[Image<'_>]) -> Settings {
    let is_project = |image: &&Image<'_>| image.header.level == level::PROJECT;
    let strictest = |of: fn(&Header) -> u8, unstated: Action| {
        let codes = images.iter().filter_map(|image| Action::from_code(of(&image.header)));
        Some(codes.max().unwrap_or(unstated).name())
    };
    let notable = |image: &Image<'_>| image.header.record == record_events::NOTABLE;
    Settings {
        default_action: Some(effective_default(images).name()),
        on_no_approver: strictest(|header| header.on_no_approver, Action::Deny),
        on_too_complex: strictest(|header| header.on_too_complex, Action::Ask),
        on_unparseable: strictest(|header| header.on_unparseable, Action::Ask),
        record: if images.iter().any(|image| !is_project(&image) && notable(image)) {
            "notable"
        } else {
            "all"
        },
    }
}

fn rule(image: &Image<'_>, layer: usize, number: u32) -> Option<RuleInfo> {
    let rule = image.rule(number)?;
    let policy = image.policy(rule.policy)?;
    let text = |at, len| {
        let bytes = image.text(at, len).unwrap_or_default();
        String::from_utf8_lossy(bytes).into_owned()
    };
    let tools = policy.tools..policy.tools.saturating_add(policy.tools_len);
    let tool = |index| image.pattern(index).map(|(_, text)| String::from_utf8_lossy(text).into());
    let has = |flag| rule.flags & flag != 0;
    let grants = Action::from_code(rule.action) == Some(Action::Allow);
    Some(RuleInfo {
        layer,
        level: level_name(image.header.level),
        policy: text(policy.name, policy.name_len),
        rule: text(rule.name, rule.name_len),
        action: action_name(rule.action).unwrap_or("deny"),
        severity: severity(rule.severity),
        tools: tools.filter_map(tool).collect(),
        message: text(rule.message, rule.message_len),
        expires_at: Some(rule.expires_at).filter(|at| *at != 0),
        once: has(rule_flag::ONCE),
        response: has(rule_flag::RESPONSE),
        operator: has(rule_flag::OPERATOR),
        ignored: grants && image.header.level == level::PROJECT,
    })
}

fn severity(code: u8) -> Option<&'static str> {
    ["low", "medium", "high", "critical"].get(usize::from(code.checked_sub(1)?)).copied()
}

/// A digest as people compare it.
pub fn short(digest: &str) -> &str {
    digest.get(..12).unwrap_or(digest)
}
