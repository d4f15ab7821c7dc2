//! Whether nobody else runs in the memory of a process that waits in execve(2): what is read there then stays as it
//! is. A child of vfork(2) runs in the memory of its parent, which waits for it; that it does is not taken from what
//! is seen at one moment, since it could as well be waiting for another child, and be about to go on.

use super::kernel::share_memory;
use super::numbers::{Made, Numbers};
use super::who::{Directory, Who, threads, whole};
use std::collections::HashMap;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// For how long a parent is looked at that does not wait yet: its child may run on another processor before it gets
/// there. Holding the child instead takes longer.
const PATIENCE: Duration = Duration::from_micros(100);

/// Files in `/proc` of processes that start others again and again: opening them costs more than reading.
/// A file stays that of its process, whoever gets its number.
#[derive(Default)]
pub struct Parents {
    known: HashMap<u32, Parent>,
    numbers: Arc<Mutex<Numbers>>,
}

/// The files of one process.
struct Parent {
    process: u32,
    tasks: OwnedFd,
    sleep: OwnedFd,
    call: OwnedFd,
    children: OwnedFd,
    /// Its own parent, until it is known to share no memory with that: then it never will.
    above: Option<u32>,
}

/// Whether nobody else runs in the memory of a process that waits in a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Alone {
    /// Nobody does.
    Yes,
    /// Somebody does, or may.
    No,
    /// Nobody but its parent does. If that turns out to wait for it, and nobody is made up to then (this is the number that was
    /// given out last), nobody has run there since this was found out.
    ButForParent(u32),
}

impl Parent {
    fn of(process: u32) -> io::Result<Self> {
        let directory = Directory::of(process);
        Ok(Self {
            process,
            tasks: directory.open("task")?,
            sleep: directory.open("wchan")?,
            call: directory.open("syscall")?,
            children: directory.open(&children_of(process))?,
            above: Some(Who::of(process)?.parent),
        })
    }

    /// Whether it does nothing but wait for `child`, and nobody else runs in its memory, told without numbers.
    /// Between two moments at which it waited it had no turn, so it waited all the time for the same one, who shares its
    /// memory; and there is nobody like that but `child`.
    ///
    /// # Errors
    /// If it has ended.
    fn waits_for(&self, child: u32) -> io::Result<bool> {
        let began = Instant::now();
        while began.elapsed() < PATIENCE {
            let turns = self.turns()?;
            if !self.is_in_vfork()? {
                thread::yield_now();
                continue;
            }
            if !self.is_alone_but_for(child)? {
                return Ok(false);
            }
            if self.is_in_vfork()? && self.turns()? == turns {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether it waits in vfork(2), or soon does.
    ///
    /// # Errors
    /// If it has ended.
    fn comes_to_wait(&self) -> io::Result<bool> {
        let began = Instant::now();
        while !self.is_in_vfork()? {
            if began.elapsed() > PATIENCE {
                return Ok(false);
            }
            // It may need this processor to get there.
            thread::yield_now();
        }
        Ok(true)
    }

    /// Whether it has one thread, and no child shares its memory but `child`.
    fn is_alone_but_for(&self, child: u32) -> io::Result<bool> {
        let is_one = match threads(&self.tasks)? {
            0 => return Err(rustix::io::Errno::SRCH.into()),
            count => count == 1,
        };
        Ok(is_one && shares_with_none_of(self.process, &whole(&self.children)?, Some(child)))
    }

    /// Whether it sleeps inside of vfork(2), or of a call that does the same.
    fn is_in_vfork(&self) -> io::Result<bool> {
        if !has_names() {
            return Ok(is_vfork(&whole(&self.call)?).unwrap_or(false));
        }
        let waits = || whole(&self.sleep).map(|place| WAITING.contains(&&*place));
        if waits()? {
            return Ok(true);
        }
        // Who has just gone to sleep may stand in the queue of a processor for a while (Linux 6.12), and `wchan` says of him what
        // it says of one who runs. Asked for his call, the kernel takes him out.
        Ok(whole(&self.call)? != b"running\n" && waits()?)
    }

    /// How many times it had its turn on a processor.
    fn turns(&self) -> io::Result<u64> {
        let text = Directory::of(self.process).read("schedstat")?;
        let text = String::from_utf8_lossy(&text);
        let turns = text.split_ascii_whitespace().nth(2).and_then(|count| count.parse().ok());
        // Nobody has called without having run: the kernel does not count.
        turns.filter(|turns| *turns != 0).ok_or_else(|| rustix::io::Errno::OPNOTSUPP.into())
    }
}

/// Whether the kernel names its functions. Without names `wchan` says the same of everybody.
fn has_names() -> bool {
    static FOUND: OnceLock<bool> = OnceLock::new();
    *FOUND.get_or_init(|| Path::new("/proc/kallsyms").exists())
}

/// Whether a process that sleeps in this call (`syscall` of proc(5)) waits for a child to need its memory no more;
/// `None` if it runs. The flags of clone3(2) lie in memory, where somebody may change them.
fn is_vfork(call: &[u8]) -> Option<bool> {
    let mut words = std::str::from_utf8(call).ok()?.split_ascii_whitespace();
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
    pub fn alone(&mut self, who: &Who, directory: &Directory) -> Alone {
        let made = locked(&self.numbers).made_since(who.process);
        let runs_alone = match made {
            Made::NobodyUpTo(_) => true,
            Made::Somebody => false,
            Made::Unknown => {
                directory.threads().is_ok_and(|count| count == 1)
                    && directory
                        .read(&children_of(who.process))
                        .is_ok_and(|found| shares_with_none_of(who.process, &found, None))
            }
        };
        match share_memory(who.process, who.parent) {
            Some(false) if runs_alone => Alone::Yes,
            Some(true) if runs_alone => self.with_its_parent(who, made),
            _ => Alone::No,
        }
    }

    /// The same of one that runs in the memory of its parent.
    fn with_its_parent(&mut self, who: &Who, made: Made) -> Alone {
        let child = who.process;
        let (found, holds) = match made {
            Made::NobodyUpTo(last) => {
                let holds = self.ask(who.parent, |parent| parent.is_alone_but_for(child));
                (Alone::ButForParent(last), holds)
            }
            _ => (Alone::Yes, self.ask(who.parent, |parent| parent.waits_for(child))),
        };
        match holds {
            // Whoever runs in the memory of his own parent is rare.
            Some(true) if self.has_its_own(who.parent) => found,
            _ => Alone::No,
        }
    }

    /// Whether nobody else has run in the memory of `who` since it was found to be [`Alone::ButForParent`], and now its
    /// parent waits for it. If it does, it has been in that call since it made `who`. `None` if somebody was made
    /// meanwhile, for whom it could be waiting: all has to be looked at again, what was read there, too.
    ///
    /// Whoever else it may wait for shares its memory, and was made before `last`: then he was found; or he shares it no
    /// more, and it does not wait for him.
    pub fn has_been_alone(&mut self, who: &Who, last: u32) -> Option<bool> {
        if self.ask(who.parent, Parent::comes_to_wait) != Some(true) {
            return Some(false);
        }
        locked(&self.numbers).is_last(last).then_some(true)
    }

    /// Prepares for calls to come, if no other thread does.
    pub fn look_ahead(&self) {
        if let Ok(mut numbers) = self.numbers.try_lock() {
            numbers.look_ahead();
        }
    }

    /// Asks something of `parent`: by the files that are known, or else by new ones, as the number may be another's by now.
    /// `None` if it has ended.
    fn ask<T>(&mut self, parent: u32, question: impl Fn(&Parent) -> io::Result<T>) -> Option<T> {
        if let Some(answer) = self.known.get(&parent).and_then(|files| question(files).ok()) {
            return Some(answer);
        }
        self.known.remove(&parent);
        let files = Parent::of(parent).ok()?;
        let answer = question(&files).ok()?;
        if self.known.len() >= Self::MOST {
            self.known.clear();
        }
        self.known.insert(parent, files);
        Some(answer)
    }

    /// Whether `parent`, which was asked something, does not run in the memory of its own parent.
    fn has_its_own(&mut self, parent: u32) -> bool {
        let Some(files) = self.known.get_mut(&parent) else {
            return false;
        };
        if files.above.is_none_or(|above| share_memory(parent, above) == Some(false)) {
            files.above = None;
            return true;
        }
        // Maybe it has another parent by now.
        self.known.remove(&parent);
        false
    }
}

/// Whoever held it and failed has left it whole.
fn locked(numbers: &Mutex<Numbers>) -> MutexGuard<'_, Numbers> {
    numbers.lock().unwrap_or_else(PoisonError::into_inner)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_are_seen() {
        let own = std::process::id();
        let parent = std::os::unix::process::parent_id();
        let mut parents = Parents::default();
        let who = Who { process: own, parent, user: 0 };
        // The test's own thread is a second one.
        assert_eq!(parents.alone(&who, &Directory::of(own)), Alone::No);
        let files = Parent::of(own).unwrap();
        assert!(!files.is_alone_but_for(0).unwrap() && !files.comes_to_wait().unwrap(), "it runs");
        assert!(files.turns().is_ok_and(|turns| turns > 0) && !files.waits_for(0).unwrap());
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let who = Who { process: child.id(), parent: own, user: 0 };
        assert_eq!(parents.alone(&who, &Directory::of(child.id())), Alone::Yes);
        assert_eq!(parents.has_been_alone(&who, 0), Some(false), "nobody waits for it");
        child.kill().unwrap();
        child.wait().unwrap();
    }

    #[test]
    fn what_waits_for_a_child() {
        assert_eq!(is_vfork(b"running\n"), None);
        let call =
            |number: i64, flags: u64| is_vfork(format!("{number} {flags:#x} 0x0\n").as_bytes());
        assert_eq!(call(libc::SYS_clone, 0x4111), Some(true));
        assert_eq!(call(libc::SYS_clone, 0x111), Some(false));
        assert_eq!(call(libc::SYS_clone3, 0x4111), Some(false));
    }
}
