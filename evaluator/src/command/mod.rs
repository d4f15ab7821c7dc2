//! Stage 3, understand: from an argument vector or shell text to the simple commands that would
//! run, each with its provenance. Bounded and total: whatever comes in, a tree comes out, and
//! [`Outcome`] says how far it is complete.

mod tree;

pub use tree::{
    Command, CommandFlags, Outcome, Redirect, RedirectOp, Run, Span, Tree, UNKNOWN, Var, Via, Word,
    WordFlags,
};
