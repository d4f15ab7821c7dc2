//! What holds for one call only, and who has used it up. The uses of all evaluators of a user are
//! one list on the disk: two that are asked at the same time cannot both say yes.

use crate::failure::reason;
use crate::process::who::User;
use crate::process::{Asker, Process};
use crate::verdict::world::{Counter, Use};
use evaluator::Action;
use rustix::fs::{FlockOperation, flock};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// Longest list that is read, in bytes: more uses than a person can ever grant.
const LONGEST: u64 = 4 * 1024 * 1024;

/// What is used up: the user, the policy, the rule and the end.
pub type Key = [u8; 32];

/// The key of something that holds once for a user.
pub fn key(uid: u32, policy: &[u8], rule: &[u8], ends: u64) -> Key {
    let mut digest = Sha256::new();
    digest.update(uid.to_le_bytes());
    digest.update(ends.to_le_bytes());
    digest.update((policy.len() as u64).to_le_bytes());
    digest.update(policy);
    digest.update(rule);
    digest.finalize().into()
}

/// Uses that the loop and the worker share.
pub type SharedUses = Arc<Mutex<Uses>>;

/// What a verdict about a call of `asker`, a process of `user`, takes for granted: what it has used up.
pub fn by(uses: &SharedUses, user: User, asker: Asker) -> Counter {
    let uses = Arc::clone(uses);
    Box::new(move |one| {
        let Some(uid) = user.number() else {
            return false;
        };
        let key = key(uid, &one.policy, &one.rule, one.ends);
        let mut uses = uses.lock().unwrap_or_else(PoisonError::into_inner);
        asker.process().is_some_and(|process| uses.look(&key, process) == Action::Allow)
    })
}

/// What a verdict about a call of `process` takes for granted that will use it up itself, with
/// [`take_all`]: what nobody has used yet.
pub fn open(uses: &SharedUses, uid: u32, process: Process) -> Counter {
    let uses = Arc::clone(uses);
    Box::new(move |one| {
        let key = key(uid, &one.policy, &one.rule, one.ends);
        let mut uses = uses.lock().unwrap_or_else(PoisonError::into_inner);
        uses.look(&key, process) != Action::Deny
    })
}

/// Uses up all of `wanted` for a call of `process`, a process of `uid`: whether that could be done.
pub fn take_all(uses: &SharedUses, (uid, process): (u32, Process), wanted: &[Use]) -> bool {
    let mut uses = uses.lock().unwrap_or_else(PoisonError::into_inner);
    let mut take = |one: &Use| uses.take(&key(uid, &one.policy, &one.rule, one.ends), process);
    wanted.iter().all(&mut take)
}

/// The uses that this evaluator has granted, and the list of all.
#[derive(Debug, Default)]
pub struct Uses {
    /// Where the list is; without one nothing can be used up.
    list: Option<PathBuf>,
    granted: HashMap<Key, Vec<Process>>,
}

impl Uses {
    /// With the list at `list`.
    pub fn at(list: PathBuf) -> Self {
        Self { list: Some(list), granted: HashMap::new() }
    }

    /// For several threads.
    pub fn shared(self) -> SharedUses {
        Arc::new(Mutex::new(self))
    }

    /// What a process may do: allow if it, or an ancestor that lives, has used it up, ask if nobody
    /// has, else deny.
    pub fn look(&mut self, key: &Key, process: Process) -> Action {
        if self.is_granted(key, process) {
            return Action::Allow;
        }
        let line = line(key);
        let used = self.list.as_deref().map(|list| match File::open(list) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
            Ok(file) => Ok(read(&file)?.contains(&line)),
        });
        match used {
            Some(Ok(false)) => Action::Ask,
            _ => Action::Deny,
        }
    }

    /// Uses it up for a process, its descendants included: whether that could be done.
    pub fn take(&mut self, key: &Key, process: Process) -> bool {
        if self.is_granted(key, process) {
            return true;
        }
        let Some(list) = self.list.as_deref() else {
            return false;
        };
        match append(list, &line(key)) {
            Ok(true) => {
                self.granted.values_mut().for_each(|all| all.retain(|one| one.is_alive()));
                self.granted.retain(|_, all| !all.is_empty());
                self.granted.entry(*key).or_default().push(process);
                true
            }
            Ok(false) => false,
            Err(error) => {
                complain!(
                    "rampart: error: cannot record a use in `{}`: {}",
                    list.display(),
                    reason(&error)
                );
                false
            }
        }
    }

    fn is_granted(&self, key: &Key, process: Process) -> bool {
        let Some(granted) = self.granted.get(key) else {
            return false;
        };
        process.with_ancestors().any(|ancestor| granted.contains(&ancestor))
    }
}

fn line(key: &Key) -> String {
    let digits: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{digits}\n")
}

fn read(file: &File) -> io::Result<String> {
    let mut text = String::new();
    if file.take(LONGEST).read_to_string(&mut text)? as u64 >= LONGEST {
        return Err(io::Error::other("the list is too long; remove what has expired"));
    }
    Ok(text)
}

/// Adds a line that is not there yet, durably; whether it was not. One process at a time: the lock is
/// given back when the file is closed.
fn append(list: &Path, line: &str) -> io::Result<bool> {
    if let Some(directory) = list.parent() {
        std::fs::create_dir_all(directory)?;
    }
    let mut file =
        OpenOptions::new().create(true).read(true).append(true).mode(0o600).open(list)?;
    flock(&file, FlockOperation::LockExclusive)?;
    if read(&file)?.contains(line) {
        return Ok(false);
    }
    file.write_all(line.as_bytes())?;
    file.sync_data()?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_use_for_all_evaluators() {
        let root = tempfile::tempdir().unwrap();
        let list = root.path().join("evaluator/once");
        let own = Process::of(std::process::id()).unwrap();
        let other = Process::of(1).unwrap();
        let (mut here, mut there) = (Uses::at(list.clone()), Uses::at(list));
        let first = key(0, b"p", b"r", 7);
        assert_eq!(there.look(&first, own), Action::Ask);
        assert!(here.take(&first, own));
        // For whoever has it, and for nobody else, here or there.
        assert!(here.take(&first, own));
        assert_eq!(here.look(&first, own), Action::Allow);
        assert_eq!(here.look(&first, other), Action::Deny);
        assert!(!here.take(&first, other));
        assert_eq!(there.look(&first, own), Action::Deny);
        assert!(!there.take(&first, own));
        // Another user's, another rule's, a later one.
        for key in [key(1, b"p", b"r", 7), key(0, b"pr", b"", 7), key(0, b"p", b"r", 8)] {
            assert_eq!(here.look(&key, other), Action::Ask);
        }
        // Without a list nothing is ever granted.
        let mut none = Uses::default();
        assert_eq!(none.look(&first, own), Action::Deny);
        assert!(!none.take(&first, own));
    }
}
