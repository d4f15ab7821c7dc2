//! `rampart rules`: every rule in force.

use crate::bytes::visible;
use crate::failure::Failure;
use crate::launch::environment::Environment;
use crate::output::Output;
use crate::policy::inventory::{Inventory, RuleInfo, inventory};
use crate::policy::{self, Choice};
use policy_schema::time;

/// Lists every rule in force, in the order in which they are looked at
///
/// Inside a policy the first rule that matches answers; across policies the strictest answer
/// counts.
#[derive(clap::Args, Debug)]
pub struct Arguments {
    #[command(flatten)]
    choice: Choice,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// Runs the verb.
///
/// # Errors
/// Exit status 2 if the policy cannot be used.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let layers = arguments.choice.load(&Environment::own())?;
    let all = inventory(&layers)?;
    let mut output = Output::new();
    if arguments.json {
        output.line(&policy::json(&all)?)?;
    } else {
        for line in table(&all) {
            output.line(&line)?;
        }
    }
    output.flush()
}

fn table(all: &Inventory) -> Vec<String> {
    let mut lines = Vec::new();
    let label = |rule: &RuleInfo| {
        format!("{}/{}", visible(rule.policy.as_bytes()), visible(rule.rule.as_bytes()))
    };
    let width = all.rules.iter().map(|rule| label(rule).chars().count()).max().unwrap_or(0).min(48);
    for (position, layer) in (1..).zip(&all.layers) {
        lines.push(format!("{}: {}", layer.level, layer.origin));
        for rule in all.rules.iter().filter(|rule| rule.layer == position) {
            let severity = rule.severity.unwrap_or("-");
            let label = label(rule);
            let message = visible(rule.message.as_bytes());
            let line = format!(
                "  {:<7} {severity:<8} {label:<width$}  {}{message}",
                rule.action,
                remarks(rule)
            );
            lines.push(line.trim_end().to_owned());
        }
    }
    let default = all.effective.default_action.unwrap_or("deny");
    lines.push(format!("anything else: {default}"));
    lines
}

/// What changes when or whether a rule answers.
fn remarks(rule: &RuleInfo) -> String {
    let mut notes = Vec::new();
    if rule.response {
        notes.push("on output".to_owned());
    }
    if rule.operator {
        notes.push("operator".to_owned());
    }
    if rule.once {
        notes.push("once".to_owned());
    }
    if let Some(at) = rule.expires_at {
        notes.push(format!("until {}", time::format_timestamp(at)));
    }
    if rule.ignored {
        notes.push("ignored: a project may only restrict".to_owned());
    }
    match notes.is_empty() {
        true => String::new(),
        false => format!("({}) ", notes.join(", ")),
    }
}
