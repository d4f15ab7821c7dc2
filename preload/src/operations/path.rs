//! Whether a path can be one that a rule is about, in as few system calls as possible: for a file
//! that is opened one, and that is the call that opens it.

use core::ffi::{CStr, c_int};
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use evaluator::image::gate::operation::WITH_PATH;
use libc::{AT_FDCWD, O_CREAT, O_NOFOLLOW, O_PATH, O_TMPFILE};

use super::State;
use crate::strings::{AnyPath, PathBytes};
use crate::sys::{self, Errno, Fd};
use crate::world;

/// Room for a directory on the host's stack, in bytes. What is longer is judged in full.
const ROOM: usize = 1024;

/// Directories that are remembered with what may hold in them; a power of two.
pub const SEEN: usize = 256;

/// Every kind of call with a path, where it is not known for which a rule may hold.
const ANY: u32 = WITH_PATH;

/// Directories that are remembered for a link on the way to them; a power of two.
pub const LINKED: usize = 64;

/// What the directories in a path are remembered by: the end of their text and its length. Two that share
/// it cost time, never an answer. `None` for a bare name.
fn way(path: &[u8]) -> Option<u32> {
    let end = path.iter().rposition(|byte| *byte == b'/')?;
    let (before, _) = path.split_at_checked(end)?;
    let tail = before.last_chunk().copied().unwrap_or_else(|| {
        let mut tail = [0; 8];
        for (to, from) in tail.iter_mut().zip(before) {
            *to = *from;
        }
        tail
    });
    let mixed = u64::from_le_bytes(tail).wrapping_add(end as u64);
    Some((mixed.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as u32 | 1)
}

/// A directory as it is compared: its inode mixed with its device, never 0, with room for kinds of call in the
/// last bits.
fn identity(stat: &libc::stat) -> u64 {
    let mixed = stat.st_dev.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29) ^ stat.st_ino;
    (mixed | 1 << 60) << KINDS
}

/// Bits that [`ANY`] takes.
const KINDS: u32 = 3;
const _: () = assert!(ANY >> KINDS == 0);

/// A path as a call was given it.
#[derive(Clone, Copy)]
pub struct Named<'a> {
    /// What it is relative to: a descriptor, or `AT_FDCWD`.
    pub dir: c_int,
    /// The path.
    pub path: &'a CStr,
    /// Whether a symbolic link at its end is followed.
    pub follows: bool,
}

impl Named<'_> {
    /// Whether it does not depend on any directory.
    fn is_absolute(&self) -> bool {
        self.path.to_bytes().first() == Some(&b'/')
    }

    /// The directory that it starts at, as the kernel names it.
    ///
    /// # Errors
    /// If there is none, or no room for it.
    pub fn base<'b>(&self, out: &'b mut AnyPath) -> Result<&'b [u8], Errno> {
        if self.dir == AT_FDCWD {
            return sys::current_dir(out);
        }
        let mut link = PathBytes::<40>::new();
        let number = u32::try_from(self.dir).map_err(|_| Errno(libc::EBADF))?;
        let named = link.push(b"/proc/self/fd/").and_then(|link| link.push_number(number));
        named.ok_or(Errno(libc::ENAMETOOLONG))?;
        sys::read_link(link.as_c_str(), out)
    }
}

impl State {
    /// The kinds of call on the path, as it is spelled, for which a rule may hold. As soon as one of `kinds`,
    /// those of the call that is made, is among them, no others are looked for.
    pub fn may_hold(&self, kinds: u32, named: &Named<'_>) -> u32 {
        if self.is_open(kinds) {
            return ANY;
        }
        let spelled = self.may_match(named.path.to_bytes());
        if spelled & kinds != 0 || named.is_absolute() || self.is_confined() {
            return spelled;
        }
        spelled | self.may_hold_below(named)
    }

    #[inline(never)]
    fn may_hold_below(&self, named: &Named<'_>) -> u32 {
        let known = match named.dir {
            AT_FDCWD => None,
            // A walk through a tree asks for the same directory again and again, and its path costs
            // six times as much as its identity.
            dir => sys::stat_of(dir).ok().map(|stat| identity(&stat)),
        };
        if let Some(kinds) = known.and_then(|known| self.seen(known)) {
            return kinds;
        }
        let mut base = PathBytes::<ROOM>::new();
        match named.base(&mut base) {
            Ok(base) => {
                let kinds = self.may_match(base) | self.may_match_at_end(base);
                if let Some(known) = known {
                    self.note_seen(known, kinds);
                }
                kinds
            }
            // Then the call fails, too.
            Err(Errno(libc::EBADF | libc::ENOENT)) => 0,
            Err(_) => ANY,
        }
    }

    /// The kinds of call for which a rule may hold in a directory, if that is known. That somebody moves it
    /// meanwhile is not noticed: a process in the tree would need a rule's permission for that.
    fn seen(&self, directory: u64) -> Option<u32> {
        let noted = self.slot(directory)?.load(Ordering::Relaxed) ^ directory;
        (noted >> KINDS == 0).then_some(noted as u32)
    }

    fn note_seen(&self, directory: u64, kinds: u32) {
        if let Some(slot) = self.slot(directory) {
            slot.store(directory | u64::from(kinds & ANY), Ordering::Relaxed);
        }
    }

    /// Notes the directory `fd`, opened without links as `named`, for which [`State::may_hold`] said `kinds`: what a
    /// walk through a tree opens next lies there.
    pub fn note_directory(&self, kinds: u32, named: &Named<'_>, fd: c_int) {
        if self.is_confined() {
            return;
        }
        if let Ok(stat) = sys::stat_of(fd) {
            let kinds = kinds | self.may_match_at_end(named.path.to_bytes());
            self.note_seen(identity(&stat), kinds);
        }
    }

    fn slot(&self, directory: u64) -> Option<&AtomicU64> {
        self.seen.get((directory >> KINDS) as usize & (SEEN - 1))
    }

    /// Where it is noted that a path like this one held a link.
    fn link_note(&self, named: &Named<'_>) -> Option<(&AtomicU32, u32)> {
        let way = way(named.path.to_bytes())?;
        self.linked.get(way as usize >> 1 & (LINKED - 1)).map(|slot| (slot, way))
    }

    /// Whether a path like this one held a link: then [`State::open_plain`] would most likely be in vain.
    pub fn has_led_elsewhere(&self, named: &Named<'_>) -> bool {
        self.link_note(named).is_some_and(|(slot, way)| slot.load(Ordering::Relaxed) == way)
    }

    /// Notes whether it does.
    pub fn note_link(&self, named: &Named<'_>, is_there: bool) {
        if let Some((slot, way)) = self.link_note(named) {
            slot.store(if is_there { way } else { 0 }, Ordering::Relaxed);
        }
    }

    /// Opens a file whose path holds no symbolic link, so that its spelling says all. `None` if it
    /// holds one, or if that cannot be found out this way.
    pub fn open_plain(
        &self,
        named: &Named<'_>,
        flags: c_int,
        mode: libc::mode_t,
    ) -> Option<Result<c_int, Errno>> {
        if self.lacks_openat2.load(Ordering::Relaxed) {
            return None;
        }
        // The kernel refuses a mode that is not used, which `open(2)` ignores.
        let makes = flags & O_CREAT != 0 || flags & O_TMPFILE == O_TMPFILE;
        let mode = if makes { mode & 0o7777 } else { 0 };
        match sys::open_without_links(named.dir, named.path, flags, mode) {
            Err(Errno(libc::ELOOP | libc::EINVAL | libc::EAGAIN)) => None,
            Err(Errno(libc::ENOSYS | libc::EPERM)) => {
                // An old kernel, a sandbox that does not know the call, or this file alone.
                let probe = sys::open_without_links(AT_FDCWD, c"/", O_PATH, 0);
                match probe {
                    Ok(fd) => drop(Fd::own(fd)),
                    Err(_) => self.lacks_openat2.store(true, Ordering::Relaxed),
                }
                None
            }
            other => Some(other),
        }
    }

    /// Whether a rule on `kinds` may hold for what the path leads to. It is asked once its spelling is known
    /// to match nothing.
    pub fn may_lead(&self, kinds: u32, named: &Named<'_>) -> bool {
        let bytes = named.path.to_bytes();
        // A name in a directory that the kernel has named already is what it says.
        if self.is_confined() || (!named.follows && !bytes.contains(&b'/')) {
            return false;
        }
        let flags = if named.follows { O_PATH } else { O_PATH | O_NOFOLLOW };
        match self.open_plain(named, flags | libc::O_CLOEXEC, 0) {
            Some(Ok(fd)) => {
                drop(Fd::own(fd));
                return false;
            }
            // It does not exist, and no link stands before that.
            Some(Err(_)) => return false,
            None => {}
        }
        self.may_lead_elsewhere(kinds, named)
    }

    /// Whether a rule on `kinds` may hold for the file behind a descriptor, which was opened as `named` if that is
    /// known.
    #[inline(never)]
    pub fn may_lie(&self, kinds: u32, fd: c_int, named: Option<&Named<'_>>) -> bool {
        if self.is_confined() {
            return false;
        }
        let mut real = PathBytes::<ROOM>::new();
        match (Named { dir: fd, path: c"", follows: true }).base(&mut real) {
            Ok(path) => {
                if let Some(named) = named.filter(|it| path.ends_with(it.path.to_bytes())) {
                    self.note_link(named, false);
                }
                self.may_match(path) & kinds != 0
            }
            Err(_) => true,
        }
    }

    /// As [`State::may_lead`], for a path that holds a link, or may.
    #[inline(never)]
    pub fn may_lead_elsewhere(&self, kinds: u32, named: &Named<'_>) -> bool {
        if self.is_confined() {
            return false;
        }
        let mut real = PathBytes::<ROOM>::new();
        match lead(named, &mut real, None) {
            Ok(()) => self.may_match(real.as_bytes()) & kinds != 0,
            // The call fails likewise, without looking at a file.
            Err(Errno(libc::ENOENT | libc::ENOTDIR | libc::EACCES | libc::ELOOP)) => false,
            Err(_) => true,
        }
    }
}

/// Where a path leads, put into `out`: through every link, by the kernel. What does not exist yet is
/// named by its directory and its own name, a link to such a thing by what it says, for which
/// `spare` is needed.
///
/// # Errors
/// If it leads nowhere, there is no room for it, or no `spare` where it is needed.
pub fn lead(
    named: &Named<'_>,
    out: &mut AnyPath,
    spare: Option<&mut AnyPath>,
) -> Result<(), Errno> {
    let flags = if named.follows { O_PATH } else { O_PATH | O_NOFOLLOW };
    match Fd::open(named.dir, named.path, flags, 0) {
        Ok(fd) => return world::path_of(&fd, out).map(drop).ok_or(Errno(libc::EIO)),
        Err(Errno(libc::ENOENT)) => {}
        Err(errno) => return Err(errno),
    }
    let is_link = named.follows
        && sys::stat(named.dir, named.path, libc::AT_SYMLINK_NOFOLLOW)
            .is_ok_and(|stat| stat.st_mode & libc::S_IFMT == libc::S_IFLNK);
    if !is_link {
        return lead_to_new(named, out);
    }
    let spare = spare.ok_or(Errno(libc::EAGAIN))?;
    lead_to_new(&Named { follows: false, ..*named }, out)?;
    sys::read_link(out.as_c_str(), spare)?;
    if spare.as_bytes().first() != Some(&b'/') {
        // It starts where the link lies.
        let end = out.as_bytes().iter().rposition(|byte| *byte == b'/').unwrap_or(0);
        out.truncate(end);
        let behind = out.push(b"/").and_then(|out| out.push(spare.as_bytes()));
        behind.ok_or(Errno(libc::ENAMETOOLONG))?;
        spare.truncate(0);
        spare.push(out.as_bytes()).ok_or(Errno(libc::ENAMETOOLONG))?;
    }
    lead_to_new(&Named { dir: AT_FDCWD, path: spare.as_c_str(), follows: false }, out)
}

/// The real directory of a path, and its last name as it is.
fn lead_to_new(named: &Named<'_>, out: &mut AnyPath) -> Result<(), Errno> {
    let too_long = Errno(libc::ENAMETOOLONG);
    let bytes = named.path.to_bytes();
    let end = bytes.iter().rposition(|byte| *byte == b'/').map_or(0, |at| at.saturating_add(1));
    let (parent, name) = bytes.split_at_checked(end).unwrap_or((&[], bytes));
    out.truncate(0);
    out.push(if parent.is_empty() { b"." } else { parent }).ok_or(too_long)?;
    let fd = Fd::open(named.dir, out.as_c_str(), O_PATH | libc::O_DIRECTORY, 0)?;
    out.truncate(0);
    world::path_of(&fd, out).ok_or(Errno(libc::EIO))?;
    out.push(b"/").and_then(|out| out.push(name)).map(drop).ok_or(too_long)
}
