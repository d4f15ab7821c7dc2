//! Starting a program under the interposer: find both, prepare the environment, and step aside.

pub mod environment;
pub mod exec;
pub mod library;
pub mod program;
