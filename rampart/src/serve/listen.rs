//! Where an evaluator listens, and being the only one there.

use crate::channel::Connection;
use crate::directories::make_private;
use crate::failure::{Failure, reason};
use crate::process::Process;
use rustix::fs::FlockOperation;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};
use std::env;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::ErrorKind;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// The daemon's socket in the runtime directory.
const DAEMON: &str = "evaluator.sock";

/// Longest path of a socket in bytes (`sun_path` in unix(7), less its NUL).
const LONGEST: usize = 107;

/// How many connections wait to be accepted. The kernel's own limit (`net.core.somaxconn`) may be
/// lower.
const BACKLOG: i32 = 4096;

/// The directory for sockets: `$XDG_RUNTIME_DIR/rampart`, for root without it `/run/rampart`, else
/// `/run/user/UID/rampart` where that exists.
///
/// # Errors
/// If there is none of these.
pub fn directory() -> Result<PathBuf, Failure> {
    let runtime = env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
    if let Some(runtime) = runtime.filter(|path| path.is_absolute()) {
        return Ok(runtime.join("rampart"));
    }
    let user = rustix::process::geteuid();
    if user.is_root() {
        return Ok(PathBuf::from("/run/rampart"));
    }
    let usual = PathBuf::from(format!("/run/user/{}", user.as_raw()));
    match fs::metadata(&usual) {
        Ok(found) if found.is_dir() && found.uid() == user.as_raw() => Ok(usual.join("rampart")),
        _ => Err(Failure::usage(
            "there is no runtime directory for the evaluator's socket; set XDG_RUNTIME_DIR to a \
             private directory, or name the socket with --socket",
        )),
    }
}

/// The daemon's socket: what `RAMPART_SOCKET` says, else in [`directory`].
///
/// # Errors
/// As [`directory`].
pub fn daemon() -> Result<PathBuf, Failure> {
    match env::var_os("RAMPART_SOCKET").filter(|path| !path.is_empty()) {
        Some(path) => Ok(std::path::absolute(&path).unwrap_or_else(|_| PathBuf::from(path))),
        None => Ok(directory()?.join(DAEMON)),
    }
}

/// Every socket of this user that somebody may listen at: the daemon's, and those that
/// `rampart run` hosts.
pub fn all() -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = daemon().into_iter().collect();
    let entries = directory().ok().and_then(|path| fs::read_dir(path).ok());
    for entry in entries.into_iter().flatten().flatten() {
        let path = entry.path();
        if path.extension().is_some_and(|end| end == "sock") && !found.contains(&path) {
            found.push(path);
        }
    }
    found
}

/// A socket that is listened at. It goes with this value.
pub struct Listener {
    /// The socket, not blocking.
    pub socket: OwnedFd,
    /// Where it lies.
    pub path: PathBuf,
    /// Whether the path goes with this value.
    is_own: bool,
    _locked: Option<File>,
}

impl Listener {
    /// Listens at `path`; `is_shared` lets every user of the machine connect. What a dead
    /// evaluator left there is taken over.
    ///
    /// # Errors
    /// If another evaluator listens there, or it cannot be created.
    pub fn new(path: &Path, is_shared: bool) -> Result<Self, Failure> {
        let failed = |what: &str, why: &str| {
            Failure::other(format!("cannot {what} at `{}`: {why}", path.display()))
        };
        if path.as_os_str().len() > LONGEST {
            return Err(failed("listen", "a socket's path has at most 107 bytes; choose another"));
        }
        if let Some(directory) = path.parent() {
            if is_shared {
                fs::create_dir_all(directory)
                    .map_err(|error| failed("make a directory", &reason(&error)))?;
            } else if !directory.exists() {
                make_private(directory)?;
            }
        }
        let locked = lock(path).map_err(|error| failed("take a lock", &reason(&error)))?;
        if rustix::fs::flock(&locked, FlockOperation::NonBlockingLockExclusive).is_err() {
            return Err(failed("listen", "another evaluator is running there"));
        }
        let socket = bind(path).map_err(|errno| failed("listen", &reason(&errno.into())))?;
        let mode = if is_shared { 0o666 } else { 0o600 };
        fs::set_permissions(path, Permissions::from_mode(mode))
            .map_err(|error| failed("listen", &reason(&error)))?;
        Ok(Self { socket, path: path.to_owned(), is_own: true, _locked: Some(locked) })
    }

    /// Listens at `socket`, which somebody else has bound and keeps; `usual` names the evaluator if
    /// the socket has no path.
    ///
    /// # Errors
    /// If another evaluator listens there.
    pub fn given(socket: OwnedFd, usual: &Path) -> Result<Self, Failure> {
        let bound = rustix::net::getsockname(&socket).ok();
        let bound = bound.and_then(|address| SocketAddrUnix::try_from(address).ok());
        let name = bound.and_then(|address| address.path().map(|path| path.into_owned()));
        let path = name.map_or(usual.to_owned(), |name| {
            PathBuf::from(std::ffi::OsStr::from_bytes(name.as_bytes()))
        });
        let failed =
            |why: &str| Failure::other(format!("cannot listen at `{}`: {why}", path.display()));
        let locked = match lock(&path) {
            Ok(locked) => Some(locked),
            // The directory is the service manager's, which starts one evaluator for its socket.
            Err(error) if is_closed(&error) => None,
            Err(error) => return Err(failed(&reason(&error))),
        };
        let taken = locked
            .as_ref()
            .map(|file| rustix::fs::flock(file, FlockOperation::NonBlockingLockExclusive));
        if taken.is_some_and(|taken| taken.is_err()) {
            return Err(failed("another evaluator is running there"));
        }
        Ok(Self { socket, path, is_own: false, _locked: locked })
    }

    /// Listens at a path of its own in [`directory`], for one tree.
    ///
    /// # Errors
    /// If there is no such directory, or nothing can be created there.
    pub fn private() -> Result<Self, Failure> {
        let directory = directory()?;
        make_private(&directory)?;
        remove_left_behind(&directory);
        let path = directory.join(format!("run-{}.sock", std::process::id()));
        let socket = bind(&path).map_err(|errno| {
            let why = reason(&errno.into());
            Failure::other(format!("cannot listen at `{}`: {why}", path.display()))
        })?;
        Ok(Self { socket, path, is_own: true, _locked: None })
    }
}

/// Removes sockets of [`Listener::private`] whose process was killed: nobody listens there, and
/// nobody has the number that its name holds.
fn remove_left_behind(directory: &Path) {
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let number =
            name.to_str().and_then(|name| name.strip_prefix("run-")?.strip_suffix(".sock"));
        let Some(pid) = number.and_then(|number| number.parse().ok()) else {
            continue;
        };
        let is_refused = |error: std::io::Error| error.kind() == ErrorKind::ConnectionRefused;
        let path = entry.path();
        if Process::of(pid).is_none() && Connection::open(&path).is_err_and(is_refused) {
            let _ = fs::remove_file(path);
        }
    }
}

/// The file whose lock says that somebody listens. It stays: a lock on a file that was removed
/// would keep nobody out.
fn lock(path: &Path) -> std::io::Result<File> {
    OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .custom_flags(libc::O_NOFOLLOW)
        .open(path.with_extension("lock"))
}

/// Whether nothing can be created there by this user.
fn is_closed(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem)
}

fn bind(path: &Path) -> rustix::io::Result<OwnedFd> {
    let _ = fs::remove_file(path);
    let socket = rustix::net::socket_with(
        AddressFamily::UNIX,
        SocketType::SEQPACKET,
        SocketFlags::CLOEXEC | SocketFlags::NONBLOCK,
        None,
    )?;
    // Nobody else may connect in the moment before the mode is set.
    let before = rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o177));
    let bound = rustix::net::bind(&socket, &SocketAddrUnix::new(path)?);
    rustix::process::umask(before);
    bound?;
    rustix::net::listen(&socket, BACKLOG)?;
    Ok(socket)
}

impl Drop for Listener {
    fn drop(&mut self) {
        if self.is_own {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Raises the limit on open descriptors to what the administrator permits.
pub fn raise_limit() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    let _ = setrlimit(Resource::Nofile, limit);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_evaluator_a_socket() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("r/evaluator.sock");
        let first = Listener::new(&path, false).unwrap();
        let second = Listener::new(&path, false).err().unwrap();
        assert!(second.message.contains("another evaluator"), "{second}");
        assert!(Connection::open(&path).is_ok());
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        assert_eq!(fs::metadata(root.path().join("r")).unwrap().mode() & 0o777, 0o700);
        drop(first);
        assert!(!path.exists());
        // What a killed one leaves is taken over.
        drop(bind(&path).unwrap());
        assert!(path.exists() && Connection::open(&path).is_err());
        let third = Listener::new(&path, false).unwrap();
        assert!(Connection::open(&path).is_ok());
        drop(third);
        let long = root.path().join("x".repeat(120));
        assert!(Listener::new(&long, false).err().unwrap().message.contains("107"));
    }
}
