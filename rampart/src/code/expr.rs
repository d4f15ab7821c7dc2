//! What expressions give, as far as that is constant, and the calls in them.

use super::fold;
use super::lowered::{Argument, Expr, Function, Pattern};
use super::value::{LONGEST, Value, What};
use super::walk::{Given, Names, Walker};
use foldhash::HashMapExt;

/// How deep calls of the code's own functions are followed.
const DEEPEST: usize = 8;

impl<'t> Walker<'_, '_, 't> {
    /// The value of an expression; what it does is told.
    pub fn expr(&mut self, expr: &'t Expr<'t>) -> Value<'t> {
        if self.reader.fuel == 0 || self.arena.is_full() || !self.reader.descend() {
            self.reader.is_cut = true;
            return Value::default();
        }
        self.reader.fuel -= 1;
        let value = self.expr_here(expr);
        self.reader.level -= 1;
        value
    }

    fn expr_here(&mut self, expr: &'t Expr<'t>) -> Value<'t> {
        match *expr {
            Expr::Text(text) => Value::text(text),
            Expr::Name(name) => self.variable(name),
            Expr::Module(name) => super::names::module(self.arena, name),
            Expr::Member(object, name) => {
                let object = self.expr(object);
                self.member(object, name)
            }
            Expr::Index(object, index) => {
                let object = self.expr(object);
                let index = self.expr(index);
                self.index(object, index)
            }
            Expr::Reversed(inner) => {
                let value = self.expr(inner);
                fold::reversed(self.arena, value)
            }
            Expr::Call(function, arguments) => self.call_expr(function, arguments),
            Expr::Joined(parts) => {
                let parts = self.values(parts);
                match parts.iter().all(|part| matches!(part.what, What::List(_))) {
                    true if !parts.is_empty() => {
                        let all = parts.iter().flat_map(Value::elements).take(LONGEST.1);
                        Value::list(self.arena.all(all.copied()))
                    }
                    _ => Value::joined(self.arena, parts.iter().copied()),
                }
            }
            Expr::Slash(left, right) => {
                let parts = [self.expr(left), self.expr(right)];
                fold::path(self.arena, &parts)
            }
            Expr::Filled(left, right) => {
                let (left, right) = (self.expr(left), self.expr(right));
                fold::filled(self.arena, left, right)
            }
            Expr::List(all) => Value::list(self.values(all)),
            Expr::Map(pairs) => {
                let arena = self.arena;
                let pair = |(key, value): &'t (Expr<'t>, Expr<'t>)| {
                    let key = self.expr(key);
                    (key.bytes(), self.expr(value))
                };
                What::Map(arena.all(pairs.iter().map(pair))).into()
            }
            Expr::Function(function) => {
                self.defined.push(function);
                What::Function(function).into()
            }
            Expr::Each(pattern, over, body) => self.each(pattern, over, body),
            Expr::Assigned(pattern, value) => {
                let value = self.expr(value);
                self.bind(pattern, value);
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

    /// The values of several expressions, in order.
    fn values(&mut self, all: &'t [Expr<'t>]) -> &'t [Value<'t>] {
        self.arena.all(all.iter().map(|one| self.expr(one)))
    }

    fn each(
        &mut self,
        pattern: &'t Pattern<'t>,
        over: &'t Expr<'t>,
        body: &'t Expr<'t>,
    ) -> Value<'t> {
        let over = self.expr(over);
        let arena = self.arena;
        let elements = self.elements(over).iter();
        let value = |element: &Value<'t>| {
            self.bind(pattern, *element);
            self.expr(body)
        };
        Value::list(arena.all(elements.map(value)))
    }

    /// Any of several values: the last that is known, with where each came from.
    fn one_of(&mut self, all: &'t [Expr<'t>]) -> Value<'t> {
        let (mut known, mut taint) = (Value::default(), 0);
        for one in all {
            let value = self.expr(one);
            taint |= value.whole_taint();
            if !matches!(value.what, What::Unknown) {
                known = value;
            }
        }
        known.with(taint)
    }

    /// `object.name`
    pub fn member(&mut self, object: Value<'t>, name: &'t str) -> Value<'t> {
        match object.what {
            What::Name(of) => super::names::member(self.arena, of, name, self.home).with(
                // A single variable of the environment is no leak of all.
                if matches!(of, "os.environ" | "process.env") { 0 } else { object.taint },
            ),
            What::Map(all) => {
                let found = all.iter().rev().find(|(key, _)| *key == name.as_bytes());
                found.map_or_else(|| Value::tainted(object.taint), |(_, value)| *value)
            }
            What::Text(text) => fold::part_of_path(self.arena, text, name).with(object.taint),
            _ => match self.members.get(name) {
                Some(known) => known.with(object.taint),
                None => Value::tainted(object.whole_taint()),
            },
        }
    }

    fn index(&mut self, object: Value<'t>, index: Value<'t>) -> Value<'t> {
        let number = index.known_text().and_then(|text| text.parse::<usize>().ok());
        match (object.what, number, index.known_text()) {
            (What::List(all), Some(at), _) => all.get(at).copied().unwrap_or_default(),
            (What::Map(_) | What::Name(_), _, Some(name)) => self.member(object, name),
            (What::Name("os.environ" | "process.env"), ..) => Value::default(),
            _ => Value::tainted(object.whole_taint()),
        }
    }

    fn call_expr(&mut self, function: &'t Expr<'t>, arguments: &'t [Argument<'t>]) -> Value<'t> {
        let (callee, object) = match function {
            Expr::Member(object, name) => {
                let object = self.expr(object);
                (self.method(object, name), Some((object, *name)))
            }
            other => (self.expr(other), None),
        };
        let mut given = self.arena.list();
        given.reserve(arguments.len());
        for argument in arguments {
            let value = self.expr(&argument.value);
            match argument.is_spread {
                true => given.extend(
                    value.elements().iter().map(|value| Given { name: None, value: *value }),
                ),
                false => given.push(Given { name: argument.name, value }),
            }
        }
        if let (Expr::Member(whose, _), false) =
            (function, matches!(callee.what, What::Function(_)))
            && let Expr::Name(name) = whose
        {
            self.filled(name, Self::taint_of(&given));
        }
        self.call(callee, object, &given)
    }

    /// What a variable is given by one of its methods is in it: `message.set_content(secret)`.
    pub(super) fn filled(&mut self, name: &str, taint: u8) {
        let scope = self.scopes.iter_mut().rev().find(|scope| scope.contains_key(name));
        if let Some(value) = scope.and_then(|scope| scope.get_mut(name)).filter(|_| taint != 0) {
            value.taint |= taint;
        }
    }

    /// What `object.name` is where it is called.
    fn method(&mut self, object: Value<'t>, name: &'t str) -> Value<'t> {
        match object.what {
            What::Name(_) | What::Map(_) => self.member(object, name),
            _ => match self.members.get(name) {
                Some(known) if matches!(known.what, What::Function(_)) => *known,
                _ => Value::tainted(object.whole_taint()),
            },
        }
    }

    /// Goes into a function of the code's own; what it gives.
    pub fn enter(&mut self, function: &'t Function<'t>, given: &[Given<'t>]) -> Value<'t> {
        function.is_called.set(true);
        // A function that calls itself does nothing new; one that is too deep may.
        let recurses = self.inside.iter().any(|other| std::ptr::eq(*other, function));
        self.reader.is_cut |= self.inside.len() >= DEEPEST && !recurses;
        if self.inside.len() >= DEEPEST || recurses {
            return Value::tainted(given.iter().fold(0, |all, one| all | one.value.whole_taint()));
        }
        self.inside.push(function);
        self.scopes.push(Names::new());
        let mut unnamed = given.iter().filter(|one| one.name.is_none());
        // A method is given its object, which stands in front.
        let mut parameters = function.parameters;
        if let (Some(Pattern::Name(first)), Some(rest)) = (parameters.first(), parameters.get(1..))
            && matches!(*first, "self" | "cls")
        {
            parameters = rest;
        }
        for pattern in parameters {
            let named = match pattern {
                Pattern::Name(name) => given.iter().find(|one| one.name == Some(*name)),
                _ => None,
            };
            let value = named.or_else(|| unnamed.next()).map(|one| one.value);
            self.bind(pattern, value.unwrap_or_default());
        }
        let done = self.block(function.body);
        self.scopes.pop();
        self.inside.pop();
        done.unwrap_or_default()
    }
}
