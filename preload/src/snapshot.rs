//! The only state: what the environment said when the process started. Programs change their
//! environment and overwrite the memory it lay in, so it is copied once, into a mapping that is
//! read-only from then on; everything after reads it through one atomic pointer.

use core::ffi::{CStr, c_char};
use core::sync::atomic::{AtomicBool, AtomicPtr, AtomicU64, Ordering};

use crate::images::Slot;
use crate::next::Next;
use crate::sys::Strings;

/// Most policy layers that a tree can have.
pub const MAX_IMAGES: usize = 8;

/// Most `RAMPART_*` variables that a tree hands down.
pub const MAX_VARS: usize = 48;

/// What a verdict leads to (`RAMPART_MODE`).
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// What the policy denies is not started.
    Enforce,
    /// Everything runs; what would have been denied is recorded as such.
    Monitor,
    /// Nothing is judged. The variables are handed down all the same.
    Disabled,
}

/// What was true when this process started.
pub struct Snapshot {
    /// The process that ran the constructor. Another number means: forked since, and not yet
    /// replaced.
    pub pid: u32,
    /// `RAMPART_MODE`.
    pub mode: Mode,
    /// `RAMPART_ON_DENY=errno`: a denial is an error number, never an exit.
    pub deny_by_errno: bool,
    /// `RAMPART_SUPERVISED`: the kernel puts every start to a supervisor, which records those that we
    /// cannot confirm.
    pub is_supervised: bool,
    /// `RAMPART_FAIL_OPEN`, where set.
    pub fail_open: Option<bool>,
    /// `RAMPART_EVALUATOR=socket`: what the policy lets go is put to the evaluator, too.
    pub asks_evaluator: bool,
    /// Whether libc is glibc (else musl).
    pub is_glibc: bool,
    /// libc's own functions.
    pub next: Next,
    /// `LD_PRELOAD=` and the library's absolute path.
    pub preload: &'static CStr,
    /// The library's absolute path: also the stub.
    pub library: &'static CStr,
    /// The helper's absolute path (`RAMPART_HELPER`); empty if there is none.
    pub helper: &'static CStr,
    /// The evaluator's socket, absolute (`RAMPART_SOCKET`); empty if there is none.
    pub socket: &'static [u8],
    /// Where events go; empty if there is no place for them.
    pub audit_dir: &'static [u8],
    /// `RAMPART_TREE`.
    pub tree: &'static [u8],
    /// `RAMPART_AGENT`.
    pub agent: &'static [u8],
    /// `RAMPART_SESSION`.
    pub session: &'static [u8],
    /// When the tree has started, in milliseconds since the Unix epoch (`RAMPART_SINCE`), where that is
    /// known.
    pub since: Option<u64>,
    /// `RAMPART_AGENT_DEPTH`.
    pub agent_depth: u32,
    /// Every `RAMPART_NAME=value` that children get.
    pub vars: [&'static CStr; MAX_VARS],
    /// How many of `vars` there are.
    pub var_count: usize,
    /// The policy layers, lowest first.
    pub images: [Slot; MAX_IMAGES],
    /// How many of `images` there are.
    pub image_count: usize,
}

impl Snapshot {
    /// Every variable that children get.
    pub fn vars(&self) -> &[&'static CStr] {
        self.vars.get(..self.var_count).unwrap_or(&[])
    }

    /// The value of one of them, by its name and `=`.
    pub fn value(&self, name: &[u8]) -> Option<&'static [u8]> {
        self.vars().iter().find_map(|entry| entry.to_bytes().strip_prefix(name))
    }

    /// The policy layers, lowest first.
    pub fn images(&self) -> &[Slot] {
        self.images.get(..self.image_count).unwrap_or(&[])
    }
}

static CURRENT: AtomicPtr<Snapshot> = AtomicPtr::new(core::ptr::null_mut());
static WARNED: AtomicBool = AtomicBool::new(false);
static LAST_DENIAL: AtomicU64 = AtomicU64::new(0);

static INITIAL_ENVIRONMENT: AtomicPtr<*const c_char> = AtomicPtr::new(core::ptr::null_mut());

/// The environment that the kernel passed: what there is before glibc has set `environ`.
pub fn initial_environment() -> Strings {
    INITIAL_ENVIRONMENT.load(Ordering::Relaxed)
}

/// Notes the environment that the kernel passed.
pub fn note_environment(env: Strings) {
    INITIAL_ENVIRONMENT.store(env.cast_mut(), Ordering::Relaxed);
}

/// The snapshot, once the constructor has made it.
pub fn current() -> Option<&'static Snapshot> {
    // SAFETY: what `publish` stored is never freed or changed.
    unsafe { CURRENT.load(Ordering::Acquire).as_ref() }
}

/// Makes `snapshot` the process's state, unless there is one already.
pub fn publish(snapshot: &'static Snapshot) {
    let new = core::ptr::from_ref(snapshot).cast_mut();
    let none = core::ptr::null_mut();
    let _ = CURRENT.compare_exchange(none, new, Ordering::Release, Ordering::Relaxed);
}

/// Whether a warning was printed in this process, so that its children need not repeat it.
pub fn has_warned() -> bool {
    WARNED.load(Ordering::Relaxed)
}

/// Marks that a warning was printed; whether this is the first.
pub fn mark_warned() -> bool {
    !WARNED.swap(true, Ordering::Relaxed)
}

/// Whether the last denial was of the same `call` (a digest of process and arguments) for another
/// `file`, within the last second. Programs that search `PATH` themselves try the next directory
/// when they are refused: what was just said is not said again. The one exception to write-once
/// state; a lost update repeats a line.
pub fn is_repeated(call: u64, file: u64, now_ms: u64) -> bool {
    const TIME: u64 = 0xffff;
    const CALL: u64 = 0xffff_ff00_0000_0000;
    const FILE: u64 = !(TIME | CALL);
    let entry = (call & CALL) | (file & FILE) | (now_ms & TIME);
    let last = LAST_DENIAL.swap(entry, Ordering::Relaxed);
    let age = now_ms.wrapping_sub(last) & TIME;
    (last ^ entry) & CALL == 0 && (last ^ entry) & FILE != 0 && age < 1000
}
