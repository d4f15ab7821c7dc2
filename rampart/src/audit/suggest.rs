//! What the audit log suggests for a policy: entries for exactly the commands that were stopped or
//! asked about, and the rules that decided nothing. Nothing of it holds by itself.

use super::event::Event;
use super::select::each_event;
use super::{places, readable};
use crate::bytes::visible;
use crate::cases::Call;
use crate::directories::Directories;
use crate::failure::Failure;
use crate::policy::inventory::Inventory;
use crate::policy::starter::Suggestions;
use policy_schema::Layer;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Most commands that are suggested, the most frequent first.
const MOST: usize = 40;

/// Longest text that is shown of a command, in characters.
const WIDTH: usize = 80;

/// The call of an event, if the log holds all of it: no part masked, left out or too long.
pub fn whole_call(event: &Event) -> Option<Call> {
    if event.has("argv_len") || event.has("compacted") {
        return None;
    }
    let text = |value: &Value| match value.as_str() {
        Some(text) if !text.contains("[masked]") => Some(text.as_bytes().to_vec()),
        _ => None,
    };
    match event.member("argv").and_then(Value::as_array) {
        Some(argv) => Some(Call::Argv(argv.iter().map(text).collect::<Option<_>>()?)),
        None => Some(Call::Shell(event.member("command").and_then(text)?)),
    }
}

/// A pattern that only `text` matches.
pub fn exact(text: &str) -> String {
    text.chars().fold(String::new(), |mut pattern, c| {
        match c {
            '*' | '?' | '[' => pattern.extend(['[', c, ']']),
            c => pattern.push(c),
        }
        pattern
    })
}

/// One command that a rule was about.
#[derive(Default)]
struct Case {
    stopped: u64,
    agreed: u64,
    watched: u64,
}

/// What the log says.
#[derive(Default)]
struct Log {
    events: u64,
    left_out: u64,
    first: String,
    last: String,
    /// By rule and command.
    cases: BTreeMap<(String, String, Call), Case>,
    /// The rules that decided something.
    rules: BTreeSet<String>,
}

/// What the log suggests for the user's own policy, or, if there is a `project`, for what was done
/// below it. `inventory` is what is in force.
///
/// # Errors
/// If the log cannot be read.
pub fn suggestions(project: Option<&Path>, inventory: &Inventory) -> Result<Suggestions, Failure> {
    let mut log = Log::default();
    let files = readable(&places(&Directories::from_environment())?)?;
    each_event(&files, &mut |_, event| {
        let is_inside = |root: &Path| Path::new(event.text("cwd")).starts_with(root);
        if project.is_none_or(is_inside) {
            log.add(event);
        }
        Ok(())
    })?;
    Ok(log.suggestions(if project.is_some() { Layer::Project } else { Layer::User }, inventory))
}

impl Log {
    fn add(&mut self, event: &Event) {
        self.events += 1;
        let (time, _) = event.moment();
        if self.first.is_empty() || time < self.first {
            self.first.clone_from(&time);
        }
        if time > self.last {
            self.last = time;
        }
        if event.text("reason") != "rule" {
            return;
        }
        let action = event.text("action").to_owned();
        self.rules.insert(event.rule());
        if !matches!(action.as_str(), "deny" | "ask" | "webhook" | "watch") {
            return;
        }
        let Some(call) = whole_call(event) else {
            self.left_out += 1;
            return;
        };
        let case = self.cases.entry((event.rule(), action, call)).or_default();
        match (event.is_denial(), event.text("action")) {
            (true, _) => case.stopped += 1,
            (false, "watch") => case.watched += 1,
            (false, _) => case.agreed += 1,
        }
    }

    fn suggestions(self, layer: Layer, inventory: &Inventory) -> Suggestions {
        let mut found =
            Suggestions { about: self.about(layer, inventory), ..Suggestions::default() };
        let mut cases: Vec<_> = self.cases.into_iter().collect();
        cases.sort_by_key(|(_, case)| std::cmp::Reverse(case.stopped + case.agreed + case.watched));
        for ((rule, action, call), case) in cases.into_iter().take(MOST) {
            let Some(words) = words(&call) else {
                continue;
            };
            let times = |count: u64, what: &str| (count > 0).then(|| format!("{what} {count} ×"));
            let counts = [
                times(case.stopped, "stopped"),
                times(case.agreed, "let go on somebody's word"),
                times(case.watched, "watched"),
            ];
            let counts: Vec<String> = counts.into_iter().flatten().collect();
            let about = format!("{} by {}", counts.join(", "), visible(rule.as_bytes()));
            let is_grant = layer == Layer::User && action != "watch";
            if is_grant {
                let entry = format!("{{rule: {}, command: {}}}", json!(rule), words.exact);
                found.disable.push((entry, format!("Lifts a rule for exactly this: {about}")));
            }
            // What somebody always said no to need not be asked about.
            if action != "deny" && case.agreed == 0 {
                let entry = format!(
                    "{{action: deny, when: {{command_matches: [{}]}}}}",
                    json!(exact(&words.line))
                );
                found.rules.push((entry, format!("Denies it: {about}")));
            }
        }
        found
    }

    fn about(&self, layer: Layer, inventory: &Inventory) -> Vec<String> {
        let day = |time: &str| visible(time.get(..10).unwrap_or(time).as_bytes());
        let mut lines = vec![format!(
            "From the audit log: {} events from {} to {}. Nothing below holds as long as it is a comment.",
            self.events,
            day(&self.first),
            day(&self.last)
        )];
        if self.left_out > 0 {
            lines.push(format!(
                "Left out: {} events whose command the log does not hold whole (masked, or too long).",
                self.left_out
            ));
        }
        let own = inventory.rules.iter().filter(|rule| match layer {
            Layer::Project => rule.level == "project",
            _ => rule.level == "user",
        });
        let unused: Vec<String> = own
            .filter(|rule| !self.rules.contains(&format!("{}/{}", rule.policy, rule.rule)))
            .map(|rule| {
                visible(format!("{}/{} ({})", rule.policy, rule.rule, rule.action).as_bytes())
            })
            .collect();
        if !unused.is_empty() {
            lines.push(
                "Rules of these files that decided nothing; an allow among them may go:".to_owned(),
            );
            lines.extend(unused.iter().map(|rule| format!("- {rule}")));
        }
        lines
    }
}

/// A command as an entry of `disable` and as a text pattern has it.
struct Words {
    exact: String,
    line: String,
}

/// `None` for what cannot be written, or would be too long to be read by a person.
fn words(call: &Call) -> Option<Words> {
    let line = match call {
        Call::Argv(argv) => String::from_utf8(argv.join(&b' ')).ok()?,
        Call::Shell(text) => String::from_utf8(text.clone()).ok()?,
        Call::Nothing => return None,
    };
    let is_plain = !line.trim().is_empty() && line.chars().count() <= 4 * WIDTH;
    let exact = match call {
        Call::Argv(argv) => {
            let words: Vec<_> = argv.iter().map(|word| String::from_utf8_lossy(word)).collect();
            json!(words).to_string()
        }
        _ => json!(line.trim()).to_string(),
    };
    // Entries stand on one line: JSON has no line breaks, and YAML none that JSON would not escape.
    is_plain.then_some(Words { exact, line })
}
