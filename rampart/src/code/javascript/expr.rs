//! JavaScript's expressions.

use super::JavaScript;
use crate::code::arena::List;
use crate::code::lowered::{Argument, Expr};
use crate::code::syntax::{Source, one_of};
use oxc_ast::ast::{self, Expression as Tree};
use oxc_span::GetSpan;
use oxc_syntax::operator::BinaryOperator;

impl<'t> Source<'t, JavaScript> {
    pub(super) fn expr(&mut self, expr: &Tree<'t>) -> Expr<'t> {
        self.deeper(|source| source.expr_here(expr))
    }

    fn boxed(&mut self, expr: &Tree<'t>) -> &'t Expr<'t> {
        self.arena.put(self.expr(expr))
    }

    fn exprs<const N: usize>(&mut self, all: [&Tree<'t>; N]) -> &'t [Expr<'t>] {
        self.arena.all(all.map(|one| self.expr(one)))
    }

    /// The only argument of a call.
    fn argument(&self, value: Expr<'t>) -> &'t [Argument<'t>] {
        self.arena.all([Argument { name: None, value, is_spread: false }])
    }

    fn expr_here(&mut self, expr: &Tree<'t>) -> Expr<'t> {
        match expr {
            Tree::Identifier(one) => Expr::Name(one.name.as_str()),
            Tree::ThisExpression(_) => Expr::Name("this"),
            Tree::NumericLiteral(_) => self.number(expr),
            Tree::StringLiteral(one) => self.literal(one.value.as_str().as_bytes()),
            Tree::TemplateLiteral(one) => self.template(one),
            Tree::TaggedTemplateExpression(one) => {
                let function = self.boxed(&one.tag);
                let value = self.template(&one.quasi);
                Expr::Call(function, self.argument(value))
            }
            Tree::CallExpression(one) => self.call(&one.callee, &one.arguments),
            Tree::NewExpression(one) => self.call(&one.callee, &one.arguments),
            Tree::ImportExpression(one) => {
                let value = self.expr(&one.source);
                let function = self.arena.put(Expr::Name("require"));
                Expr::Call(function, self.argument(value))
            }
            Tree::ChainExpression(one) => match &one.expression {
                ast::ChainElement::CallExpression(call) => self.call(&call.callee, &call.arguments),
                ast::ChainElement::TSNonNullExpression(inner) => self.expr(&inner.expression),
                other => {
                    other.as_member_expression().map(|one| self.member(one)).unwrap_or_default()
                }
            },
            Tree::BinaryExpression(one) => self.binary(one),
            Tree::LogicalExpression(one) => Expr::OneOf(self.exprs([&one.left, &one.right])),
            Tree::ConditionalExpression(one) => {
                let parts = [&one.test, &one.consequent, &one.alternate];
                Expr::OneOf(self.exprs(parts))
            }
            Tree::UnaryExpression(one) => match &one.argument {
                Tree::NumericLiteral(_) => self.number(expr),
                argument => Expr::Other(self.exprs([argument])),
            },
            Tree::ArrayExpression(one) => self.array(one),
            Tree::ObjectExpression(one) => self.object(one),
            Tree::ArrowFunctionExpression(one) => Expr::Function(self.arrow(one)),
            Tree::FunctionExpression(one) => Expr::Function(self.function(one)),
            Tree::ClassExpression(one) => {
                let body = self.class(one);
                self.inline(body)
            }
            Tree::AssignmentExpression(one) => {
                let target = self.target(&one.left);
                let value = self.boxed(&one.right);
                match one.operator.is_assign() {
                    true => Expr::Assigned(self.arena.put(target), value),
                    false => Expr::Other(std::slice::from_ref(value)),
                }
            }
            Tree::AwaitExpression(one) => self.expr(&one.argument),
            Tree::SequenceExpression(one) => {
                one_of(self.arena.all(one.expressions.iter().map(|part| self.expr(part))))
            }
            other => self.wrapped(other),
        }
    }

    /// Expressions around others that change nothing of them, and what gives nothing that is known.
    fn wrapped(&mut self, expr: &Tree<'t>) -> Expr<'t> {
        match expr {
            Tree::ParenthesizedExpression(one) => self.expr(&one.expression),
            Tree::TSAsExpression(one) => self.expr(&one.expression),
            Tree::TSSatisfiesExpression(one) => self.expr(&one.expression),
            Tree::TSTypeAssertion(one) => self.expr(&one.expression),
            Tree::TSNonNullExpression(one) => self.expr(&one.expression),
            Tree::TSInstantiationExpression(one) => self.expr(&one.expression),
            Tree::YieldExpression(one) => {
                Expr::Other(self.arena.all(one.argument.iter().map(|value| self.expr(value))))
            }
            Tree::PrivateInExpression(one) => Expr::Other(self.exprs([&one.right])),
            Tree::JSXElement(one) => {
                let mut all = self.arena.list();
                self.element(one, &mut all);
                Expr::Other(self.arena.done(all))
            }
            Tree::JSXFragment(one) => {
                let mut all = self.arena.list();
                self.children(&one.children, &mut all);
                Expr::Other(self.arena.done(all))
            }
            Tree::V8IntrinsicExpression(_) => {
                self.is_cut = true;
                Expr::default()
            }
            other => other.as_member_expression().map(|one| self.member(one)).unwrap_or_default(),
        }
    }

    pub(super) fn member(&mut self, of: &ast::MemberExpression<'t>) -> Expr<'t> {
        match of {
            ast::MemberExpression::StaticMemberExpression(one) => {
                Expr::Member(self.boxed(&one.object), one.property.name.as_str())
            }
            ast::MemberExpression::ComputedMemberExpression(one) => {
                Expr::Index(self.boxed(&one.object), self.boxed(&one.expression))
            }
            ast::MemberExpression::PrivateFieldExpression(one) => Expr::Member(
                self.boxed(&one.object),
                self.arena.joined(["#", one.field.name.as_str()]),
            ),
        }
    }

    /// A number as it is written.
    fn number(&self, expr: &Tree<'t>) -> Expr<'t> {
        let span = expr.span();
        Expr::Text(self.between(span.start, span.end).as_bytes())
    }

    fn template(&mut self, of: &ast::TemplateLiteral<'t>) -> Expr<'t> {
        let mut parts = self.arena.list();
        let mut values = of.expressions.iter();
        for text in &of.quasis {
            let text = text.value.cooked.as_ref().unwrap_or(&text.value.raw);
            if !text.is_empty() {
                parts.push(self.literal(text.as_str().as_bytes()));
            }
            parts.extend(values.next().map(|value| self.expr(value)));
        }
        Expr::Joined(self.arena.done(parts))
    }

    fn call(&mut self, callee: &Tree<'t>, arguments: &[ast::Argument<'t>]) -> Expr<'t> {
        let function = self.boxed(callee);
        let mut all = self.arena.list();
        all.reserve(arguments.len());
        for one in arguments {
            let (value, is_spread) = match one {
                ast::Argument::SpreadElement(inner) => (self.expr(&inner.argument), true),
                other => {
                    (other.as_expression().map(|value| self.expr(value)).unwrap_or_default(), false)
                }
            };
            all.push(Argument { name: None, value, is_spread });
        }
        Expr::Call(function, self.arena.done(all))
    }

    fn binary(&mut self, one: &ast::BinaryExpression<'t>) -> Expr<'t> {
        if one.operator != BinaryOperator::Addition {
            return Expr::Other(self.exprs([&one.left, &one.right]));
        }
        // `a + b + c` is as deep as it is long.
        let (mut left, mut parts) = (&one.left, self.arena.list());
        parts.push(self.expr(&one.right));
        while let Tree::BinaryExpression(inner) = left
            && inner.operator == BinaryOperator::Addition
        {
            parts.push(self.expr(&inner.right));
            left = &inner.left;
        }
        parts.push(self.expr(left));
        parts.reverse();
        Expr::Joined(self.arena.done(parts))
    }

    fn array(&mut self, of: &ast::ArrayExpression<'t>) -> Expr<'t> {
        let mut all = self.arena.list();
        for one in &of.elements {
            all.push(match one {
                ast::ArrayExpressionElement::SpreadElement(inner) => {
                    Expr::Other(self.exprs([&inner.argument]))
                }
                other => other.as_expression().map(|value| self.expr(value)).unwrap_or_default(),
            });
        }
        Expr::List(self.arena.done(all))
    }

    fn object(&mut self, of: &ast::ObjectExpression<'t>) -> Expr<'t> {
        let mut pairs = self.arena.list();
        for one in &of.properties {
            pairs.push(match one {
                ast::ObjectPropertyKind::ObjectProperty(one) => {
                    let key = match &one.key {
                        ast::PropertyKey::StaticIdentifier(name) => {
                            self.literal(name.name.as_str().as_bytes())
                        }
                        key => key.as_expression().map(|key| self.expr(key)).unwrap_or_default(),
                    };
                    (key, self.expr(&one.value))
                }
                ast::ObjectPropertyKind::SpreadProperty(one) => {
                    (Expr::Text(&[]), self.expr(&one.argument))
                }
            });
        }
        Expr::Map(self.arena.done(pairs))
    }

    /// What stands in the tag of an element and between its tags.
    fn element(&mut self, of: &ast::JSXElement<'t>, all: &mut List<'t, Expr<'t>>) {
        for one in &of.opening_element.attributes {
            match one {
                ast::JSXAttributeItem::Attribute(one) => match &one.value {
                    Some(ast::JSXAttributeValue::ExpressionContainer(value)) => {
                        all.extend(value.expression.as_expression().map(|value| self.expr(value)));
                    }
                    Some(ast::JSXAttributeValue::Element(inner)) => {
                        self.deeper(|source| source.element(inner, all));
                    }
                    Some(ast::JSXAttributeValue::Fragment(inner)) => {
                        self.deeper(|source| source.children(&inner.children, all));
                    }
                    Some(ast::JSXAttributeValue::StringLiteral(_)) | None => {}
                },
                ast::JSXAttributeItem::SpreadAttribute(one) => all.push(self.expr(&one.argument)),
            }
        }
        self.children(&of.children, all);
    }

    fn children(&mut self, of: &[ast::JSXChild<'t>], all: &mut List<'t, Expr<'t>>) {
        for one in of {
            match one {
                ast::JSXChild::Text(_) => {}
                ast::JSXChild::Element(inner) => {
                    self.deeper(|source| source.element(inner, all));
                }
                ast::JSXChild::Fragment(inner) => {
                    self.deeper(|source| source.children(&inner.children, all));
                }
                ast::JSXChild::ExpressionContainer(inner) => {
                    all.extend(inner.expression.as_expression().map(|value| self.expr(value)));
                }
                ast::JSXChild::Spread(inner) => all.push(self.expr(&inner.expression)),
            }
        }
    }
}
