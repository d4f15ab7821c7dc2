//! What a running program does itself: it opens, writes and removes files, connects. These are libc
//! calls, too, and we are in the process; so a rule can be about `shutil.rmtree` as about `rm`.
//!
//! Such calls are a thousand times as frequent as starts of programs, which shapes everything here.
//! Where no rule is about them, a hook is a load and a jump to libc's own function ([`entries`]).
//! Where one is, a path is first looked at for four bytes that some rule needs ([`evaluator`]'s
//! `image::gate`), opened so that no symbolic link can lead elsewhere ([`path`]), and judged in full
//! only if a rule may hold ([`verdict`]).
//!
//! The rules that a process has are those of its start: what is taken from the image then stays as
//! long as the process does.

/// libc's function behind an entry, as the type that the context asks for. It has that type, and
/// `entries::settle` stored it before it made the hook a target: to be used, in an unsafe block, in
/// that hook only.
macro_rules! next {
    ($state:ident, $entry:ident as $type:ty) => {
        core::mem::transmute::<usize, $type>(
            $state.libc(crate::operations::entries::Entry::$entry as usize),
        )
    };
}

mod asked;
mod changes;
mod confined;
pub mod counts;
pub mod entries;
mod files;
mod hosts;
mod lookups;
mod network;
mod path;
mod quiet;
mod system_call;
mod verdict;

use core::ffi::{CStr, c_int};
use core::sync::atomic::{
    AtomicBool, AtomicPtr, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering,
};

use evaluator::image::gate::Gate;

use crate::act::{errno, set_errno};
use crate::escalate;
use crate::observe::process;
use crate::snapshot::{MAX_IMAGES, Mode, Snapshot};
use crate::strings::PathBytes;
use crate::sys::{self, Errno};
pub use confined::syscall_seccomp;
use counts::Counts;
use hosts::Hosts;
use quiet::Quiet;
pub use system_call::{syscall_openat, syscall_openat2};

/// What is kept in a process for whose programs there are rules. In a mapping of its own, so that
/// others pay nothing for it.
pub struct State {
    snapshot: &'static Snapshot,
    /// What the rules say in advance, `gate_count` of them: none for images that have no such rules.
    gates: [Gate<'static>; MAX_IMAGES],
    gate_count: usize,
    /// libc's own functions, by the number of the entry; 0 until its first use.
    libc: [AtomicUsize; entries::COUNT],
    /// The file that this program was started from, after every link; empty if that is not known.
    program: PathBytes<1024>,
    /// libc's `pthread_testcancel(3)`; 0 if this libc keeps it elsewhere.
    test_cancel: AtomicUsize,
    /// Whether `openat2(2)` is known to be refused here.
    lacks_openat2: AtomicBool,
    /// Whether another library wants its turn when a file is opened.
    others_open: AtomicBool,
    /// Whether this program has taken system calls away from itself.
    confined: AtomicBool,
    /// What the evaluator knows that this tree has come by, by this process.
    tainted: AtomicU8,
    /// Directories, with the kinds of call for which a rule may hold in them.
    seen: [AtomicU64; path::SEEN],
    /// Directories on the way to which there was a link.
    linked: [AtomicU32; path::LINKED],
    counts: Counts,
    quiet: Quiet,
    hosts: Hosts,
}

// SAFETY: everything that changes is an atomic.
unsafe impl Sync for State {}

/// NULL in a process that has no rules for what it does itself, or has not done anything yet.
static STATE: AtomicPtr<State> = AtomicPtr::new(core::ptr::null_mut());

/// The state, in a judging hook.
fn state() -> Option<&'static State> {
    // SAFETY: what `activate` stored is never freed, and changes only by atomics.
    unsafe { STATE.load(Ordering::Acquire).as_ref() }
}

/// The state of a process that some rule is about; `None` where there is none. Without memory for
/// it, what rules say about this cannot be known: then it is denied, call by call.
fn activate(snapshot: &'static Snapshot) -> Activation {
    if let Some(state) = state() {
        return Activation::Judged(state);
    }
    if snapshot.mode == Mode::Disabled
        || !snapshot.images().iter().any(crate::images::Slot::has_gate)
    {
        return Activation::NoRules;
    }
    let Ok(start) = sys::map_memory(size_of::<State>()) else {
        return Activation::NoMemory;
    };
    let place = start.cast::<State>();
    // SAFETY: a fresh mapping of zeros, for which every field but `snapshot` and `gates` is
    // valid: empty paths and tables. Those are set before the whole is used.
    let made: &'static State = unsafe {
        (&raw mut (*place).snapshot).write(snapshot);
        (&raw mut (*place).gates).write([Gate::default(); MAX_IMAGES]);
        let gates = (&raw mut (*place).gates).cast::<Gate<'static>>();
        let all = snapshot.images().iter().flat_map(crate::images::Slot::gates);
        let mut count = 0_usize;
        for gate in all.take(MAX_IMAGES).filter(|gate| gate.is_about(u32::MAX)) {
            gates.add(count).write(gate);
            count = count.saturating_add(1);
        }
        (&raw mut (*place).gate_count).write(count);
        (*place).program.find_program();
        let test_cancel = snapshot.next.find_in_libc(c"pthread_testcancel");
        (*place).test_cancel.store(test_cancel, Ordering::Relaxed);
        (*place).others_open.store(entries::others_open(&snapshot.next), Ordering::Relaxed);
        &*place
    };
    let none = core::ptr::null_mut();
    let new = core::ptr::from_ref(made).cast_mut();
    match STATE.compare_exchange(none, new, Ordering::AcqRel, Ordering::Acquire) {
        Ok(_) => Activation::Judged(made),
        Err(_) => {
            // Another thread was first.
            // SAFETY: nobody else knows of this mapping.
            unsafe { sys::unmap(start, size_of::<State>()) };
            state().map_or(Activation::NoMemory, Activation::Judged)
        }
    }
}

/// What a process's first operation finds.
enum Activation {
    /// No rule is about it.
    NoRules,
    /// Some are.
    Judged(&'static State),
    /// Some are, and there is no memory to keep that.
    NoMemory,
}

impl PathBytes<1024> {
    fn find_program(&mut self) {
        let _ = sys::read_link(c"/proc/self/exe", self);
    }
}

impl State {
    fn gates(&self) -> &[Gate<'static>] {
        self.gates.get(..self.gate_count).unwrap_or(&self.gates)
    }

    /// Whether some rule is about one of `kinds` (bits of `image::gate::operation`).
    fn is_about(&self, kinds: u32) -> bool {
        self.gates().iter().any(|gate| gate.is_about(kinds))
    }

    /// A point at which a thread may be cancelled, as libc's own open is one (pthreads(7)). Open calls
    /// that wait cannot be cancelled while they do: those are of FIFOs.
    fn cancellation_point(&self) {
        let address = self.test_cancel.load(Ordering::Relaxed);
        // SAFETY: libc's function of that name has this type; 0 is `None`.
        let test =
            unsafe { core::mem::transmute::<usize, Option<unsafe extern "C" fn()>>(address) };
        if let Some(test) = test {
            // SAFETY: called where libc's own open would act on a cancellation.
            unsafe { test() };
        }
    }

    /// Whether each call of one of `kinds` needs a verdict.
    fn is_open(&self, kinds: u32) -> bool {
        self.gates().iter().any(|gate| gate.is_open(kinds))
    }

    /// The kinds of call on a path with this text for which some rule may hold.
    fn may_match(&self, text: &[u8]) -> u32 {
        self.gates().iter().fold(0, |kinds, gate| kinds | gate.may_match(text))
    }

    /// Those for what is in the directory of that name, beside those for its own name: the end of that is
    /// followed by a slash there.
    fn may_match_at_end(&self, directory: &[u8]) -> u32 {
        let mut end = [b'/'; 4];
        for (to, from) in end.iter_mut().rev().skip(1).zip(directory.iter().rev()) {
            *to = *from;
        }
        self.may_match(&end)
    }

    /// Tells the evaluator what this process brings to its tree, each thing once.
    fn comes_by(&self, taint: u8) {
        let is_new = taint & !self.tainted.load(Ordering::Relaxed) != 0;
        if is_new && !self.is_confined() && escalate::taint(self.snapshot, taint).is_some() {
            self.tainted.fetch_or(taint, Ordering::Relaxed);
        }
    }

    /// The file that the program was started from, as it was named.
    fn program_name(&self) -> &'static CStr {
        process::executed_file()
    }

    /// libc's function behind the entry `index`.
    fn libc(&self, index: usize) -> usize {
        self.libc.get(index).map_or(0, |address| address.load(Ordering::Relaxed))
    }
}

/// Ends a call that is not permitted, or that a signal has ended while somebody was asked about it.
fn refuse() -> c_int {
    if errno() != Errno(libc::EINTR) {
        set_errno(Errno(libc::EACCES));
    }
    -1
}
