//! Shells, languages and tools: each starts the forbidden program in its own ways. Scripts come on
//! standard input, so that nothing in the runtime's own arguments tells what it will do.

// What `rampart doctor --attack` tries as well, where it is installed.
#[path = "../../../rampart/src/verbs/doctor/attack/table/cases.rs"]
mod cases;
#[path = "../../../rampart/src/verbs/doctor/attack/table/languages.rs"]
mod languages;
#[path = "../../../rampart/src/verbs/doctor/attack/table/musl.rs"]
mod musl;
mod native;
#[path = "../../../rampart/src/verbs/doctor/attack/table/tools.rs"]
mod tools;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::document;
use crate::place::{Attempt, Cell, Place};
use cases::Case;
use tests::find;

/// Replaces the placeholders: `@T` the target, `@N` its name, `@D` its directory, `@M` the mark,
/// `@L` a launcher (`probes/launch.c`), `@G` the directory of the guard.
fn fill(text: &str, place: &Place, dir: &str, target: &str) -> String {
    let directory = place.guard.path(dir);
    text.replace("@T", &directory.join(target).to_string_lossy())
        .replace("@N", target)
        .replace("@D", &directory.to_string_lossy())
        .replace("@L", &place.program("glibc", "launch").to_string_lossy())
        .replace("@G", &place.guard.dir().to_string_lossy())
        .replace("@M", &place.mark().to_string_lossy())
}

/// What stands between.
#[derive(Clone, Copy)]
enum Under {
    Nothing,
    Library,
    Supervisor,
}

/// Runs a case once. `program` is where its runtime lies.
fn attempt(
    place: &Place,
    case: &Case,
    program: &Path,
    (dir, target): (&str, &str),
    under: Under,
) -> Attempt {
    let mut command = match under {
        Under::Nothing => place.bare(program, dir),
        Under::Library => place.guarded(program, dir),
        Under::Supervisor => place.supervised(program, dir),
    };
    for argument in case.args.split_whitespace() {
        command.arg(fill(argument, place, dir, target));
    }
    for (name, text) in case.files {
        let path = place.guard.path(name);
        fs::write(&path, fill(text, place, dir, target)).unwrap();
    }
    let script = fill(case.script, place, dir, target);
    match under {
        Under::Supervisor => place.attempt_supervised(&mut command, &script),
        _ => place.attempt(&mut command, &script),
    }
}

fn measure(place: &Place, case: &Case, program: &Path, wrong: &mut Vec<String>) -> Vec<String> {
    let what = format!("{}, {}", case.runtime, case.way);
    let mut cells = vec![what.clone()];
    for (dir, expected) in case.targets.into_iter().zip([case.dynamic, case.static_target]) {
        let tried = attempt(place, case, program, (dir, "forbidden"), Under::Library);
        let cell = match tried.cell(case.is_heard) {
            Ok(cell) => cell,
            Err(problem) => {
                wrong.push(format!("{what} → {dir}: {problem}"));
                Cell::Absent
            }
        };
        if cell != expected {
            wrong.push(format!("{what} → {dir}: {cell:?}, not {expected:?}: {tried}"));
        }
        let (status, stdout) = case.denied;
        let said = tried.ran.stdout.lines().filter(|line| !line.starts_with("rampart: denied: "));
        let said: String = said.map(|line| format!("{line}\n")).collect();
        if cell != Cell::Ran && (tried.ran.status, said.as_str()) != (status, stdout) {
            wrong.push(format!("{what} → {dir}: not {status} {stdout:?}: {tried}"));
        }
        cells.push(cell.text().to_owned());
    }
    let target = (case.targets[0], "permitted");
    let bare = attempt(place, case, program, target, Under::Nothing);
    let guarded = attempt(place, case, program, target, Under::Library);
    if bare.ran != guarded.ran || bare.mark != guarded.mark || bare.mark.is_none() {
        wrong.push(format!("{what}, permitted: bare {bare}, guarded {guarded}"));
    }
    cells.push(document::stopped(supervised(place, case, program, wrong)).to_owned());
    let records = guarded.records_of("permitted");
    if records != case.records && case.dynamic != Cell::Ran {
        let expected = case.records;
        wrong.push(format!("{what}, permitted: {records} records, not {expected}: {guarded}"));
    }
    cells
}

/// The same under the supervisor: whether both were stopped, and what is permitted was not.
fn supervised(place: &Place, case: &Case, program: &Path, wrong: &mut Vec<String>) -> Option<bool> {
    let what = format!("{}, {}, supervised", case.runtime, case.way);
    let mut all = None;
    for dir in case.targets {
        match attempt(place, case, program, (dir, "forbidden"), Under::Supervisor).stopped() {
            Ok(is_stopped) => all = Some(all.unwrap_or(true) && is_stopped),
            Err(problem) => wrong.push(format!("{what} → {dir}: {problem}")),
        }
    }
    if all == Some(false) {
        wrong.push(format!("{what}: it ran"));
    }
    let permitted =
        attempt(place, case, program, (case.targets[0], "permitted"), Under::Supervisor);
    if permitted.mark.is_none() {
        wrong.push(format!("{what}, permitted: {permitted}"));
    }
    all
}

fn check(name: &str, cases: &[Case], build: &dyn Fn(&Place, &Case) -> Option<PathBuf>) {
    let place = Place::new();
    let mut wrong = Vec::new();
    let mut rows = Vec::new();
    let mut skipped: Vec<&str> = Vec::new();
    for case in cases {
        match build(&place, case) {
            Some(program) => rows.push(measure(&place, case, &program, &mut wrong)),
            None if skipped.contains(&case.program) => {}
            None => {
                skipped.push(case.program);
                println!("skipped: {} ({} is not installed)", case.runtime, case.program);
            }
        }
    }
    let header = ["started by", "dynamic target", "static target", document::SUPERVISED];
    println!("{}", document::table(&header, &rows));
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
    document::check(name, &header, &rows);
}

/// What has to be run for `case`; `None` if that is not possible here.
fn launcher(_: &Place, case: &Case) -> Option<PathBuf> {
    let needs = case.runtime.split([',', ' ']).next().and_then(find);
    let is_root = || Command::new("id").arg("-u").output().is_ok_and(|id| id.stdout == b"0\n");
    let is_possible = needs.is_some() && (case.program != "unshare" || is_root());
    find(case.program).filter(|_| is_possible || case.runtime == "bubblewrap")
}

#[test]
fn shells() {
    check("shells", cases::SHELLS, &|_, case| find(case.program));
}

#[test]
fn linked_to_musl() {
    check("musl", musl::CASES, &|place, case| find(case.program).filter(|_| place.has("musl")));
}

#[test]
fn python() {
    check("python", cases::PYTHON, &|_, case| find(case.program));
}

#[test]
fn languages() {
    check("languages", languages::CASES, &|_, case| find(case.program));
}

#[test]
fn commands() {
    check("tools", tools::CASES, &launcher);
}

#[test]
fn compiled_languages() {
    check("compiled", native::CASES, &native::build);
}
