//! The world as std shows it, for verdicts outside a guarded process.

use super::digests;
use super::elsewhere::Root;
use super::reading::{READING, open, read_into, read_piece, regular};
use super::since::Since;
use crate::launch::environment::Environment;
use crate::process::Asker;
use crate::process::who::User;
use crate::serve::taints::Keeper;
use evaluator::world::Once;
use evaluator::{Answer, World};
use std::cell::{OnceCell, RefCell};
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::rc::Rc;
use std::time::{SystemTime, UNIX_EPOCH};

use rustix::fs::OFlags;

/// How many answers are kept, so that a long input cannot fill the memory.
const KEPT: usize = 1024;

/// The file system of this process. Where a path leads is looked up once until
/// [`FileSystem::forget`]: many rules ask the same, and a verdict should see one state of things.
#[derive(Default)]
pub struct FileSystem {
    /// Whose call it is, if not this process's own: a user and, if known, a process.
    asker: Option<(User, Asker)>,
    /// Where that process lives elsewhere: its root directory, once it was needed, unless it cannot be had.
    root: OnceCell<Option<Root>>,
    /// How the program is named to us that this process runs; empty if it is not known, or lives here.
    program: Vec<u8>,
    resolved: RefCell<BTreeMap<Vec<u8>, Resolved>>,
    digests: RefCell<BTreeMap<Vec<u8>, Answer<[u8; 32]>>>,
    /// When the tree that asks has started ([`Since`]).
    since: Since,
    /// The tree that asks, and who keeps what it has come by.
    tree: Option<(Keeper, Vec<u8>)>,
    counter: Option<Counter>,
    wanted: RefCell<Vec<Use>>,
}

/// Who says whether something that holds once can be used.
pub type Counter = Box<dyn Fn(&Use) -> bool>;

/// Something that holds once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Use {
    /// The policy of the rule.
    pub policy: Vec<u8>,
    /// The rule.
    pub rule: Vec<u8>,
    /// Seconds since the epoch at which it is void; 0 for never.
    pub ends: u64,
}

/// Where a path leads.
type Resolved = Answer<Rc<[u8]>>;

impl FileSystem {
    /// The world of a call that is another process's: `user`'s, started by the parent of `process`.
    pub fn seen_by(user: User, process: Asker) -> Self {
        Self { asker: Some((user, process)), ..Self::default() }
    }

    /// About `file`, which that process may have become already: then it is that and no other, whatever its name
    /// leads to.
    pub fn running(self, file: &[u8]) -> Self {
        match self.asker {
            Some((_, Asker::Elsewhere { runs: true, .. })) => {
                Self { program: file.to_vec(), ..self }
            }
            _ => self,
        }
    }

    /// Where we find `path`, if that is the program that runs.
    fn running_file(&self, path: &[u8]) -> Option<String> {
        let Some((_, Asker::Elsewhere { process, .. })) = self.asker else {
            return None;
        };
        let is_it = !self.program.is_empty() && path == self.program;
        is_it.then(|| format!("/proc/{process}/exe"))
    }

    /// A call of a tree that started then.
    pub fn since(self, since: Since) -> Self {
        Self { since, ..self }
    }

    /// A call of this tree, with who keeps what that has come by.
    pub fn in_tree(self, keeper: Keeper, tree: Vec<u8>) -> Self {
        Self { tree: Some((keeper, tree)), ..self }
    }

    /// A call of a process with this environment: of its tree, if it lives in one.
    pub fn of(environment: &Environment) -> Self {
        let files = Self::default().since(Since::of(environment));
        let value = |name| environment.value(name).filter(|value| !value.is_empty());
        match (value("RAMPART_SOCKET"), value("RAMPART_TREE")) {
            (Some(socket), Some(tree)) => {
                let tree = tree.as_bytes().to_vec();
                files.in_tree(Keeper::At(socket.into()), tree)
            }
            _ => files,
        }
    }

    /// The tree comes by `taint` (`evaluator::image::format::taint`).
    pub fn comes_by(&self, taint: u8) {
        if let (Some((keeper, tree)), 1..) = (&self.tree, taint) {
            keeper.taint(tree, taint);
        }
    }

    /// With somebody who counts what holds once.
    pub fn counted_by(self, counter: Counter) -> Self {
        Self { counter: Some(counter), ..self }
    }

    /// What holds once and was taken for granted: it has to be used up before the call goes ahead.
    pub fn wanted(&self) -> Vec<Use> {
        self.wanted.borrow().clone()
    }

    /// Whether the content of a file had a part in a verdict.
    pub fn has_digests(&self) -> bool {
        self.digests.borrow().values().any(|answer| matches!(answer, Answer::Value(_)))
    }

    /// Forgets what was looked up: time has passed.
    pub fn forget(&self) {
        self.resolved.borrow_mut().clear();
        self.digests.borrow_mut().clear();
    }

    /// The root directory in which `path` is to be looked for, and its name there; `None` if that is our own.
    fn elsewhere<'p>(&self, path: &'p [u8]) -> io::Result<Option<(&Root, &'p [u8])>> {
        Ok(self.root()?.and_then(|root| Some((root, root.inside(path)?))))
    }

    /// The root directory of the process that asks, if it is not ours.
    fn root(&self) -> io::Result<Option<&Root>> {
        let Some((_, Asker::Elsewhere { root, .. })) = self.asker else {
            return Ok(None);
        };
        match self.root.get_or_init(|| Root::of(root).ok()) {
            Some(root) => Ok(Some(root)),
            None => Err(ErrorKind::Unsupported.into()),
        }
    }

    fn real(&self, path: &[u8]) -> io::Result<Vec<u8>> {
        if self.running_file(path).is_some() {
            // Outside of its root directory it has only the name that we have for it.
            let there = self.root()?.and_then(|root| root.seen_there(path));
            return Ok(there.unwrap_or_else(|| path.to_vec()));
        }
        if let Some((root, path)) = self.elsewhere(path)? {
            return root.real(path);
        }
        let name = Path::new(OsStr::from_bytes(path));
        // Most operands are no file at all, and realpath(3) asks for every directory above them.
        let found = fs::metadata(name).and_then(|_| fs::canonicalize(name))?;
        let found = found.into_os_string().into_encoded_bytes();
        // By way of its directory in `/proc`: rules name it as it is named there.
        match self.root()? {
            Some(root) => root.seen_there(&found).ok_or_else(|| ErrorKind::Unsupported.into()),
            None => Ok(found),
        }
    }

    /// Opens a regular file; `None` if it is none.
    fn open(&self, path: &[u8]) -> io::Result<Option<File>> {
        if let Some(file) = self.running_file(path) {
            return open(Path::new(&file));
        }
        match self.elsewhere(path)? {
            Some((root, path)) => regular(root.open(path, READING)?),
            None => open(Path::new(OsStr::from_bytes(path))),
        }
    }

    fn resolved(&self, path: &[u8]) -> Resolved {
        if let Some(known) = self.resolved.borrow().get(path) {
            return known.clone();
        }
        let answer = match self.real(path) {
            Ok(found) => Answer::Value(found.into()),
            Err(error) => missing(&error),
        };
        let mut resolved = self.resolved.borrow_mut();
        if resolved.len() >= KEPT {
            resolved.clear();
        }
        resolved.insert(path.to_vec(), answer.clone());
        answer
    }
}

impl World for FileSystem {
    fn resolve<'b>(&self, path: &[u8], out: &'b mut [u8]) -> Answer<&'b [u8]> {
        match self.resolved(path) {
            Answer::Value(found) => copied(&found, out),
            Answer::Absent => Answer::Absent,
            Answer::Unavailable => Answer::Unavailable,
        }
    }

    fn has_real_directory(&self) -> bool {
        // Whoever asks for another process has it from the kernel; else a host may have said it.
        self.asker.is_some()
    }

    fn read_at<'b>(&self, path: &[u8], offset: u64, out: &'b mut [u8]) -> Answer<&'b [u8]> {
        match self.open(path).and_then(|file| read_piece(file, offset, out)) {
            Ok(Some(length)) => out.get(..length).map_or(Answer::Unavailable, Answer::Value),
            Ok(None) => Answer::Unavailable,
            Err(error) => missing(&error),
        }
    }

    fn digest(&self, path: &[u8]) -> Answer<[u8; 32]> {
        if let Some(known) = self.digests.borrow().get(path) {
            return *known;
        }
        let answer = match self.open(path).and_then(|file| file.map(digests::of_file).transpose()) {
            Ok(Some(digest)) => Answer::Value(digest),
            Ok(None) => Answer::Unavailable,
            Err(error) => missing(&error),
        };
        let mut digests = self.digests.borrow_mut();
        if digests.len() >= KEPT {
            digests.clear();
        }
        digests.insert(path.to_vec(), answer);
        answer
    }

    fn written_by_tree(&self, path: &[u8]) -> Answer<bool> {
        let found = match self.elsewhere(path) {
            _ if let Some(file) = self.running_file(path) => fs::metadata(file),
            Ok(Some((root, path))) => {
                root.open(path, OFlags::PATH).and_then(|file| File::from(file).metadata())
            }
            Ok(None) => fs::metadata(Path::new(OsStr::from_bytes(path))),
            Err(error) => Err(error),
        };
        match found {
            Ok(found) if !found.is_file() => Answer::Absent,
            Ok(found) => self.since.is_before(found.ctime(), found.ctime_nsec()),
            Err(error) if error.kind() == ErrorKind::PermissionDenied => Answer::Absent,
            Err(error) => missing(&error),
        }
    }

    fn taint(&self) -> Answer<u8> {
        self.tree.as_ref().map_or(Answer::Unavailable, |(keeper, tree)| keeper.taint(tree, 0))
    }

    fn may_use(&self, once: &Once<'_>) -> bool {
        let Once { policy, rule, expires_at } = *once;
        let one = Use { policy: policy.to_vec(), rule: rule.to_vec(), ends: expires_at };
        let may = self.counter.as_ref().is_some_and(|counter| counter(&one));
        let mut wanted = self.wanted.borrow_mut();
        if may && !wanted.contains(&one) {
            wanted.push(one);
        }
        may
    }

    fn user(&self) -> Answer<u32> {
        let own = || Some(rustix::process::getuid().as_raw());
        let user = self.asker.map_or_else(own, |(user, _)| user.number());
        user.map_or(Answer::Unavailable, Answer::Value)
    }

    fn parent<'b>(&self, out: &'b mut [u8]) -> Answer<&'b [u8]> {
        let parent = match self.asker {
            Some((_, asker)) => match asker.process() {
                // Who would start it is not known.
                None => return Answer::Unavailable,
                Some(process) => process.with_ancestors().nth(1).map(|parent| parent.pid),
            },
            None => {
                rustix::process::getppid().map(|pid| pid.as_raw_nonzero().get().cast_unsigned())
            }
        };
        let Some(parent) = parent else {
            return Answer::Absent;
        };
        match fs::read_link(format!("/proc/{parent}/exe")) {
            Ok(path) => copied(path.as_os_str().as_bytes(), out),
            Err(_) => Answer::Unavailable,
        }
    }

    fn host<'b>(&self, out: &'b mut [u8]) -> Answer<&'b [u8]> {
        copied(rustix::system::uname().nodename().to_bytes(), out)
    }

    fn read<'b>(&self, path: &[u8], out: &'b mut [u8]) -> Answer<&'b [u8]> {
        match self.open(path).and_then(|file| read_into(file, out)) {
            Ok(Some(length)) => out.get(..length).map_or(Answer::Unavailable, Answer::Value),
            Ok(None) => Answer::Unavailable,
            Err(error) => missing(&error),
        }
    }

    fn now(&self) -> Answer<u64> {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        since.map_or(Answer::Unavailable, |since| Answer::Value(since.as_secs()))
    }
}

fn copied<'b>(bytes: &[u8], out: &'b mut [u8]) -> Answer<&'b [u8]> {
    match out.get_mut(..bytes.len()) {
        Some(out) => {
            out.copy_from_slice(bytes);
            Answer::Value(out)
        }
        None => Answer::Unavailable,
    }
}

fn missing<T>(error: &io::Error) -> Answer<T> {
    match error.kind() {
        ErrorKind::NotFound | ErrorKind::NotADirectory => Answer::Absent,
        _ => Answer::Unavailable,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn answers() {
        let root = tempfile::tempdir().unwrap();
        let base = root.path().canonicalize().unwrap();
        let at = |name: &str| base.join(name).into_os_string().into_encoded_bytes();
        fs::write(base.join("file"), "twelve bytes").unwrap();
        symlink("file", base.join("link")).unwrap();
        symlink("loop", base.join("loop")).unwrap();
        rustix::fs::mkfifoat(rustix::fs::CWD, base.join("fifo"), rustix::fs::Mode::RWXU).unwrap();
        let mut long = [0u8; 4096];
        let world = FileSystem::default();

        assert_eq!(world.resolve(&at("link"), &mut long), Answer::Value(&at("file")[..]));
        assert_eq!(world.resolve(&at("none"), &mut long), Answer::Absent);
        assert_eq!(world.resolve(&at("file/x"), &mut long), Answer::Absent);
        assert_eq!(world.resolve(&at("loop"), &mut long), Answer::Unavailable);
        assert_eq!(world.resolve(&at("file"), &mut [0; 3]), Answer::Unavailable);

        // One state of things until told otherwise.
        fs::write(base.join("none"), "").unwrap();
        assert_eq!(world.resolve(&at("none"), &mut long), Answer::Absent);
        world.forget();
        assert_ne!(world.resolve(&at("none"), &mut long), Answer::Absent);
        fs::remove_file(base.join("none")).unwrap();

        assert_eq!(world.read(&at("link"), &mut long), Answer::Value(&b"twelve bytes"[..]));
        assert_eq!(world.read(&at("file"), &mut [0; 12]), Answer::Value(&b"twelve bytes"[..]));
        assert_eq!(world.read(&at("file"), &mut [0; 11]), Answer::Unavailable);
        assert_eq!(world.read(&at("none"), &mut long), Answer::Absent);
        assert_eq!(world.read(&at(""), &mut long), Answer::Unavailable);
        assert_eq!(world.read(&at("fifo"), &mut long), Answer::Unavailable);
    }
}
