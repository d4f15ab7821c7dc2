//! Which events of the log a question is about, and walking through them from the first to the
//! last.

use super::archive;
use super::event::Event;
use super::spool::LONGEST_LINE;
use crate::failure::{Failure, reason};
use std::io::{self, BufRead as _, Read as _};
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Which events; all conditions must hold
#[derive(clap::Args, Clone, Debug, Default)]
pub struct Selection {
    /// Not before this time (2026-11-23, 2026-11-23T08:00:00Z), or so long ago (90m, 7d)
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Before this time, or up to so long ago
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// What came of it: allowed, denied, unconfirmed, not-enforced or ended; or what the service
    /// says of itself: started, alive, policy-lost, policy-changed, unguarded or stopped
    #[arg(long, value_name = "OUTCOME")]
    outcome: Vec<String>,
    /// The rule that decided, `policy` or `policy/rule`
    #[arg(long, value_name = "RULE")]
    rule: Option<String>,
    /// The agent
    #[arg(long, value_name = "NAME")]
    agent: Option<String>,
    /// The guarded tree, by its id or the end of it
    #[arg(long, value_name = "ID")]
    tree: Option<String>,
}

/// A selection whose times are known.
pub struct Filter {
    selection: Selection,
    since: Option<String>,
    until: Option<String>,
}

impl Selection {
    /// Works out the times.
    ///
    /// # Errors
    /// If a time or an outcome is none.
    pub fn filter(&self) -> Result<Filter, Failure> {
        const OUTCOMES: [&str; 11] = [
            "allowed",
            "denied",
            "unconfirmed",
            "not-enforced",
            "ended",
            "started",
            "alive",
            "policy-lost",
            "policy-changed",
            "unguarded",
            "stopped",
        ];
        if let Some(odd) = self.outcome.iter().find(|name| !OUTCOMES.contains(&name.as_str())) {
            let odd = crate::bytes::visible(odd.as_bytes());
            let known = OUTCOMES.join(", ");
            return Err(Failure::usage(format!("there is no outcome `{odd}`; there are {known}")));
        }
        let time = |text: &Option<String>| text.as_deref().map(moment).transpose();
        Ok(Filter { since: time(&self.since)?, until: time(&self.until)?, selection: self.clone() })
    }
}

/// A point in time as events have it.
fn moment(text: &str) -> Result<String, Failure> {
    let ago = policy_schema::time::duration_ms(text)
        .map(|ms| SystemTime::now().checked_sub(Duration::from_millis(ms)).unwrap_or(UNIX_EPOCH));
    let at = policy_schema::time::timestamp(text)
        .map(|seconds| UNIX_EPOCH + Duration::from_secs(seconds))
        .or(ago);
    let since = at.and_then(|at| at.duration_since(UNIX_EPOCH).ok());
    let us = since.and_then(|since| u64::try_from(since.as_micros()).ok());
    let text = us.map(evaluator::event::timestamp).ok_or_else(|| {
        let odd = crate::bytes::visible(text.as_bytes());
        Failure::usage(format!(
            "`{odd}` is no time; write 2026-11-23, 2026-11-23T08:00:00Z, or how long ago: 90m, 7d"
        ))
    })?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

impl Filter {
    /// Whether `event` is asked for.
    pub fn takes(&self, event: &Event) -> bool {
        let wanted = &self.selection;
        let (time, _) = event.moment();
        let is = |wanted: &Option<String>, name: &str| {
            wanted.as_ref().is_none_or(|wanted| event.text(name) == wanted)
        };
        let rule = wanted.rule.as_ref().is_none_or(|rule| {
            event.rule() == *rule || (!rule.contains('/') && event.text("policy") == rule)
        });
        let tree = wanted.tree.as_ref().is_none_or(|tree| {
            let end = tree.to_ascii_uppercase();
            !end.is_empty() && event.text("tree").ends_with(&end)
        });
        self.since.as_ref().is_none_or(|since| time >= *since)
            && self.until.as_ref().is_none_or(|until| time < *until)
            && (wanted.outcome.is_empty()
                || wanted.outcome.iter().any(|outcome| event.text("outcome") == outcome))
            && is(&wanted.agent, "agent")
            && rule
            && tree
    }
}

/// What is done with an event and its line.
type Each<'a> = &'a mut dyn FnMut(&[u8], &Event) -> Result<(), Failure>;

/// Calls `each` with every event in the files and its line, in their order.
///
/// # Errors
/// If a file cannot be read, or what `each` says.
pub fn each_event(files: &[impl AsRef<Path>], each: Each<'_>) -> Result<(), Failure> {
    for path in files {
        let path = path.as_ref();
        let failed = |error: io::Error| {
            Failure::other(format!("cannot read `{}`: {}", path.display(), reason(&error)))
        };
        let mut reader = archive::open(path).map_err(failed)?;
        let mut line = Vec::new();
        loop {
            line.clear();
            let mut part = reader.by_ref().take(LONGEST_LINE as u64);
            if part.read_until(b'\n', &mut line).map_err(failed)? == 0 {
                break;
            }
            let line = line.strip_suffix(b"\n").unwrap_or(&line);
            if let Some(event) = Event::parse(line) {
                each(line, &event)?;
            }
        }
    }
    Ok(())
}
