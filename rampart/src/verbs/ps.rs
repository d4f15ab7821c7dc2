//! `rampart ps`: which processes of this machine run guarded, and which agents do not. It asks the kernel, of
//! whom this user can see.

use crate::asked::Asked;
use crate::failure::Failure;
use crate::output::Output;
use crate::process::{Process, guardian};
use crate::serve::liveness::{self, Guard};
use serde_json::{Value, json};
use std::fs;

/// How many characters of a command line are shown without --json.
const WIDTH: usize = 100;

/// Shows which processes run guarded, and which agents do not
#[derive(clap::Args, Debug)]
pub struct Arguments {
    /// One JSON object in place of text
    #[arg(long)]
    json: bool,
}

/// Runs the verb.
///
/// # Errors
/// If it cannot be written.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let guarded: Vec<Value> = all().filter_map(guarded).collect();
    let agents: Vec<Value> = liveness::agents()
        .into_iter()
        .map(|seen| {
            json!({
                "pid": seen.process.pid,
                "agent": seen.host.name(),
                "guard": seen.guard.name(),
                "command": command(seen.process),
            })
        })
        .collect();
    let mut output = Output::new();
    if arguments.json {
        output.line(&json!({"guarded": guarded, "agents": agents}).to_string())?;
        return output.flush();
    }
    let text = |row: &Value, name: &str| match row.get(name) {
        Some(Value::String(text)) => crate::bytes::visible(text.as_bytes()),
        Some(other) => other.to_string(),
        None => String::new(),
    };
    for row in &guarded {
        let (pid, tree, agent) = (text(row, "pid"), text(row, "tree"), text(row, "agent"));
        let end = tree.get(tree.len().saturating_sub(6)..).unwrap_or(&tree);
        let line: String = text(row, "command").chars().take(WIDTH).collect();
        output.line(&format!("{pid:>8}  guarded    {end:<6}  {agent:<12}  {line}"))?;
    }
    for row in agents.iter().filter(|row| text(row, "guard") != Guard::Tree.name()) {
        let (pid, guard, agent) = (text(row, "pid"), text(row, "guard"), text(row, "agent"));
        let line: String = text(row, "command").chars().take(WIDTH).collect();
        output.line(&format!("{pid:>8}  {guard:<9}  {:<6}  {agent:<12}  {line}", "-"))?;
    }
    if guarded.is_empty() && agents.is_empty() {
        output.line("no process runs guarded, and no agent is known to run")?;
    }
    output.flush()
}

/// Every process that this user can see.
fn all() -> impl Iterator<Item = Process> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let numbers = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    numbers.filter_map(Process::of)
}

/// A guarded process, by what the kernel says it or an ancestor was started with.
fn guarded(process: Process) -> Option<Value> {
    let found = guardian(process)?;
    let named = |name| {
        let value = found.environment.value(name).unwrap_or_default();
        crate::bytes::visible(value.as_encoded_bytes())
    };
    Some(json!({
        "pid": process.pid,
        "tree": named("RAMPART_TREE"),
        "agent": named("RAMPART_AGENT"),
        "mode": match named("RAMPART_MODE").as_str() {
            "" => "enforce".to_owned(),
            mode => mode.to_owned(),
        },
        "loaded": process.has_loaded_us(),
        "command": command(process),
    }))
}

/// Its command line, credentials masked; its name in brackets where it has none.
fn command(process: Process) -> String {
    let line = process.read("cmdline").unwrap_or_default();
    let line = line.strip_suffix(b"\0").unwrap_or(&line);
    if line.is_empty() {
        let name = process.read("comm").unwrap_or_default();
        return format!("[{}]", crate::bytes::visible(name.trim_ascii()));
    }
    let argv = line.split(|byte| *byte == 0).map(<[u8]>::to_vec).collect();
    Asked { tool: b"exec".to_vec(), argv, file: b"-".to_vec(), ..Asked::default() }.shown()
}
