//! Normalisation: which commands the original finds in a text are among those that we find.

use crate::support::{Place, fires};
use serde_json::{Value, json};

/// What is wrong with our answer to `row`, if anything.
pub fn judge(row: &Value) -> Result<(), String> {
    let input = &row["input"];
    let text = input.as_str().unwrap_or_default();
    let expected: Vec<&str> = row["normalized"]
        .as_array()
        .map_or_else(Vec::new, |list| list.iter().filter_map(Value::as_str).collect());
    match row["fn"].as_str().unwrap() {
        "cleanPaths" => {
            let path = expected.first().copied().unwrap_or_default();
            // An empty path is none.
            let fits = path.is_empty()
                || fires(
                    &json!({"path_matches": path}),
                    "deny",
                    &json!({"tool": "read", "path": input}),
                );
            if fits { Ok(()) } else { Err(format!("{input} is not {path}")) }
        }
        "stripShellWrapper" => {
            let words: Vec<&str> =
                input.as_array().unwrap().iter().filter_map(Value::as_str).collect();
            let mut call = vec!["--"];
            call.extend(words);
            let wanted = expected.join(" ");
            let parts: Vec<String> = wanted.split(" && ").map(str::to_owned).collect();
            among(&Place::new().commands(&call), &parts)
        }
        "ExtractSubcommands" if expected.is_empty() => {
            let found = Place::new().commands(&["--shell", text]);
            if found.len() <= 1 { Ok(()) } else { Err(format!("found {found:?}")) }
        }
        "NormalizeCommand" | "normalizeCommandForOS" => {
            let parts: Vec<String> =
                expected.iter().flat_map(|all| all.split(" && ")).map(str::to_owned).collect();
            among(&Place::new().commands(&["--shell", text]), &parts)
        }
        "SplitCompoundCommand"
        | "splitCompoundCommandForOS"
        | "ExtractSubcommands"
        | "SanitizeCommand" => {
            let place = Place::new();
            let of = |part: &&str| place.commands(&["--shell", part]);
            let parts: Vec<String> = expected.iter().flat_map(of).collect();
            among(&place.commands(&["--shell", text]), &parts)
        }
        other => Err(format!("{other} is not a part of a verdict")),
    }
}

fn among(found: &[String], expected: &[String]) -> Result<(), String> {
    let missing: Vec<_> =
        expected.iter().filter(|part| !part.is_empty() && !found.contains(part)).collect();
    if missing.is_empty() { Ok(()) } else { Err(format!("{missing:?} are not among {found:?}")) }
}
