//! Labelled calls to measure a policy against: one JSON object a line, this project's own corpus
//! and those taken from other projects.
//!
//! A row counts if it says of what `kind` it is and is a call that a Linux shell or tool could
//! make. Which rows of foreign corpora are none is said by fields of their own, so that nothing
//! here knows the name of a file.

use crate::bytes;
use crate::cases::{self, Parsed};
use crate::failure::{Failure, reason};
use serde_json::{Map, Value};
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

/// What a row is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Should be stopped: a deny or an ask.
    Attack,
    /// Should run.
    Benign,
}

/// One labelled call.
#[derive(Debug)]
pub struct Row {
    /// `id`, else `src`, else the number of the line.
    pub name: String,
    /// What it is.
    pub kind: Kind,
    /// The pack that stops it, where the standard profile alone need not. Only rows that say
    /// why, as this project's do, can name one: other projects' packs are not ours.
    pub pack: Option<String>,
    /// Whether an ask is weaker than what the row wants. Again only where the row says why: in
    /// other projects' corpora `deny` often means risky.
    pub wants_deny: bool,
    /// The call.
    pub parsed: Parsed,
    /// The call as it may be shown.
    pub shown: String,
}

/// The rows of one file.
pub struct Corpus {
    /// The file's name without its extension.
    pub name: String,
    /// Those that count.
    pub rows: Vec<Row>,
    /// How many rows do not count.
    pub skipped: usize,
}

/// Reads every corpus that `paths` name: files, and of directories the `.jsonl` files in them by
/// name; without any, standard input.
///
/// # Errors
/// If one cannot be read, a directory holds none, or a line is bad: says which.
pub fn read_all(paths: &[PathBuf]) -> Result<Vec<Corpus>, Failure> {
    if paths.is_empty() {
        return Ok(vec![read("standard input", io::stdin().lock())?]);
    }
    let mut corpora = Vec::new();
    for path in paths {
        for file in files(path)? {
            let opened = File::open(&file).map_err(|error| unreadable(&file, &error))?;
            corpora.push(read(&file.display().to_string(), opened)?);
        }
    }
    Ok(corpora)
}

fn unreadable(path: &Path, error: &io::Error) -> Failure {
    Failure::usage(format!("cannot read the corpus `{}`: {}", path.display(), reason(error)))
}

fn files(path: &Path) -> Result<Vec<PathBuf>, Failure> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let entries = fs::read_dir(path).map_err(|error| unreadable(path, &error))?;
    let entries: Result<Vec<PathBuf>, _> = entries.map(|entry| Ok(entry?.path())).collect();
    let mut files = entries.map_err(|error| unreadable(path, &error))?;
    files.retain(|file| file.extension().is_some_and(|found| found == "jsonl"));
    files.sort();
    if files.is_empty() {
        let shown = path.display();
        return Err(Failure::usage(format!(
            "there is no `.jsonl` file in `{shown}`; name a corpus"
        )));
    }
    Ok(files)
}

fn read(origin: &str, source: impl Read) -> Result<Corpus, Failure> {
    let stem = Path::new(origin).file_stem().unwrap_or_default();
    let mut corpus =
        Corpus { name: stem.to_string_lossy().into_owned(), rows: Vec::new(), skipped: 0 };
    for (index, line) in BufReader::new(source).split(b'\n').enumerate() {
        let number = index + 1;
        let bad = |why: &str| Failure::usage(format!("{origin}:{number}: {why}"));
        let line = line.map_err(|error| bad(&reason(&error)))?;
        if line.trim_ascii().is_empty() {
            continue;
        }
        match row(&line, number).map_err(|why| bad(&why))? {
            Some(row) => corpus.rows.push(row),
            None => corpus.skipped += 1,
        }
    }
    Ok(corpus)
}

/// The row on `line`; `None` if it does not count.
fn row(line: &[u8], number: usize) -> Result<Option<Row>, String> {
    let mut members: Map<String, Value> =
        serde_json::from_slice(line).map_err(|error| format!("is no JSON object: {error}"))?;
    for value in members.values_mut() {
        unroll(value)?;
    }
    let text = |name: &str| members.get(name).and_then(Value::as_str);
    let kind = match text("kind") {
        Some("attack") => Kind::Attack,
        Some("benign") => Kind::Benign,
        Some(other) => return Err(format!("`kind` is `{other}`; it must be attack or benign")),
        None => return Ok(None),
    };
    if is_left_out(&members, kind) {
        return Ok(None);
    }
    let name = text("id").or_else(|| text("src")).map(str::to_owned);
    let is_ours = members.contains_key("why");
    let pack = text("pack").filter(|_| is_ours).map(str::to_owned);
    let wants_deny = is_ours && text("expect") == Some("deny");
    let shown = shown(&members);
    Ok(Some(Row {
        name: name.unwrap_or_else(|| format!("line {number}")),
        kind,
        pack,
        wants_deny,
        parsed: cases::parse(&call(members)?).parsed?,
        shown,
    }))
}

/// Whether a row says of itself that it is no fair measure: its verdict depends on a fixture or
/// on the platform, it is no shell text, it is risky or harmless depending on who looks.
fn is_left_out(members: &Map<String, Value>, kind: Kind) -> bool {
    let text = |name: &str| members.get(name).and_then(Value::as_str);
    let flags = ["conditional", "not_shell", "freebsd", "dual_use", "danger_hint", "native"];
    let is_set = |flag: &&str| {
        let value = members.get(*flag);
        value.is_some_and(|value| !value.is_null() && *value != Value::Bool(false))
    };
    if flags.iter().any(is_set) {
        return true;
    }
    match kind {
        // Other projects' lesser severities are advice, not attacks.
        Kind::Attack => matches!(text("severity"), Some("Low" | "Medium")),
        // Manual pages show sudo as a matter of course; asking is right there.
        Kind::Benign => {
            let first = text("command").and_then(|command| command.split_whitespace().next());
            members.contains_key("page") && first == Some("sudo")
        }
    }
}

/// The line that `cases` reads: only what states the call.
fn call(mut members: Map<String, Value>) -> Result<Vec<u8>, String> {
    if let Some(extra) = members.shift_remove("params_extra") {
        members.insert("params".into(), extra);
    }
    let is_fixture = |cwd: &Value| !cwd.as_str().is_some_and(|cwd| cwd.starts_with('/'));
    if members.get("cwd").is_some_and(is_fixture) {
        members.shift_remove("cwd");
    }
    members.shift_remove("id");
    serde_json::to_vec(&members).map_err(|error| error.to_string())
}

/// What is called, in one line.
fn shown(members: &Map<String, Value>) -> String {
    let stated = ["command", "argv", "path", "url", "tool"];
    match stated.iter().find_map(|name| members.get(*name)) {
        Some(Value::String(text)) => bytes::visible(text.as_bytes()),
        Some(Value::Array(argv)) => {
            let words: Vec<Vec<u8>> = argv.iter().filter_map(bytes::from_json).collect();
            bytes::command_line(words.iter().map(Vec::as_slice))
        }
        _ => String::new(),
    }
}

/// Longest string that may be written as runs, in bytes.
const LONGEST: usize = 64 * 1024 * 1024;

/// Turns `{"rle": [[chunk, repeat], …]}`, the form of very long strings, into the string.
fn unroll(value: &mut Value) -> Result<(), String> {
    let runs = match value {
        Value::Object(members) if members.len() == 1 => members.get("rle"),
        _ => None,
    };
    let Some(runs) = runs else {
        return Ok(());
    };
    let mut text = String::new();
    for run in runs.as_array().into_iter().flatten() {
        let chunk = run.get(0).and_then(Value::as_str);
        let count = run.get(1).and_then(Value::as_u64);
        let (Some(chunk), Some(count)) = (chunk, count.and_then(|n| usize::try_from(n).ok()))
        else {
            return Err("`rle` must be a list of [text, count]".into());
        };
        if chunk.len().saturating_mul(count) > LONGEST - text.len() {
            return Err(format!("`rle` gives more than {LONGEST} bytes"));
        }
        text.push_str(&chunk.repeat(count));
    }
    *value = Value::String(text);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cases::Call;

    fn call_of(line: &str) -> Option<Call> {
        match row(line.as_bytes(), 1).unwrap()?.parsed {
            Parsed::Case(case) => Some(case.call),
            Parsed::Refused(_) => None,
        }
    }

    #[test]
    fn which_rows_count() {
        let counts = [
            (r#"{"command":"x","kind":"attack"}"#, true),
            (r#"{"command":"x","expect":"deny"}"#, false),
            (r#"{"command":"x","kind":"attack","conditional":true}"#, false),
            (r#"{"command":"x","kind":"attack","conditional":false}"#, true),
            (r#"{"command":"x","kind":"benign","danger_hint":["rm"]}"#, false),
            (r#"{"command":"x","kind":"attack","native":{}}"#, false),
            (r#"{"command":"x","kind":"attack","severity":"Low"}"#, false),
            (r#"{"command":"x","kind":"attack","severity":"High"}"#, true),
            (r#"{"command":"x","kind":"attack","severity":"medium"}"#, true),
            (r#"{"command":"x","kind":"benign","severity":null}"#, true),
            (r#"{"command":"sudo x","kind":"benign","page":"x"}"#, false),
            (r#"{"command":"sudo x","kind":"benign"}"#, true),
        ];
        for (line, wanted) in counts {
            assert_eq!(row(line.as_bytes(), 1).unwrap().is_some(), wanted, "{line}");
        }
    }

    #[test]
    fn calls_are_read_in_every_form() {
        let shell = |text: &str| Some(Call::Shell(text.as_bytes().to_vec()));
        let cases = [
            (r#"{"command":"ls","kind":"benign"}"#, shell("ls")),
            (r#"{"command":{"rle":[["a ",2],["b",3]]},"kind":"attack"}"#, shell("a a bbb")),
            (
                r#"{"argv":["a","b c"],"kind":"attack","why":"y"}"#,
                Some(Call::Argv(vec![b"a".to_vec(), b"b c".to_vec()])),
            ),
            (
                r#"{"tool":"read","path":"/x","kind":"attack","params_extra":{"a":"b"}}"#,
                Some(Call::Nothing),
            ),
            (r#"{"command":"x","cwd":"<fixture:repo>","kind":"attack"}"#, shell("x")),
        ];
        for (line, wanted) in cases {
            assert_eq!(call_of(line), wanted, "{line}");
        }
    }

    #[test]
    fn bad_rows_say_what_is_wrong() {
        let cases = [
            ("[]", "is no JSON object"),
            (r#"{"kind":"evil","command":"x"}"#, "must be attack or benign"),
            (r#"{"kind":"attack"}"#, "holds no call"),
            (r#"{"kind":"attack","command":{"rle":[["a"]]}}"#, "[text, count]"),
            (r#"{"kind":"attack","command":{"rle":[["a",99999999999]]}}"#, "more than"),
        ];
        for (line, wanted) in cases {
            let why = row(line.as_bytes(), 1).unwrap_err();
            assert!(why.contains(wanted), "{line}: {why}");
        }
    }

    #[test]
    fn only_rows_that_say_why_can_want_a_deny_or_a_pack() {
        let read = |line: &str| row(line.as_bytes(), 1).unwrap().unwrap();
        let ours =
            read(r#"{"command":"x","kind":"attack","expect":"deny","pack":"git","why":"y"}"#);
        let theirs = read(r#"{"command":"x","kind":"attack","expect":"deny","pack":"git"}"#);
        assert_eq!((ours.wants_deny, ours.pack.as_deref()), (true, Some("git")));
        assert_eq!((theirs.wants_deny, theirs.pack), (false, None));
    }
}
