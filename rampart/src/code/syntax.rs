//! What both languages' trees are read with.

use super::lowered::{Expr, Function, Pattern, Statement};
use std::marker::PhantomData;
use std::rc::Rc;

/// Deepest nesting that is read. Parsers get a stack that is deep enough; who reads what was parsed does not.
const DEEPEST: usize = 150;

/// A text of the language `L` that was parsed, and how it is being read.
pub struct Source<'t, L> {
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
    pub const fn new(text: &'t str) -> Self {
        Self { text, depth: 0, is_cut: false, language: PhantomData }
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
}

impl Default for Expr {
    fn default() -> Self {
        Self::Other(Vec::new())
    }
}

impl Default for Pattern {
    fn default() -> Self {
        Self::Elements(Vec::new())
    }
}

impl Default for Statement {
    fn default() -> Self {
        Self::Block(Vec::new())
    }
}

/// What a literal stands for. NUL means something else here.
pub fn literal(text: &[u8]) -> Expr {
    Expr::Text(text.iter().copied().filter(|byte| *byte != 0).collect())
}

/// Statements that stand where an expression does, as the body of a function that is called at once.
pub fn inline(body: Vec<Statement>) -> Expr {
    let function = Rc::new(Function { parameters: Vec::new(), body });
    Expr::Call(Box::new(Expr::Function(function)), Vec::new())
}

/// One expression, or any of several.
pub fn one_of(mut all: Vec<Expr>) -> Expr {
    match all.len() {
        1 => all.pop().unwrap_or_default(),
        _ => Expr::OneOf(all),
    }
}
