//! The evaluator's questions, answered by raw system calls. The buffers are the evaluator's, the
//! descriptors live for one question.

use core::cell::Cell;
use core::ffi::CStr;

use evaluator::world::{Counted, is_since};
use evaluator::{Answer, Once, World};
use libc::{AT_FDCWD, O_NOCTTY, O_NONBLOCK, O_PATH, O_RDONLY};

use crate::escalate;
use crate::judge::Digest;
use crate::observe::Stage;
use crate::operations::counts::Counts;
use crate::snapshot::Snapshot;
use crate::strings::{AnyPath, LongPath, PathBytes};
use crate::sys::{self, Errno, Fd};

/// Paths of fewer bytes get a buffer of so many: room for any path is a page more of the stack, which is a page
/// fault in a process that has just started.
const SHORT: usize = 256;

/// Digests of the rules that counted a call, the last first. More than four are counted again.
pub type CountedBy = [u64; 4];

/// The file system as this process sees it.
pub struct Files<'s> {
    lacked_room: Cell<bool>,
    lacked_digest: Cell<bool>,
    lacked_use: Cell<bool>,
    was_told: Cell<bool>,
    is_start: bool,
    resolves: bool,
    /// Where calls are counted, and the rules that have counted this one.
    counts: Option<(&'s Counts, &'s Cell<CountedBy>)>,
    snapshot: &'s Snapshot,
    /// Whether the evaluator may be asked.
    speaks: bool,
}

impl<'s> Files<'s> {
    /// What a call at this point of a program's start sees.
    pub const fn at(stage: Stage, snapshot: &'s Snapshot) -> Self {
        Self {
            lacked_room: Cell::new(false),
            lacked_digest: Cell::new(false),
            lacked_use: Cell::new(false),
            was_told: Cell::new(false),
            is_start: stage.is_start(),
            resolves: true,
            counts: None,
            snapshot,
            speaks: true,
        }
    }

    /// The same for what a program does itself: whoever asks has looked at what paths lead to, and
    /// counts calls in `counts`; by each rule once, which `by` remembers. `speaks` if this process may
    /// make system calls of its own for that.
    pub const fn of_operation(
        self,
        counts: &'s Counts,
        by: &'s Cell<CountedBy>,
        speaks: bool,
    ) -> Self {
        Self { resolves: false, counts: Some((counts, by)), speaks, ..self }
    }

    /// Whether something that holds once would let the call go ahead, if a second party says so.
    pub fn lacked_use(&self) -> bool {
        self.lacked_use.get()
    }

    /// Whether the digest of some file was asked for and is not known.
    pub fn lacked_digest(&self) -> bool {
        self.lacked_digest.get()
    }

    /// Whether the evaluator has told something: the helper can find out no more.
    pub fn was_told(&self) -> bool {
        self.was_told.get()
    }

    /// Whether some answer was "unavailable" only because the evaluator's buffer was too small.
    pub fn lacked_room(&self) -> bool {
        self.lacked_room.get()
    }

    fn too_small<T>(&self) -> Answer<T> {
        self.lacked_room.set(true);
        Answer::Unavailable
    }

    /// What `path` leads to; `buffer` has room for it.
    fn resolve_in<'b>(
        &self,
        buffer: &mut AnyPath,
        path: &[u8],
        out: &'b mut [u8],
    ) -> Answer<&'b [u8]> {
        let Some(path) = buffer.push(path).filter(|_| self.resolves) else {
            return Answer::Absent;
        };
        match Fd::open(AT_FDCWD, path.as_c_str(), O_PATH, 0) {
            Ok(fd) => {
                let room = out.len();
                match name_of(&fd, out) {
                    Some(name) if name.len() == room => self.too_small(),
                    Some(name) if name.starts_with(b"/") => Answer::Value(name),
                    // A pipe, a socket: no file that has a path.
                    Some(_) => Answer::Absent,
                    None => Answer::Unavailable,
                }
            }
            Err(errno) if is_out_of_reach(errno) => Answer::Absent,
            Err(_) => Answer::Unavailable,
        }
    }

    #[inline(never)]
    fn resolve_long<'b>(&self, path: &[u8], out: &'b mut [u8]) -> Answer<&'b [u8]> {
        self.resolve_in(&mut LongPath::new(), path, out)
    }
}

impl World for Files<'_> {
    fn has_real_directory(&self) -> bool {
        true
    }

    fn resolve<'b>(&self, path: &[u8], out: &'b mut [u8]) -> Answer<&'b [u8]> {
        if path.len() < SHORT {
            self.resolve_in(&mut PathBytes::<SHORT>::new(), path, out)
        } else {
            self.resolve_long(path, out)
        }
    }

    fn read<'b>(&self, path: &[u8], out: &'b mut [u8]) -> Answer<&'b [u8]> {
        let mut buffer = LongPath::new();
        let Some(path) = buffer.push(path) else {
            return Answer::Unavailable;
        };
        let flags = O_RDONLY | O_NONBLOCK | O_NOCTTY;
        let fd = match Fd::open(AT_FDCWD, path.as_c_str(), flags, 0) {
            Ok(fd) => fd,
            Err(Errno(libc::ENOENT | libc::ENOTDIR)) => return Answer::Absent,
            Err(_) => return Answer::Unavailable,
        };
        let size = match fd.stat() {
            Ok(stat) if stat.st_mode & libc::S_IFMT == libc::S_IFREG => stat.st_size as usize,
            _ => return Answer::Unavailable,
        };
        if size > out.len() {
            return self.too_small();
        }
        read_whole(&fd, size, out).map_or(Answer::Unavailable, Answer::Value)
    }

    fn read_at<'b>(&self, path: &[u8], offset: u64, out: &'b mut [u8]) -> Answer<&'b [u8]> {
        let mut buffer = LongPath::new();
        let Some(path) = buffer.push(path) else {
            return Answer::Absent;
        };
        let fd = match Fd::open(AT_FDCWD, path.as_c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY, 0) {
            Ok(fd) => fd,
            Err(errno) if is_out_of_reach(errno) => return Answer::Absent,
            Err(_) => return Answer::Unavailable,
        };
        if !fd.stat().is_ok_and(|stat| stat.st_mode & libc::S_IFMT == libc::S_IFREG) {
            return Answer::Unavailable;
        }
        let count = fd.read_at(out, offset).ok();
        count.and_then(|count| out.get(..count)).map_or(Answer::Unavailable, Answer::Value)
    }

    /// In a new process the evaluator says it. A hook waits for nobody: there the helper finds it
    /// out, in the program's place.
    fn digest(&self, path: &[u8]) -> Answer<[u8; 32]> {
        // Who did not answer once is not waited for again.
        if self.is_start
            && !self.lacked_digest()
            && let Some(digest) = escalate::digest(self.snapshot.socket, path)
        {
            self.was_told.set(true);
            return Answer::Value(digest);
        }
        self.lacked_digest.set(true);
        Answer::Unavailable
    }

    fn taint(&self) -> Answer<u8> {
        let known = if self.speaks { escalate::taint(self.snapshot, 0) } else { None };
        known.map_or(Answer::Unavailable, Answer::Value)
    }

    fn written_by_tree(&self, path: &[u8]) -> Answer<bool> {
        let mut buffer = LongPath::new();
        let (Some(path), Some(since)) = (buffer.push(path), self.snapshot.since) else {
            return Answer::Unavailable;
        };
        match sys::stat(AT_FDCWD, path.as_c_str(), 0) {
            Ok(stat) if stat.st_mode & libc::S_IFMT != libc::S_IFREG => Answer::Absent,
            Ok(stat) => Answer::Value(is_since(since, stat.st_ctime, stat.st_ctime_nsec)),
            Err(errno) if is_out_of_reach(errno) => Answer::Absent,
            Err(_) => Answer::Unavailable,
        }
    }

    fn may_use(&self, once: &Once<'_>) -> bool {
        let said = if self.is_start { escalate::may_use(self.snapshot.socket, once) } else { None };
        match said {
            None => self.lacked_use.set(true),
            Some(may) => self.was_told.set(self.was_told() || may),
        }
        said == Some(true)
    }

    fn calls(&self, counted: &Counted<'_>) -> Answer<u32> {
        let Some((counts, by)) = self.counts else {
            return Answer::Unavailable;
        };
        let mut rule = Digest::new();
        rule.add(counted.policy);
        rule.add(b"/");
        rule.add(counted.rule);
        let known = by.get();
        let [first, second, third, _] = known;
        let is_new = !known.contains(&rule.0);
        if is_new {
            by.set([rule.0, first, second, third]);
        }
        let window_ms = counted.window.saturating_mul(1000);
        // Without room for one more rule its count is surely reached.
        let Some(count) = counts.count(rule.0, window_ms, sys::coarse_time(), is_new) else {
            return Answer::Value(u32::MAX);
        };
        let tell = |more| match self.speaks {
            true => escalate::count(self.snapshot, counted, more),
            false => None,
        };
        Answer::Value(count.of_tree(counted.least, tell))
    }

    fn user(&self) -> Answer<u32> {
        Answer::Value(sys::real_user())
    }

    fn parent<'b>(&self, out: &'b mut [u8]) -> Answer<&'b [u8]> {
        let mut link = PathBytes::<40>::new();
        // A new process took the place of whoever called: its parent is what can still be named.
        let named = if self.is_start {
            link.push(b"/proc/").and_then(|link| link.push_number(sys::parent_id()))
        } else {
            link.push(b"/proc/self")
        };
        let Some(link) = named.and_then(|link| link.push(b"/exe")) else {
            return Answer::Unavailable;
        };
        let (at, room) = (out.as_mut_ptr(), out.len());
        // SAFETY: `out` is valid for writes of its length.
        match unsafe { sys::read_link_raw(link.as_c_str(), at, room) } {
            Ok(len) if len == room => self.too_small(),
            Ok(len) => out.get(..len).map_or(Answer::Unavailable, Answer::Value),
            Err(_) if self.is_start => Answer::Absent,
            Err(_) => Answer::Unavailable,
        }
    }

    fn host<'b>(&self, out: &'b mut [u8]) -> Answer<&'b [u8]> {
        match sys::node_name(out) {
            Some(name) => Answer::Value(name),
            None => self.too_small(),
        }
    }

    fn now(&self) -> Answer<u64> {
        Answer::Value(sys::wall_time() / 1_000_000)
    }
}

/// Whether nothing that is started here can open the path either: there is no such file, no file
/// can have such a name, or it lies where this user may not go.
const fn is_out_of_reach(errno: Errno) -> bool {
    matches!(
        errno.0,
        libc::ENOENT | libc::ENOTDIR | libc::ENAMETOOLONG | libc::ELOOP | libc::EACCES
    )
}

/// Reads exactly `size` bytes; `None` if the file ends early (it is being changed).
fn read_whole<'b>(fd: &Fd, size: usize, out: &'b mut [u8]) -> Option<&'b [u8]> {
    let mut at = 0;
    while at < size {
        match fd.read_at(out.get_mut(at..size)?, at as u64) {
            Ok(0) => return None,
            Ok(count) => at = at.checked_add(count)?,
            Err(Errno(libc::EINTR)) => {}
            Err(_) => return None,
        }
    }
    out.get(..size)
}

/// The name that the kernel has for an open descriptor (`/proc/self/fd/N`), as much of it as fits.
/// `None` where `/proc` is not mounted.
fn name_of<'b>(fd: &Fd, out: &'b mut [u8]) -> Option<&'b [u8]> {
    let (at, room) = (out.as_mut_ptr(), out.len());
    let len = with_link(fd, |link| {
        // SAFETY: `out` is valid for writes of its length.
        unsafe { sys::read_link_raw(link, at, room) }
    })?;
    out.get(..len)
}

/// The absolute path behind an open descriptor. `None` where `/proc` is not mounted or the file has
/// no path below our root.
pub fn path_of<'b>(fd: &Fd, out: &'b mut AnyPath) -> Option<&'b [u8]> {
    with_link(fd, |link| sys::read_link(link, out).map(drop))?;
    Some(out.as_bytes()).filter(|name| name.starts_with(b"/"))
}

fn with_link<R>(fd: &Fd, read: impl FnOnce(&CStr) -> Result<R, Errno>) -> Option<R> {
    let mut link = PathBytes::<40>::new();
    let link = link.push(b"/proc/self/fd/")?.push_number(fd.number().unsigned_abs())?;
    read(link.as_c_str()).ok()
}
