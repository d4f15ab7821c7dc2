//! Whether nobody else runs in the memory of a process that waits in execve(2): what is read there then stays as it
//! is. A child of vfork(2) runs in the memory of its parent, which waits for it; that it does is not taken from what
//! is seen at one moment, since it could as well be waiting for another child, and be about to go on.

use super::children::Children;
use super::directory::Directory;
use super::kernel::{Share, Sharing, shared};
use super::numbers::{Made, Numbers, is_free};
use super::parent::{Parent, is_apart, is_whole};
use crate::process::who::{User, Who};
use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// How many parents a new caller is looked for among.
const RECENT: usize = 2;

/// Files in `/proc` of processes that start others again and again: opening them costs more than reading.
/// A file stays that of its process, whoever gets its number.
#[derive(Default)]
pub struct Parents {
    known: HashMap<u32, Parent>,
    /// Whose children called last.
    recent: [u32; RECENT],
    /// How the call at hand was found among those.
    found: Option<Found>,
    numbers: Arc<Mutex<Numbers>>,
}

/// What was seen when a caller was found among the children of a parent. It waited already.
struct Found {
    caller: u32,
    /// The number that was given out last before its children were listed.
    last: Option<u32>,
    /// Whether the parent had no other child.
    is_only: bool,
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

impl Parents {
    /// How many are kept.
    const MOST: usize = 16;

    /// Those of another thread.
    pub fn another(&self) -> Self {
        Self { numbers: Arc::clone(&self.numbers), ..Self::default() }
    }

    /// Who `thread` is, which waits in a call. Mostly a parent of a moment ago has started one more program: that this is one
    /// of its few children says as much as a descriptor of the process, which costs more to have and to give back.
    ///
    /// # Errors
    /// If it has ended.
    pub fn who(&mut self, thread: u32) -> io::Result<Who> {
        let last = locked(&self.numbers).last();
        let of_recent = self
            .recent
            .into_iter()
            .find_map(|parent| Some((parent, self.known.get(&parent)?.children.few_with(thread)?)));
        self.found = None;
        if let Some((parent, children)) = of_recent {
            self.found = Some(Found { caller: thread, last, is_only: children.len() == 1 });
            // Only the first thread of a process is anybody's child.
            return Ok(Who { process: thread, parent, user: User::OfThread(thread) });
        }
        let who = Who::of(thread)?;
        if self.recent.contains(&who.parent) {
            // It is worth its files, even if it does not wait in vfork(2).
            self.ask(who.parent, Parent::is_there);
        } else {
            self.recent.rotate_right(1);
            if let Some(first) = self.recent.first_mut() {
                *first = who.parent;
            }
        }
        Ok(who)
    }

    /// Whether nobody else runs in the memory of `who`, which waits in a call of `thread`, or shares where its paths lead to:
    /// it has one thread, no child shares that, and if it is a child of vfork(2), the same holds for its parent, which
    /// waits for it. Nobody else can come to run there while it waits, so what is read afterwards stays as it is. Whoever shares
    /// memory and is no relative any more is not found, nor who writes into it from outside (process_vm_writev(2),
    /// `/proc/PID/mem`).
    pub fn alone(&mut self, who: &Who, thread: u32, directory: &Directory) -> Alone {
        if thread != who.process {
            return Alone::No;
        }
        // Each is believed once: who asks again has seen that others are made meanwhile.
        let found = self.found.take().filter(|found| found.caller == thread);
        let made = {
            let mut numbers = locked(&self.numbers);
            let last = found.as_ref().map_or_else(|| numbers.last(), |found| found.last);
            numbers.made_since(thread, last)
        };
        let is_apart_from = |what, other: &u32| is_apart(what, thread, *other);
        let runs_alone = match made {
            Made::NobodyUpTo(_) => true,
            Made::Somebody => false,
            Made::Unknown => {
                let children = Children::of(directory, thread).and_then(|list| list.all(None));
                directory.threads().is_ok_and(|count| count == 1)
                    && children.ok().flatten().is_some_and(|children| {
                        children.iter().all(|child| {
                            is_apart_from(Share::Memory, child)
                                && is_apart_from(Share::Place, child)
                        })
                    })
            }
        };
        if !runs_alone || shared(Share::Place, thread, who.parent) != Sharing::Separate {
            return Alone::No;
        }
        match shared(Share::Memory, thread, who.parent) {
            // So its first thread has not ended.
            Sharing::Shared => self.with_its_parent(who, made, found),
            Sharing::Separate if is_whole(who.parent) => Alone::Yes,
            _ => Alone::No,
        }
    }

    /// The same of one that runs in the memory of its parent.
    fn with_its_parent(&mut self, who: &Who, made: Made, seen: Option<Found>) -> Alone {
        let child = who.process;
        let (found, holds) = match made {
            Made::NobodyUpTo(last) => {
                // Its children were listed when nobody was made any more.
                let is_listed = seen.is_some_and(|it| it.is_only && it.last == Some(last));
                let holds = self.ask(who.parent, |parent| {
                    let is_alone = match is_listed {
                        true => parent.is_one_thread()?,
                        false => parent.is_alone_but_for(child)?,
                    };
                    let is_new = |other| child < other && other <= last;
                    Ok(is_alone && (last == child || parent.has_made_no_sibling(is_new)?))
                });
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
    /// Whoever else it might wait for was made after `who`, and before `last`. Then he was found among its children, or among those
    /// of its own parent, or had ended, and it was woken before this.
    pub fn has_been_alone(&mut self, who: &Who, last: u32) -> Option<bool> {
        if self.ask(who.parent, Parent::comes_to_wait) != Some(true) {
            return Some(false);
        }
        locked(&self.numbers).is_last(last).then_some(true)
    }

    /// Prepares for calls to come, if no other thread does.
    pub fn look_ahead(&self) {
        let Ok(mut numbers) = self.numbers.try_lock() else {
            return;
        };
        let next = numbers.next_ones();
        // Nobody has to wait for us meanwhile.
        drop(numbers);
        let now = Instant::now();
        let free: Vec<u32> = next.into_iter().filter(|number| is_free(*number)).collect();
        locked(&self.numbers).note(free.into_iter(), now);
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
        let has_its_own = self.known.get_mut(&parent).is_some_and(Parent::has_its_own);
        if !has_its_own {
            // Maybe it has another parent by now.
            self.known.remove(&parent);
        }
        has_its_own
    }
}

/// Whoever held it and failed has left it whole.
fn locked(numbers: &Mutex<Numbers>) -> MutexGuard<'_, Numbers> {
    numbers.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::super::children::tests::{end, shell_with};
    use super::*;

    #[test]
    fn a_child_of_who_started_the_one_before_is_known_by_that() {
        let (shell, _, children) = shell_with(2);
        let mut parents = Parents::default();
        for (round, child) in [(0, children[0]), (1, children[1]), (2, children[0])] {
            let who = parents.who(child).unwrap();
            assert_eq!((who.process, who.parent), (child, shell.id()));
            assert_eq!(matches!(who.user, User::OfThread(_)), round == 2, "{who:?}");
            assert_eq!(who.user.number(), Some(rustix::process::getuid().as_raw()));
        }
        // Nobody's child, as far as these are concerned.
        assert_eq!(parents.who(shell.id()).unwrap().parent, std::process::id());
        end(shell, &children);
    }

    #[test]
    fn threads_are_seen() {
        let own = std::process::id();
        let parent = std::os::unix::process::parent_id();
        let mut parents = Parents::default();
        let who = Who { process: own, parent, user: User::Known(0) };
        // The test's own thread is a second one.
        assert_eq!(parents.alone(&who, own, &Directory::of(own)), Alone::No);
        let files = Parent::of(own).unwrap();
        assert_eq!(
            parents.alone(&who, parent, &Directory::of(parent)),
            Alone::No,
            "another thread"
        );
        assert!(!files.is_alone_but_for(0).unwrap() && !files.comes_to_wait().unwrap(), "it runs");
        assert!(files.turns().is_ok_and(|turns| turns > 0) && !files.waits_for(0).unwrap());
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let who = Who { process: child.id(), parent: own, user: User::Known(0) };
        assert_eq!(parents.alone(&who, child.id(), &Directory::of(child.id())), Alone::Yes);
        assert_eq!(parents.has_been_alone(&who, 0), Some(false), "nobody waits for it");
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
