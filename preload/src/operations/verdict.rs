//! The verdict on what a program does itself: once for its path as it is spelled, once for what that
//! leads to, and the stricter counts. Few calls come here.

use core::cell::Cell;
use core::ffi::c_void;

use evaluator::event::Outcome;
use evaluator::request::{NoParams, Request, Target};
use evaluator::settle::{Settled, settle};
use evaluator::{Action, Call, Caller, Cwd, Verdict, notice};

use super::State;
use super::asked::Asked;
use super::path::{Named, lead};
use crate::act::set_errno;
use crate::escalate::Word;
use crate::escalate::operation::Reason;
use crate::images::Layers;
use crate::judge::{self, Desk, Digest, Memory, Parts, Record, desk_parts};
use crate::observe::{Stage, process};
use crate::on_stack::on_stack;
use crate::snapshot::Mode;
use crate::strings::{AnyPath, LongPath, Vector};
use crate::sys::{self, Errno};
use crate::world::{CountedBy, Files};

/// Longest path that the kernel takes.
const PATH: usize = 4096;

/// Longest path and directory that are tried with the small arenas, in bytes.
const QUICK: usize = 512;

/// One call to be judged.
#[derive(Clone, Copy)]
pub struct Operation<'a> {
    /// The function that was called.
    pub hook: &'static str,
    /// The tool class of rules.
    pub tool: &'static str,
    /// The file that it is about.
    pub named: Option<Named<'a>>,
    /// The addresses that it is about; the stricter answer counts. Empty ones are none.
    pub urls: [&'a [u8]; 2],
}

struct Job<'a> {
    state: &'a State,
    operation: &'a Operation<'a>,
    memory: Option<&'a Memory>,
    /// `None` until there is a verdict.
    permitted: Option<bool>,
    /// The rules that have counted it.
    counted: &'a Cell<CountedBy>,
    /// Who was asked about it.
    asked: &'a Asked,
    /// What a service said that was asked.
    reason: &'a [u8],
    /// What the tree comes by with it.
    taint: Cell<u8>,
}

/// The end of a call that is not permitted is an error.
fn concluded(permitted: bool) -> bool {
    if !permitted {
        set_errno(Errno(libc::EACCES));
    }
    permitted
}

impl State {
    /// Whether `operation` may go ahead. What is not permitted was said and recorded, or a signal has ended
    /// it, which `errno` says.
    #[inline(never)]
    pub fn permits(&self, operation: &Operation<'_>) -> bool {
        let (counted, asked) = (Cell::new([0; 4]), Asked::default());
        let permitted = self.judge(operation, &counted, &asked, b"");
        match asked.is_waited_for() {
            true => self.permits_once_heard(operation, &counted, &asked),
            false => concluded(permitted),
        }
    }

    /// The same once somebody has answered: the verdict is made again, and knows it. In a frame of its own,
    /// which other calls do without.
    #[cold]
    #[inline(never)]
    fn permits_once_heard(
        &self,
        operation: &Operation<'_>,
        counted: &Cell<CountedBy>,
        asked: &Asked,
    ) -> bool {
        let mut reason = Reason::new();
        while asked.is_waited_for() {
            if asked.hear(&mut reason).is_none() {
                return false;
            }
            let permitted = self.judge(operation, counted, asked, reason.as_bytes());
            if !asked.is_waited_for() {
                return concluded(permitted);
            }
        }
        concluded(false)
    }

    /// One verdict on all of `operation`. It is none yet where it leaves something to be heard.
    #[inline(never)]
    fn judge(
        &self,
        operation: &Operation<'_>,
        counted: &Cell<CountedBy>,
        asked: &Asked,
        reason: &[u8],
    ) -> bool {
        let path = operation.named.map_or(0, |named| named.path.to_bytes().len());
        let input = operation.urls.iter().fold(path, |sum, url| sum.saturating_add(url.len()));
        let taint = Cell::new(0);
        let mut job = Job {
            state: self,
            operation,
            memory: None,
            permitted: None,
            counted,
            asked,
            reason,
            taint,
        };
        if let Some(desk) = Desk::take(input, 1) {
            // SAFETY: the stack is this verdict's alone, 16-byte aligned, and ends where the rest
            // starts; `run_at` gets the job that it expects and does not unwind.
            unsafe { on_stack((&raw mut job).cast(), run_at, desk.stack_top()) };
        }
        if let Some(permitted) = job.permitted {
            return permitted;
        }
        let rules = self.snapshot.images().iter().map(|slot| slot.rules()).sum();
        // Where a path leads may be longer than it is.
        let Ok(memory) = Memory::new(input.saturating_add(2 * PATH), 1, rules, true) else {
            return self.snapshot.fail_open == Some(true);
        };
        job.memory = Some(&memory);
        // SAFETY: the stack is the memory's own, 16-byte aligned and used by this call only, and
        // `run` gets the job that it expects and does not unwind.
        unsafe { on_stack((&raw mut job).cast(), run, memory.stack_top()) };
        job.permitted.unwrap_or(false)
    }
}

extern "C" fn run(job: *mut c_void, _: *mut u8) {
    // SAFETY: `permits` passes a `Job` that nothing else uses meanwhile.
    let job = unsafe { &mut *job.cast::<Job<'_>>() };
    let Some(memory) = job.memory else {
        return;
    };
    // SAFETY: once for each memory.
    let parts = unsafe { memory.parts() };
    job.permitted = parts.and_then(|mut parts| deliberate(job, &mut parts));
}

extern "C" fn run_at(job: *mut c_void, room: *mut u8) {
    // SAFETY: `permits` passes a `Job` that nothing else uses meanwhile.
    let job = unsafe { &mut *job.cast::<Job<'_>>() };
    // SAFETY: so many bytes are ours, and outlive the parts.
    let parts = unsafe { desk_parts(room) };
    job.permitted = parts.and_then(|mut parts| deliberate(job, &mut parts));
}

/// The verdict, and what the tree comes by if it goes ahead: only then, for the call may be judged by a
/// name and by a number, and what it brings itself has no part in that. `None` if the memory does not do.
fn deliberate(job: &Job<'_>, parts: &mut Parts<'_>) -> Option<bool> {
    let permitted = turns(job, parts)?;
    if permitted {
        job.state.comes_by(job.taint.get());
    }
    Some(permitted)
}

/// Every verdict on the call; `None` if the memory does not do.
#[inline(never)]
fn turns(job: &Job<'_>, parts: &mut Parts<'_>) -> Option<bool> {
    let began_us = sys::monotonic_time();
    let mut layers = Layers::new();
    layers.load(job.state.snapshot, false)?;
    let turn = Turn { job, layers: &layers, began_us };
    let Some(named) = job.operation.named else {
        let mut permitted = true;
        for url in job.operation.urls.iter().filter(|url| !url.is_empty()) {
            permitted = permitted && turn.take(parts, None, Some(url))?;
        }
        return Some(permitted);
    };
    let path = named.path.to_bytes();
    let mut spelled = LongPath::new();
    let is_elsewhere = named.dir != libc::AT_FDCWD && path.first() != Some(&b'/');
    let text = match is_elsewhere {
        false => path,
        true => match named.base(&mut spelled).map(drop) {
            Ok(()) => spelled.push(b"/").and_then(|it| it.push(path))?.as_bytes(),
            // There is no such directory: the call fails by itself.
            Err(_) => return Some(true),
        },
    };
    if !turn.take(parts, Some(text), None)? {
        return Some(false);
    }
    real(&turn, parts, &named, text)
}

/// The second turn, for where the path leads.
#[inline(never)]
fn real(turn: &Turn<'_>, parts: &mut Parts<'_>, named: &Named<'_>, text: &[u8]) -> Option<bool> {
    let (mut real, mut spare) = (LongPath::new(), LongPath::new());
    match lead(named, &mut real, Some(&mut spare)) {
        Ok(()) if real.as_bytes() != text => turn.take(parts, Some(real.as_bytes()), None),
        // It leads nowhere, or is what it says.
        _ => Some(true),
    }
}

/// What all verdicts on one call share.
struct Turn<'a> {
    job: &'a Job<'a>,
    layers: &'a Layers,
    began_us: u64,
}

impl Turn<'_> {
    /// One verdict; `None` if the memory does not do.
    #[inline(never)]
    fn take(&self, parts: &mut Parts<'_>, path: Option<&[u8]>, url: Option<&[u8]>) -> Option<bool> {
        let Job { state, operation, .. } = self.job;
        let snapshot = state.snapshot;
        let Parts { event, notice, quick, full, paths: [cwd, spare] } = parts;
        let is_attempt = full.is_none();
        let cwd = directory(cwd)?;
        let room = match cwd {
            Cwd::Known(cwd) => cwd.len(),
            Cwd::Unknown | Cwd::OnDemand => 0,
        };
        let is_quick = room.max(path.map_or(0, <[u8]>::len)) <= QUICK;
        if is_attempt && !is_quick {
            return None;
        }
        // SAFETY: libc's environment.
        let env = unsafe { Vector::new(process::environment()) };
        let request = Request {
            tool: operation.tool.as_bytes(),
            call: Call::Operation {
                hook: operation.hook,
                program: state.program_name().to_bytes(),
            },
            cwd,
            env: &env,
            target: Target { resolved: state.resolved_program(), ..Target::default() },
            caller: Caller {
                agent: snapshot.agent,
                session: snapshot.session,
                agent_depth: snapshot.agent_depth,
            },
            path,
            url,
            params: &NoParams,
        };
        let world = Files::at(Stage::Before, snapshot).of_operation(
            &state.counts,
            self.job.counted,
            !state.is_confined(),
        );
        let images = self.layers.images();
        let quick = quick.as_mut().filter(|_| is_quick);
        let mut verdict = judge::verdict(images, &request, &world, quick, full.as_mut())?;
        let alone = settle(&verdict, snapshot.fail_open);
        let asked = self.job.asked;
        let Some((settled, word)) =
            state.settled(asked, (&request, self.layers), (&verdict, alone))
        else {
            return Some(false);
        };
        if !settled.permitted && !is_attempt {
            with_reason(&mut verdict, self.job.reason, spare);
        }
        let said = Said { request: &request, verdict: &verdict, settled, word };
        self.conclude(&said, event, notice, is_attempt)
    }

    /// What a verdict comes to, said and recorded; `None` if the memory does not do.
    #[inline(never)]
    fn conclude(
        &self,
        said: &Said<'_>,
        event: &mut [u8],
        notice: &mut [u8],
        is_attempt: bool,
    ) -> Option<bool> {
        let Job { state, operation, .. } = self.job;
        let Said { request, verdict, settled, word } = said;
        let snapshot = state.snapshot;
        if settled.permitted || snapshot.mode == Mode::Monitor {
            self.job.taint.set(self.job.taint.get() | verdict.taint);
        }
        let outcome = match (settled.permitted, snapshot.mode) {
            (false, Mode::Monitor) => Outcome::NotEnforced,
            (false, _) => Outcome::Denied,
            (true, _) if verdict.action == Action::Allow => return Some(true),
            (true, _) => Outcome::Allowed,
        };
        if outcome == Outcome::Denied && is_attempt {
            return None;
        }
        let mut digest = Digest::new();
        digest.add(operation.tool.as_bytes());
        digest.add(verdict.policy);
        digest.add(b"/");
        digest.add(verdict.rule);
        digest.add(&[verdict.action as u8, verdict.reason as u8]);
        if !state.quiet.may_speak(digest.0, sys::coarse_time()) {
            return Some(outcome != Outcome::Denied);
        }
        let time_us = sys::wall_time();
        let mut record = Record {
            snapshot,
            hook: operation.hook,
            request,
            verdict,
            settled,
            word: word.as_str(),
            id: judge::new_id(time_us),
            time_us,
            began_us: self.began_us,
            is_fallback: self.layers.is_fallback,
            is_attempt,
        };
        record.write(outcome, event)?;
        if outcome == Outcome::Denied {
            let len = notice::denial(notice, verdict, request, settled, &record.id);
            let _ = sys::write(2, notice.get(..len).unwrap_or(&[]));
        }
        Some(outcome != Outcome::Denied)
    }
}

/// A verdict and what it comes to.
struct Said<'a> {
    request: &'a Request<'a>,
    verdict: &'a Verdict<'a>,
    settled: Settled,
    word: Word,
}

/// The rule's message, and behind it what a service said that was asked, put together in `room`.
#[inline(never)]
fn with_reason<'a>(verdict: &mut Verdict<'a>, reason: &[u8], room: &'a mut AnyPath) {
    if reason.is_empty() {
        return;
    }
    room.truncate(0);
    let parts = [verdict.message, b" (the service: ", reason, b")"];
    if parts.iter().all(|part| room.push(part).is_some()) {
        verdict.message = room.as_bytes();
    }
}

/// The working directory; `None` if there is no room for it.
fn directory(buffer: &mut AnyPath) -> Option<Cwd<'_>> {
    let is_known = sys::current_dir(buffer).is_ok_and(|path| path.starts_with(b"/"));
    match is_known {
        true => Some(Cwd::Known(buffer.as_bytes())),
        false if buffer.lacked_room() => None,
        false => Some(Cwd::Unknown),
    }
}

impl State {
    fn resolved_program(&self) -> Option<&[u8]> {
        Some(self.program.as_bytes()).filter(|path| !path.is_empty())
    }
}
