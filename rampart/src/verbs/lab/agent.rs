//! How each agent is started so that it talks to the model of the lab and to nobody else.

use super::Way;
use super::left::{self, Below};
use crate::failure::{Failure, reason};
use crate::launch::program;
use rustix::process::{Pid, Signal};
use serde_json::{Value, json};
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// An agent that the lab can start.
#[derive(clap::ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Agent {
    /// Claude Code
    ClaudeCode,
    /// Codex CLI
    Codex,
    /// Gemini CLI
    Gemini,
    /// OpenCode
    Opencode,
}

/// One start.
pub struct Setting<'a> {
    /// The agent's program.
    pub program: &'a Path,
    /// What stands in the way.
    pub way: Way,
    /// The directory that holds home, work and records.
    pub root: &'a Path,
    /// Where the model answers.
    pub port: u16,
    /// How long it may take, in seconds.
    pub seconds: u64,
    /// What it starts.
    pub below: &'a Below,
    /// Whether somebody wants an end of it.
    pub is_interrupted: &'a AtomicBool,
}

/// How long what an agent leaves behind may take to end by itself.
const GRACE: Duration = Duration::from_secs(1);

/// What the agent is asked for; its model needs no words.
const PROMPT: &str = "Run what the laboratory asks for.";

/// Variables of this environment that the agent gets.
const KEPT: [&str; 7] = ["PATH", "LANG", "LC_ALL", "TERM", "TMPDIR", "IS_SANDBOX", "RAMPART_LIB"];

impl Agent {
    /// Its name, as `rampart setup` has it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ClaudeCode => "claude-code",
            Self::Codex => "codex",
            Self::Gemini => "gemini",
            Self::Opencode => "opencode",
        }
    }

    /// Its program: `named`, else that on PATH.
    ///
    /// # Errors
    /// If there is none.
    pub fn find(self, named: Option<&Path>) -> Result<PathBuf, Failure> {
        let usual = match self {
            Self::ClaudeCode => "claude",
            other => other.name(),
        };
        let name = named.map_or(OsStr::new(usual), Path::as_os_str);
        let path = std::env::var_os("PATH");
        let found = program::find(Path::new("."), name, path.as_deref());
        let found = found.ok().and_then(|file| std::path::absolute(file).ok());
        found.ok_or_else(|| {
            Failure::usage(format!(
                "no program `{}`: install {}, or name it with --program",
                name.display(),
                self.name()
            ))
        })
    }

    /// What it says of its version.
    ///
    /// # Errors
    /// If it cannot be started, or does not end.
    pub fn version(self, setting: &Setting<'_>) -> Result<String, Failure> {
        let failed = |error: std::io::Error| cannot_start(setting.program, &error);
        let said = setting.root.join("version");
        let mut command = self.command(setting, setting.program.as_os_str());
        command.arg("--version").stdin(Stdio::null()).stderr(Stdio::null());
        command.stdout(File::create(&said).map_err(failed)?);
        wait(command, setting, None)?;
        let said = std::fs::read(&said).map_err(failed)?;
        let text = String::from_utf8_lossy(&said);
        // "2.1.197 (Claude Code)", "codex-cli 0.171.0", "0.61.0"
        let number = text
            .split_whitespace()
            .find(|word| word.starts_with(|first: char| first.is_ascii_digit()));
        Ok(number.unwrap_or("of an unknown version").to_owned())
    }

    /// Runs it until its model has nothing more to ask for. What it says goes to the file `log`.
    ///
    /// # Errors
    /// If it, or what stands in the way, cannot be started, or if it does not end.
    pub fn run(self, setting: &Setting<'_>) -> Result<(), Failure> {
        let own = std::env::current_exe().map_err(|error| {
            Failure::other(format!("cannot find this program: {}", reason(&error)))
        })?;
        if self == Self::Gemini {
            // There is no other way to tell it how it is to be known, and to send nothing home.
            let path = setting.root.join("home/.gemini/settings.json");
            let written = std::fs::write(&path, gemini().to_string());
            written.map_err(|error| cannot_start(setting.program, &error))?;
        }
        if matches!(setting.way, Way::Hooks | Way::Both) {
            let said = self.command(setting, own.as_os_str()).args(["setup", self.name()]).output();
            let said = said.map_err(|error| cannot_start(&own, &error))?;
            if !said.status.success() {
                let why = String::from_utf8_lossy(&said.stderr);
                return Err(Failure::other(format!("the hooks were not set up: {}", why.trim())));
            }
            if setting.way == Way::Hooks && self == Self::Codex {
                // This is what the hooks do alone, without the library; if it is not there, all the better.
                let _ = std::fs::remove_file(setting.root.join("home/.codex/config.toml"));
            }
        }
        let mut words: Vec<OsString> = Vec::new();
        if setting.way != Way::Hooks {
            words.push(own.clone().into());
            words.extend(["run", "--profile", "standard"].map(OsString::from));
            if setting.way == Way::Kernel {
                words.extend(["--enforce", "kernel"].map(OsString::from));
            }
            words.push("--".into());
        }
        words.push(setting.program.into());
        words.extend(self.words(setting).into_iter().map(OsString::from));
        let (first, rest) =
            words.split_first().ok_or_else(|| Failure::other("nothing to start"))?;
        let log = setting.root.join("log");
        let log = File::create(&log).and_then(|file| Ok((file.try_clone()?, file)));
        let (out, err) = log.map_err(|error| cannot_start(setting.program, &error))?;
        let mut command = self.command(setting, first);
        command.args(rest).stdin(Stdio::null()).stdout(out).stderr(err);
        let mut pending = self.command(setting, own.as_os_str());
        pending.arg("pending").stdin(Stdio::null()).stderr(Stdio::null());
        wait(command, setting, Some(pending))
    }

    /// `program` in the agent's home and directory of work.
    fn command(self, setting: &Setting<'_>, program: &OsStr) -> Command {
        let home = setting.root.join("home");
        let mut command = Command::new(program);
        command.env_clear().current_dir(setting.root.join("work"));
        for name in KEPT {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        command.env("HOME", &home);
        command.env("RAMPART_AUDIT_DIR", setting.root.join("audit"));
        command.env("RAMPART_NO_PROJECT_POLICY", "1");
        match self {
            Self::ClaudeCode => {
                command.env("CLAUDE_CONFIG_DIR", home.join(".claude"));
                command.env("ANTHROPIC_BASE_URL", format!("http://127.0.0.1:{}", setting.port));
                command.env("ANTHROPIC_API_KEY", "lab");
                for name in ["DISABLE_AUTOUPDATER", "DISABLE_TELEMETRY", "DISABLE_ERROR_REPORTING"]
                {
                    command.env(name, "1");
                }
                command.env("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1");
            }
            Self::Codex => {
                command.env("CODEX_HOME", home.join(".codex")).env("RAMPART_LAB_KEY", "lab");
            }
            Self::Gemini => {
                command.env("GOOGLE_GEMINI_BASE_URL", format!("http://127.0.0.1:{}", setting.port));
                command.env("GEMINI_API_KEY", "lab").env("GEMINI_CLI_TRUST_WORKSPACE", "true");
            }
            Self::Opencode => {
                command.env("OPENCODE_CONFIG_CONTENT", opencode(setting.port).to_string());
                for name in ["AUTOUPDATE", "MODELS_FETCH", "LSP_DOWNLOAD"] {
                    command.env(format!("OPENCODE_DISABLE_{name}"), "1");
                }
            }
        }
        command
    }

    /// Its arguments.
    fn words(self, setting: &Setting<'_>) -> Vec<String> {
        let owned = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        match self {
            Self::ClaudeCode => owned(&["-p", PROMPT, "--allowedTools", "Bash"]),
            // One that is named is not looked for by a question to another.
            Self::Gemini => {
                owned(&["-p", PROMPT, "--approval-mode", "yolo", "--model", "gemini-2.5-flash"])
            }
            Self::Opencode => owned(&["run", PROMPT]),
            Self::Codex => {
                let provider = format!(
                    "model_providers.lab={{name=\"lab\",base_url=\"http://127.0.0.1:{}/v1\",wire_api=\"responses\",\
                     env_key=\"RAMPART_LAB_KEY\"}}",
                    setting.port
                );
                // Its own sandbox stays: that is where its commands are, and where we have to work.
                let mut words: Vec<String> =
                    owned(&["exec", "--skip-git-repo-check", "--sandbox", "workspace-write"]);
                words.extend(owned(&["-c", "model_provider=\"lab\"", "-c", "model=\"lab\"", "-c"]));
                words.push(provider);
                if matches!(setting.way, Way::Hooks | Way::Both) {
                    // It asks in its terminal whether hooks are trusted, and has none here.
                    words.push("--dangerously-bypass-hook-trust".to_owned());
                }
                words.push(PROMPT.to_owned());
                words
            }
        }
    }
}

/// Gemini CLI's settings.
fn gemini() -> Value {
    json!({
        "security": {"auth": {"selectedType": "gemini-api-key"}},
        "privacy": {"usageStatisticsEnabled": false},
        "general": {"enableAutoUpdate": false, "enableAutoUpdateNotification": false},
    })
}

/// OpenCode's configuration: a provider that speaks as OpenAI does, and no questions.
fn opencode(port: u16) -> Value {
    let options = json!({"baseURL": format!("http://127.0.0.1:{port}/v1"), "apiKey": "lab"});
    let models = json!({"lab": {"name": "lab", "tool_call": true}});
    json!({
        "provider": {"lab": {
            "npm": "@ai-sdk/openai-compatible", "name": "lab", "options": options, "models": models,
        }},
        "model": "lab/lab", "small_model": "lab/lab",
        "permission": "allow", "autoupdate": false, "share": "disabled",
    })
}

fn cannot_start(program: &Path, error: &std::io::Error) -> Failure {
    Failure::other(format!("cannot start `{}`: {}", program.display(), reason(error)))
}

/// Waits for the end; one that does not come is made, and so is that of everything below. `pending` lists
/// what waits for a person, which may be why.
fn wait(
    mut command: Command,
    setting: &Setting<'_>,
    pending: Option<Command>,
) -> Result<(), Failure> {
    let failed = |error: std::io::Error| cannot_start(setting.program, &error);
    let mut child = command.spawn().map_err(failed)?;
    let end = Instant::now() + Duration::from_secs(setting.seconds);
    let why = loop {
        if child.try_wait().map_err(failed)?.is_some() {
            break None;
        }
        if setting.is_interrupted.load(Ordering::Relaxed) {
            break Some("interrupted".to_owned());
        }
        if Instant::now() > end {
            let seconds = setting.seconds;
            let waits = pending.and_then(|mut command| command.output().ok());
            let waits = waits.map(|listed| String::from_utf8_lossy(&listed.stdout).into_owned());
            let waits = waits.filter(|listed| !listed.trim().is_empty()).map_or_else(
                || "nothing waits for a person".to_owned(),
                |listed| format!("these wait for a person, who would have to approve:\n{listed}"),
            );
            break Some(format!("the agent did not end within {seconds} s (--timeout); {waits}"));
        }
        std::thread::sleep(left::PAUSE);
    };
    if why.is_some() {
        // It may want to put something away.
        let _ = rustix::process::kill_process(Pid::from_child(&child), Signal::TERM);
    }
    if !setting.below.end(GRACE) {
        complain!("rampart: warning: something that the agent started could not be ended");
    }
    why.map_or(Ok(()), |why| Err(Failure::other(why)))
}
