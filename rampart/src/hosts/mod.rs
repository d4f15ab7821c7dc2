//! The hooks of agents ("hosts"): what they send before and after a tool call, and what they
//! understand as an answer.
//!
//! The library sees what starts a program; a host's hook sees the call before that, together with
//! the files and addresses that its other tools touch. Each host has a contract of its own, so
//! everything that differs is a table here ([`payload`], [`tools`], [`answer`]); what a call
//! means ([`calls`]) and what is decided about it ([`decide`]) is the same for all.

pub mod answer;
pub mod calls;
pub mod decide;
pub mod denials;
pub mod mcp;
pub mod patch;
pub mod payload;
pub mod scan;
pub mod scripts;
pub mod setup;
pub mod tools;

/// A host with a hook contract.
#[derive(clap::ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Host {
    /// Claude Code
    ClaudeCode,
    /// Codex CLI
    Codex,
    /// Gemini CLI
    Gemini,
    /// OpenCode, through the plugin that `rampart setup` writes
    Opencode,
    /// Cursor
    Cursor,
    /// GitHub Copilot CLI
    Copilot,
    /// Cline
    Cline,
    /// Any client of an MCP server, through `rampart mcp`
    #[value(skip)]
    Mcp,
}

impl Host {
    /// All that have a hook.
    pub const ALL: [Self; 7] = [
        Self::ClaudeCode,
        Self::Codex,
        Self::Gemini,
        Self::Opencode,
        Self::Cursor,
        Self::Copilot,
        Self::Cline,
    ];

    /// Its name: of `--format`, and as the agent in policies and events.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ClaudeCode => "claude-code",
            Self::Codex => "codex",
            Self::Gemini => "gemini",
            Self::Opencode => "opencode",
            Self::Cursor => "cursor",
            Self::Copilot => "copilot",
            Self::Cline => "cline",
            Self::Mcp => "mcp",
        }
    }

    /// The name of its program.
    pub const fn program(self) -> &'static str {
        match self {
            Self::ClaudeCode => "claude",
            Self::Cursor => "cursor-agent",
            other => other.name(),
        }
    }

    /// The host of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|host| host.name() == name)
    }

    /// The entrance in events, before and after a call.
    pub const fn entrance(self) -> (&'static str, &'static str) {
        match self {
            Self::Mcp => ("mcp", "mcp-output"),
            _ => (decide::BEFORE, decide::AFTER),
        }
    }

    /// Whether its hook can have the host ask the person in front of it.
    pub const fn asks(self) -> bool {
        matches!(self, Self::ClaudeCode | Self::Copilot)
    }
}
