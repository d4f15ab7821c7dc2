//! Stage 6, record: one event is one `write(2)` of one line to `spool-<uid>.jsonl` in the audit
//! directory, opened with `O_APPEND` and closed again. Short-lived processes leave their events
//! there; the next reader merges them into the log.

use core::ffi::c_char;
use core::ptr;

use evaluator::bell;
use libc::{AT_FDCWD, O_APPEND, O_CREAT, O_DIRECTORY, O_NOFOLLOW, O_NONBLOCK, O_RDONLY, O_WRONLY};

use crate::observe::process;
use crate::snapshot::{self, Snapshot};
use crate::strings::{AnyPath, PathBytes, Vector};
use crate::sys::{self, Errno, Fd};
use crate::warn;

/// Room for the paths that events are written to.
pub type Path = PathBytes<1024>;

/// What a record could not be written for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// The tree's audit directory.
    Audit,
    /// A private directory that stands in for it.
    Substitute,
}

/// Where the next event goes.
pub enum Way {
    /// To the end of this file.
    File(Fd, Place),
    /// To the supervisor, by its bell.
    Bell,
}

/// Finds out whether the audit directory can be appended to, and opens where the next event goes.
/// `None` if neither it nor the substitute can be used; the tree is then warned.
#[inline(never)]
pub fn open(snapshot: &Snapshot) -> Option<Way> {
    let user = sys::effective_user();
    let mut path = Path::new();
    let first = path
        .push(snapshot.audit_dir)
        .filter(|_| !snapshot.audit_dir.is_empty())
        .map_or(Err(Errno(libc::ENOENT)), |path| open_in(path, user));
    let errno = match first {
        Ok(fd) => return Some(Way::File(fd, Place::Audit)),
        Err(errno) => errno,
    };
    if is_heard(snapshot) {
        return Some(Way::Bell);
    }
    let mut path = Path::new();
    if private_dir(&mut path).is_some()
        && let Ok(fd) = open_in(&mut path, user)
    {
        let at = b"; events of this tree go to ";
        let dir = path.as_bytes();
        warn::once(
            snapshot,
            &[
                b"cannot write to the audit directory ",
                snapshot.audit_dir,
                b" (",
                reason(errno),
                b")",
                at,
                dir,
            ],
        );
        return Some(Way::File(fd, Place::Substitute));
    }
    lost(snapshot, errno);
    None
}

/// Whether a supervisor hears us: it judges this process and whatever it starts.
#[cold]
#[inline(never)]
pub fn is_heard(snapshot: &Snapshot) -> bool {
    snapshot.is_supervised && ring([bell::PING.as_ptr(), ptr::null()])
}

/// Has the supervisor put `line`, which ends with a newline, into the log.
#[cold]
#[inline(never)]
pub fn hand_over(snapshot: &Snapshot, line: &mut [u8]) {
    if let Some(end) = line.last_mut() {
        *end = 0;
        if ring([bell::RECORD.as_ptr(), line.as_ptr().cast()]) {
            return;
        }
    }
    lost(snapshot, Errno(libc::EIO));
}

/// Whether it was heard.
fn ring(words: [*const c_char; 2]) -> bool {
    let argv = [words[0], words[1], ptr::null()];
    sys::execute(bell::PATH.as_ptr(), argv.as_ptr(), ptr::null()) == Errno(bell::HEARD)
}

/// Appends `line`, which ends with a newline. A line that was torn by a full disk gets its
/// newline, so that the next one starts clean.
pub fn append(snapshot: &Snapshot, file: &Fd, line: &[u8]) {
    let errno = loop {
        match file.write(line) {
            Ok(written) if written >= line.len() => return,
            Ok(_) => {
                let _ = file.write(b"\n");
                break Errno(libc::ENOSPC);
            }
            Err(Errno(libc::EINTR)) => {}
            Err(errno) => break errno,
        }
    };
    lost(snapshot, errno);
}

#[inline(never)]
fn lost(snapshot: &Snapshot, errno: Errno) {
    let rest = b"); events of this tree are being lost, verdicts are not affected; set RAMPART_AUDIT_DIR to a directory that you can write to";
    warn::once(
        snapshot,
        &[b"cannot write to the audit directory ", snapshot.audit_dir, b" (", reason(errno), rest],
    );
}

fn open_in(dir: &mut AnyPath, user: u32) -> Result<Fd, Errno> {
    let named = dir
        .push(b"/spool-")
        .and_then(|path| path.push_number(user))
        .and_then(|path| path.push(b".jsonl"));
    let path = named.ok_or(Errno(libc::ENAMETOOLONG))?;
    let flags = O_WRONLY | O_APPEND | O_NOFOLLOW | O_NONBLOCK;
    // It is there but for the first time, and opening without O_CREAT takes no lock.
    let file = match Fd::open(AT_FDCWD, path.as_c_str(), flags, 0) {
        Err(Errno(libc::ENOENT)) => Fd::open(AT_FDCWD, path.as_c_str(), flags | O_CREAT, 0o600),
        other => other,
    }?;
    // In a directory for all users somebody else may have been there first.
    let owner = file.stat()?.st_uid;
    if owner == user || owner == 0 { Ok(file) } else { Err(Errno(libc::EEXIST)) }
}

/// Puts the path of this user's own directory into `path`: `rampart-<uid>` below `/dev/shm`, else
/// below `$TMPDIR` (which a sandbox may leave writable where nothing else is), else below `/tmp`;
/// created if need be, 0700, ours, and no symbolic link.
pub fn private_dir(path: &mut Path) -> Option<()> {
    let env = match process::environment() {
        env if env.is_null() => snapshot::initial_environment(),
        env => env,
    };
    // SAFETY: libc's environment, or the kernel's.
    let env = unsafe { Vector::new(env) };
    let temporary = env.value(b"TMPDIR").filter(|dir| dir.starts_with(b"/"));
    let parents = [Some(&b"/dev/shm"[..]), temporary, Some(b"/tmp")];
    let user = sys::effective_user();
    parents
        .into_iter()
        .flatten()
        .find_map(|parent| is_private(path, parent, user).filter(|is_private| *is_private))
        .map(drop)
}

/// Whether `rampart-<user>` below `parent`, which is put into `path`, is such a directory now.
fn is_private(path: &mut Path, parent: &[u8], user: u32) -> Option<bool> {
    path.truncate(0);
    let dir = path.push(parent)?.push(b"/rampart-")?.push_number(user)?.as_c_str();
    if !matches!(sys::make_dir(dir, 0o700), Ok(()) | Err(Errno(libc::EEXIST))) {
        return Some(false);
    }
    let flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW;
    let stat = Fd::open(AT_FDCWD, dir, flags, 0).and_then(|fd| fd.stat());
    Some(stat.is_ok_and(|stat| stat.st_uid == user && stat.st_mode & 0o077 == 0))
}

/// An error number in words, for the few that a directory can give.
fn reason(errno: Errno) -> &'static [u8] {
    match errno.0 {
        libc::EACCES | libc::EPERM => b"permission denied",
        libc::ENOSPC | libc::EDQUOT => b"the disk is full",
        libc::EFBIG => b"the limit on the size of files",
        libc::EROFS => b"read-only file system",
        libc::ENOENT => b"it does not exist",
        libc::ENOTDIR => b"it is no directory",
        libc::ELOOP => b"its spool is a symbolic link",
        libc::EEXIST => b"its spool is another user's",
        libc::EMFILE | libc::ENFILE => b"too many open files",
        libc::ENAMETOOLONG => b"its name is too long",
        _ => b"input/output error",
    }
}
