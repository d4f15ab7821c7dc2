//! What recording costs: events through the daemon, each durable before its client hears of it, and
//! the one append of a process that spools.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use evaluator::event::ulid;
use evaluator::wire::{Header, Kind, Tag, field};
use rustix::net::{RecvFlags, SendFlags, recv, send};

use crate::report::{Report, quantile};
use crate::socket::{open, start};

/// Clients at a time, and the threads that they live in. Each has one event on its way.
const CLIENTS: usize = 256;
const THREADS: usize = 2;

/// How long the daemon is kept busy.
const TIME: Duration = Duration::from_secs(5);

/// Appends of one spool that are measured.
const APPENDS: usize = 5000;

/// Adds the figures to `report`.
///
/// # Errors
/// If the daemon does not come up or does not answer.
pub fn measure(program: &Path, work: &Path, report: &mut Report) -> Result<(), String> {
    let failed = |error: std::io::Error| format!("{}: {error}", work.display());
    let mut syncs = synchronised(work).map_err(failed)?;
    report.absolute("one append and fdatasync: p50", quantile(&mut syncs, 0.5), "µs", None);
    let mut spooled = spooled(work).map_err(failed)?;
    report.absolute("one event into a spool: p50", quantile(&mut spooled, 0.5), "µs", Some(15.0));
    let daemon = start(program, work)?;
    let started = Instant::now();
    let threads: Vec<_> = (0..THREADS)
        .map(|number| {
            let socket = daemon.socket.clone();
            thread::spawn(move || recorded(&socket, number))
        })
        .collect();
    let mut count = 0;
    for thread in threads {
        count += thread.join().map_err(|_| "a client died".to_owned())??;
    }
    let rate = count as f64 / started.elapsed().as_secs_f64();
    report.at_least("durable events a second through the daemon", rate, "/s", 20_000.0);
    Ok(())
}

/// An everyday event, as the library writes it, without its newline.
fn event(number: u64) -> String {
    let id = ulid(1_790_000_000_000, std::array::from_fn(|at| (number >> (at * 8).min(56)) as u8));
    let id = String::from_utf8_lossy(&id).into_owned();
    format!(
        "{{\"v\":1,\"id\":\"{id}\",\"time\":\"2026-11-29T02:00:00.000001Z\",\"pid\":4711,\"ppid\":4710,\
         \"uid\":1000,\"hook\":\"start\",\"action\":\"allow\",\"outcome\":\"allowed\",\"reason\":\"default\",\
         \"matched\":[],\"tool\":\"exec\",\"exe\":\"/usr/bin/git\",\"argv\":[\"git\",\"status\",\"--short\",\
         \"--untracked-files=all\"],\"cwd\":\"/home/dev/project\",\"tree\":\"{id}\",\"agent\":\"claude\",\
         \"session\":\"main\"}}"
    )
}

fn packet(number: u64) -> Vec<u8> {
    let mut body = Vec::new();
    field(Tag::Event, event(number).as_bytes(), &mut |piece| body.extend_from_slice(piece));
    let length = u32::try_from(body.len()).unwrap_or(0);
    let header = Header { kind: Kind::Record, length, in_memfd: false, is_only: false };
    [&header.bytes()[..], &body].concat()
}

/// How many events of one thread's clients were acknowledged.
fn recorded(socket: &Path, number: usize) -> Result<u64, String> {
    let failed = |errno: rustix::io::Errno| format!("the socket: {errno}");
    let clients: Result<Vec<_>, _> = (0..CLIENTS / THREADS).map(|_| open(socket)).collect();
    let clients = clients.map_err(failed)?;
    let (mut count, mut next) = (0, (number as u64) << 40);
    let mut answer = [0; 1024];
    let started = Instant::now();
    while started.elapsed() < TIME {
        for client in &clients {
            next += 1;
            send(client, &packet(next), SendFlags::NOSIGNAL).map_err(failed)?;
        }
        for client in &clients {
            let (_, length) = recv(client, &mut answer[..], RecvFlags::empty()).map_err(failed)?;
            let header = answer.get(..length).and_then(|packet| Header::read(packet).ok());
            if header.is_none_or(|(header, _)| header.kind != Kind::Report) {
                return Err("the evaluator did not record an event".to_owned());
            }
            count += 1;
        }
    }
    Ok(count)
}

/// Times in microseconds of what a process does that spools: open, one append, close.
fn spooled(work: &Path) -> std::io::Result<Vec<f64>> {
    let path = work.join("spool-measured.jsonl");
    File::create(&path)?;
    let line = event(0) + "\n";
    (0..APPENDS)
        .map(|_| {
            let started = Instant::now();
            File::options().append(true).open(&path)?.write_all(line.as_bytes())?;
            Ok(started.elapsed().as_secs_f64() * 1e6)
        })
        .collect()
}

/// Times of one append that is made durable: what each event would cost without group commit.
fn synchronised(work: &Path) -> std::io::Result<Vec<f64>> {
    let mut file = File::create(work.join("synchronised"))?;
    let line = event(0) + "\n";
    (0..200)
        .map(|_| {
            let started = Instant::now();
            file.write_all(line.as_bytes())?;
            file.sync_data()?;
            Ok(started.elapsed().as_secs_f64() * 1e6)
        })
        .collect()
}
