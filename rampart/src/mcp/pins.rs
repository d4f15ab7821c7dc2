//! What the tools of a server said of themselves when they were first seen. A model does what a
//! description says, so a description that changes later was approved by nobody.

use super::asked::Tool;
use crate::directories::{Directories, make_private};
use crate::failure::{Failure, reason};
use crate::policy::image_store::write_atomically;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;

/// How a tool stands to its pin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// As it was.
    Same,
    /// It was not there when the server was first seen.
    New,
    /// It says something else.
    Changed,
}

/// The pins of one server, by the command that starts it.
pub struct Pins {
    path: PathBuf,
    kept: Kept,
    /// Whether this server was never seen before: what it lists now is what is pinned.
    is_first: bool,
}

#[derive(Default, Serialize, Deserialize)]
struct Kept {
    /// The command, for people.
    command: Vec<String>,
    /// Digests by the names of tools.
    tools: BTreeMap<String, String>,
}

impl Pins {
    /// Those of the server that `command` starts; with `anew` as if it was never seen.
    ///
    /// # Errors
    /// If they cannot be read.
    pub fn open(command: &[OsString], anew: bool) -> Result<Self, Failure> {
        let directory = Directories::from_environment().state()?.join("mcp");
        make_private(&directory)?;
        let mut digest = Sha256::new();
        for word in command {
            digest.update((word.len() as u64).to_le_bytes());
            digest.update(word.as_bytes());
        }
        let name: String = digest.finalize().iter().take(8).map(|b| format!("{b:02x}")).collect();
        Self::at(directory.join(format!("pins-{name}.json")), command, anew)
    }

    fn at(path: PathBuf, command: &[OsString], anew: bool) -> Result<Self, Failure> {
        let failed = |why: &str| {
            let place = path.display();
            Failure::other(format!(
                "cannot read what the server's tools said before, `{place}`: {why}; `--repin` begins anew"
            ))
        };
        let read = match fs::read(&path) {
            Ok(_) if anew => None,
            Ok(text) => {
                Some(serde_json::from_slice(&text).map_err(|error| failed(&error.to_string()))?)
            }
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => return Err(failed(&reason(&error))),
        };
        let command = command.iter().map(|word| crate::bytes::visible(word.as_bytes())).collect();
        let is_first = read.is_none();
        let kept = read.unwrap_or_else(|| Kept { command, ..Kept::default() });
        Ok(Self { path, kept, is_first })
    }

    /// How `tool`, as it was listed, stands to its pin. What is listed when the server is first seen is
    /// pinned by [`Pins::keep`].
    pub fn compare(&mut self, name: &str, tool: &Value) -> Found {
        // serde_json sorts names, so the same tool is the same text.
        let digest = Sha256::digest(tool.to_string());
        let digest: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        match self.kept.tools.get(name) {
            Some(known) if *known == digest => Found::Same,
            Some(_) => Found::Changed,
            None if self.is_first => {
                self.kept.tools.insert(name.to_owned(), digest);
                Found::Same
            }
            None => Found::New,
        }
    }

    /// Keeps what was pinned. `is_last` says that the list has ended: what comes later is new.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn keep(&mut self, is_last: bool) -> Result<(), Failure> {
        if !self.is_first {
            return Ok(());
        }
        self.is_first = !is_last;
        let text = serde_json::to_vec_pretty(&self.kept)
            .map_err(|error| Failure::other(error.to_string()))?;
        write_atomically(&self.path, &text)
    }
}

/// What a listed tool is called and says of itself; `None` if it has no name.
pub fn read(tool: &Value) -> Option<(String, Tool)> {
    let name = tool.get("name")?.as_str()?.to_owned();
    let annotations = tool.get("annotations").and_then(Value::as_object).cloned();
    let properties = tool.get("inputSchema").and_then(|schema| schema.get("properties"));
    let arguments = properties.and_then(Value::as_object).map(|all| all.keys().cloned().collect());
    let annotations = annotations.unwrap_or_default();
    Some((name, Tool { annotations, arguments: arguments.unwrap_or_default() }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_was_said_first_counts() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("pins.json");
        let open = |anew| Pins::at(path.clone(), &["server".into()], anew).unwrap();
        let tool = |text: &str| json!({"name": "a", "description": text});
        let mut pins = open(false);
        assert_eq!(pins.compare("a", &tool("one")), Found::Same);
        pins.keep(false).unwrap();
        assert_eq!(pins.compare("b", &tool("b")), Found::Same, "the second page");
        pins.keep(true).unwrap();
        assert_eq!(pins.compare("c", &tool("c")), Found::New);
        for anew in [false, false, true] {
            let mut pins = open(anew);
            let changed = if anew { Found::Same } else { Found::Changed };
            assert_eq!(pins.compare("a", &tool("two")), changed);
            assert_eq!(pins.compare("b", &tool("b")), Found::Same);
            pins.keep(true).unwrap();
        }
        assert_eq!(open(false).compare("a", &tool("two")), Found::Same);
        fs::write(&path, "{").unwrap();
        assert!(Pins::at(path.clone(), &[], false).is_err());
    }
}
