//! What `rampart mcp` adds to a call: the same call to the same server, with and without it, in turns.

use crate::report::{Report, quantile};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitCode, Stdio};
use std::time::Instant;

/// How many calls are timed each.
const ROUNDS: usize = 5000;

/// Most that a call may cost more, in microseconds.
const BUDGET: f64 = 200.0;

/// `bench mcp-server`: answers each request at once, with what a small file would be.
pub fn server() -> ExitCode {
    let (mut input, mut output) = (std::io::stdin().lock(), std::io::stdout().lock());
    let mut line = String::new();
    while input.read_line(&mut line).is_ok_and(|count| count > 0) {
        let id = line.split_once("\"id\":").and_then(|(_, rest)| rest.split_once(','));
        let id = id.map_or("null", |(id, _)| id);
        let text = "fn main() {}\\n".repeat(40);
        let answer = format!(
            "{{\"jsonrpc\":\"2.0\",\"id\":{id},\"result\":{{\"content\":[{{\"type\":\"text\",\"text\":\"{text}\"}}]}}}}\n"
        );
        if output.write_all(answer.as_bytes()).and_then(|()| output.flush()).is_err() {
            break;
        }
        line.clear();
    }
    ExitCode::SUCCESS
}

/// A server, and what is between.
struct Way {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Drop for Way {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Way {
    fn start(command: &mut Command) -> Result<Self, String> {
        let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut child = child.map_err(|error| format!("cannot start {command:?}: {error}"))?;
        let streams = child.stdin.take().zip(child.stdout.take());
        let (input, output) = streams.ok_or("a child without streams")?;
        Ok(Self { child, input, output: BufReader::new(output) })
    }

    /// The time of one call, in microseconds.
    fn call(&mut self, id: usize) -> Result<f64, String> {
        let line = format!(
            "{{\"jsonrpc\":\"2.0\",\"id\":{id},\"method\":\"tools/call\",\"params\":{{\"name\":\"read_text_file\",\"arguments\":{{\"path\":\"/tmp/project/src/main.rs\"}}}}}}\n"
        );
        let mut answer = String::new();
        let started = Instant::now();
        let done = self.input.write_all(line.as_bytes());
        let done = done.and_then(|()| self.output.read_line(&mut answer));
        let took = started.elapsed().as_secs_f64() * 1e6;
        done.map_err(|error| format!("the server: {error}"))?;
        match answer.contains("fn main") {
            true => Ok(took),
            false => Err(format!("the server answers {answer}")),
        }
    }
}

/// Adds the figures to `report`.
///
/// # Errors
/// If a server does not answer as it should.
pub fn measure(program: &Path, work: &Path, report: &mut Report) -> Result<(), String> {
    let own = std::env::current_exe().map_err(|error| format!("own path: {error}"))?;
    let mut bare = Way::start(Command::new(&own).arg("mcp-server"))?;
    let mut command = Command::new(program);
    command.args(["mcp", "--"]).arg(&own).arg("mcp-server");
    command.env("HOME", work).env_remove("XDG_STATE_HOME").env_remove("RAMPART_IMAGE");
    let mut proxied = Way::start(&mut command)?;
    for id in 0..100 {
        bare.call(id)?;
        proxied.call(id)?;
    }
    let (mut alone, mut through) = (Vec::new(), Vec::new());
    for id in 100..100 + ROUNDS {
        alone.push(bare.call(id)?);
        through.push(proxied.call(id)?);
    }
    for (what, part, budget) in [("p50", 0.5, Some(BUDGET)), ("p99", 0.99, None)] {
        let added = quantile(&mut through, part) - quantile(&mut alone, part);
        report.absolute(&format!("added by `rampart mcp` to a call: {what}"), added, "µs", budget);
    }
    report.absolute("the same call without it: p50", quantile(&mut alone, 0.5), "µs", None);
    Ok(())
}
