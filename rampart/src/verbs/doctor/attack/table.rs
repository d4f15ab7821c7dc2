//! The ways of starting a program, and what becomes of each: what docs/coverage.md claims. The tests
//! measure these very tables with compiled programs (`tests/tests/coverage/`) and hold the document to them;
//! `rampart doctor --attack` tries them on the user's machine.

#![allow(dead_code, reason = "some members are for the tests alone")]

pub mod cases;
pub mod languages;
pub mod musl;
pub mod operations;
pub mod routes;
pub mod tools;

use serde::Serialize;

/// What became of a denied program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cell {
    /// The library stopped the call: the program was never started.
    Denied,
    /// The call was not seen, and the new process was stopped before `main`.
    SelfCheck,
    /// It ran: `LD_PRELOAD` cannot cover this.
    Ran,
    /// This libc, or this way of linking, has no such thing.
    Absent,
}

impl Cell {
    /// As it stands in a report.
    pub const fn text(self) -> &'static str {
        match self {
            Self::Denied => "the call was denied",
            Self::SelfCheck => "the new process stopped itself",
            Self::Ran => "IT RAN",
            Self::Absent => "there is no such call",
        }
    }
}
