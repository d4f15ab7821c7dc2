//! The environment: as a snapshot that can be asked, and as what a guarded program gets.

use super::library;
use std::env;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::Read;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;
use std::sync::Arc;

/// An environment that is read at once, in bytes; longer ones take several reads.
const USUAL: usize = 16 * 1024;

/// A copy of an environment, as whole entries in their order, so that nothing that a program
/// could see gets lost: std would not show an entry without `=`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Environment {
    /// Most copies stay as they are, and are many.
    entries: Arc<Vec<Vec<u8>>>,
}

impl Environment {
    /// The environment that this process was started with (it never changes its own).
    pub fn own() -> Self {
        // A file of proc(5) states no length; std would begin with 32 bytes.
        let mut bytes = Vec::with_capacity(USUAL);
        let read =
            File::open("/proc/self/environ").and_then(|mut file| file.read_to_end(&mut bytes));
        match read {
            Ok(1..) => Self::from_block(&bytes),
            _ => {
                Self::of_entries(env::vars_os().map(|(name, value)| entry(&name, &value)).collect())
            }
        }
    }

    /// That of a block as in `/proc/PID/environ`.
    pub fn from_block(bytes: &[u8]) -> Self {
        Self::of_entries(Self::of_block(bytes))
    }

    /// These entries.
    pub fn of_entries(entries: Vec<Vec<u8>>) -> Self {
        Self { entries: Arc::new(entries) }
    }

    /// Entries that somebody else keeps as well.
    pub const fn shared(entries: Arc<Vec<Vec<u8>>>) -> Self {
        Self { entries }
    }

    /// Whether both are one copy.
    pub fn is_copy_of(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.entries, &other.entries)
    }

    /// The entries of a block as in `/proc/PID/environ` (proc(5)): each ends with a NUL.
    pub fn of_block(bytes: &[u8]) -> Vec<Vec<u8>> {
        let bytes = bytes.strip_suffix(b"\0").unwrap_or(bytes);
        bytes.split(|byte| *byte == 0).map(<[u8]>::to_vec).collect()
    }

    /// The value of `name`, the first if there are several.
    pub fn value(&self, name: &str) -> Option<&OsStr> {
        let found = evaluator::Env::get(self, name.as_bytes())?;
        Some(OsStr::from_bytes(found))
    }

    /// Whether the library is loaded in this very process, as a part of some guarded tree.
    pub fn is_guarded(&self) -> bool {
        self.value("RAMPART_TREE").is_some_and(|tree| !tree.is_empty()) && self.has_library()
    }

    /// Whether the library is loaded into a program that is started with this environment.
    pub fn has_library(&self) -> bool {
        let is_set = |value: &&OsStr| !value.is_empty();
        let Some(preload) = self.value("LD_PRELOAD") else {
            return false;
        };
        match self.value("RAMPART_LIB").filter(is_set) {
            Some(own) => library::is_preloaded(preload, Path::new(own)),
            None => library::entries(preload).any(|entry| entry.ends_with(b"/librampart.so")),
        }
    }

    /// `RAMPART_EVALUATOR=socket`: whether what the tree's own policy lets go is put to the evaluator.
    pub fn asks_evaluator(&self) -> bool {
        self.value("RAMPART_EVALUATOR").is_some_and(|value| value == "socket")
    }

    /// `RAMPART_FAIL_OPEN`: what the user wants where nothing can be decided, if stated.
    pub fn fail_open(&self) -> Option<bool> {
        match self.value("RAMPART_FAIL_OPEN").map(OsStr::as_bytes) {
            Some(b"1") => Some(true),
            Some(b"0") => Some(false),
            _ => None,
        }
    }

    /// Takes over how the tree of `other` is guarded: its library and its `RAMPART_*`.
    pub fn join_tree_of(&mut self, other: &Self) {
        let is_ours = |entry: &[u8]| entry.starts_with(b"RAMPART_");
        let entries = Arc::make_mut(&mut self.entries);
        entries.retain(|entry| !is_ours(entry));
        entries.extend(other.entries.iter().filter(|entry| is_ours(entry)).cloned());
        if let Some(preload) = other.value("LD_PRELOAD") {
            self.set("LD_PRELOAD", preload);
        }
    }

    /// Sets `name`: the first entry of that name in its place, the others go; else at the end.
    pub fn set(&mut self, name: &str, value: &OsStr) {
        let new = entry(OsStr::new(name), value);
        let entries = Arc::make_mut(&mut self.entries);
        let first = entries.iter().position(|entry| is_named(entry, name.as_bytes()));
        entries.retain({
            let mut seen = false;
            move |entry| !is_named(entry, name.as_bytes()) || !std::mem::replace(&mut seen, true)
        });
        match first.and_then(|at| entries.get_mut(at)) {
            Some(slot) => *slot = new,
            None => entries.push(new),
        }
    }

    /// Removes every entry of `name`.
    pub fn remove(&mut self, name: &str) {
        if self.value(name).is_some() {
            let entries = Arc::make_mut(&mut self.entries);
            entries.retain(|entry| !is_named(entry, name.as_bytes()));
        }
    }

    /// Puts `library` first in `LD_PRELOAD` and keeps what else stands there.
    pub fn preload(&mut self, library: &Path) {
        let own = library.as_os_str().as_bytes();
        let mut value = own.to_vec();
        if let Some(old) = self.value("LD_PRELOAD") {
            for entry in library::entries(old).filter(|entry| *entry != own) {
                value.push(b':');
                value.extend_from_slice(entry);
            }
        }
        self.set("LD_PRELOAD", &OsString::from_vec(value));
    }

    /// The entries, for execve(2).
    pub fn entries(&self) -> &[Vec<u8>] {
        &self.entries
    }
}

impl evaluator::Env for Environment {
    fn get(&self, name: &[u8]) -> Option<&[u8]> {
        let found = self.entries.iter().find(|entry| is_named(entry, name))?;
        found.get(name.len().saturating_add(1)..)
    }
}

fn entry(name: &OsStr, value: &OsStr) -> Vec<u8> {
    [name.as_bytes(), b"=", value.as_bytes()].concat()
}

fn is_named(entry: &[u8], name: &[u8]) -> bool {
    entry.strip_prefix(name).is_some_and(|rest| rest.first() == Some(&b'='))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(entries: &[&str]) -> Environment {
        Environment::of_entries(entries.iter().map(|entry| entry.as_bytes().to_vec()).collect())
    }

    #[test]
    fn blocks_are_kept_whole() {
        let cases: [(&[u8], &[&str]); 3] = [
            (b"A=1\0B\0", &["A=1", "B"]),
            (b"A=1\0\0=x\0", &["A=1", "", "=x"]),
            (b"A=1", &["A=1"]),
        ];
        for (block, entries) in cases {
            assert_eq!(Environment::of_block(block), environment(entries).entries());
        }
        assert!(!Environment::own().entries().is_empty());
    }

    #[test]
    fn setting_keeps_everything_else() {
        let cases: [(&[&str], &str, &str, &[&str]); 4] = [
            (&[], "A", "1", &["A=1"]),
            (&["A=0", "B=2"], "A", "1", &["A=1", "B=2"]),
            (&["AB=0", "A=0", "C=", "A=9"], "A", "1", &["AB=0", "A=1", "C="]),
            (&["A"], "A", "1", &["A", "A=1"]),
        ];
        for (before, name, value, after) in cases {
            let mut found = environment(before);
            found.set(name, OsStr::new(value));
            assert_eq!(found, environment(after));
            assert_eq!(found.value(name), Some(OsStr::new(value)));
            found.remove(name);
            assert_eq!(found.value(name), None);
        }
    }

    #[test]
    fn what_the_variables_say() {
        let guarded: [(&[&str], bool); 6] = [
            (&[], false),
            (&["RAMPART_TREE=01J"], false),
            (&["RAMPART_TREE=01J", "LD_PRELOAD=/x/librampart.so"], true),
            (&["RAMPART_TREE=01J", "LD_PRELOAD=/r.so", "RAMPART_LIB=/r.so"], true),
            (&["RAMPART_TREE=01J", "LD_PRELOAD=/o.so", "RAMPART_LIB=/r.so"], false),
            (&["RAMPART_TREE=", "LD_PRELOAD=/x/librampart.so"], false),
        ];
        for (entries, expected) in guarded {
            assert_eq!(environment(entries).is_guarded(), expected, "{entries:?}");
        }
        let fail_open = [("=1", Some(true)), ("=0", Some(false)), ("=", None), ("=yes", None)];
        for (value, expected) in fail_open {
            let entry = format!("RAMPART_FAIL_OPEN{value}");
            assert_eq!(environment(&[&entry]).fail_open(), expected, "{value}");
        }
    }

    #[test]
    fn the_library_stands_first_and_once() {
        let cases = [
            (None, "/r.so"),
            (Some(""), "/r.so"),
            (Some("/a.so /b.so"), "/r.so:/a.so:/b.so"),
            (Some("/a.so:/r.so::/r.so"), "/r.so:/a.so"),
        ];
        for (before, after) in cases {
            let mut found = Environment::default();
            if let Some(before) = before {
                found.set("LD_PRELOAD", OsStr::new(before));
            }
            found.preload(Path::new("/r.so"));
            assert_eq!(found.value("LD_PRELOAD"), Some(OsStr::new(after)), "{before:?}");
        }
    }
}
