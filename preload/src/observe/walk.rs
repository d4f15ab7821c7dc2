//! The search along `PATH`, exactly as libc does it in `execvp(3)` and `posix_spawnp(3)`
//! (POSIX.1-2024 XBD 8.3; glibc and musl differ in three details, named below), so that each
//! candidate can be judged before it is tried.

use core::ffi::CStr;

use crate::strings::PathBytes;
use crate::sys::Errno;

/// Longest name of a file (`NAME_MAX`).
const NAME_MAX: usize = 255;

/// Longest directory that libc uses (`PATH_MAX` with its NUL).
const DIRECTORY_MAX: usize = 4096;

/// Candidates up to this length are put together in a small frame.
const SHORT: usize = 512;

/// Tries `file` in each directory of `path` (the value of the caller's `PATH`, `None` if unset)
/// until `attempt` gives an error that ends the search. Returns the error to report.
pub fn search(
    file: &CStr,
    path: Option<&[u8]>,
    is_glibc: bool,
    attempt: &mut dyn FnMut(&CStr) -> Errno,
) -> Errno {
    if file.is_empty() {
        return Errno(libc::ENOENT);
    }
    if file.to_bytes().contains(&b'/') {
        return attempt(file);
    }
    if file.count_bytes() > NAME_MAX {
        return Errno(libc::ENAMETOOLONG);
    }
    // Without PATH glibc uses `_CS_PATH`, musl its own list.
    let default: &[u8] = if is_glibc { b"/bin:/usr/bin" } else { b"/usr/local/bin:/bin:/usr/bin" };
    let search = Search { file, path: path.unwrap_or(default), is_glibc };
    let longest = search.directories().map(<[u8]>::len).max().unwrap_or(0);
    if longest.saturating_add(file.count_bytes()).saturating_add(2) <= SHORT {
        search.run::<SHORT>(attempt)
    } else {
        search.run::<{ DIRECTORY_MAX + NAME_MAX + 2 }>(attempt)
    }
}

struct Search<'a> {
    file: &'a CStr,
    path: &'a [u8],
    is_glibc: bool,
}

impl<'a> Search<'a> {
    /// The directories; an empty one is the current directory. libc skips those that are too long.
    fn directories(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        self.path.split(|byte| *byte == b':').filter(|directory| directory.len() < DIRECTORY_MAX)
    }

    /// The frame holds the candidate through a successful exec, because a mapping would stay
    /// behind in the parent of a `vfork` child. libc keeps it on the stack for the same reason.
    #[inline(never)]
    fn run<const ROOM: usize>(&self, attempt: &mut dyn FnMut(&CStr) -> Errno) -> Errno {
        let mut refused = false;
        let mut last = Errno(libc::ENOENT);
        let mut candidate = PathBytes::<ROOM>::new();
        for directory in self.directories() {
            candidate.truncate(0);
            let separator: &[u8] = if directory.is_empty() { b"" } else { b"/" };
            let complete = candidate
                .push(directory)
                .and_then(|path| path.push(separator))
                .and_then(|path| path.push(self.file.to_bytes()));
            let Some(complete) = complete else {
                continue;
            };
            last = attempt(complete.as_c_str());
            match last.0 {
                libc::EACCES => refused = true,
                libc::ENOENT | libc::ENOTDIR => {}
                libc::ESTALE | libc::ENODEV | libc::ETIMEDOUT if self.is_glibc => {}
                _ => return last,
            }
        }
        if refused { Errno(libc::EACCES) } else { last }
    }
}
