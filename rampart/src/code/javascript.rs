//! JavaScript and TypeScript, by Oxc's parser: statements. Expressions are in `javascript/expr.rs`, functions
//! and what values are given to in `javascript/function.rs`.

mod expr;
mod function;

use super::lowered::{Expr, Pattern, Program, Statement};
use super::parse;
use super::syntax::{Source, literal};
use oxc_allocator::Allocator;
use oxc_ast::ast::{self, Declaration, ModuleDeclaration, Statement as Tree};
use oxc_parser::{ParseOptions, Parser};
use oxc_span::SourceType;

/// The language.
pub struct JavaScript;

/// Parses `text`, which is from the file called `name`, if from any; nothing, and that not whole, if it is no code.
pub fn parse(text: &[u8], name: &[u8]) -> Program {
    let (text, is_text) = parse::characters(text);
    let mut done = Program::default();
    // What interpreters make of types and of tags where no name asks for them differs.
    for dialect in dialects(name) {
        let read = || parse_as(&text, dialect);
        let found = parse::bounded(&text, dialect.is_typescript(), read).unwrap_or_default();
        if found.is_whole || done.statements.is_empty() {
            done = found;
        }
        if done.is_whole {
            break;
        }
    }
    done.is_whole &= is_text;
    done
}

/// What a file of this name may hold, the likeliest first. Only modules have `await` outside of functions.
fn dialects(name: &[u8]) -> [SourceType; 2] {
    match name.rsplit(|byte| *byte == b'.').next().unwrap_or_default() {
        b"ts" | b"mts" | b"cts" => [SourceType::ts().with_unambiguous(true), SourceType::ts()],
        b"tsx" => [SourceType::tsx().with_unambiguous(true), SourceType::tsx()],
        _ => [SourceType::unambiguous().with_jsx(true), SourceType::tsx()],
    }
}

fn parse_as(text: &str, dialect: SourceType) -> Program {
    let allocator = Allocator::default();
    let options = ParseOptions {
        allow_return_outside_function: true,
        preserve_parens: false,
        enable_ident_hashes: false,
        ..ParseOptions::default()
    };
    let parsed = Parser::new(&allocator, text, dialect).with_options(options).parse();
    let mut source = Source::<JavaScript>::new(text);
    let statements = source.block(&parsed.program.body);
    let is_whole = !parsed.panicked && parsed.diagnostics.is_empty() && !source.is_cut;
    Program { statements, is_whole }
}

impl Source<'_, JavaScript> {
    fn block(&mut self, all: &[Tree<'_>]) -> Vec<Statement> {
        all.iter().map(|one| self.statement(one)).collect()
    }

    fn statement(&mut self, statement: &Tree<'_>) -> Statement {
        self.deeper(|source| source.statement_here(statement))
    }

    fn statement_here(&mut self, statement: &Tree<'_>) -> Statement {
        match statement {
            Tree::ExpressionStatement(one) => self.effect(&one.expression),
            Tree::BlockStatement(one) => Statement::Block(self.block(&one.body)),
            Tree::ReturnStatement(one) => Statement::Return(
                one.argument.as_ref().map(|value| self.expr(value)).unwrap_or_default(),
            ),
            Tree::ForInStatement(one) => {
                let pattern = self.loop_variable(&one.left);
                Statement::For(pattern, self.expr(&one.right), vec![self.statement(&one.body)])
            }
            Tree::ForOfStatement(one) => {
                let pattern = self.loop_variable(&one.left);
                Statement::For(pattern, self.expr(&one.right), vec![self.statement(&one.body)])
            }
            other => match (other.as_declaration(), other.as_module_declaration()) {
                (Some(declaration), _) => self.declaration(declaration),
                (_, Some(module)) => self.module(module),
                _ => Statement::Block(self.branches(other)),
            },
        }
    }

    /// Statements that hold others, of which every one is read.
    fn branches(&mut self, statement: &Tree<'_>) -> Vec<Statement> {
        let mut all = Vec::new();
        match statement {
            Tree::IfStatement(one) => {
                all.push(self.effect(&one.test));
                all.push(self.statement(&one.consequent));
                all.extend(one.alternate.iter().map(|other| self.statement(other)));
            }
            Tree::DoWhileStatement(one) => {
                all.extend([self.statement(&one.body), self.effect(&one.test)])
            }
            Tree::WhileStatement(one) => {
                all.extend([self.effect(&one.test), self.statement(&one.body)])
            }
            Tree::ForStatement(one) => {
                match &one.init {
                    Some(ast::ForStatementInit::VariableDeclaration(init)) => {
                        all.push(self.variables(init))
                    }
                    Some(init) => all.extend(init.as_expression().map(|init| self.effect(init))),
                    None => {}
                }
                all.extend(one.test.iter().map(|test| self.effect(test)));
                all.push(self.statement(&one.body));
                all.extend(one.update.iter().map(|update| self.effect(update)));
            }
            Tree::LabeledStatement(one) => all.push(self.statement(&one.body)),
            Tree::SwitchStatement(one) => {
                all.push(self.effect(&one.discriminant));
                for case in &one.cases {
                    all.extend(case.test.iter().map(|test| self.effect(test)));
                    all.extend(self.block(&case.consequent));
                }
            }
            Tree::ThrowStatement(one) => all.push(self.effect(&one.argument)),
            Tree::TryStatement(one) => {
                all.extend(self.block(&one.block.body));
                if let Some(handler) = &one.handler {
                    for name in handler.param.iter() {
                        all.push(Statement::Assign(self.binding(&name.pattern), Expr::default()));
                    }
                    all.extend(self.block(&handler.body.body));
                }
                all.extend(one.finalizer.iter().flat_map(|block| self.block(&block.body)));
            }
            Tree::WithStatement(one) => {
                all.extend([self.effect(&one.object), self.statement(&one.body)])
            }
            _ => {}
        }
        all
    }

    /// An expression that stands for what it does.
    fn effect(&mut self, expr: &ast::Expression<'_>) -> Statement {
        match expr {
            ast::Expression::AssignmentExpression(one) => {
                let (target, value) = (self.target(&one.left), self.expr(&one.right));
                match one.operator.is_assign() {
                    true => Statement::Assign(target, value),
                    false => Statement::Append(target, value),
                }
            }
            _ => Statement::Do(self.expr(expr)),
        }
    }

    fn variables(&mut self, of: &ast::VariableDeclaration<'_>) -> Statement {
        let mut all = Vec::new();
        for one in &of.declarations {
            if let Some(value) = &one.init {
                let value = self.expr(value);
                all.push(Statement::Assign(self.binding(&one.id), value));
            }
        }
        Statement::Block(all)
    }

    fn declaration(&mut self, of: &Declaration<'_>) -> Statement {
        match of {
            Declaration::VariableDeclaration(one) => self.variables(one),
            Declaration::FunctionDeclaration(one) => {
                let name = one.id.as_ref().map(|name| name.name.to_string()).unwrap_or_default();
                Statement::Define(name, self.function(one))
            }
            Declaration::ClassDeclaration(one) => Statement::Block(self.class(one)),
            Declaration::TSEnumDeclaration(one) => {
                let mut pairs = Vec::new();
                for member in &one.body.members {
                    let name = literal(member.id.static_name().as_bytes());
                    pairs.push((
                        name,
                        member
                            .initializer
                            .as_ref()
                            .map(|value| self.expr(value))
                            .unwrap_or_default(),
                    ));
                }
                Statement::Assign(Pattern::Name(one.id.name.to_string()), Expr::Map(pairs))
            }
            Declaration::TSNamespaceDeclaration(one) => self.namespace(one),
            Declaration::TSGlobalDeclaration(one) => Statement::Block(self.block(&one.body.body)),
            Declaration::TSImportEqualsDeclaration(one) => match &one.module_reference {
                ast::TSModuleReference::ExternalModuleReference(module) => {
                    bind(one.id.name.as_str(), module.expression.value.as_str().to_owned())
                }
                ast::TSModuleReference::IdentifierReference(other) => {
                    let value = Expr::Name(other.name.to_string());
                    Statement::Assign(Pattern::Name(one.id.name.to_string()), value)
                }
                ast::TSModuleReference::QualifiedName(_) => Statement::default(),
            },
            // Types do nothing.
            _ => Statement::default(),
        }
    }

    fn namespace(&mut self, one: &ast::TSNamespaceDeclaration<'_>) -> Statement {
        match &one.body {
            ast::TSNamespaceDeclarationBody::TSModuleBlock(block) => {
                Statement::Block(self.block(&block.body))
            }
            ast::TSNamespaceDeclarationBody::TSNamespaceDeclaration(inner) => {
                self.deeper(|source| source.namespace(inner))
            }
        }
    }

    fn module(&mut self, of: &ModuleDeclaration<'_>) -> Statement {
        match of {
            ModuleDeclaration::ImportDeclaration(one) => import(one),
            ModuleDeclaration::ExportDeclaration(one) => self.declaration(&one.declaration),
            ModuleDeclaration::ExportDefaultDeclaration(one) => match &one.declaration {
                ast::ExportDefaultDeclarationKind::FunctionDeclaration(function) => {
                    let name = function.id.as_ref().map(|name| name.name.to_string());
                    Statement::Define(name.unwrap_or_default(), self.function(function))
                }
                ast::ExportDefaultDeclarationKind::ClassDeclaration(class) => {
                    Statement::Block(self.class(class))
                }
                other => other.as_expression().map(|value| self.effect(value)).unwrap_or_default(),
            },
            ModuleDeclaration::TSExportAssignment(one) => self.effect(&one.expression),
            _ => Statement::default(),
        }
    }
}

fn bind(name: &str, module: String) -> Statement {
    Statement::Assign(Pattern::Name(name.to_owned()), Expr::Module(module))
}

fn import(one: &ast::ImportDeclaration<'_>) -> Statement {
    let module = one.source.value.as_str();
    let mut all = Vec::new();
    for part in one.specifiers.iter().flatten() {
        all.push(match part {
            ast::ImportDeclarationSpecifier::ImportSpecifier(part) => {
                bind(part.local.name.as_str(), format!("{module}.{}", part.imported.name()))
            }
            ast::ImportDeclarationSpecifier::ImportDefaultSpecifier(part) => {
                bind(part.local.name.as_str(), module.to_owned())
            }
            ast::ImportDeclarationSpecifier::ImportNamespaceSpecifier(part) => {
                bind(part.local.name.as_str(), module.to_owned())
            }
        });
    }
    Statement::Block(all)
}
