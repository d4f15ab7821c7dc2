//! docs/coverage.md: its tables are what the tests measured, row by row.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// Tests of one process take turns at the file.
static FILE: Mutex<()> = Mutex::new(());

/// The last column of each table: everything in the row, under the supervisor as well.
pub const SUPERVISED: &str = "interposer + kernel";

/// What stands there.
pub fn stopped(found: Option<bool>) -> &'static str {
    match found {
        Some(true) => "stopped",
        Some(false) => "**ran**",
        None => "–",
    }
}

fn path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/coverage.md")
}

fn line<T: AsRef<str>>(cells: &[T]) -> String {
    let cells: Vec<&str> = cells.iter().map(AsRef::as_ref).collect();
    format!("| {} |\n", cells.join(" | "))
}

/// A table in Markdown.
pub fn table(header: &[&str], rows: &[Vec<String>]) -> String {
    let rule = vec!["---"; header.len()];
    let body: String = rows.iter().map(|row| line(row)).collect();
    line(header) + &line(&rule) + &body
}

/// Compares `rows` with the table between `<!-- NAME -->` and `<!-- /NAME -->`, or puts them
/// there. Rows are found by their first cell; one that was not measured here (its runtime is not
/// installed) keeps what the file says.
pub fn check(name: &str, header: &[&str], rows: &[Vec<String>]) {
    let _turn = FILE.lock().unwrap_or_else(PoisonError::into_inner);
    let (open, close) = (format!("<!-- {name} -->\n"), format!("<!-- /{name} -->\n"));
    let text = fs::read_to_string(path()).expect("docs/coverage.md");
    let (before, rest) = text.split_once(&open).expect("the opening comment");
    let (old, after) = rest.split_once(&close).expect("the closing comment");
    if env::var_os("RAMPART_WRITE_COVERAGE").is_some() {
        let is_measured = |line: &str| {
            let cell = line.split(" | ").next().unwrap_or_default();
            rows.iter().any(|row| cell == format!("| {}", row[0]))
        };
        let kept = old.lines().skip(2).filter(|line| !is_measured(line));
        let kept: String = kept.map(|line| format!("{line}\n")).collect();
        let new = table(header, rows) + &kept;
        fs::write(path(), [before, &open, &new, &close, after].concat()).unwrap();
        return;
    }
    let missing: Vec<String> = [line(header)]
        .into_iter()
        .chain(rows.iter().map(|row| line(row)))
        .filter(|line| !old.contains(line.as_str()))
        .collect();
    assert!(
        missing.is_empty(),
        "docs/coverage.md does not say what was measured; run this test with \
         RAMPART_WRITE_COVERAGE=1 and look at the difference:\n{}",
        missing.concat()
    );
}
