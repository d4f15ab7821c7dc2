//! Asking the evaluator, and saying what it answered.

pub mod ask;
pub mod digests;
pub mod effects;
pub mod elsewhere;
pub mod json;
pub mod judge;
pub mod names;
mod reading;
pub mod response;
pub mod since;
mod steps;
pub mod text;
pub mod world;
