//! The `rampart` command as a user meets it: the built binary, real files, real processes.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test that panics fails, as it should"
)]

mod allow;
mod audit;
mod audit_more;
mod audit_search;
mod audit_verify;
mod check;
mod context;
mod doctor;
mod hook;
mod init;
mod jsonl;
mod lint;
mod output;
mod pause;
mod policy;
mod response;
mod rules;
mod run;
mod schema;
mod setup;
mod suites;
mod support;
mod system;
