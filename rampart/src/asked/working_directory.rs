//! Where a call is made. Of a process that has just started, that is looked up only if somebody asks: most of what it
//! costs is not the question, but that `/proc` then has entries for the process, which go with it.

use evaluator::Cwd;
use std::cell::OnceCell;
use std::fs;

/// The working directory of a call.
#[derive(Clone, Debug, Default)]
pub struct WorkingDirectory {
    found: OnceCell<Option<Vec<u8>>>,
    /// Whose it is, if it is, or was, to be looked up; 0 is nobody.
    thread: Option<u32>,
}

impl WorkingDirectory {
    /// That of `thread`, which waits in a call, so that it stays where it is.
    pub fn of(thread: u32) -> Self {
        Self { found: OnceCell::new(), thread: Some(thread) }
    }

    /// One that has been looked up in vain.
    pub fn lost() -> Self {
        Self { found: OnceCell::from(None), thread: Some(0) }
    }

    /// An absolute path, looked up if need be; `None` if it is not known.
    pub fn get(&self) -> Option<&[u8]> {
        let look = || {
            let thread = self.thread?;
            let found = fs::read_link(format!("/proc/{thread}/cwd")).ok()?;
            // One that no path leads to is not named by one.
            Some(found.into_os_string().into_encoded_bytes()).filter(|path| path.starts_with(b"/"))
        };
        self.found.get_or_init(look).as_deref()
    }

    /// Whether it was asked for, and could not be looked up: whoever is judged without it is not judged as it should be.
    pub fn is_lost(&self) -> bool {
        self.thread.is_some() && self.found.get().is_some_and(Option::is_none)
    }

    /// The same for a request, whose world is asked for it if it is not known yet.
    pub fn on_demand(&self) -> Cwd<'_> {
        if self.thread.is_some() { Cwd::OnDemand } else { self.known() }
    }

    /// The same for a request, looked up if need be.
    pub fn known(&self) -> Cwd<'_> {
        self.get().map_or(Cwd::Unknown, Cwd::Known)
    }
}

impl From<Option<Vec<u8>>> for WorkingDirectory {
    fn from(found: Option<Vec<u8>>) -> Self {
        Self { found: OnceCell::from(found), thread: None }
    }
}

impl PartialEq for WorkingDirectory {
    fn eq(&self, other: &Self) -> bool {
        self.get() == other.get()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_looked_up_once_it_is_asked_for() {
        let own = WorkingDirectory::of(std::process::id());
        assert!(own.on_demand() == Cwd::OnDemand && !own.is_lost());
        let here = std::env::current_dir().unwrap().into_os_string().into_encoded_bytes();
        assert_eq!(own.known(), Cwd::Known(&here));
        assert_eq!(own, Some(here).into());
        // Whoever is asked once is asked again: the world has the answer.
        assert_eq!(own.on_demand(), Cwd::OnDemand);
    }

    #[test]
    fn what_cannot_be_looked_up_is_lost() {
        let nobody = WorkingDirectory::of(u32::MAX >> 1);
        assert!(!nobody.is_lost(), "nobody has asked");
        assert_eq!(nobody.known(), Cwd::Unknown);
        assert!(nobody.is_lost());
        let lost = WorkingDirectory::lost();
        assert!(lost.is_lost() && lost.known() == Cwd::Unknown);
        let unknown = WorkingDirectory::from(None);
        assert_eq!((unknown.on_demand(), unknown.is_lost()), (Cwd::Unknown, false));
    }
}
