//! Stage 6's line: one verdict as one line of JSON (RFC 8259), the same from every entrance,
//! masked, and written without an allocator so that a `vfork` child can record.
//!
//! Strings that are not UTF-8 are `{"b64": "…"}` (RFC 4648), so that no byte is lost; values too
//! large for the record are `{"len": bytes, "head": "…", "sha256": "…"}`.

use crate::action::Action;
use crate::command::Via;
use crate::redact;
use crate::request::{Argv, Call, Cwd, Request, TargetKinds};
use crate::sha256::Sha256;
use crate::verdict::Verdict;

mod json;

use json::Json;

/// Version of the event's shape, its `v` field.
pub const VERSION: u32 = 1;

/// Longest single value that is written whole, in bytes.
const LONG: usize = 4096;

/// Room that is kept for what follows the arguments, in bytes.
const RESERVE: usize = 36 * 1024;

/// One verdict and what came of it.
#[derive(Clone, Copy)]
pub struct Event<'a> {
    /// A ULID; see [`ulid`].
    pub id: [u8; 26],
    /// When, in microseconds since the Unix epoch.
    pub time_us: u64,
    /// When, by a clock that is never set (`CLOCK_MONOTONIC`), in microseconds.
    pub mono_us: u64,
    /// How long it took to observe the call and to judge it, in microseconds.
    pub took_us: u64,
    /// The process that asked, or that started.
    pub pid: u32,
    /// Its parent.
    pub ppid: u32,
    /// Its real user.
    pub uid: u32,
    /// The entrance: a hooked function, `start` for the self-check of a new process, `check` …
    pub hook: &'a str,
    /// What was asked.
    pub request: &'a Request<'a>,
    /// What the policy said.
    pub verdict: &'a Verdict<'a>,
    /// What came of it.
    pub outcome: Outcome,
    /// Who answered for a missing second party (`settle::Settled::answered_by`).
    pub answered_by: &'a str,
    /// Id of the guarded tree.
    pub tree: &'a [u8],
    /// Failures that the record must show.
    pub flags: EventFlags,
}

/// What came of a verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It went ahead.
    Allowed,
    /// It was not started.
    Denied,
    /// It was let go, and the new program cannot load us: nobody will confirm that it started.
    Unconfirmed,
    /// The policy forbids it, but the mode is `monitor`.
    NotEnforced,
}

impl Outcome {
    /// Name in events.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Allowed => "allowed",
            Self::Denied => "denied",
            Self::Unconfirmed => "unconfirmed",
            Self::NotEnforced => "not-enforced",
        }
    }
}

/// A set of failures that an event shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EventFlags(pub u32);

impl EventFlags {
    /// The policy image could not be used; the one mapped at start or the built-in one decided.
    pub const FALLBACK_IMAGE: Self = Self(1);
    /// The audit directory could not be used; this stands in a substitute.
    pub const FALLBACK_AUDIT: Self = Self(2);
    /// `RAMPART_FAIL_OPEN=1` is in force.
    pub const FAIL_OPEN: Self = Self(4);

    const NAMES: [(Self, &'static str); 3] = [
        (Self::FALLBACK_IMAGE, "fallback-image"),
        (Self::FALLBACK_AUDIT, "fallback-audit"),
        (Self::FAIL_OPEN, "fail-open"),
    ];

    /// Both sets together.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// A ULID: `time_ms` since the Unix epoch (48 bits) and 80 random bits in Crockford's base 32.
#[must_use]
pub fn ulid(time_ms: u64, random: [u8; 10]) -> [u8; 26] {
    const DIGITS: [u8; 32] = *b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    let low = random.iter().fold(0_u128, |bits, byte| bits << 8 | u128::from(*byte));
    let mut bits = u128::from(time_ms & 0xffff_ffff_ffff) << 80 | low;
    let mut out = [0; 26];
    for digit in out.iter_mut().rev() {
        *digit = DIGITS.get((bits & 31) as usize).copied().unwrap_or(b'0');
        bits >>= 5;
    }
    out
}

/// A time as events have it: RFC 3339 in UTC with microseconds, from microseconds since the Unix
/// epoch (before the year 10000).
#[must_use]
pub fn timestamp(us: u64) -> [u8; 27] {
    let mut out = [b' '; 32];
    Json::new(&mut out).moment(us);
    out.first_chunk().copied().unwrap_or([b' '; 27])
}

/// Writes `event` as one line with its newline into `out` and returns its length. `out` should be
/// 64 KiB. Arguments beyond that are counted (`argv_len`); if the rest does not fit either, the
/// line is `compacted`: the verdict without the call. Returns 0 if not even that fits.
pub fn write_line(event: &Event<'_>, out: &mut [u8]) -> usize {
    if let Some(len) = write(event, out, RESERVE) {
        return len;
    }
    let mut json = Json::new(out);
    json.open(b'{');
    head(&mut json, event);
    verdict(&mut json, event);
    json.number("compacted", 1);
    json.close(b'}');
    json.finish().unwrap_or(0)
}

/// As [`write_line`], with every argument and the whole call; `None` if `out` has no room for them.
pub fn write_whole(event: &Event<'_>, out: &mut [u8]) -> Option<usize> {
    write(event, out, 0)
}

/// Leaves `reserve` bytes free behind the arguments.
fn write(event: &Event<'_>, out: &mut [u8], reserve: usize) -> Option<usize> {
    let mut json = Json::new(out);
    json.open(b'{');
    head(&mut json, event);
    verdict(&mut json, event);
    call(&mut json, event.request, reserve);
    provenance(&mut json, event.verdict);
    caller(&mut json, event);
    json.close(b'}');
    json.finish()
}

fn head(json: &mut Json<'_>, event: &Event<'_>) {
    json.number("v", VERSION.into());
    json.text("id", &event.id);
    json.time("time", event.time_us);
    json.number("mono_us", event.mono_us);
    json.number("took_us", event.took_us);
    json.number("pid", event.pid.into());
    json.number("ppid", event.ppid.into());
    json.number("uid", event.uid.into());
    json.text("hook", event.hook.as_bytes());
}

fn verdict(json: &mut Json<'_>, event: &Event<'_>) {
    json.text("action", event.verdict.action.name().as_bytes());
    json.text("outcome", event.outcome.name().as_bytes());
    json.text("reason", event.verdict.reason.name().as_bytes());
    json.text_unless_empty("policy", event.verdict.policy);
    json.text_unless_empty("rule", event.verdict.rule);
    json.text_unless_empty("message", event.verdict.message);
    json.text_unless_empty("answered_by", event.answered_by.as_bytes());
    if event.flags != EventFlags::default() {
        json.key("flags");
        json.open(b'[');
        for (flag, name) in EventFlags::NAMES {
            if event.flags.0 & flag.0 != 0 {
                json.item(name.as_bytes());
            }
        }
        json.close(b']');
    }
    json.key("matched");
    json.open(b'[');
    for found in event.verdict.matched.iter().take(16) {
        json.open(b'{');
        json.number("image", found.image.into());
        json.number("rule", found.rule.into());
        let action = u8::try_from(found.action).ok().and_then(Action::from_code);
        json.text("action", action.map_or("?", Action::name).as_bytes());
        json.number("command", found.command.into());
        json.close(b'}');
    }
    json.close(b']');
}

fn call(json: &mut Json<'_>, request: &Request<'_>, reserve: usize) {
    json.text("tool", request.tool);
    match request.call {
        Call::Exec { file, argv } => {
            json.text("exe", file);
            json.key("argv");
            json.open(b'[');
            let (mut masking, mut written) = (Masking::default(), 0_usize);
            for index in 0..argv.len() {
                if json.free() < reserve {
                    break;
                }
                written = written.saturating_add(1);
                let arg = argv.get(index).unwrap_or(&[]);
                json.separator();
                match masking.instead(arg) {
                    Some(mask) => json.string(mask),
                    None => json.masked(arg, LONG),
                }
            }
            json.close(b']');
            if written < argv.len() && !json.is_full() {
                json.number("argv_len", argv.len() as u64);
                json.key("argv_sha256");
                json.digest(digest(argv));
            }
        }
        Call::Shell(text) => {
            json.key("command");
            json.masked(text, LONG);
        }
        Call::Operation { program, .. } => json.text("exe", program),
        Call::Nothing => {}
    }
    if let Some(path) = request.path {
        json.text("path", path);
    }
    if let Some(url) = request.url {
        json.key("url");
        json.masked(url, LONG);
    }
    if let Cwd::Known(cwd) = request.cwd {
        json.text("cwd", cwd);
    }
    if request.target.kinds != TargetKinds::default() {
        json.key("target");
        json.open(b'[');
        for (kind, name) in TargetKinds::NAMES {
            if request.target.kinds.intersects(kind) {
                json.item(name.as_bytes());
            }
        }
        json.close(b']');
    }
}

/// What of a call's arguments is masked because of the ones before.
#[derive(Default)]
struct Masking {
    secret: bool,
    short: redact::Short,
}

impl Masking {
    /// What to write instead of the next argument.
    fn instead(&mut self, arg: &[u8]) -> Option<&'static [u8]> {
        let mask = if self.secret && !arg.starts_with(b"-") {
            Some(redact::MASK)
        } else if self.short.is_attached(arg) {
            Some(&b"-p[masked]"[..])
        } else {
            None
        };
        self.secret = redact::takes_secret(arg) || self.short.takes_next(arg);
        self.short = self.short.behind(arg);
        mask
    }
}

/// Of all arguments, each masked and with a NUL behind it, as the kernel keeps them.
#[cold]
fn digest(argv: &dyn Argv) -> Sha256 {
    let (mut masking, mut digest) = (Masking::default(), Sha256::new());
    for index in 0..argv.len() {
        let arg = argv.get(index).unwrap_or(&[]);
        match masking.instead(arg) {
            Some(mask) => digest.update(mask),
            None => redact::masked(arg, &mut |piece| digest.update(piece)),
        }
        digest.update(&[0]);
    }
    digest
}

/// The steps from the call to the deciding command, outermost first.
fn provenance(json: &mut Json<'_>, verdict: &Verdict<'_>) {
    let tree = &verdict.tree;
    let mut steps = [Via::Call; 16];
    let mut depth = 0;
    let mut command = tree.commands.get(verdict.command as usize);
    while let Some(step) = command {
        if step.via == Via::Call {
            break;
        }
        let Some(slot) = steps.get_mut(depth) else {
            break;
        };
        *slot = step.via;
        depth = depth.saturating_add(1);
        command = tree.parent(step);
    }
    if depth == 0 {
        return;
    }
    json.key("provenance");
    json.open(b'[');
    for step in steps.iter().take(depth).rev() {
        json.item(step.name().as_bytes());
    }
    json.close(b']');
}

fn caller(json: &mut Json<'_>, event: &Event<'_>) {
    json.text_unless_empty("tree", event.tree);
    json.text_unless_empty("agent", event.request.caller.agent);
    json.text_unless_empty("session", event.request.caller.session);
    if event.request.caller.agent_depth != 0 {
        json.number("agent_depth", event.request.caller.agent_depth.into());
    }
}

#[cfg(test)]
mod tests;
