//! Goes through lowered code once, in the order in which it is written, and follows values as far as
//! they are constant. Every branch is taken, a loop over a known list goes over it, a function of the
//! code's own is gone into where it is called; one that nobody calls is read at the end.

use super::arena::Arena;
use super::lowered::{Expr, Function, Pattern, Program, Statement};
use super::reader::{Found, Language, Reader};
use super::value::{FETCHED, LONGEST, SECRET, Value, What};
use evaluator::command::UNKNOWN;
use evaluator::effects::Kind;
use foldhash::{HashMap, HashMapExt};

/// How many expressions are looked at in one piece of code, and in what it runs.
pub const FUEL: usize = 200_000;

/// How many elements of a list are gone over.
const ROUNDS: usize = 64;

/// Variables, or members, by their names. Names are the script's own choice, so the hash has a seed of its own.
pub type Names<'t> = HashMap<&'t str, Value<'t>>;

/// One piece of code being read.
pub struct Walker<'r, 'a, 't> {
    /// Who reads, and is told.
    pub reader: &'r mut Reader<'a>,
    /// Where values lie.
    pub arena: &'t Arena,
    /// The user's own directory.
    pub home: &'t [u8],
    /// Of what language it is.
    pub language: Language,
    /// The script's own path, if it has one.
    pub script: &'t [u8],
    /// The working directory by now.
    pub cwd: Option<&'t [u8]>,
    /// The one that it started in.
    pub origin: Option<&'t [u8]>,
    pub(super) scopes: Vec<Names<'t>>,
    /// Members of what is not known, by their names: `self.base`.
    pub(super) members: Names<'t>,
    pub(super) defined: Vec<&'t Function<'t>>,
    /// The functions that are gone into right now.
    pub(super) inside: Vec<&'t Function<'t>>,
    /// Files that were fetched, so that running one is running what was fetched.
    pub fetched: Vec<&'t [u8]>,
}

/// An argument as it is known.
#[derive(Clone, Copy)]
pub struct Given<'t> {
    /// Its name, in Python.
    pub name: Option<&'t str>,
    /// Its value.
    pub value: Value<'t>,
}

impl<'r, 'a, 't> Walker<'r, 'a, 't> {
    /// One for code of `language`.
    pub fn new(
        reader: &'r mut Reader<'a>,
        arena: &'t Arena,
        language: Language,
        (script, cwd): (&'t [u8], Option<&'t [u8]>),
    ) -> Self {
        Self {
            home: arena.copied(&reader.home),
            reader,
            arena,
            language,
            script,
            origin: cwd,
            cwd,
            scopes: vec![Names::new()],
            members: Names::new(),
            defined: Vec::new(),
            inside: Vec::new(),
            fetched: Vec::new(),
        }
    }

    /// Reads a whole program.
    pub fn program(&mut self, program: &Program<'t>) {
        self.block(program.statements);
        let mut at = 0;
        while let Some(function) = self.defined.get(at).copied() {
            at += 1;
            if !function.is_called.get() {
                self.enter(function, &[]);
            }
        }
    }

    /// Tells an effect.
    pub fn say(&mut self, kind: Kind, subject: &[u8], leaks: bool) {
        let subject = subject.to_vec();
        self.reader.found.push(Found { kind, subject, leaks });
    }

    pub(super) fn block(&mut self, statements: &'t [Statement<'t>]) -> Option<Value<'t>> {
        let mut given: Option<Value<'t>> = None;
        for statement in statements {
            if let Some(value) = self.statement(statement) {
                // The first that is known, with where all of them came from.
                let taint = value.whole_taint();
                given = Some(match given {
                    Some(first) if !matches!(first.what, What::Unknown) => first.with(taint),
                    Some(first) => value.with(first.taint),
                    None => value,
                });
            }
        }
        given
    }

    /// Reads a statement; what it returns from its function.
    fn statement(&mut self, statement: &'t Statement<'t>) -> Option<Value<'t>> {
        if !self.reader.descend() {
            return None;
        }
        let given = self.statement_here(statement);
        self.reader.level -= 1;
        given
    }

    fn statement_here(&mut self, statement: &'t Statement<'t>) -> Option<Value<'t>> {
        match statement {
            Statement::Do(expr) => {
                self.expr(expr);
            }
            Statement::Assign(pattern, expr) => {
                let value = self.expr(expr);
                self.bind(pattern, value);
            }
            Statement::Append(pattern, expr) => {
                let more = self.expr(expr);
                self.append(pattern, more);
            }
            Statement::Define(name, function) => {
                self.defined.push(function);
                self.set(name, What::Function(function).into());
            }
            Statement::For(pattern, over, body) => {
                let over = self.expr(over);
                let mut given = None;
                for element in self.elements(over) {
                    self.bind(pattern, *element);
                    given = self.block(body).or(given);
                }
                return given;
            }
            Statement::Block(all) => return self.block(all),
            Statement::Class(name, body) => {
                self.scopes.push(Names::new());
                self.block(body);
                let inside = self.scopes.pop().unwrap_or_default();
                // `Class.method()` and `object.method()` find it.
                self.members.extend(inside);
                self.set(name, Value::default());
            }
            Statement::Return(expr) => return Some(self.expr(expr)),
        }
        None
    }

    /// What a loop over `value` goes over.
    pub fn elements(&self, value: Value<'t>) -> &'t [Value<'t>] {
        match value.what {
            What::List(all) if !all.is_empty() => all.get(..ROUNDS).unwrap_or(all),
            What::Map(all) if !all.is_empty() => {
                self.arena.all(all.iter().take(ROUNDS).map(|(key, _)| Value::text(key)))
            }
            // What a search gives is one of what it finds.
            What::Text(text) if text.contains(&b'*') => self.arena.all([value]),
            _ => self.arena.all([Value::tainted(value.whole_taint())]),
        }
    }

    pub(super) fn set(&mut self, name: &'t str, value: Value<'t>) {
        if let Some(scope) = self.scopes.last_mut() {
            scope.insert(name, value);
        }
    }

    pub(super) fn bind(&mut self, pattern: &'t Pattern<'t>, value: Value<'t>) {
        match *pattern {
            Pattern::Name(name) => self.set(name, value),
            Pattern::Elements(all) => {
                for (at, inner) in all.iter().enumerate() {
                    let of = value.elements().get(at).copied();
                    self.bind(inner, of.unwrap_or_else(|| Value::tainted(value.whole_taint())));
                }
            }
            Pattern::Members(all) => {
                for (name, inner) in all {
                    let of = self.member(value, name);
                    self.bind(inner, of);
                }
            }
            Pattern::Place(place) => match place {
                Expr::Member(object, name) => {
                    let object = self.expr(object);
                    match object.named() {
                        Some("os.environ" | "process.env") => {}
                        _ => {
                            self.members.insert(name, value);
                        }
                    }
                }
                other => {
                    self.expr(other);
                }
            },
        }
    }

    pub(super) fn append(&mut self, pattern: &'t Pattern<'t>, more: Value<'t>) {
        let Pattern::Name(name) = *pattern else { return };
        let old = self.variable(name);
        let new = match old.what {
            What::List(all) => {
                let all = all.iter().chain(more.elements()).take(LONGEST.1).copied();
                Value::list(self.arena.all(all)).with(old.taint | more.taint)
            }
            _ => Value::joined(self.arena, [old, more]),
        };
        // It is wherever it was.
        let scope = self.scopes.iter_mut().rev().find(|scope| scope.contains_key(name));
        match scope {
            Some(scope) => {
                scope.insert(name, new);
            }
            None => self.set(name, new),
        }
    }

    /// The value of a variable; what is not the code's own has its name.
    pub fn variable(&self, name: &'t str) -> Value<'t> {
        let found = self.scopes.iter().rev().find_map(|scope| scope.get(name));
        found.copied().unwrap_or_else(|| self.global(name))
    }

    /// The working directory; an [`UNKNOWN`] if it is not known.
    pub fn here(&self) -> Value<'t> {
        Value::text(self.cwd.unwrap_or(&[UNKNOWN]))
    }

    fn global(&self, name: &'t str) -> Value<'t> {
        match (name, self.language) {
            ("__dirname", Language::JavaScript) => self.here(),
            ("__file__", Language::Python) | ("__filename", Language::JavaScript) => {
                match self.script.is_empty() {
                    true => Value::default(),
                    false => Value::text(self.script),
                }
            }
            ("None" | "null" | "undefined" | "True" | "False" | "self" | "this", _) => {
                Value::default()
            }
            _ => Value::name(name),
        }
    }

    /// Where all arguments came from, the whole environment among them.
    pub fn taint_of(given: &[Given<'_>]) -> u8 {
        given.iter().fold(0, |taint, one| taint | one.value.whole_taint())
    }

    /// Whether something secret is among the arguments.
    pub fn is_secret(given: &[Given<'_>]) -> bool {
        Self::taint_of(given) & SECRET != 0
    }

    /// Whether something from the network is among the arguments.
    pub fn is_fetched(given: &[Given<'_>]) -> bool {
        Self::taint_of(given) & FETCHED != 0
    }
}
