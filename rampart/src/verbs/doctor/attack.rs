//! `rampart doctor --attack`: every way of starting a program that docs/coverage.md has a claim about, tried on
//! this machine, in this environment, against a harmless program that a policy made for it denies.
//!
//! What comes out is compared with the claim: a way that ends otherwise than it should fails the check, even if
//! the second line of defence (the new process's own check) still held. A way whose *permitted* program
//! does not run shows nothing, and counts as not tried.

pub mod calls;
mod place;
mod table;
mod target;

use crate::failure::Failure;
use crate::launch::environment::Environment;
use crate::launch::library;
use crate::output::Output;
pub use place::is_plain;
use place::{Attempt, Place};
use serde::Serialize;
use std::path::Path;
use table::cases::Case;
use table::{Cell, cases, languages, musl, operations, routes, tools};

/// How a row ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum State {
    /// As claimed.
    Stopped,
    /// It ran, and docs/coverage.md says so: a limit of the library.
    KnownGap,
    /// Not as claimed.
    Failed,
    /// It could not be tried.
    NotTried,
}

/// One way and one kind of target.
#[derive(Debug, Serialize)]
struct Row {
    group: &'static str,
    name: String,
    target: &'static str,
    claimed: Cell,
    found: Option<Cell>,
    state: State,
    /// What was seen, or why nothing was.
    why: String,
}

#[derive(Serialize)]
struct Report<'a> {
    version: &'static str,
    library: &'a Path,
    healthy: bool,
    rows: &'a [Row],
}

/// Kinds of target: the directory of each.
const TARGETS: [&str; 2] = ["dynamic", "static"];

/// What glibc before 2.39 has not, but the library gives: called by its names.
const GIVEN: [(&str, &str); 2] = [("pidfd_spawn", "pidfd_spawn"), ("pidfd_spawnp", "pidfd_spawnp")];

/// Runs the attack on the rows of the groups and names in `only` (all if it is empty).
///
/// # Errors
/// If there is no library, this process is guarded itself, or the place for it cannot be made.
pub fn run(only: &[String], json: bool) -> Result<u8, Failure> {
    let environment = Environment::own();
    if environment.is_guarded() {
        return Err(Failure::other(
            "`doctor --attack` needs a policy of its own, and the one of the guarded tree that this \
             runs in cannot be replaced; run it outside of the tree",
        ));
    }
    let library = library::find()?;
    let place = Place::new(&library, &environment).map_err(Failure::other)?;
    let mut rows = Vec::new();
    let wanted = |group: &str, name: &str| {
        only.is_empty() || only.iter().any(|text| group == text || name == text)
    };
    functions(&place, &wanted, &mut rows);
    themselves(&place, &wanted, &mut rows);
    let groups = [
        ("shells", cases::SHELLS),
        ("musl", musl::CASES),
        ("python", cases::PYTHON),
        ("languages", languages::CASES),
        ("tools", tools::CASES),
    ];
    for (group, all) in groups {
        for case in all {
            let name = format!("{}, {}", case.runtime, case.way);
            if wanted(group, &name) {
                runtime(&place, group, &name, case, &mut rows);
            }
        }
    }
    if rows.is_empty() {
        return Err(Failure::usage(format!("no row is named `{}`", only.join("`, `"))));
    }
    report(&rows, &library, json)
}

/// The functions of libc, called by this very program.
fn functions(place: &Place, wanted: &dyn Fn(&str, &str) -> bool, rows: &mut Vec<Row>) {
    let column = if cfg!(target_env = "musl") { 2 } else { 0 };
    let claims = |cells: &[Cell; 6]| {
        let claim = |at: usize| cells.get(at).copied().unwrap_or(Cell::Absent);
        [claim(column), claim(column.saturating_add(1))]
    };
    let known = routes::ROWS.iter().map(|(name, route, cells)| (*name, *route, claims(cells)));
    let given = GIVEN.iter().map(|(name, route)| (*name, *route, [Cell::Denied; 2]));
    let is_here = |claims: &[Cell; 2]| claims.iter().any(|claim| *claim != Cell::Absent);
    for (name, route, claims) in known.chain(given).filter(|(.., claims)| is_here(claims)) {
        if !wanted("functions", name) {
            continue;
        }
        for (target, claimed) in TARGETS.into_iter().zip(claims) {
            let mut row = new("functions", name, target, claimed);
            if cfg!(target_feature = "crt-static") {
                row.why =
                    "this rampart is linked statically and calls no function of a library; the \
                           package for a system with glibc does"
                        .to_owned();
                rows.push(row);
                continue;
            }
            match place.call("-f", route, target, place::ALLOWED) {
                Ok(permitted) if permitted.ran => {
                    for context in routes::contexts(route) {
                        let tried = place.call(context, route, target, place::DENIED);
                        judge(&mut row, tried, route != "wordexp");
                    }
                }
                Ok(permitted) if permitted.is_absent() && claimed == Cell::Denied => {
                    row.state = State::Failed;
                    row.why = "nothing answers to this name".to_owned();
                }
                other => idle(&mut row, other),
            }
            rows.push(row);
        }
    }
}

/// What programs do themselves: files of a directory that a rule seals, addresses that another one does.
fn themselves(place: &Place, wanted: &dyn Fn(&str, &str) -> bool, rows: &mut Vec<Row>) {
    let files = operations::FILES.iter().map(|(name, ..)| (*name, "file", "vault", "plain"));
    let addresses = operations::ADDRESSES.iter().map(|name| match *name {
        name if name.starts_with("get") => (name, "address", "localhost", "127.0.0.3"),
        name => (name, "address", "127.0.0.2", "127.0.0.3"),
    });
    for (name, kind, sealed, free) in files.chain(addresses) {
        if !wanted("operations", name) {
            continue;
        }
        let mut row = new("operations", name, kind, Cell::Denied);
        // Nothing is mounted where that would be allowed, and not every file system has all of these.
        let permitted =
            (!operations::UNSURE.contains(&name)).then(|| place.operation(kind, name, free));
        match permitted {
            _ if cfg!(target_feature = "crt-static") => {
                "this rampart is linked statically".clone_into(&mut row.why);
            }
            Some(Ok(permitted)) if !permitted.ran => idle(&mut row, Ok(permitted)),
            Some(Err(why)) => idle(&mut row, Err(why)),
            _ => judge(&mut row, place.operation(kind, name, sealed), true),
        }
        rows.push(row);
    }
}

/// A shell, a language or a tool, if it is installed.
fn runtime(place: &Place, group: &'static str, name: &str, case: &Case, rows: &mut Vec<Row>) {
    let claims = [case.dynamic, case.static_target];
    for (target, claimed) in TARGETS.into_iter().zip(claims) {
        let mut row = new(group, name, target, claimed);
        match place.possible(case) {
            Err(why) => row.why = why,
            Ok(program) => match place.run(case, &program, target, place::ALLOWED) {
                Ok(permitted) if permitted.ran => {
                    judge(
                        &mut row,
                        place.run(case, &program, target, place::DENIED),
                        case.is_heard,
                    );
                }
                other => idle(&mut row, other),
            },
        }
        rows.push(row);
    }
}

fn new(group: &'static str, name: &str, target: &'static str, claimed: Cell) -> Row {
    let (name, state) = (name.to_owned(), State::NotTried);
    Row { group, name, target, claimed, found: None, state, why: String::new() }
}

/// The permitted program did not run.
fn idle(row: &mut Row, tried: Result<Attempt, String>) {
    let said = tried.map_or_else(|why| why, |attempt| attempt.said());
    row.why = format!("the permitted program does not start in this way here: {said}");
}

/// How strong a way of being stopped is.
const fn strength(cell: Cell) -> u8 {
    match cell {
        Cell::Denied => 2,
        Cell::SelfCheck => 1,
        Cell::Ran | Cell::Absent => 0,
    }
}

/// Adds what came of one attempt; the weakest of a row counts.
fn judge(row: &mut Row, tried: Result<Attempt, String>, is_heard: bool) {
    if row.state == State::Failed {
        return;
    }
    let found = tried.and_then(|attempt| attempt.cell(is_heard));
    (row.state, row.why) = match found {
        Err(why) => (State::Failed, why),
        Ok(cell) => {
            row.found = Some(cell);
            let state = match cell {
                _ if strength(cell) < strength(row.claimed) => State::Failed,
                Cell::Ran => State::KnownGap,
                _ => State::Stopped,
            };
            (state, cell.text().to_owned())
        }
    };
}

fn report(rows: &[Row], library: &Path, json: bool) -> Result<u8, Failure> {
    let count = |state: State| rows.iter().filter(|row| row.state == state).count();
    let (failed, stopped) = (count(State::Failed), count(State::Stopped));
    let healthy = failed == 0 && stopped > 0;
    let mut output = Output::new();
    if json {
        let report = Report { version: env!("CARGO_PKG_VERSION"), library, healthy, rows };
        let text = serde_json::to_string(&report);
        output.line(&text.map_err(|error| Failure::other(error.to_string()))?)?;
        output.flush()?;
        return Ok(u8::from(!healthy));
    }
    for row in rows.iter().filter(|row| row.state != State::NotTried) {
        output.line(&line(row))?;
    }
    for (what, why) in idle_groups(rows) {
        output.line(&format!("{:<12} {what}: {why}", "not tried"))?;
    }
    output.line(&format!(
        "{stopped} stopped, {} known limits (`rampart run --enforce kernel` stops those), {} not tried \
         here, {failed} FAILED; library {}",
        count(State::KnownGap),
        count(State::NotTried),
        library.display()
    ))?;
    output
        .line("Not tried anywhere: compiled languages and browsers (docs/coverage.md has them)")?;
    output.flush()?;
    Ok(u8::from(!healthy))
}

/// One row that was tried.
fn line(row: &Row) -> String {
    let (state, why) = match (row.state, row.claimed) {
        (State::KnownGap, _) => ("not stopped", "it ran: a known limit of LD_PRELOAD".to_owned()),
        (State::Failed, Cell::SelfCheck) => {
            ("FAILED", format!("{}; the new process should have stopped itself", row.why))
        }
        (State::Failed, _) => ("FAILED", format!("{}; the call should have been denied", row.why)),
        _ => ("stopped", row.why.clone()),
    };
    let name = format!("{} → {}", row.name, row.target);
    format!("{state:<12} {:<10} {name:<52} {why}", row.group)
}

/// What was not tried, rows of one runtime and reason together.
fn idle_groups(rows: &[Row]) -> Vec<(String, &str)> {
    let mut groups: Vec<(String, &str)> = Vec::new();
    for row in rows.iter().filter(|row| row.state == State::NotTried) {
        let runtime = row.name.split(',').next().unwrap_or_default();
        let is_known = groups.iter().any(|(what, why)| what == runtime && *why == row.why);
        if !is_known {
            groups.push((runtime.to_owned(), &row.why));
        }
    }
    groups
}
