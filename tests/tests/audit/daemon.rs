//! The evaluator as the writer of the log: what it acknowledged is there, whatever becomes of it.

use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use evaluator::wire::{Header, Kind, Tag, field};
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketAddrUnix, SocketFlags, SocketType, connect, recv,
    send, socket_with,
};
use tests::{Evaluator, Guard};

use crate::{say, sealed, spool, told};

fn packet(id: u32) -> Vec<u8> {
    let event = format!("{{\"v\":1,\"id\":\"E{id:05}\",\"outcome\":\"allowed\",\"argv\":[\"a\"]}}");
    let mut body = Vec::new();
    field(Tag::Event, event.as_bytes(), &mut |piece| body.extend_from_slice(piece));
    let header =
        Header { kind: Kind::Record, length: body.len() as u32, in_memfd: false, is_only: false };
    [&header.bytes()[..], &body].concat()
}

fn open(path: &Path) -> rustix::io::Result<OwnedFd> {
    let flags = SocketFlags::CLOEXEC;
    let socket = socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)?;
    connect(&socket, &SocketAddrUnix::new(path)?)?;
    Ok(socket)
}

/// Has an event recorded; whether that was acknowledged.
fn record(path: &Path, id: u32) -> bool {
    let mut answer = [0; 1024];
    let length = open(path).and_then(|socket| {
        send(&socket, &packet(id), SendFlags::NOSIGNAL)?;
        recv(&socket, &mut answer[..], RecvFlags::empty())
    });
    let Ok((_, length)) = length else { return false };
    Header::read(&answer[..length]).is_ok_and(|(header, _)| header.kind == Kind::Report)
}

#[test]
fn what_a_killed_daemon_acknowledged_is_in_the_log() {
    let guard = Guard::new("version: '1'\ndefault_action: allow\npolicies: []");
    // The daemon's own log, where a person's `rampart` looks, too.
    let audit = guard.path("home/.local/state/rampart/audit");
    let mut evaluator = Evaluator::start(&guard);
    let key = evaluator.say(&["audit", "seal"]).stdout.trim().to_owned();
    let (socket, done) = (evaluator.socket(), AtomicBool::new(false));
    let (socket, done) = (&socket, &done);
    let acknowledged: Vec<u32> = thread::scope(|scope| {
        let clients: Vec<_> = (0..8_u32)
            .map(|client| {
                scope.spawn(move || {
                    let ids = client * 10_000..(client + 1) * 10_000;
                    let ids = ids.take_while(|_| !done.load(Ordering::Relaxed));
                    ids.filter(|id| record(socket, *id)).collect::<Vec<_>>()
                })
            })
            .collect();
        for round in 0..10 {
            thread::sleep(Duration::from_millis(40 + 23 * round));
            evaluator.restart();
        }
        done.store(true, Ordering::Relaxed);
        clients.into_iter().flat_map(|client| client.join().unwrap()).collect()
    });
    assert!(acknowledged.len() > 100, "{}", acknowledged.len());
    evaluator.kill();
    let found = evaluator.say(&["audit", "verify", "--key", &key]);
    assert_eq!(found.status, 0, "{found:?}");
    let told = told(&audit);
    assert!(told.values().all(|times| *times == 1), "told twice");
    for id in acknowledged {
        assert!(told.contains_key(&format!("E{id:05}")), "E{id:05} was acknowledged and is lost");
    }
}

#[test]
fn a_daemon_merges_spools_by_itself() {
    let guard = Guard::new("version: '1'\ndefault_action: allow\npolicies: []");
    let key = sealed(&guard);
    let mut daemon = guard.bare(tests::rampart());
    daemon.args(["serve", "--profile", "standard"]).env("RAMPART_AUDIT_DIR", guard.audit());
    let mut daemon = daemon.stderr(std::process::Stdio::null()).spawn().unwrap();
    spool(&guard, 0..20);
    let started = std::time::Instant::now();
    while told(&guard.audit()).len() < 20 && started.elapsed() < Duration::from_secs(60) {
        thread::sleep(Duration::from_millis(20));
    }
    daemon.kill().unwrap();
    daemon.wait().unwrap();
    assert_eq!(told(&guard.audit()).len(), 20);
    assert_eq!(say(&guard, &["audit", "verify", "--key", &key]).status, 0);
}
