//! What running programs do themselves: every function of libc, every interpreter, every way of
//! spelling a path, as real processes against rules on a throw-away directory.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops where it fails"
)]

mod asks;
mod beside;
mod bulk;
mod confined;
mod functions;
mod gaps;
mod interpreters;
mod network;
mod pack;
mod paths;
mod place;
mod rules;
mod stack;
mod taint;
mod taint_pack;
mod webhooks;
