//! The file that `rampart allow` and `rampart block` keep: what a person decided for one case each.
//! Its lines have one form, so that entries can be told apart and are written only once; a file that
//! somebody has written otherwise is left alone.

use super::image_store;
use crate::failure::{Failure, reason};
use policy_schema::{Layer, Options, Source, compile};
use rustix::fs::{FlockOperation, flock};
use std::fs::{self, File, OpenOptions};
use std::io::ErrorKind;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

const HEAD: &str = "\
# What a person allowed and blocked: kept by `rampart allow` and `rampart block`, one entry a line.
# Lines may be removed by hand. The allows beat every ask, never a deny; `disable` lifts a deny.
version: \"1\"
";

const ALLOWED: &str = "user-allowed";
const BLOCKED: &str = "user-blocked";

/// One entry, as it stands in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// A rule that does not hold for a command: `{rule: …, command: …}`.
    Disable(String),
    /// A rule that allows: `{action: allow, …}`.
    Allow(String),
    /// A rule that denies.
    Block(String),
}

/// Adds `entries` to the file at `path`; how many were not there yet.
///
/// # Errors
/// If somebody else keeps the file, if an entry does not compile, or if it cannot be written.
pub fn add(path: &Path, layer: Layer, entries: &[Entry]) -> Result<usize, Failure> {
    let directory = path.parent().unwrap_or(Path::new("."));
    let failed = |error: &std::io::Error| {
        Failure::other(format!("cannot change `{}`: {}", path.display(), reason(error)))
    };
    fs::create_dir_all(directory).map_err(|error| failed(&error))?;
    let _lock = locked(&directory.join(".overrides.lock")).map_err(|error| failed(&error))?;
    let mut all = match fs::read_to_string(path) {
        Ok(text) => parse(&text).ok_or_else(|| foreign(path))?,
        Err(error) if error.kind() == ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(failed(&error)),
    };
    let before = all.len();
    for entry in entries {
        if !all.contains(entry) {
            all.push(entry.clone());
        }
    }
    let text = written(&all);
    let name = path.display().to_string();
    let source = Source { name: &name, text: text.as_bytes() };
    compile(&[source], &Options { layer, run_examples: false })
        .map_err(|found| super::source::refused(&found))?;
    if all.len() > before {
        image_store::write_atomically(path, text.as_bytes())?;
    }
    Ok(all.len() - before)
}

fn foreign(path: &Path) -> Failure {
    Failure::usage(format!(
        "`{}` was not written by `rampart allow` or `rampart block`, and is left as it is; add the \
         rule to it by hand",
        path.display()
    ))
}

/// The lock is given back when the file is closed.
fn locked(path: &Path) -> std::io::Result<File> {
    let file = OpenOptions::new().create(true).append(true).mode(0o600).open(path)?;
    flock(&file, FlockOperation::LockExclusive)?;
    Ok(file)
}

/// The entries of a file of our own; `None` for any other.
fn parse(text: &str) -> Option<Vec<Entry>> {
    let mut all = Vec::new();
    let mut policy = "";
    for line in text.lines().filter(|line| !line.trim_start().starts_with('#')) {
        if let Some(entry) = line.strip_prefix("  - {rule: ") {
            all.push(Entry::Disable(format!("{{rule: {entry}")));
        } else if let Some(entry) = line.strip_prefix("      - ") {
            all.push(match policy {
                ALLOWED => Entry::Allow(entry.to_owned()),
                BLOCKED => Entry::Block(entry.to_owned()),
                _ => return None,
            });
        } else if let Some(name) = line.strip_prefix("  - name: ") {
            policy = name;
        } else if !matches!(line, "" | "version: \"1\"" | "disable:" | "policies:" | "    rules:") {
            return None;
        }
    }
    Some(all)
}

fn written(all: &[Entry]) -> String {
    let mut text = HEAD.to_owned();
    let disabled: Vec<&str> = all
        .iter()
        .filter_map(|entry| match entry {
            Entry::Disable(entry) => Some(entry.as_str()),
            _ => None,
        })
        .collect();
    if !disabled.is_empty() {
        text.push_str("disable:\n");
        disabled.iter().for_each(|entry| text.push_str(&format!("  - {entry}\n")));
    }
    let rules = |wanted: fn(&Entry) -> Option<&String>| -> Vec<&String> {
        all.iter().filter_map(wanted).collect()
    };
    let allowed = rules(|entry| if let Entry::Allow(rule) = entry { Some(rule) } else { None });
    let blocked = rules(|entry| if let Entry::Block(rule) = entry { Some(rule) } else { None });
    text.push_str(if allowed.len() + blocked.len() > 0 { "policies:\n" } else { "" });
    for (name, rules) in [(ALLOWED, allowed), (BLOCKED, blocked)] {
        if !rules.is_empty() {
            text.push_str(&format!("  - name: {name}\n    rules:\n"));
            rules.iter().for_each(|rule| text.push_str(&format!("      - {rule}\n")));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        let all = [
            Entry::Disable("{rule: \"a/b\", command: [\"x\"]}".into()),
            Entry::Allow("{action: allow, when: {command_matches: [\"a: {b}\"]}}".into()),
            Entry::Block("{action: deny, when: {command_matches: [\"- # c\"]}}".into()),
        ];
        for count in 0..=all.len() {
            let some = all.get(..count).unwrap_or_default();
            assert_eq!(parse(&written(some)).as_deref(), Some(some));
        }
        for text in [
            "default_action: allow\n",
            "policies: []\n",
            "policies:\n  - name: x\n    rules:\n      - {}\n",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
