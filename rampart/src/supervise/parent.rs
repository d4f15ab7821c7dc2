//! A process that starts others again and again, by its files in `/proc`: whether it does nothing but wait in vfork(2) for
//! one of them.

use super::children::Children;
use super::directory::{Directory, threads, whole};
use super::kernel::{Share, Sharing, has_memory, shared};
use crate::process::Process;
use crate::process::who::Who;
use std::cell::{Cell, RefCell};
use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::thread;
use std::time::{Duration, Instant};

/// For how long a parent is looked at that does not wait yet: its child may run on another processor before it gets
/// there. Holding the child instead takes longer.
const PATIENCE: Duration = Duration::from_micros(100);

/// The files of one process.
pub struct Parent {
    process: u32,
    tasks: OwnedFd,
    sleep: OwnedFd,
    call: OwnedFd,
    /// Whether it had to be taken out of a queue when it was last seen to wait.
    was_queued: Cell<bool>,
    /// Its children.
    pub children: Children,
    /// Its own parent, until it is known to share no memory with that: then it never will.
    above: Option<u32>,
    /// The children of that, itself among them, once they were needed.
    siblings: RefCell<Option<Children>>,
}

impl Parent {
    pub fn of(process: u32) -> io::Result<Self> {
        let directory = Directory::of(process);
        Ok(Self {
            process,
            tasks: directory.open("task")?,
            sleep: directory.open("wchan")?,
            call: directory.open("syscall")?,
            was_queued: Cell::new(false),
            children: Children::of(&directory, process)?,
            above: Some(Who::of(process)?.parent),
            siblings: RefCell::default(),
        })
    }

    /// Looks whether it is still there.
    ///
    /// # Errors
    /// If it has ended.
    pub fn is_there(&self) -> io::Result<()> {
        self.is_one_thread().map(drop)
    }

    /// Whether it does nothing but wait for `child`, and nobody else runs in its memory, told without numbers.
    /// Between two moments at which it waited it had no turn, so it waited all the time for the same one; and it has made
    /// nobody since `child`.
    ///
    /// # Errors
    /// If it has ended.
    pub fn waits_for(&self, child: u32) -> io::Result<bool> {
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
            // Numbers say nothing here of who is older, and times not more than to a hundredth of a second.
            let child = Process::of(child).ok_or(rustix::io::Errno::SRCH)?;
            let is_older =
                |other| Process::of(other).is_some_and(|other| other.start < child.start);
            if !self.has_made_no_sibling(|other| !is_older(other))? {
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
    pub fn comes_to_wait(&self) -> io::Result<bool> {
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

    /// Whether it waits for nobody whom it has made as a child of its own parent (`CLONE_PARENT`, clone(2)): he stands behind
    /// it in the list of those, with a number that `is_possible`.
    ///
    /// # Errors
    /// If it has ended.
    pub fn has_made_no_sibling(&self, is_possible: impl Fn(u32) -> bool) -> io::Result<bool> {
        let answer = |list: &Children| -> io::Result<Option<bool>> {
            let Some(all) = list.all(None)? else {
                return Ok(Some(false));
            };
            let mut all = all.into_iter();
            let is_there = all.by_ref().any(|sibling| sibling == self.process);
            Ok(is_there.then(|| !all.any(&is_possible)))
        };
        let known = self.siblings.borrow().as_ref().map(answer).transpose()?.flatten();
        if let Some(known) = known {
            return Ok(known);
        }
        // It may have another parent by now. Whose child it is, is one of that one's threads.
        let parent = Who::of(self.process)?.parent;
        let directory = Directory::of(parent);
        for thread in fs::read_dir(format!("/proc/{parent}/task"))? {
            let Some(thread) = thread?.file_name().to_str().and_then(|name| name.parse().ok())
            else {
                continue;
            };
            let Ok(list) = Children::of(&directory, thread) else { continue };
            if let Some(found) = answer(&list)? {
                self.siblings.replace(Some(list));
                return Ok(found);
            }
        }
        Ok(false)
    }

    /// Whether it does not run in the memory of its own parent.
    pub fn has_its_own(&mut self) -> bool {
        let process = self.process;
        if self.above.is_none_or(|above| is_apart(Share::Memory, process, above)) {
            self.above = None;
        }
        self.above.is_none()
    }

    /// Whether it has one thread, no child shares its memory but `child`, and it has made nobody since who is there.
    pub fn is_alone_but_for(&self, child: u32) -> io::Result<bool> {
        if !self.is_one_thread()? {
            return Ok(false);
        }
        let Some(children) = self.children.all(Some(child))? else {
            return Ok(false);
        };
        // It may wait for one that has its own memory, too.
        let Some((last, others)) = children.split_last() else {
            return Ok(false);
        };
        let is_apart = |other: &u32| is_apart(Share::Memory, self.process, *other);
        Ok(*last == child && others.iter().all(is_apart))
    }

    /// Whether it has one thread.
    ///
    /// # Errors
    /// If it has ended.
    pub fn is_one_thread(&self) -> io::Result<bool> {
        match threads(&self.tasks)? {
            0 => Err(rustix::io::Errno::SRCH.into()),
            count => Ok(count == 1),
        }
    }

    /// Whether it sleeps inside of vfork(2), or of a call that does the same.
    fn is_in_vfork(&self) -> io::Result<bool> {
        let waits = || whole(&self.sleep).map(|place| WAITING.contains(&&*place));
        if !self.was_queued.get() && waits()? {
            return Ok(true);
        }
        // Who has just gone to sleep may stand in the queue of a processor for a while (Linux 6.12), and `wchan` says of
        // him what it says of one who runs. Asked for his call, the kernel takes him out. Where that helped, it will again.
        let waits = whole(&self.call)? != b"running\n" && waits()?;
        self.was_queued.set(waits);
        Ok(waits)
    }

    /// How many times it had its turn on a processor.
    pub fn turns(&self) -> io::Result<u64> {
        let text = Directory::of(self.process).read("schedstat")?;
        let text = String::from_utf8_lossy(&text);
        let turns = text.split_ascii_whitespace().nth(2).and_then(|count| count.parse().ok());
        // Nobody has called without having run: the kernel does not count.
        turns.filter(|turns| *turns != 0).ok_or_else(|| rustix::io::Errno::OPNOTSUPP.into())
    }
}

/// Where in the kernel a process sleeps until its child needs its memory no more (`wchan` of proc(5)); the compiler
/// may put the second into the first. A kernel without names says the same of everybody, so that children are held.
const WAITING: [&[u8]; 2] = [b"kernel_clone", b"wait_for_vfork_done"];

/// Whether `process` shares nothing of this kind with `thread`.
pub fn is_apart(what: Share, thread: u32, process: u32) -> bool {
    shared(what, thread, process) == Sharing::Separate && is_whole(process)
}

/// Whether what the first thread of `process` has was there a moment ago, or nobody else is there who could have it:
/// once the first has ended, it has nothing left to share, while others go on.
pub fn is_whole(process: u32) -> bool {
    has_memory(process) || Directory::of(process).threads().is_ok_and(|count| count == 1)
}
