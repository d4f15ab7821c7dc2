//! `rampart policy show` and `rampart policy list`: what is in force, and what is shipped.

use crate::failure::Failure;
use crate::launch::environment::Environment;
use crate::output::Output;
use crate::policy::inventory::{Inventory, Settings, inventory, short};
use crate::policy::packs::unknown_pack;
use crate::policy::{self, Choice, unknown_profile};
use crate::verdict::names::counts;
use evaluator::Image;
use std::path::PathBuf;

/// Shows the policy in force: what its settings come to, and its layers
///
/// With --profile, prints a shipped policy as YAML, to read or to start an own one from.
#[derive(clap::Args, Debug)]
pub struct Arguments {
    /// Shipped policy to print (`rampart policy list` names them)
    #[arg(long, value_name = "NAME", conflicts_with_all = ["policy", "layers", "json"])]
    profile: Option<String>,
    /// Shipped pack to print
    #[arg(long, value_name = "NAME", conflicts_with_all = ["profile", "policy", "layers", "json"])]
    pack: Option<String>,
    /// Policy to show in place of the installed ones: a YAML file, or a compiled image
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// Show what each layer states, and its policies
    #[arg(long)]
    layers: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// Runs `policy show`.
///
/// # Errors
/// Exit status 2 if there is no such profile, or the policy cannot be used.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let mut output = Output::new();
    if let Some(profile) = &arguments.profile {
        let found = policies::SOURCES.iter().find(|(name, _)| name == profile);
        let (_, text) = found.ok_or_else(|| unknown_profile(profile))?;
        output.write(text.as_bytes())?;
        return output.flush();
    }
    if let Some(pack) = &arguments.pack {
        let found = policies::PACK_SOURCES.iter().find(|(name, _)| name == pack);
        let (_, text) = found.ok_or_else(|| unknown_pack(pack))?;
        output.write(text.as_bytes())?;
        return output.flush();
    }
    let choice = Choice { policy: arguments.policy.clone(), ..Choice::default() };
    let all = inventory(&choice.load(&Environment::own())?)?;
    if arguments.json {
        output.line(&policy::json(&all)?)?;
    } else {
        for line in described(&all, arguments.layers) {
            output.line(&line)?;
        }
    }
    output.flush()
}

fn described(all: &Inventory, with_policies: bool) -> Vec<String> {
    let mut lines = vec!["in force".to_owned()];
    lines.extend(settings(&all.effective));
    lines.extend(all.out_of_reach.iter().map(|path| format!("  {:<15} {path}", "out_of_reach")));
    lines.push(String::new());
    lines.push("layers, lowest first".to_owned());
    for (position, layer) in (1..).zip(&all.layers) {
        let (policies, rules) = (layer.policies, layer.rules);
        lines.push(format!(
            "  {:<8} {} ({policies} policies, {rules} rules, {})",
            layer.level,
            layer.origin,
            short(&layer.digest)
        ));
        if !with_policies {
            continue;
        }
        lines.extend(settings(&layer.settings).map(|line| format!("  {line}")));
        let mut last = "";
        for rule in all.rules.iter().filter(|rule| rule.layer == position) {
            if rule.policy != last {
                last = &rule.policy;
                let tools = match rule.tools.is_empty() {
                    true => "all tools".to_owned(),
                    false => rule.tools.join(", "),
                };
                let of_policy = |other: &&_| {
                    let other: &policy::inventory::RuleInfo = other;
                    other.layer == position && other.policy == *last
                };
                let count = all.rules.iter().filter(of_policy).count();
                let name = crate::bytes::visible(last.as_bytes());
                lines.push(format!("    {name} ({count} rules; {tools})"));
            }
        }
    }
    lines
}

fn settings(settings: &Settings) -> impl Iterator<Item = String> {
    let record = Some(settings.record);
    let all = [
        ("default_action", settings.default_action),
        ("on_no_approver", settings.on_no_approver),
        ("on_too_complex", settings.on_too_complex),
        ("on_unparseable", settings.on_unparseable),
        ("record", record),
    ];
    all.into_iter().filter_map(|(name, value)| Some(format!("  {name:<15} {}", value?)))
}

/// Runs `policy list`.
///
/// # Errors
/// If standard output cannot be written.
pub fn list() -> Result<(), Failure> {
    let mut output = Output::new();
    for (name, bytes) in policies::PROFILES {
        let (policies, rules) = Image::open(bytes).map_or((0, 0), |image| counts(&image));
        output.line(&format!("{name:<17} profile, {policies} policies, {rules} rules"))?;
    }
    for (name, bytes) in policies::PACKS {
        let (policies, rules) = Image::open(bytes).map_or((0, 0), |image| counts(&image));
        output.line(&format!("{name:<17} pack, {policies} policies, {rules} rules"))?;
    }
    output.flush()
}
