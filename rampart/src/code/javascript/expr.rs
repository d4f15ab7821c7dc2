//! JavaScript's expressions.

use super::JavaScript;
use crate::code::lowered::{Argument, Expr};
use crate::code::syntax::{Source, inline, literal, one_of};
use oxc_ast::ast::{self, Expression as Tree};
use oxc_span::GetSpan;
use oxc_syntax::operator::BinaryOperator;

impl Source<'_, JavaScript> {
    pub(super) fn expr(&mut self, expr: &Tree<'_>) -> Expr {
        self.deeper(|source| source.expr_here(expr))
    }

    fn boxed(&mut self, expr: &Tree<'_>) -> Box<Expr> {
        Box::new(self.expr(expr))
    }

    fn expr_here(&mut self, expr: &Tree<'_>) -> Expr {
        match expr {
            Tree::Identifier(one) => Expr::Name(one.name.to_string()),
            Tree::ThisExpression(_) => Expr::Name("this".to_owned()),
            Tree::NumericLiteral(_) => self.number(expr),
            Tree::StringLiteral(one) => literal(one.value.as_bytes()),
            Tree::TemplateLiteral(one) => self.template(one),
            Tree::TaggedTemplateExpression(one) => {
                let function = self.boxed(&one.tag);
                let value = self.template(&one.quasi);
                Expr::Call(function, vec![Argument { name: None, value, is_spread: false }])
            }
            Tree::CallExpression(one) => self.call(&one.callee, &one.arguments),
            Tree::NewExpression(one) => self.call(&one.callee, &one.arguments),
            Tree::ImportExpression(one) => {
                let value = self.expr(&one.source);
                let function = Box::new(Expr::Name("require".to_owned()));
                Expr::Call(function, vec![Argument { name: None, value, is_spread: false }])
            }
            Tree::ChainExpression(one) => match &one.expression {
                ast::ChainElement::CallExpression(call) => self.call(&call.callee, &call.arguments),
                ast::ChainElement::TSNonNullExpression(inner) => self.expr(&inner.expression),
                other => {
                    other.as_member_expression().map(|one| self.member(one)).unwrap_or_default()
                }
            },
            Tree::BinaryExpression(one) => self.binary(one),
            Tree::LogicalExpression(one) => {
                Expr::OneOf(vec![self.expr(&one.left), self.expr(&one.right)])
            }
            Tree::ConditionalExpression(one) => {
                let parts = [&one.test, &one.consequent, &one.alternate];
                Expr::OneOf(parts.map(|part| self.expr(part)).into())
            }
            Tree::UnaryExpression(one) => match &one.argument {
                Tree::NumericLiteral(_) => self.number(expr),
                argument => Expr::Other(vec![self.expr(argument)]),
            },
            Tree::ArrayExpression(one) => self.array(one),
            Tree::ObjectExpression(one) => self.object(one),
            Tree::ArrowFunctionExpression(one) => Expr::Function(self.arrow(one)),
            Tree::FunctionExpression(one) => Expr::Function(self.function(one)),
            Tree::ClassExpression(one) => inline(self.class(one)),
            Tree::AssignmentExpression(one) => {
                let target = self.target(&one.left);
                let value = self.boxed(&one.right);
                match one.operator.is_assign() {
                    true => Expr::Assigned(target, value),
                    false => Expr::Other(vec![*value]),
                }
            }
            Tree::AwaitExpression(one) => self.expr(&one.argument),
            Tree::SequenceExpression(one) => {
                one_of(one.expressions.iter().map(|part| self.expr(part)).collect())
            }
            other => self.wrapped(other),
        }
    }

    /// Expressions around others that change nothing of them, and what gives nothing that is known.
    fn wrapped(&mut self, expr: &Tree<'_>) -> Expr {
        match expr {
            Tree::ParenthesizedExpression(one) => self.expr(&one.expression),
            Tree::TSAsExpression(one) => self.expr(&one.expression),
            Tree::TSSatisfiesExpression(one) => self.expr(&one.expression),
            Tree::TSTypeAssertion(one) => self.expr(&one.expression),
            Tree::TSNonNullExpression(one) => self.expr(&one.expression),
            Tree::TSInstantiationExpression(one) => self.expr(&one.expression),
            Tree::YieldExpression(one) => {
                Expr::Other(one.argument.iter().map(|value| self.expr(value)).collect())
            }
            Tree::PrivateInExpression(one) => Expr::Other(vec![self.expr(&one.right)]),
            Tree::JSXElement(one) => Expr::Other(self.element(one)),
            Tree::JSXFragment(one) => Expr::Other(self.children(&one.children)),
            Tree::V8IntrinsicExpression(_) => {
                self.is_cut = true;
                Expr::default()
            }
            other => other.as_member_expression().map(|one| self.member(one)).unwrap_or_default(),
        }
    }

    pub(super) fn member(&mut self, of: &ast::MemberExpression<'_>) -> Expr {
        match of {
            ast::MemberExpression::StaticMemberExpression(one) => {
                Expr::Member(self.boxed(&one.object), one.property.name.to_string())
            }
            ast::MemberExpression::ComputedMemberExpression(one) => {
                Expr::Index(self.boxed(&one.object), self.boxed(&one.expression))
            }
            ast::MemberExpression::PrivateFieldExpression(one) => {
                Expr::Member(self.boxed(&one.object), format!("#{}", one.field.name))
            }
        }
    }

    /// A number as it is written.
    fn number(&self, expr: &Tree<'_>) -> Expr {
        let span = expr.span();
        Expr::Text(self.between(span.start, span.end).as_bytes().to_vec())
    }

    fn template(&mut self, of: &ast::TemplateLiteral<'_>) -> Expr {
        let mut parts = Vec::new();
        let mut values = of.expressions.iter();
        for text in &of.quasis {
            let text = text.value.cooked.as_ref().unwrap_or(&text.value.raw);
            if !text.is_empty() {
                parts.push(literal(text.as_bytes()));
            }
            parts.extend(values.next().map(|value| self.expr(value)));
        }
        Expr::Joined(parts)
    }

    fn call(&mut self, callee: &Tree<'_>, arguments: &[ast::Argument<'_>]) -> Expr {
        let function = self.boxed(callee);
        let mut all = Vec::with_capacity(arguments.len());
        for one in arguments {
            let (value, is_spread) = match one {
                ast::Argument::SpreadElement(inner) => (self.expr(&inner.argument), true),
                other => {
                    (other.as_expression().map(|value| self.expr(value)).unwrap_or_default(), false)
                }
            };
            all.push(Argument { name: None, value, is_spread });
        }
        Expr::Call(function, all)
    }

    fn binary(&mut self, one: &ast::BinaryExpression<'_>) -> Expr {
        if one.operator != BinaryOperator::Addition {
            return Expr::Other(vec![self.expr(&one.left), self.expr(&one.right)]);
        }
        // `a + b + c` is as deep as it is long.
        let (mut left, mut parts) = (&one.left, vec![self.expr(&one.right)]);
        while let Tree::BinaryExpression(inner) = left
            && inner.operator == BinaryOperator::Addition
        {
            parts.push(self.expr(&inner.right));
            left = &inner.left;
        }
        parts.push(self.expr(left));
        parts.reverse();
        Expr::Joined(parts)
    }

    fn array(&mut self, of: &ast::ArrayExpression<'_>) -> Expr {
        let mut all = Vec::new();
        for one in &of.elements {
            all.push(match one {
                ast::ArrayExpressionElement::SpreadElement(inner) => {
                    Expr::Other(vec![self.expr(&inner.argument)])
                }
                other => other.as_expression().map(|value| self.expr(value)).unwrap_or_default(),
            });
        }
        Expr::List(all)
    }

    fn object(&mut self, of: &ast::ObjectExpression<'_>) -> Expr {
        let mut pairs = Vec::new();
        for one in &of.properties {
            pairs.push(match one {
                ast::ObjectPropertyKind::ObjectProperty(one) => {
                    let key = match &one.key {
                        ast::PropertyKey::StaticIdentifier(name) => literal(name.name.as_bytes()),
                        key => key.as_expression().map(|key| self.expr(key)).unwrap_or_default(),
                    };
                    (key, self.expr(&one.value))
                }
                ast::ObjectPropertyKind::SpreadProperty(one) => {
                    (Expr::Text(Vec::new()), self.expr(&one.argument))
                }
            });
        }
        Expr::Map(pairs)
    }

    /// What stands in the tag of an element and between its tags.
    fn element(&mut self, of: &ast::JSXElement<'_>) -> Vec<Expr> {
        let mut all = Vec::new();
        for one in &of.opening_element.attributes {
            match one {
                ast::JSXAttributeItem::Attribute(one) => match &one.value {
                    Some(ast::JSXAttributeValue::ExpressionContainer(value)) => {
                        all.extend(value.expression.as_expression().map(|value| self.expr(value)));
                    }
                    Some(ast::JSXAttributeValue::Element(inner)) => {
                        all.extend(self.deeper(|source| source.element(inner)));
                    }
                    Some(ast::JSXAttributeValue::Fragment(inner)) => {
                        all.extend(self.deeper(|source| source.children(&inner.children)));
                    }
                    Some(ast::JSXAttributeValue::StringLiteral(_)) | None => {}
                },
                ast::JSXAttributeItem::SpreadAttribute(one) => all.push(self.expr(&one.argument)),
            }
        }
        all.extend(self.children(&of.children));
        all
    }

    fn children(&mut self, of: &[ast::JSXChild<'_>]) -> Vec<Expr> {
        let mut all = Vec::new();
        for one in of {
            match one {
                ast::JSXChild::Text(_) => {}
                ast::JSXChild::Element(inner) => {
                    all.extend(self.deeper(|source| source.element(inner)))
                }
                ast::JSXChild::Fragment(inner) => {
                    all.extend(self.deeper(|source| source.children(&inner.children)));
                }
                ast::JSXChild::ExpressionContainer(inner) => {
                    all.extend(inner.expression.as_expression().map(|value| self.expr(value)));
                }
                ast::JSXChild::Spread(inner) => all.push(self.expr(&inner.expression)),
            }
        }
        all
    }
}
