//! What the library stopped while a tool call ran, for the model that made the call.
//!
//! The line that a denied program leaves on standard error may never be seen: a Makefile or a test
//! runner swallowed it. The events are in the record; those of this tree since the hook let this
//! very call go are its own.

use super::decide::{AFTER, BEFORE};
use super::payload::Payload;
use crate::audit::event::Event;
use crate::audit::live_files;
use crate::audit::spool::{self, FromEnd};
use crate::launch::environment::Environment;
use std::ffi::OsStr;
use std::fs::File;
use std::path::Path;

/// How many lines from the end of a file are looked at.
const LINES: usize = 50_000;

/// How many denials are told.
const TOLD: usize = 10;

/// What is to be said of the programs that were denied during this call; `None` if there is nothing
/// that `output` does not say already.
pub fn during(environment: &Environment, payload: &Payload, output: &str) -> Option<String> {
    let set =
        |name| environment.value(name).and_then(OsStr::to_str).filter(|value| !value.is_empty());
    // Without a tree there is no library, and nothing that it could have stopped.
    let (tree, directory) = (set("RAMPART_TREE")?, Path::new(set("RAMPART_AUDIT_DIR")?));
    let session = set("RAMPART_SESSION").unwrap_or(&payload.session);
    let is_start = |event: &Event| {
        event.text("hook") == BEFORE
            && match payload.call.as_str() {
                "" => event.text("session") == session,
                call => event.text("call") == call,
            }
    };
    let mut files = spool::files(directory).ok()?;
    files.extend(live_files(directory).unwrap_or_default().into_iter().rev().take(1));
    let (mut denied, mut start) = (Vec::new(), None);
    for path in files {
        let Some(found) = since(&path, tree, &is_start, &mut denied) else {
            continue;
        };
        start = start.max(Some(found));
    }
    let start = start?;
    denied.retain(|event| event.moment() > start && !output.contains(&mark(event)));
    denied.sort_by_key(Event::moment);
    told(&denied)
}

/// Adds the denials of `tree` in the file, up to the start of the call if that is in it, whose
/// moment is returned.
fn since(
    path: &Path,
    tree: &str,
    is_start: &dyn Fn(&Event) -> bool,
    denied: &mut Vec<Event>,
) -> Option<(String, String)> {
    let file = File::open(path).ok()?;
    let end = file.metadata().ok()?.len();
    let mut reader = FromEnd::new(file, end);
    for _ in 0..LINES {
        let line = reader.next_line().ok()??;
        let Some(event) = Event::parse(&line).filter(|event| event.text("tree") == tree) else {
            continue;
        };
        if is_start(&event) {
            return Some(event.moment());
        }
        let is_ours = matches!(event.text("hook"), BEFORE | AFTER);
        if !is_ours && event.text("outcome") == "denied" {
            denied.push(event);
        }
    }
    None
}

/// What a denial's own line ends with.
fn mark(event: &Event) -> String {
    format!("{})", short(event))
}

fn short(event: &Event) -> String {
    let id = event.id();
    crate::bytes::visible(id.get(id.len().saturating_sub(4)..).unwrap_or(id).as_bytes())
}

fn told(denied: &[Event]) -> Option<String> {
    if denied.is_empty() {
        return None;
    }
    let mut lines = vec![
        "rampart: while this ran, the policy stopped something that the output may not show. Do not \
         retry it in another form. `rampart why ID` says more."
            .to_owned(),
    ];
    for event in denied.iter().take(TOLD) {
        let message = crate::bytes::visible(event.text("message").as_bytes());
        let call: String = event.call().chars().take(400).collect();
        lines.push(format!("- {}: {call} [{}] {message}", short(event), event.rule()));
    }
    if denied.len() > TOLD {
        lines.push(format!("- and {} more", denied.len() - TOLD));
    }
    Some(lines.join("\n"))
}
