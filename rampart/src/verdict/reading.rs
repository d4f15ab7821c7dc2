//! Reading regular files that others name: never waiting for them.

use rustix::fs::{Mode, OFlags};
use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// How a file is opened to be read: never waiting for it.
pub const READING: OFlags =
    OFlags::RDONLY.union(OFlags::CLOEXEC).union(OFlags::NONBLOCK).union(OFlags::NOCTTY);

/// Opens a regular file; `None` if it is none. Never waits: a FIFO is not opened for long enough.
///
/// # Errors
/// What open(2) and fstat(2) say.
pub fn open(path: &Path) -> io::Result<Option<File>> {
    regular(rustix::fs::open(path, READING, Mode::empty())?)
}

/// `file`, if it is a regular one.
///
/// # Errors
/// What fstat(2) says.
pub fn regular(file: OwnedFd) -> io::Result<Option<File>> {
    let file = File::from(file);
    Ok(file.metadata()?.is_file().then_some(file))
}

/// Reads what there is from `offset` on; `None` if it is no regular file.
///
/// # Errors
/// What pread(2) says.
pub fn read_piece(file: Option<File>, offset: u64, out: &mut [u8]) -> io::Result<Option<usize>> {
    let Some(file) = file else {
        return Ok(None);
    };
    loop {
        match file.read_at(out, offset) {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            count => return count.map(Some),
        }
    }
}

/// Reads a whole regular file; `None` if it is none or does not fit.
///
/// # Errors
/// What read(2) says.
pub fn read_into(file: Option<File>, out: &mut [u8]) -> io::Result<Option<usize>> {
    let Some(mut file) = file else {
        return Ok(None);
    };
    let mut length = 0;
    loop {
        let rest = out.get_mut(length..).unwrap_or_default();
        if rest.is_empty() {
            // Full: whole only if nothing follows.
            let more = file.read(&mut [0u8; 1])?;
            return Ok((more == 0).then_some(length));
        }
        match file.read(rest) {
            Ok(0) => return Ok(Some(length)),
            Ok(count) => length += count,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}
