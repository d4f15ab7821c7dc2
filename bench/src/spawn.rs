//! Whole processes: workers under each variant take turns, so that drift of the machine falls on
//! all of them alike.

use std::io::{Read, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitCode, Stdio};
use std::time::Instant;

use crate::Setup;
use crate::report::{Report, quantile};

/// A worker process that runs one sample whenever it is told to.
struct Worker {
    child: Child,
    ask: ChildStdin,
    answer: ChildStdout,
    samples: Vec<f64>,
}

/// What runs in the worker: reads a byte, starts the command and waits for it, writes how many
/// nanoseconds that took.
pub fn work(command: &[&str]) -> ExitCode {
    let Some((program, arguments)) = command.split_first() else {
        return ExitCode::from(2);
    };
    let (mut input, mut output) = (std::io::stdin(), std::io::stdout());
    let mut byte = [0];
    while input.read_exact(&mut byte).is_ok() {
        let start = Instant::now();
        let status = Command::new(program).args(arguments).stdin(Stdio::null()).status();
        let took = start.elapsed().as_nanos() as u64;
        if !status.is_ok_and(|status| status.success())
            || output.write_all(&took.to_le_bytes()).and_then(|()| output.flush()).is_err()
        {
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

/// What one variant's worker is started with.
pub struct Variant {
    /// Its name.
    pub name: &'static str,
    /// What comes before the worker: a program and its arguments.
    pub prefix: Vec<String>,
    /// What is set in its environment.
    pub env: Vec<(&'static str, String)>,
}

fn variants(setup: &Setup) -> Vec<Variant> {
    let path = |path: &std::path::Path| path.display().to_string();
    let audit = |name: &str| ("RAMPART_AUDIT_DIR", path(&setup.work.join(name)));
    let library = || ("LD_PRELOAD", path(&setup.library));
    let all = [
        ("bare", vec![]),
        ("empty library", vec![("LD_PRELOAD", path(&setup.empty))]),
        ("mode disabled", vec![library(), ("RAMPART_MODE", "disabled".into())]),
        ("every event recorded", vec![library(), audit("all")]),
        (
            "record: notable",
            vec![library(), audit("some"), ("RAMPART_IMAGE", path(&setup.notable))],
        ),
    ];
    all.into_iter().map(|(name, env)| Variant { name, prefix: Vec::new(), env }).collect()
}

/// Runs `command` `rounds` times under every variant, in turns; each begins as often as the others, and comes behind each of
/// its neighbours as often, which makes some microseconds. Medians in microseconds.
pub fn interleaved(
    variants: Vec<Variant>,
    command: &[&str],
    rounds: usize,
) -> Result<Vec<(String, f64)>, String> {
    let own = std::env::current_exe().map_err(|error| error.to_string())?;
    let mut workers = Vec::new();
    for Variant { name, prefix, env } in variants {
        let mut words = prefix.iter().map(std::ffi::OsString::from).chain([own.clone().into()]);
        let program = words.next().unwrap_or_default();
        let mut child = Command::new(program)
            .args(words)
            .arg("worker")
            .args(command)
            .env_remove("LD_PRELOAD")
            .envs(env)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("worker for {name}: {error}"))?;
        let (ask, answer) = (child.stdin.take(), child.stdout.take());
        let (Some(ask), Some(answer)) = (ask, answer) else {
            return Err("no pipe".into());
        };
        workers.push((name, Worker { child, ask, answer, samples: Vec::new() }));
    }
    for round in 0..rounds + 30 {
        let count = workers.len();
        let is_backward = round / count % 2 == 1;
        for step in 0..count {
            let at = (round + if is_backward { count - step } else { step }) % count;
            let Some((name, worker)) = workers.get_mut(at) else { continue };
            // One warm-up run before each sample: the turn of the others cooled the caches.
            for sample in [false, true] {
                let took = turn(worker).map_err(|error| format!("worker for {name}: {error}"))?;
                if sample && round >= 30 {
                    worker.samples.push(took);
                }
            }
        }
    }
    let finish = |(name, mut worker): (&str, Worker)| {
        drop(worker.ask);
        let _ = worker.child.wait();
        (name.to_owned(), quantile(&mut worker.samples, 0.5))
    };
    Ok(workers.into_iter().map(finish).collect())
}

fn turn(worker: &mut Worker) -> std::io::Result<f64> {
    worker.ask.write_all(b"g")?;
    let mut took = [0; 8];
    worker.answer.read_exact(&mut took)?;
    Ok(u64::from_le_bytes(took) as f64 / 1000.0)
}

/// Measures program starts.
pub fn measure(setup: &Setup, report: &mut Report) -> Result<(), String> {
    let dash = "i=0; while [ $i -lt 100 ]; do /bin/true; i=$((i+1)); done";
    for (what, command, rounds, budgets) in [
        ("posix_spawn /bin/true", &["/bin/true"][..], 1000, [None, None, Some(1.25), Some(1.20)]),
        (
            "100 × /bin/true in dash",
            &["/bin/dash", "-c", dash],
            40,
            [None, None, Some(1.30), Some(1.30)],
        ),
    ] {
        let figures = interleaved(variants(setup), command, rounds)?;
        let Some(((_, bare), others)) = figures.split_first() else {
            continue;
        };
        for ((name, figure), budget) in others.iter().zip(budgets) {
            report.ratio(&format!("{what}, {name}"), *figure, *bare, "µs", budget);
        }
    }
    storm(setup, report)
}

/// Two processes that start programs as fast as they can: the rate that is left.
fn storm(setup: &Setup, report: &mut Report) -> Result<(), String> {
    let script = "i=0; while [ $i -lt 300 ]; do /bin/true; i=$((i+1)); done & \
                  i=0; while [ $i -lt 300 ]; do /bin/true; i=$((i+1)); done; wait";
    let figures = interleaved(variants(setup), &["/bin/dash", "-c", script], 8)?;
    let find = |name: &str| figures.iter().find(|(found, _)| found == name).map(|(_, time)| *time);
    if let (Some(bare), Some(ours)) = (find("bare"), find("every event recorded")) {
        // A rate of at least 80 % is a time of at most 1 / 0.8.
        report.ratio("fork storm, 2 × 300 × /bin/true", ours, bare, "µs", Some(1.25));
    }
    Ok(())
}
