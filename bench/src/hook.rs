//! Whole calls of `rampart hook` before and after a tool call, and the starts of `check` and `run`, each
//! against a start of /bin/true, in turns.

use crate::report::{Report, quantile};
use std::fs::File;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

/// How many of each.
const ROUNDS: usize = 400;

/// Most that each may take, in starts of /bin/true.
const BUDGET: f64 = 3.0;

const BEFORE: &str = r#"{"session_id":"s","cwd":"/tmp","hook_event_name":"PreToolUse","tool_use_id":"toolu_1","tool_name":"Bash","tool_input":{"command":"cargo test --quiet"}}"#;
const AFTER: &str = r#"{"session_id":"s","cwd":"/tmp","hook_event_name":"PostToolUse","tool_use_id":"toolu_1","tool_name":"Bash","tool_input":{"command":"cargo test --quiet"},"tool_response":{"stdout":"running 3 tests\n...\ntest result: ok. 3 passed; 0 failed; 0 ignored\n","stderr":"","interrupted":false}}"#;

/// Adds the figures to `report`.
///
/// # Errors
/// If a program cannot be started, or fails.
pub fn measure(program: &Path, work: &Path, report: &mut Report) -> Result<(), String> {
    let failed = |error: std::io::Error| format!("{}: {error}", work.display());
    let program = &program.canonicalize().map_err(failed)?;
    let (before, after) = (work.join("before.json"), work.join("after.json"));
    std::fs::write(&before, BEFORE).and_then(|()| std::fs::write(&after, AFTER)).map_err(failed)?;
    let (null, bare) = (Path::new("/dev/null"), Path::new("/bin/true"));
    let hook = ["hook", "--format", "claude-code"];
    let all: [(&str, &Path, &[&str], &Path); 5] = [
        ("/bin/true", bare, &[], null),
        ("rampart hook, before a call", program, &hook, &before),
        ("rampart hook, after a call", program, &hook, &after),
        ("rampart check", program, &["check", "--", "ls", "-l"], null),
        ("rampart run", program, &["run", "--", "/bin/true"], null),
    ];
    let mut samples = [const { Vec::new() }; 5];
    for round in 0..ROUNDS + 10 {
        for ((what, program, arguments, input), samples) in all.iter().zip(&mut samples) {
            let mut command = Command::new(program);
            command.args(*arguments).stdin(File::open(input).map_err(failed)?);
            command.stdout(Stdio::null()).stderr(Stdio::null()).current_dir(work);
            command.env("HOME", work).env_remove("XDG_STATE_HOME").env_remove("RAMPART_IMAGE");
            let started = Instant::now();
            let status = command.status().map_err(|error| format!("{what}: {error}"))?;
            let took = started.elapsed().as_secs_f64() * 1e6;
            if !status.success() {
                return Err(format!("{what}: {status}"));
            }
            if round >= 10 {
                samples.push(took);
            }
        }
    }
    let [bare, others @ ..] = &mut samples;
    let bare = quantile(bare, 0.5);
    for ((what, ..), samples) in all.iter().skip(1).zip(others) {
        let what = format!("{what} / a start of /bin/true");
        report.ratio(&what, quantile(samples, 0.5), bare, "µs", Some(BUDGET));
    }
    Ok(())
}
