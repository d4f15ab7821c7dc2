//! A verdict over the evaluator's socket, with a connection of its own for each call: what a short-lived
//! process pays. One client alone for the median, four at a time for the tail.

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use evaluator::wire::{Header, Kind, Tag, field};
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketAddrUnix, SocketFlags, SocketType, connect, recv,
    send, socket_with,
};

use crate::report::{Report, quantile};

/// Verdicts of each client.
const ROUNDS: usize = 3000;

/// `rampart serve` for the time of the measurement.
struct Daemon {
    child: Child,
    socket: PathBuf,
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
    let call = call();
    let mut alone = client(&daemon.socket, &call, ROUNDS)?;
    let figure = quantile(&mut alone, 0.5);
    report.absolute("verdict over the socket, connect per call: p50", figure, "µs", Some(60.0));
    let clients: Vec<_> = (0..4)
        .map(|_| {
            let (socket, call) = (daemon.socket.clone(), call.clone());
            thread::spawn(move || client(&socket, &call, ROUNDS))
        })
        .collect();
    let started = Instant::now();
    let mut all = Vec::new();
    for client in clients {
        all.extend(client.join().map_err(|_| "a client died".to_owned())??);
    }
    let rate = all.len() as f64 / started.elapsed().as_secs_f64();
    let tail = quantile(&mut all, 0.99);
    report.absolute("the same, four clients: p99", tail, "µs", Some(300.0));
    report.absolute("the same, four clients: verdicts a second", rate, "/s", None);
    Ok(())
}

fn start(program: &Path, work: &Path) -> Result<Daemon, String> {
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
    let daemon = Daemon { child, socket };
    let deadline = Instant::now() + Duration::from_secs(10);
    while open(&daemon.socket).is_err() {
        if Instant::now() > deadline {
            return Err("rampart serve does not come up".to_owned());
        }
        thread::sleep(Duration::from_millis(20));
    }
    Ok(daemon)
}

/// An everyday call, as a packet.
fn call() -> Vec<u8> {
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
    let header = Header { kind: Kind::Judge, length, in_memfd: false };
    [&header.bytes()[..], &body].concat()
}

fn open(path: &Path) -> rustix::io::Result<OwnedFd> {
    let flags = SocketFlags::CLOEXEC;
    let socket = socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)?;
    connect(&socket, &SocketAddrUnix::new(path)?)?;
    Ok(socket)
}

/// Times of `rounds` verdicts in microseconds: connect, ask, answer, close.
fn client(path: &Path, call: &[u8], rounds: usize) -> Result<Vec<f64>, String> {
    let mut answer = [0; 1024];
    let mut samples = Vec::with_capacity(rounds);
    for _ in 0..rounds {
        let started = Instant::now();
        let length = open(path).and_then(|socket| {
            send(&socket, call, SendFlags::NOSIGNAL)?;
            recv(&socket, &mut answer[..], RecvFlags::empty())
        });
        samples.push(started.elapsed().as_secs_f64() * 1e6);
        let (_, length) = length.map_err(|errno| format!("the socket: {errno}"))?;
        let header = answer.get(..length).and_then(|packet| Header::read(packet).ok());
        if header.is_none_or(|(header, _)| header.kind != Kind::Answer) {
            return Err("the evaluator gave no answer".to_owned());
        }
    }
    Ok(samples)
}
