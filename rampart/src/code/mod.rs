//! What code in Python, JavaScript and TypeScript does, read without running it: one-liners and scripts that
//! a command starts, parsed by the parsers of Ruff and of Oxc. The evaluator lives in every
//! guarded process and has only a lexer for other languages; here there is room for a parser.
//!
//! It is a description as docs/effects.md is: values that are constant are followed, through variables,
//! functions, joined paths and the usual encodings, and modules that the code imports are not read.

mod arena;
mod calls;
mod expr;
mod files;
mod fold;
mod javascript;
mod lowered;
mod names;
mod network;
mod parse;
mod pieces;
mod python;
mod reader;
mod runs;
mod syntax;
mod table;
mod value;
mod walk;

pub use reader::{Found, Language, Reader};

#[cfg(test)]
mod tests;
