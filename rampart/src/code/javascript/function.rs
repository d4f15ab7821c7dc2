//! JavaScript's functions and classes, and what values are given to.

use super::JavaScript;
use crate::code::arena::List;
use crate::code::lowered::{Expr, Function, Pattern, Statement};
use crate::code::syntax::Source;
use oxc_ast::ast;

impl<'t> Source<'t, JavaScript> {
    pub(super) fn function(&mut self, of: &ast::Function<'t>) -> &'t Function<'t> {
        let parameters = self.parameters(&of.params);
        let body = of.body.as_ref().map(|body| self.block(&body.statements)).unwrap_or_default();
        self.made(parameters, body)
    }

    pub(super) fn arrow(&mut self, of: &ast::ArrowFunctionExpression<'t>) -> &'t Function<'t> {
        let parameters = self.parameters(&of.params);
        let body = match (&of.body, of.body.as_expression()) {
            (ast::ArrowFunctionBody::FunctionBody(body), _) => self.block(&body.statements),
            // The value of an arrow function may be an assignment.
            (_, Some(value @ ast::Expression::AssignmentExpression(_))) => {
                self.arena.all([self.effect(value)])
            }
            (_, Some(value)) => self.arena.all([Statement::Return(self.expr(value))]),
            _ => &[],
        };
        self.made(parameters, body)
    }

    fn parameters(&mut self, of: &ast::FormalParameters<'t>) -> &'t [Pattern<'t>] {
        let plain = of.items.iter().map(|one| &one.pattern);
        let all = plain.chain(of.rest.iter().map(|one| &one.rest.argument));
        self.arena.all(all.map(|one| self.binding(one)))
    }

    /// A class, and what is worked out where it is defined.
    pub(super) fn class(&mut self, of: &ast::Class<'t>) -> &'t [Statement<'t>] {
        let mut all = self.arena.list();
        for one in &of.decorators {
            all.push(Statement::Do(self.expr(&one.expression)));
        }
        if let Some(heritage) = &of.heritage {
            all.push(Statement::Do(self.expr(&heritage.expression)));
        }
        let name = of.id.as_ref().map(|name| name.name.as_str()).unwrap_or_default();
        let mut body: List<'t, Statement<'t>> = self.arena.list();
        for element in &of.body.body {
            match element {
                ast::ClassElement::StaticBlock(block) => self.blocks(&mut body, &block.body),
                ast::ClassElement::MethodDefinition(method) => {
                    for one in &method.decorators {
                        body.push(Statement::Do(self.expr(&one.expression)));
                    }
                    body.push(Statement::Define(
                        self.key_name(&method.key),
                        self.function(&method.value),
                    ));
                }
                ast::ClassElement::PropertyDefinition(field) => {
                    body.extend(self.field(&field.key, field.value.as_ref()));
                }
                ast::ClassElement::AccessorProperty(field) => {
                    body.extend(self.field(&field.key, field.value.as_ref()));
                }
                ast::ClassElement::TSIndexSignature(_) => {}
            }
        }
        all.push(Statement::Class(name, self.arena.done(body)));
        self.arena.done(all)
    }

    fn field(
        &mut self,
        key: &ast::PropertyKey<'t>,
        value: Option<&ast::Expression<'t>>,
    ) -> Option<Statement<'t>> {
        let value = self.expr(value?);
        Some(Statement::Assign(Pattern::Name(self.key_name(key)), value))
    }

    /// The name of a member, if it is written; nothing otherwise.
    pub(super) fn key_name(&self, key: &ast::PropertyKey<'t>) -> &'t str {
        match key {
            ast::PropertyKey::StaticIdentifier(name) => name.name.as_str(),
            ast::PropertyKey::PrivateIdentifier(name) => {
                self.arena.joined(["#", name.name.as_str()])
            }
            ast::PropertyKey::StringLiteral(name) => name.value.as_str(),
            _ => "",
        }
    }

    pub(super) fn binding(&mut self, of: &ast::BindingPattern<'t>) -> Pattern<'t> {
        self.deeper(|source| match of {
            ast::BindingPattern::BindingIdentifier(one) => Pattern::Name(one.name.as_str()),
            ast::BindingPattern::ObjectPattern(one) => {
                let mut all = source.arena.list();
                for property in &one.properties {
                    all.push((source.key_name(&property.key), source.binding(&property.value)));
                }
                all.extend(one.rest.iter().map(|rest| ("...", source.binding(&rest.argument))));
                Pattern::Members(source.arena.done(all))
            }
            ast::BindingPattern::ArrayPattern(one) => {
                let hole = Pattern::default;
                let each = |part: &Option<ast::BindingPattern<'t>>, source: &mut Self| match part {
                    Some(part) => source.binding(part),
                    None => hole(),
                };
                let mut all = source.arena.list();
                all.extend(one.elements.iter().map(|part| each(part, source)));
                all.extend(one.rest.iter().map(|rest| source.binding(&rest.argument)));
                Pattern::Elements(source.arena.done(all))
            }
            ast::BindingPattern::AssignmentPattern(one) => source.binding(&one.left),
        })
    }

    pub(super) fn loop_variable(&mut self, of: &ast::ForStatementLeft<'t>) -> Pattern<'t> {
        match (of, of.as_assignment_target()) {
            (ast::ForStatementLeft::VariableDeclaration(one), _) => {
                one.declarations.first().map(|one| self.binding(&one.id)).unwrap_or_default()
            }
            (_, Some(target)) => self.target(target),
            _ => Pattern::default(),
        }
    }

    pub(super) fn target(&mut self, of: &ast::AssignmentTarget<'t>) -> Pattern<'t> {
        self.deeper(|source| match of {
            ast::AssignmentTarget::AssignmentTargetIdentifier(one) => {
                Pattern::Name(one.name.as_str())
            }
            ast::AssignmentTarget::ArrayAssignmentTarget(one) => {
                let mut all = source.arena.list();
                for part in &one.elements {
                    all.push(
                        part.as_ref().map(|part| source.maybe_default(part)).unwrap_or_default(),
                    );
                }
                all.extend(one.rest.iter().map(|rest| source.target(&rest.target)));
                Pattern::Elements(source.arena.done(all))
            }
            ast::AssignmentTarget::ObjectAssignmentTarget(one) => {
                let mut all = source.arena.list();
                for property in &one.properties {
                    all.push(match property {
                        ast::AssignmentTargetProperty::AssignmentTargetPropertyIdentifier(one) => {
                            let name = one.binding.name.as_str();
                            (name, Pattern::Name(name))
                        }
                        ast::AssignmentTargetProperty::AssignmentTargetPropertyProperty(one) => {
                            (source.key_name(&one.name), source.maybe_default(&one.binding))
                        }
                    });
                }
                all.extend(one.rest.iter().map(|rest| ("...", source.target(&rest.target))));
                Pattern::Members(source.arena.done(all))
            }
            other => source.place(other),
        })
    }

    fn maybe_default(&mut self, of: &ast::AssignmentTargetMaybeDefault<'t>) -> Pattern<'t> {
        match (of, of.as_assignment_target()) {
            (ast::AssignmentTargetMaybeDefault::AssignmentTargetWithDefault(one), _) => {
                self.target(&one.binding)
            }
            (_, Some(target)) => self.target(target),
            _ => Pattern::default(),
        }
    }

    /// A member or an element that is given a value.
    fn place(&mut self, of: &ast::AssignmentTarget<'t>) -> Pattern<'t> {
        let inner = match of {
            ast::AssignmentTarget::TSAsExpression(one) => self.expr(&one.expression),
            ast::AssignmentTarget::TSSatisfiesExpression(one) => self.expr(&one.expression),
            ast::AssignmentTarget::TSNonNullExpression(one) => self.expr(&one.expression),
            ast::AssignmentTarget::TSTypeAssertion(one) => self.expr(&one.expression),
            other => other.as_member_expression().map(|one| self.member(one)).unwrap_or_default(),
        };
        match inner {
            Expr::Name(name) => Pattern::Name(name),
            other => Pattern::Place(self.arena.put(other)),
        }
    }
}
