//! What Python and JavaScript have in common, as far as it decides what code does: values, names,
//! calls, functions, and the order of things. Conditions are not decided: every branch is read.

use std::rc::Rc;

/// An expression.
#[derive(Debug)]
pub enum Expr {
    /// A literal text or number.
    Text(Vec<u8>),
    /// A variable.
    Name(String),
    /// `object.name`
    Member(Box<Expr>, String),
    /// `object[index]`
    Index(Box<Expr>, Box<Expr>),
    /// `object[::-1]`
    Reversed(Box<Expr>),
    /// `function(…)`, `new Class(…)`
    Call(Box<Expr>, Vec<Argument>),
    /// Texts one behind the other: `a + b`, f-strings, templates.
    Joined(Vec<Expr>),
    /// `a / b`: in Python, paths.
    Slash(Box<Expr>, Box<Expr>),
    /// `a % b`: in Python, texts with gaps.
    Filled(Box<Expr>, Box<Expr>),
    /// A list, a tuple or a set.
    List(Vec<Expr>),
    /// Members by name.
    Map(Vec<(Expr, Expr)>),
    /// A function without a name.
    Function(Rc<Function>),
    /// The last for each element of the second: a comprehension.
    Each(Pattern, Box<Expr>, Box<Expr>),
    /// An assignment that has a value.
    Assigned(Pattern, Box<Expr>),
    /// A module of this name.
    Module(String),
    /// One of them: `a or b`, `x ? a : b`.
    OneOf(Vec<Expr>),
    /// Anything else; its parts are read.
    Other(Vec<Expr>),
}

/// An argument.
#[derive(Debug)]
pub struct Argument {
    /// Its name, in Python.
    pub name: Option<String>,
    /// Its value.
    pub value: Expr,
    /// Whether its elements are the arguments.
    pub is_spread: bool,
}

/// What a value is given to.
#[derive(Debug)]
pub enum Pattern {
    /// A variable.
    Name(String),
    /// The elements.
    Elements(Vec<Pattern>),
    /// The members of these names.
    Members(Vec<(String, Pattern)>),
    /// A member or an element of something.
    Place(Box<Expr>),
}

/// A statement.
#[derive(Debug)]
pub enum Statement {
    /// An expression, for what it does.
    Do(Expr),
    /// A value is given to something.
    Assign(Pattern, Expr),
    /// `name += value`
    Append(Pattern, Expr),
    /// A function with a name.
    Define(String, Rc<Function>),
    /// For each element of a value.
    For(Pattern, Expr, Vec<Statement>),
    /// Statements that may or may not come.
    Block(Vec<Statement>),
    /// A class: its functions are methods.
    Class(String, Vec<Statement>),
    /// What a function gives.
    Return(Expr),
}

/// A function of the code's own.
#[derive(Debug, Default)]
pub struct Function {
    /// Its parameters.
    pub parameters: Vec<Pattern>,
    /// What it does.
    pub body: Vec<Statement>,
}

/// Code that was parsed.
#[derive(Debug, Default)]
pub struct Program {
    /// Its statements.
    pub statements: Vec<Statement>,
    /// Whether all of it was understood.
    pub is_whole: bool,
}
