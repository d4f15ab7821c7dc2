//! Python, by Ruff's parser: statements. Expressions are in `python/expr.rs`.

mod expr;

use super::lowered::{Expr, Function, Pattern, Program, Statement};
use super::parse;
use super::syntax::Source;
use ruff_python_ast::{self as ast, Stmt};
use ruff_python_parser::{Mode, ParseOptions, parse_unchecked};
use std::rc::Rc;

/// The language.
pub struct Python;

/// Parses `text`; nothing, and that not whole, if it is no code.
pub fn parse(text: &[u8]) -> Program {
    let (text, is_text) = parse::characters(text);
    let read = || {
        let parsed = parse_unchecked(&text, ParseOptions::from(Mode::Module)).try_into_module()?;
        let mut source = Source::<Python>::new(&text);
        let statements = source.body(&parsed.syntax().body);
        let is_whole = parsed.errors().is_empty() && !source.is_cut;
        Some(Program { statements, is_whole: is_whole && is_text && is_plain(&text) })
    };
    parse::bounded(&text, false, read).flatten().unwrap_or_default()
}

/// Whether a script is what its bytes say: `# coding: utf-7` in the first two lines makes other text of them.
fn is_plain(text: &str) -> bool {
    let named = |line: &str| {
        let rest = line.trim_start().strip_prefix('#')?.split_once("coding")?.1;
        let rest = rest.strip_prefix([':', '='])?.trim_start();
        let end =
            rest.find(|letter: char| !letter.is_ascii_alphanumeric() && !"-_.".contains(letter));
        rest.get(..end.unwrap_or(rest.len()))
            .map(|name| name.to_ascii_lowercase().replace('_', "-"))
    };
    text.lines()
        .take(2)
        .filter_map(named)
        .all(|name| matches!(name.as_str(), "utf-8" | "utf8" | "ascii" | "us-ascii"))
}

impl Source<'_, Python> {
    fn body(&mut self, all: &[Stmt]) -> Vec<Statement> {
        all.iter().map(|one| self.statement(one)).collect()
    }

    fn statement(&mut self, statement: &Stmt) -> Statement {
        self.deeper(|source| source.statement_here(statement))
    }

    fn statement_here(&mut self, statement: &Stmt) -> Statement {
        match statement {
            Stmt::Expr(one) => Statement::Do(self.expr(&one.value)),
            Stmt::Assign(one) => self.assignment(one),
            Stmt::AnnAssign(one) => match &one.value {
                Some(value) => Statement::Assign(self.pattern(&one.target), self.expr(value)),
                None => Statement::default(),
            },
            Stmt::AugAssign(one) => {
                Statement::Append(self.pattern(&one.target), self.expr(&one.value))
            }
            Stmt::Import(one) => Statement::Block(one.names.iter().map(import).collect()),
            Stmt::ImportFrom(one) => import_from(one),
            Stmt::FunctionDef(one) => {
                let mut all = self.decorators(&one.decorator_list);
                self.defaults(&one.parameters, &mut all);
                let function = Function {
                    parameters: parameters(&one.parameters),
                    body: self.body(&one.body),
                };
                all.push(Statement::Define(one.name.as_str().to_owned(), Rc::new(function)));
                only(all)
            }
            Stmt::ClassDef(one) => {
                let mut all = self.decorators(&one.decorator_list);
                for arguments in one.arguments.iter() {
                    let given = self.arguments(arguments);
                    all.extend(given.into_iter().map(|one| Statement::Do(one.value)));
                }
                all.push(Statement::Class(one.name.as_str().to_owned(), self.body(&one.body)));
                only(all)
            }
            Stmt::For(one) => {
                let mut body = self.body(&one.body);
                body.extend(self.body(&one.orelse));
                Statement::For(self.pattern(&one.target), self.expr(&one.iter), body)
            }
            Stmt::Return(one) => Statement::Return(
                one.value.as_ref().map(|value| self.expr(value)).unwrap_or_default(),
            ),
            Stmt::With(one) => {
                let mut all = Vec::new();
                for item in &one.items {
                    let value = self.expr(&item.context_expr);
                    all.push(match &item.optional_vars {
                        Some(name) => Statement::Assign(self.pattern(name), value),
                        None => Statement::Do(value),
                    });
                }
                all.extend(self.body(&one.body));
                Statement::Block(all)
            }
            Stmt::Delete(one) => Statement::Block(self.each(&one.targets)),
            Stmt::IpyEscapeCommand(_) => {
                self.is_cut = true;
                Statement::default()
            }
            other => Statement::Block(self.branches(other)),
        }
    }

    /// Statements that hold others, of which every one is read.
    fn branches(&mut self, statement: &Stmt) -> Vec<Statement> {
        let mut all = Vec::new();
        match statement {
            Stmt::If(one) => {
                all.push(Statement::Do(self.expr(&one.test)));
                all.extend(self.body(&one.body));
                for clause in &one.elif_else_clauses {
                    all.extend(clause.test.iter().map(|test| Statement::Do(self.expr(test))));
                    all.extend(self.body(&clause.body));
                }
            }
            Stmt::While(one) => {
                all.push(Statement::Do(self.expr(&one.test)));
                all.extend(self.body(&one.body));
                all.extend(self.body(&one.orelse));
            }
            Stmt::Try(one) => {
                all.extend(self.body(&one.body));
                for ast::ExceptHandler::ExceptHandler(handler) in &one.handlers {
                    if let Some(kind) = &handler.type_ {
                        let kind = self.expr(kind);
                        all.push(match &handler.name {
                            Some(name) => {
                                Statement::Assign(Pattern::Name(name.as_str().to_owned()), kind)
                            }
                            None => Statement::Do(kind),
                        });
                    }
                    all.extend(self.body(&handler.body));
                }
                all.extend(self.body(&one.orelse));
                all.extend(self.body(&one.finalbody));
            }
            Stmt::Match(one) => {
                all.push(Statement::Do(self.expr(&one.subject)));
                for case in &one.cases {
                    self.captures(&case.pattern, &mut all);
                    all.extend(case.guard.iter().map(|guard| Statement::Do(self.expr(guard))));
                    all.extend(self.body(&case.body));
                }
            }
            Stmt::Raise(one) => {
                for part in one.exc.iter().chain(&one.cause) {
                    all.push(Statement::Do(self.expr(part)));
                }
            }
            Stmt::Assert(one) => {
                all.push(Statement::Do(self.expr(&one.test)));
                all.extend(one.msg.iter().map(|text| Statement::Do(self.expr(text))));
            }
            _ => {}
        }
        all
    }

    /// `a = b = value`: the last is given the value first, the others what it is.
    fn assignment(&mut self, one: &ast::StmtAssign) -> Statement {
        let mut value = self.expr(&one.value);
        let (first, rest) = match one.targets.as_slice() {
            [] => return Statement::Do(value),
            [first, rest @ ..] => (first, rest),
        };
        for target in rest.iter().rev() {
            value = Expr::Assigned(self.pattern(target), Box::new(value));
        }
        Statement::Assign(self.pattern(first), value)
    }

    fn each(&mut self, all: &[ast::Expr]) -> Vec<Statement> {
        all.iter().map(|one| Statement::Do(self.expr(one))).collect()
    }

    fn decorators(&mut self, all: &[ast::Decorator]) -> Vec<Statement> {
        all.iter().map(|one| Statement::Do(self.expr(&one.expression))).collect()
    }

    /// The values of parameters that are worked out where the function is defined.
    fn defaults(&mut self, of: &ast::Parameters, all: &mut Vec<Statement>) {
        let values = of.iter_non_variadic_params().filter_map(ast::ParameterWithDefault::default);
        for value in values.filter(|value| !value.is_literal_expr()) {
            all.push(Statement::Do(self.expr(value)));
        }
    }

    /// The names that a pattern of `match` gives to what it fits; what is given is not known.
    fn captures(&mut self, pattern: &ast::Pattern, all: &mut Vec<Statement>) {
        let mut name = |name: &ast::Identifier| {
            all.push(Statement::Assign(Pattern::Name(name.as_str().to_owned()), Expr::default()));
        };
        let inner: Vec<&ast::Pattern> = match pattern {
            ast::Pattern::MatchAs(one) => {
                one.name.iter().for_each(&mut name);
                one.pattern.iter().map(|inner| &**inner).collect()
            }
            ast::Pattern::MatchStar(one) => {
                one.name.iter().for_each(&mut name);
                Vec::new()
            }
            ast::Pattern::MatchMapping(one) => {
                one.rest.iter().for_each(&mut name);
                one.patterns.iter().collect()
            }
            ast::Pattern::MatchSequence(one) => one.patterns.iter().collect(),
            ast::Pattern::MatchOr(one) => one.patterns.iter().collect(),
            ast::Pattern::MatchClass(one) => {
                let named = one.arguments.keywords.iter().map(|keyword| &keyword.pattern);
                one.arguments.patterns.iter().chain(named).collect()
            }
            ast::Pattern::MatchValue(_) | ast::Pattern::MatchSingleton(_) => Vec::new(),
        };
        for one in inner {
            self.deeper(|source| source.captures(one, all));
        }
    }
}

/// One statement, or a block of several.
fn only(mut all: Vec<Statement>) -> Statement {
    match all.len() {
        1 => all.pop().unwrap_or_default(),
        _ => Statement::Block(all),
    }
}

/// `import a.b` binds `a`.
fn import(one: &ast::Alias) -> Statement {
    let name = one.name.as_str();
    let (bound, module) = match &one.asname {
        Some(alias) => (alias.as_str(), name),
        None => {
            let head = name.split('.').next().unwrap_or(name);
            (head, head)
        }
    };
    Statement::Assign(Pattern::Name(bound.to_owned()), Expr::Module(module.to_owned()))
}

fn import_from(one: &ast::StmtImportFrom) -> Statement {
    let dots = ".".repeat(one.level as usize);
    let from = one.module.as_ref().map(ast::Identifier::as_str).unwrap_or_default();
    let names = one.names.iter().filter(|alias| alias.name.as_str() != "*");
    let bind = |alias: &ast::Alias| {
        let bound = alias.asname.as_ref().unwrap_or(&alias.name).as_str().to_owned();
        let module = format!("{dots}{from}.{}", alias.name.as_str());
        Statement::Assign(Pattern::Name(bound), Expr::Module(module))
    };
    Statement::Block(names.map(bind).collect())
}

/// The names of parameters, in the order in which they are given.
fn parameters(of: &ast::Parameters) -> Vec<Pattern> {
    of.iter().map(|one| Pattern::Name(one.name().as_str().to_owned())).collect()
}
