//! Clients that do not behave: none of them delays the others, and none brings the daemon down.

use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use evaluator::wire::{Body, HEADER, Header, Kind, PACKET, Tag, field};
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketAddrUnix, SocketFlags, SocketType, connect, recv,
    send, socket_with,
};
use tests::{Evaluator, Guard};

use crate::guard;

pub fn client(path: &Path) -> OwnedFd {
    let flags = SocketFlags::CLOEXEC;
    let socket = socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None).unwrap();
    connect(&socket, &SocketAddrUnix::new(path).unwrap()).unwrap();
    socket
}

pub fn packet(kind: Kind, fields: &[(Tag, &[u8])]) -> Vec<u8> {
    let mut body = Vec::new();
    for (tag, value) in fields {
        field(*tag, value, &mut |piece| body.extend_from_slice(piece));
    }
    let header = Header { kind, length: body.len() as u32, in_memfd: false, is_only: false };
    [&header.bytes()[..], &body].concat()
}

pub fn answer(socket: &impl AsFd) -> Option<(Kind, Vec<u8>)> {
    let mut buffer = vec![0; PACKET];
    let (_, length) = recv(socket, &mut buffer[..], RecvFlags::empty()).ok()?;
    let (header, body) = Header::read(&buffer[..length]).ok()?;
    Some((header.kind, body.to_vec()))
}

/// What the daemon's policy says about a call of `program`.
pub fn verdict(path: &Path, program: &str) -> u8 {
    let socket = client(path);
    let call = packet(
        Kind::Judge,
        &[(Tag::File, b"/bin/true"), (Tag::Argument, program.as_bytes()), (Tag::Directory, b"/")],
    );
    send(&socket, &call, SendFlags::NOSIGNAL).unwrap();
    let (kind, body) = answer(&socket).expect("an answer");
    assert_eq!(kind, Kind::Answer);
    Body::read(&body).unwrap().one(Tag::Action).unwrap()[0]
}

pub const ALLOW: u8 = 1;
pub const ASK: u8 = 3;
pub const DENY: u8 = 5;

#[test]
fn bad_clients_do_not_disturb_good_ones() {
    let guard = guard("");
    let evaluator = Evaluator::start(&guard);
    let path = evaluator.socket();
    let mut kept: Vec<OwnedFd> = Vec::new();
    // Those who say nothing.
    kept.extend((0..300).map(|_| client(&path)));
    // Those who say something else, and are told.
    let cases: [&[u8]; 6] = [
        b"GET / HTTP/1.1\r\n\r\n",
        &[0; 16],
        &packet(Kind::Answer, &[]),
        &packet(Kind::Resolve, &[(Tag::Scope, b"maybe")]),
        &Header { kind: Kind::Ask, length: 4, in_memfd: true, is_only: false }.bytes(),
        &packet(Kind::Ask, &[(Tag::File, b"a"), (Tag::File, b"b")]),
    ];
    for bytes in cases {
        let socket = client(&path);
        send(&socket, bytes, SendFlags::NOSIGNAL).unwrap();
        let (kind, body) = answer(&socket).expect("a refusal");
        assert_eq!(kind, Kind::Refused, "{bytes:?}");
        assert!(!Body::read(&body).unwrap().one(Tag::Text).unwrap().is_empty());
    }
    // One who asks without end and reads nothing.
    let flood = client(&path);
    let call = packet(Kind::Status, &[]);
    rustix::io::ioctl_fionbio(&flood, true).unwrap();
    while send(&flood, &call, SendFlags::NOSIGNAL).is_ok() {}
    kept.push(flood);
    for _ in 0..50 {
        assert_eq!(verdict(&path, "forbidden"), DENY);
        assert_eq!(verdict(&path, "careful"), ASK);
        assert_eq!(verdict(&path, "other"), ALLOW);
    }
    assert_eq!(evaluator.say(&["status", "--json"]).status, 0);
}

/// Who asks nothing else is let go with the answer, and nobody else is.
#[test]
fn a_connection_lasts_as_long_as_it_is_said_to() {
    let guard = guard("");
    let evaluator = Evaluator::start(&guard);
    let path = evaluator.socket();
    let call = packet(Kind::Status, &[]);
    for (is_only, answers) in [(true, 1), (false, 3)] {
        let mut call = call.clone();
        let (header, _) = Header::read(&call).unwrap();
        call[..HEADER].copy_from_slice(&Header { is_only, ..header }.bytes());
        let socket = client(&path);
        for _ in 0..answers {
            send(&socket, &call, SendFlags::NOSIGNAL).unwrap();
            assert_eq!(answer(&socket).expect("an answer").0, Kind::Report, "{is_only}");
        }
        if is_only {
            assert_eq!(answer(&socket), None, "the end");
        }
    }
    // A person is waited for all the same.
    let fields = [(Tag::File, &b"/bin/true"[..]), (Tag::Argument, b"careful")];
    let mut call = packet(Kind::Ask, &[&fields[..], &[(Tag::Directory, b"/")]].concat());
    let (header, _) = Header::read(&call).unwrap();
    call[..HEADER].copy_from_slice(&Header { is_only: true, ..header }.bytes());
    let socket = client(&path);
    send(&socket, &call, SendFlags::NOSIGNAL).unwrap();
    let pending = evaluator.wait_for(1).remove(0);
    assert_eq!(evaluator.say(&["approve", pending["id"].as_str().unwrap()]).status, 0);
    let (_, body) = answer(&socket).expect("an answer");
    assert_eq!(Body::read(&body).unwrap().one(Tag::Action).unwrap()[0], ALLOW);
    assert_eq!(answer(&socket), None, "the end");
}

/// A yes to one call of a tool is none to another of the same process: a proxy makes many.
#[test]
fn a_yes_to_one_tool_call_is_none_to_another() {
    let guard = Guard::new(
        "version: '1'\ndefault_action: allow\npolicies:
  - {name: tools, match: {tool: [mcp]}, rules: [{name: think, action: ask}]}
",
    );
    let evaluator = Evaluator::start(&guard);
    let path = evaluator.socket();
    for (file, verb, action) in [("/a", "approve", ALLOW), ("/b", "deny", DENY)] {
        let socket = client(&path);
        let fields =
            [(Tag::Tool, &b"mcp"[..]), (Tag::Path, file.as_bytes()), (Tag::Directory, b"/")];
        send(&socket, &packet(Kind::Ask, &fields), SendFlags::NOSIGNAL).unwrap();
        let pending = evaluator.wait_for(1).remove(0);
        assert_eq!(pending["command"], format!("mcp {file}"));
        assert_eq!(evaluator.say(&[verb, pending["id"].as_str().unwrap()]).status, 0);
        let (_, body) = answer(&socket).expect("an answer");
        assert_eq!(Body::read(&body).unwrap().one(Tag::Action).unwrap()[0], action, "{file}");
    }
}
