//! The functions of libc and the ways round them, from C programs on glibc and musl.

use crate::document;
use crate::place::{Attempt, Cell, Place};
use Cell::{Absent, Denied, Ran, SelfCheck};
use table::{ROWS, Row, contexts};

#[path = "../../../rampart/src/verbs/doctor/attack/table/routes.rs"]
mod table;

/// Launcher and target of each column; a static launcher of either libc must come to the same.
const COLUMNS: [(&str, &[(&str, &str)]); 7] = [
    ("glibc", &[("glibc", "glibc"), ("glibc", "musl")]),
    ("glibc → static", &[("glibc", "static"), ("glibc", "musl-static")]),
    ("musl", &[("musl", "musl"), ("musl", "glibc")]),
    ("musl → static", &[("musl", "static"), ("musl", "musl-static")]),
    ("static → dynamic", &[("static", "glibc"), ("musl-static", "musl")]),
    ("static → static", &[("static", "static"), ("musl-static", "musl-static")]),
    ("either → i386", &[("glibc", "i386"), ("musl", "i386")]),
];

/// What is expected in a column. A program of 32 bits can load the library as little as a static one.
fn expected(row: &Row, column: usize) -> Cell {
    match row.2.get(column) {
        Some(cell) => *cell,
        // Its loader is another one.
        None if row.1 == "ld.so" => Absent,
        None => row.2[1],
    }
}

/// Whether what the target prints comes to us. The shells of `wordexp` print to nobody; where its
/// words are judged, the line comes from the caller.
fn is_heard(route: &str, from: &str) -> bool {
    route != "wordexp" || !from.contains("static")
}

/// Whether a program of this directory loads the library.
fn loads_us(dir: &str) -> bool {
    !dir.contains("static") && dir != "i386"
}

/// musl's loader does not load programs of glibc, nor the other way round, nor either i386's.
fn is_another_loaders(from: &str, to: &str) -> bool {
    to == "i386" || from.starts_with("musl") != to.starts_with("musl")
}

/// Measures one cell. Every problem goes to `wrong`.
fn measure(place: &Place, row: &Row, column: usize, wrong: &mut Vec<String>) -> Option<Cell> {
    let (_, route, _) = *row;
    let mut found: Option<Cell> = None;
    for (from, to) in COLUMNS[column].1 {
        if !place.has(from) || !place.has(to) {
            continue;
        }
        if route == "ld.so" && is_another_loaders(from, to) {
            continue;
        }
        for context in contexts(route) {
            let what = format!("{route} {context} {from} → {to}");
            let tried = launch(place, from, to, context, route, "forbidden");
            let cell = match tried.cell(is_heard(route, from)) {
                Ok(Absent) => continue,
                Ok(cell) => cell,
                Err(problem) => {
                    wrong.push(format!("{what}: {problem}"));
                    continue;
                }
            };
            if let Err(problem) = looks_denied(&tried, cell, route, context) {
                wrong.push(format!("{what}: {problem}"));
            }
            if *found.get_or_insert(cell) != cell {
                wrong.push(format!("{what}: {cell:?}, elsewhere {found:?}"));
            }
            transparent(place, (from, to), context, row, wrong);
        }
    }
    found
}

/// The same under the supervisor, whoever starts whatever: whether all of it was stopped, and whether what is
/// permitted ran all the same. `None` if there is no such thing.
fn supervised(place: &Place, row: &Row, wrong: &mut Vec<String>) -> Option<bool> {
    let (_, route, _) = *row;
    let mut all = None;
    for (from, to) in COLUMNS.iter().flat_map(|(_, pairs)| *pairs) {
        let is_nothing = route == "ld.so" && is_another_loaders(from, to);
        if !place.has(from) || !place.has(to) || is_nothing {
            continue;
        }
        let context = if contexts(route).len() > 1 { "-v" } else { "" };
        let run = |target: &str| {
            let mut command = place.supervised(&place.program(from, "launch"), to);
            command.args((!context.is_empty()).then_some(context)).arg(route);
            command.arg(place.program(to, target)).arg(place.mark());
            place.attempt_supervised(&mut command, "")
        };
        // What does not even run when it may is nothing that could be stopped.
        let permitted = run("permitted");
        if permitted.mark.is_none() {
            let mut bare = place.bare(&place.program(from, "launch"), to);
            bare.args((!context.is_empty()).then_some(context)).arg(route);
            bare.arg(place.program(to, "permitted")).arg(place.mark());
            if place.attempt(&mut bare, "").mark.is_some() {
                wrong.push(format!("{route} {from} → {to}, supervised, permitted: {permitted}"));
            }
            continue;
        }
        match run("forbidden").stopped() {
            Ok(is_stopped) => all = Some(all.unwrap_or(true) && is_stopped),
            Err(problem) => wrong.push(format!("{route} {from} → {to}, supervised: {problem}")),
        }
    }
    all
}

fn launch(
    place: &Place,
    from: &str,
    to: &str,
    context: &str,
    route: &str,
    target: &str,
) -> Attempt {
    let mut command = place.guarded(&place.program(from, "launch"), to);
    command.args((!context.is_empty()).then_some(context)).arg(route);
    command.arg(place.program(to, target)).arg(place.mark());
    place.attempt(&mut command, "")
}

/// How the caller learns of it: DESIGN §3, "a denied program is never started".
fn looks_denied(tried: &Attempt, cell: Cell, route: &str, context: &str) -> Result<(), String> {
    let (status, stdout) = (tried.ran.status, tried.ran.stdout.as_str());
    let said = |text: &str| stdout.lines().any(|line| line == text);
    let is_right = match (cell, context) {
        (Ran, _) | (Absent, _) => true,
        (Denied, _) if route == "wordexp" => status == 0 && said("wordexp 4"),
        _ if route == "wordexp" => status == 0,
        (Denied, "") if contexts(route).len() > 1 => status == 0 && said("errno 1"),
        (SelfCheck, "") if contexts(route).len() > 1 => status == 126,
        _ => status == 0 && said("status 126"),
    };
    if is_right { Ok(()) } else { Err(format!("{cell:?} does not look like one: {tried}")) }
}

/// A permitted program, with and without the library: no difference, and recorded once.
fn transparent(
    place: &Place,
    (from, to): (&str, &str),
    context: &str,
    row: &Row,
    wrong: &mut Vec<String>,
) {
    let what = format!("{} {context} {from} → {to}, permitted", row.1);
    let mut bare = place.bare(&place.program(from, "launch"), to);
    bare.args((!context.is_empty()).then_some(context)).arg(row.1);
    bare.arg(place.program(to, "permitted")).arg(place.mark());
    let bare = place.attempt(&mut bare, "");
    let mut guarded = launch(place, from, to, context, row.1, "permitted");
    // Past every hook the library's name is still in the environment: the other loader says so.
    if to == "i386" && expected_of(row, from, to) == Ran && row.1 != "inline-bare" {
        let complains = guarded.ran.stderr.contains("wrong ELF class: ELFCLASS64");
        assert!(complains && guarded.ran.stderr.lines().count() == 1, "{what}: {guarded}");
        guarded.ran.stderr.clear();
    }
    // musl's loader does not start a static program, so there is nothing to compare.
    let is_impossible = row.1 == "ld.so" && to.contains("static");
    let ran = bare.mark.is_some() || is_impossible;
    if bare.ran != guarded.ran || bare.mark != guarded.mark || !ran {
        wrong.push(format!("{what}: bare {bare}, guarded {guarded}"));
    }
    // A static program is recorded by the hook that saw its start, which may be that of the shell
    // in between; glibc's loader starts it past
    // every hook, and then only its own start was seen.
    let by_shell = expected_of(row, from, to) != Ran && contexts(row.1).len() == 1;
    let is_seen = by_shell || !from.contains("static") && expected_of(row, from, to) == Denied;
    let confirms_itself = loads_us(to) && row.1 != "inline-bare";
    let expected = usize::from((is_seen || confirms_itself) && !is_impossible);
    let records = guarded.records_of("permitted");
    if records != expected {
        wrong.push(format!("{what}: {records} records, not {expected}: {guarded}"));
    }
}

fn expected_of(row: &Row, from: &str, to: &str) -> Cell {
    let column = COLUMNS.iter().position(|(_, pairs)| pairs.contains(&(from, to)));
    column.map_or(Ran, |column| expected(row, column))
}

/// Whether a grandchild is still guarded after its parent was started with no environment.
fn cascade(place: &Place, row: &Row, wrong: &mut Vec<String>) -> Option<Cell> {
    let mut found = None;
    for dir in ["glibc", "musl"] {
        if !place.has(dir) || matches!(row.1, "other-argv0" | "symlink" | "proc-fd") {
            continue;
        }
        let mut command = place.guarded(&place.program(dir, "launch"), dir);
        command.args(["-f", "-c", row.1]);
        command.arg(place.program(dir, "chain")).arg(place.mark());
        match place.attempt(&mut command, "").cell(row.1 != "wordexp") {
            Ok(Absent) => {}
            Ok(cell) if found.is_none_or(|known| known == cell) => found = Some(cell),
            Ok(cell) => wrong.push(format!("{}: {cell:?} in {dir}, else {found:?}", row.1)),
            Err(problem) => wrong.push(format!("{} -c: {problem}", row.1)),
        }
    }
    found
}

#[test]
fn every_route_comes_to_what_the_table_says() {
    let place = Place::new();
    let mut wrong = Vec::new();
    let mut rows = Vec::new();
    for row in ROWS {
        let mut cells = vec![row.0.to_owned()];
        for (column, (title, _)) in COLUMNS.iter().enumerate() {
            let cell = measure(&place, row, column, &mut wrong).unwrap_or(Absent);
            let expected = expected(row, column);
            if cell != expected && place.has("musl") && (column < 6 || place.has("i386")) {
                wrong.push(format!("{}, {title}: {cell:?}, not {expected:?}", row.0));
            }
            cells.push(cell.text().to_owned());
        }
        let after = cascade(&place, row, &mut wrong).unwrap_or(Absent);
        let is_lost = matches!(row.1, "inline" | "inline-bare" | "dlsym-handle" | "__libc_system");
        let expected = if is_lost { Ran } else { Denied };
        if after != Absent && after != expected {
            wrong.push(format!("{}, emptied environment: {after:?}", row.0));
        }
        cells.push(after.text().to_owned());
        let stopped = supervised(&place, row, &mut wrong);
        cells.push(document::stopped(stopped).to_owned());
        if stopped == Some(false) {
            wrong.push(format!("{}: it ran under the supervisor", row.0));
        }
        rows.push(cells);
    }
    let mut header = vec!["called"];
    header.extend(COLUMNS.iter().map(|(title, _)| *title));
    header.extend(["grandchild after an emptied environment", document::SUPERVISED]);
    let table = document::table(&header, &rows);
    println!("{table}");
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
    document::check("routes", &header, &rows);
}
