//! Recording a verdict of our own, in the form that the library uses: by the evaluator of the tree if
//! it keeps the same log, so that it is in there at once and sealed with the rest; else in the spool.

use super::merge::AGAIN;
use super::recorder::LATE;
use crate::channel::{Connection, Fields};
use crate::failure::{Failure, reason, status};
use crate::launch::environment::Environment;
use evaluator::command::Tree;
use evaluator::effects::{Around, Kind, kinds};
use evaluator::event::{Event, EventFlags, Outcome, ulid, write_line};
use evaluator::settle::{Settled, settle};
use evaluator::wire::{self, Tag};
use evaluator::{Action, Request, Verdict, notice};
use rustix::rand::{GetRandomFlags, getrandom};
use rustix::time::{ClockId, clock_gettime};
use serde_json::json;
use std::ffi::OsStr;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Room for one event or one line to the agent, in bytes.
const LINE: usize = 64 * 1024;

/// How long the evaluator has to say that an event is in the log: longer than it tries.
const PATIENCE: Duration = Duration::from_secs(LATE.as_secs() * 3);

/// Settles `verdict` for a program that is about to be started where the library cannot load,
/// and records it.
///
/// # Errors
/// Exit status 126 and the line that the library would say, if it must not be started.
pub fn conclude(
    request: &Request<'_>,
    verdict: &Verdict<'_>,
    environment: &Environment,
    (is_enforced, took): (bool, Duration),
) -> Result<(), Failure> {
    let settled = settle(verdict, environment.fail_open());
    let outcome = match (settled.permitted, is_enforced) {
        (true, _) => Outcome::Unconfirmed,
        (false, true) => Outcome::Denied,
        (false, false) => Outcome::NotEnforced,
    };
    let told = Told { hook: "run", outcome, answered_by: settled.answered_by, took };
    let id = event(request, verdict, environment, &told);
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

/// What came of a verdict.
pub struct Told {
    /// The entrance.
    pub hook: &'static str,
    /// What came of it.
    pub outcome: Outcome,
    /// On whose word.
    pub answered_by: &'static str,
    /// How long it took to judge.
    pub took: Duration,
}

/// Records what came of `verdict`. Returns the id of the event. One that cannot be written is a
/// warning.
pub fn event(
    request: &Request<'_>,
    verdict: &Verdict<'_>,
    environment: &Environment,
    told: &Told,
) -> [u8; 26] {
    of_call(request, verdict, environment, told, ("", None))
}

/// The same for what may not happen without a record.
///
/// # Errors
/// If it cannot be written.
pub fn kept(
    request: &Request<'_>,
    verdict: &Verdict<'_>,
    environment: &Environment,
    told: &Told,
) -> Result<(), Failure> {
    let (_, line) = line(&Whose::own(environment), request, verdict, environment, told);
    match put(environment, &line) {
        true => Ok(()),
        false => Err(Failure::other("nothing was done: that could not be recorded")),
    }
}

/// The same for a call that its host names `call` (letters, digits, `_`, `-` and `.`; empty if it has no
/// name), and that executes a script of whose write there is the event `wrote`.
pub fn of_call(
    request: &Request<'_>,
    verdict: &Verdict<'_>,
    environment: &Environment,
    told: &Told,
    (call, wrote): (&str, Option<&str>),
) -> [u8; 26] {
    let (id, mut line) = line(&Whose::own(environment), request, verdict, environment, told);
    let call = Some(call).filter(|call| !call.is_empty());
    for (name, value) in [("call", call), ("wrote", wrote)] {
        if let Some(value) = value.filter(|_| line.ends_with(b"}\n")) {
            line.truncate(line.len() - 2);
            line.extend_from_slice(format!(",\"{name}\":\"{value}\"}}\n").as_bytes());
        }
    }
    put(environment, &line);
    id
}

/// Whose call an event is about.
pub struct Whose<'a> {
    /// The process.
    pub pid: u32,
    /// Its parent.
    pub ppid: u32,
    /// Its real user.
    pub uid: u32,
    /// The guarded tree, if it says one.
    pub tree: Option<&'a [u8]>,
}

impl<'a> Whose<'a> {
    /// This process, in the tree that `environment` names.
    fn own(environment: &'a Environment) -> Self {
        Self {
            pid: std::process::id(),
            ppid: std::os::unix::process::parent_id(),
            uid: rustix::process::getuid().as_raw(),
            tree: environment.value("RAMPART_TREE").map(OsStr::as_bytes),
        }
    }
}

/// The same for a call of another process that waits: into the spool of `environment`'s log, as
/// nobody is to wait for a disk.
pub fn event_of(
    whose: &Whose<'_>,
    request: &Request<'_>,
    verdict: &Verdict<'_>,
    environment: &Environment,
    told: &Told,
) -> [u8; 26] {
    let (id, line) = line(whose, request, verdict, environment, told);
    if let Some(directory) = environment.value("RAMPART_AUDIT_DIR").map(Path::new) {
        spool(directory, &line);
    }
    id
}

/// Puts an event into the spool of `environment`'s log that the process `whose` has handed over: who it is, it
/// is not believed. Whether it was one, and is there.
pub fn heard(whose: &Whose<'_>, line: &[u8], environment: &Environment) -> bool {
    if line.len() > LINE || super::event::Event::parse(line).is_none() {
        return false;
    }
    let Ok(serde_json::Value::Object(mut event)) = serde_json::from_slice(line) else {
        return false;
    };
    for (name, number) in [("pid", whose.pid), ("ppid", whose.ppid), ("uid", whose.uid)] {
        event.insert(name.to_owned(), number.into());
    }
    let Some(directory) = environment.value("RAMPART_AUDIT_DIR").map(Path::new) else {
        return false;
    };
    let line = serde_json::Value::Object(event);
    spool(directory, format!("{line}\n").as_bytes())
}

/// The line of an event, and its id.
fn line(
    whose: &Whose<'_>,
    request: &Request<'_>,
    verdict: &Verdict<'_>,
    environment: &Environment,
    told: &Told,
) -> ([u8; 26], Vec<u8>) {
    let fail_open = environment.fail_open();
    let (id, time_us) = stamp();
    let event = Event {
        id,
        time_us,
        mono_us: monotonic(),
        took_us: u64::try_from(told.took.as_micros()).unwrap_or_default(),
        pid: whose.pid,
        ppid: whose.ppid,
        uid: whose.uid,
        hook: told.hook,
        request,
        verdict,
        outcome: told.outcome,
        answered_by: told.answered_by,
        tree: whose.tree.filter(|tree| !tree.is_empty()).unwrap_or(&id),
        flags: if fail_open == Some(true) { EventFlags::FAIL_OPEN } else { EventFlags::default() },
    };
    let mut line = vec![0; LINE];
    let length = write_line(&event, &mut line);
    line.truncate(length);
    if verdict.action != Action::Allow {
        add_effects(&mut line, &verdict.tree, request);
    }
    (id, line)
}

/// Adds the names of what the call would do, if there is room in the line. Only here: the library records
/// in the guarded process, where it would cost every start.
fn add_effects(line: &mut Vec<u8>, tree: &Tree<'_>, request: &Request<'_>) {
    let names: Vec<&str> = kinds(tree, &Around::of(request)).iter().map(Kind::name).collect();
    let more = format!(",\"effects\":{}}}\n", json!(names));
    if !names.is_empty() && line.ends_with(b"}\n") && line.len() + more.len() <= LINE {
        line.truncate(line.len() - 2);
        line.extend_from_slice(more.as_bytes());
    }
}

/// Records how the command of a tree has ended, whose process was `pid`: its exit status, or the signal
/// that it died of and the status that a shell would show.
pub fn ended(environment: &Environment, pid: u32, status: u8, signal: Option<i32>) {
    let mut event = begun(pid, std::process::id());
    if let Some(event) = event.as_object_mut() {
        event.insert("hook".to_owned(), "exit".into());
        event.insert("outcome".to_owned(), "ended".into());
        event.insert("exit_status".to_owned(), status.into());
    }
    if let (Some(signal), Some(event)) = (signal, event.as_object_mut()) {
        event.insert("signal".to_owned(), signal.into());
    }
    for (name, variable) in [("agent", "RAMPART_AGENT"), ("session", "RAMPART_SESSION")] {
        let value = environment.value(variable).filter(|value| !value.is_empty());
        if let (Some(value), Some(event)) = (value, event.as_object_mut()) {
            event.insert(name.to_owned(), value.to_string_lossy().into());
        }
    }
    put(environment, format!("{event}\n").as_bytes());
}

/// What every event has, for one of process `pid`.
fn begun(pid: u32, ppid: u32) -> serde_json::Value {
    let (id, time_us) = stamp();
    json!({
        "v": evaluator::event::VERSION,
        "id": String::from_utf8_lossy(&id),
        "time": String::from_utf8_lossy(&evaluator::event::timestamp(time_us)),
        "mono_us": monotonic(),
        "pid": pid,
        "ppid": ppid,
        "uid": rustix::process::getuid().as_raw(),
    })
}

/// Records an event of this process's own, an object: what every event has is put in front.
pub fn note(environment: &Environment, members: serde_json::Value) -> bool {
    let mut event = begun(std::process::id(), std::os::unix::process::parent_id());
    if let (Some(event), serde_json::Value::Object(members)) = (event.as_object_mut(), members) {
        event.extend(members);
    }
    put(environment, format!("{event}\n").as_bytes())
}

/// The time of a clock that is never set, in microseconds.
pub fn monotonic() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    let seconds = now.tv_sec.unsigned_abs().saturating_mul(1_000_000);
    seconds.saturating_add(now.tv_nsec.unsigned_abs() / 1000)
}

/// Puts one event, a line with its newline, where those of the tree go. Whether it is there; if not,
/// that is said.
fn put(environment: &Environment, line: &[u8]) -> bool {
    let Some(directory) = environment.value("RAMPART_AUDIT_DIR").map(Path::new) else {
        return false;
    };
    let socket = environment.value("RAMPART_SOCKET").map(Path::new);
    let sent = socket.map_or(Sent::No, |socket| send(socket, directory, line));
    let marked = match (sent, line.strip_suffix(b"}\n")) {
        (Sent::Yes, _) => return true,
        // The evaluator may have it: whoever merges looks.
        (Sent::Maybe, Some(event)) => [event, b",\"", AGAIN.as_bytes(), b"\":1}\n"].concat(),
        _ => line.to_owned(),
    };
    spool(directory, &marked)
}

/// Puts one event into the spool of `directory`. Whether it is there; if not, that is said.
fn spool(directory: &Path, line: &[u8]) -> bool {
    let done = append(directory, rustix::process::getuid().as_raw(), line);
    if let Err(error) = &done {
        let why = reason(error);
        complain!("rampart: warning: cannot record in `{}`: {why}", directory.display());
    }
    done.is_ok()
}

/// Whether an event is in the log.
enum Sent {
    Yes,
    No,
    Maybe,
}

/// Has the evaluator at `socket` put an event into the log of `directory`.
fn send(socket: &Path, directory: &Path, line: &[u8]) -> Sent {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    let body = Fields::default()
        .with(Tag::Directory, directory.as_os_str().as_bytes())
        .with(Tag::Event, line);
    // What is too long for a packet is not recorded over a socket.
    let Ok(connection) = Connection::open(socket) else {
        return Sent::No;
    };
    if connection.send(wire::Kind::Record, &body).is_err() {
        return Sent::No;
    }
    match connection.receive(PATIENCE).map(|packet| packet.kind) {
        Ok(wire::Kind::Report) => Sent::Yes,
        Ok(_) => Sent::No,
        Err(_) => Sent::Maybe,
    }
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
