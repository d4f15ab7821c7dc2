//! Stage 5, escalate: what a second party has to be asked about. The library never waits for one:
//! it executes the helper (`rampart stub`) in place of the program, which asks, and then executes
//! the program. In the new process the self-check comes to the same verdict again, and asks the
//! evaluator whether this process, as the kernel knows it, was let go: one small packet.

pub mod operation;

use core::ffi::{CStr, c_char};

use evaluator::settle::Settled;
use evaluator::wire::{Body, HEADER, Header, Kind, Tag, field};
use evaluator::world::Counted;
use evaluator::{Action, Once, Verdict};
use libc::AT_FDCWD;

use crate::cascade::{Fit, with_environment};
use crate::observe::{Call, Stage, process};
use crate::snapshot::{Mode, Snapshot};
use crate::spool;
use crate::strings::{LongPath, Vector};
use crate::sys::{self, Errno, Fd, Strings};

/// The helper's verb.
pub const VERB: &CStr = c"stub";

/// Longest answer that is read.
const ANSWER: usize = 512;

/// Room for the body of a question about a fact: a path, or the names of a rule.
const QUESTION: usize = 1280;

/// How long the evaluator may take to answer, in seconds: it asks nobody.
const PATIENCE: i64 = 5;

/// On whose word a call goes ahead or does not where the evaluator that was to decide did not.
const LOCAL: &[u8] = b"local-image";

/// How often a socket where nobody listens any more is tried again, and how long the pause is, in
/// milliseconds: an evaluator that is being restarted.
const TRIES: u32 = 20;
const PAUSE: i64 = 50;

/// Arguments that fit into a frame, those of the helper included.
const FEW: usize = 64;
const MANY: usize = 256;

/// What the evaluator says of this process.
pub enum Covered {
    /// A person has agreed to it, or to something that includes it.
    Yes,
    /// Nobody has.
    No,
    /// There is no evaluator, or what it says is no answer.
    Unknown,
}

/// On whose word a call goes ahead, as text for the event.
#[derive(Clone)]
pub struct Word {
    text: [u8; 64],
    len: usize,
}

impl Word {
    /// None, but where the evaluator was to be asked and `settled` says nothing else: the tree's own policy,
    /// until it has answered.
    pub fn new(snapshot: &Snapshot, settled: &Settled) -> Self {
        let mut word = Self { text: [0; 64], len: 0 };
        if snapshot.asks_evaluator && settled.answered_by.is_empty() {
            word.set([LOCAL, b"", b""]);
        }
        word
    }

    /// Nobody's.
    pub const fn none() -> Self {
        Self { text: [0; 64], len: 0 }
    }

    fn set(&mut self, parts: [&[u8]; 3]) {
        self.len = 0;
        for (to, from) in self.text.iter_mut().zip(parts.into_iter().flatten()) {
            *to = *from;
            self.len = self.len.saturating_add(1);
        }
    }

    /// The text; empty if there is none.
    pub fn as_str(&self) -> &str {
        core::str::from_utf8(self.text.get(..self.len).unwrap_or(&[])).unwrap_or("")
    }
}

/// Whether a call with this verdict is the helper's: there is one, and the verdict needs a second
/// party, or rests on something that a second party may know, `lacks_a_fact` if that party was
/// missed; or the tree puts everything to the evaluator that its own policy lets go.
pub fn applies(snapshot: &Snapshot, verdict: &Verdict<'_>, lacks_a_fact: bool) -> bool {
    let is_open = matches!(verdict.action, Action::Ask | Action::Webhook)
        || (verdict.action == Action::Deny && (verdict.unsure || lacks_a_fact))
        || (verdict.action.permits() && snapshot.asks_evaluator);
    is_open && snapshot.mode == Mode::Enforce && !snapshot.helper.is_empty()
}

fn names_its_file(call: &Call<'_>) -> bool {
    let path = call.file.to_bytes();
    let has_name = call.flags == 0 && (call.dir == AT_FDCWD || path.starts_with(b"/"));
    has_name && !path.is_empty() && !is_indirect(path)
}

/// Whether a path leads through a descriptor of this process.
fn is_indirect(path: &[u8]) -> bool {
    path.starts_with(b"/proc/") || path.starts_with(b"/dev/fd/")
}

/// Whether this process is the helper: executed by the path that was fixed for the tree, with its
/// verb. It judges by itself what it is to execute.
pub fn is_helper(snapshot: &Snapshot, argv: Vector<'_>) -> bool {
    !snapshot.helper.is_empty()
        && process::executed_file() == snapshot.helper
        && argv.string(1) == Some(VERB)
}

/// Asks the evaluator whether this process is covered by an approval, and puts whose into `word`.
#[inline(never)]
pub fn covered(snapshot: &Snapshot, word: &mut Word) -> Covered {
    let mut answer = [0; ANSWER];
    let Some(body) = question(snapshot.socket, Kind::Covered, &[], &mut answer) else {
        // Who judges every start has judged this one, too, and has asked a person if need be.
        if !spool::is_heard(snapshot) {
            return Covered::Unknown;
        }
        word.set([b"supervisor", b"", b""]);
        return Covered::Yes;
    };
    match body.one(Tag::Action) {
        Some([code]) if *code == Action::Allow as u8 => {
            let text = |tag| body.one(tag).unwrap_or(&[]);
            let id = text(Tag::Approval);
            word.set([text(Tag::By), if id.is_empty() { b"" } else { b" " }, id]);
            Covered::Yes
        }
        Some([code]) if *code == Action::Ask as u8 => Covered::No,
        _ => Covered::Unknown,
    }
}

/// The SHA-256 of a file by its absolute path, which the evaluator remembers. The kernel tells it
/// who asks, and it looks where this process would.
#[cold]
#[inline(never)]
pub fn digest(socket: &[u8], path: &[u8]) -> Option<[u8; 32]> {
    let mut answer = [0; ANSWER];
    let body = question(socket, Kind::Digest, &[(Tag::File, path)], &mut answer)?;
    body.one(Tag::Sha256)?.try_into().ok()
}

/// Whether this process may use what holds once: `Some(true)` if it, or an ancestor, has used it
/// up. `None` if nobody has yet: then the helper can.
#[cold]
#[inline(never)]
pub fn may_use(socket: &[u8], once: &Once<'_>) -> Option<bool> {
    let mut answer = [0; ANSWER];
    let ends = once.expires_at.to_le_bytes();
    let fields = [(Tag::Owner, once.policy), (Tag::Rule, once.rule), (Tag::Ends, &ends[..])];
    let said = question(socket, Kind::Once, &fields, &mut answer);
    match said.and_then(|body| body.one(Tag::Action)) {
        Some([code]) if *code == Action::Allow as u8 => Some(true),
        Some([code]) if *code == Action::Ask as u8 => None,
        _ => Some(false),
    }
}

/// What the tree has come by, `more` included, which it comes by with this (bits of
/// `evaluator::image::format::taint`). `None` if nobody keeps it.
#[cold]
#[inline(never)]
pub fn taint(snapshot: &Snapshot, more: u8) -> Option<u8> {
    let mut answer = [0; ANSWER];
    let fields = [(Tag::Tree, snapshot.tree), (Tag::Taint, &[more][..])];
    let body = question(snapshot.socket, Kind::Taint, &fields, &mut answer)?;
    match body.one(Tag::Taint) {
        Some([bits]) => Some(*bits),
        _ => None,
    }
}

/// Tells the evaluator of `more` calls that a rule counts: how many the tree has made. `None` if nobody
/// keeps that. Nobody waits for an evaluator that is being restarted: this is asked in the middle of a
/// removal of many files.
#[inline(never)]
pub fn count(snapshot: &Snapshot, counted: &Counted<'_>, more: u32) -> Option<u32> {
    if snapshot.socket.is_empty() || snapshot.tree.is_empty() {
        return None;
    }
    let mut answer = [0; ANSWER];
    let window = u32::try_from(counted.window).unwrap_or(u32::MAX);
    let fields = [
        (Tag::Tree, snapshot.tree),
        (Tag::Owner, counted.policy),
        (Tag::Rule, counted.rule),
        (Tag::Duration, &window.to_le_bytes()[..]),
        (Tag::Number, &more.to_le_bytes()[..]),
    ];
    question(snapshot.socket, Kind::Count, &fields, &mut answer)?.number(Tag::Number)
}

/// Sends a question of a few fields, and reads the answer.
#[inline(never)]
fn question<'a>(
    socket: &[u8],
    kind: Kind,
    fields: &[(Tag, &[u8])],
    answer: &'a mut [u8; ANSWER],
) -> Option<Body<'a>> {
    let mut packet = [0_u8; HEADER + QUESTION];
    let (head, room) = packet.split_at_mut_checked(HEADER)?;
    let (mut len, mut fits) = (0_usize, true);
    for (tag, value) in fields {
        field(*tag, value, &mut |piece| {
            let end = len.saturating_add(piece.len());
            match room.get_mut(len..end) {
                Some(to) => to.iter_mut().zip(piece).for_each(|(to, from)| *to = *from),
                None => fits = false,
            }
            len = end;
        });
    }
    let header = Header { kind, length: len as u32, in_memfd: false, is_only: true };
    head.iter_mut().zip(header.bytes()).for_each(|(to, from)| *to = from);
    let packet = packet.get(..HEADER.saturating_add(len)).filter(|_| fits)?;
    let tries = if kind == Kind::Count { 0 } else { TRIES };
    let len = exchange(socket, packet, answer, tries).ok()?;
    let (header, body) = Header::read(answer.get(..len)?).ok()?;
    let is_answer = header.kind == Kind::Answer && !header.in_memfd;
    is_answer.then(|| Body::read(body).ok()).flatten()
}

fn exchange(path: &[u8], request: &[u8], answer: &mut [u8], tries: u32) -> Result<usize, Errno> {
    let socket = connect(path, tries)?;
    let user = socket.peer_user()?;
    if user != 0 && user != sys::effective_user() {
        return Err(Errno(libc::EPERM));
    }
    let _ = socket.send(request)?;
    socket.receive(answer, PATIENCE)
}

fn connect(path: &[u8], most: u32) -> Result<Fd, Errno> {
    if path.is_empty() {
        return Err(Errno(libc::ENOENT));
    }
    let mut tries = 0;
    loop {
        match Fd::connect(path) {
            Err(Errno(libc::ECONNREFUSED)) if tries < most => {
                tries += 1;
                sys::pause(PAUSE);
            }
            other => return other,
        }
    }
}

/// Whether a hook can have the helper executed in place of `call`: it can execute the same file
/// (what a descriptor names is gone by then), and its arguments need no mapping, which would stay
/// behind in the parent of a `vfork` child.
pub fn can_hand_over(call: &Call<'_>) -> bool {
    names_its_file(call) && call.argv.count().saturating_add(EXTRA) <= MANY
}

/// The helper's own words: its name, its verb, the file; and the NULL.
const EXTRA: usize = 4;

/// Executes the helper in place of `call`. Returns only if that failed.
pub fn execute(snapshot: &Snapshot, call: &Call<'_>) -> Errno {
    let mut errno = Errno(libc::E2BIG);
    with_environment(snapshot, call.env, Fit::ORDINARY, &mut |env| {
        let run = &mut |argv: Strings| {
            errno = sys::execute(snapshot.helper.as_ptr(), argv, env);
        };
        with_arguments(snapshot, call, call.stage.is_start(), run);
    });
    errno
}

/// Executes the helper in place of this process, which has just started, to have it started again.
/// Returns only if that failed.
#[cold]
#[inline(never)]
pub fn execute_again(snapshot: &Snapshot, call: &Call<'_>) -> Errno {
    let mut path = LongPath::new();
    let file = call.file.to_bytes();
    // A script is what its interpreter was given; a descriptor is gone.
    let is_script = (1..=10).any(|index| call.argv.string(index) == Some(call.file));
    if call.stage == Stage::StartedByLoader {
        if process::mapped_program(&mut path).is_none() {
            return Errno(libc::ENOENT);
        }
    } else if is_script || is_indirect(file) || file.is_empty() {
        if let Err(errno) = sys::read_link(c"/proc/self/exe", &mut path) {
            return errno;
        }
    } else {
        return execute(snapshot, call);
    }
    // A file that has no name any more could not be started again.
    if let Err(errno) = sys::may_execute(AT_FDCWD, path.as_c_str().as_ptr(), 0) {
        return errno;
    }
    execute(snapshot, &Call { file: path.as_c_str(), ..*call })
}

/// Calls `run` with the helper's arguments for `call`: `rampart stub FILE ARGV…`. Not at all if
/// there is no room, and `may_map` is false or there is no memory.
pub fn with_arguments(
    snapshot: &Snapshot,
    call: &Call<'_>,
    may_map: bool,
    run: &mut dyn FnMut(Strings),
) {
    let count = call.argv.count().saturating_add(EXTRA);
    if count <= FEW {
        on_stack::<FEW>(snapshot, call, run);
    } else if count <= MANY {
        on_stack::<MANY>(snapshot, call, run);
    } else if may_map {
        let len = count.saturating_mul(size_of::<*const c_char>());
        let Ok(start) = sys::map_memory(len) else {
            return;
        };
        // SAFETY: the mapping is page-aligned, zeroed and has room for that many pointers.
        let array = unsafe { core::slice::from_raw_parts_mut(start.cast(), count) };
        fill(snapshot, call, array);
        run(array.as_ptr());
        // SAFETY: mapped above; the array is not used any more.
        unsafe { sys::unmap(start, len) };
    }
}

#[inline(never)]
fn on_stack<const ROOM: usize>(snapshot: &Snapshot, call: &Call<'_>, run: &mut dyn FnMut(Strings)) {
    let mut array = [core::ptr::null(); ROOM];
    fill(snapshot, call, &mut array);
    run(array.as_ptr());
}

/// Fills `array`, which is zeroed and has room for the arguments of `call` and [`EXTRA`] more.
fn fill(snapshot: &Snapshot, call: &Call<'_>, array: &mut [*const c_char]) {
    let own = [snapshot.helper.as_ptr(), VERB.as_ptr(), call.file.as_ptr()];
    let theirs = (0..call.argv.count()).filter_map(|index| call.argv.pointer(index));
    for (slot, word) in array.iter_mut().zip(own.into_iter().chain(theirs)) {
        *slot = word;
    }
}
