//! Putting the hook into a host's own configuration, and taking it out again.
//!
//! The files are the user's: what others wrote there stays byte for byte. So JSON is not parsed and
//! written again; our entries are put into the text where they belong ([`text`]), and what is taken
//! out is exactly what was put in.

pub mod text;
pub mod toml;

use super::Host;
use crate::failure::Failure;
use crate::launch::environment::Environment;
use crate::launch::library;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// What a file gets.
#[derive(Clone, Debug, PartialEq)]
pub enum Content {
    /// Entries in lists of a JSON file, each with the names on the way to its list.
    Entries(Vec<(Vec<&'static str>, Value)>),
    /// The whole file, which is ours, and whether it can be executed.
    Whole(String, bool),
    /// A line in Codex's `config.toml` that keeps the library at this path in what it starts; empty if there
    /// is none to be kept.
    Preload(String),
}

/// A file of a host's configuration.
#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    /// Where.
    pub path: PathBuf,
    /// What is in it.
    pub content: Content,
}

/// What every entry and file of ours holds, so that it is known again.
pub fn mark(host: Host) -> String {
    format!(" hook --format {}", host.name())
}

/// The command that `host` is to run; `program` is the absolute path of this one.
pub fn command(host: Host, program: &Path) -> Result<String, Failure> {
    let shown = program.to_str().filter(|path| {
        path.starts_with('/')
            && path
                .bytes()
                .all(|byte| byte.is_ascii_graphic() && !b"'\"\\$`".contains(&byte) || byte == b' ')
    });
    let path = shown.ok_or_else(|| {
        Failure::usage(format!(
            "cannot name `{}` in a configuration: install rampart at a path of letters, digits and usual signs",
            program.display()
        ))
    })?;
    let quoted =
        if path.contains(|sign: char| !sign.is_ascii_alphanumeric() && !"/._-+".contains(sign)) {
            format!("'{path}'")
        } else {
            path.to_owned()
        };
    Ok(format!("{quoted}{}", mark(host)))
}

/// The files of `host`, for the user of `environment`.
///
/// # Errors
/// If there is no home, or the path of this program cannot be named.
pub fn parts(host: Host, environment: &Environment, program: &Path) -> Result<Vec<Part>, Failure> {
    let command = command(host, program)?;
    let place = |variable: &str, usual: &str| place(environment, variable, usual);
    let one = |path: PathBuf, content| Ok(vec![Part { path, content }]);
    match host {
        Host::ClaudeCode => one(
            place("CLAUDE_CONFIG_DIR", ".claude")?.join("settings.json"),
            Content::Entries(
                ["PreToolUse", "PostToolUse", "PostToolUseFailure"]
                    .map(|event| {
                        let hook = json!({"type": "command", "command": command});
                        (vec!["hooks", event], json!({"matcher": ".*", "hooks": [hook]}))
                    })
                    .into(),
            ),
        ),
        Host::Codex => {
            let home = place("CODEX_HOME", ".codex")?;
            let hooks = Content::Entries(
                ["PreToolUse", "PostToolUse"]
                    .map(|event| {
                        let hook = json!({"type": "command", "command": command, "timeout": 330});
                        (vec!["hooks", event], json!({"matcher": "*", "hooks": [hook]}))
                    })
                    .into(),
            );
            let mut all = vec![Part { path: home.join("hooks.json"), content: hooks }];
            let config = home.join("config.toml");
            let has_ours = || std::fs::read_to_string(&config).is_ok_and(|text| text.contains(toml::MARK));
            let library = library::find().ok().and_then(|path| path.into_os_string().into_string().ok());
            let library = library.filter(|path| !path.contains(['"', '\\', '\n']));
            if library.is_some() || has_ours() {
                let content = Content::Preload(library.unwrap_or_default());
                all.push(Part { path: config, content });
            }
            Ok(all)
        }
        Host::Gemini => one(
            place("GEMINI_CLI_HOME", "")?.join(".gemini/settings.json"),
            Content::Entries(
                ["BeforeTool", "AfterTool"]
                    .map(|event| {
                        let hook = json!({"name": "rampart", "type": "command", "command": command, "timeout": 330_000});
                        (vec!["hooks", event], json!({"matcher": ".*", "hooks": [hook]}))
                    })
                    .into(),
            ),
        ),
        Host::Cursor => one(
            place("", ".cursor")?.join("hooks.json"),
            Content::Entries(
                ["preToolUse", "postToolUse"]
                    .map(|event| {
                        let hook = json!({"command": command, "timeout": 330, "failClosed": true});
                        (vec!["hooks", event], hook)
                    })
                    .into(),
            ),
        ),
        Host::Copilot => {
            let hook = json!([{"type": "command", "bash": command, "timeoutSec": 30}]);
            let whole = json!({"version": 1, "hooks": {"PreToolUse": hook, "PostToolUse": hook}});
            let text = format!("{whole:#}\n");
            one(place("COPILOT_HOME", ".copilot")?.join("hooks/rampart.json"), Content::Whole(text, false))
        }
        Host::Opencode => {
            let path = place("XDG_CONFIG_HOME", ".config")?.join("opencode/plugins/rampart.js");
            one(path, Content::Whole(plugin(&command), false))
        }
        Host::Mcp => Err(Failure::usage("a server of MCP is not set up: put `rampart mcp --` before its command")),
        Host::Cline => {
            let hooks = place("", "Documents/Cline/Hooks")?;
            let text = format!("#!/bin/sh\nexec {command}\n");
            let part = |name| Part { path: hooks.join(name), content: Content::Whole(text.clone(), true) };
            Ok(["PreToolUse", "PostToolUse"].map(part).into())
        }
    }
}

/// The directory that `variable` names, else `usual` in the home.
fn place(environment: &Environment, variable: &str, usual: &str) -> Result<PathBuf, Failure> {
    let absolute =
        |name| environment.value(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let home = || {
        absolute("HOME").map(|home| home.join(usual)).ok_or_else(|| {
            Failure::usage(
                "HOME is not set to an absolute path, so the agent's configuration cannot be found",
            )
        })
    };
    absolute(variable).map_or_else(home, Ok)
}

/// OpenCode has no hook commands but plugins: this one hands each call to the hook, and does
/// nothing by itself. Whatever goes wrong in it stops the call.
fn plugin(command: &str) -> String {
    format!(
        r#"// Written by `rampart setup opencode`; `rampart setup opencode --remove` takes it away.
import {{ spawnSync }} from "node:child_process";

const ask = (payload) => {{
  const done = spawnSync("/bin/sh", ["-c", {command:?}], {{ input: JSON.stringify(payload), maxBuffer: 64 << 20 }});
  if (done.status !== 0) throw new Error("rampart: denied: the hook did not answer; nothing was run");
  return JSON.parse(done.stdout.toString());
}};

export const Rampart = async ({{ directory }}) => ({{
  "tool.execute.before": async (input, output) => {{
    const answer = ask({{ hook: "tool.execute.before", ...input, args: output.args, directory }});
    if (answer.deny !== undefined) throw new Error(answer.deny);
  }},
  "tool.execute.after": async (input, output) => {{
    const answer = ask({{ hook: "tool.execute.after", ...input, output: output.output, directory }});
    if (answer.output !== undefined) output.output = answer.output;
    if (answer.append !== undefined) output.output += "\n\n" + answer.append;
  }},
}});
"#
    )
}
