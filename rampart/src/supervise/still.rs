//! Whether what was judged is what will run. The kernel reads path and arguments again when it goes on
//! with a call, and opens the file then. Nothing can have changed meanwhile if nobody else runs in
//! the caller's memory, and if nobody but root can change what the path leads to. Otherwise the
//! process is held behind its execve(2) and looked at again ([`super::kernel::hold_at_exec`]).

use super::kernel::share_memory;
use super::numbers::Numbers;
use super::who::{Directory, Who, threads, whole};
use rustix::fs::{FileType, Stat, lstat, readlink};
use std::collections::{HashMap, HashSet};
use std::ffi::OsStr;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How many parents of a process that shares its memory are followed.
const DEEPEST: usize = 64;

/// How many symbolic links are followed (path_resolution(7)).
const LINKS: usize = 40;

/// Files in `/proc` of processes that start others again and again: opening them costs more than reading.
/// A file stays that of its process, whoever gets its number.
#[derive(Default)]
pub struct Parents {
    known: HashMap<u32, Parent>,
    numbers: Arc<Mutex<Numbers>>,
}

/// The files of one process.
struct Parent {
    tasks: OwnedFd,
    sleep: OwnedFd,
    call: OwnedFd,
    children: OwnedFd,
    /// Its own parent, until it is known to share no memory with that: then it never will.
    above: Option<u32>,
}

impl Parent {
    fn of(process: u32) -> io::Result<Self> {
        let directory = Directory::of(process);
        Ok(Self {
            tasks: directory.open("task")?,
            sleep: directory.open("wchan")?,
            call: directory.open("syscall")?,
            children: directory.open(&children_of(process))?,
            above: Some(Who::of(process)?.parent),
        })
    }

    /// Whether it has one thread, which waits inside of vfork(2) or clone(2) for its child, and no child
    /// shares its memory but `known`.
    fn waits(&self, process: u32, known: u32) -> bool {
        threads(&self.tasks).is_ok_and(|count| count == 1)
            && self.is_in_vfork() == Some(true)
            && whole(&self.children)
                .is_ok_and(|found| shares_with_none_of(process, &found, Some(known)))
    }

    fn is_in_vfork(&self) -> Option<bool> {
        if WAITING.contains(&&*whole(&self.sleep).ok()?) {
            return Some(true);
        }
        // A kernel without names. The flags of clone3(2) lie in memory, where somebody may change them.
        let call = whole(&self.call).ok()?;
        let mut words = std::str::from_utf8(&call).ok()?.split_ascii_whitespace();
        let number: libc::c_long = words.next()?.parse().ok()?;
        let flags = words.next()?.strip_prefix("0x")?;
        let waits = u64::from_str_radix(flags, 16).ok()? & VFORK_FLAG != 0;
        Some(match number {
            #[cfg(target_arch = "x86_64")]
            libc::SYS_vfork => true,
            libc::SYS_clone => waits,
            _ => false,
        })
    }
}

/// Where in the kernel a process sleeps until its child needs its memory no more (`wchan` of proc(5)); the compiler
/// may put the second into the first.
const WAITING: [&[u8]; 2] = [b"kernel_clone", b"wait_for_vfork_done"];

/// `CLONE_VFORK` (`linux/sched.h`): the caller waits until the child needs its memory no more.
const VFORK_FLAG: u64 = libc::CLONE_VFORK as u64;

impl Parents {
    /// How many are kept.
    const MOST: usize = 64;

    /// Those of another thread.
    pub fn another(&self) -> Self {
        Self { known: HashMap::new(), numbers: Arc::clone(&self.numbers) }
    }

    /// Whether nobody else runs in the memory of `who`, which waits in a call: it has one thread, no child
    /// shares it, and if it is a child of vfork(2), the same holds for its parent, which waits for it. Nobody
    /// else can come to run there while it waits, so what is read afterwards stays as it is. Whoever shares memory
    /// and is no relative any more is not found, nor who writes into it from outside (process_vm_writev(2),
    /// `/proc/PID/mem`).
    pub fn is_alone(&mut self, who: &Who, directory: &Directory) -> bool {
        let by_numbers = {
            let mut numbers = self.numbers.lock().unwrap_or_else(PoisonError::into_inner);
            numbers.runs_alone(who.process)
        };
        let runs_alone = by_numbers.unwrap_or_else(|| {
            directory.threads().is_ok_and(|count| count == 1)
                && directory
                    .read(&children_of(who.process))
                    .is_ok_and(|found| shares_with_none_of(who.process, &found, None))
        });
        if !runs_alone {
            return false;
        }
        match share_memory(who.process, who.parent) {
            Some(false) => true,
            None => false,
            Some(true) => self.all_wait(who.process, who.parent),
        }
    }

    /// Whether `process`, which shares the memory of its parent `parent`, runs alone there: the parent waits, and
    /// so on up.
    fn all_wait(&mut self, mut process: u32, mut parent: u32) -> bool {
        for _ in 0..DEEPEST {
            let Some(files) = self.waiting(parent, process) else {
                return false;
            };
            let Some(above) = files.above else {
                return true;
            };
            match share_memory(parent, above) {
                Some(false) => {
                    files.above = None;
                    return true;
                }
                // Maybe it has another parent by now.
                None => drop(self.known.remove(&parent)),
                Some(true) => {}
            }
            (process, parent) = (parent, above);
        }
        false
    }

    /// The files of `process`, if it [`Parent::waits`]: those that are known, or else new ones, as the number
    /// may be another's by now.
    fn waiting(&mut self, process: u32, known: u32) -> Option<&mut Parent> {
        if !self.known.get(&process).is_some_and(|files| files.waits(process, known)) {
            let files = Parent::of(process).ok()?;
            if !files.waits(process, known) {
                return None;
            }
            if self.known.len() >= Self::MOST {
                self.known.clear();
            }
            self.known.insert(process, files);
        }
        self.known.get_mut(&process)
    }
}

fn children_of(process: u32) -> String {
    format!("task/{process}/children")
}

/// Whether none of the `children` of `process` shares its memory, but for `known`.
fn shares_with_none_of(process: u32, children: &[u8], known: Option<u32>) -> bool {
    let Ok(list) = std::str::from_utf8(children) else {
        return false;
    };
    list.split_ascii_whitespace().all(|child| match child.parse() {
        Ok(child) => Some(child) == known || share_memory(process, child) == Some(false),
        Err(_) => false,
    })
}

/// Paths that only root can change. Nobody else can take that away from them, so it is not looked up for
/// each start, only every second, for root's sake.
pub struct Settled {
    known: HashSet<PathBuf>,
    since: Instant,
}

impl Default for Settled {
    fn default() -> Self {
        Self { known: HashSet::new(), since: Instant::now() }
    }
}

impl Settled {
    /// For how long what was found is believed.
    const LONG: Duration = Duration::from_secs(1);

    /// How many are kept.
    const MOST: usize = 1024;

    /// Whether only root can change what `path` leads to.
    pub fn holds(&mut self, path: &Path) -> bool {
        if self.since.elapsed() > Self::LONG || self.known.len() >= Self::MOST {
            *self = Self::default();
        }
        if self.known.contains(path) {
            return true;
        }
        let found = is_settled(path);
        if found {
            self.known.insert(path.to_owned());
        }
        found
    }
}

/// Whether only root can change what `path` leads to: each directory and link on the way, and the
/// file. A path in `/proc` leads elsewhere for everybody, and is none.
fn is_settled(path: &Path) -> bool {
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
        if !is_roots(&found) {
            return false;
        }
        if FileType::from_raw_mode(found.st_mode) != FileType::Symlink {
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

/// Whether only root can change it. A directory with the sticky bit does not count: who runs as root inside
/// of the tree could swap what is root's there, and that is where work is done.
fn is_roots(found: &Stat) -> bool {
    let is_link = FileType::from_raw_mode(found.st_mode) == FileType::Symlink;
    // The mode of a link means nothing.
    found.st_uid == 0 && (is_link || found.st_mode & 0o022 == 0)
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
        let parent = std::os::unix::process::parent_id();
        let mut parents = Parents::default();
        let who = Who { process: own, parent, user: 0 };
        let is_alone = |parents: &mut Parents| parents.is_alone(&who, &Directory::of(own));
        // The test's own thread is a second one.
        assert!(!is_alone(&mut parents));
        assert!(parents.waiting(own, 0).is_none(), "it runs");
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let who = Who { process: child.id(), parent: own, user: 0 };
        assert!(parents.is_alone(&who, &Directory::of(child.id())));
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
