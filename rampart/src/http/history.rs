//! The audit log over HTTP: what happened.

use super::message::{Flow, Reply};
use super::query::Query;
use super::routes::Asked;
use super::{Context, Problem};
use crate::audit::event::Event;
use crate::audit::select::each_event;
use crate::audit::stats::Stats;
use crate::audit::{self};
use crate::directories::Directories;
use crate::failure::Failure;
use serde_json::{Value, json};
use std::collections::{BTreeSet, VecDeque};
use std::io::{self, Write as _};
use std::path::PathBuf;

/// Most events in one answer, and how many there are if nothing else is said.
const LIMIT: (usize, usize) = (50, 500);
/// How far back they can be asked for: so many lines are held meanwhile.
const OFFSET: (usize, usize) = (0, 100_000);
/// Longest time that is counted, in days.
const DAYS: u64 = 366;
const DAY: u64 = 24 * 3600;

/// The files of the log.
fn files() -> Result<Vec<PathBuf>, Problem> {
    let found = audit::places(&Directories::from_environment());
    let found = found.and_then(|places| audit::readable(&places));
    found.map_err(|failure| unreadable(&failure))
}

fn unreadable(failure: &Failure) -> Problem {
    Problem::new(503, failure.message.clone())
}

/// The day of an event.
fn day(event: &Event) -> &str {
    event.text("time").get(..10).unwrap_or_default()
}

/// Events that fit, the latest first.
pub fn events(_: &Context, asked: &Asked<'_>) -> Result<Reply, Problem> {
    const NAMES: [&str; 8] =
        ["date", "limit", "offset", "tool", "action", "agent", "session", "outcome"];
    let query = Query::read(&asked.request.query, &NAMES)?;
    query.day("date")?;
    let limit = query.number("limit", LIMIT)?;
    let offset = query.number("offset", OFFSET)?;
    let fits = |event: &Event| {
        let date = query.text("date");
        let is = |name| [event.text(name), ""].contains(&query.text(name));
        (date.is_empty() || day(event) == date)
            && ["tool", "action", "agent", "session", "outcome"].into_iter().all(is)
    };
    let (mut latest, mut total) = (VecDeque::new(), 0_u64);
    each_event(&files()?, &mut |line, event| {
        if fits(event) {
            total += 1;
            latest.push_back(line.to_vec());
            if latest.len() > limit + offset {
                latest.pop_front();
            }
        }
        Ok(())
    })
    .map_err(|failure| unreadable(&failure))?;
    let value = |line: &Vec<u8>| serde_json::from_slice::<Value>(line).ok();
    let page: Vec<Value> = latest.iter().rev().skip(offset).take(limit).filter_map(value).collect();
    let value = json!({"events": page, "total": total, "limit": limit, "offset": offset});
    Ok(Reply::json(200, &value))
}

/// The days that there are events of.
pub fn dates(_: &Context, asked: &Asked<'_>) -> Result<Reply, Problem> {
    Query::read(&asked.request.query, &[])?;
    let mut days = BTreeSet::new();
    each_event(&files()?, &mut |_, event| {
        days.insert(day(event).to_owned());
        Ok(())
    })
    .map_err(|failure| unreadable(&failure))?;
    Ok(Reply::json(200, &json!({ "dates": days })))
}

/// The events as they stand in the log, one a line.
pub fn export(_: &Context, asked: &Asked<'_>) -> Result<Reply, Problem> {
    let query = Query::read(&asked.request.query, &["date"])?;
    query.day("date")?;
    let (files, date) = (files()?, query.text("date").to_owned());
    let flow = Flow::new(move |stream| {
        let mut out = io::BufWriter::with_capacity(64 * 1024, stream);
        let each = &mut |line: &[u8], event: &Event| {
            if !date.is_empty() && day(event) != date {
                return Ok(());
            }
            let written = out.write_all(line).and_then(|()| out.write_all(b"\n"));
            written.map_err(|error| Failure::other(error.to_string()))
        };
        // What was begun can only be cut short.
        each_event(&files, each).map_err(|failure| io::Error::other(failure.message))?;
        out.flush()
    });
    Ok(Reply::flowing("application/x-ndjson", flow))
}

/// How much there was of what, from one day to another.
pub fn stats(context: &Context, asked: &Asked<'_>) -> Result<Reply, Problem> {
    let query = Query::read(&asked.request.query, &["from", "to"])?;
    let today = crate::serve::requests::now() / 1000 / DAY * DAY;
    let to = query.day("to")?.unwrap_or(today);
    let from = query.day("from")?.unwrap_or(to.saturating_sub((DAYS - 1) * DAY));
    if from > to || to - from >= DAYS * DAY {
        return Err(Problem::field("from", "`from` must be at most 366 days up to `to`"));
    }
    let name = |at| policy_schema::time::format_timestamp(at).chars().take(10).collect::<String>();
    let (first, last) = (name(from), name(to));
    let (mut stats, mut trees) = (Stats::default(), BTreeSet::new());
    each_event(&files()?, &mut |_, event| {
        if (first.as_str()..=last.as_str()).contains(&day(event)) {
            stats.count(event);
            trees.insert(event.text("tree").to_owned());
        }
        Ok(())
    })
    .map_err(|failure| unreadable(&failure))?;
    stats.trees = trees.iter().filter(|tree| !tree.is_empty()).count() as u64;
    stats.log.add(&context.audit).map_err(|failure| unreadable(&failure))?;
    let mut value = serde_json::to_value(&stats).unwrap_or_default();
    if let Some(map) = value.as_object_mut() {
        map.insert("from".to_owned(), first.into());
        map.insert("to".to_owned(), last.into());
    }
    Ok(Reply::json(200, &value))
}
