//! `rampart pending`, `approve`, `deny` and `why`: people's side of approvals, over every
//! evaluator of this user.

use crate::audit;
use crate::channel::{self, Fields};
use crate::failure::Failure;
use crate::output::Output;
use crate::serve::listen;
use crate::verbs::allow;
use evaluator::wire::{Kind, Tag};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Lists the commands that wait for a person
#[derive(clap::Args, Debug)]
pub struct Pending {
    /// A JSON array in place of text
    #[arg(long)]
    json: bool,
    /// Go on, and show each as it comes
    #[arg(short, long)]
    watch: bool,
}

/// Lets a command that waits run
#[derive(clap::Args, Debug)]
pub struct Approve {
    /// The id that `rampart pending` shows, or the end of it
    id: String,
    /// For those that wait for it now (the default)
    #[arg(long, conflicts_with_all = ["for", "always"])]
    once: bool,
    /// For the same command, there and with the same policy, for so long (`10m`, `1h30m`)
    #[arg(long, value_name = "DURATION", value_parser = seconds, conflicts_with = "always")]
    r#for: Option<u32>,
    /// From now on: exactly this command is taken out of the rule that asks, in your own policy
    #[arg(long)]
    always: bool,
}

/// Says no to a command that waits
#[derive(clap::Args, Debug)]
pub struct Deny {
    /// The id that `rampart pending` shows, or the end of it
    id: String,
}

/// Says what became of an approval, without ID of the last one; or why something was denied
///
/// Changes nothing, and may be used inside a guarded tree.
#[derive(clap::Args, Debug)]
pub struct Why {
    /// The id of the approval or of the event, or the end of it
    id: Option<String>,
    /// JSON in place of text
    #[arg(long)]
    json: bool,
}

/// A duration as policies write them, in whole seconds.
fn seconds(text: &str) -> Result<u32, String> {
    let ms = policy_schema::time::duration_ms(text).filter(|ms| *ms >= 1000);
    ms.and_then(|ms| u32::try_from(ms / 1000).ok())
        .ok_or_else(|| "a duration is a number and a unit, such as 30s, 10m or 1h30m".to_owned())
}

impl Pending {
    /// Runs the verb.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn run(&self) -> Result<(), Failure> {
        /// How often `--watch` looks.
        const PAUSE: Duration = Duration::from_millis(500);
        let mut output = Output::new();
        let mut shown: Vec<String> = Vec::new();
        loop {
            let all: Vec<Value> = pending().into_iter().map(|(_, approval)| approval).collect();
            if self.json && !self.watch {
                output.line(&Value::Array(all).to_string())?;
                return output.flush();
            }
            for approval in all.iter().filter(|one| !shown.contains(&text(one, "id"))) {
                let line = if self.json { approval.to_string() } else { described(approval) };
                output.line(&line)?;
            }
            output.flush()?;
            if !self.watch {
                return Ok(());
            }
            shown = all.iter().map(|one| text(one, "id")).collect();
            std::thread::sleep(PAUSE);
        }
    }
}

/// Every pending approval, and the socket of the evaluator that has it. One that does not answer
/// has none.
fn pending() -> Vec<(PathBuf, Value)> {
    let mut all = Vec::new();
    for path in listen::all() {
        let report = channel::report(&path, Kind::List, &Fields::default());
        if let Ok(Ok(Value::Array(found))) = report.map(|text| serde_json::from_str(&text)) {
            all.extend(found.into_iter().map(|approval| (path.clone(), approval)));
        }
    }
    all.sort_by_key(|(_, approval)| text(approval, "id"));
    all
}

impl Approve {
    /// Runs the verb.
    ///
    /// # Errors
    /// If there is no such approval, it is over, or this process may not give it.
    pub fn run(&self) -> Result<(), Failure> {
        let scope = match (self.r#for, self.always) {
            (Some(_), _) => "for",
            (None, true) => "always",
            (None, false) => "once",
        };
        let mut body = Fields::default().with(Tag::Scope, scope.as_bytes());
        if let Some(seconds) = self.r#for {
            body.add_number(Tag::Duration, seconds);
        }
        let approval = resolve(&self.id, body)?;
        say(&format!("approved: {}", text(&approval, "command")))?;
        if self.always {
            let argv = approval.get("argv").and_then(Value::as_array);
            let argv = argv.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned);
            return allow::always(&text(&approval, "rule"), argv.collect());
        }
        Ok(())
    }
}

impl Deny {
    /// Runs the verb.
    ///
    /// # Errors
    /// As [`Approve::run`].
    pub fn run(&self) -> Result<(), Failure> {
        let approval = resolve(&self.id, Fields::default().with(Tag::Scope, b"deny"))?;
        say(&format!("denied: {}", text(&approval, "command")))
    }
}

impl Why {
    /// Runs the verb.
    ///
    /// # Errors
    /// If nobody knows of such an approval.
    pub fn run(&self) -> Result<(), Failure> {
        let id = self.id.as_deref().unwrap_or_default();
        let body = Fields::default().with(Tag::Approval, id.as_bytes());
        let found = match first_answer(&listen::all(), Kind::Why, &body, id) {
            Ok(found) => found,
            Err(failure) => return self.of_event(id, failure),
        };
        if self.json {
            return say(&found.to_string());
        }
        let mut lines = vec![described(&found)];
        for (name, label) in [
            ("cwd", "in"),
            ("message", "message"),
            ("resolved_at", "answered"),
            ("resolved_by", "by"),
        ] {
            let value = text(&found, name);
            if !value.is_empty() {
                lines.push(format!("  {label:<9} {value}"));
            }
        }
        let effects = found.get("effects").and_then(Value::as_array);
        let effects = effects.into_iter().flatten().filter_map(Value::as_str);
        lines.extend(effects.map(|line| format!("  it {line}")));
        say(&lines.join("\n"))
    }

    /// The same for an event of the audit log, which is read where it lies. `unknown` is what the
    /// evaluators said.
    fn of_event(&self, id: &str, unknown: Failure) -> Result<(), Failure> {
        let Some(event) = audit::with_id(id)? else {
            return Err(unknown);
        };
        if self.json {
            return say(&event.json());
        }
        let end = id_end(event.id());
        let more = match (event.is_denial(), event.text("reason")) {
            (true, "rule" | "default") => {
                format!("\n  a person can: rampart allow --id {end}, outside the agent's session")
            }
            _ => String::new(),
        };
        say(&format!("{}{more}", event.details()))
    }
}

fn id_end(id: &str) -> String {
    crate::bytes::visible(id.get(id.len().saturating_sub(4)..).unwrap_or(id).as_bytes())
}

fn say(line: &str) -> Result<(), Failure> {
    let mut output = Output::new();
    output.line(line)?;
    output.flush()
}

/// Answers the approval `id`, wherever it is.
fn resolve(id: &str, body: Fields) -> Result<Value, Failure> {
    let holders: Vec<PathBuf> = pending()
        .into_iter()
        .filter(|(_, approval)| text(approval, "id").ends_with(&id.to_ascii_uppercase()))
        .map(|(path, _)| path)
        .collect();
    // Where none has it pending, the evaluators know why.
    let mut asked = if holders.is_empty() { listen::all() } else { holders };
    asked.dedup();
    if let [_, _, ..] = asked.as_slice()
        && !asked.iter().all(|path| !is_holder(path, id))
    {
        return Err(Failure::usage(format!(
            "several approvals end with `{}`; give more of the id",
            crate::bytes::visible(id.as_bytes())
        )));
    }
    let body = body.with(Tag::Approval, id.as_bytes());
    first_answer(&asked, Kind::Resolve, &body, id)
}

fn is_holder(path: &Path, id: &str) -> bool {
    let mut all = pending().into_iter();
    all.any(|(holder, approval)| {
        holder == *path && text(&approval, "id").ends_with(&id.to_ascii_uppercase())
    })
}

/// The first report that one of `paths` gives; else the most telling refusal.
fn first_answer(paths: &[PathBuf], kind: Kind, body: &Fields, id: &str) -> Result<Value, Failure> {
    let mut refusal: Option<Failure> = None;
    for path in paths {
        match channel::report(path, kind, body) {
            Ok(text) => {
                return serde_json::from_str(&text).map_err(|error| {
                    Failure::other(format!("the evaluator's answer is no JSON: {error}"))
                });
            }
            Err(failure) if failure.message.starts_with("no answer") => {}
            Err(failure) => {
                let is_unknown = failure.message.starts_with("there is no approval");
                if refusal.is_none() || !is_unknown {
                    refusal = Some(failure);
                }
            }
        }
    }
    let nobody = || {
        Failure::other(format!(
            "there is no approval `{}`: no evaluator is running (`rampart serve`, or `rampart run`)",
            crate::bytes::visible(id.as_bytes())
        ))
    };
    Err(refusal.unwrap_or_else(nobody))
}

fn text(approval: &Value, name: &str) -> String {
    let text = approval.get(name).and_then(Value::as_str).unwrap_or_default();
    crate::bytes::visible(text.as_bytes())
}

/// An approval as one line: how it is answered first.
fn described(approval: &Value) -> String {
    let id = text(approval, "id");
    let start = id.len().saturating_sub(6);
    let short = id.get(start..).unwrap_or(&id);
    let waiting = approval.get("waiting").and_then(Value::as_u64).unwrap_or(0);
    let times = if waiting > 1 { format!(" ({waiting} wait)") } else { String::new() };
    let state = text(approval, "state");
    let until = match state.as_str() {
        "pending" => format!("until {}", text(approval, "expires_at")),
        _ => state.clone(),
    };
    format!("{short}  {until}  [{}]  {}{times}", text(approval, "rule"), text(approval, "command"))
}
