//! What Python and JavaScript have in common, as far as it decides what code does: values, names,
//! calls, functions, and the order of things. Conditions are not decided: every branch is read. All of it lies in
//! the arena of the reading (`'t`).

use std::cell::Cell;

/// An expression.
#[derive(Clone, Copy, Debug)]
pub enum Expr<'t> {
    /// A literal text or number.
    Text(&'t [u8]),
    /// A variable.
    Name(&'t str),
    /// `object.name`
    Member(&'t Expr<'t>, &'t str),
    /// `object[index]`
    Index(&'t Expr<'t>, &'t Expr<'t>),
    /// `object[::-1]`
    Reversed(&'t Expr<'t>),
    /// `function(…)`, `new Class(…)`
    Call(&'t Expr<'t>, &'t [Argument<'t>]),
    /// Texts one behind the other: `a + b`, f-strings, templates.
    Joined(&'t [Expr<'t>]),
    /// `a / b`: in Python, paths.
    Slash(&'t Expr<'t>, &'t Expr<'t>),
    /// `a % b`: in Python, texts with gaps.
    Filled(&'t Expr<'t>, &'t Expr<'t>),
    /// A list, a tuple or a set.
    List(&'t [Expr<'t>]),
    /// Members by name.
    Map(&'t [(Expr<'t>, Expr<'t>)]),
    /// A function without a name.
    Function(&'t Function<'t>),
    /// The last for each element of the second: a comprehension.
    Each(&'t Pattern<'t>, &'t Expr<'t>, &'t Expr<'t>),
    /// An assignment that has a value.
    Assigned(&'t Pattern<'t>, &'t Expr<'t>),
    /// A module of this name.
    Module(&'t str),
    /// One of them: `a or b`, `x ? a : b`.
    OneOf(&'t [Expr<'t>]),
    /// Anything else; its parts are read.
    Other(&'t [Expr<'t>]),
}

/// An argument.
#[derive(Clone, Copy, Debug)]
pub struct Argument<'t> {
    /// Its name, in Python.
    pub name: Option<&'t str>,
    /// Its value.
    pub value: Expr<'t>,
    /// Whether its elements are the arguments.
    pub is_spread: bool,
}

/// What a value is given to.
#[derive(Clone, Copy, Debug)]
pub enum Pattern<'t> {
    /// A variable.
    Name(&'t str),
    /// The elements.
    Elements(&'t [Pattern<'t>]),
    /// The members of these names.
    Members(&'t [(&'t str, Pattern<'t>)]),
    /// A member or an element of something.
    Place(&'t Expr<'t>),
}

/// A statement.
#[derive(Clone, Copy, Debug)]
pub enum Statement<'t> {
    /// An expression, for what it does.
    Do(Expr<'t>),
    /// A value is given to something.
    Assign(Pattern<'t>, Expr<'t>),
    /// `name += value`
    Append(Pattern<'t>, Expr<'t>),
    /// A function with a name.
    Define(&'t str, &'t Function<'t>),
    /// For each element of a value.
    For(Pattern<'t>, Expr<'t>, &'t [Statement<'t>]),
    /// Statements that may or may not come.
    Block(&'t [Statement<'t>]),
    /// A class: its functions are methods.
    Class(&'t str, &'t [Statement<'t>]),
    /// What a function gives.
    Return(Expr<'t>),
}

/// A function of the code's own.
#[derive(Debug, Default)]
pub struct Function<'t> {
    /// Its parameters.
    pub parameters: &'t [Pattern<'t>],
    /// What it does.
    pub body: &'t [Statement<'t>],
    /// Whether it was gone into.
    pub is_called: Cell<bool>,
}

/// Code that was parsed.
#[derive(Debug, Default)]
pub struct Program<'t> {
    /// Its statements.
    pub statements: &'t [Statement<'t>],
    /// Whether all of it was understood.
    pub is_whole: bool,
}
