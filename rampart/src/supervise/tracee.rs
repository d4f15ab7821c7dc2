//! What a process that waits in execve(2) asks for, read from its own memory: it cannot say
//! anything else than what the kernel would read.

use super::directory::Directory;
use super::filter::convention;
use super::kernel::Notice;
use super::parents::{Alone, Parents};
use super::words::{self, Place, Room, Words};
use crate::asked::{Asked, WorkingDirectory};
use crate::launch::environment::Environment;
use crate::process::Process;
use crate::process::who::Who;
use crate::verdict::elsewhere::Root;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// `AT_FDCWD` as an argument: only its lower half counts.
const AT_FDCWD: u32 = libc::AT_FDCWD.cast_unsigned();

/// What is kept from one call to the next, so that looking costs less.
#[derive(Default)]
pub struct Desk {
    parents: Parents,
    room: Room,
    /// Whether somebody in the tree may have another root directory or other mounts than we have.
    has_moved: Arc<AtomicBool>,
}

impl Desk {
    /// One for another thread.
    pub fn another(&self) -> Self {
        Self {
            parents: self.parents.another(),
            has_moved: Arc::clone(&self.has_moved),
            ..Self::default()
        }
    }

    /// Prepares for calls to come.
    pub fn look_ahead(&self) {
        self.parents.look_ahead();
    }

    /// Somebody in the tree gets another root directory or other mounts.
    pub fn set_moved(&self) {
        self.has_moved.store(true, Ordering::SeqCst);
    }

    fn has_moved(&self) -> bool {
        self.has_moved.load(Ordering::SeqCst)
    }

    /// What lies at `place` in the memory of `thread`, which is `who`. Who is found to be alone before its words are read
    /// stays alone; that a parent waits is looked at last, as it may need a moment to get there.
    fn read(
        &mut self,
        who: &Who,
        whose: &Directory,
        (thread, place): (u32, Place),
    ) -> io::Result<Read> {
        let mut tries = 0;
        loop {
            tries += 1;
            let alone = self.parents.alone(who, thread, whose);
            let words = words::read(thread, place, &mut self.room)?;
            let is_alone = match alone {
                Alone::Yes => Some(true),
                Alone::No => Some(false),
                Alone::ButForParent(last) => self.parents.has_been_alone(who, last),
            };
            if is_alone.is_some() || tries == TRIES {
                return Ok(Read { words, is_alone: is_alone == Some(true) });
            }
        }
    }
}

/// How often a call is read while others start programs: each time with a chance of some hundredths that it is not for
/// good.
const TRIES: usize = 4;

/// What is read of a call.
struct Read {
    words: Words,
    /// Whether nobody else runs in its memory.
    is_alone: bool,
}

/// A call to start a program.
#[derive(Debug)]
pub struct Tracee {
    /// Who it is.
    pub who: Who,
    /// Whether nobody else runs in its memory: what it asks for stays what it is.
    pub is_alone: bool,
    /// What it wants to start; the file is absolute, and as we would find it.
    pub asked: Asked,
    /// Whether it lives in another root directory or another mount namespace.
    pub is_elsewhere: bool,
    /// The thread whose root directory counts.
    pub thread: u32,
    /// Whether the file is named from the root directory on: a working directory or a table of descriptors may be shared
    /// with somebody who changes it (`CLONE_FS` and `CLONE_FILES`, clone(2)).
    pub is_absolute: bool,
}

impl Tracee {
    /// Reads what `notice` is about.
    ///
    /// # Errors
    /// `EFAULT` if an address leads nowhere, which is what the kernel would say; others if the
    /// process cannot be looked at.
    pub fn read(notice: &Notice, desk: &mut Desk) -> io::Result<Self> {
        let (convention, is_at) = convention(notice.arch, notice.number)
            .ok_or_else(|| io::Error::from_raw_os_error(libc::ENOSYS))?;
        let thread = notice.thread;
        let pointer = |value: u64| if convention.width == 4 { value & 0xffff_ffff } else { value };
        let [first, second, third, fourth, fifth, _] = notice.args;
        let (directory, path, argv, envp, flags) = match is_at {
            false => (AT_FDCWD, first, second, third, 0),
            true => (lower(first), second, third, fourth, lower(fifth)),
        };
        let place = Place {
            path: pointer(path),
            argv: pointer(argv),
            envp: pointer(envp),
            width: convention.width,
        };
        let whose = Directory::of(thread);
        let who = desk.parents.who(thread)?;
        let Read { words, is_alone } = desk.read(&who, &whose, (thread, place))?;
        let Words { path, mut argv, environment } = words;
        if argv.is_empty() {
            // As the kernel does it since Linux 5.18.
            argv.push(Vec::new());
        }
        let is_elsewhere = desk.has_moved() && whose.is_elsewhere();
        let is_absolute = path.starts_with(b"/");
        let file = file(thread, (directory, &path, flags), is_elsewhere)?;
        let cwd = match is_elsewhere {
            true => seen_there(thread, &whose.link("cwd")?).into(),
            // Nobody changes it while it waits, unless who shares it (see the gaps in docs/supervisor.md).
            false => WorkingDirectory::of(thread),
        };
        Ok(Self {
            who,
            is_alone,
            asked: Asked {
                tool: b"exec".to_vec(),
                file,
                argv,
                shell: None,
                cwd,
                environment: Environment::shared(environment),
                ..Asked::default()
            },
            is_elsewhere,
            thread,
            is_absolute,
        })
    }
}

impl Tracee {
    /// With all that is looked up when it is asked for: long may pass, and it may be killed.
    pub fn for_later(mut self) -> Self {
        self.who.user = self.who.user.looked_up();
        let _ = self.asked.cwd.get();
        self
    }

    /// Whether it only rings for us ([`evaluator::bell`]).
    pub fn rings(&self) -> bool {
        self.asked.file.ends_with(evaluator::bell::PATH.to_bytes())
    }

    /// Whether the call is what it was `before`.
    pub fn asks_the_same(&self, before: &Self) -> bool {
        let (now, then) = (&self.asked, &before.asked);
        (&now.file, &now.argv, &now.cwd, &now.environment, self.is_elsewhere)
            == (&then.file, &then.argv, &then.cwd, &then.environment, before.is_elsewhere)
    }

    /// Where the file leads, which is a link where the process lives.
    pub fn target(&self) -> Option<Vec<u8>> {
        Root::of(self.thread).ok()?.target(&self.asked.file)
    }

    /// Whether the file lies in memory only (memfd_create(2)).
    pub fn is_in_memory(&self) -> bool {
        let path = &self.asked.file;
        path.starts_with(b"/memfd:")
            || (path.starts_with(b"/proc/")
                && fs::read_link(self.asked.path()).is_ok_and(|to| to.starts_with("/memfd:")))
    }

    /// The program that `process` has become; `None` if it may not be looked at. Of the call that
    /// has led to it, `before`, the environment is taken, if nobody can have changed that since.
    pub fn behind(process: u32, before: Option<Self>, desk: &Desk) -> Option<Self> {
        let directory = Directory::of(process);
        let is_elsewhere = desk.has_moved() && directory.is_elsewhere();
        let root = match is_elsewhere {
            true => Some(Root::of(process).ok()?),
            false => None,
        };
        let cwd = match (directory.link("cwd"), &root) {
            (Ok(cwd), Some(root)) => root.seen_there(&cwd).into(),
            (Ok(cwd), None) if cwd.starts_with(b"/") => Some(cwd).into(),
            // It can be too long to be named (readlink(2)), or no path leads there.
            _ => WorkingDirectory::lost(),
        };
        let thread = process;
        let Some(before) = before else {
            let mut asked = Asked::of_process(Process::of(process)?)?;
            asked.cwd = cwd;
            let who = Who::of(process).ok()?;
            let (is_alone, is_absolute) = (false, true);
            return Some(Self { who, is_alone, asked, is_elsewhere, thread, is_absolute });
        };
        let line = directory.read("cmdline").ok()?;
        let line = line.strip_suffix(b"\0").unwrap_or(&line);
        let asked = Asked {
            file: directory.link("exe").ok()?,
            argv: line.split(|byte| *byte == 0).map(<[u8]>::to_vec).collect(),
            cwd,
            ..before.asked
        };
        Some(Self { asked, is_elsewhere, thread, ..before })
    }
}

/// A path that a link in `/proc` gives us, as a process that lives elsewhere would write it.
fn seen_there(process: u32, path: &[u8]) -> Option<Vec<u8>> {
    Root::of(process).ok()?.seen_there(path)
}

fn lower(value: u64) -> u32 {
    u32::try_from(value & 0xffff_ffff).unwrap_or_default()
}

/// How a file is named: a descriptor of a directory, a path, and flags of execveat(2).
type Named<'a> = (u32, &'a [u8], u32);

/// The file that is meant, by a path that means the same to us.
fn file(
    thread: u32,
    (directory, path, flags): Named<'_>,
    is_elsewhere: bool,
) -> io::Result<Vec<u8>> {
    let process = format!("/proc/{thread}");
    if path.is_empty() {
        if flags & libc::AT_EMPTY_PATH.cast_unsigned() == 0 {
            return Err(io::Error::from_raw_os_error(libc::ENOENT));
        }
        return Ok(descriptor(thread, directory));
    }
    let root = if is_elsewhere { format!("{process}/root") } else { String::new() };
    // What is its own in /proc, it would be ours if we looked.
    for (own, its) in [
        (&b"/proc/self/"[..], format!("{process}/")),
        (b"/proc/thread-self/", format!("{process}/")),
        (b"/dev/fd/", format!("{process}/fd/")),
    ] {
        if let Some(rest) = path.strip_prefix(own) {
            return Ok([its.as_bytes(), rest].concat());
        }
    }
    if path.starts_with(b"/") {
        return Ok([root.as_bytes(), path].concat());
    }
    if directory == AT_FDCWD {
        let base = format!("{process}/cwd/").into_bytes();
        return Ok(if is_elsewhere { [&base, path].concat() } else { path.to_vec() });
    }
    let base = match is_elsewhere {
        true => format!("{process}/fd/{directory}").into_bytes(),
        false => descriptor(thread, directory),
    };
    Ok([&base, &b"/"[..], path].concat())
}

/// The file behind a descriptor: by its name, if it still has the one that it was opened by.
fn descriptor(thread: u32, descriptor: u32) -> Vec<u8> {
    let link = format!("/proc/{thread}/fd/{descriptor}");
    let identity = |path: &Path| fs::metadata(path).ok().map(|found| (found.dev(), found.ino()));
    let named = fs::read_link(&link).ok();
    let is_same =
        |name: &PathBuf| identity(name).is_some_and(|it| identity(Path::new(&link)) == Some(it));
    match named.filter(is_same) {
        Some(name) => name.into_os_string().into_encoded_bytes(),
        None => link.into_bytes(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_found_as_the_process_means_them() {
        let own = std::process::id();
        let cases: [(Named<'_>, String); 6] = [
            ((AT_FDCWD, b"/bin/sh", 0), "/bin/sh".into()),
            ((AT_FDCWD, b"x/y", 0), "x/y".into()),
            ((999, b"x", 0), format!("/proc/{own}/fd/999/x")),
            ((999, b"", 0x1000), format!("/proc/{own}/fd/999")),
            ((AT_FDCWD, b"/proc/self/exe", 0), format!("/proc/{own}/exe")),
            ((AT_FDCWD, b"/dev/fd/3", 0), format!("/proc/{own}/fd/3")),
        ];
        for (call, expected) in cases {
            assert_eq!(file(own, call, false).unwrap(), expected.as_bytes());
        }
        assert!(file(own, (AT_FDCWD, b"", 0), false).is_err());
    }
}
