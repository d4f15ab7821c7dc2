//! Running a program to its end, whatever it does: its output is collected, its time is limited.

use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

/// Longest time that a program may take: two minutes, or `RAMPART_TEST_LIMIT` seconds.
fn limit() -> Duration {
    let stated = std::env::var("RAMPART_TEST_LIMIT").ok().and_then(|text| text.parse().ok());
    Duration::from_secs(stated.unwrap_or(120))
}

/// What a program did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ran {
    /// Exit status; 128 and the signal's number if a signal ended it, -1 if it had to be stopped.
    pub status: i32,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

/// Runs `command` with `input` as its standard input, a regular file. Bytes that are not UTF-8 are
/// shown as U+FFFD in what it printed. The program leads a process group of its own, which is ended
/// when the time is up.
///
/// # Panics
/// If the program cannot be started.
#[must_use]
pub fn run(command: &mut Command, input: &str) -> Ran {
    let mut stdin = tempfile::tempfile().expect("a temporary file");
    stdin.write_all(input.as_bytes()).expect("input");
    std::io::Seek::rewind(&mut stdin).expect("input");
    run_with(command, stdin)
}

fn run_with(command: &mut Command, stdin: File) -> Ran {
    command.stdin(stdin).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
    let (started, limit) = (Instant::now(), limit());
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(error) => panic!("cannot start {command:?}: {error}"),
    };
    let group = child.id().cast_signed();
    let stdout = collect(child.stdout.take().expect("piped"));
    let stderr = collect(child.stderr.take().expect("piped"));
    let mut pause = Duration::from_micros(200);
    let status = loop {
        match child.try_wait().expect("our own child") {
            Some(status) => break status.code().or(status.signal().map(|signal| 128 + signal)),
            None if started.elapsed() > limit => {
                end_group(group);
                let _ = child.wait();
                break None;
            }
            None => thread::sleep(pause),
        }
        pause = (pause * 2).min(Duration::from_millis(10));
    };
    Ran {
        status: status.unwrap_or(-1),
        stdout: output(&stdout, started),
        stderr: output(&stderr, started),
    }
}

/// Ends what is left of the process group that `run` made.
#[allow(unsafe_code, reason = "kill(2) has no safe form in std")]
fn end_group(group: i32) {
    // SAFETY: takes two integers; the group was made for this run, and its leader is not reaped yet.
    unsafe { libc::kill(-group, libc::SIGKILL) };
}

fn collect(mut stream: impl Read + Send + 'static) -> mpsc::Receiver<Vec<u8>> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = stream.read_to_end(&mut bytes);
        let _ = sender.send(bytes);
    });
    receiver
}

/// What was printed. A descendant that keeps the pipe open is waited for until the time is up.
fn output(stream: &mpsc::Receiver<Vec<u8>>, started: Instant) -> String {
    let left = limit().saturating_sub(started.elapsed()).max(Duration::from_secs(1));
    match stream.recv_timeout(left) {
        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(_) => "(a descendant kept this open)".to_owned(),
    }
}
