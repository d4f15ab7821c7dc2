//! Python, by Ruff's parser: statements. Expressions are in `python/expr.rs`.

mod expr;

use super::arena::{Arena, List};
use super::lowered::{Expr, Pattern, Program, Statement};
use super::parse;
use super::syntax::Source;
use ruff_python_ast::{self as ast, Stmt};
use ruff_python_parser::{Mode, ParseOptions, parse_unchecked};

/// The language.
pub struct Python;

/// Parses `text`; nothing, and that not whole, if it is no code.
pub fn parse<'t>(arena: &'t Arena, text: &'t [u8]) -> Program<'t> {
    let (text, is_text) = parse::characters(arena, text);
    let read = || {
        let parsed = parse_unchecked(text, ParseOptions::from(Mode::Module)).try_into_module()?;
        let mut source = Source::<Python>::new(arena, text);
        let statements = source.body(&parsed.syntax().body);
        let is_whole = parsed.errors().is_empty() && !source.is_cut;
        Some(Program { statements, is_whole: is_whole && is_text && is_plain(text) })
    };
    parse::bounded(text, false, read).flatten().unwrap_or_default()
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

impl<'t> Source<'t, Python> {
    fn body(&mut self, all: &[Stmt]) -> &'t [Statement<'t>] {
        self.arena.all(all.iter().map(|one| self.statement(one)))
    }

    fn statement(&mut self, statement: &Stmt) -> Statement<'t> {
        self.deeper(|source| source.statement_here(statement))
    }

    fn statement_here(&mut self, statement: &Stmt) -> Statement<'t> {
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
            Stmt::Import(one) => {
                let arena = self.arena;
                Statement::Block(arena.all(one.names.iter().map(|one| import(arena, one))))
            }
            Stmt::ImportFrom(one) => import_from(self.arena, one),
            Stmt::FunctionDef(one) => {
                let mut all = self.decorators(&one.decorator_list);
                self.defaults(&one.parameters, &mut all);
                let parameters = parameters(self.arena, &one.parameters);
                let body = self.body(&one.body);
                let name = self.arena.text(one.name.as_str());
                all.push(Statement::Define(name, self.made(parameters, body)));
                self.only(all)
            }
            Stmt::ClassDef(one) => {
                let mut all = self.decorators(&one.decorator_list);
                for arguments in one.arguments.iter() {
                    let given = self.arguments(arguments);
                    all.extend(given.iter().map(|one| Statement::Do(one.value)));
                }
                let name = self.arena.text(one.name.as_str());
                all.push(Statement::Class(name, self.body(&one.body)));
                self.only(all)
            }
            Stmt::For(one) => {
                let both = one.body.iter().chain(&one.orelse);
                let body = self.arena.all(both.map(|one| self.statement(one)));
                Statement::For(self.pattern(&one.target), self.expr(&one.iter), body)
            }
            Stmt::Return(one) => Statement::Return(
                one.value.as_ref().map(|value| self.expr(value)).unwrap_or_default(),
            ),
            Stmt::With(one) => {
                let mut all = self.arena.list();
                for item in &one.items {
                    let value = self.expr(&item.context_expr);
                    all.push(match &item.optional_vars {
                        Some(name) => Statement::Assign(self.pattern(name), value),
                        None => Statement::Do(value),
                    });
                }
                self.bodies(&mut all, &one.body);
                Statement::Block(self.arena.done(all))
            }
            Stmt::Delete(one) => Statement::Block(
                self.arena.all(one.targets.iter().map(|one| Statement::Do(self.expr(one)))),
            ),
            Stmt::IpyEscapeCommand(_) => {
                self.is_cut = true;
                Statement::default()
            }
            other => Statement::Block(self.branches(other)),
        }
    }

    /// Statements that hold others, of which every one is read.
    fn branches(&mut self, statement: &Stmt) -> &'t [Statement<'t>] {
        let mut all = self.arena.list();
        match statement {
            Stmt::If(one) => {
                all.push(Statement::Do(self.expr(&one.test)));
                self.bodies(&mut all, &one.body);
                for clause in &one.elif_else_clauses {
                    all.extend(clause.test.iter().map(|test| Statement::Do(self.expr(test))));
                    self.bodies(&mut all, &clause.body);
                }
            }
            Stmt::While(one) => {
                all.push(Statement::Do(self.expr(&one.test)));
                self.bodies(&mut all, &one.body);
                self.bodies(&mut all, &one.orelse);
            }
            Stmt::Try(one) => {
                self.bodies(&mut all, &one.body);
                for ast::ExceptHandler::ExceptHandler(handler) in &one.handlers {
                    if let Some(kind) = &handler.type_ {
                        let kind = self.expr(kind);
                        all.push(match &handler.name {
                            Some(name) => Statement::Assign(self.name(name), kind),
                            None => Statement::Do(kind),
                        });
                    }
                    self.bodies(&mut all, &handler.body);
                }
                self.bodies(&mut all, &one.orelse);
                self.bodies(&mut all, &one.finalbody);
            }
            Stmt::Match(one) => {
                all.push(Statement::Do(self.expr(&one.subject)));
                for case in &one.cases {
                    self.captures(&case.pattern, &mut all);
                    all.extend(case.guard.iter().map(|guard| Statement::Do(self.expr(guard))));
                    self.bodies(&mut all, &case.body);
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
        self.arena.done(all)
    }

    /// What a body holds, too.
    fn bodies(&mut self, all: &mut List<'t, Statement<'t>>, body: &[Stmt]) {
        all.extend(body.iter().map(|one| self.statement(one)));
    }

    fn name(&self, name: &ast::Identifier) -> Pattern<'t> {
        Pattern::Name(self.arena.text(name.as_str()))
    }

    /// `a = b = value`: the last is given the value first, the others what it is.
    fn assignment(&mut self, one: &ast::StmtAssign) -> Statement<'t> {
        let mut value = self.expr(&one.value);
        let (first, rest) = match one.targets.as_slice() {
            [] => return Statement::Do(value),
            [first, rest @ ..] => (first, rest),
        };
        for target in rest.iter().rev() {
            let pattern = self.arena.put(self.pattern(target));
            value = Expr::Assigned(pattern, self.arena.put(value));
        }
        Statement::Assign(self.pattern(first), value)
    }

    fn decorators(&mut self, of: &[ast::Decorator]) -> List<'t, Statement<'t>> {
        let mut all = self.arena.list();
        all.extend(of.iter().map(|one| Statement::Do(self.expr(&one.expression))));
        all
    }

    /// The values of parameters that are worked out where the function is defined.
    fn defaults(&mut self, of: &ast::Parameters, all: &mut List<'t, Statement<'t>>) {
        let values = of.iter_non_variadic_params().filter_map(ast::ParameterWithDefault::default);
        for value in values.filter(|value| !value.is_literal_expr()) {
            all.push(Statement::Do(self.expr(value)));
        }
    }

    /// The names that a pattern of `match` gives to what it fits; what is given is not known.
    fn captures(&mut self, pattern: &ast::Pattern, all: &mut List<'t, Statement<'t>>) {
        let mut name = |name: &ast::Identifier| {
            all.push(Statement::Assign(self.name(name), Expr::default()));
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

    /// One statement, or a block of several.
    fn only(&self, all: List<'t, Statement<'t>>) -> Statement<'t> {
        match self.arena.done(all) {
            [one] => *one,
            all => Statement::Block(all),
        }
    }
}

/// `import a.b` binds `a`.
fn import<'t>(arena: &'t Arena, one: &ast::Alias) -> Statement<'t> {
    let name = arena.text(one.name.as_str());
    let (bound, module) = match &one.asname {
        Some(alias) => (arena.text(alias.as_str()), name),
        None => {
            let head = name.split('.').next().unwrap_or(name);
            (head, head)
        }
    };
    Statement::Assign(Pattern::Name(bound), Expr::Module(module))
}

fn import_from<'t>(arena: &'t Arena, one: &ast::StmtImportFrom) -> Statement<'t> {
    let dots = ".".repeat(one.level as usize);
    let from = one.module.as_ref().map(ast::Identifier::as_str).unwrap_or_default();
    let names = one.names.iter().filter(|alias| alias.name.as_str() != "*");
    let bind = |alias: &ast::Alias| {
        let bound = arena.text(alias.asname.as_ref().unwrap_or(&alias.name).as_str());
        let module = arena.joined([dots.as_str(), from, ".", alias.name.as_str()]);
        Statement::Assign(Pattern::Name(bound), Expr::Module(module))
    };
    Statement::Block(arena.all(names.map(bind)))
}

/// The names of parameters, in the order in which they are given.
fn parameters<'t>(arena: &'t Arena, of: &ast::Parameters) -> &'t [Pattern<'t>] {
    arena.all(of.iter().map(|one| Pattern::Name(arena.text(one.name().as_str()))))
}
