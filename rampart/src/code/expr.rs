//! What expressions give, as far as that is constant, and the calls in them.

use super::fold;
use super::lowered::{Argument, Expr, Function, Pattern};
use super::value::{Value, What};
use super::walk::{Given, Walker};
use std::collections::HashMap;
use std::rc::Rc;

/// How deep calls of the code's own functions are followed.
const DEEPEST: usize = 8;

impl Walker<'_, '_> {
    /// The value of an expression; what it does is told.
    pub fn expr(&mut self, expr: &Expr) -> Value {
        if self.reader.fuel == 0 || !self.reader.descend() {
            self.reader.is_cut = true;
            return Value::default();
        }
        self.reader.fuel -= 1;
        let value = self.expr_here(expr);
        self.reader.level -= 1;
        value
    }

    fn expr_here(&mut self, expr: &Expr) -> Value {
        match expr {
            Expr::Text(text) => Value::text(text.clone()),
            Expr::Name(name) => self.variable(name),
            Expr::Module(name) => super::names::module(name),
            Expr::Member(object, name) => {
                let object = self.expr(object);
                self.member(&object, name)
            }
            Expr::Index(object, index) => {
                let object = self.expr(object);
                let index = self.expr(index);
                self.index(&object, &index)
            }
            Expr::Reversed(inner) => {
                let value = self.expr(inner);
                fold::reversed(&value)
            }
            Expr::Call(function, arguments) => self.call_expr(function, arguments),
            Expr::Joined(parts) => {
                let parts: Vec<Value> = parts.iter().map(|part| self.expr(part)).collect();
                match parts.iter().all(|part| matches!(part.what, What::List(_))) {
                    true if !parts.is_empty() => {
                        Value::list(parts.iter().flat_map(Value::elements).cloned().collect())
                    }
                    _ => Value::joined(&parts),
                }
            }
            Expr::Slash(left, right) => {
                let parts = [self.expr(left), self.expr(right)];
                fold::path(&parts)
            }
            Expr::Filled(left, right) => {
                let (left, right) = (self.expr(left), self.expr(right));
                fold::filled(&left, &right)
            }
            Expr::List(all) => Value::list(all.iter().map(|one| self.expr(one)).collect()),
            Expr::Map(pairs) => {
                let mut all = Vec::new();
                for (key, value) in pairs {
                    let key = self.expr(key);
                    all.push((key.bytes(), self.expr(value)));
                }
                What::Map(all).into()
            }
            Expr::Function(function) => {
                self.defined.push(Rc::clone(function));
                What::Function(Rc::clone(function)).into()
            }
            Expr::Each(pattern, over, body) => self.each(pattern, over, body),
            Expr::Assigned(pattern, value) => {
                let value = self.expr(value);
                self.bind(pattern, value.clone());
                value
            }
            Expr::OneOf(all) => self.one_of(all),
            Expr::Other(parts) => {
                let taint =
                    parts.iter().fold(0, |taint, part| taint | self.expr(part).whole_taint());
                Value::tainted(taint)
            }
        }
    }

    fn each(&mut self, pattern: &Pattern, over: &Expr, body: &Expr) -> Value {
        let over = self.expr(over);
        let mut all = Vec::new();
        for element in self.elements(&over) {
            self.bind(pattern, element);
            all.push(self.expr(body));
        }
        Value::list(all)
    }

    /// Any of several values: the last that is known, with where each came from.
    fn one_of(&mut self, all: &[Expr]) -> Value {
        let values: Vec<Value> = all.iter().map(|one| self.expr(one)).collect();
        let taint = values.iter().fold(0, |taint, value| taint | value.whole_taint());
        let known = values.into_iter().rev().find(|value| !matches!(value.what, What::Unknown));
        known.unwrap_or_default().with(taint)
    }

    /// `object.name`
    pub fn member(&mut self, object: &Value, name: &str) -> Value {
        match &object.what {
            What::Name(of) => super::names::member(of, name, &self.reader.home).with(
                // A single variable of the environment is no leak of all.
                if matches!(of.as_str(), "os.environ" | "process.env") { 0 } else { object.taint },
            ),
            What::Map(all) => {
                let found = all.iter().rev().find(|(key, _)| key == name.as_bytes());
                found.map_or_else(|| Value::tainted(object.taint), |(_, value)| value.clone())
            }
            What::Text(text) => fold::part_of_path(text, name).with(object.taint),
            _ => match self.members.get(name) {
                Some(known) => known.clone().with(object.taint),
                None => Value::tainted(object.whole_taint()),
            },
        }
    }

    fn index(&mut self, object: &Value, index: &Value) -> Value {
        let number = index.known_text().and_then(|text| text.parse::<usize>().ok());
        match (&object.what, number, index.known_text()) {
            (What::List(all), Some(at), _) => all.get(at).cloned().unwrap_or_default(),
            (What::Map(_) | What::Name(_), _, Some(name)) => {
                let name = name.to_owned();
                self.member(object, &name)
            }
            (What::Name(of), ..) if matches!(of.as_str(), "os.environ" | "process.env") => {
                Value::default()
            }
            _ => Value::tainted(object.whole_taint()),
        }
    }

    fn call_expr(&mut self, function: &Expr, arguments: &[Argument]) -> Value {
        let (callee, object) = match function {
            Expr::Member(object, name) => {
                let object = self.expr(object);
                (self.method(&object, name), Some((object, name.as_str())))
            }
            other => (self.expr(other), None),
        };
        let mut given = Vec::new();
        for argument in arguments {
            let value = self.expr(&argument.value);
            match argument.is_spread {
                true => given.extend(
                    value.elements().iter().cloned().map(|value| Given { name: None, value }),
                ),
                false => given.push(Given { name: argument.name.clone(), value }),
            }
        }
        if let (Expr::Member(whose, _), false) =
            (function, matches!(callee.what, What::Function(_)))
            && let Expr::Name(name) = &**whose
        {
            self.filled(name, Self::taint_of(&given));
        }
        let object = object.as_ref().map(|(object, name)| (object, *name));
        self.call(&callee, object, &given)
    }

    /// What a variable is given by one of its methods is in it: `message.set_content(secret)`.
    pub(super) fn filled(&mut self, name: &str, taint: u8) {
        let scope = self.scopes.iter_mut().rev().find(|scope| scope.contains_key(name));
        if let Some(value) = scope.and_then(|scope| scope.get_mut(name)).filter(|_| taint != 0) {
            value.taint |= taint;
        }
    }

    /// What `object.name` is where it is called.
    fn method(&mut self, object: &Value, name: &str) -> Value {
        match &object.what {
            What::Name(_) | What::Map(_) => self.member(object, name),
            _ => match self.members.get(name) {
                Some(known) if matches!(known.what, What::Function(_)) => known.clone(),
                _ => Value::tainted(object.whole_taint()),
            },
        }
    }

    /// Goes into a function of the code's own; what it gives.
    pub fn enter(&mut self, function: &Rc<Function>, given: &[Given]) -> Value {
        self.called.insert(Rc::as_ptr(function));
        // A function that calls itself does nothing new; one that is too deep may.
        let recurses = self.inside.contains(&Rc::as_ptr(function));
        self.reader.is_cut |= self.inside.len() >= DEEPEST && !recurses;
        if self.inside.len() >= DEEPEST || recurses {
            return Value::tainted(given.iter().fold(0, |all, one| all | one.value.whole_taint()));
        }
        self.inside.push(Rc::as_ptr(function));
        self.scopes.push(HashMap::new());
        let mut unnamed = given.iter().filter(|one| one.name.is_none());
        // A method is given its object, which stands in front.
        let mut parameters = function.parameters.as_slice();
        if let (Some(Pattern::Name(first)), Some(rest)) = (parameters.first(), parameters.get(1..))
            && matches!(first.as_str(), "self" | "cls")
        {
            parameters = rest;
        }
        for pattern in parameters {
            let named = match pattern {
                Pattern::Name(name) => given.iter().find(|one| one.name.as_ref() == Some(name)),
                _ => None,
            };
            let value = named.or_else(|| unnamed.next()).map(|one| one.value.clone());
            self.bind(pattern, value.unwrap_or_default());
        }
        let done = self.block(&function.body);
        self.scopes.pop();
        self.inside.pop();
        done.unwrap_or_default()
    }
}
