//! `rampart audit tail`: what was judged, latest last.

use crate::audit::event::Event;
use crate::audit::follow::Follower;
use crate::audit::spool::{FromEnd, LONGEST_LINE};
use crate::directories::Directories;
use crate::failure::{Failure, reason};
use crate::output::Output;
use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How often new lines are looked for. Short enough to feel immediate to a person.
const POLL: Duration = Duration::from_millis(200);

/// Shows the last events of the audit log, the latest last
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
    #[arg(long)]
    deny: bool,
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
    let places = Directories::from_environment();
    let main = places.audit()?;
    let mut directories = vec![main.clone()];
    if !places.is_audit_chosen() {
        directories.extend(substitutes(&main));
    }
    let (mut follower, ends) = Follower::new(directories)?;
    let mut view = View { arguments, output: Output::new(), foreign: 0, shown: 0 };
    view.last_events(&ends)?;
    view.report_foreign();
    if !arguments.follow {
        view.output.flush()?;
        return view.report_nothing(&main);
    }
    loop {
        for line in follower.poll()? {
            view.new_line(&line)?;
        }
        view.output.flush()?;
        view.report_foreign();
        std::thread::sleep(POLL);
    }
}

/// Where the library writes if the audit directory cannot be used (DESIGN §6), as far as those
/// directories are there, are ours, and nobody else can write to them.
fn substitutes(main: &Path) -> Vec<PathBuf> {
    let own = rustix::process::getuid().as_raw();
    let temporary = std::env::var_os("TMPDIR").map(PathBuf::from);
    let roots = [temporary, Some(PathBuf::from("/dev/shm"))];
    let found = roots.into_iter().flatten().map(|root| root.join(format!("rampart-{own}")));
    let private = |path: &PathBuf| {
        fs::symlink_metadata(path)
            .is_ok_and(|found| found.is_dir() && found.uid() == own && found.mode() & 0o022 == 0)
    };
    let mut all: Vec<PathBuf> = found.filter(|path| path != main).filter(private).collect();
    all.dedup();
    all
}

struct View<'a> {
    arguments: &'a Arguments,
    output: Output,
    /// Lines that were no event since the last report.
    foreign: u64,
    shown: u64,
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
            let mut wanted = self.arguments.count;
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
        let skipped = found.len().saturating_sub(self.arguments.count);
        for (_, line, event) in found.iter().skip(skipped) {
            self.show(line, event)?;
        }
        Ok(())
    }

    fn new_line(&mut self, line: &[u8]) -> Result<(), Failure> {
        match self.parse(line) {
            Some(event) => self.show(line, &event),
            None => Ok(()),
        }
    }

    /// The event on `line` if it is one and is asked for.
    fn parse(&mut self, line: &[u8]) -> Option<Event> {
        if line.is_empty() {
            return None;
        }
        let event = (line.len() <= LONGEST_LINE).then(|| Event::parse(line)).flatten();
        let Some(event) = event else {
            self.foreign += 1;
            return None;
        };
        let is_wanted = (!self.arguments.deny || event.is_denial())
            && self.arguments.id.as_ref().is_none_or(|id| event.has_id(id));
        is_wanted.then_some(event)
    }

    fn show(&mut self, line: &[u8], event: &Event) -> Result<(), Failure> {
        self.shown += 1;
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
            1 => eprintln!("rampart: passed over 1 line that is no event (torn or foreign)"),
            n => eprintln!("rampart: passed over {n} lines that are no events (torn or foreign)"),
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
                eprintln!("rampart: no events in `{}`", directory.display());
                Ok(())
            }
            _ => Ok(()),
        }
    }
}
