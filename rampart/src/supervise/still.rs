//! Whether what was judged is what will run. The kernel reads path and arguments again when it goes on
//! with a call, and opens the file then. Nothing can have changed meanwhile if nobody else runs in
//! the caller's memory, and if nobody but root can change what the path leads to. Otherwise the
//! process is held behind its execve(2) and looked at again ([`super::kernel::hold_at_exec`]).

use super::kernel::share_memory;
use super::tracee::Tracee;
use crate::process::small;
use rustix::fs::{FileType, Stat, lstat, readlink};
use std::ffi::OsStr;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

/// How many parents of a process that shares its memory are followed.
const DEEPEST: usize = 64;

/// How many symbolic links are followed (path_resolution(7)).
const LINKS: usize = 40;

/// Whether nobody else runs in the memory of `tracee`: it has one thread, no child shares it, and if it
/// is a child of vfork(2), the same holds for its parent, which waits for it. Whoever shares memory and is
/// no relative any more is not found, nor who writes into it from outside (process_vm_writev(2),
/// `/proc/PID/mem`).
pub fn is_alone(tracee: &Tracee) -> bool {
    if tracee.threads != 1 || !shares_with_no_child(tracee.process, None) {
        return false;
    }
    let (mut process, mut parent) = (tracee.process, tracee.parent);
    for _ in 0..DEEPEST {
        match share_memory(process, parent) {
            Some(false) => return true,
            None => return false,
            Some(true) => {}
        }
        match waiting_parent(parent) {
            Some(next) if shares_with_no_child(parent, Some(process)) => {
                (process, parent) = (parent, next);
            }
            _ => return false,
        }
    }
    false
}

/// Whether no child of `process`, which has one thread, shares its memory, but for `known`.
fn shares_with_no_child(process: u32, known: Option<u32>) -> bool {
    let Ok(list) = small(&format!("/proc/{process}/task/{process}/children")) else {
        return false;
    };
    let list = String::from_utf8_lossy(&list);
    list.split_ascii_whitespace().all(|child| match child.parse() {
        Ok(child) => Some(child) == known || share_memory(process, child) == Some(false),
        Err(_) => false,
    })
}

/// The parent of `process`, if that has one thread, which waits inside of vfork(2) or clone(2).
fn waiting_parent(process: u32) -> Option<u32> {
    let call = small(&format!("/proc/{process}/syscall")).ok()?;
    let call = String::from_utf8_lossy(&call);
    let number = call.split_ascii_whitespace().next()?.parse().ok()?;
    let text = small(&format!("/proc/{process}/stat")).ok()?;
    let end = text.iter().rposition(|byte| *byte == b')')?;
    let rest = std::str::from_utf8(text.get(end + 1..)?).ok()?;
    let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
    // Fields 3, 4 and 20 of proc_pid_stat(5).
    let (state, parent, threads) = (fields.first()?, fields.get(1)?, fields.get(17)?);
    let waits = *state == "D" && *threads == "1" && VFORK.contains(&number);
    waits.then(|| parent.parse().ok())?
}

/// The system calls in which the parent of a vfork(2) child waits.
#[cfg(target_arch = "x86_64")]
const VFORK: [libc::c_long; 3] = [libc::SYS_vfork, libc::SYS_clone, libc::SYS_clone3];
#[cfg(not(target_arch = "x86_64"))]
const VFORK: [libc::c_long; 2] = [libc::SYS_clone, libc::SYS_clone3];

/// Whether only root can change what `path` leads to: each directory and link on the way, and the
/// file. A path in `/proc` leads elsewhere for everybody, and is none.
pub fn is_settled(path: &Path) -> bool {
    let mut links = 0;
    let mut rest: Vec<Vec<u8>> = parts(path.as_os_str().as_bytes());
    let mut at = PathBuf::from("/");
    let Ok(root) = lstat(&at) else {
        return false;
    };
    if !path.is_absolute() || !is_roots(&root) {
        return false;
    }
    while let Some(name) = rest.pop() {
        match &name[..] {
            b"." => continue,
            b".." => {
                at.pop();
                continue;
            }
            _ => at.push(OsStr::from_bytes(&name)),
        }
        if at == Path::new("/proc") {
            return false;
        }
        let Ok(found) = lstat(&at) else {
            return false;
        };
        if FileType::from_raw_mode(found.st_mode) != FileType::Symlink {
            if !is_roots(&found) {
                return false;
            }
            continue;
        }
        links += 1;
        let Some(target) = readlink(&at, Vec::new()).ok().filter(|_| links <= LINKS) else {
            return false;
        };
        let target = std::ffi::OsString::from_vec(target.into_bytes());
        at.pop();
        if target.as_bytes().starts_with(b"/") {
            at = PathBuf::from("/");
        }
        rest.extend(parts(target.as_bytes()));
    }
    true
}

/// The components, the last first.
fn parts(path: &[u8]) -> Vec<Vec<u8>> {
    let all = path.split(|byte| *byte == b'/').filter(|part| !part.is_empty());
    all.rev().map(<[u8]>::to_vec).collect()
}

fn is_roots(found: &Stat) -> bool {
    found.st_uid == 0 && found.st_mode & 0o022 == 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};

    #[test]
    fn what_only_root_can_change() {
        let root = tempfile::tempdir().unwrap();
        let at = |name: &str| root.path().join(name);
        symlink("/bin/sh", at("link")).unwrap();
        fs::copy("/bin/true", at("copy")).unwrap();
        let cases = [
            ("/bin/sh".into(), true),
            ("/usr/bin/../bin/./sh".into(), true),
            ("/bin/none".into(), false),
            ("bin/sh".into(), false),
            ("/proc/self/exe".into(), false),
            // Whatever the temporary directory is, others can write there.
            (at("link"), false),
            (at("copy"), false),
        ];
        for (path, expected) in cases {
            assert_eq!(is_settled(&path), expected, "{}", path.display());
        }
        let mode = fs::metadata("/bin/true").unwrap().permissions().mode();
        assert_eq!(mode & 0o022, 0);
    }

    #[test]
    fn threads_are_seen() {
        let own = std::process::id();
        let tracee = |threads| Tracee {
            process: own,
            parent: std::os::unix::process::parent_id(),
            user: 0,
            threads,
            asked: crate::asked::Asked::default(),
            is_elsewhere: false,
        };
        assert!(is_alone(&tracee(1)));
        assert!(!is_alone(&tracee(2)));
        assert_eq!(waiting_parent(own), None, "it runs");
    }
}
