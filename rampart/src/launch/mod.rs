//! Starting a program under the interposer: find both, prepare the environment, and step aside, or
//! stay behind as its parent where somebody may have to be asked.

pub mod environment;
pub mod exec;
pub mod host;
pub mod library;
mod notices;
pub mod parent;
pub mod program;
mod prompt;
pub mod tell;
pub mod tree;
