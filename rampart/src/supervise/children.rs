//! The children of a thread, as the kernel lists them (`/proc/PID/task/TID/children`, proc(5)). The list is complete only
//! if nobody in it ends while it is read: behind who has gone the kernel goes on by position, and leaves somebody out.

use super::directory::{Directory, whole};
use std::io;
use std::os::fd::OwnedFd;

/// The list of one thread. It stays that of the thread, whoever gets its number; of one that has ended it is empty.
pub struct Children(OwnedFd);

impl Children {
    /// How often a list is read until it is twice the same.
    const TRIES: usize = 8;

    /// That of the thread with this number in `directory`, which is its own, or its process's.
    ///
    /// # Errors
    /// What open(2) says.
    pub fn of(directory: &Directory, thread: u32) -> io::Result<Self> {
        Ok(Self(directory.open(&format!("task/{thread}/children"))?))
    }

    /// All of them, in the order in which they were made; `None` if they end too fast for that. `waiting` does not end
    /// meanwhile, nor is it left out.
    ///
    /// # Errors
    /// What read(2) says.
    pub fn all(&self, waiting: Option<u32>) -> io::Result<Option<Vec<u32>>> {
        let mut list = whole(&self.0)?;
        for _ in 0..Self::TRIES {
            let Some(numbers) = numbers_in(&list) else {
                return Ok(None);
            };
            match numbers[..] {
                [] => return Ok(Some(numbers)),
                // Whoever was before it would stand in its place, and behind it nobody is.
                [only] if Some(only) == waiting => return Ok(Some(numbers)),
                _ => {}
            }
            // Who stood there at the first time stands there at the second: nobody in it has ended in between.
            let again = whole(&self.0)?;
            if again == list {
                return Ok(Some(numbers));
            }
            list = again;
        }
        Ok(None)
    }

    /// They, if `child` is one of them and they are few: a long list takes long to read.
    pub fn few_with(&self, child: u32) -> Option<Vec<u32>> {
        const ROOM: usize = 256;
        let mut room = [0; ROOM];
        let list =
            rustix::io::pread(&self.0, &mut room, 0).ok().and_then(|count| room.get(..count));
        // The kernel stops before a number that has no room any more.
        let list = list.filter(|list| list.len() + 16 < ROOM);
        list.and_then(numbers_in).filter(|children| children.contains(&child))
    }
}

fn numbers_in(list: &[u8]) -> Option<Vec<u32>> {
    let words = std::str::from_utf8(list).ok()?.split_ascii_whitespace();
    words.map(|word| word.parse().ok()).collect()
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use std::process::{Child, Command};
    use std::thread;

    /// A shell with so many children, and those.
    pub fn shell_with(count: usize) -> (Child, Children, Vec<u32>) {
        let line = "sleep 60 & ".repeat(count) + "wait";
        let shell = Command::new("sh").args(["-c", &line]).spawn().unwrap();
        let children = Children::of(&Directory::of(shell.id()), shell.id()).unwrap();
        let mut all = Vec::new();
        while all.len() != count {
            thread::yield_now();
            all = children.all(None).unwrap().unwrap();
        }
        (shell, children, all)
    }

    /// Ends them.
    pub fn end(mut shell: Child, children: &[u32]) {
        for child in children {
            let pid = rustix::process::Pid::from_raw(child.cast_signed()).unwrap();
            rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
        }
        shell.wait().unwrap();
    }

    #[test]
    fn children_are_listed() {
        let (shell, children, all) = shell_with(1);
        assert_eq!(children.all(Some(all[0])).unwrap(), Some(all.clone()));
        assert_eq!(children.few_with(all[0]), Some(all.clone()));
        assert_eq!(children.few_with(shell.id()), None);
        end(shell, &all);
        // Of who has ended the list is empty, and no error.
        assert_eq!(children.all(None).unwrap(), Some(Vec::new()));
        assert_eq!(children.few_with(all[0]), None);
    }

    #[test]
    fn many_are_not_looked_through() {
        let (shell, children, all) = shell_with(100);
        assert_eq!(children.all(None).unwrap(), Some(all.clone()));
        assert!(all.iter().all(|child| children.few_with(*child).is_none()));
        end(shell, &all);
    }
}
