//! `rampart status`: which evaluators of this user are running.

use crate::channel::{self, Fields};
use crate::failure::Failure;
use crate::output::Output;
use crate::serve::listen;
use evaluator::wire::Kind;
use serde_json::Value;

/// Shows which evaluators are running: the daemon, and those that `rampart run` hosts
#[derive(clap::Args, Debug)]
pub struct Arguments {
    /// A JSON array in place of text
    #[arg(long)]
    json: bool,
}

/// Runs the verb.
///
/// # Errors
/// If it cannot be written.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let mut found = Vec::new();
    for path in listen::all() {
        let report = channel::report(&path, Kind::Status, &Fields::default());
        if let Ok(Ok(status)) = report.map(|text| serde_json::from_str::<Value>(&text)) {
            found.push(status);
        }
    }
    let mut output = Output::new();
    if arguments.json {
        output.line(&Value::Array(found).to_string())?;
        return output.flush();
    }
    if found.is_empty() {
        output.line(
            "no evaluator is running: rules that ask are answered by `on_no_approver`. Start one \
             with `rampart serve`",
        )?;
    }
    for status in found {
        let number = |name: &str| status.get(name).and_then(Value::as_u64).unwrap_or(0);
        let socket = status.get("socket").and_then(Value::as_str).unwrap_or_default();
        output.line(&format!(
            "{}  pid {}, up {} s, {} requests, {} pending",
            crate::bytes::visible(socket.as_bytes()),
            number("pid"),
            number("uptime_s"),
            number("requests"),
            number("pending")
        ))?;
    }
    output.flush()
}
