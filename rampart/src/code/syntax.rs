//! What both languages' trees are read with.

use super::arena::Arena;
use super::lowered::{Expr, Function, Pattern, Statement};
use std::cell::Cell;
use std::marker::PhantomData;

/// Deepest nesting that is read. Parsers get a stack that is deep enough; who reads what was parsed does not.
const DEEPEST: usize = 150;

/// A text of the language `L` that was parsed, and how it is being read.
pub struct Source<'t, L> {
    /// Where what is made of it lies.
    pub arena: &'t Arena,
    /// The text.
    pub text: &'t str,
    /// How deep the reader is.
    pub depth: usize,
    /// Whether something was left out: nested too deeply, or not understood.
    pub is_cut: bool,
    language: PhantomData<L>,
}

impl<'t, L> Source<'t, L> {
    /// One of this text.
    pub const fn new(arena: &'t Arena, text: &'t str) -> Self {
        Self { arena, text, depth: 0, is_cut: false, language: PhantomData }
    }

    /// Reads one level below by `read`, unless that is too deep.
    pub fn deeper<R: Default>(&mut self, read: impl FnOnce(&mut Self) -> R) -> R {
        if self.depth >= DEEPEST {
            self.is_cut = true;
            return R::default();
        }
        self.depth += 1;
        let done = read(self);
        self.depth -= 1;
        done
    }

    /// The text from one byte to another.
    pub fn between(&self, from: u32, to: u32) -> &'t str {
        self.text.get(from as usize..to as usize).unwrap_or_default()
    }

    /// What a literal stands for. NUL means something else here.
    pub fn literal(&self, text: &'t [u8]) -> Expr<'t> {
        Expr::Text(match text.contains(&0) {
            true => self.arena.all(text.iter().copied().filter(|byte| *byte != 0)),
            false => text,
        })
    }

    /// A function.
    pub fn made(
        &self,
        parameters: &'t [Pattern<'t>],
        body: &'t [Statement<'t>],
    ) -> &'t Function<'t> {
        self.arena.put(Function { parameters, body, is_called: Cell::new(false) })
    }

    /// Statements that stand where an expression does, as the body of a function that is called at once.
    pub fn inline(&self, body: &'t [Statement<'t>]) -> Expr<'t> {
        Expr::Call(self.arena.put(Expr::Function(self.made(&[], body))), &[])
    }
}

impl Default for Expr<'_> {
    fn default() -> Self {
        Self::Other(&[])
    }
}

impl Default for Pattern<'_> {
    fn default() -> Self {
        Self::Elements(&[])
    }
}

impl Default for Statement<'_> {
    fn default() -> Self {
        Self::Block(&[])
    }
}

/// One expression, or any of several.
pub fn one_of<'t>(all: &'t [Expr<'t>]) -> Expr<'t> {
    match all {
        [one] => *one,
        _ => Expr::OneOf(all),
    }
}
