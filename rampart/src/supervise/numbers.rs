//! Numbers of threads, as the kernel gives them out: one after the other, through all that are free, and from the
//! beginning again (pid_namespaces(7)). Whoever is made by a new process has a higher number than it, so who could
//! run in its memory is found among the few numbers that were given out since, without looking for it in `/proc`,
//! which costs a new process more than everything else that is looked at.

use super::kernel::{Sharing, memory_of};
use rustix::fs::{Mode, OFlags, PROC_SUPER_MAGIC, fstatfs, open};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use std::collections::VecDeque;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

/// Numbers that were free a moment ago, and those that are in use.
pub struct Numbers {
    /// `/proc/sys/kernel/ns_last_pid`: the number that was given out last.
    last: Option<OwnedFd>,
    /// In less than this they are not given out once around.
    around: Duration,
    /// Which were free, each with when that was seen.
    free: VecDeque<(u32, Instant)>,
    /// When somebody was asked about for the last time.
    asked: Option<Instant>,
}

impl Default for Numbers {
    fn default() -> Self {
        let most = number_in("/proc/sys/kernel/pid_max").unwrap_or_default();
        Self {
            last: proc_file("/proc/sys/kernel/ns_last_pid"),
            around: Self::EACH.saturating_mul(most),
            free: VecDeque::new(),
            asked: None,
        }
    }
}

impl Numbers {
    /// Giving out a number takes longer than this, on however many processors: all of them take one lock for it.
    const EACH: Duration = Duration::from_nanos(300);

    /// How many numbers are looked at ahead.
    const AHEAD: u32 = 8;

    /// How many that were given out since are looked at.
    const SINCE: u32 = 32;

    /// Whether nobody whom `process` has made, or whom that has made, runs in its memory. `process` waits in a call, so
    /// that nobody can come to run there if nobody does. `None` if that cannot be told like this: it is not
    /// new, or too many others are.
    pub fn runs_alone(&mut self, process: u32) -> Option<bool> {
        let last = self.last()?;
        let is_new = self.is_new(process);
        let found = if is_new { self.made_since(process, last) } else { None };
        self.look_ahead(last);
        found
    }

    /// Whether `process` was made a moment ago: its number was free, and numbers have not gone around since.
    fn is_new(&self, process: u32) -> bool {
        let seen = self.free.iter().find(|(number, _)| *number == process);
        seen.is_some_and(|(_, when)| when.elapsed() < self.around)
    }

    /// Whether none of those with numbers after `process` shares its memory. Who makes another one is looked at before
    /// that one; if anybody was made meanwhile, they are looked at as well.
    fn made_since(&self, process: u32, last: u32) -> Option<bool> {
        if last == process {
            // It has made nobody, and waits.
            return Some(true);
        }
        let (mut seen, mut last) = (process, last);
        loop {
            // Once around: who was made since may have any number.
            if last < seen || last - process > Self::SINCE {
                return None;
            }
            for other in seen + 1..=last {
                match memory_of(process, other) {
                    Sharing::Shared => return Some(false),
                    Sharing::Separate | Sharing::Gone => {}
                    Sharing::Unknown => return None,
                }
            }
            seen = last;
            last = self.last()?;
            if last == seen {
                return Some(true);
            }
        }
    }

    /// Notes which of the next numbers are free. Where starts are rare, what is seen now would be too old for the next.
    fn look_ahead(&mut self, last: u32) {
        let now = Instant::now();
        let around = self.around;
        let is_recent = |when: Instant| now.saturating_duration_since(when) < around;
        self.free.retain(|(_, when)| is_recent(*when));
        if !self.asked.replace(now).is_some_and(is_recent) {
            return;
        }
        for number in last.saturating_add(1)..=last.saturating_add(Self::AHEAD) {
            let is_known = self.free.iter().any(|(known, _)| *known == number);
            if !is_known && is_free(number) {
                self.free.push_back((number, now));
            }
        }
    }

    fn last(&self) -> Option<u32> {
        number_of(self.last.as_ref()?)
    }
}

/// Whether `number` is nobody's, not even of somebody who is being made: that one has no thread yet, but a number.
fn is_free(number: u32) -> bool {
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
            numbers.runs_alone(std::process::id());
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
        assert_eq!(numbers.runs_alone(std::process::id()), None, "it is not new");
        let mut child = new_process(&mut numbers);
        let found = numbers.runs_alone(child.id());
        assert!(found != Some(false), "nobody shares its memory");
        // What was free is forgotten in time: numbers may have gone around.
        numbers.around = Duration::ZERO;
        assert_eq!(numbers.runs_alone(child.id()), None);
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
            assert_ne!(numbers.made_since(both[0], both[1]), Some(true));
        }
        assert_eq!(numbers.made_since(both[1], both[0]), None, "once around");
        assert_eq!(numbers.made_since(both[0], both[0] + Numbers::SINCE + 1), None, "too many");
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
