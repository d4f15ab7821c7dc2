//! What was spent today on a model: calls and money, kept on the disk, so that a restart is no new day.

use super::config::Budget;
use crate::audit::config::trusted;
use crate::failure::reason;
use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};
use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

/// What was spent on one day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Spent {
    /// Days since the epoch (UTC).
    day: u64,
    calls: u64,
    cost: f64,
}

/// The account of one budget.
pub struct Ledger {
    budget: Budget,
    file: PathBuf,
    spent: Mutex<Spent>,
    /// Held while this is open: two accounts of one budget would each spend all of it.
    _lock: File,
}

impl Ledger {
    /// The one in `file`.
    ///
    /// # Errors
    /// If it cannot be read, or another process spends from it.
    pub fn open(budget: Budget, file: PathBuf) -> Result<Self, String> {
        let lock = lock(&file)?;
        let text = trusted(&file).map_err(|failure| failure.message)?;
        let spent = match text {
            Some(text) => serde_json::from_str(&text).map_err(|error| {
                format!("`{}` is no account: {error}; remove it to start anew", file.display())
            })?,
            None => Spent::default(),
        };
        Ok(Self { budget, file, spent: Mutex::new(spent), _lock: lock })
    }

    /// Takes one call, which may cost as much as `most`, if the budget of today has room for it.
    ///
    /// # Errors
    /// Why it has none. A call that cannot be written down is not made.
    pub fn take(&self, most: f64) -> Result<(), String> {
        self.take_on(today(), most)
    }

    fn take_on(&self, day: u64, most: f64) -> Result<(), String> {
        let mut spent = self.spent.lock().unwrap_or_else(PoisonError::into_inner);
        if spent.day != day {
            *spent = Spent { day, ..Spent::default() };
        }
        if self.budget.calls.is_some_and(|calls| spent.calls >= calls) {
            return Err("the budget of the day is used up (calls)".to_owned());
        }
        if self.budget.cost.is_some_and(|cost| spent.cost + most > cost) {
            return Err("the budget of the day is used up (cost)".to_owned());
        }
        let now = Spent { calls: spent.calls + 1, cost: spent.cost + most, ..*spent };
        write(&self.file, &now)?;
        *spent = now;
        Ok(())
    }

    /// Corrects what a call was taken to cost by what it cost. It may be more.
    pub fn settle(&self, most: f64, cost: f64) {
        let mut spent = self.spent.lock().unwrap_or_else(PoisonError::into_inner);
        spent.cost = (spent.cost - most + cost).max(0.0);
        // What could not be written is written with the next call.
        let _ = write(&self.file, &spent);
    }
}

fn lock(file: &Path) -> Result<File, String> {
    let path = file.with_extension("lock");
    let failed = |why: &str| format!("the budget cannot be kept: `{}`: {why}", path.display());
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false).mode(0o600).custom_flags(libc::O_NOFOLLOW);
    let lock = options.open(&path).map_err(|error| failed(&reason(&error)))?;
    flock(&lock, FlockOperation::NonBlockingLockExclusive)
        .map_err(|_| failed("another `rampart verify serve` of this user spends from it"))?;
    Ok(lock)
}

fn write(file: &Path, spent: &Spent) -> Result<(), String> {
    let text = serde_json::to_string(spent).unwrap_or_default();
    let new = file.with_extension("new");
    fs::write(&new, text).and_then(|()| fs::rename(&new, file)).map_err(|error| {
        format!("what is spent cannot be written to `{}`: {error}", file.display())
    })
}

fn today() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs() / (24 * 3600)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_has_its_budget_whoever_restarts() {
        let root = tempfile::tempdir().unwrap();
        let file = root.path().join("spent.json");
        let open = |calls, cost| Ledger::open(Budget { calls, cost }, file.clone()).unwrap();
        let ledger = open(Some(3), Some(1.0));
        assert_eq!(ledger.take_on(1, 0.5), Ok(()));
        ledger.settle(0.5, 0.25);
        assert_eq!(ledger.take_on(1, 0.5), Ok(()));
        assert!(ledger.take_on(1, 0.5).unwrap_err().contains("cost"));
        let busy = Ledger::open(Budget::default(), file.clone()).err().unwrap();
        assert!(busy.contains("spends from it"), "{busy}");
        drop(ledger);
        let ledger = open(Some(3), Some(1.0));
        assert!(ledger.take_on(1, 0.5).is_err(), "a restart is no new day");
        assert_eq!(ledger.take_on(1, 0.1), Ok(()));
        assert!(ledger.take_on(1, 0.0).unwrap_err().contains("calls"));
        assert_eq!(ledger.take_on(2, 0.5), Ok(()), "a new day");
        fs::create_dir(root.path().join("spent.new")).unwrap();
        assert!(ledger.take_on(3, 0.0).unwrap_err().contains("cannot be written"));
        let nowhere = Ledger::open(Budget::default(), root.path().join("none/spent.json"));
        assert!(nowhere.err().unwrap().contains("none/spent.lock"));
    }
}
