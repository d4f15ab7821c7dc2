//! Every way to start a program, tried: real processes against a rule that denies. What came out
//! is the table in docs/coverage.md, which this test compares with what it measured.
//!
//! The program that must not run leaves a file behind if it does, so a cell says what happened and
//! not what was reported. The same call is then made for a permitted program, with and without the
//! library: nothing that can be seen may differ, and it is recorded once.
//!
//! `RAMPART_WRITE_COVERAGE=1` writes the table instead of comparing it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops where it fails"
)]

mod browser;
mod document;
mod place;
mod routes;
mod runtimes;
