//! Asking about what a running program does itself. Nothing can take the program's place in the
//! middle of a call, so here somebody waits: the thread that made the call, and nobody else. It
//! holds nothing meanwhile but one socket: no mapping, no verdict, no lock.
//!
//! It waits as a call of libc would that the kernel makes wait: handlers of signals run; one that was
//! installed without `SA_RESTART` ends the call with `EINTR`, so that an interrupt at the keyboard
//! does what it always does.

use evaluator::settle::Settled;
use evaluator::sha256::Sha256;
use evaluator::wire::{Body, HEADER, Header, Kind, Tag};
use evaluator::{Action, Cwd, Request, Verdict};

use super::{ANSWER, PATIENCE, TRIES, Word, connect};
use crate::images::Layers;
use crate::snapshot::Snapshot;
use crate::strings::PathBytes;
use crate::sys::{self, Errno, Fd, Held};

/// Longest question, in bytes. What is longer is settled without one.
const ROOM: usize = 20 * 1024;

/// How long a person has, in seconds, where `RAMPART_ASK_TIMEOUT` does not say.
const TIMEOUT: u64 = 120;

/// How often signals are looked for that are to end the call, in milliseconds.
const GLANCE: u64 = 100;

/// Words for who answered (`rampart/src/answer.rs`).
const WORDS: [&str; 5] = ["approver", "policy", "webhook", "webhook-failed", "webhook-fail-open"];

/// Longest reason of a service that is kept, in bytes; the evaluator sends 300, escaped.
const REASON: usize = 384;

/// What a service said about its answer; empty if it said nothing.
pub type Reason = PathBytes<REASON>;

/// A question that was put, until this time ([`sys::monotonic_time`]).
pub struct Pending {
    socket: Fd,
    until_us: u64,
}

/// What came of it.
pub enum Heard {
    /// An answer: what it comes to, and on whose word.
    Said(Settled, Word),
    /// Nobody answered, or can be asked: why.
    Nobody(&'static str),
    /// The evaluator has gone while it was waited for; it may come back.
    Gone,
    /// A signal has ended the call.
    Interrupted,
}

/// A packet in the making.
struct Packet {
    bytes: [u8; ROOM],
    len: usize,
    fits: bool,
}

impl Packet {
    fn put(&mut self, bytes: &[u8]) {
        let end = self.len.saturating_add(bytes.len());
        match self.bytes.get_mut(self.len..end) {
            Some(to) => to.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from),
            None => self.fits = false,
        }
        self.len = end;
    }

    fn field(&mut self, tag: Tag, parts: &[&[u8]]) {
        let len = parts.iter().fold(0_usize, |sum, part| sum.saturating_add(part.len()));
        self.put(&(tag as u16).to_le_bytes());
        self.put(&[0; 2]);
        self.put(&(len as u32).to_le_bytes());
        parts.iter().for_each(|part| self.put(part));
    }

    /// Everything that the evaluator needs to know about `request`.
    fn describe(&mut self, snapshot: &Snapshot, request: &Request<'_>) {
        if let evaluator::Call::Operation { hook, program } = request.call {
            self.field(Tag::Hook, &[hook.as_bytes()]);
            self.field(Tag::File, &[program]);
        }
        self.field(Tag::Tool, &[request.tool]);
        let home = request.env.get(b"HOME").unwrap_or(b"");
        for (tag, value) in [
            (Tag::Path, request.path.unwrap_or(b"")),
            (Tag::Url, request.url.unwrap_or(b"")),
            (Tag::Directory, if let Cwd::Known(cwd) = request.cwd { cwd } else { b"" }),
            (Tag::Agent, snapshot.agent),
            (Tag::Session, snapshot.session),
            (Tag::Tree, snapshot.tree),
        ] {
            if !value.is_empty() {
                self.field(tag, &[value]);
            }
        }
        self.field(Tag::Variable, &[b"HOME=", home]);
    }
}

/// How long a person has, in microseconds.
pub fn patience(snapshot: &Snapshot) -> u64 {
    let said = snapshot.value(b"RAMPART_ASK_TIMEOUT=").and_then(|text| {
        let text = core::str::from_utf8(text).ok()?;
        text.parse::<u32>().ok()
    });
    said.map_or(TIMEOUT, u64::from).saturating_mul(1_000_000)
}

/// Puts to the evaluator what `verdict` says of `request`; the answer is waited for until `until_us`.
/// `None` if nobody is there, or it cannot be put.
#[cold]
#[inline(never)]
pub fn put(
    (snapshot, layers): (&Snapshot, &Layers),
    request: &Request<'_>,
    (verdict, alone): (&Verdict<'_>, Settled),
    until_us: u64,
) -> Option<Pending> {
    let left = until_us.saturating_sub(sys::monotonic_time()) / 1_000_000;
    let mut packet = Packet { bytes: [0; ROOM], len: HEADER, fits: true };
    packet.describe(snapshot, request);
    let otherwise = if alone.permitted { Action::Allow } else { Action::Deny };
    match verdict.policy {
        b"" => packet.field(Tag::Rule, &[verdict.reason.name().as_bytes()]),
        policy => packet.field(Tag::Rule, &[policy, b"/", verdict.rule]),
    }
    packet.field(Tag::Message, &[verdict.message]);
    if verdict.action == Action::Webhook {
        // A service's yes is enough only for the policy that its evaluator has.
        packet.field(Tag::Policy, &[&digest(layers)]);
    }
    packet.field(Tag::Action, &[&[otherwise as u8]]);
    packet.field(Tag::Timeout, &[&(left.clamp(1, u64::from(u32::MAX)) as u32).to_le_bytes()]);
    let Packet { mut bytes, len, fits } = packet;
    let length = len.saturating_sub(HEADER) as u32;
    let header = Header { kind: Kind::Ask, length, in_memfd: false, is_only: true };
    bytes.iter_mut().zip(header.bytes()).for_each(|(to, from)| *to = from);
    let bytes = bytes.get(..len).filter(|_| fits)?;
    let socket = connect(snapshot.socket, TRIES).ok()?;
    let user = socket.peer_user().ok()?;
    if user != 0 && user != sys::effective_user() {
        return None;
    }
    socket.send(bytes).ok()?;
    Some(Pending { socket, until_us })
}

/// What tells two policies apart: every byte of every layer (`rampart/src/serve/brain.rs`).
#[inline(never)]
fn digest(layers: &Layers) -> [u8; 32] {
    let mut digest = Sha256::new();
    for image in layers.images() {
        digest.update(&(image.bytes().len() as u64).to_le_bytes());
        digest.update(image.bytes());
    }
    digest.finish()
}

impl Pending {
    /// Waits for the answer, and puts what a service said about it into `reason`. The evaluator says itself when
    /// the time is up; it is given some more to do so.
    #[cold]
    #[inline(never)]
    pub fn wait(self, reason: &mut Reason) -> Heard {
        let Self { socket, until_us } = self;
        let held = Held::new();
        let until_us = until_us.saturating_add(PATIENCE as u64 * 1_000_000);
        loop {
            let left = until_us.saturating_sub(sys::monotonic_time()) / 1000;
            let slice = if held.is_none() { left } else { left.min(GLANCE) };
            let is_ready = socket.has_come(slice);
            if held.as_ref().is_some_and(Held::has_come) {
                // Their handlers run when they are let go, and may not come back.
                drop(socket);
                return Heard::Interrupted;
            }
            match is_ready {
                Ok(true) => return answer(&socket, reason),
                Ok(false) if left == 0 => return Heard::Nobody("expired"),
                Ok(false) | Err(Errno(libc::EINTR)) => {}
                Err(_) => return Heard::Nobody("on_no_approver"),
            }
        }
    }
}

/// What the evaluator has said.
fn answer(socket: &Fd, reason: &mut Reason) -> Heard {
    let mut answer = [0; ANSWER];
    let len = match socket.receive(&mut answer, 0) {
        Ok(0) | Err(Errno(libc::ECONNRESET | libc::EPIPE)) => return Heard::Gone,
        Ok(len) => len,
        Err(_) => return Heard::Nobody("on_no_approver"),
    };
    let packet = answer.get(..len).and_then(|packet| Header::read(packet).ok());
    let body = packet
        .filter(|(header, _)| header.kind == Kind::Answer && !header.in_memfd)
        .and_then(|(_, body)| Body::read(body).ok());
    let Some(body) = body else {
        return Heard::Nobody("on_no_approver");
    };
    let by = body.one(Tag::By).unwrap_or(b"");
    let permitted = match body.one(Tag::Action) {
        Some([code]) if *code == Action::Allow as u8 => true,
        Some([code]) if *code == Action::Deny as u8 => false,
        _ if by == b"expired" => return Heard::Nobody("expired"),
        _ => return Heard::Nobody("on_no_approver"),
    };
    let known = WORDS.into_iter().find(|word| word.as_bytes() == by);
    let answered_by = known.unwrap_or(if permitted { "approver" } else { "policy" });
    let mut word = Word { text: [0; 64], len: 0 };
    let id = body.one(Tag::Approval).unwrap_or(b"");
    word.set([by, if id.is_empty() { b"" } else { b" " }, id]);
    let _ = reason.push(body.one(Tag::Message).unwrap_or(b""));
    Heard::Said(Settled { permitted, answered_by }, word)
}
