//! Messages to whoever runs the tree when something is wrong with the guard itself. One a tree:
//! children learn by `RAMPART_WARNED=1` that it was said, siblings by a marker that names the tree.
//!
//! A marker is a symbolic link to nowhere: it can be made where no file may grow, and taken over in
//! one step. There are [`MARKERS`] of them for each user, however many trees there were; a tree that
//! lost its marker to another is warned again.

use core::ffi::CStr;

use crate::snapshot::{self, Snapshot};
use crate::spool;
use crate::strings::PathBytes;
use crate::sys::{self, Errno};

/// The variable by which children learn that the tree was warned.
pub const WARNED: &CStr = c"RAMPART_WARNED=1";

/// How many markers a user has. A power of two, at most 16.
const MARKERS: u8 = 16;

/// Room for the name of a marker that is about to be taken over.
const OWN: usize = 320;

/// Prints `rampart: warning: ` and `parts` as one line to descriptor 2, unless this tree was
/// warned before.
pub fn once(snapshot: &Snapshot, parts: &[&[u8]]) {
    if snapshot.vars().contains(&WARNED) || !snapshot::mark_warned() || marked(snapshot) {
        return;
    }
    say(parts);
}

/// Frames of their own, so that no more than one of them takes a kilobyte of the host's stack.
#[inline(never)]
fn say(parts: &[&[u8]]) {
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
#[inline(never)]
fn marked(snapshot: &Snapshot) -> bool {
    let mut path = spool::Path::new();
    let mut tree = PathBytes::<64>::new();
    let Some(last) = snapshot.tree.last() else {
        return false;
    };
    if tree.push(snapshot.tree).is_none() || spool::private_dir(&mut path).is_none() {
        return false;
    }
    // The end of a tree's id is random.
    let number = u32::from(last & (MARKERS - 1));
    path.push(b"/warned-").and_then(|path| path.push_number(number)).is_some()
        && take(&path, tree.as_c_str()) == Ok(true)
}

/// Makes the marker at `path` say `tree`; whether it did before.
fn take(path: &spool::Path, tree: &CStr) -> Result<bool, Errno> {
    let mut said = PathBytes::<64>::new();
    if sys::read_link(path.as_c_str(), &mut said) == Ok(tree.to_bytes()) {
        return Ok(true);
    }
    match sys::make_link(tree, path.as_c_str()) {
        Err(Errno(libc::EEXIST)) => {}
        done => return done.map(|()| false),
    }
    // It names another tree. Of siblings that come here at the same time one gets that name back,
    // the others that of their own tree.
    let mut own = PathBytes::<OWN>::new();
    let named = own
        .push(path.as_bytes())
        .and_then(|own| own.push(b"-"))
        .and_then(|own| own.push_number(sys::process_id()));
    let own = named.ok_or(Errno(libc::ENAMETOOLONG))?.as_c_str();
    let _ = sys::remove(own);
    sys::make_link(tree, own)?;
    let exchanged = sys::exchange(own, path.as_c_str());
    let was_ours = sys::read_link(own, &mut said) == Ok(tree.to_bytes());
    let _ = sys::remove(own);
    exchanged.map(|()| was_ours)
}
