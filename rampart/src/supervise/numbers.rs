//! Numbers of threads, as the kernel gives them out: one after the other, through all that are free, and from the
//! beginning again (pid_namespaces(7)). Whoever is made by a new process has a higher number than it, so who could
//! run in its memory is found among the few numbers that were given out since, without looking for it in `/proc`,
//! which costs a new process more than everything else that is looked at.
#![allow(unsafe_code, reason = "neither std nor rustix has sysconf(3)")]

use super::kernel::{Sharing, meddles};
use rustix::fs::{Mode, OFlags, PROC_SUPER_MAGIC, fstatfs, open};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use std::collections::VecDeque;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

/// Who runs in the memory of a process, or shares where its paths lead to, among those that were made after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Made {
    /// Nobody, up to the one with this number, which was the last.
    NobodyUpTo(u32),
    /// Somebody does.
    Somebody,
    /// It cannot be told: the process is not new, or too many others are.
    Unknown,
}

/// Numbers that were free a moment ago, and those that are in use.
pub struct Numbers {
    /// `/proc/sys/kernel/ns_last_pid`: the number that was given out last.
    last: Option<OwnedFd>,
    /// In less than this they are not given out once around.
    around: Duration,
    /// Which were free, each with when that was seen.
    free: VecDeque<(u32, Instant)>,
    /// The number that was given out last when somebody was asked about.
    seen: Option<u32>,
}

impl Default for Numbers {
    fn default() -> Self {
        let most = number_in("/proc/sys/kernel/pid_max").unwrap_or_default();
        let each = (Self::EACH / processors()).max(Self::LOCKED);
        Self {
            last: proc_file("/proc/sys/kernel/ns_last_pid"),
            around: each.saturating_mul(most),
            free: VecDeque::new(),
            seen: None,
        }
    }
}

impl Numbers {
    /// One processor cannot give out a number, and take it back, in less: what is made has a stack in the kernel and a record.
    /// (Threads that end at once take 11 µs each, those that fail to be made behind that 3.)
    const EACH: Duration = Duration::from_micros(1);

    /// However many processors do that: all of them take one lock for it.
    const LOCKED: Duration = Duration::from_nanos(300);

    /// How many numbers are looked at ahead.
    const AHEAD: u32 = 16;

    /// How many that were given out since are looked at.
    const SINCE: u32 = 32;

    /// Who was made since `process`, which waits in a call, so that nobody can come to run in its memory if nobody does. It
    /// waited already when `last` was the number that was given out last.
    pub fn made_since(&mut self, process: u32, last: Option<u32>) -> Made {
        let Some(last) = last else {
            return Made::Unknown;
        };
        self.seen = Some(last);
        if self.is_new(process) { self.made_between(process, last) } else { Made::Unknown }
    }

    /// Whether nobody was made since this number was given out; once around it may be somebody else's.
    pub fn is_last(&self, number: u32) -> bool {
        self.last() == Some(number)
    }

    /// Whether `process` was made a moment ago: its number was free, and numbers have not gone around since.
    fn is_new(&self, process: u32) -> bool {
        let seen = self.free.iter().find(|(number, _)| *number == process);
        seen.is_some_and(|(_, when)| when.elapsed() < self.around)
    }

    /// Whether somebody with a number after `process` shares its memory or its place. Who makes another one is looked at before
    /// that one; if anybody was made meanwhile, they are looked at as well.
    fn made_between(&self, process: u32, last: u32) -> Made {
        let (mut seen, mut last) = (process, last);
        while seen != last {
            // Once around: who was made since may have any number.
            if last < seen || last - process > Self::SINCE {
                return Made::Unknown;
            }
            for other in seen + 1..=last {
                match meddles(process, other) {
                    Sharing::Shared => return Made::Somebody,
                    Sharing::Separate => {}
                    // A number can have been given out to somebody who is only being made.
                    Sharing::Gone if is_free(other) => {}
                    Sharing::Gone | Sharing::Unknown => return Made::Unknown,
                }
            }
            seen = last;
            match self.last() {
                Some(now) => last = now,
                None => return Made::Unknown,
            }
        }
        Made::NobodyUpTo(last)
    }

    /// Numbers to come of which it is not known whether they are free, for those who will be asked about then.
    pub fn next_ones(&mut self) -> Vec<u32> {
        let Some(last) = self.seen.take() else {
            return Vec::new();
        };
        let now = Instant::now();
        self.free.retain(|(_, when)| now.saturating_duration_since(*when) < self.around);
        let ahead = last.saturating_add(1)..=last.saturating_add(Self::AHEAD);
        ahead.filter(|number| !self.free.iter().any(|(known, _)| known == number)).collect()
    }

    /// Notes numbers that have been free since `when`, or longer.
    pub fn note(&mut self, free: impl Iterator<Item = u32>, when: Instant) {
        self.free.extend(free.map(|number| (number, when)));
    }

    /// The number that was given out last.
    pub fn last(&self) -> Option<u32> {
        number_of(self.last.as_ref()?)
    }
}

/// How many processors there can be, whether this process may use them or not.
fn processors() -> u32 {
    // SAFETY: takes a number and gives one.
    let found = unsafe { libc::sysconf(libc::_SC_NPROCESSORS_CONF) };
    u32::try_from(found).unwrap_or(u32::MAX).max(1)
}

/// Whether `number` is nobody's, not even of somebody who is being made: that one has no thread yet, but a number.
pub fn is_free(number: u32) -> bool {
    let Some(pid) = Pid::from_raw(number.cast_signed()) else {
        return false;
    };
    matches!(pidfd_open(pid, PidfdFlags::empty()), Err(Errno::SRCH))
}

/// A file that really is the kernel's: some containers put others in its place.
fn proc_file(path: &str) -> Option<OwnedFd> {
    let file = open(path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).ok()?;
    (fstatfs(&file).ok()?.f_type == PROC_SUPER_MAGIC).then_some(file)
}

fn number_in(path: &str) -> Option<u32> {
    number_of(&proc_file(path)?)
}

fn number_of(file: &OwnedFd) -> Option<u32> {
    let mut room = [0; 16];
    let count = rustix::io::pread(file, &mut room, 0).ok()?;
    std::str::from_utf8(room.get(..count)?).ok()?.trim_end().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Child, Command};

    /// A process that was made while `numbers` looked ahead. Others give out numbers as well, so it may take several.
    fn new_process(numbers: &mut Numbers) -> Child {
        numbers.around = Duration::from_secs(60);
        loop {
            numbers.made_since(std::process::id(), numbers.last());
            let when = Instant::now();
            let free: Vec<u32> =
                numbers.next_ones().into_iter().filter(|number| is_free(*number)).collect();
            numbers.note(free.into_iter(), when);
            let mut child = Command::new("sleep").arg("60").spawn().unwrap();
            if numbers.is_new(child.id()) {
                return child;
            }
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    #[test]
    fn who_is_new_and_alone() {
        let mut numbers = Numbers::default();
        if numbers.last.is_none() {
            // This kernel does not say which number was the last.
            return;
        }
        assert_eq!(
            numbers.made_since(std::process::id(), numbers.last()),
            Made::Unknown,
            "it is not new"
        );
        let mut child = new_process(&mut numbers);
        let found = numbers.made_since(child.id(), numbers.last());
        assert!(found != Made::Somebody, "nobody shares its memory");
        // What was free is forgotten in time: numbers may have gone around.
        numbers.around = Duration::ZERO;
        assert_eq!(numbers.made_since(child.id(), numbers.last()), Made::Unknown);
        child.kill().unwrap();
        child.wait().unwrap();
    }

    #[test]
    fn threads_are_found_among_the_next_numbers() {
        let numbers = Numbers::default();
        if numbers.last.is_none() {
            // This kernel does not say which number was the last.
            return;
        }
        let (tell, told) = std::sync::mpsc::channel();
        let threads: Vec<_> = (0..2)
            .map(|_| {
                let tell = tell.clone();
                std::thread::spawn(move || {
                    tell.send(rustix::thread::gettid().as_raw_nonzero().get().cast_unsigned())
                        .unwrap();
                    std::thread::park();
                })
            })
            .collect();
        let mut both = [told.recv().unwrap(), told.recv().unwrap()];
        both.sort_unstable();
        // Unless numbers have just gone around.
        if both[1] - both[0] < Numbers::SINCE {
            let made = numbers.made_between(both[0], both[1]);
            assert!(!matches!(made, Made::NobodyUpTo(_)), "{made:?}");
        }
        assert_eq!(numbers.made_between(both[1], both[0]), Made::Unknown, "once around");
        let many = both[0] + Numbers::SINCE + 1;
        assert_eq!(numbers.made_between(both[0], many), Made::Unknown, "too many");
        for thread in threads {
            thread.thread().unpark();
            thread.join().unwrap();
        }
    }

    #[test]
    fn what_is_free() {
        assert!(!is_free(std::process::id()) && !is_free(0));
        assert!(is_free(u32::MAX >> 1));
    }
}
