//! Scripts that an agent writes: judged when they are written, to be told early, and again, by their content,
//! when they are executed, which is when they are stopped. The records name each other: the event of
//! an execution says which event was that of the write.

use super::decide::Desk;
use super::payload::Payload;
use super::tools::{self, Does};
use super::{Host, calls};
use crate::audit::record::{self, Told};
use crate::bytes::visible;
use crate::cases::{Call, Case};
use crate::directories::{Directories, make_private};
use crate::serve::weigh::rule;
use evaluator::Action;
use evaluator::event::Outcome;
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// A script in a call that writes it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Script {
    /// Where, absolute.
    path: PathBuf,
    /// What is written, or as much of it as the call holds.
    text: String,
}

/// Names of what is written.
const CONTENT: [&str; 9] = [
    "content",
    "contents",
    "file_text",
    "new_string",
    "newString",
    "new_str",
    "new_source",
    "text",
    "code",
];

/// Shells, as a name ends or a first line says.
const SHELLS: [&str; 5] = ["sh", "bash", "dash", "zsh", "ksh"];

/// Most words of a command that are looked for among what was written.
const WORDS: usize = 64;

/// How many writes are remembered before those of other days are forgotten.
const KEPT: usize = 512;

/// How long a write is remembered then.
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

impl Desk<'_> {
    /// Judges the scripts that a call writes, as if each ran now. What is to be said of those that would be
    /// denied; nothing is stopped: that is done when they are executed. With `is_recorded` that is
    /// recorded, and remembered.
    pub fn written(&mut self, payload: &Payload, is_recorded: bool) -> Option<String> {
        let mut said = Vec::new();
        for script in in_call(self.host, payload) {
            let case = self.named(vec![case(&script, payload)]).pop()?;
            let (environment, hook) = (self.environment().clone(), self.host.entrance().0);
            let (judge, files) = (&mut self.judge, &self.files);
            let started = Instant::now();
            let (id, why) = self.surroundings.ask(&case, |request| {
                judge.judge(request, files, |verdict, _| {
                    let is_denied = verdict.action == Action::Deny && !verdict.unsure;
                    let outcome = match is_denied {
                        true => Outcome::NotEnforced,
                        false => Outcome::Unconfirmed,
                    };
                    let told = Told { hook, outcome, answered_by: "", took: started.elapsed() };
                    let id = is_recorded.then(|| {
                        let call = (payload.call.as_str(), None);
                        record::of_call(request, verdict, &environment, &told, call)
                    });
                    let why = || format!("[{}] {}", rule(verdict), visible(verdict.message));
                    (id, is_denied.then(why))
                })
            });
            if let Some(id) = id {
                remember(&script, &id);
                self.is_notable |= why.is_some();
            }
            let path = visible(script.path.as_os_str().as_bytes());
            said.extend(why.map(|why| {
                format!(
                    "rampart: `{path}`, which was just written, would be denied when it runs: {why}"
                )
            }));
        }
        (!said.is_empty()).then(|| said.join("\n"))
    }
}

/// The shell scripts that a call writes.
fn in_call(host: Host, payload: &Payload) -> Vec<Script> {
    let does = payload.does.or_else(|| tools::does(host, &payload.tool));
    let mut all = match does {
        Some(Does::Write) => of_write(payload),
        Some(Does::Patch) => of_patch(payload),
        _ => Vec::new(),
    };
    all.retain(|(path, text)| is_script(path, text));
    let cwd = payload.cwd.as_deref().unwrap_or("/");
    all.into_iter().map(|(path, text)| Script { path: Path::new(cwd).join(path), text }).collect()
}

fn of_write(payload: &Payload) -> Vec<(String, String)> {
    let input = &payload.input;
    let path = calls::PATH.iter().find_map(|name| input.get(*name)?.as_str());
    let mut text = String::new();
    let mut add = |value: &Value| {
        for part in CONTENT.iter().filter_map(|name| value.get(*name)?.as_str()) {
            text.push_str(part);
            text.push('\n');
        }
    };
    add(&Value::Object(input.clone()));
    input.get("edits").and_then(Value::as_array).into_iter().flatten().for_each(add);
    path.map(|path| (path.to_owned(), text)).into_iter().collect()
}

/// What a patch adds to each of its files.
fn of_patch(payload: &Payload) -> Vec<(String, String)> {
    let mut all: Vec<(String, String)> = Vec::new();
    for value in payload.input.values() {
        calls::each_string(value, &mut |patch| {
            for line in patch.lines() {
                let named = ["*** Add File: ", "*** Update File: ", "+++ b/"];
                if let Some(path) = named.iter().find_map(|head| line.strip_prefix(head)) {
                    all.push((path.trim().to_owned(), String::new()));
                } else if let (Some(added), Some((_, text))) =
                    (line.strip_prefix('+'), all.last_mut())
                {
                    text.push_str(added);
                    text.push('\n');
                }
            }
        });
    }
    all
}

fn is_script(path: &str, text: &str) -> bool {
    let end = Path::new(path).extension().and_then(OsStr::to_str);
    let head = text.lines().next().and_then(|line| line.strip_prefix("#!")).unwrap_or_default();
    let words = head.split_ascii_whitespace().filter_map(|word| word.rsplit('/').next());
    end.into_iter().chain(words.take(2)).any(|name| SHELLS.contains(&name))
}

/// The script as if a shell ran it now.
fn case(script: &Script, payload: &Payload) -> Case {
    Case {
        tool: b"exec".to_vec(),
        call: Call::Shell(script.text.as_bytes().to_vec()),
        cwd: payload.cwd.as_ref().map(|cwd| cwd.as_bytes().to_vec()),
        session: payload.session.as_bytes().to_vec(),
        params: vec![(b"script".to_vec(), script.path.as_os_str().as_bytes().to_vec())],
        ..Case::default()
    }
}

/// Remembers that the event `id` is that of the write of `script`. Where that cannot be, records only do not
/// name each other.
fn remember(script: &Script, id: &[u8; 26]) {
    let Some(place) = place() else {
        return;
    };
    let state = place.parent().map_or(Ok(()), make_private);
    if state.and_then(|()| make_private(&place)).is_err() {
        return;
    }
    let known: Vec<_> = fs::read_dir(&place).into_iter().flatten().flatten().collect();
    if known.len() > KEPT {
        for entry in known {
            let changed = entry.metadata().and_then(|found| found.modified()).ok();
            if changed.and_then(|at| at.elapsed().ok()).is_some_and(|age| age > DAY) {
                let _ = fs::remove_file(entry.path());
            }
        }
    }
    let _ = fs::write(place.join(key(&script.path)), id);
}

/// The event of the write of a script that `case` names, if one was remembered: its id.
pub fn written(case: &Case, cwd: Option<&Path>) -> Option<String> {
    let place = place().filter(|place| place.exists())?;
    let mut words: Vec<&[u8]> = match &case.call {
        Call::Shell(text) => vec![text],
        Call::Argv(words) => words.iter().map(Vec::as_slice).collect(),
        Call::Nothing => return None,
    };
    let is_between = |byte: &u8| byte.is_ascii_whitespace() || b"'\"`;&|()<>".contains(byte);
    words = words.into_iter().flat_map(|word| word.split(is_between)).collect();
    let cwd = cwd.unwrap_or(Path::new("/"));
    let names = words.into_iter().filter(|word| !word.is_empty() && !word.starts_with(b"-"));
    names.take(WORDS).find_map(|word| {
        let path = cwd.join(OsStr::from_bytes(word));
        let id = fs::read_to_string(place.join(key(&path))).ok()?;
        (id.len() == 26 && id.bytes().all(|byte| byte.is_ascii_alphanumeric())).then_some(id)
    })
}

fn place() -> Option<PathBuf> {
    Some(Directories::from_environment().state().ok()?.join("written"))
}

/// The name under which a path is remembered; `.` in it changes nothing.
fn key(path: &Path) -> String {
    let plain: PathBuf = path.components().collect();
    let digest = Sha256::digest(plain.as_os_str().as_bytes());
    digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hosts::payload;
    use serde_json::json;

    #[test]
    fn what_is_a_script() {
        let cases = [
            ("Write", json!({"file_path": "a.sh", "content": "x"}), Some(("/w/a.sh", "x\n"))),
            (
                "Write",
                json!({"file_path": "/a", "content": "#!/usr/bin/env bash\nx"}),
                Some(("/a", "#!/usr/bin/env bash\nx\n")),
            ),
            (
                "Edit",
                json!({"file_path": "/a.sh", "old_string": "a", "new_string": "b"}),
                Some(("/a.sh", "b\n")),
            ),
            (
                "MultiEdit",
                json!({"file_path": "/a.bash", "edits": [{"new_string": "b"}, {"new_string": "c"}]}),
                Some(("/a.bash", "b\nc\n")),
            ),
            ("Write", json!({"file_path": "a.py", "content": "#!/usr/bin/env python3\nx"}), None),
            ("Write", json!({"file_path": "a.md", "content": "rm -rf /"}), None),
            ("Read", json!({"file_path": "a.sh"}), None),
        ];
        for (tool, input, expected) in cases {
            let payload = json!({"hook_event_name": "PreToolUse", "cwd": "/w", "tool_name": tool, "tool_input": input});
            let payload = payload::read(Host::ClaudeCode, payload.to_string().as_bytes()).unwrap();
            let expected =
                expected.map(|(path, text)| Script { path: path.into(), text: text.to_owned() });
            assert_eq!(in_call(Host::ClaudeCode, &payload), Vec::from_iter(expected), "{input}");
        }
        let patch =
            "*** Begin Patch\n*** Add File: b.sh\n+x\n+y\n*** Update File: c\n+z\n*** End Patch";
        let payload = json!({"hook_event_name": "PreToolUse", "cwd": "/w", "tool_name": "apply_patch", "tool_input": {"input": patch}});
        let payload = payload::read(Host::Codex, payload.to_string().as_bytes()).unwrap();
        let expected = Script { path: "/w/b.sh".into(), text: "x\ny\n".to_owned() };
        assert_eq!(in_call(Host::Codex, &payload), [expected]);
    }
}
