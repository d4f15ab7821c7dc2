//! Python's expressions, and what values are given to.

use super::{Python, parameters};
use crate::code::lowered::{Argument, Expr, Function, Pattern, Statement};
use crate::code::syntax::{Source, literal};
use ruff_python_ast::{self as ast, Expr as Tree, InterpolatedStringElement as Element, Operator};
use ruff_text_size::Ranged;
use std::rc::Rc;

impl Source<'_, Python> {
    pub(super) fn pattern(&mut self, target: &Tree) -> Pattern {
        self.deeper(|source| match target {
            Tree::Name(one) => Pattern::Name(one.id.as_str().to_owned()),
            Tree::Tuple(one) => source.patterns(&one.elts),
            Tree::List(one) => source.patterns(&one.elts),
            Tree::Starred(one) => source.pattern(&one.value),
            other => Pattern::Place(Box::new(source.expr(other))),
        })
    }

    fn patterns(&mut self, all: &[Tree]) -> Pattern {
        Pattern::Elements(all.iter().map(|one| self.pattern(one)).collect())
    }

    pub(super) fn expr(&mut self, expr: &Tree) -> Expr {
        self.deeper(|source| source.expr_here(expr))
    }

    fn boxed(&mut self, expr: &Tree) -> Box<Expr> {
        Box::new(self.expr(expr))
    }

    fn exprs<'e>(&mut self, all: impl IntoIterator<Item = &'e Tree>) -> Vec<Expr> {
        all.into_iter().map(|one| self.expr(one)).collect()
    }

    fn expr_here(&mut self, expr: &Tree) -> Expr {
        match expr {
            Tree::Name(one) => Expr::Name(one.id.as_str().to_owned()),
            Tree::NumberLiteral(_) => self.number(expr),
            Tree::StringLiteral(one) => literal(one.value.to_str().as_bytes()),
            Tree::BytesLiteral(one) => literal(
                &one.value.iter().flat_map(|part| part.value.iter().copied()).collect::<Vec<u8>>(),
            ),
            Tree::FString(one) => self.formatted(&one.value),
            Tree::TString(one) => self.joined(one.value.elements()),
            Tree::Attribute(one) => {
                Expr::Member(self.boxed(&one.value), one.attr.as_str().to_owned())
            }
            Tree::Subscript(one) => self.subscript(one),
            Tree::Call(one) => Expr::Call(self.boxed(&one.func), self.arguments(&one.arguments)),
            Tree::BinOp(one) => self.binary(one),
            Tree::UnaryOp(one) => match &*one.operand {
                Tree::NumberLiteral(number) if matches!(number.value, ast::Number::Int(_)) => {
                    self.number(expr)
                }
                operand => Expr::Other(vec![self.expr(operand)]),
            },
            Tree::BoolOp(one) => Expr::OneOf(self.exprs(&one.values)),
            Tree::If(one) => Expr::OneOf(self.exprs([&*one.body, &*one.test, &*one.orelse])),
            Tree::List(one) => Expr::List(self.exprs(&one.elts)),
            Tree::Tuple(one) => Expr::List(self.exprs(&one.elts)),
            Tree::Set(one) => Expr::List(self.exprs(&one.elts)),
            Tree::Dict(one) => self.dictionary(one),
            Tree::Lambda(one) => {
                let parameters =
                    one.parameters.as_ref().map(|all| parameters(all)).unwrap_or_default();
                let body = vec![Statement::Return(self.expr(&one.body))];
                Expr::Function(Rc::new(Function { parameters, body }))
            }
            Tree::ListComp(one) => {
                let body = self.expr(&one.elt);
                self.comprehension(body, &one.generators)
            }
            Tree::SetComp(one) => {
                let body = self.expr(&one.elt);
                self.comprehension(body, &one.generators)
            }
            Tree::Generator(one) => {
                let body = self.expr(&one.elt);
                self.comprehension(body, &one.generators)
            }
            Tree::DictComp(one) => {
                let mut parts = self.exprs(one.key.as_deref());
                parts.push(self.expr(&one.value));
                self.comprehension(Expr::Other(parts), &one.generators)
            }
            Tree::Await(one) => self.expr(&one.value),
            Tree::Named(one) => Expr::Assigned(self.pattern(&one.target), self.boxed(&one.value)),
            other => Expr::Other(self.parts(other)),
        }
    }

    /// What is read of an expression that gives nothing which is known.
    fn parts(&mut self, expr: &Tree) -> Vec<Expr> {
        match expr {
            Tree::Compare(one) => {
                let mut all = vec![self.expr(&one.left)];
                all.extend(self.exprs(&one.comparators));
                all
            }
            Tree::Yield(one) => self.exprs(one.value.as_deref()),
            Tree::YieldFrom(one) => vec![self.expr(&one.value)],
            Tree::Starred(one) => vec![self.expr(&one.value)],
            Tree::Slice(one) => {
                let parts = [&one.lower, &one.upper, &one.step];
                self.exprs(parts.into_iter().filter_map(|part| part.as_deref()))
            }
            Tree::IpyEscapeCommand(_) => {
                self.is_cut = true;
                Vec::new()
            }
            _ => Vec::new(),
        }
    }

    /// A number as it is written.
    fn number(&self, expr: &Tree) -> Expr {
        let range = expr.range();
        Expr::Text(self.between(range.start().to_u32(), range.end().to_u32()).as_bytes().to_vec())
    }

    fn formatted(&mut self, value: &ast::FStringValue) -> Expr {
        let mut parts = Vec::new();
        for part in value.iter() {
            match part {
                ast::FStringPart::Literal(text) => parts.push(literal(text.value.as_bytes())),
                ast::FStringPart::FString(one) => self.elements(&one.elements, &mut parts),
            }
        }
        one_text(parts)
    }

    fn joined<'e>(&mut self, all: impl IntoIterator<Item = &'e Element>) -> Expr {
        let mut parts = Vec::new();
        self.elements(all, &mut parts);
        one_text(parts)
    }

    fn elements<'e>(&mut self, all: impl IntoIterator<Item = &'e Element>, parts: &mut Vec<Expr>) {
        for one in all {
            match one {
                Element::Literal(text) => parts.push(literal(text.value.as_bytes())),
                Element::Interpolation(inner) => parts.push(self.expr(&inner.expression)),
            }
        }
    }

    fn subscript(&mut self, one: &ast::ExprSubscript) -> Expr {
        let value = self.boxed(&one.value);
        let Tree::Slice(slice) = &*one.slice else {
            return Expr::Index(value, self.boxed(&one.slice));
        };
        let is_minus_one = |step: &Tree| {
            let range = step.range();
            self.between(range.start().to_u32(), range.end().to_u32()) == "-1"
        };
        match (&slice.lower, &slice.upper, &slice.step) {
            (None, None, Some(step)) if is_minus_one(step) => Expr::Reversed(value),
            // A part of a list is what the list is; of a text it is not known.
            _ => Expr::Call(Box::new(Expr::Member(value, "slice".to_owned())), Vec::new()),
        }
    }

    pub(super) fn arguments(&mut self, of: &ast::Arguments) -> Vec<Argument> {
        let mut all = Vec::with_capacity(of.len());
        for one in &of.args {
            let (inner, is_spread) = match one {
                Tree::Starred(starred) => (&*starred.value, true),
                other => (other, false),
            };
            all.push(Argument { name: None, value: self.expr(inner), is_spread });
        }
        for one in &of.keywords {
            let name = one.arg.as_ref().map(|name| name.as_str().to_owned());
            all.push(Argument { name, value: self.expr(&one.value), is_spread: false });
        }
        all
    }

    fn binary(&mut self, one: &ast::ExprBinOp) -> Expr {
        match one.op {
            Operator::Add => {
                // `a + b + c` is as deep as it is long.
                let (mut left, mut parts) = (&*one.left, vec![self.expr(&one.right)]);
                while let Tree::BinOp(inner) = left
                    && inner.op == Operator::Add
                {
                    parts.push(self.expr(&inner.right));
                    left = &inner.left;
                }
                parts.push(self.expr(left));
                parts.reverse();
                Expr::Joined(parts)
            }
            Operator::Div => Expr::Slash(self.boxed(&one.left), self.boxed(&one.right)),
            Operator::Mod => Expr::Filled(self.boxed(&one.left), self.boxed(&one.right)),
            _ => Expr::Other(self.exprs([&*one.left, &*one.right])),
        }
    }

    fn dictionary(&mut self, one: &ast::ExprDict) -> Expr {
        let mut pairs = Vec::new();
        for item in &one.items {
            let key = item.key.as_ref().map(|key| self.expr(key));
            let key = key.unwrap_or_else(|| Expr::Text(Vec::new()));
            pairs.push((key, self.expr(&item.value)));
        }
        Expr::Map(pairs)
    }

    fn comprehension(&mut self, body: Expr, clauses: &[ast::Comprehension]) -> Expr {
        let mut done = body;
        for clause in clauses.iter().rev() {
            // A condition is read, and has no say; the value is the last.
            for condition in clause.ifs.iter().rev() {
                done = Expr::OneOf(vec![self.expr(condition), done]);
            }
            done =
                Expr::Each(self.pattern(&clause.target), self.boxed(&clause.iter), Box::new(done));
        }
        done
    }
}

fn one_text(mut parts: Vec<Expr>) -> Expr {
    match parts.len() {
        0 => Expr::Text(Vec::new()),
        1 => parts.pop().unwrap_or_default(),
        _ => Expr::Joined(parts),
    }
}
