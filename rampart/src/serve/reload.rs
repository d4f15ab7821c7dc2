//! A policy that changes while the evaluator runs. It is compiled aside, in a thread of its own, and
//! handed to the loop whole; one that does not compile is refused with its diagnostics, and the
//! one before it stays in force. Changes are seen by inotify(7).

use super::brain::InForce;
use crate::audit::liveness::{Said, What};
use crate::audit::recorder::Speaker;
use crate::failure::{Failure, reason};
use crate::policy::recipe::Recipe;
use crate::policy::{Layers, Origin, installed};
use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};
use rustix::fs::inotify;
use std::fs;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

/// How long nothing must have happened before a change is looked at: editors write in several
/// steps.
const QUIET: Duration = Duration::from_millis(100);

/// Where a policy comes from, and how it is made from that.
pub struct Source {
    /// Its files, and directories that hold some.
    pub places: Vec<PathBuf>,
    /// Makes it anew.
    pub make: Box<dyn FnMut() -> Result<Layers, Failure> + Send>,
    /// Who is told when it is lost, and when it changes.
    pub tell: Speaker,
}

/// What was made last, for telling what has become of it.
#[derive(Default)]
struct Known {
    digest: Option<[u8; 32]>,
    lost: Option<String>,
}

impl Known {
    /// What is to be said of what was `made` now.
    fn said(&mut self, made: &Result<InForce, Failure>) -> Option<Said> {
        let lost = match made {
            Ok(policy) => policy.layers.all.iter().find_map(|layer| match &layer.origin {
                Origin::LastGood(place) => Some(format!("`{}` does not compile", place.display())),
                _ => None,
            }),
            Err(failure) => Some(failure.message.clone()),
        };
        let digest = made.as_ref().ok().map(|policy| policy.digest);
        let was_lost = self.lost.is_some();
        let is_other = lost != self.lost;
        let before = self.digest;
        self.digest = digest.or(before);
        self.lost.clone_from(&lost);
        if let Some(lost) = lost {
            let text = format!("{lost}; the policy stays in force as it was when it last compiled");
            return is_other.then(|| Said::new(What::PolicyLost, text));
        }
        let digest = digest?;
        let has_changed = before.is_some_and(|before| before != digest);
        let digits: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        (has_changed || was_lost)
            .then(|| Said::new(What::PolicyChanged, format!("the policy is now {digits}")))
    }
}

impl Source {
    /// The places that `recipe` names.
    pub fn places_of(recipe: &Recipe) -> Vec<PathBuf> {
        if let Some(file) = &recipe.policy {
            return vec![file.clone()];
        }
        let installed = recipe.profile.is_none().then(|| PathBuf::from(installed::SYSTEM));
        installed.into_iter().chain(recipe.user.clone()).chain(recipe.project.clone()).collect()
    }
}

/// The thread, from the loop's side.
pub struct Reloader {
    made: Receiver<InForce>,
    bell: OwnedFd,
}

impl Reloader {
    /// Starts it. It ends with the process.
    ///
    /// # Errors
    /// If there is no thread or no descriptor to be had.
    pub fn start(mut source: Source) -> Result<Self, Failure> {
        let failed = |error: std::io::Error| {
            Failure::other(format!("cannot watch the policy: {}", reason(&error)))
        };
        let flags = EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK;
        let bell = eventfd(0, flags).map_err(|errno| failed(errno.into()))?;
        let own = bell.try_clone().map_err(failed)?;
        let watch = inotify::CreateFlags::CLOEXEC | inotify::CreateFlags::NONBLOCK;
        let watch = inotify::init(watch).map_err(|errno| failed(errno.into()))?;
        let (send, made) = channel();
        let work = move || {
            // What changed since the policy was loaded is seen in the first round.
            let (mut known, mut last) = (None, Known::default());
            loop {
                arm(&watch, &source.places);
                let found = Some(stamps(&source.places));
                if found == known {
                    wait(&watch);
                    continue;
                }
                known = found;
                let made = (source.make)().and_then(InForce::new);
                let said = last.said(&made);
                match made {
                    Ok(policy) => {
                        if send.send(policy).is_err() {
                            return;
                        }
                        // A full counter rings, too.
                        let _ = rustix::io::write(&own, &1_u64.to_ne_bytes());
                    }
                    Err(failure) => {
                        complain!("{failure}");
                        complain!("rampart: warning: the policy stays in force as it was");
                    }
                }
                if let Some(said) = said {
                    // Without a log standard error has to do.
                    let _ = source.tell.say(&said);
                }
            }
        };
        thread::Builder::new().name("reload".to_owned()).spawn(work).map_err(failed)?;
        Ok(Self { made, bell })
    }

    /// The last one that was made since this was last called.
    pub fn latest(&self) -> Option<InForce> {
        let mut count = [0; 8];
        // Silenced before looking: what is made after that rings again.
        let _ = rustix::io::read(&self.bell, &mut count);
        self.made.try_iter().last()
    }

    /// Can be read when one was made.
    pub fn bell(&self) -> BorrowedFd<'_> {
        self.bell.as_fd()
    }
}

/// Watches the directories in which something about `places` can change: each itself or, where it
/// does not exist, the nearest one above that does.
fn arm(watch: &OwnedFd, places: &[PathBuf]) {
    let flags = inotify::WatchFlags::CLOSE_WRITE
        | inotify::WatchFlags::MOVE
        | inotify::WatchFlags::CREATE
        | inotify::WatchFlags::DELETE
        | inotify::WatchFlags::ATTRIB
        | inotify::WatchFlags::DELETE_SELF
        | inotify::WatchFlags::MOVE_SELF;
    for place in places {
        if let Some(directory) = place.ancestors().find(|path| path.is_dir()) {
            // What cannot be watched is not reloaded by itself.
            let _ = inotify::add_watch(watch, directory, flags);
        }
    }
}

/// Waits until something has happened and nothing more does.
fn wait(watch: &OwnedFd) {
    let mut limit = None;
    let mut buffer = [0; 4096];
    loop {
        let mut waiting = [PollFd::new(watch, PollFlags::IN)];
        match poll(&mut waiting, limit.as_ref()) {
            Ok(0) => return,
            Ok(_) => while rustix::io::read(watch, &mut buffer).is_ok_and(|count| count > 0) {},
            Err(rustix::io::Errno::INTR) => continue,
            Err(_) => return thread::sleep(Duration::from_secs(1)),
        }
        limit = Timespec::try_from(QUIET).ok();
    }
}

/// What tells whether something about `places` has changed: which files there are, and for each
/// which one it is, how large, and when it changed.
fn stamps(places: &[PathBuf]) -> Vec<(PathBuf, [u64; 3], (i64, i64))> {
    let mut all = Vec::new();
    let mut add = |path: &Path| {
        if let Ok(found) = fs::metadata(path) {
            let which = [found.dev(), found.ino(), found.size()];
            all.push((path.to_owned(), which, (found.ctime(), found.ctime_nsec())));
        }
    };
    for place in places {
        match fs::read_dir(place) {
            Ok(entries) => entries.flatten().for_each(|entry| add(&entry.path())),
            Err(_) => add(place),
        }
    }
    all.sort();
    all
}
