//! The `rampart` command: everything that reads files, writes files or starts processes.
//!
//! Each verb is one module that reads top to bottom: parse, load the policy, ask the evaluator,
//! say it. What to run and what to think of it is never decided here: that is `evaluator`.

#![deny(clippy::print_stdout, clippy::print_stderr, reason = "they panic: see `output`")]

use std::process::ExitCode;

#[macro_use]
mod output;

mod answer;
mod asked;
mod audit;
mod bytes;
mod cases;
mod channel;
mod cli;
mod code;
mod consent;
mod corpus;
mod directories;
mod failure;
mod hosts;
mod http;
mod launch;
mod mcp;
mod policy;
mod process;
mod serve;
mod supervise;
mod verbs;
mod verdict;
mod verify;
mod webhook;

fn main() -> ExitCode {
    cli::run()
}
