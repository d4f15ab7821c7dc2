//! A receiver that is away for a while, and one that is away for too long.

use super::*;
use crate::audit::config::Format;
use crate::audit::verify::{Against, verify};
use crate::audit::{chain, merge};
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::net::TcpListener;

fn event(number: u32) -> String {
    format!(
        "{{\"v\":1,\"id\":\"E{number:05}\",\"outcome\":\"allowed\",\"argv\":[\"ACME-{number}\"]}}\n"
    )
}

fn append(directory: &Path, numbers: std::ops::Range<u32>) {
    fs::write(directory.join("spool-0.jsonl"), numbers.map(event).collect::<String>()).unwrap();
    merge::merge(&[directory.to_owned()]).unwrap();
}

/// The ids in every message that comes over connections to `listener`, until one ends.
fn received(listener: &TcpListener) -> Vec<String> {
    let mut stream = BufReader::new(listener.accept().unwrap().0);
    let mut ids = Vec::new();
    loop {
        let mut length = Vec::new();
        if stream.read_until(b' ', &mut length).unwrap() == 0 {
            return ids;
        }
        let length: usize = std::str::from_utf8(&length).unwrap().trim().parse().unwrap();
        let mut message = vec![0; length];
        stream.read_exact(&mut message).unwrap();
        let message = String::from_utf8(message).unwrap();
        assert!(message.starts_with("<134>1 ") && message.contains("[masked]"), "{message}");
        let at = message.find("id=\"").unwrap() + 4;
        ids.push(message.get(at..at + 6).unwrap().to_owned());
    }
}

fn forwarder(directory: &Path, to: String, queue: u64) -> Forwarder {
    let (format, only) = (Format::Json, Only::All);
    let export = Export { name: "siem".to_owned(), to, format, only, ca: None, queue, hook: None };
    let redaction = Redaction::new(&["ACME-[0-9]+".to_owned()]).unwrap();
    Forwarder::new(directory, &export, redaction).unwrap()
}

#[test]
fn an_outage_costs_time_alone() {
    let root = tempfile::tempdir().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let to = || format!("tcp://{address}");
    append(root.path(), 0..50);
    let ids =
        |numbers: std::ops::Range<u32>| numbers.map(|n| format!("E{n:05}")).collect::<Vec<_>>();
    std::thread::scope(|scope| {
        let reading = scope.spawn(|| received(&listener));
        let mut one = forwarder(root.path(), to(), 1024);
        assert_eq!(one.send().unwrap(), Progress { sent: 50, dropped: 0 });
        assert_eq!(one.send().unwrap(), Progress::default());
        append(root.path(), 50..60);
        assert_eq!(one.send().unwrap().sent, 10);
        drop(one);
        assert_eq!(reading.join().unwrap(), ids(0..60));
    });
    drop(listener);
    // Away, while the log grows by several files, of which the older are compressed.
    append(root.path(), 60..900);
    assert!(chain::files(root.path()).unwrap().len() > 3);
    for _ in 0..3 {
        assert!(forwarder(root.path(), to(), 1024).send().is_err());
    }
    let listener = TcpListener::bind(address).unwrap();
    std::thread::scope(|scope| {
        let reading = scope.spawn(|| received(&listener));
        assert_eq!(forwarder(root.path(), to(), 1024).send().unwrap().sent, 840);
        assert_eq!(reading.join().unwrap(), ids(60..900));
    });
}

#[test]
fn what_waits_is_bounded_and_what_is_dropped_is_noted() {
    let root = tempfile::tempdir().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let to = format!("tcp://{}", listener.local_addr().unwrap());
    append(root.path(), 0..800);
    let got = std::thread::scope(|scope| {
        let reading = scope.spawn(|| received(&listener));
        let mut one = forwarder(root.path(), to, 0);
        let progress = one.send().unwrap();
        assert!(progress.dropped > 400 && progress.sent > 0, "{progress:?}");
        drop(one);
        (reading.join().unwrap(), progress)
    });
    assert_eq!(got.0.last().unwrap(), "E00799");
    assert_eq!(got.0.len() as u64, got.1.sent);
    let (_, last) = chain::files(root.path()).unwrap().pop().unwrap();
    let text = fs::read_to_string(last).unwrap();
    let note = format!("\"note\":\"dropped\",\"receiver\":\"siem\",\"entries\":{}", got.1.dropped);
    assert!(text.contains(&note), "{note}");
    assert_eq!(verify(root.path(), &Against::default()).unwrap().problem_count, 0);
}

#[test]
fn two_do_not_send_to_one() {
    let root = tempfile::tempdir().unwrap();
    append(root.path(), 0..1);
    let first = forwarder(root.path(), "udp://127.0.0.1:9".to_owned(), 1);
    let export = Export {
        name: "siem".to_owned(),
        to: "udp://127.0.0.1:9".to_owned(),
        format: Format::Json,
        only: Only::All,
        ca: None,
        queue: 1,
        hook: None,
    };
    assert!(Forwarder::new(root.path(), &export, Redaction::default()).is_err());
    drop(first);
    assert!(Forwarder::new(root.path(), &export, Redaction::default()).is_ok());
}
