//! What the first process of a tree fixes for all that follow: an id, absolute paths of the
//! library, the policy images, the helper, the evaluator's socket and the audit directory.

use evaluator::event;
use libc::AT_FDCWD;

use super::{Pen, Vars, number};
use crate::observe::process;
use crate::spool;
use crate::strings::{AnyPath, LongPath, PathBytes, Vector};
use crate::sys::{self, Errno};

/// Most bytes in the list of image paths.
const IMAGE_LIST: usize = 8192;

/// Fixes what the environment leaves open.
pub struct Root<'r, 'e> {
    pub env: Vector<'e>,
    pub vars: &'r mut Vars,
    pub pen: &'r mut Pen,
}

impl Root<'_, '_> {
    /// Makes every variable of the tree definite. Returns the audit directory, and what is wrong
    /// with it. A process with privileges of its own (`AT_SECURE`) writes nowhere: the
    /// environment is its caller's.
    pub fn fix(self, trusted: bool) -> Option<(&'static [u8], Option<&'static [u8]>)> {
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
            self.start()?;
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
            given => self.audit_dir(cwd, given.filter(|dir| !dir.is_empty())),
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

    /// Fixes when the tree has started: now, or when the one started that it lies in.
    fn start(&mut self) -> Option<()> {
        let now = sys::wall_time() / 1000;
        let known = self.vars.value(b"RAMPART_SINCE").and_then(number);
        let mut text = PathBytes::<24>::new();
        text.push_number(known.unwrap_or(now).min(now))?;
        self.set(b"RAMPART_SINCE=", text.as_bytes()).map(drop)
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

    /// The audit directory, created if need be: the one that was given (not empty), else below the state
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
fn absolute(out: &mut AnyPath, cwd: &[u8], path: &[u8]) -> Option<()> {
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
