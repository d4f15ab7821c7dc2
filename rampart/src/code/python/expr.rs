//! Python's expressions, and what values are given to.

use super::{Python, parameters};
use crate::code::arena::List;
use crate::code::lowered::{Argument, Expr, Pattern, Statement};
use crate::code::syntax::Source;
use ruff_python_ast::{self as ast, Expr as Tree, InterpolatedStringElement as Element, Operator};
use ruff_text_size::Ranged;

impl<'t> Source<'t, Python> {
    pub(super) fn pattern(&mut self, target: &Tree) -> Pattern<'t> {
        self.deeper(|source| match target {
            Tree::Name(one) => Pattern::Name(source.arena.text(one.id.as_str())),
            Tree::Tuple(one) => source.patterns(&one.elts),
            Tree::List(one) => source.patterns(&one.elts),
            Tree::Starred(one) => source.pattern(&one.value),
            other => Pattern::Place(source.boxed(other)),
        })
    }

    fn patterns(&mut self, all: &[Tree]) -> Pattern<'t> {
        Pattern::Elements(self.arena.all(all.iter().map(|one| self.pattern(one))))
    }

    pub(super) fn expr(&mut self, expr: &Tree) -> Expr<'t> {
        self.deeper(|source| source.expr_here(expr))
    }

    fn boxed(&mut self, expr: &Tree) -> &'t Expr<'t> {
        let arena = self.arena;
        arena.put(self.expr(expr))
    }

    fn exprs<'e>(&mut self, all: impl IntoIterator<Item = &'e Tree>) -> &'t [Expr<'t>] {
        self.arena.all(all.into_iter().map(|one| self.expr(one)))
    }

    /// A literal that the tree has in it.
    fn kept(&self, text: &[u8]) -> Expr<'t> {
        self.literal(self.arena.copied(text))
    }

    fn expr_here(&mut self, expr: &Tree) -> Expr<'t> {
        match expr {
            Tree::Name(one) => Expr::Name(self.arena.text(one.id.as_str())),
            Tree::NumberLiteral(_) => self.number(expr),
            Tree::StringLiteral(one) => self.kept(one.value.to_str().as_bytes()),
            Tree::BytesLiteral(one) => {
                let bytes = one.value.iter().flat_map(|part| part.value.iter().copied());
                self.literal(self.arena.all(bytes))
            }
            Tree::FString(one) => self.formatted(&one.value),
            Tree::TString(one) => self.joined(one.value.elements()),
            Tree::Attribute(one) => {
                Expr::Member(self.boxed(&one.value), self.arena.text(one.attr.as_str()))
            }
            Tree::Subscript(one) => self.subscript(one),
            Tree::Call(one) => Expr::Call(self.boxed(&one.func), self.arguments(&one.arguments)),
            Tree::BinOp(one) => self.binary(one),
            Tree::UnaryOp(one) => match &*one.operand {
                Tree::NumberLiteral(number) if matches!(number.value, ast::Number::Int(_)) => {
                    self.number(expr)
                }
                operand => Expr::Other(self.exprs([operand])),
            },
            Tree::BoolOp(one) => Expr::OneOf(self.exprs(&one.values)),
            Tree::If(one) => Expr::OneOf(self.exprs([&*one.body, &*one.test, &*one.orelse])),
            Tree::List(one) => Expr::List(self.exprs(&one.elts)),
            Tree::Tuple(one) => Expr::List(self.exprs(&one.elts)),
            Tree::Set(one) => Expr::List(self.exprs(&one.elts)),
            Tree::Dict(one) => self.dictionary(one),
            Tree::Lambda(one) => {
                let given = one.parameters.as_ref();
                let parameters = given.map(|all| parameters(self.arena, all)).unwrap_or_default();
                let body = self.arena.all([Statement::Return(self.expr(&one.body))]);
                Expr::Function(self.made(parameters, body))
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
                let parts = one.key.as_deref().into_iter().chain([&*one.value]);
                let parts = Expr::Other(self.exprs(parts));
                self.comprehension(parts, &one.generators)
            }
            Tree::Await(one) => self.expr(&one.value),
            Tree::Named(one) => {
                let pattern = self.arena.put(self.pattern(&one.target));
                Expr::Assigned(pattern, self.boxed(&one.value))
            }
            other => Expr::Other(self.parts(other)),
        }
    }

    /// What is read of an expression that gives nothing which is known.
    fn parts(&mut self, expr: &Tree) -> &'t [Expr<'t>] {
        match expr {
            Tree::Compare(one) => self.exprs(std::iter::once(&*one.left).chain(&one.comparators)),
            Tree::Yield(one) => self.exprs(one.value.as_deref()),
            Tree::YieldFrom(one) => self.exprs([&*one.value]),
            Tree::Starred(one) => self.exprs([&*one.value]),
            Tree::Slice(one) => {
                let parts = [&one.lower, &one.upper, &one.step];
                self.exprs(parts.into_iter().filter_map(|part| part.as_deref()))
            }
            Tree::IpyEscapeCommand(_) => {
                self.is_cut = true;
                &[]
            }
            _ => &[],
        }
    }

    /// A number as it is written.
    fn number(&self, expr: &Tree) -> Expr<'t> {
        let range = expr.range();
        Expr::Text(self.between(range.start().to_u32(), range.end().to_u32()).as_bytes())
    }

    fn formatted(&mut self, value: &ast::FStringValue) -> Expr<'t> {
        let mut parts = self.arena.list();
        for part in value.iter() {
            match part {
                ast::FStringPart::Literal(text) => parts.push(self.kept(text.value.as_bytes())),
                ast::FStringPart::FString(one) => self.elements(&one.elements, &mut parts),
            }
        }
        self.one_text(parts)
    }

    fn joined<'e>(&mut self, all: impl IntoIterator<Item = &'e Element>) -> Expr<'t> {
        let mut parts = self.arena.list();
        self.elements(all, &mut parts);
        self.one_text(parts)
    }

    fn elements<'e>(
        &mut self,
        all: impl IntoIterator<Item = &'e Element>,
        parts: &mut List<'t, Expr<'t>>,
    ) {
        for one in all {
            match one {
                Element::Literal(text) => parts.push(self.kept(text.value.as_bytes())),
                Element::Interpolation(inner) => parts.push(self.expr(&inner.expression)),
            }
        }
    }

    fn subscript(&mut self, one: &ast::ExprSubscript) -> Expr<'t> {
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
            _ => Expr::Call(self.arena.put(Expr::Member(value, "slice")), &[]),
        }
    }

    pub(super) fn arguments(&mut self, of: &ast::Arguments) -> &'t [Argument<'t>] {
        let mut all = self.arena.list();
        all.reserve(of.len());
        for one in &of.args {
            let (inner, is_spread) = match one {
                Tree::Starred(starred) => (&*starred.value, true),
                other => (other, false),
            };
            all.push(Argument { name: None, value: self.expr(inner), is_spread });
        }
        for one in &of.keywords {
            let name = one.arg.as_ref().map(|name| self.arena.text(name.as_str()));
            all.push(Argument { name, value: self.expr(&one.value), is_spread: false });
        }
        self.arena.done(all)
    }

    fn binary(&mut self, one: &ast::ExprBinOp) -> Expr<'t> {
        match one.op {
            Operator::Add => {
                // `a + b + c` is as deep as it is long.
                let (mut left, mut parts) = (&*one.left, self.arena.list());
                parts.push(self.expr(&one.right));
                while let Tree::BinOp(inner) = left
                    && inner.op == Operator::Add
                {
                    parts.push(self.expr(&inner.right));
                    left = &inner.left;
                }
                parts.push(self.expr(left));
                parts.reverse();
                Expr::Joined(self.arena.done(parts))
            }
            Operator::Div => Expr::Slash(self.boxed(&one.left), self.boxed(&one.right)),
            Operator::Mod => Expr::Filled(self.boxed(&one.left), self.boxed(&one.right)),
            _ => Expr::Other(self.exprs([&*one.left, &*one.right])),
        }
    }

    fn dictionary(&mut self, one: &ast::ExprDict) -> Expr<'t> {
        let arena = self.arena;
        let pair = |item: &ast::DictItem| {
            let key = item.key.as_ref().map(|key| self.expr(key));
            (key.unwrap_or(Expr::Text(&[])), self.expr(&item.value))
        };
        Expr::Map(arena.all(one.items.iter().map(pair)))
    }

    fn comprehension(&mut self, body: Expr<'t>, clauses: &[ast::Comprehension]) -> Expr<'t> {
        let mut done = body;
        for clause in clauses.iter().rev() {
            // A condition is read, and has no say; the value is the last.
            for condition in clause.ifs.iter().rev() {
                done = Expr::OneOf(self.arena.all([self.expr(condition), done]));
            }
            let pattern = self.arena.put(self.pattern(&clause.target));
            done = Expr::Each(pattern, self.boxed(&clause.iter), self.arena.put(done));
        }
        done
    }

    fn one_text(&self, parts: List<'t, Expr<'t>>) -> Expr<'t> {
        match self.arena.done(parts) {
            [] => Expr::Text(&[]),
            [one] => *one,
            parts => Expr::Joined(parts),
        }
    }
}
