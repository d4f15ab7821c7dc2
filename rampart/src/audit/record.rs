//! Recording a verdict of our own, in the place and form that the library uses.

use crate::failure::{Failure, reason, status};
use crate::launch::environment::Environment;
use evaluator::event::{Event, EventFlags, Outcome, ulid, write_line};
use evaluator::settle::{Settled, settle};
use evaluator::{Request, Verdict, notice};
use rustix::rand::{GetRandomFlags, getrandom};
use std::ffi::OsStr;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

/// Room for one event or one line to the agent, in bytes.
const LINE: usize = 64 * 1024;

/// Settles `verdict` for a program that is about to be started where the library cannot load,
/// and records it.
///
/// # Errors
/// Exit status 126 and the line that the library would say, if it must not be started.
pub fn conclude(
    request: &Request<'_>,
    verdict: &Verdict<'_>,
    environment: &Environment,
    is_enforced: bool,
) -> Result<(), Failure> {
    let settled = settle(verdict, environment.fail_open());
    let outcome = match (settled.permitted, is_enforced) {
        (true, _) => Outcome::Unconfirmed,
        (false, true) => Outcome::Denied,
        (false, false) => Outcome::NotEnforced,
    };
    let id = event(request, verdict, environment, ("run", outcome, settled.answered_by));
    if settled.permitted || !is_enforced {
        return Ok(());
    }
    Err(denial(request, verdict, &settled, &id))
}

/// The line that the library would say, with exit status 126.
pub fn denial(
    request: &Request<'_>,
    verdict: &Verdict<'_>,
    settled: &Settled,
    id: &[u8; 26],
) -> Failure {
    let mut line = vec![0; LINE];
    let length = notice::denial(&mut line, verdict, request, settled, id);
    let text = String::from_utf8_lossy(line.get(..length).unwrap_or_default());
    let text = text.trim_end();
    let text = text.strip_prefix("rampart: ").unwrap_or(text);
    Failure::with(status::NOT_EXECUTABLE, text)
}

/// Records what came of `verdict`: the entrance, the outcome, and on whose word. Returns the id of
/// the event. One that cannot be written is a warning.
pub fn event(
    request: &Request<'_>,
    verdict: &Verdict<'_>,
    environment: &Environment,
    (hook, outcome, answered_by): (&str, Outcome, &str),
) -> [u8; 26] {
    let fail_open = environment.fail_open();
    let (id, time_us) = stamp();
    let tree = environment.value("RAMPART_TREE").map(OsStr::as_bytes);
    let event = Event {
        id,
        time_us,
        pid: std::process::id(),
        ppid: std::os::unix::process::parent_id(),
        uid: rustix::process::getuid().as_raw(),
        hook,
        request,
        verdict,
        outcome,
        answered_by,
        tree: tree.filter(|tree| !tree.is_empty()).unwrap_or(&id),
        flags: if fail_open == Some(true) { EventFlags::FAIL_OPEN } else { EventFlags::default() },
    };
    let mut line = vec![0; LINE];
    let length = write_line(&event, &mut line);
    let directory = environment.value("RAMPART_AUDIT_DIR").map(Path::new);
    if let Some(directory) = directory
        && let Err(error) = append(directory, event.uid, line.get(..length).unwrap_or_default())
    {
        let why = reason(&error);
        eprintln!("rampart: warning: cannot record in `{}`: {why}", directory.display());
    }
    id
}

/// A fresh ULID.
pub fn new_id() -> String {
    String::from_utf8_lossy(&stamp().0).into_owned()
}

/// A new id, and the time in microseconds since the Unix epoch.
pub fn stamp() -> ([u8; 26], u64) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let mut random = [0u8; 10];
    // Ids only have to differ; without randomness the time does that.
    let _ = getrandom(&mut random, GetRandomFlags::NONBLOCK);
    let time_ms = u64::try_from(now.as_millis()).unwrap_or_default();
    let time_us = u64::try_from(now.as_micros()).unwrap_or_default();
    (ulid(time_ms, random), time_us)
}

/// Appends one whole line to the user's spool by one write(2).
fn append(directory: &Path, uid: u32, line: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o600)
        .custom_flags(libc::O_NOFOLLOW)
        .open(directory.join(format!("spool-{uid}.jsonl")))?;
    file.write_all(line)
}
