//! How often things happened: state that rules need and no single process has. A rule with
//! `call_count` counts the calls for which all else in it holds, for each user and session. One
//! process counts once, however often it asks. The counts live as long as the evaluator.

use super::tallies;
use crate::asked::WorkingDirectory;
use crate::process::who::User;
use crate::process::{Asker, Process};
use crate::verdict::world::{FileSystem, Use};
use evaluator::world::{Counted, Once};
use evaluator::{Answer, World};
use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

/// Most calls that are remembered for one count: no rule asks for more.
const MOST_CALLS: usize = 1000;

/// Most counts at a time; beyond, the one that was used longest ago goes.
const MOST_COUNTS: usize = 4096;

/// What is counted.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    uid: u32,
    session: Vec<u8>,
    policy: Vec<u8>,
    rule: Vec<u8>,
}

/// One call: when, in seconds since the epoch, and which process, if that is known.
type Call = (u64, Option<Process>);

/// All counts.
#[derive(Debug, Default)]
pub struct Counters(HashMap<Key, VecDeque<Call>>);

impl Counters {
    /// How many calls there were under `key` within `window` seconds before `now`, with the one
    /// that `process` is making.
    fn with_this(&self, key: &Key, window: u64, (process, now): (Option<Process>, u64)) -> u32 {
        let calls = self.0.get(key);
        let since = now.saturating_sub(window);
        let recent = || calls.into_iter().flatten().filter(|(at, _)| *at > since || now <= window);
        let is_counted = process.is_some() && recent().any(|(_, by)| *by == process);
        let count = recent().count() + usize::from(!is_counted);
        u32::try_from(count).unwrap_or(u32::MAX)
    }

    fn add(&mut self, key: Key, call: Call) {
        if self.0.len() >= MOST_COUNTS && !self.0.contains_key(&key) {
            let last = |calls: &VecDeque<Call>| calls.back().map_or(0, |(at, _)| *at);
            let oldest = self.0.iter().min_by_key(|(_, calls)| last(calls));
            if let Some(oldest) = oldest.map(|(key, _)| key.clone()) {
                self.0.remove(&oldest);
            }
        }
        let calls = self.0.entry(key).or_default();
        if call.1.is_some() && calls.iter().any(|(_, by)| *by == call.1) {
            return;
        }
        if calls.len() >= MOST_CALLS {
            calls.pop_front();
        }
        calls.push_back(call);
    }
}

impl Key {
    /// Whether it is the count of this rule, as people see it.
    pub fn is_of(&self, rule: &str) -> bool {
        let text = crate::bytes::visible;
        rule == format!("{}/{}", text(&self.policy), text(&self.rule))
    }
}

/// Counts a call of `process` under each of `keys`, at `now` (seconds since the epoch).
pub fn count(counters: &Shared, keys: Vec<Key>, (process, now): (Process, u64)) {
    if keys.is_empty() {
        return;
    }
    let mut counters = counters.lock().unwrap_or_else(PoisonError::into_inner);
    for key in keys {
        counters.add(key, (now, Some(process)));
    }
}

/// Counts that the loop and the worker share.
pub type Shared = Arc<Mutex<Counters>>;

/// The world of a call that is being counted.
pub struct Counting<'c> {
    files: FileSystem,
    counters: &'c Shared,
    caller: (User, &'c [u8]),
    /// Which process, and the time in seconds.
    call: (u64, Asker),
    /// Where a tree's own calls are counted, and which tree's, for what its programs do themselves.
    of_tree: Option<(&'c tallies::Shared, &'c [u8])>,
    /// Where the call is made, which is looked up only if it matters.
    directory: Option<&'c WorkingDirectory>,
    touched: RefCell<Vec<Key>>,
}

impl<'c> Counting<'c> {
    /// The call of `process`, whose user and session are `caller`, at `now`.
    pub fn new(
        files: FileSystem,
        counters: &'c Shared,
        caller: (User, &'c [u8]),
        (asker, now): (Asker, u64),
    ) -> Self {
        let (call, touched) = ((now, asker), RefCell::default());
        Self { files, counters, caller, call, of_tree: None, directory: None, touched }
    }

    /// The same for what a program of a tree does itself: its process has told of it before.
    pub fn of_tree(self, of_tree: Option<(&'c tallies::Shared, &'c [u8])>) -> Self {
        Self { of_tree, ..self }
    }

    /// The same for one that is made there, where the request does not say it ([`evaluator::Cwd::OnDemand`]).
    pub fn made_in(self, directory: &'c WorkingDirectory) -> Self {
        Self { directory: Some(directory), ..self }
    }

    /// What holds once and was taken for granted.
    pub fn wanted(&self) -> Vec<Use> {
        self.files.wanted()
    }

    /// What the verdict asked for: under these the call is one more, if it is a call of its own.
    pub fn touched(self) -> Vec<Key> {
        self.touched.into_inner()
    }
}

impl World for Counting<'_> {
    fn directory(&self) -> Option<&[u8]> {
        self.directory?.get()
    }

    fn has_real_directory(&self) -> bool {
        self.files.has_real_directory()
    }

    fn calls(&self, counted: &Counted<'_>) -> Answer<u32> {
        let (user, session) = self.caller;
        let Some(uid) = user.number() else {
            return Answer::Unavailable;
        };
        let key = Key {
            uid,
            session: session.to_vec(),
            policy: counted.policy.to_vec(),
            rule: counted.rule.to_vec(),
        };
        let (now, asker) = self.call;
        let process = asker.process();
        let count = match self.of_tree {
            Some((tallies, tree)) => tallies::known(tallies, tree, counted),
            None => {
                let counters = self.counters.lock().unwrap_or_else(PoisonError::into_inner);
                counters.with_this(&key, counted.window, (process, now))
            }
        };
        let mut touched = self.touched.borrow_mut();
        if !touched.contains(&key) {
            touched.push(key);
        }
        Answer::Value(count)
    }

    fn resolve<'b>(&self, path: &[u8], out: &'b mut [u8]) -> Answer<&'b [u8]> {
        self.files.resolve(path, out)
    }

    fn read<'b>(&self, path: &[u8], out: &'b mut [u8]) -> Answer<&'b [u8]> {
        self.files.read(path, out)
    }

    fn read_at<'b>(&self, path: &[u8], offset: u64, out: &'b mut [u8]) -> Answer<&'b [u8]> {
        self.files.read_at(path, offset, out)
    }

    fn digest(&self, path: &[u8]) -> Answer<[u8; 32]> {
        self.files.digest(path)
    }

    fn written_by_tree(&self, path: &[u8]) -> Answer<bool> {
        self.files.written_by_tree(path)
    }

    fn taint(&self) -> Answer<u8> {
        self.files.taint()
    }

    fn may_use(&self, once: &Once<'_>) -> bool {
        self.files.may_use(once)
    }

    fn user(&self) -> Answer<u32> {
        self.files.user()
    }

    fn parent<'b>(&self, out: &'b mut [u8]) -> Answer<&'b [u8]> {
        self.files.parent(out)
    }

    fn host<'b>(&self, out: &'b mut [u8]) -> Answer<&'b [u8]> {
        self.files.host(out)
    }

    fn now(&self) -> Answer<u64> {
        self.files.now()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(session: &str) -> Key {
        let bytes = |text: &str| text.as_bytes().to_vec();
        Key { uid: 0, session: bytes(session), policy: bytes("p"), rule: bytes("r") }
    }

    fn process(pid: u32) -> Option<Process> {
        Some(Process { pid, start: 1 })
    }

    #[test]
    fn a_window_slides_and_a_process_counts_once() {
        let mut counters = Counters::default();
        // When, which process, and how many that makes within ten seconds.
        let calls = [(100, 1, 1), (100, 1, 1), (104, 2, 2), (104, 1, 2), (109, 3, 3), (110, 4, 3)];
        for (now, pid, expected) in calls {
            let call = (process(pid), now);
            assert_eq!(counters.with_this(&key("a"), 10, call), expected, "{now} {pid}");
            counters.add(key("a"), (now, process(pid)));
        }
        assert_eq!(counters.with_this(&key("b"), 10, (process(9), 110)), 1, "another session");
        assert_eq!(counters.with_this(&key("a"), 10, (process(9), 1000)), 1, "long ago");
        // What has no process counts every time.
        for expected in 1..4 {
            assert_eq!(counters.with_this(&key("c"), 10, (None, 5)), expected);
            counters.add(key("c"), (5, None));
        }
    }

    #[test]
    fn memory_is_bounded() {
        let mut counters = Counters::default();
        for pid in 0..3000 {
            counters.add(key("a"), (u64::from(pid), process(pid)));
        }
        assert_eq!(counters.with_this(&key("a"), u64::MAX, (None, 3000)), 1001);
        for session in 0..5000_u64 {
            counters.add(key(&session.to_string()), (session, None));
        }
        assert_eq!(counters.0.len(), MOST_COUNTS);
    }
}
