//! Stage 3, understand: from an argument vector or shell text to the simple commands that would
//! run, each with its provenance. Bounded and total: whatever comes in, a tree comes out, and
//! [`Outcome`] says how far it is complete.

mod arena;
mod arithmetic;
mod assign;
mod batch;
mod braces;
mod builtin;
mod calls;
mod case;
mod code;
mod code_names;
mod code_strings;
mod compound;
mod database;
mod decode;
mod effects;
mod escapes;
mod expand;
mod export;
mod flow;
mod follow;
mod grammar;
mod interpreter;
mod lexer;
mod limits;
mod loops;
mod makefile;
mod name_index;
mod names;
mod operators;
mod output;
mod parameter;
mod pattern;
mod plain;
mod printf;
mod redirect;
mod rules;
mod shell;
mod shells;
mod simple;
mod substitution;
mod table;
mod tools;
mod tree;
mod vars;
mod word;
mod wrapper;
mod xargs;
mod zsh;

pub use tree::{
    Command, CommandFlags, Outcome, Redirect, RedirectOp, Run, Span, Tree, UNKNOWN, Var, Via, Word,
    WordFlags,
};

use crate::{Request, World};

/// The part of a [`crate::Scratch`] that understanding works in.
pub struct Parts<'s> {
    /// Bytes of words and decoded payloads.
    pub text: &'s mut [u8],
    /// Words of commands.
    pub words: &'s mut [Word],
    /// Simple commands found.
    pub commands: &'s mut [Command],
    /// Redirections of commands.
    pub redirects: &'s mut [Redirect],
    /// Shell variables whose value is followed.
    pub vars: &'s mut [Var],
}

/// Finds every simple command that `request` can reach. The first is the call itself: its
/// arguments as they are, or a root without words for shell text.
///
/// Also returns the text memory that is left, for whoever works on the tree next.
pub fn understand<'s>(
    request: &Request<'_>,
    world: &dyn World,
    scratch: Parts<'s>,
) -> (Tree<'s>, &'s mut [u8]) {
    shell::Shell::new(request, world, scratch).understand(request)
}
