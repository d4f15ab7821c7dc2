//! What a process inherits from its tree, and what the first process of a tree fixes for all that
//! follow: an id, absolute paths of the library, the policy images and the audit directory.
//! Everything ends up in one mapping, read-only from then on.

use core::ffi::CStr;

use evaluator::event;

use crate::images::Slot;
use crate::next::{self, Next};
use crate::observe::process;
use crate::snapshot::{MAX_IMAGES, MAX_VARS, Mode, Snapshot};
use crate::spool;
use crate::strings::{LongPath, PathBytes, Vector};
use crate::sys::{self, Errno};
use crate::warn;

use libc::AT_FDCWD;

/// Room for the strings that the first process of a tree makes.
const ROOM: usize = 32 * 1024;

/// Most bytes in the list of image paths.
const IMAGE_LIST: usize = 8192;

const PREFIX: &[u8] = b"RAMPART_";

/// Reads `env`, and fixes what it leaves open. `None` if there is no memory.
pub fn read(env: Vector<'_>) -> Option<&'static Snapshot> {
    let trusted = !process::is_privileged();
    let inherited = || env.iter().filter(|entry| trusted && entry.starts_with(PREFIX));
    let strings = inherited().fold(ROOM, |sum, entry| sum.saturating_add(entry.len() + 1));
    let len = strings.saturating_add(size_of::<Snapshot>());
    let start = sys::map_memory(len).ok()?;
    let place = start.cast::<Snapshot>();
    let mut pen =
        Pen { next: start.wrapping_add(size_of::<Snapshot>()), end: start.wrapping_add(len) };
    let mut vars = Vars { all: [c""; MAX_VARS], count: 0 };
    for entry in inherited() {
        vars.add(pen.string(&[entry])?);
    }
    let root = Root { env, vars: &mut vars, pen: &mut pen };
    let (audit_dir, problem) = root.fix(trusted)?;
    let snapshot = assemble(&vars, &mut pen, audit_dir, is_alone(env))?;
    // SAFETY: the start of a fresh mapping, aligned to a page and large enough.
    let snapshot: &'static mut Snapshot = unsafe {
        place.write(snapshot);
        &mut *place
    };
    if let Some(list) = vars.value(b"RAMPART_IMAGE") {
        open_images(snapshot, list, &mut pen);
    }
    // SAFETY: our own mapping, which is only read from here on.
    let _ = unsafe { sys::protect(start, len, libc::PROT_READ) };
    if let Some(problem) = problem {
        warn::once(snapshot, &[problem, b"; events go to ", snapshot.audit_dir]);
    }
    Some(snapshot)
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
    let depth = value(b"RAMPART_AGENT_DEPTH").iter();
    Some(Snapshot {
        pid: sys::process_id(),
        mode: match value(b"RAMPART_MODE") {
            b"disabled" => Mode::Disabled,
            b"monitor" => Mode::Monitor,
            _ => Mode::Enforce,
        },
        deny_by_errno: value(b"RAMPART_ON_DENY") == b"errno",
        fail_open: match value(b"RAMPART_FAIL_OPEN") {
            b"1" => Some(true),
            b"0" => Some(false),
            _ => None,
        },
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
        agent_depth: depth.take_while(|byte| byte.is_ascii_digit()).fold(0_u32, |sum, digit| {
            sum.saturating_mul(10).saturating_add(u32::from(digit.wrapping_sub(b'0')))
        }),
        vars: vars.all,
        var_count: vars.count,
        images: [Slot::built_in(); MAX_IMAGES],
        image_count: 1,
    })
}

/// Opens the images that `list` names, separated by colons. A list that is empty or too long is
/// no list: then the compiled-in policy holds.
fn open_images(snapshot: &mut Snapshot, list: &'static [u8], pen: &mut Pen) {
    let paths = || list.split(|byte| *byte == b':').filter(|path| !path.is_empty());
    let count = paths().count();
    if count > MAX_IMAGES {
        let message = b"RAMPART_IMAGE names more than 8 policy images; the built-in standard policy holds in their place";
        warn::once(snapshot, &[message]);
        return;
    }
    let mut opened = 0;
    for (slot, path) in snapshot.images.iter_mut().zip(paths()) {
        let Some(path) = pen.string(&[path]) else {
            break;
        };
        *slot = Slot::open(path);
        opened += 1;
    }
    if opened == count && count > 0 {
        snapshot.image_count = count;
    }
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
    /// The parts as one C string; `None` if there is no room, or a part holds a NUL.
    fn string(&mut self, parts: &[&[u8]]) -> Option<&'static CStr> {
        let start = self.next;
        let len = parts.iter().fold(0_usize, |sum, part| sum.saturating_add(part.len()));
        if len >= (self.end as usize).saturating_sub(start as usize) {
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

/// Fixes what the environment leaves open.
struct Root<'r, 'e> {
    env: Vector<'e>,
    vars: &'r mut Vars,
    pen: &'r mut Pen,
}

impl Root<'_, '_> {
    /// Makes every variable of the tree definite. Returns the audit directory, and what is wrong
    /// with it. A process with privileges of its own (`AT_SECURE`) writes nowhere: the
    /// environment is its caller's.
    fn fix(self, trusted: bool) -> Option<(&'static [u8], Option<&'static [u8]>)> {
        let is_set = |name| self.vars.value(name).is_some();
        let library = self.vars.value(b"RAMPART_LIB");
        match self.vars.value(b"RAMPART_AUDIT_DIR") {
            // What a process inherits in a tree: nothing is left open.
            Some(dir)
                if is_set(b"RAMPART_TREE")
                    && library.is_some_and(|path| path.starts_with(b"/")) =>
            {
                Some((dir, None))
            }
            _ => self.found(trusted),
        }
    }

    /// The first process of a tree. Apart from the usual case, whose frame stays small.
    #[inline(never)]
    fn found(mut self, trusted: bool) -> Option<(&'static [u8], Option<&'static [u8]>)> {
        let is_root = self.vars.value(b"RAMPART_TREE").is_none();
        let mut cwd = LongPath::new();
        let cwd = if is_root { sys::current_dir(&mut cwd).unwrap_or(&[]) } else { &[] };
        if is_root {
            self.vars.remove(b"RAMPART_LIB");
            self.vars.remove(b"RAMPART_WARNED");
            self.set(b"RAMPART_TREE=", &new_tree_id())?;
            self.absolute_images(cwd)?;
        }
        if self.vars.value(b"RAMPART_LIB").is_none_or(|path| !path.starts_with(b"/")) {
            let mut path = LongPath::new();
            process::own_library(cwd, &mut path)?;
            self.set(b"RAMPART_LIB=", path.as_bytes())?;
        }
        if is_root && trusted {
            self.second_party(cwd)?;
        }
        match self.vars.value(b"RAMPART_AUDIT_DIR") {
            _ if !trusted => Some((b"", None)),
            Some(dir) if !is_root => Some((dir, None)),
            given => self.audit_dir(cwd, given),
        }
    }

    /// Fixes who asks for us, and whom: the helper that was given, else the command beside the
    /// library or where both are installed; the evaluator's socket that was given, else the one of
    /// the user's daemon, else of the machine's. Either may come to be there later.
    #[inline(never)]
    fn second_party(&mut self, cwd: &[u8]) -> Option<()> {
        let given = self.vars.value(b"RAMPART_HELPER");
        let library = self.vars.value(b"RAMPART_LIB").unwrap_or(&[]);
        let dir_len = library.iter().rposition(|byte| *byte == b'/').unwrap_or(0);
        let dir = library.get(..dir_len).unwrap_or(&[]);
        let own = [&b"/rampart"[..], b"/../../bin/rampart", b"/../bin/rampart"];
        let mut helper = LongPath::new();
        let is_there = match given {
            Some(given) => absolute(&mut helper, cwd, given).is_some(),
            None => own.into_iter().any(|end| {
                helper.truncate(0);
                let path = helper.push(dir).and_then(|path| path.push(end));
                path.is_some_and(|path| {
                    sys::may_execute(AT_FDCWD, path.as_c_str().as_ptr(), 0).is_ok()
                })
            }),
        };
        if is_there {
            self.set(b"RAMPART_HELPER=", helper.as_bytes())?;
        }
        let mut socket = LongPath::new();
        let runtime = self.env.value(b"XDG_RUNTIME_DIR").filter(|dir| dir.starts_with(b"/"));
        let named = match (self.vars.value(b"RAMPART_SOCKET"), runtime) {
            (Some(given), _) => absolute(&mut socket, cwd, given),
            (None, Some(dir)) => socket.push(dir)?.push(b"/rampart/evaluator.sock").map(drop),
            (None, None) if sys::effective_user() == 0 => {
                socket.push(b"/run/rampart/evaluator.sock").map(drop)
            }
            (None, None) => None,
        };
        if named.is_some() {
            self.set(b"RAMPART_SOCKET=", socket.as_bytes())?;
        }
        Some(())
    }

    fn set(&mut self, name: &[u8], value: &[u8]) -> Option<&'static [u8]> {
        let entry = self.pen.string(&[name, value])?;
        self.vars.remove(name.strip_suffix(b"=")?);
        self.vars.add(entry);
        entry.to_bytes().strip_prefix(name)
    }

    fn absolute_images(&mut self, cwd: &[u8]) -> Option<()> {
        let Some(list) = self.vars.value(b"RAMPART_IMAGE") else {
            return Some(());
        };
        let mut absolute = PathBytes::<IMAGE_LIST>::new();
        for path in list.split(|byte| *byte == b':').filter(|path| !path.is_empty()) {
            if !absolute.as_bytes().is_empty() {
                let _ = absolute.push(b":")?;
            }
            if !path.starts_with(b"/") {
                let _ = absolute.push(cwd)?.push(b"/")?;
            }
            let _ = absolute.push(path)?;
        }
        self.set(b"RAMPART_IMAGE=", absolute.as_bytes()).map(drop)
    }

    /// The audit directory, created if need be: the one that was given, else below the state
    /// directory of the user (XDG Base Directory Specification), else a private stand-in.
    fn audit_dir(
        &mut self,
        cwd: &[u8],
        given: Option<&[u8]>,
    ) -> Option<(&'static [u8], Option<&'static [u8]>)> {
        let mut dir = spool::Path::new();
        let state = self.env.value(b"XDG_STATE_HOME").filter(|dir| dir.starts_with(b"/"));
        let home = self.env.value(b"HOME").filter(|dir| dir.starts_with(b"/"));
        let named = match (given, state, home) {
            (Some(given), _, _) if given.starts_with(b"/") => dir.push(given),
            (Some(given), _, _) => dir.push(cwd)?.push(b"/")?.push(given),
            (None, Some(state), _) => dir.push(state)?.push(b"/rampart/audit"),
            (None, None, Some(home)) => dir.push(home)?.push(b"/.local/state/rampart/audit"),
            (None, None, None) => None,
        };
        let problem: &[u8] = if named.is_some() {
            if make_dirs(dir.as_bytes()).is_ok() {
                return Some((self.set(b"RAMPART_AUDIT_DIR=", dir.as_bytes())?, None));
            }
            b"the audit directory cannot be created"
        } else {
            b"there is no HOME to keep the audit log in"
        };
        if spool::private_dir(&mut dir).is_none() {
            // Kept as it is: the first event will say that it is lost.
            return Some((self.set(b"RAMPART_AUDIT_DIR=", b"/nonexistent")?, None));
        }
        let dir = self.set(b"RAMPART_AUDIT_DIR=", dir.as_bytes())?;
        Some((dir, Some(problem)))
    }
}

/// Puts `path` into `out`, absolute. `None` if it is empty or does not fit.
fn absolute(out: &mut LongPath, cwd: &[u8], path: &[u8]) -> Option<()> {
    if !path.starts_with(b"/") {
        let _ = out.push(cwd)?.push(b"/")?;
    }
    out.push(path).filter(|_| !path.is_empty()).map(drop)
}

fn new_tree_id() -> [u8; 26] {
    let mut random = [0; 10];
    sys::random(&mut random);
    event::ulid(sys::wall_time() / 1000, random)
}

/// Creates `dir` and what is missing above it, each 0700.
fn make_dirs(dir: &[u8]) -> Result<(), Errno> {
    let ends = dir.iter().enumerate().skip(1).filter(|(_, byte)| **byte == b'/');
    let make = |end: usize| {
        let mut path = spool::Path::new();
        let part = dir.get(..end).unwrap_or(dir);
        let path = path.push(part).ok_or(Errno(libc::ENAMETOOLONG))?;
        match sys::make_dir(path.as_c_str(), 0o700) {
            Err(Errno(libc::EEXIST)) => Ok(()),
            other => other,
        }
    };
    if make(dir.len()).is_ok() {
        return Ok(());
    }
    for (end, _) in ends {
        let _ = make(end);
    }
    make(dir.len())
}
