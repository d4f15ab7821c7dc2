//! `rampart setup HOST` and `rampart protect`: the hook in an agent's own configuration.
//!
//! What others wrote there stays byte for byte, and `--remove` leaves the files as they were: what
//! they were is remembered, and where they have changed since, only our entries are taken out.

use crate::directories::{Directories, make_private};
use crate::failure::{Failure, reason};
use crate::hosts::Host;
use crate::hosts::setup::{self, Content, Part, text};
use crate::launch::environment::Environment;
use crate::output::Output;
use crate::policy::{authority, image_store};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::fs::{self, Permissions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Puts Rampart's hook into an agent's own configuration
#[derive(clap::Args, Debug)]
pub struct Arguments {
    /// The agent
    #[arg(value_enum)]
    agent: Host,
    /// Take it out again
    #[arg(long, conflicts_with = "verify")]
    remove: bool,
    /// Show what would change, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Change nothing; prove by a call that is never made that the configured hook answers
    #[arg(long, conflicts_with = "dry_run")]
    verify: bool,
}

/// Puts Rampart's hook into the configuration of every agent that is installed
#[derive(clap::Args, Debug)]
pub struct Protect {
    /// Show what would change, and change nothing
    #[arg(long)]
    dry_run: bool,
}

/// What a file was before we changed it.
#[derive(Serialize, Deserialize)]
struct Before {
    /// What stood there; `None` if there was no file.
    text: Option<String>,
    /// The digest of what we made of it.
    made: String,
}

impl Arguments {
    /// Runs the verb.
    ///
    /// # Errors
    /// If a file cannot be read, changed or understood, or, with `--verify`, the hook does not
    /// answer as it should.
    pub fn run(&self) -> Result<(), Failure> {
        let mut output = Output::new();
        if self.verify {
            verify(self.agent, &mut output)?;
        } else {
            authority::refuse_inside_a_tree("change an agent's hooks")?;
            change(self.agent, self.remove, self.dry_run, &mut output)?;
        }
        output.flush()
    }
}

impl Protect {
    /// Runs the verb.
    ///
    /// # Errors
    /// As [`Arguments::run`]; agents after one that fails are done all the same.
    pub fn run(&self) -> Result<(), Failure> {
        authority::refuse_inside_a_tree("change an agent's hooks")?;
        let mut output = Output::new();
        let (mut failed, mut found) = (None, false);
        for host in Host::ALL.into_iter().filter(|host| is_installed(*host)) {
            found = true;
            output.line(host.name())?;
            if let Err(failure) = change(host, false, self.dry_run, &mut output) {
                output.line(&format!("  failed: {}", failure.message))?;
                failed = Some(failure);
            }
        }
        if !found {
            output.line("no agent that Rampart has a hook for is installed here")?;
        }
        output.flush()?;
        failed.map_or(Ok(()), Err)
    }
}

/// Whether the agent's program is on `PATH`.
fn is_installed(host: Host) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .any(|directory| directory.is_absolute() && directory.join(host.program()).is_file())
}

fn parts(host: Host) -> Result<Vec<Part>, Failure> {
    let program = std::env::current_exe().map_err(|error| {
        Failure::other(format!("cannot tell where this program is: {}", reason(&error)))
    })?;
    setup::parts(host, &Environment::own(), &program)
}

fn change(host: Host, is_removal: bool, dry_run: bool, output: &mut Output) -> Result<(), Failure> {
    let mut all = Vec::new();
    for part in parts(host)? {
        let now = read(&part.path)?;
        let new = match is_removal {
            true => removed(host, &part, now.as_deref())?,
            false => Some(added(host, &part, now.as_deref())?),
        };
        all.push((part, now, new));
    }
    for (part, now, new) in all {
        if now == new {
            output.line(&format!("{}: nothing to change", part.path.display()))?;
            continue;
        }
        output.line(&diff(
            &part.path,
            now.as_deref().unwrap_or(""),
            new.as_deref().unwrap_or(""),
        ))?;
        if !dry_run {
            write(host, &part, now, new, is_removal)?;
        }
    }
    Ok(())
}

/// The text of a configuration file; `None` if there is none.
fn read(path: &Path) -> Result<Option<String>, Failure> {
    let failed = |what: &str| Failure::other(format!("cannot change `{}`: {what}", path.display()));
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(&reason(&error))),
        Ok(found) if found.is_symlink() => {
            return Err(failed(
                "it is a symbolic link; make it a file, or change what it points to by hand",
            ));
        }
        Ok(found) if !found.is_file() => return Err(failed("it is no regular file")),
        Ok(_) => {}
    }
    fs::read_to_string(path).map(Some).map_err(|error| failed(&reason(&error)))
}

fn added(host: Host, part: &Part, now: Option<&str>) -> Result<String, Failure> {
    let failed = |what: String| {
        Failure::other(format!("cannot change `{}`: it {what}", part.path.display()))
    };
    match (&part.content, now) {
        (Content::Whole(_, _), Some(text)) if !text.contains(&setup::mark(host)) => {
            Err(failed("is not Rampart's; move it out of the way".into()))
        }
        (Content::Whole(text, _), _) => Ok(text.clone()),
        (Content::Preload(path), now) => {
            setup::toml::with(now.unwrap_or_default(), path).map_err(failed)
        }
        (Content::Entries(entries), _) => {
            let mut text = now.unwrap_or_default().to_owned();
            for (way, entry) in entries {
                let is_there = holds(&text, way, entry);
                if !is_there {
                    // One with another path, from before an upgrade, goes.
                    if !text.trim().is_empty() {
                        text = text::without(&text, way, &setup::mark(host)).map_err(failed)?.0;
                    }
                    text = text::with(&text, way, entry).map_err(failed)?;
                }
            }
            // Cursor and its like want to know the version.
            if now.is_none() && host == Host::Cursor {
                text = text.replacen('{', "{\n  \"version\": 1,", 1);
            }
            Ok(text)
        }
    }
}

fn holds(text: &str, way: &[&str], entry: &Value) -> bool {
    let Ok(root) = serde_json::from_str::<Value>(text) else {
        return false;
    };
    let list = way.iter().try_fold(&root, |value, name| value.get(*name));
    list.and_then(Value::as_array).is_some_and(|list| list.contains(entry))
}

fn removed(host: Host, part: &Part, now: Option<&str>) -> Result<Option<String>, Failure> {
    let Some(now) = now else {
        return Ok(None);
    };
    let before = memory(host, &part.path).and_then(|path| fs::read(path).ok());
    let before = before.and_then(|bytes| serde_json::from_slice::<Before>(&bytes).ok());
    if let Some(before) = before.filter(|before| before.made == digest(now)) {
        return Ok(before.text);
    }
    let failed = |what: String| {
        Failure::other(format!("cannot change `{}`: it {what}", part.path.display()))
    };
    match &part.content {
        Content::Whole(..) if now.contains(&setup::mark(host)) => Ok(None),
        Content::Whole(..) => Ok(Some(now.to_owned())),
        Content::Preload(_) => Ok(Some(setup::toml::without(now))),
        Content::Entries(entries) => {
            let mut text = now.to_owned();
            for (way, _) in entries.iter().rev() {
                text = text::without(&text, way, &setup::mark(host)).map_err(failed)?.0;
            }
            Ok(Some(text))
        }
    }
}

fn write(
    host: Host,
    part: &Part,
    now: Option<String>,
    new: Option<String>,
    is_removal: bool,
) -> Result<(), Failure> {
    let path = &part.path;
    let failed = |error: &std::io::Error| {
        Failure::other(format!("cannot change `{}`: {}", path.display(), reason(error)))
    };
    let memory = memory(host, path);
    let mode = fs::metadata(path).ok().map(|found| found.permissions());
    match &new {
        None => fs::remove_file(path).map_err(|error| failed(&error))?,
        Some(text) => {
            if let Some(directory) = path.parent() {
                fs::create_dir_all(directory).map_err(|error| failed(&error))?;
            }
            // What it was is remembered first, so that a crash in between loses nothing.
            if let Some(memory) =
                memory.as_ref().filter(|memory| !is_removal && !is_known(memory, now.as_deref()))
            {
                if let Some(directory) = memory.parent() {
                    make_private(directory)?;
                }
                let before = Before { text: now, made: digest(text) };
                image_store::write_atomically(memory, json!(before).to_string().as_bytes())?;
            }
            image_store::write_atomically(path, text.as_bytes())?;
            let is_program = matches!(part.content, Content::Whole(_, true));
            let usual = if is_program { 0o755 } else { 0o600 };
            let mode =
                mode.filter(|_| !is_program).unwrap_or_else(|| Permissions::from_mode(usual));
            fs::set_permissions(path, mode).map_err(|error| failed(&error))?;
        }
    }
    if is_removal && let Some(memory) = memory {
        // It may not be there; what is left behind does no harm.
        let _ = fs::remove_file(memory);
    }
    Ok(())
}

/// Whether the file is as we made it, so that what it was before that is what counts.
fn is_known(memory: &Path, now: Option<&str>) -> bool {
    let before =
        fs::read(memory).ok().and_then(|bytes| serde_json::from_slice::<Before>(&bytes).ok());
    before.is_some_and(|before| now.is_some_and(|now| before.made == digest(now)))
}

/// Where it is remembered what `path` was.
fn memory(host: Host, path: &Path) -> Option<PathBuf> {
    let state = Directories::from_environment().state().ok()?;
    let key = digest(&path.to_string_lossy());
    Some(state.join("setup").join(format!("{}-{}.json", host.name(), key.get(..12)?)))
}

fn digest(text: &str) -> String {
    Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The lines that differ, between those that do not.
fn diff(path: &Path, now: &str, new: &str) -> String {
    let (old, fresh): (Vec<&str>, Vec<&str>) = (now.lines().collect(), new.lines().collect());
    let head = old.iter().zip(&fresh).take_while(|(one, other)| one == other).count();
    let rest = (old.len() - head).min(fresh.len() - head);
    let tail = old
        .iter()
        .rev()
        .zip(fresh.iter().rev())
        .take(rest)
        .take_while(|(one, other)| one == other)
        .count();
    let mut lines = vec![format!("{}:{}", path.display(), head + 1)];
    let part = |all: &[&str], sign: &str| -> Vec<String> {
        let changed = all.get(head..all.len() - tail).unwrap_or_default();
        changed
            .iter()
            .map(|line| format!("{sign} {}", crate::bytes::visible(line.as_bytes())))
            .collect()
    };
    lines.extend(part(&old, "-"));
    lines.extend(part(&fresh, "+"));
    lines.join("\n")
}

/// Runs what is configured on a call that no policy knows, and expects a no.
fn verify(host: Host, output: &mut Output) -> Result<(), Failure> {
    let all = parts(host)?;
    let program = std::env::current_exe().unwrap_or_default();
    let command = setup::command(host, &program)?;
    for part in &all {
        let text = read(&part.path)?.unwrap_or_default();
        let is_there = match &part.content {
            Content::Entries(entries) => {
                entries.iter().all(|(way, entry)| holds(&text, way, entry))
            }
            Content::Whole(wanted, _) => text == *wanted,
            Content::Preload(path) => setup::toml::holds(&text, path),
        };
        if !is_there {
            return Err(Failure::other(format!(
                "`{}` does not hold the hook of this program; run `rampart setup {}`",
                part.path.display(),
                host.name()
            )));
        }
    }
    let canary = "RampartCanary";
    let call = json!({
        "hook_event_name": if host == Host::Gemini { "BeforeTool" } else if host == Host::Cursor { "preToolUse" } else { "PreToolUse" },
        "tool_name": canary, "tool_input": {}, "session_id": "verify",
        "hook": "tool.execute.before", "tool": canary, "args": {}, "hookName": "PreToolUse",
        "preToolUse": {"toolName": canary, "parameters": {}},
    });
    let failed =
        |what: String| Failure::other(format!("the hook of {} does not work: {what}", host.name()));
    let mut child = Command::new("/bin/sh")
        .args(["-c", &command])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| failed(reason(&error)))?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(call.to_string().as_bytes()).map_err(|error| failed(reason(&error)))?;
    }
    let done = child.wait_with_output().map_err(|error| failed(reason(&error)))?;
    let text = String::from_utf8_lossy(&done.stdout).into_owned();
    match done.status.success() && text.contains("rampart: denied") && text.contains(canary) {
        true => output.line(&format!(
            "{}: the hook answers; a call of an unknown tool was denied",
            host.name()
        )),
        false => {
            Err(failed(format!("it answered {}", crate::bytes::visible(text.trim().as_bytes()))))
        }
    }
}
