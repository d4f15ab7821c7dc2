//! Many clients, and large requests: nobody waits for somebody else's.

use std::fs::{self, File};
use std::io::Write;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use evaluator::wire::{Body, Header, Kind, Tag, field};
use rustix::fs::{MemfdFlags, SealFlags};
use rustix::io::Errno;
use rustix::net::{
    RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, recv, send, sendmsg,
};
use rustix::process::{Resource, getrlimit, setrlimit};
use tests::Evaluator;

use crate::clients::{ALLOW, DENY, answer, client, packet, verdict};
use crate::{guard, id};

/// Commands that are asked about, how many wait for each, and how many others are judged meanwhile.
const COMMANDS: usize = 800;
const WAITING: usize = 2;
const RUNNING: usize = 400;

fn call(kind: Kind, program: &[u8], argument: &str) -> Vec<u8> {
    let fields: [(Tag, &[u8]); 4] = [
        (Tag::File, b"/bin/true"),
        (Tag::Argument, program),
        (Tag::Argument, argument.as_bytes()),
        (Tag::Directory, b"/"),
    ];
    packet(kind, &fields)
}

fn asked(path: &Path, program: &[u8], kind: Kind, number: usize) -> OwnedFd {
    let socket = client(path);
    send(&socket, &call(kind, program, &number.to_string()), SendFlags::NOSIGNAL).unwrap();
    socket
}

fn action(socket: &OwnedFd) -> u8 {
    let (kind, body) = answer(socket).expect("an answer");
    assert_eq!(kind, Kind::Answer);
    Body::read(&body).unwrap().one(Tag::Action).unwrap()[0]
}

#[test]
fn two_thousand_at_a_time() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    let _ = setrlimit(Resource::Nofile, limit);
    let guard = guard("");
    let evaluator = Evaluator::start(&guard);
    let path = evaluator.socket();
    let parked: Vec<OwnedFd> = (0..COMMANDS * WAITING)
        .map(|number| asked(&path, b"careful", Kind::Ask, number % COMMANDS))
        .collect();
    let pending = evaluator.wait("all to wait", || {
        let pending = evaluator.pending();
        let waiting: u64 = pending.iter().map(|one| one["waiting"].as_u64().unwrap()).sum();
        (waiting == (COMMANDS * WAITING) as u64).then_some(pending)
    });
    assert_eq!(pending.len(), COMMANDS);
    for round in 0..5 {
        let running: Vec<OwnedFd> = (0..RUNNING)
            .map(|number| {
                let program = if number % 2 == 0 { &b"other"[..] } else { b"forbidden" };
                asked(&path, program, Kind::Judge, number)
            })
            .collect();
        for (number, socket) in running.iter().enumerate() {
            let expected = if number % 2 == 0 { ALLOW } else { DENY };
            assert_eq!(action(socket), expected, "{round}, {number}");
        }
    }
    for approval in &pending {
        let socket = client(&path);
        let id = id(approval);
        let answer_no = [(Tag::Approval, id.as_bytes()), (Tag::Scope, b"deny")];
        send(&socket, &packet(Kind::Resolve, &answer_no), SendFlags::NOSIGNAL).unwrap();
        assert_eq!(answer(&socket).expect("an answer").0, Kind::Report);
    }
    for socket in &parked {
        assert_eq!(action(socket), DENY);
    }
    let log = fs::read_to_string(guard.path("serve.log")).unwrap();
    assert!(!log.contains("error"), "{log}");
}

/// Sends shell text of `length` bytes to be judged, in a memfd.
fn large(path: &Path, length: usize) -> OwnedFd {
    let mut body = Vec::new();
    let text = b"echo $(( 1 + 1 )) \"$(true)\" && ".repeat(length / 32);
    field(Tag::Shell, &text, &mut |piece| body.extend_from_slice(piece));
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    let mut memfd = File::from(rustix::fs::memfd_create(c"large", flags).unwrap());
    memfd.write_all(&body).unwrap();
    let seals = SealFlags::SHRINK | SealFlags::GROW | SealFlags::WRITE;
    rustix::fs::fcntl_add_seals(&memfd, seals).unwrap();
    let header =
        Header { kind: Kind::Judge, length: body.len() as u32, in_memfd: true, is_only: false }
            .bytes();
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    let descriptors = [memfd.as_fd()];
    assert!(control.push(SendAncillaryMessage::ScmRights(&descriptors)));
    let socket = client(path);
    let parts = [std::io::IoSlice::new(&header)];
    sendmsg(&socket, &parts, &mut control, SendFlags::NOSIGNAL).unwrap();
    socket
}

#[test]
fn large_requests_hold_up_nobody() {
    let guard = guard("");
    let evaluator = Evaluator::start(&guard);
    let path = evaluator.socket();
    // In a loop that judged them itself, whoever asks later would always be answered later.
    let overtaken = (0..20).any(|_| {
        let slow: Vec<OwnedFd> = (0..4).map(|_| large(&path, 7 * 1024 * 1024)).collect();
        assert_eq!(verdict(&path, "forbidden"), DENY);
        assert_eq!(verdict(&path, "other"), ALLOW);
        let last = slow.last().unwrap();
        rustix::io::ioctl_fionbio(last, true).unwrap();
        let mut byte = [0; 1];
        let is_waiting =
            recv(last, &mut byte[..], RecvFlags::PEEK).is_err_and(|errno| errno == Errno::AGAIN);
        rustix::io::ioctl_fionbio(last, false).unwrap();
        for socket in &slow {
            // Too complex, or understood: an answer either way, and no allow by mistake.
            assert!(action(socket) >= ALLOW);
        }
        is_waiting
    });
    assert!(overtaken, "large requests were judged first");
    // One that lies about its length, or can still change, is refused like any other.
    let liar = client(&path);
    let header =
        Header { kind: Kind::Judge, length: 1 << 20, in_memfd: true, is_only: false }.bytes();
    send(&liar, &header, SendFlags::NOSIGNAL).unwrap();
    assert_eq!(answer(&liar).expect("a refusal").0, Kind::Refused);
}
