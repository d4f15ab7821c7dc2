//! JavaScript and TypeScript, by Oxc's parser: statements. Expressions are in `javascript/expr.rs`, functions
//! and what values are given to in `javascript/function.rs`.

mod expr;
mod function;

use super::arena::{Arena, List};
use super::lowered::{Expr, Pattern, Program, Statement};
use super::parse;
use super::syntax::Source;
use oxc_ast::ast::{self, Declaration, ModuleDeclaration, Statement as Tree};
use oxc_parser::{ParseOptions, Parser};
use oxc_span::SourceType;

/// The language.
pub struct JavaScript;

/// Parses `text`, which is from the file called `name`, if from any; nothing, and that not whole, if it is no code.
pub fn parse<'t>(arena: &'t Arena, text: &'t [u8], name: &[u8]) -> Program<'t> {
    let (text, is_text) = parse::characters(arena, text);
    let mut done = Program::default();
    // What interpreters make of types and of tags where no name asks for them differs.
    for dialect in dialects(name) {
        let read = || parse_as(arena, text, dialect);
        let found = parse::bounded(text, dialect.is_typescript(), read).unwrap_or_default();
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

fn parse_as<'t>(arena: &'t Arena, text: &'t str, dialect: SourceType) -> Program<'t> {
    let options = ParseOptions {
        allow_return_outside_function: true,
        preserve_parens: false,
        enable_ident_hashes: false,
        ..ParseOptions::default()
    };
    let parsed = Parser::new(arena.allocator(), text, dialect).with_options(options).parse();
    let mut source = Source::<JavaScript>::new(arena, text);
    let statements = source.block(&parsed.program.body);
    let is_whole = !parsed.panicked && parsed.diagnostics.is_empty() && !source.is_cut;
    Program { statements, is_whole }
}

impl<'t> Source<'t, JavaScript> {
    fn block(&mut self, all: &[Tree<'t>]) -> &'t [Statement<'t>] {
        self.arena.all(all.iter().map(|one| self.statement(one)))
    }

    fn statement(&mut self, statement: &Tree<'t>) -> Statement<'t> {
        self.deeper(|source| source.statement_here(statement))
    }

    fn statement_here(&mut self, statement: &Tree<'t>) -> Statement<'t> {
        match statement {
            Tree::ExpressionStatement(one) => self.effect(&one.expression),
            Tree::BlockStatement(one) => Statement::Block(self.block(&one.body)),
            Tree::ReturnStatement(one) => Statement::Return(
                one.argument.as_ref().map(|value| self.expr(value)).unwrap_or_default(),
            ),
            Tree::ForInStatement(one) => {
                let pattern = self.loop_variable(&one.left);
                self.each(pattern, &one.right, &one.body)
            }
            Tree::ForOfStatement(one) => {
                let pattern = self.loop_variable(&one.left);
                self.each(pattern, &one.right, &one.body)
            }
            other => match (other.as_declaration(), other.as_module_declaration()) {
                (Some(declaration), _) => self.declaration(declaration),
                (_, Some(module)) => self.module(module),
                _ => Statement::Block(self.branches(other)),
            },
        }
    }

    fn each(
        &mut self,
        pattern: Pattern<'t>,
        over: &ast::Expression<'t>,
        body: &Tree<'t>,
    ) -> Statement<'t> {
        let over = self.expr(over);
        Statement::For(pattern, over, self.arena.all([self.statement(body)]))
    }

    /// Statements that hold others, of which every one is read.
    fn branches(&mut self, statement: &Tree<'t>) -> &'t [Statement<'t>] {
        let mut all = self.arena.list();
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
                    self.blocks(&mut all, &case.consequent);
                }
            }
            Tree::ThrowStatement(one) => all.push(self.effect(&one.argument)),
            Tree::TryStatement(one) => {
                self.blocks(&mut all, &one.block.body);
                if let Some(handler) = &one.handler {
                    for name in handler.param.iter() {
                        all.push(Statement::Assign(self.binding(&name.pattern), Expr::default()));
                    }
                    self.blocks(&mut all, &handler.body.body);
                }
                if let Some(block) = &one.finalizer {
                    self.blocks(&mut all, &block.body);
                }
            }
            Tree::WithStatement(one) => {
                all.extend([self.effect(&one.object), self.statement(&one.body)])
            }
            _ => {}
        }
        self.arena.done(all)
    }

    /// What a block holds, too.
    fn blocks(&mut self, all: &mut List<'t, Statement<'t>>, of: &[Tree<'t>]) {
        all.extend(of.iter().map(|one| self.statement(one)));
    }

    /// An expression that stands for what it does.
    fn effect(&mut self, expr: &ast::Expression<'t>) -> Statement<'t> {
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

    fn variables(&mut self, of: &ast::VariableDeclaration<'t>) -> Statement<'t> {
        let mut all = self.arena.list();
        for one in &of.declarations {
            if let Some(value) = &one.init {
                let value = self.expr(value);
                all.push(Statement::Assign(self.binding(&one.id), value));
            }
        }
        Statement::Block(self.arena.done(all))
    }

    fn declaration(&mut self, of: &Declaration<'t>) -> Statement<'t> {
        match of {
            Declaration::VariableDeclaration(one) => self.variables(one),
            Declaration::FunctionDeclaration(one) => {
                let name = one.id.as_ref().map(|name| name.name.as_str()).unwrap_or_default();
                Statement::Define(name, self.function(one))
            }
            Declaration::ClassDeclaration(one) => Statement::Block(self.class(one)),
            Declaration::TSEnumDeclaration(one) => {
                let mut pairs = self.arena.list();
                for member in &one.body.members {
                    let name = self.literal(member.id.static_name().as_str().as_bytes());
                    pairs.push((
                        name,
                        member
                            .initializer
                            .as_ref()
                            .map(|value| self.expr(value))
                            .unwrap_or_default(),
                    ));
                }
                let pairs = self.arena.done(pairs);
                Statement::Assign(Pattern::Name(one.id.name.as_str()), Expr::Map(pairs))
            }
            Declaration::TSNamespaceDeclaration(one) => self.namespace(one),
            Declaration::TSGlobalDeclaration(one) => Statement::Block(self.block(&one.body.body)),
            Declaration::TSImportEqualsDeclaration(one) => match &one.module_reference {
                ast::TSModuleReference::ExternalModuleReference(module) => {
                    bind(one.id.name.as_str(), module.expression.value.as_str())
                }
                ast::TSModuleReference::IdentifierReference(other) => {
                    let value = Expr::Name(other.name.as_str());
                    Statement::Assign(Pattern::Name(one.id.name.as_str()), value)
                }
                ast::TSModuleReference::QualifiedName(_) => Statement::default(),
            },
            // Types do nothing.
            _ => Statement::default(),
        }
    }

    fn namespace(&mut self, one: &ast::TSNamespaceDeclaration<'t>) -> Statement<'t> {
        match &one.body {
            ast::TSNamespaceDeclarationBody::TSModuleBlock(block) => {
                Statement::Block(self.block(&block.body))
            }
            ast::TSNamespaceDeclarationBody::TSNamespaceDeclaration(inner) => {
                self.deeper(|source| source.namespace(inner))
            }
        }
    }

    fn module(&mut self, of: &ModuleDeclaration<'t>) -> Statement<'t> {
        match of {
            ModuleDeclaration::ImportDeclaration(one) => import(self.arena, one),
            ModuleDeclaration::ExportDeclaration(one) => self.declaration(&one.declaration),
            ModuleDeclaration::ExportDefaultDeclaration(one) => match &one.declaration {
                ast::ExportDefaultDeclarationKind::FunctionDeclaration(function) => {
                    let name = function.id.as_ref().map(|name| name.name.as_str());
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

const fn bind<'t>(name: &'t str, module: &'t str) -> Statement<'t> {
    Statement::Assign(Pattern::Name(name), Expr::Module(module))
}

fn import<'t>(arena: &'t Arena, one: &ast::ImportDeclaration<'t>) -> Statement<'t> {
    let module = one.source.value.as_str();
    let mut all = arena.list();
    for part in one.specifiers.iter().flatten() {
        all.push(match part {
            ast::ImportDeclarationSpecifier::ImportSpecifier(part) => bind(
                part.local.name.as_str(),
                arena.joined([module, ".", part.imported.name().as_str()]),
            ),
            ast::ImportDeclarationSpecifier::ImportDefaultSpecifier(part) => {
                bind(part.local.name.as_str(), module)
            }
            ast::ImportDeclarationSpecifier::ImportNamespaceSpecifier(part) => {
                bind(part.local.name.as_str(), module)
            }
        });
    }
    Statement::Block(arena.done(all))
}
