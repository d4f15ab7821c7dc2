//! Stages 3, 4 and 6: one verdict from observation to record, on a stack and memory of its own.
//!
//! Each start is judged twice, before the exec and in the new process, and recorded once: an
//! allow by the self-check, a denial by whoever denied. Where nobody says that the new process
//! will load us, the hook records the allow as `unconfirmed`.

mod desk;
mod memory;
mod record;

use core::ffi::{CStr, c_void};

use evaluator::request::{NoParams, Request};
use evaluator::settle::settle;
use evaluator::{Action, Caller, Cwd, Image, Scratch, TargetKinds, Verdict, decide, notice};

use crate::escalate::{self, Covered, Word};
use crate::images::Layers;
use crate::observe::target::Target;
use crate::observe::{Call, Stage, process};
use crate::on_stack::{on_stack, with_room};
use crate::snapshot::{self, Mode, Snapshot};
use crate::strings::{AnyPath, Vector};
use crate::sys::{self, Errno};
use crate::world::Files;
pub use desk::{Desk, parts as desk_parts};
pub use memory::{Memory, Parts};
pub use record::{Record, new_id};

/// Longest working directory with which the small arenas are tried, in bytes.
const QUICK_CWD: usize = 512;

/// What a verdict comes to.
pub struct Judged {
    memory: Option<Memory>,
    notice_len: usize,
    /// Whether the call goes ahead.
    pub permitted: bool,
    /// The error of a call that does not.
    pub errno: Errno,
    /// Major version of the `libasan.so` that the target wants first, 0 if none.
    pub asan: u8,
    /// What the target is.
    pub kinds: TargetKinds,
    /// Whether the new process surely loads us.
    pub loads_us: bool,
    /// Whether the helper is to be executed in the program's place: a second party is needed.
    pub escalates: bool,
    /// Whether the same was just denied to the same process: nothing is to be said again.
    pub is_repeated: bool,
}

impl Judged {
    /// Before anything is known: a denial.
    const NOTHING: Self = Self {
        memory: None,
        notice_len: 0,
        permitted: false,
        errno: Errno(libc::EPERM),
        asan: 0,
        kinds: TargetKinds(0),
        loads_us: true,
        escalates: false,
        is_repeated: false,
    };

    /// The one line for whoever is stopped, newline included.
    pub fn notice(&self) -> &[u8] {
        match &self.memory {
            Some(memory) => memory.notice(self.notice_len),
            None => b"rampart: denied: there is no memory to judge this call in (nothing was run; free some, or raise the limit on address space)\n",
        }
    }

    /// Puts `parts` together in the verdict's memory, for something that is started in place of
    /// the denied call. `None` if there is no memory, no room, or a part holds a NUL. The result
    /// of an earlier call is overwritten.
    pub fn compose(&self, parts: &[&[u8]]) -> Option<&CStr> {
        self.memory.as_ref()?.compose(parts)
    }
}

/// One verdict in the making.
struct Job<'a> {
    snapshot: &'a Snapshot,
    call: &'a Call<'a>,
    /// `None` for an attempt at a [`Desk`].
    memory: Option<&'a Memory>,
    /// Whether a second party may be asked.
    may_escalate: bool,
    judged: Judged,
    /// Whether `judged` is the verdict: not where the memory was too small for it, or where it is
    /// a denial at a [`Desk`], because its line must last.
    is_final: bool,
}

impl Job<'_> {
    /// The attempt with what costs nothing: at the process's desk, or, in the constructor, on the
    /// stack of `main`. `None` if there is neither, or it did not do.
    fn run(mut self, input: usize, args: usize, is_on_main_stack: bool) -> Option<Judged> {
        let job = (&raw mut self).cast();
        if is_on_main_stack {
            if memory::is_small(input, args) {
                // SAFETY: there is room on this stack, and `run_at` gets the job that it expects
                // and does not unwind.
                unsafe { with_room(job, run_at, desk::LEN) };
            }
        } else {
            let desk = Desk::take(input, args)?;
            // SAFETY: the stack is this verdict's alone, 16-byte aligned, and ends where the rest
            // starts; `run_at` gets the job that it expects and does not unwind.
            unsafe { on_stack(job, run_at, desk.stack_top()) };
        }
        self.is_final.then_some(self.judged)
    }
}

/// Judges `call` and records what is to be recorded, unless that is another's to do
/// ([`Judged::escalates`]).
pub fn judge(snapshot: &Snapshot, call: &Call<'_>) -> Judged {
    judge_any(snapshot, call, true)
}

/// Judges `call`, for which no second party can be asked.
pub fn judge_alone(snapshot: &Snapshot, call: &Call<'_>) -> Judged {
    judge_any(snapshot, call, false)
}

fn judge_any(snapshot: &Snapshot, call: &Call<'_>, may_escalate: bool) -> Judged {
    if call.argv.count() > 0 {
        return judge_named(snapshot, call, may_escalate);
    }
    // Without `argv[0]` the program has no name but its file's.
    let named = [call.file.as_ptr(), core::ptr::null()];
    // SAFETY: one C string that lives as long as the call, and a NULL.
    let argv = unsafe { Vector::new(named.as_ptr()) };
    judge_named(snapshot, &Call { argv, ..*call }, may_escalate)
}

fn judge_named(snapshot: &Snapshot, call: &Call<'_>, may_escalate: bool) -> Judged {
    let (input, args) = (call.argv.size(), call.argv.count());
    // The constructor runs on the stack of `main`, where there is room.
    let is_on_main_stack = call.stage.is_start() && process::is_on_main_stack();
    let attempt = Job {
        snapshot,
        call,
        memory: None,
        may_escalate,
        judged: Judged::NOTHING,
        is_final: false,
    };
    if let Some(judged) = attempt.run(input, args, is_on_main_stack) {
        return judged;
    }
    let mut judged = Judged::NOTHING;
    let rules = snapshot.images().iter().map(|slot| slot.rules()).sum();
    let with_stack = !is_on_main_stack;
    let Ok(memory) = Memory::new(input, args, rules, with_stack) else {
        judged.permitted = snapshot.fail_open == Some(true);
        judged.errno = Errno(libc::ENOMEM);
        return judged;
    };
    let mut job =
        Job { snapshot, call, memory: Some(&memory), may_escalate, judged, is_final: false };
    if with_stack {
        // SAFETY: the stack is the memory's own, 16-byte aligned and used by this call only, and
        // `run` gets the job that it expects and does not unwind.
        unsafe { on_stack((&raw mut job).cast(), run, memory.stack_top()) };
    } else {
        run((&raw mut job).cast(), core::ptr::null_mut());
    }
    let mut judged = job.judged;
    judged.memory = Some(memory);
    judged
}

/// The frames below are kept apart, so that each verdict touches as few pages of a stack as it can:
/// one large frame would be touched whole.
extern "C" fn run(job: *mut c_void, _: *mut u8) {
    // SAFETY: `judge` passes a `Job` that nothing else uses meanwhile.
    let job = unsafe { &mut *job.cast::<Job<'_>>() };
    let Some(memory) = job.memory else {
        return;
    };
    // SAFETY: once for each memory.
    let parts = unsafe { memory.parts() };
    job.is_final = parts.and_then(|mut parts| deliberate(job, &mut parts)).is_some();
}

/// The attempt, in the [`desk::LEN`] bytes at `room`.
extern "C" fn run_at(job: *mut c_void, room: *mut u8) {
    // SAFETY: `Job::run` passes a `Job` that nothing else uses meanwhile.
    let job = unsafe { &mut *job.cast::<Job<'_>>() };
    // SAFETY: so many bytes are ours, and outlive the parts.
    let parts = unsafe { desk::parts(room) };
    job.is_final = parts.and_then(|mut parts| deliberate(job, &mut parts)).is_some();
}

/// `None` if the memory does not do.
fn deliberate(job: &mut Job<'_>, parts: &mut Parts<'_>) -> Option<()> {
    let began_us = sys::monotonic_time();
    let Job { snapshot, call, may_escalate, ref mut judged, .. } = *job;
    let is_attempt = parts.full.is_none();
    let [cwd, path] = &mut parts.paths;
    let mut target = Target::unknown(path);
    if call.stage.is_start() {
        target.find_this_process(call);
    } else {
        target.find(call);
    }
    judged.asan = target.asan;
    judged.kinds = target.kinds;
    judged.loads_us = target.loads_us;
    let cwd = directory(call, cwd);
    if is_attempt && (cwd.is_none() || target.lacked_room()) {
        return None;
    }
    let mut layers = Layers::new();
    layers.load(snapshot, call.stage.is_start())?;
    let request = Request {
        tool: b"exec",
        call: evaluator::Call::Exec {
            file: target.name_or(call.file.to_bytes()),
            argv: &call.argv,
        },
        cwd: cwd.unwrap_or(Cwd::Unknown),
        env: &call.env,
        target: target.facts(),
        caller: Caller {
            agent: snapshot.agent,
            session: snapshot.session,
            agent_depth: snapshot.agent_depth,
        },
        path: None,
        url: None,
        params: &NoParams,
    };
    let cwd_len = match request.cwd {
        Cwd::Known(path) => path.len(),
        Cwd::Unknown | Cwd::OnDemand => 0,
    };
    let Parts { event, notice, quick, full, .. } = parts;
    // With a long directory before them, paths need more room.
    let quick = quick.as_mut().filter(|_| cwd_len <= QUICK_CWD);
    let world = Files::at(call.stage, snapshot);
    let verdict = verdict(layers.images(), &request, &world, quick, full.as_mut())?;
    let mut settled = settle(&verdict, snapshot.fail_open);
    let mut word = Word::new(snapshot, &settled);
    let is_start = call.stage.is_start();
    let lacks = world.lacked_use() || (world.lacked_digest() && !is_start);
    if may_escalate && escalate::applies(snapshot, &verdict, lacks) {
        // What is denied for good unless something is used up: the helper can do that.
        judged.escalates = !is_start || (verdict.action == Action::Deny && !verdict.unsure);
        if !judged.escalates {
            match escalate::covered(snapshot, &mut word) {
                Covered::Yes => settled.permitted = true,
                // Where the evaluator had a part in an unsure denial, the helper knows no more.
                Covered::No => judged.escalates = !(verdict.unsure && world.was_told()),
                // Nobody can be asked, and the local policy says what that comes to.
                Covered::Unknown => {}
            }
        }
        if judged.escalates {
            return Some(());
        }
    }
    judged.permitted = settled.permitted || snapshot.mode == Mode::Monitor;
    if !judged.permitted && is_attempt {
        return None;
    }
    // By whoever is the last to judge it, before it does anything.
    if verdict.taint != 0 && judged.permitted && (is_start || !judged.loads_us) {
        let _ = escalate::taint(snapshot, verdict.taint);
    }
    judged.is_repeated = !judged.permitted && is_repeated(snapshot, call);
    let mut record = Record {
        snapshot,
        hook: call.hook,
        request: &request,
        verdict: &verdict,
        settled: &settled,
        word: word.as_str(),
        id: [0; 26],
        time_us: 0,
        began_us,
        is_fallback: layers.is_fallback,
        is_attempt,
    };
    let outcome = record.outcome(call.stage, judged, &layers);
    if outcome.is_some() || !judged.permitted {
        record.time_us = sys::wall_time();
        record.id = new_id(record.time_us);
    }
    if let Some(outcome) = outcome {
        record.write(outcome, event)?;
    }
    if !judged.permitted {
        judged.notice_len = notice::denial(notice, &verdict, &request, &settled, &record.id);
    }
    Some(())
}

/// Asks the evaluator, first with `quick` arenas if there are any. Only an answer that their size
/// had no part in is taken. `None` if there are no others.
#[inline(never)]
pub fn verdict<'a>(
    images: &[Image<'a>],
    request: &Request<'_>,
    world: &Files<'_>,
    quick: Option<&'a mut Scratch<'_>>,
    full: Option<&'a mut Scratch<'_>>,
) -> Option<Verdict<'a>> {
    if let Some(quick) = quick {
        let verdict = decide(images, request, world, quick);
        if !verdict.lacked_memory() && !world.lacked_room() {
            return Some(verdict);
        }
    }
    Some(decide(images, request, world, full?))
}

/// The working directory, where it is known: spawn file actions may change it before the exec.
/// The evaluator then leaves rules about it to the self-check, if there will be one. `None` if the
/// buffer is too small for it.
fn directory<'b>(call: &Call<'_>, buffer: &'b mut AnyPath) -> Option<Cwd<'b>> {
    if call.stage == Stage::BeforeElsewhere {
        return Some(Cwd::Unknown);
    }
    let is_known = sys::current_dir(buffer).is_ok_and(|path| path.starts_with(b"/"));
    match is_known {
        true => Some(Cwd::Known(buffer.as_bytes())),
        false if buffer.lacked_room() => None,
        false => Some(Cwd::Unknown),
    }
}

/// Whether another file was denied to this process with the same arguments a moment ago: a search
/// along `PATH` that goes on after a refusal.
fn is_repeated(snapshot: &Snapshot, call: &Call<'_>) -> bool {
    if call.stage.is_start() || (!snapshot.deny_by_errno && sys::process_id() != snapshot.pid) {
        return false;
    }
    let mut digest = Digest::new();
    digest.add(&sys::process_id().to_le_bytes());
    for argument in call.argv.iter() {
        digest.add(argument);
        digest.add(&[0]);
    }
    let mut file = Digest::new();
    file.add(call.file.to_bytes());
    snapshot::is_repeated(digest.0, file.0, sys::coarse_time())
}

/// FNV-1a, 64 bits: short, and good enough to tell two calls apart.
pub struct Digest(pub u64);

impl Digest {
    /// Of nothing.
    pub const fn new() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }

    /// Adds `bytes`.
    pub fn add(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }
}
