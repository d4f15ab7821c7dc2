//! `rampart audit tail`: what was judged, latest last.

use crate::audit::event::Event;
use crate::audit::follow::{Follower, List};
use crate::audit::merge::merge;
use crate::audit::spool::{FromEnd, LONGEST_LINE};
use crate::audit::{self};
use crate::directories::Directories;
use crate::failure::{Failure, reason};
use crate::output::Output;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How often new lines are looked for. Short enough to feel immediate to a person.
const POLL: Duration = Duration::from_millis(200);

/// How many events beyond those asked for are looked at, to show the latest in the order of time.
const UNORDERED: usize = 1000;

/// Shows what was denied or asked lately, the latest last
///
/// Reads `RAMPART_AUDIT_DIR` if it is set; else ~/.local/state/rampart/audit, and the places where
/// events go if that cannot be written.
#[derive(clap::Args, Debug)]
pub struct Arguments {
    /// How many events to show
    #[arg(short = 'n', long = "lines", value_name = "N", default_value_t = 20)]
    count: usize,
    /// Go on showing new events until interrupted
    #[arg(short, long)]
    follow: bool,
    /// Print the events as they stand in the log, one JSON object a line
    #[arg(long)]
    json: bool,
    /// Only what was stopped, or would have been in enforce mode
    #[arg(long, conflicts_with_all = ["all", "each"])]
    deny: bool,
    /// What was allowed, too: starts of one tree that follow each other as one line
    #[arg(long)]
    all: bool,
    /// Every event, each on a line of its own
    #[arg(long)]
    each: bool,
    /// Only the event with this id, with all its details; the four characters that a denial shows
    /// are enough
    #[arg(long, value_name = "ID")]
    id: Option<String>,
}

/// Runs the verb.
///
/// # Errors
/// If the directory or a file cannot be read, or `--id` finds nothing.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    if arguments.id.as_ref().is_some_and(|id| id.len() < 4) {
        return Err(Failure::usage("an id has at least four characters, such as 7F3K"));
    }
    let places = audit::places(&Directories::from_environment())?;
    let main = places.first().cloned().unwrap_or_default();
    // Without the right to write to the log, what was not merged is read where it is.
    let merged = merge(&places);
    if let Err(failure) = &merged {
        complain!("rampart: warning: {}", failure.message);
    }
    let list: List = if merged.is_ok() { audit::live_files } else { audit::all_files };
    let (mut follower, ends) = Follower::new(places.clone(), list)?;
    let mut view = View { arguments, output: Output::new(), foreign: 0, shown: 0, starts: None };
    view.last_events(&ends)?;
    if view.shown == 0
        && arguments.id.is_some()
        && let Ok(list) = merged.as_ref().map(|_| audit::chain_files(&main))
    {
        // An old one: in a compressed file.
        audit::select::each_event(&list?, &mut |line, _| view.new_line(line))?;
    }
    view.report_foreign();
    if !arguments.follow {
        view.output.flush()?;
        return view.report_nothing(&main);
    }
    loop {
        if merged.is_ok() {
            merge(&places)?;
        }
        for line in follower.poll()? {
            view.new_line(&line)?;
        }
        view.end_starts()?;
        view.output.flush()?;
        view.report_foreign();
        std::thread::sleep(POLL);
    }
}

struct View<'a> {
    arguments: &'a Arguments,
    output: Output,
    /// Lines that were no event since the last report.
    foreign: u64,
    shown: u64,
    /// The tree whose allowed starts were shown last, and how many of them were not.
    starts: Option<(String, u64)>,
}

impl View<'_> {
    /// The last events before the given ends, in the order of time.
    fn last_events(&mut self, ends: &[(PathBuf, u64)]) -> Result<(), Failure> {
        let mut found: Vec<((String, String), Vec<u8>, Event)> = Vec::new();
        for (path, end) in ends {
            let failed = |error: &std::io::Error| {
                Failure::other(format!("cannot read `{}`: {}", path.display(), reason(error)))
            };
            let file = File::open(path).map_err(|error| failed(&error))?;
            let mut lines = FromEnd::new(file, *end);
            // Spools were merged one after the other: the latest may not be the last.
            let mut wanted = self.arguments.count.saturating_add(UNORDERED);
            while wanted > 0 {
                let Some(line) = lines.next_line().map_err(|error| failed(&error))? else {
                    break;
                };
                if let Some(event) = self.parse(&line) {
                    found.push((event.moment(), line, event));
                    wanted -= 1;
                }
            }
        }
        found.sort_by(|a, b| a.0.cmp(&b.0));
        // What is shown as one line counts once.
        let mut left = self.arguments.count;
        let mut skipped = found.len();
        while left > 0 && skipped > 0 {
            skipped -= 1;
            let before = skipped.checked_sub(1).and_then(|at| found.get(at));
            let event = found.get(skipped);
            let is_one = event.zip(before).is_some_and(|((_, _, event), (_, _, before))| {
                self.is_start(event)
                    && self.is_start(before)
                    && event.text("tree") == before.text("tree")
            });
            left -= usize::from(!is_one);
        }
        for (_, line, event) in found.iter().skip(skipped) {
            self.show(line, event)?;
        }
        self.end_starts()
    }

    fn new_line(&mut self, line: &[u8]) -> Result<(), Failure> {
        match self.parse(line) {
            Some(event) => self.show(line, &event),
            None => Ok(()),
        }
    }

    /// The event on `line` if it is one and is asked for.
    fn parse(&mut self, line: &[u8]) -> Option<Event> {
        if line.starts_with(b"{\"note\":\"foreign\"") {
            self.foreign += 1;
            return None;
        }
        if line.is_empty() || line.starts_with(b"{\"note\":") {
            return None;
        }
        let event = (line.len() <= LONGEST_LINE).then(|| Event::parse(line)).flatten();
        let Some(event) = event else {
            self.foreign += 1;
            return None;
        };
        let arguments = self.arguments;
        let is_wanted = match &arguments.id {
            Some(id) => event.has_id(id),
            None if arguments.deny => event.is_denial(),
            None => arguments.all || arguments.each || event.is_notable(),
        };
        is_wanted.then_some(event)
    }

    /// Whether this is one of the many starts of a tree that went ahead.
    fn is_start(&self, event: &Event) -> bool {
        let arguments = self.arguments;
        arguments.all
            && !arguments.each
            && !arguments.json
            && !event.is_notable()
            && event.text("action") != "watch"
            && !event.text("tree").is_empty()
    }

    /// Tells how many starts were not shown.
    fn end_starts(&mut self) -> Result<(), Failure> {
        match self.starts.take() {
            Some((_, more)) if more > 0 => {
                self.output.line(&format!("{:>24}and {more} more starts of the same tree", ""))
            }
            _ => Ok(()),
        }
    }

    fn show(&mut self, line: &[u8], event: &Event) -> Result<(), Failure> {
        self.shown += 1;
        let is_start = self.is_start(event);
        match &mut self.starts {
            Some((tree, more)) if is_start && tree == event.text("tree") => {
                *more += 1;
                return Ok(());
            }
            _ => self.end_starts()?,
        }
        if is_start {
            self.starts = Some((event.text("tree").to_owned(), 0));
        }
        if self.arguments.json {
            self.output.write(line)?;
            return self.output.write(b"\n");
        }
        match self.arguments.id {
            Some(_) => self.output.line(&event.details()),
            None => self.output.line(&event.line()),
        }
    }

    fn report_foreign(&mut self) {
        match std::mem::take(&mut self.foreign) {
            0 => {}
            1 => complain!("rampart: passed over 1 line that is no event (torn or foreign)"),
            n => complain!("rampart: passed over {n} lines that are no events (torn or foreign)"),
        }
    }

    fn report_nothing(&self, directory: &Path) -> Result<(), Failure> {
        match &self.arguments.id {
            Some(id) if self.shown == 0 => Err(Failure::other(format!(
                "no event in `{}` has an id that ends in `{}`; `rampart audit tail --deny` lists \
                 what was stopped",
                directory.display(),
                crate::bytes::visible(id.as_bytes())
            ))),
            None if self.shown == 0 => {
                complain!("rampart: no events in `{}`", directory.display());
                Ok(())
            }
            _ => Ok(()),
        }
    }
}
