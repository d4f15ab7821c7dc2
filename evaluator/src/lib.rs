//! The brain: what would this call run, and may it?
//!
//! [`decide()`] is one pure function over borrowed input. It does no I/O, allocates nothing, never
//! panics and does a bounded amount of work, so that the same code can answer inside a
//! `vfork` child of a program it knows nothing about, in a daemon, and in a test.
//!
//! The stages, in order (1, 2, 5, 6 and 7 live with whoever asks):
//!
//! | stage | module | in → out |
//! | --- | --- | --- |
//! | 3 understand | [`command`] | [`Request`] → [`command::Tree`] |
//! | 4 decide | [`mod@decide`] | `Tree` × [`Image`]s → [`Verdict`] |
//!
//! [`effects`] says what a tree would do, for rules and for people; [`glob`], [`path`] and [`image`] serve stage 4; [`redact`], [`escape`], [`notice`] and [`event`]
//! turn a verdict into what people, models and logs read, the same from every entrance.

#![no_std]
#![forbid(unsafe_code)]

#[cfg(test)]
extern crate std;

pub mod action;
pub mod bell;
pub mod command;
pub mod decide;
pub mod effects;
pub mod escape;
pub mod event;
pub mod glob;
pub mod image;
mod list;
pub mod notice;
pub mod path;
pub mod redact;
pub mod request;
pub mod scratch;
pub mod settle;
pub mod sha256;
pub mod sql;
pub mod verdict;
pub mod wire;
pub mod world;

pub use action::Action;
pub use decide::{decide, decide_response};
pub use image::{Image, Images};
pub use request::{Argv, Call, Caller, Cwd, Env, Params, Request, Target, TargetKinds};
pub use scratch::{Scratch, ScratchLen};
pub use settle::{Settled, settle};
pub use verdict::{Reason, RuleMatch, Verdict};
pub use world::{Answer, Once, World};
