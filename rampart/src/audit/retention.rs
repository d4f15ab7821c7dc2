//! How much of the log is kept (`retention` of audit.yaml): whenever a file of it is full, the oldest
//! files that are more than that go, as with `rampart audit prune`, and the log says so.

use super::archive::{Limits, Pruned, prune};
use super::config::Config;
use crate::failure::Failure;
use serde::Deserialize;
use std::path::Path;
use std::time::{Duration, SystemTime};

/// The limits as they are written.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Retention {
    /// How long a file is kept after its last entry: 90d.
    keep: Option<String>,
    /// How large the log may be: 2G.
    size: Option<String>,
}

impl Retention {
    /// The limits, by the time that it is now.
    ///
    /// # Errors
    /// If one of them is none.
    pub fn limits(&self) -> Result<Limits, Failure> {
        Ok(Limits {
            before: self.keep.as_deref().map(before).transpose()?,
            largest: self.size.as_deref().map(size).transpose()?,
        })
    }
}

/// Removes from the log in `directory` what `config` does not want kept.
///
/// # Errors
/// As [`prune`].
pub fn apply(directory: &Path, config: &Config) -> Result<Pruned, Failure> {
    match &config.retention {
        Some(retention) => prune(directory, retention.limits()?, false),
        None => Ok(Pruned::default()),
    }
}

/// The moment that is so long ago.
///
/// # Errors
/// If it is no length of time.
pub fn before(text: &str) -> Result<SystemTime, Failure> {
    let ago = policy_schema::time::duration_ms(text).map(Duration::from_millis);
    ago.and_then(|ago| SystemTime::now().checked_sub(ago)).ok_or_else(|| {
        let odd = crate::bytes::visible(text.as_bytes());
        Failure::usage(format!("`{odd}` is no length of time; write 90d or 12h"))
    })
}

/// Bytes of a size with a binary unit.
///
/// # Errors
/// If it is none.
pub fn size(text: &str) -> Result<u64, Failure> {
    let units = [("K", 1 << 10), ("M", 1 << 20), ("G", 1 << 30), ("T", 1_u64 << 40)];
    let upper = text.to_ascii_uppercase();
    let unit = units.into_iter().find_map(|(unit, scale)| Some((upper.strip_suffix(unit)?, scale)));
    let (digits, scale) = unit.unwrap_or((upper.as_str(), 1));
    let number = digits.parse::<u64>().ok().and_then(|number| number.checked_mul(scale));
    number.ok_or_else(|| {
        let odd = crate::bytes::visible(text.as_bytes());
        Failure::usage(format!("`{odd}` is no size; write 500M or 2G"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::chain::{self, Chain};
    use crate::audit::verify::{Against, verify};

    #[test]
    fn sizes() {
        let cases = [("0", 0), ("12", 12), ("3k", 3072), ("2G", 2 << 30)];
        for (text, expected) in cases {
            assert_eq!(size(text).unwrap(), expected, "{text}");
        }
        for text in ["", "M", "1.5G", "-1", "20000000T", "12 M"] {
            assert!(size(text).is_err(), "{text}");
        }
        assert!(before("90d").is_ok() && before("ninety").is_err());
    }

    #[test]
    fn what_goes_is_told_and_nothing_else_is_missing() {
        let root = tempfile::tempdir().unwrap();
        let filled = || {
            let mut chain = Chain::open(root.path()).unwrap();
            for number in 0..1000 {
                let event = format!("{{\"id\":\"E{number:05}\",\"outcome\":\"allowed\"}}");
                chain.append(event.as_bytes()).unwrap();
            }
            chain.commit().unwrap();
        };
        filled();
        let count = || chain::files(root.path()).unwrap().len();
        let all = count();
        let config = |retention: &str| -> Config {
            serde_saphyr::from_str(&format!("retention: {retention}")).unwrap()
        };
        assert!(all > 4);
        for kept in ["{}", "{keep: 1h}", "{size: 1G}", "{keep: 1h, size: 1G}"] {
            assert!(apply(root.path(), &config(kept)).unwrap().files.is_empty(), "{kept}");
        }
        let pruned = apply(root.path(), &config("{size: 70k}")).unwrap();
        assert_eq!(count(), all - pruned.files.len());
        assert!(!pruned.files.is_empty());
        filled();
        let report = verify(root.path(), &Against::default()).unwrap();
        assert_eq!((report.problem_count, report.first), (0, pruned.upto + 1), "{report:?}");
        assert!(report.notes.iter().any(|note| note.what.contains("pruned")), "{report:?}");
    }
}
