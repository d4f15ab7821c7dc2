//! The environment of every child: exactly one `LD_PRELOAD` that holds us, the tree's `RAMPART_*`
//! and no others, everything else byte for byte. Emptying, unsetting or editing the environment
//! therefore changes nothing for the guard.
//!
//! An environment that is already right is passed on as it is. Otherwise a new array of pointers
//! is made. It must live through the exec, so it lies on the caller's stack up to 256 entries; a
//! longer one is mapped, and that mapping stays behind in the parent of a `vfork` child.

use core::ffi::{CStr, c_char};

use crate::snapshot::{self, MAX_VARS, Snapshot};
use crate::strings::{PathBytes, Vector};
use crate::sys::{self, Strings};
use crate::warn;

const PRELOAD: &[u8] = b"LD_PRELOAD=";
const OURS: &[u8] = b"RAMPART_";

/// Entries that fit into the small and the large frame: 256 of the caller's, the tree's, ours and the
/// NULL.
const FEW: usize = 64;
const MANY: usize = 256 + MAX_VARS + 2;

/// Room for an `LD_PRELOAD` that names other libraries too.
const PRELOAD_ROOM: usize = 512;

/// What the new program needs.
#[derive(Clone, Copy)]
pub struct Fit {
    /// Major version of a `libasan.so` that must be first, 0 if none.
    pub asan: u8,
    /// Whether the loader could load us at all; for an ELF file of another class it would only
    /// print an error.
    pub loads_us: bool,
}

impl Fit {
    /// An ordinary program.
    pub const ORDINARY: Self = Self { asan: 0, loads_us: true };
}

/// Calls `run` with the environment that the child shall have, made from the caller's `env`.
pub fn with_environment<R>(
    snapshot: &Snapshot,
    env: Vector<'_>,
    fit: Fit,
    run: &mut dyn FnMut(Strings) -> R,
) -> R {
    let plan = Plan {
        snapshot,
        env,
        fit,
        warned: snapshot::has_warned() && !snapshot.vars().contains(&warn::WARNED),
    };
    if plan.is_right() {
        return run(env.as_ptr());
    }
    let entries = plan.entries();
    if entries <= FEW {
        plan.on_stack::<FEW, R>(run)
    } else if entries <= MANY {
        plan.on_stack::<MANY, R>(run)
    } else {
        plan.on_mapping(entries, run)
    }
}

struct Plan<'a> {
    snapshot: &'a Snapshot,
    env: Vector<'a>,
    fit: Fit,
    /// Whether `RAMPART_WARNED` is to be added to the tree's variables.
    warned: bool,
}

impl Plan<'_> {
    /// The tree's variables.
    fn vars(&self) -> impl Iterator<Item = &CStr> {
        let warned = self.warned.then_some(warn::WARNED);
        self.snapshot.vars().iter().copied().chain(warned)
    }

    /// Whether the caller's array needs no change.
    fn is_right(&self) -> bool {
        let mut preloads = 0_usize;
        let mut vars = 0_usize;
        for entry in self.env.iter() {
            if entry.starts_with(PRELOAD) {
                preloads = preloads.saturating_add(1);
                if !self.is_right_preload(entry) {
                    return false;
                }
            } else if entry.starts_with(OURS) {
                vars = vars.saturating_add(1);
                if !self.vars().any(|var| var.to_bytes() == entry) {
                    return false;
                }
            }
        }
        // No entry twice: each is one of ours, and there are as many as we have.
        preloads == usize::from(self.fit.loads_us) && vars == self.vars().count() && {
            self.vars().all(|var| self.env.iter().any(|entry| entry == var.to_bytes()))
        }
    }

    fn is_right_preload(&self, entry: &[u8]) -> bool {
        if self.fit.asan == 0 && self.fit.loads_us && entry == self.snapshot.preload.to_bytes() {
            return true;
        }
        let mut wanted = PathBytes::<PRELOAD_ROOM>::new();
        self.compose(&mut wanted).is_some() && wanted.as_bytes() == entry
    }

    /// Upper bound of the entries of the new array, its NULL included.
    fn entries(&self) -> usize {
        let vars = self.vars().count();
        self.env.count().saturating_add(vars).saturating_add(2)
    }

    /// The other libraries that the caller wants preloaded: those of the last `LD_PRELOAD`, which
    /// is the one that glibc uses. Space and colon separate (`ld.so(8)`).
    fn others(&self) -> impl Iterator<Item = &[u8]> {
        let last = self.env.iter().filter_map(|entry| entry.strip_prefix(PRELOAD)).last();
        last.unwrap_or(&[]).split(|byte| matches!(byte, b' ' | b':')).filter(|name| {
            !name.is_empty() && file_name(name) != file_name(self.snapshot.library.to_bytes())
        })
    }

    /// Puts the `LD_PRELOAD` entry together; `None` if it does not fit or would name nothing.
    fn compose<'p, const ROOM: usize>(&self, out: &'p mut PathBytes<ROOM>) -> Option<&'p CStr> {
        let mut names = 0_usize;
        let _ = out.push(PRELOAD)?;
        let mut add = |out: &mut PathBytes<ROOM>, name: &[u8]| {
            if names > 0 {
                let _ = out.push(b":")?;
            }
            names = names.saturating_add(1);
            out.push(name).map(drop)
        };
        let is_asan = |name: &&[u8]| file_name(name).starts_with(b"libasan.so");
        let mut has_asan = false;
        for name in self.others().filter(is_asan) {
            has_asan = true;
            add(out, name)?;
        }
        if self.fit.asan != 0 && !has_asan {
            let mut name = PathBytes::<24>::new();
            let _ = name.push(b"libasan.so.")?.push_number(self.fit.asan)?;
            add(out, name.as_bytes())?;
        }
        if self.fit.loads_us {
            add(out, self.snapshot.library.to_bytes())?;
        }
        for name in self.others().filter(|name| !is_asan(name)) {
            add(out, name)?;
        }
        (names > 0).then(|| out.as_c_str())
    }

    /// Fills `out` with the new array; `out` has room for [`Plan::entries`].
    fn fill(&self, preload: Option<&CStr>, out: &mut [*const c_char]) {
        let kept = (0..self.env.count()).filter_map(|index| self.env.string(index));
        let kept = kept.filter(|entry| {
            let entry = entry.to_bytes();
            !entry.starts_with(PRELOAD) && !entry.starts_with(OURS)
        });
        let all = kept.chain(preload).chain(self.vars());
        let mut slots = out.iter_mut();
        for entry in all {
            if let Some(slot) = slots.next() {
                *slot = entry.as_ptr();
            }
        }
        if let Some(slot) = slots.next() {
            *slot = core::ptr::null();
        }
    }

    /// The usual entry where nothing else is preloaded, else the one put together in `room`.
    fn preload<'p, const ROOM: usize>(&'p self, room: &'p mut PathBytes<ROOM>) -> Option<&'p CStr> {
        if self.fit.asan == 0 && self.fit.loads_us && self.others().next().is_none() {
            return Some(self.snapshot.preload);
        }
        // Too long a list loses the others, never us.
        self.compose(room).or(self.fit.loads_us.then_some(self.snapshot.preload))
    }

    #[inline(never)]
    fn on_stack<const ROOM: usize, R>(&self, run: &mut dyn FnMut(Strings) -> R) -> R {
        let mut room = PathBytes::<PRELOAD_ROOM>::new();
        let mut array = [core::ptr::null(); ROOM];
        self.fill(self.preload(&mut room), &mut array);
        run(array.as_ptr())
    }

    #[inline(never)]
    fn on_mapping<R>(&self, entries: usize, run: &mut dyn FnMut(Strings) -> R) -> R {
        let len = entries.saturating_mul(size_of::<*const c_char>());
        let Ok(start) = sys::map_memory(len) else {
            // No environment of ours can be made: hand on the caller's, which the kernel will
            // most likely refuse for the same want of memory.
            return run(self.env.as_ptr());
        };
        let mut room = PathBytes::<PRELOAD_ROOM>::new();
        let array = start.cast::<*const c_char>();
        // SAFETY: the mapping is page-aligned, zeroed and has room for `entries` pointers.
        let slots = unsafe { core::slice::from_raw_parts_mut(array, entries) };
        self.fill(self.preload(&mut room), slots);
        let result = run(array);
        // SAFETY: mapped above; the array is not used any more.
        unsafe { sys::unmap(start, len) };
        result
    }
}

/// The last component of a path.
fn file_name(path: &[u8]) -> &[u8] {
    path.rsplit(|byte| *byte == b'/').next().unwrap_or(path)
}
