//! `rampart audit replay`: what another policy would have said to what happened.

use crate::asked::Asked;
use crate::audit::event::Event;
use crate::audit::select::{Selection, each_event};
use crate::audit::{self};
use crate::bytes;
use crate::directories::Directories;
use crate::failure::Failure;
use crate::launch::environment::Environment;
use crate::output::Output;
use crate::policy::{Choice, json};
use crate::serve::weigh::rule;
use crate::verdict::judge::Judge;
use crate::verdict::world::FileSystem;
use evaluator::Action;
use serde::Serialize;
use serde_json::Value;

/// Judges the events of the log by another policy: what it would have decided otherwise
///
/// Arguments that were masked or cut in the log are judged as far as they stand there, and the programs
/// as they are on this machine now. Exit status: 0 if nothing changes, 1 if something does.
#[derive(clap::Args, Debug)]
pub struct Arguments {
    #[command(flatten)]
    choice: Choice,
    #[command(flatten)]
    selection: Selection,
    /// One JSON object for each event that would be decided otherwise, and one at the end
    #[arg(long)]
    json: bool,
}

/// One event that would be decided otherwise.
#[derive(Serialize)]
struct Change<'a> {
    id: &'a str,
    time: &'a str,
    command: String,
    old: &'a str,
    old_rule: String,
    new: &'a str,
    new_rule: String,
}

#[derive(Default, Serialize)]
struct Summary {
    /// Events that were judged.
    events: u64,
    unchanged: u64,
    /// What went ahead, and would be denied.
    newly_denied: u64,
    /// What went ahead without asking, and would be asked.
    newly_asked: u64,
    /// What was denied or asked, and would go ahead.
    newly_allowed: u64,
    /// Every other change: a deny in place of an ask, or only another record.
    other: u64,
    /// Events of which the log does not hold enough to judge them.
    not_judged: u64,
    /// Judged events in which something is masked or cut.
    partly_known: u64,
}

/// Runs the verb.
///
/// # Errors
/// If the policy does not compile, or the log cannot be read.
pub fn run(arguments: &Arguments) -> Result<u8, Failure> {
    if !arguments.choice.is_explicit() {
        return Err(Failure::usage("which policy? name it by --policy FILE or --profile NAME"));
    }
    let filter = arguments.selection.filter()?;
    let layers = arguments.choice.load(&Environment::own())?;
    let mut judge = Judge::new(&layers)?;
    let files = audit::readable(&audit::places(&Directories::from_environment())?)?;
    let mut output = Output::new();
    let mut summary = Summary::default();
    let world = FileSystem::default();
    each_event(&files, &mut |_, event| {
        if !filter.takes(event) {
            return Ok(());
        }
        let Some(call) = call(event) else {
            summary.not_judged += 1;
            return Ok(());
        };
        summary.events += 1;
        summary.partly_known += u64::from(is_partial(event));
        let (new, new_rule) = call.with_request(&call.facts(), |request| {
            judge.judge(request, &world, |verdict, _| (verdict.action, rule(verdict)))
        });
        let old = event.text("action");
        if old == new.name() {
            summary.unchanged += 1;
            return Ok(());
        }
        summary.count(old, new);
        let change = Change {
            id: event.id(),
            time: event.text("time"),
            command: event.call(),
            old,
            old_rule: event.rule(),
            new: new.name(),
            new_rule,
        };
        output.line(&match arguments.json {
            true => serde_json::to_string(&change).unwrap_or_default(),
            false => change.line(),
        })
    })?;
    match arguments.json {
        true => output.line(&json(&summary)?)?,
        false => output.line(&summary.text())?,
    }
    output.flush()?;
    Ok(u8::from(summary.unchanged != summary.events))
}

impl Change<'_> {
    fn line(&self) -> String {
        let id = self.id.get(self.id.len().saturating_sub(4)..).unwrap_or(self.id);
        let (old, new) = (bytes::visible(self.old.as_bytes()), self.new);
        let id = bytes::visible(id.as_bytes());
        let rules = format!("{} → {}", self.old_rule, self.new_rule);
        format!("{id}  {old:>7} → {new:<7}  {rules:<40}  {}", self.command)
    }
}

impl Summary {
    fn count(&mut self, old: &str, new: Action) {
        let went_ahead = matches!(old, "allow" | "watch");
        match new {
            Action::Deny if went_ahead => self.newly_denied += 1,
            Action::Ask | Action::Webhook if went_ahead => self.newly_asked += 1,
            Action::Allow | Action::Watch if !went_ahead => self.newly_allowed += 1,
            _ => self.other += 1,
        }
    }

    fn text(&self) -> String {
        format!(
            "{} events judged: {} unchanged, {} newly denied, {} newly asked, {} newly allowed, {} changed otherwise; \
             {} partly known, {} not judged",
            self.events,
            self.unchanged,
            self.newly_denied,
            self.newly_asked,
            self.newly_allowed,
            self.other,
            self.partly_known,
            self.not_judged
        )
    }
}

/// The call of an event; `None` if the log does not hold it.
fn call(event: &Event) -> Option<Asked> {
    let bytes_of = |name: &str| event.member(name).and_then(known);
    let shell = bytes_of("command");
    let argv = event.member("argv").and_then(Value::as_array);
    let argv: Vec<Vec<u8>> = argv.into_iter().flatten().filter_map(known).collect();
    if shell.is_none() && argv.is_empty() {
        return None;
    }
    let named = [
        ("RAMPART_AGENT", "agent"),
        ("RAMPART_SESSION", "session"),
        ("RAMPART_AGENT_DEPTH", "agent_depth"),
    ];
    let environment = named.iter().filter_map(|(name, member)| {
        let value = match event.member(member)? {
            Value::Number(number) => number.to_string().into_bytes(),
            value => bytes::from_json(value)?,
        };
        Some([name.as_bytes(), b"=", &value].concat())
    });
    Some(Asked {
        tool: bytes_of("tool").unwrap_or_else(|| b"exec".to_vec()),
        file: bytes_of("exe").or_else(|| argv.first().cloned()).unwrap_or_default(),
        argv,
        shell,
        cwd: bytes_of("cwd").filter(|path| path.starts_with(b"/")).into(),
        environment: Environment::of_entries(environment.collect()),
        path: bytes_of("path"),
        url: bytes_of("url"),
        ..Asked::default()
    })
}

/// The bytes of a value; of one that was cut, its head.
fn known(value: &Value) -> Option<Vec<u8>> {
    bytes::from_json(value).or_else(|| Some(value.get("head")?.as_str()?.as_bytes().to_vec()))
}

/// Whether the log holds less of the call than there was.
fn is_partial(event: &Event) -> bool {
    let is_less = |value: &Value| match value {
        Value::String(text) => text.contains("[masked]"),
        other => other.get("head").is_some(),
    };
    let argv = event.member("argv").and_then(Value::as_array);
    event.has("argv_len")
        || event.member("command").is_some_and(is_less)
        || argv.is_some_and(|argv| argv.iter().any(is_less))
}
