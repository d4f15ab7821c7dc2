//! Events as they happen, for dashboards: server-sent events (WHATWG HTML, "Server-sent events"). The types are
//! `connected`, `audit` (one event of the log) and `approvals` (what is pending now). Each client has a
//! thread that looks for news; one that does not read loses its connection, and delays nobody.

use super::approvals::shown;
use super::message::{Flow, Reply, Stream};
use super::query::Query;
use super::routes::Asked;
use super::{Context, Problem};
use crate::audit::event::Event;
use crate::audit::follow::Follower;
use crate::audit::{self};
use crate::directories::Directories;
use crate::serve::front::Front;
use serde_json::{Value, json};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Most clients at a time.
const CLIENTS: usize = 16;
/// How often news is looked for.
const POLL: Duration = Duration::from_millis(250);
/// How often something is said where nothing happens, so that both ends notice when the other has gone.
const BEAT: Duration = Duration::from_secs(15);

/// One of the clients, counted as long as it is there.
struct Seat(Arc<AtomicUsize>);

impl Seat {
    fn take(all: &Arc<AtomicUsize>) -> Option<Self> {
        let seat = Self(Arc::clone(all));
        (all.fetch_add(1, Ordering::AcqRel) < CLIENTS).then_some(seat)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

/// What happens, until the client goes.
pub fn events(context: &Context, asked: &Asked<'_>) -> Result<Reply, Problem> {
    Query::read(&asked.request.query, &["token"])?;
    let unreadable = |failure: crate::failure::Failure| Problem::new(503, failure.message);
    let seat = Seat::take(&context.streams)
        .ok_or_else(|| Problem::new(503, "too many clients are told of events"))?;
    let places = audit::places(&Directories::from_environment()).map_err(unreadable)?;
    // The recorder brings what stands elsewhere into these.
    let (follower, _) = Follower::new(places, audit::live_files).map_err(unreadable)?;
    let front = context.front.clone();
    let flow = Flow::new(move |stream| {
        let _seat = seat;
        tell(stream, follower, &front)
    });
    Ok(Reply::flowing("text/event-stream", flow))
}

fn tell(stream: &mut dyn Stream, mut follower: Follower, front: &Front) -> io::Result<()> {
    say(stream, "connected", &json!({ "version": env!("CARGO_PKG_VERSION") }))?;
    let (mut last, mut known) = (Instant::now(), json!([]));
    loop {
        // Its end, or anything but silence, ends it.
        let lines = follower.poll().map_err(|failure| io::Error::other(failure.message))?;
        for line in lines.iter().filter(|line| Event::parse(line).is_some()) {
            if let Ok(event) = serde_json::from_slice::<Value>(line) {
                say(stream, "audit", &event)?;
                last = Instant::now();
            }
        }
        let pending = front.look(|desk| desk.approvals.pending().map(shown).collect::<Vec<_>>());
        let pending = Value::from(pending.map_err(|_| io::Error::other("it is stopping"))?);
        if pending != known {
            say(stream, "approvals", &json!({ "approvals": pending }))?;
            (last, known) = (Instant::now(), pending);
        }
        if last.elapsed() >= BEAT {
            stream.write_all(b": \n\n")?;
            stream.flush()?;
            last = Instant::now();
        }
        thread::sleep(POLL);
    }
}

/// JSON has no line breaks but escaped ones, so one line of data is enough.
fn say(stream: &mut dyn Stream, kind: &str, data: &Value) -> io::Result<()> {
    stream.write_all(format!("event: {kind}\ndata: {data}\n\n").as_bytes())?;
    stream.flush()
}
