//! A verdict over the evaluator's socket, with a connection of its own for each call: what a short-lived
//! process pays. So processes are started for one call each, which find nothing of the evaluator in the processor's
//! caches, and four clients call at a time. What one client that calls again and again takes is, besides, where the kernel
//! puts it and the evaluator, and whether a processor that sleeps has to be woken for each word.

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use evaluator::wire::{Header, Kind, Tag, field};
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketAddrUnix, SocketFlags, SocketType, accept_with,
    bind, connect, listen, recv, send, socket_with,
};

use crate::report::{Report, quantile};

/// Verdicts of each client.
const ROUNDS: usize = 3000;

/// How many processes call once.
const PROCESSES: usize = 1000;

/// `rampart serve` for the time of the measurement.
pub struct Daemon {
    child: Child,
    /// Where it listens.
    pub socket: PathBuf,
}

impl Daemon {
    /// The number of its process.
    pub fn process(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Adds the figures to `report`.
///
/// # Errors
/// If the daemon does not come up or does not answer.
pub fn measure(program: &Path, work: &Path, report: &mut Report) -> Result<(), String> {
    let daemon = start(program, work)?;
    let echo = start_echo(work)?;
    let call = call();
    // In turns, so that both see the same machine.
    let (mut alone, mut bare) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        alone.push(once(&daemon.socket, &call)?);
        bare.push(once(&echo.socket, &call)?);
    }
    let (figure, floor) = (quantile(&mut alone, 0.5), quantile(&mut bare, 0.5));
    let (mut first, mut echoed) = (Vec::new(), Vec::new());
    for _ in 0..PROCESSES {
        first.push(from_new_process(&daemon.socket)?);
        echoed.push(from_new_process(&echo.socket)?);
    }
    let what = "verdict over the socket, the only call of a new process";
    let (own, least) = (quantile(&mut first, 0.5), quantile(&mut echoed, 0.5));
    report.absolute(&format!("{what}: p50"), own, "µs", Some(60.0));
    report.ratio("the same against an echo server", own, least, "µs", None);
    report.absolute("the same, one client again and again: p50", figure, "µs", Some(60.0));
    report.ratio("the same against an echo server", figure, floor, "µs", None);
    for (what, daemon) in [("four clients", &daemon), ("four clients of the echo server", &echo)] {
        let started = Instant::now();
        let mut all = crowd(&daemon.socket, &call)?;
        let rate = all.len() as f64 / started.elapsed().as_secs_f64();
        let middle = quantile(&mut all, 0.5);
        let budget = |most| (what == "four clients").then_some(most);
        report.absolute(&format!("the same, {what}: p50"), middle, "µs", budget(60.0));
        let tail = quantile(&mut all, 0.99);
        report.absolute(&format!("the same, {what}: p99"), tail, "µs", budget(300.0));
        report.absolute(&format!("the same, {what}: calls a second"), rate, "/s", None);
    }
    Ok(())
}

/// Times of four clients at once.
fn crowd(path: &Path, call: &[u8]) -> Result<Vec<f64>, String> {
    let client = |path: PathBuf, call: Vec<u8>| {
        let calls = (0..ROUNDS).map(|_| once(&path, &call));
        calls.collect::<Result<Vec<f64>, String>>()
    };
    let clients: Vec<_> = (0..4)
        .map(|_| {
            let (path, call) = (path.to_owned(), call.to_vec());
            thread::spawn(move || client(path, call))
        })
        .collect();
    let mut all = Vec::new();
    for client in clients {
        all.extend(client.join().map_err(|_| "a client died".to_owned())??);
    }
    Ok(all)
}

/// `bench echo PATH`: answers every packet with one of the length of a verdict, and nothing else.
/// What no evaluator can be faster than.
pub fn echo(path: &Path) -> ExitCode {
    let header = Header { kind: Kind::Answer, length: 0, in_memfd: false, is_only: false };
    let served = (|| -> rustix::io::Result<()> {
        let flags = SocketFlags::CLOEXEC;
        let socket = socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)?;
        bind(&socket, &SocketAddrUnix::new(path)?)?;
        listen(&socket, 128)?;
        let mut call = [0; 4096];
        loop {
            let client = accept_with(&socket, flags)?;
            // A client that goes at once is none.
            if recv(&client, &mut call[..], RecvFlags::empty()).is_ok_and(|(_, len)| len > 0) {
                let _ = send(&client, &header.bytes(), SendFlags::NOSIGNAL);
            }
        }
    })();
    eprintln!("bench: echo: {served:?}");
    ExitCode::FAILURE
}

/// `bench call PATH`: one call, whose time in microseconds is printed.
pub fn caller(path: &Path) -> ExitCode {
    match once(path, &call()) {
        Ok(sample) => {
            println!("{sample}");
            ExitCode::SUCCESS
        }
        Err(why) => {
            eprintln!("bench: {why}");
            ExitCode::FAILURE
        }
    }
}

/// The time of the only call of a process that is started for it.
fn from_new_process(path: &Path) -> Result<f64, String> {
    let own = std::env::current_exe().map_err(|error| format!("own path: {error}"))?;
    let done = Command::new(own).arg("call").arg(path).stderr(Stdio::inherit()).output();
    let done = done.map_err(|error| format!("bench call: {error}"))?;
    let said = String::from_utf8_lossy(&done.stdout);
    said.trim().parse().map_err(|_| format!("bench call: {}: {said}", done.status))
}

fn start_echo(work: &Path) -> Result<Daemon, String> {
    let socket = work.join("echo.sock");
    let own = std::env::current_exe().map_err(|error| format!("own path: {error}"))?;
    let child = Command::new(own).arg("echo").arg(&socket).spawn();
    up(Daemon { child: child.map_err(|error| format!("bench echo: {error}"))?, socket })
}

/// Starts `rampart serve` with its state in `work`.
///
/// # Errors
/// If it does not come up.
pub fn start(program: &Path, work: &Path) -> Result<Daemon, String> {
    let socket = work.join("evaluator.sock");
    let child = Command::new(program)
        .args(["serve", "--profile", "standard", "--socket"])
        .arg(&socket)
        .env("HOME", work)
        .env_remove("XDG_STATE_HOME")
        .env_remove("RAMPART_IMAGE")
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| format!("{}: {error}", program.display()))?;
    up(Daemon { child, socket })
}

/// Waits until it can be reached.
fn up(daemon: Daemon) -> Result<Daemon, String> {
    let deadline = Instant::now() + Duration::from_secs(10);
    while open(&daemon.socket).is_err() {
        if Instant::now() > deadline {
            return Err(format!("nobody listens at {}", daemon.socket.display()));
        }
        thread::sleep(Duration::from_millis(20));
    }
    Ok(daemon)
}

/// The packet that asks about `git status --short`.
pub fn call() -> Vec<u8> {
    let mut body = Vec::new();
    let fields: [(Tag, &[u8]); 6] = [
        (Tag::File, b"/usr/bin/git"),
        (Tag::Argument, b"git"),
        (Tag::Argument, b"status"),
        (Tag::Argument, b"--short"),
        (Tag::Directory, b"/tmp"),
        (Tag::Variable, b"HOME=/home/dev"),
    ];
    for (tag, value) in fields {
        field(tag, value, &mut |piece| body.extend_from_slice(piece));
    }
    let length = u32::try_from(body.len()).unwrap_or(0);
    let header = Header { kind: Kind::Judge, length, in_memfd: false, is_only: true };
    [&header.bytes()[..], &body].concat()
}

/// Connects.
///
/// # Errors
/// What socket(2) and connect(2) say.
pub fn open(path: &Path) -> rustix::io::Result<OwnedFd> {
    let flags = SocketFlags::CLOEXEC;
    let socket = socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)?;
    connect(&socket, &SocketAddrUnix::new(path)?)?;
    Ok(socket)
}

/// The time of one call in microseconds: connect, ask, answer, close.
pub fn once(path: &Path, call: &[u8]) -> Result<f64, String> {
    let mut answer = [0; 1024];
    let started = Instant::now();
    let length = open(path).and_then(|socket| {
        send(&socket, call, SendFlags::NOSIGNAL)?;
        recv(&socket, &mut answer[..], RecvFlags::empty())
    });
    let sample = started.elapsed().as_secs_f64() * 1e6;
    let (_, length) = length.map_err(|errno| format!("the socket: {errno}"))?;
    let header = answer.get(..length).and_then(|packet| Header::read(packet).ok());
    if header.is_none_or(|(header, _)| header.kind != Kind::Answer) {
        return Err("the evaluator gave no answer".to_owned());
    }
    Ok(sample)
}
