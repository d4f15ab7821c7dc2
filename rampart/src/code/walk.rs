//! Goes through lowered code once, in the order in which it is written, and follows values as far as
//! they are constant. Every branch is taken, a loop over a known list goes over it, a function of the
//! code's own is gone into where it is called; one that nobody calls is read at the end.

use super::lowered::{Expr, Function, Pattern, Program, Statement};
use super::reader::{Found, Language, Reader};
use super::value::{FETCHED, SECRET, Value, What};
use evaluator::command::UNKNOWN;
use evaluator::effects::Kind;
use std::collections::{HashMap, HashSet};
use std::rc::Rc;

/// How many expressions are looked at in one piece of code, and in what it runs.
pub const FUEL: usize = 200_000;

/// How many elements of a list are gone over.
const ROUNDS: usize = 64;

/// One piece of code being read.
pub struct Walker<'r, 'a> {
    /// Who reads, and is told.
    pub reader: &'r mut Reader<'a>,
    /// Of what language it is.
    pub language: Language,
    /// The script's own path, if it has one.
    pub script: Vec<u8>,
    /// The working directory by now.
    pub cwd: Option<Vec<u8>>,
    /// The one that it started in.
    pub origin: Option<Vec<u8>>,
    pub(super) scopes: Vec<HashMap<String, Value>>,
    /// Members of what is not known, by their names: `self.base`.
    pub(super) members: HashMap<String, Value>,
    pub(super) defined: Vec<Rc<Function>>,
    pub(super) called: HashSet<*const Function>,
    /// The functions that are gone into right now.
    pub(super) inside: Vec<*const Function>,
    /// Files that were fetched, so that running one is running what was fetched.
    pub fetched: Vec<Vec<u8>>,
}

/// An argument as it is known.
pub struct Given {
    /// Its name, in Python.
    pub name: Option<String>,
    /// Its value.
    pub value: Value,
}

impl<'r, 'a> Walker<'r, 'a> {
    /// One for code of `language`.
    pub fn new(
        reader: &'r mut Reader<'a>,
        language: Language,
        script: Vec<u8>,
        cwd: Option<Vec<u8>>,
    ) -> Self {
        Self {
            reader,
            language,
            script,
            origin: cwd.clone(),
            cwd,
            scopes: vec![HashMap::new()],
            members: HashMap::new(),
            defined: Vec::new(),
            called: HashSet::new(),
            inside: Vec::new(),
            fetched: Vec::new(),
        }
    }

    /// Reads a whole program.
    pub fn program(&mut self, program: &Program) {
        self.block(&program.statements);
        let mut at = 0;
        while let Some(function) = self.defined.get(at).cloned() {
            at += 1;
            if !self.called.contains(&Rc::as_ptr(&function)) {
                self.enter(&function, &[]);
            }
        }
    }

    /// Tells an effect.
    pub fn say(&mut self, kind: Kind, subject: Vec<u8>, leaks: bool) {
        self.reader.found.push(Found { kind, subject, leaks });
    }

    pub(super) fn block(&mut self, statements: &[Statement]) -> Option<Value> {
        let mut given: Option<Value> = None;
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
    fn statement(&mut self, statement: &Statement) -> Option<Value> {
        if !self.reader.descend() {
            return None;
        }
        let given = self.statement_here(statement);
        self.reader.level -= 1;
        given
    }

    fn statement_here(&mut self, statement: &Statement) -> Option<Value> {
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
                self.append(pattern, &more);
            }
            Statement::Define(name, function) => {
                self.defined.push(Rc::clone(function));
                self.set(name, What::Function(Rc::clone(function)).into());
            }
            Statement::For(pattern, over, body) => {
                let over = self.expr(over);
                let mut given = None;
                for element in self.elements(&over) {
                    self.bind(pattern, element);
                    given = self.block(body).or(given);
                }
                return given;
            }
            Statement::Block(all) => return self.block(all),
            Statement::Class(name, body) => {
                self.scopes.push(HashMap::new());
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
    pub fn elements(&self, value: &Value) -> Vec<Value> {
        match &value.what {
            What::List(all) if !all.is_empty() => all.iter().take(ROUNDS).cloned().collect(),
            What::Map(all) if !all.is_empty() => {
                let key = |(key, _): &(Vec<u8>, Value)| Value::text(key.clone());
                all.iter().take(ROUNDS).map(key).collect()
            }
            // What a search gives is one of what it finds.
            What::Text(text) if text.contains(&b'*') => vec![value.clone()],
            _ => vec![Value::tainted(value.whole_taint())],
        }
    }

    pub(super) fn set(&mut self, name: &str, value: Value) {
        if let Some(scope) = self.scopes.last_mut() {
            scope.insert(name.to_owned(), value);
        }
    }

    pub(super) fn bind(&mut self, pattern: &Pattern, value: Value) {
        match pattern {
            Pattern::Name(name) => self.set(name, value),
            Pattern::Elements(all) => {
                for (at, inner) in all.iter().enumerate() {
                    let of = value.elements().get(at).cloned();
                    self.bind(inner, of.unwrap_or_else(|| Value::tainted(value.whole_taint())));
                }
            }
            Pattern::Members(all) => {
                for (name, inner) in all {
                    let of = self.member(&value, name);
                    self.bind(inner, of);
                }
            }
            Pattern::Place(place) => match &**place {
                Expr::Member(object, name) => {
                    let object = self.expr(object);
                    match object.named() {
                        Some("os.environ" | "process.env") => {}
                        _ => {
                            self.members.insert(name.clone(), value);
                        }
                    }
                }
                other => {
                    self.expr(other);
                }
            },
        }
    }

    pub(super) fn append(&mut self, pattern: &Pattern, more: &Value) {
        let Pattern::Name(name) = pattern else { return };
        let old = self.variable(name);
        let new = match &old.what {
            What::List(all) => {
                let all = all.iter().chain(more.elements()).cloned().collect();
                Value::list(all).with(old.taint | more.taint)
            }
            _ => Value::joined([&old, more]),
        };
        // It is wherever it was.
        let scope = self.scopes.iter_mut().rev().find(|scope| scope.contains_key(name));
        match scope {
            Some(scope) => {
                scope.insert(name.clone(), new);
            }
            None => self.set(name, new),
        }
    }

    /// The value of a variable; what is not the code's own has its name.
    pub fn variable(&self, name: &str) -> Value {
        let found = self.scopes.iter().rev().find_map(|scope| scope.get(name));
        found.cloned().unwrap_or_else(|| self.global(name))
    }

    fn global(&self, name: &str) -> Value {
        let cwd = || Value::text(self.cwd.clone().unwrap_or_else(|| vec![UNKNOWN]));
        match (name, self.language) {
            ("__dirname", Language::JavaScript) => cwd(),
            ("__file__", Language::Python) | ("__filename", Language::JavaScript) => {
                match self.script.is_empty() {
                    true => Value::default(),
                    false => Value::text(self.script.clone()),
                }
            }
            ("None" | "null" | "undefined" | "True" | "False" | "self" | "this", _) => {
                Value::default()
            }
            _ => Value::name(name),
        }
    }

    /// Where all arguments came from, the whole environment among them.
    pub fn taint_of(given: &[Given]) -> u8 {
        given.iter().fold(0, |taint, one| taint | one.value.whole_taint())
    }

    /// Whether something secret is among the arguments.
    pub fn is_secret(given: &[Given]) -> bool {
        Self::taint_of(given) & SECRET != 0
    }

    /// Whether something from the network is among the arguments.
    pub fn is_fetched(given: &[Given]) -> bool {
        Self::taint_of(given) & FETCHED != 0
    }
}
