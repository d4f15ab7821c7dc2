//! Rampart where it is used: installed, attacked, injected, under systemd and beside other users.
//!
//! What takes a system of its own (a Debian root, a booted systemd) is made once below the target directory;
//! a test whose tools are not installed says so and is skipped.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test stops where it fails"
)]

mod attack;
mod container;
mod install;
mod package;
mod recipes;
mod systemd;
