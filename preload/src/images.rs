//! The policy images of a tree: mapped when the process starts, checked against their files with
//! one `stat(2)` a verdict. A file that cannot be used is replaced by what was mapped at the
//! start, else by the policy that is compiled in: never by nothing.

use core::ffi::CStr;
use core::mem::MaybeUninit;

use evaluator::image::format::{Section, feature, level, record_events};
use evaluator::image::gate::Gate;
use evaluator::{Image, Images};
use libc::{AT_FDCWD, O_NOCTTY, O_NONBLOCK, O_RDONLY};

use crate::snapshot::{MAX_IMAGES, Snapshot};
use crate::sys::{self, Errno, Fd};
use crate::warn;

/// Which file it was, and in which state.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
struct Identity {
    device: u64,
    inode: u64,
    size: i64,
    seconds: i64,
    nanos: i64,
}

impl Identity {
    fn of(stat: &libc::stat) -> Self {
        Self {
            device: stat.st_dev,
            inode: stat.st_ino,
            size: stat.st_size,
            seconds: stat.st_mtime,
            nanos: stat.st_mtime_nsec,
        }
    }
}

/// One file of layers as the process found it when it started.
#[derive(Clone, Copy)]
pub struct Slot {
    /// The file, absolute; empty for the compiled-in policy.
    path: &'static CStr,
    /// Its bytes; those of the compiled-in policy if the file could not be used.
    bytes: &'static [u8],
    identity: Identity,
}

impl Slot {
    /// How many rules it holds.
    pub fn rules(&self) -> usize {
        images(self.bytes)
            .fold(0, |sum, image| sum.saturating_add(image.count(Section::Rules) as usize))
    }

    /// Whether some rule in it is about what running programs do themselves.
    pub fn has_gate(&self) -> bool {
        images(self.bytes).any(|image| image.header.features & feature::OPERATIONS != 0)
    }

    /// What it says in advance of those rules, for each of its layers. What cannot be read there
    /// needs a verdict, which says so.
    pub fn gates(&self) -> impl Iterator<Item = Gate<'static>> {
        images(self.bytes).map(|image| image.gate().unwrap_or(Gate::EVERYTHING))
    }

    /// The compiled-in policy, which holds where no image is given.
    pub fn built_in() -> Self {
        Self { path: c"", bytes: policies::STANDARD, identity: Identity::default() }
    }

    /// Maps the image at `path` for as long as the process lives. If it cannot be used, the slot
    /// holds the compiled-in policy, and every verdict tries the file again.
    pub fn open(path: &'static CStr) -> Self {
        match map(path) {
            Ok((bytes, identity)) => Self { path, bytes, identity },
            Err(_) => Self { path, ..Self::built_in() },
        }
    }
}

/// The images in `bytes`, those that stand for the compiled-in policy replaced by it.
fn images(bytes: &'static [u8]) -> impl Iterator<Item = Image<'static>> {
    Images::of(bytes).map_while(|image| match image {
        Ok(image) if image.is_stand_in() => Image::open(policies::STANDARD).ok(),
        other => other.ok(),
    })
}

/// Why a file is no usable image.
enum Problem {
    System(Errno),
    Writable,
    Format(&'static str),
}

impl Problem {
    fn text(&self) -> &'static [u8] {
        match self {
            Self::System(Errno(libc::ENOENT | libc::ENOTDIR)) => b"does not exist",
            Self::System(Errno(libc::EACCES | libc::EPERM)) => b"may not be read",
            Self::System(_) => b"cannot be read",
            Self::Writable => b"can be changed by others (it must belong to root or to you, and not be writable for group or others)",
            Self::Format(text) => text.as_bytes(),
        }
    }
}

/// Maps a whole image file. The bytes stay mapped until [`Layers`] unmaps them, or for ever.
fn map(path: &CStr) -> Result<(&'static [u8], Identity), Problem> {
    let flags = O_RDONLY | O_NONBLOCK | O_NOCTTY;
    let fd = Fd::open(AT_FDCWD, path, flags, 0).map_err(Problem::System)?;
    let stat = fd.stat().map_err(Problem::System)?;
    if stat.st_mode & libc::S_IFMT != libc::S_IFREG || stat.st_size <= 0 {
        return Err(Problem::Format("is no compiled policy"));
    }
    let is_trusted = stat.st_uid == 0 || stat.st_uid == sys::effective_user();
    if !is_trusted || stat.st_mode & 0o022 != 0 {
        return Err(Problem::Writable);
    }
    let len = stat.st_size as usize;
    let start = fd.map(len).map_err(Problem::System)?;
    // SAFETY: `len` readable bytes were mapped at `start`, and stay until they are unmapped. A
    // file that shrinks under the mapping is the owner's own doing (images are replaced by
    // rename, never rewritten).
    let bytes: &'static [u8] = unsafe { core::slice::from_raw_parts(start, len) };
    let mut count = 0;
    let broken = Images::of(bytes).find_map(|image| {
        count += 1;
        image.err()
    });
    let problem = match broken {
        Some(error) => error.text(),
        None if count > MAX_IMAGES => "holds more than 8 layers",
        None => return Ok((bytes, Identity::of(&stat))),
    };
    // SAFETY: mapped just above, and `bytes` is not used any more.
    unsafe { sys::unmap(start, len) };
    Err(Problem::Format(problem))
}

/// The layers that one verdict is made from.
pub struct Layers {
    /// The first `count` are set. Most trees have one or two, and the memory is best left alone.
    images: [MaybeUninit<Image<'static>>; MAX_IMAGES],
    count: usize,
    fresh: [&'static [u8]; MAX_IMAGES],
    /// Whether some layer is not what its file says.
    pub is_fallback: bool,
}

impl Layers {
    /// None yet.
    pub const fn new() -> Self {
        Self {
            images: [MaybeUninit::uninit(); MAX_IMAGES],
            count: 0,
            fresh: [&[]; MAX_IMAGES],
            is_fallback: false,
        }
    }

    /// The layers of `snapshot`, each as its file is now; with `is_fresh` the files were opened a
    /// moment ago. `None` if one holds no image, not even a substitute. To be called once.
    #[inline(never)]
    pub fn load(&mut self, snapshot: &Snapshot, is_fresh: bool) -> Option<()> {
        let mut targets = self.images.iter_mut();
        for (slot, fresh) in snapshot.images().iter().zip(self.fresh.iter_mut()) {
            let mut bytes = slot.bytes;
            if !slot.path.is_empty() && !is_unchanged(slot, is_fresh) {
                match map(slot.path) {
                    Ok((new, _)) => {
                        bytes = new;
                        *fresh = new;
                    }
                    Err(problem) => {
                        self.is_fallback = true;
                        complain(snapshot, slot, &problem);
                    }
                }
            }
            let mut is_empty = true;
            for image in images(bytes) {
                // More layers than there is room for: no verdict is better than one without them.
                targets.next()?.write(image);
                self.count = self.count.saturating_add(1);
                is_empty = false;
            }
            if is_empty {
                return None;
            }
        }
        Some(())
    }

    /// The images, lowest layer first.
    pub fn images(&self) -> &[Image<'static>] {
        // SAFETY: `load` has set the first `count`, which never exceeds their number.
        unsafe { core::slice::from_raw_parts(self.images.as_ptr().cast(), self.count) }
    }

    /// Whether every event is to be recorded: unless a layer that may loosen says
    /// `record: notable`.
    pub fn records_all(&self) -> bool {
        let headers = self.images().iter().map(|image| &image.header);
        !headers
            .filter(|header| header.level != level::PROJECT)
            .any(|header| header.record == record_events::NOTABLE)
    }
}

impl Drop for Layers {
    fn drop(&mut self) {
        for bytes in self.fresh.iter().filter(|bytes| !bytes.is_empty()) {
            // SAFETY: mapped by `load` for this verdict only, which is over.
            unsafe { sys::unmap(bytes.as_ptr().cast_mut(), bytes.len()) };
        }
    }
}

fn is_unchanged(slot: &Slot, is_fresh: bool) -> bool {
    slot.identity != Identity::default()
        && (is_fresh
            || sys::stat(AT_FDCWD, slot.path, 0)
                .is_ok_and(|now| Identity::of(&now) == slot.identity))
}

fn complain(snapshot: &Snapshot, slot: &Slot, problem: &Problem) {
    let instead: &[u8] = if slot.identity == Identity::default() {
        b"; the built-in standard policy holds in its place"
    } else {
        b"; the policy that was loaded at the start holds"
    };
    let path = slot.path.to_bytes();
    warn::once(snapshot, &[b"the policy image ", path, b" ", problem.text(), instead]);
}
