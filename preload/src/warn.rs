//! Messages to whoever runs the tree when something is wrong with the guard itself. One a tree:
//! children learn by `RAMPART_WARNED=1` that it was said, siblings by a marker file.

use libc::{AT_FDCWD, O_CREAT, O_EXCL, O_NOFOLLOW, O_WRONLY};

use crate::snapshot::{self, Snapshot};
use crate::spool;
use crate::strings::PathBytes;
use crate::sys::{self, Errno, Fd};

/// The variable by which children learn that the tree was warned.
pub const WARNED: &core::ffi::CStr = c"RAMPART_WARNED=1";

/// Prints `rampart: warning: ` and `parts` as one line to descriptor 2, unless this tree was
/// warned before.
pub fn once(snapshot: &Snapshot, parts: &[&[u8]]) {
    if snapshot.vars().contains(&WARNED) || !snapshot::mark_warned() || marked(snapshot) {
        return;
    }
    let mut line = PathBytes::<1024>::new();
    let _ = line.push(b"rampart: warning: ");
    for part in parts {
        for byte in part.iter() {
            // Paths are other people's bytes: nothing that a terminal acts on.
            let shown = if byte.is_ascii_control() { b'?' } else { *byte };
            let _ = line.push(&[shown]);
        }
    }
    line.truncate(1022);
    let _ = line.push(b"\n");
    let _ = sys::write(2, line.as_bytes());
}

/// Whether a sibling was first. Where no marker can be left, the message is rather repeated.
fn marked(snapshot: &Snapshot) -> bool {
    let mut path = spool::Path::new();
    if snapshot.tree.is_empty() || spool::private_dir(&mut path).is_none() {
        return false;
    }
    let named = path.push(b"/warned-").and_then(|path| path.push(snapshot.tree));
    let Some(path) = named else {
        return false;
    };
    let flags = O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW;
    matches!(Fd::open(AT_FDCWD, path.as_c_str(), flags, 0o600), Err(Errno(libc::EEXIST)))
}
