//! When a guarded tree has started (`RAMPART_SINCE`): what was written later is its own work. The root
//! of a tree fixes it.

use crate::launch::environment::Environment;
use evaluator::Answer;
use evaluator::world::is_since;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::sync::OnceLock;
use std::time::{SystemTime, UNIX_EPOCH};

/// Its variable.
pub const NAME: &str = "RAMPART_SINCE";

/// When a tree has started, in milliseconds since the Unix epoch; `None` where no tree asks, or none
/// that says so.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Since(Option<u64>);

impl Since {
    /// As the environment of a process of the tree has it.
    pub fn of(environment: &Environment) -> Self {
        Self(environment.value(NAME).and_then(|text| number(text.as_bytes())))
    }

    /// Sets when the tree starts that is started with `environment`: now, or when the tree started
    /// that this process lives in.
    pub fn fix(environment: &mut Environment) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis());
        let now = u64::try_from(now).unwrap_or(u64::MAX);
        let known = Self::of(environment).0.filter(|known| *known <= now);
        environment.set(NAME, &OsString::from(known.unwrap_or(now).to_string()));
    }

    /// Whether a file that was changed then (its ctime) was changed since. Where the start is not known,
    /// at least nothing that runs has changed what is older than the machine has been up.
    pub fn is_before(self, seconds: i64, nanos: i64) -> Answer<bool> {
        match self.0 {
            Some(start) => Answer::Value(is_since(start, seconds, nanos)),
            None => match boot() {
                Some(boot) if !is_since(boot, seconds, nanos) => Answer::Value(false),
                _ => Answer::Unavailable,
            },
        }
    }
}

/// When the machine was started, in milliseconds since the epoch (`btime` in proc_stat(5)).
fn boot() -> Option<u64> {
    static BOOT: OnceLock<Option<u64>> = OnceLock::new();
    *BOOT.get_or_init(|| {
        let text = std::fs::read("/proc/stat").ok()?;
        let mut lines = text.split(|byte| *byte == b'\n');
        let seconds = lines.find_map(|line| line.strip_prefix(b"btime "))?;
        number(seconds)?.checked_mul(1000)
    })
}

fn number(text: &[u8]) -> Option<u64> {
    let is_plain = !text.is_empty() && text.iter().all(u8::is_ascii_digit);
    OsStr::from_bytes(text).to_str().filter(|_| is_plain)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(value: &str) -> Environment {
        let mut environment = Environment::default();
        environment.set(NAME, OsStr::new(value));
        environment
    }

    #[test]
    fn a_start_is_fixed_once() {
        for (before, is_kept) in
            [("1000", true), ("99999999999999", false), ("x", false), ("", false)]
        {
            let mut environment = with(before);
            Since::fix(&mut environment);
            assert_eq!(environment.value(NAME) == Some(OsStr::new(before)), is_kept, "{before}");
            assert!(Since::of(&environment).0.is_some_and(|start| start < 99_999_999_999_999));
        }
        let mut environment = Environment::default();
        Since::fix(&mut environment);
        assert_ne!(Since::of(&environment), Since::default());
    }

    #[test]
    fn answers() {
        let start = Since::of(&with("5000000"));
        assert_eq!(start.is_before(5000, 5), Answer::Value(true));
        assert_eq!(start.is_before(4000, 5), Answer::Value(false));
        assert_eq!(Since::default().is_before(4000, 5), Answer::Value(false), "before the boot");
        assert_eq!(Since::default().is_before(i64::MAX, 5), Answer::Unavailable);
    }
}
