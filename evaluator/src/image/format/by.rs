//! Whose calls a policy is about (`match.by`). What an agent's tools may touch is one thing, what
//! programs need for their work another: so a rule is about what running programs do only if its
//! policy says so.

/// What agents ask for: programs to be started, and calls of their tools.
pub const AGENT: u32 = 0;
/// What a running program does itself.
pub const PROGRAM: u32 = 1;
/// Both.
pub const ANY: u32 = 2;
