//! How a verb fails: a message for whoever typed the command, and the exit status it means.
//!
//! Messages are lower case, without a full stop at the end, and say what, where and what to do.

use std::fmt;
use std::process::ExitCode;

/// Exit statuses, the same for every verb.
pub mod status {
    /// `check`: a rule denies it. Other verbs: it could not be done.
    pub const DENIED: u8 = 1;
    /// Wrong usage, or a policy with errors.
    pub const USAGE: u8 = 2;
    /// `check`: it needs somebody's consent (`ask`, `webhook`).
    pub const NEEDS_CONSENT: u8 = 3;
    /// `run`: the command was found but cannot be executed (POSIX sh), or is denied.
    pub const NOT_EXECUTABLE: u8 = 126;
    /// `run`: there is no such command (POSIX sh).
    pub const NOT_FOUND: u8 = 127;
}

/// Why a verb ends without having done its work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Exit status, one of [`status`].
    pub status: u8,
    /// What went wrong, one or more lines without the `rampart: ` in front; empty says nothing.
    pub message: String,
}

impl Failure {
    /// A failure with exit status 2: the usage or the policy is wrong.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::with(status::USAGE, message)
    }

    /// A failure with exit status 1: the environment does not let it be done.
    pub fn other(message: impl Into<String>) -> Self {
        Self::with(status::DENIED, message)
    }

    /// A failure with the given exit status.
    pub fn with(status: u8, message: impl Into<String>) -> Self {
        Self { status, message: message.into() }
    }

    /// Says it on standard error.
    pub fn report(&self) -> ExitCode {
        if !self.message.is_empty() {
            complain!("{self}");
        }
        ExitCode::from(self.status)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "rampart: {}", self.message)
    }
}

/// What a system error means to a person: `Permission denied` rather than `... (os error 13)`.
pub fn reason(error: &std::io::Error) -> String {
    let text = error.to_string();
    match text.rfind(" (os error ") {
        Some(end) => text.get(..end).unwrap_or(&text).to_lowercase(),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Error, ErrorKind};

    #[test]
    fn reasons_are_for_people() {
        let cases = [
            (Error::from_raw_os_error(13), "permission denied"),
            (Error::from_raw_os_error(2), "no such file or directory"),
            (Error::new(ErrorKind::InvalidData, "odd"), "odd"),
        ];
        for (error, text) in cases {
            assert_eq!(reason(&error), text);
        }
    }
}
