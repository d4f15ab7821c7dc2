//! How long `rampart verify serve` takes for its own answer, without a model, on a command that runs a script of some 200
//! lines: over its Unix socket, a connection each, reading the script and recording the answer among it.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use crate::report::{Report, quantile};

/// How many answers are timed each.
const ROUNDS: usize = 1000;

/// Most that an answer may take, in microseconds.
const BUDGET: f64 = 1000.0;

/// Scripts as people write them, by language: what runs them, what they are called, and the text. The first line of the
/// first says what is expected of what stands below it.
const SCRIPTS: [(&str, &str, &str, &str); 3] = [
    (
        "Python",
        "python3",
        "report.py",
        include_str!("../../rampart/tests/verify/cases/benign_long.txt"),
    ),
    ("JavaScript", "node", "report.js", include_str!("../scripts/report.js")),
    ("shell", "bash", "release.sh", include_str!("../scripts/release.sh")),
];

/// The service; it ends with this value.
struct Service(Child);

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Adds the figures to `report`.
///
/// # Errors
/// If the service cannot be started or does not answer as it should.
pub fn measure(program: &Path, work: &Path, report: &mut Report) -> Result<(), String> {
    let failed = |error: std::io::Error| format!("verify: {error}");
    let config = work.join("verify.yaml");
    std::fs::write(&config, format!("rate: {}\n", 10 * ROUNDS)).map_err(failed)?;
    let (_service, socket) = start(program, work, &config)?;
    let request = |start: &str, body: &str| {
        format!(
            "{start} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        )
    };
    let mut questions = Vec::new();
    for (language, interpreter, name, text) in SCRIPTS {
        let script = text.strip_prefix("===").and_then(|rest| rest.split_once('\n'));
        let script = script.map_or(text, |(_, script)| script);
        std::fs::write(work.join(name), script).map_err(failed)?;
        let question = format!(
            r#"{{"tool": "exec", "params": {{"command": "{interpreter} {name}", "cwd": "{}"}}}}"#,
            work.display()
        );
        let what = format!("{language}, {} lines", script.lines().count());
        questions.push((what, request("POST /verify", &question), Vec::new()));
    }
    let bare = request("GET /health", "");
    let mut healths = Vec::new();
    for _ in 0..ROUNDS {
        for (what, question, answers) in &mut questions {
            let (took, said) = said(&socket, question).map_err(failed)?;
            if !said.contains("\"by\":\"effects\"") {
                return Err(format!("verify: {what}: it says {said}"));
            }
            answers.push(took);
        }
        healths.push(self::said(&socket, &bare).map_err(failed)?.0);
    }
    for (what, _, mut answers) in questions {
        let what = format!("verify serve: the embedded answer on a script in {what}, p50");
        report.absolute(&what, quantile(&mut answers, 0.5), "µs", Some(BUDGET));
        report.absolute("the same, p99", quantile(&mut answers, 0.99), "µs", None);
    }
    report.absolute(
        "whether it is there (GET /health), p50",
        quantile(&mut healths, 0.5),
        "µs",
        None,
    );
    Ok(())
}

/// The service, and the path of its socket.
fn start(program: &Path, work: &Path, config: &Path) -> Result<(Service, String), String> {
    let mut command = Command::new(program);
    command.env("HOME", work).env("RAMPART_AUDIT_DIR", work.join("verified"));
    command.arg("verify").arg("serve").arg("--config").arg(config);
    command.arg("--listen").arg(format!("unix:{}", work.join("verify.sock").display()));
    let child = command.stderr(Stdio::piped()).spawn();
    let mut service = Service(child.map_err(|error| format!("{}: {error}", program.display()))?);
    let mut lines = BufReader::new(service.0.stderr.take().ok_or("a child without streams")?);
    let mut line = String::new();
    lines.read_line(&mut line).map_err(|error| format!("verify: {error}"))?;
    std::thread::spawn(move || std::io::copy(&mut lines, &mut std::io::sink()));
    let place = line.split('`').nth(1).and_then(|place| place.strip_prefix("unix:"));
    Ok((service, place.ok_or_else(|| format!("verify serve says: {line}"))?.to_owned()))
}

/// What is answered to `request`, and after how many microseconds.
fn said(socket: &str, request: &str) -> std::io::Result<(f64, String)> {
    let mut answer = String::new();
    let started = Instant::now();
    let mut stream = UnixStream::connect(socket)?;
    stream.write_all(request.as_bytes())?;
    stream.read_to_string(&mut answer)?;
    Ok((started.elapsed().as_secs_f64() * 1e6, answer))
}
