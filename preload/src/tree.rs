//! What a process inherits from its tree, and what the first process of a tree fixes for all that
//! follow: an id, absolute paths of the library, the policy images and the audit directory.
//! Everything ends up in one place, written once: beside the library's other data, where that page
//! is there already, or else in a mapping, read-only from then on.

use core::cell::UnsafeCell;
use core::ffi::CStr;
use core::sync::atomic::{AtomicBool, Ordering};

use crate::images::Slot;
use crate::next::{self, Next};
use crate::observe::process;
use crate::snapshot::{MAX_IMAGES, MAX_VARS, Mode, Snapshot};
use crate::strings::Vector;
use crate::sys;
use crate::warn;

mod root;

use root::Root;

/// Room for the strings that the first process of a tree makes.
const ROOM: usize = 32 * 1024;

/// Where the snapshot lies in every process but the first of a tree, if there is room: a mapping
/// would cost each of them three system calls and a page.
static SHELF: Shelf =
    Shelf { room: UnsafeCell::new([0; SHELF_ROOM]), is_taken: AtomicBool::new(false) };

/// With it, the library's data still fits on the two pages that the loader touches anyway.
const SHELF_ROOM: usize = 3584;

#[repr(C, align(16))]
struct Shelf {
    room: UnsafeCell<[u8; SHELF_ROOM]>,
    is_taken: AtomicBool,
}

// SAFETY: whoever sets `is_taken` is the only one to use the room, for good.
unsafe impl Sync for Shelf {}

const PREFIX: &[u8] = b"RAMPART_";

/// Reads `env`, and fixes what it leaves open. `None` if there is no memory.
pub fn read(env: Vector<'_>) -> Option<&'static Snapshot> {
    let source = Source { env, trusted: !process::is_privileged() };
    if env.value(b"RAMPART_TREE").is_some() && !SHELF.is_taken.swap(true, Ordering::Relaxed) {
        // SAFETY: the room is taken for this, once.
        let written = unsafe { source.write(SHELF.room.get().cast(), SHELF_ROOM) };
        if let Some((snapshot, problem)) = written {
            tell(snapshot, problem);
            return Some(snapshot);
        }
    }
    let strings = source.inherited().fold(ROOM, |sum, entry| sum.saturating_add(entry.len() + 1));
    let len = strings.saturating_add(size_of::<Snapshot>());
    let start = sys::map_memory(len).ok()?;
    // SAFETY: a fresh mapping of that length.
    let (snapshot, problem) = unsafe { source.write(start, len) }?;
    // SAFETY: our own mapping, which is only read from here on.
    let _ = unsafe { sys::protect(start, len, libc::PROT_READ) };
    tell(snapshot, problem);
    Some(snapshot)
}

fn tell(snapshot: &Snapshot, problem: Option<&[u8]>) {
    if let Some(problem) = problem {
        warn::once(snapshot, &[problem, b"; events go to ", snapshot.audit_dir]);
    }
}

/// A snapshot, and what is wrong with its audit directory.
type Written = (&'static Snapshot, Option<&'static [u8]>);

/// What a snapshot is made from.
#[derive(Clone, Copy)]
struct Source<'e> {
    env: Vector<'e>,
    /// Whether the environment may be believed.
    trusted: bool,
}

impl<'e> Source<'e> {
    fn inherited(self) -> impl Iterator<Item = &'e [u8]> {
        self.env.iter().filter(move |entry| self.trusted && entry.starts_with(PREFIX))
    }

    /// Writes the snapshot and its strings to the `len` bytes at `start`. `None` if they do not
    /// fit.
    ///
    /// # Safety
    /// The bytes are writable, aligned to 16, and nobody else's, for good.
    unsafe fn write(self, start: *mut u8, len: usize) -> Option<Written> {
        let place = start.cast::<Snapshot>();
        let mut pen =
            Pen { next: start.wrapping_add(size_of::<Snapshot>()), end: start.wrapping_add(len) };
        let mut vars = Vars { all: [c""; MAX_VARS], count: 0 };
        for entry in self.inherited() {
            vars.add(pen.string(&[entry])?);
        }
        let root = Root { env: self.env, vars: &mut vars, pen: &mut pen };
        let (audit_dir, problem) = root.fix(self.trusted)?;
        let snapshot = assemble(&vars, &mut pen, audit_dir, is_alone(self.env))?;
        // SAFETY: the caller's promise; `Pen` starts behind it.
        let snapshot: &'static mut Snapshot = unsafe {
            place.write(snapshot);
            &mut *place
        };
        if let Some(list) = vars.value(b"RAMPART_IMAGE") {
            open_images(snapshot, list, &mut pen)?;
        }
        Some((snapshot, problem))
    }
}

/// Whether `LD_PRELOAD` names at most one library, which then is this one.
fn is_alone(env: Vector<'_>) -> bool {
    let list = env.value(b"LD_PRELOAD").unwrap_or(&[]);
    let names = list.split(|byte| matches!(byte, b' ' | b':'));
    names.filter(|name| !name.is_empty()).count() <= 1
}

fn assemble(
    vars: &Vars,
    pen: &mut Pen,
    audit_dir: &'static [u8],
    is_alone: bool,
) -> Option<Snapshot> {
    let value = |name: &[u8]| vars.value(name).unwrap_or(&[]);
    let library = value(b"RAMPART_LIB");
    let depth = value(b"RAMPART_AGENT_DEPTH");
    let depth_len = depth.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let depth = number(depth.get(..depth_len).unwrap_or(&[])).unwrap_or(0);
    Some(Snapshot {
        pid: sys::process_id(),
        mode: match value(b"RAMPART_MODE") {
            b"disabled" => Mode::Disabled,
            b"monitor" => Mode::Monitor,
            _ => Mode::Enforce,
        },
        deny_by_errno: value(b"RAMPART_ON_DENY") == b"errno",
        is_supervised: value(b"RAMPART_SUPERVISED") == b"1",
        fail_open: match value(b"RAMPART_FAIL_OPEN") {
            b"1" => Some(true),
            b"0" => Some(false),
            _ => None,
        },
        asks_evaluator: value(b"RAMPART_EVALUATOR") == b"socket",
        is_glibc: next::is_glibc(),
        next: Next::find(is_alone),
        preload: pen.string(&[b"LD_PRELOAD=", library])?,
        library: pen.string(&[library])?,
        helper: pen.string(&[value(b"RAMPART_HELPER")])?,
        socket: value(b"RAMPART_SOCKET"),
        audit_dir,
        tree: value(b"RAMPART_TREE"),
        agent: value(b"RAMPART_AGENT"),
        session: value(b"RAMPART_SESSION"),
        since: number(value(b"RAMPART_SINCE")),
        agent_depth: u32::try_from(depth).unwrap_or(u32::MAX),
        vars: vars.all,
        var_count: vars.count,
        images: [Slot::built_in(); MAX_IMAGES],
        image_count: 1,
    })
}

/// The number that `text` is in decimal digits; what is too large is the largest.
fn number(text: &[u8]) -> Option<u64> {
    let is_plain = !text.is_empty() && text.iter().all(u8::is_ascii_digit);
    is_plain.then(|| {
        text.iter().fold(0_u64, |sum, digit| {
            sum.saturating_mul(10).saturating_add(u64::from(digit.wrapping_sub(b'0')))
        })
    })
}

/// Opens the images that `list` names, separated by colons. A list that is empty or too long is
/// no list: then the compiled-in policy holds.
fn open_images(snapshot: &mut Snapshot, list: &'static [u8], pen: &mut Pen) -> Option<()> {
    let paths = || list.split(|byte| *byte == b':').filter(|path| !path.is_empty());
    let count = paths().count();
    if count > MAX_IMAGES {
        let message = b"RAMPART_IMAGE names more than 8 policy images; the built-in standard policy holds in their place";
        warn::once(snapshot, &[message]);
        return Some(());
    }
    if list.len() >= pen.room() {
        return None;
    }
    let mut opened = 0;
    for (slot, path) in snapshot.images.iter_mut().zip(paths()) {
        *slot = Slot::open(pen.string(&[path])?);
        opened += 1;
    }
    if opened == count && count > 0 {
        snapshot.image_count = count;
    }
    Some(())
}

/// The variables that children will get.
struct Vars {
    all: [&'static CStr; MAX_VARS],
    count: usize,
}

impl Vars {
    /// Adds `entry` (`NAME=value`), unless there is one of that name or no room.
    fn add(&mut self, entry: &'static CStr) {
        let bytes = entry.to_bytes();
        let name_len = bytes.iter().position(|byte| *byte == b'=');
        let name = bytes.get(..name_len.unwrap_or(bytes.len())).unwrap_or(&[]);
        if self.value(name).is_none()
            && let Some(slot) = self.all.get_mut(self.count)
        {
            *slot = entry;
            self.count += 1;
        }
    }

    fn value(&self, name: &[u8]) -> Option<&'static [u8]> {
        let known = self.all.iter().take(self.count);
        known
            .map(|entry| entry.to_bytes())
            .find_map(|entry| entry.strip_prefix(name)?.strip_prefix(b"="))
    }

    fn remove(&mut self, name: &[u8]) {
        let is_named = |entry: &&CStr| {
            entry.to_bytes().strip_prefix(name).is_some_and(|rest| rest.starts_with(b"="))
        };
        let known = self.all.get(..self.count).unwrap_or(&[]);
        let Some(index) = known.iter().position(is_named) else {
            return;
        };
        self.count -= 1;
        let last = self.all.get(self.count).copied();
        if let (Some(slot), Some(last)) = (self.all.get_mut(index), last) {
            *slot = last;
        }
    }
}

/// Writes strings that stay, one behind the other.
struct Pen {
    next: *mut u8,
    end: *mut u8,
}

impl Pen {
    /// Bytes that are left.
    fn room(&self) -> usize {
        (self.end as usize).saturating_sub(self.next as usize)
    }

    /// The parts as one C string; `None` if there is no room, or a part holds a NUL.
    fn string(&mut self, parts: &[&[u8]]) -> Option<&'static CStr> {
        let start = self.next;
        let len = parts.iter().fold(0_usize, |sum, part| sum.saturating_add(part.len()));
        if len >= self.room() {
            return None;
        }
        // SAFETY: `len + 1` bytes of the mapping that nothing else uses.
        let room = unsafe { core::slice::from_raw_parts_mut(start, len.saturating_add(1)) };
        let bytes = parts.iter().copied().flatten().chain(&[0]);
        for (to, from) in room.iter_mut().zip(bytes) {
            *to = *from;
        }
        self.next = start.wrapping_add(len).wrapping_add(1);
        CStr::from_bytes_with_nul(room).ok()
    }
}
