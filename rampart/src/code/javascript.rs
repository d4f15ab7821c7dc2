//! JavaScript, by tree-sitter's grammar.

use super::lowered::{Argument, Expr, Function, Pattern, Program, Statement};
use super::syntax::{Source, children, escaped, field, parsed};
use std::rc::Rc;
use tree_sitter::Node;

/// Parses `text`; nothing, and that not whole, if it is no code.
pub fn parse(text: &[u8]) -> Program {
    let language = tree_sitter_javascript::LANGUAGE.into();
    let Some(tree) = parsed(text, &language) else { return Program::default() };
    let mut reader = Reader(Source { text, depth: 0, is_cut: false });
    let statements = reader.block(tree.root_node());
    Program { statements, is_whole: !tree.root_node().has_error() && !reader.0.is_cut }
}

/// The source, with JavaScript's readers.
struct Reader<'a>(Source<'a>);

impl Reader<'_> {
    fn block(&mut self, node: Node<'_>) -> Vec<Statement> {
        children(node).into_iter().map(|child| self.statement(child)).collect()
    }

    fn statement(&mut self, node: Node<'_>) -> Statement {
        if self.0.depth >= super::syntax::DEEPEST {
            self.0.is_cut = true;
            return Statement::default();
        }
        self.0.depth += 1;
        let done = self.statement_here(node);
        self.0.depth -= 1;
        done
    }

    fn statement_here(&mut self, node: Node<'_>) -> Statement {
        match node.kind() {
            "lexical_declaration" | "variable_declaration" => {
                let one = |child: Node<'_>| {
                    let name = self.pattern(field(child, "name")?);
                    let value = field(child, "value").map(|value| self.expr(value))?;
                    Some(Statement::Assign(name, value))
                };
                Statement::Block(children(node).into_iter().filter_map(one).collect())
            }
            "expression_statement" => {
                Statement::Block(children(node).into_iter().map(|one| self.effect(one)).collect())
            }
            "function_declaration" | "generator_function_declaration" | "method_definition" => {
                let name = field(node, "name").map(|name| self.0.word(name)).unwrap_or_default();
                Statement::Define(name, self.function(node))
            }
            "class_declaration" => {
                let name = field(node, "name").map(|name| self.0.word(name)).unwrap_or_default();
                let body = field(node, "body").map(|body| self.block(body)).unwrap_or_default();
                Statement::Class(name, body)
            }
            "for_in_statement" => {
                let (Some(left), Some(right)) = (field(node, "left"), field(node, "right")) else {
                    return Statement::default();
                };
                let pattern = self.pattern(left);
                let over = self.expr(right);
                let body = field(node, "body").map(|body| self.statement(body));
                Statement::For(pattern, over, body.into_iter().collect())
            }
            "import_statement" => self.import(node),
            "return_statement" => {
                let value = children(node).first().map(|value| self.expr(*value));
                Statement::Return(value.unwrap_or_default())
            }
            kind if kind.ends_with("_statement")
                || kind.ends_with("_clause")
                || matches!(kind, "statement_block" | "switch_body" | "switch_case")
                || kind == "switch_default" =>
            {
                Statement::Block(self.block(node))
            }
            _ => self.effect(node),
        }
    }

    /// An expression that stands for what it does.
    fn effect(&mut self, node: Node<'_>) -> Statement {
        let (left, right) = (field(node, "left"), field(node, "right"));
        match (node.kind(), left, right) {
            ("assignment_expression", Some(left), Some(right)) => {
                Statement::Assign(self.pattern(left), self.expr(right))
            }
            ("augmented_assignment_expression", Some(left), Some(right)) => {
                Statement::Append(self.pattern(left), self.expr(right))
            }
            _ => Statement::Do(self.expr(node)),
        }
    }

    fn import(&mut self, node: Node<'_>) -> Statement {
        let Some(source) = field(node, "source") else { return Statement::default() };
        let module = String::from_utf8_lossy(&self.literal(source)).into_owned();
        let mut all = Vec::new();
        let clauses = children(node).into_iter().filter(|child| child.kind() == "import_clause");
        for part in clauses.flat_map(children) {
            match part.kind() {
                "identifier" => all.push((self.0.word(part), module.clone())),
                "namespace_import" => {
                    let name = children(part).first().map(|name| self.0.word(*name));
                    all.push((name.unwrap_or_default(), module.clone()));
                }
                _ => {
                    for one in children(part) {
                        let Some(name) = field(one, "name") else { continue };
                        let alias = field(one, "alias").unwrap_or(name);
                        let name = format!("{module}.{}", self.0.word(name));
                        all.push((self.0.word(alias), name));
                    }
                }
            }
        }
        let bind = |(name, module)| Statement::Assign(Pattern::Name(name), Expr::Module(module));
        Statement::Block(all.into_iter().map(bind).collect())
    }

    fn function(&mut self, node: Node<'_>) -> Rc<Function> {
        let mut parameters = Vec::new();
        if let Some(one) = field(node, "parameter") {
            parameters.push(self.pattern(one));
        }
        for child in field(node, "parameters").map(children).unwrap_or_default() {
            parameters.push(self.pattern(child));
        }
        let body = match field(node, "body") {
            Some(body) if body.kind() == "statement_block" => self.block(body),
            // The value of an arrow function may be an assignment.
            Some(body) if body.kind().ends_with("assignment_expression") => vec![self.effect(body)],
            Some(body) => match children(body).as_slice() {
                [inner]
                    if body.kind() == "parenthesized_expression"
                        && inner.kind().ends_with("assignment_expression") =>
                {
                    vec![self.effect(*inner)]
                }
                _ => vec![Statement::Return(self.expr(body))],
            },
            None => Vec::new(),
        };
        Rc::new(Function { parameters, body })
    }

    fn pattern(&mut self, node: Node<'_>) -> Pattern {
        match node.kind() {
            "identifier" | "shorthand_property_identifier_pattern" => {
                Pattern::Name(self.0.word(node))
            }
            "array_pattern" => {
                Pattern::Elements(children(node).into_iter().map(|one| self.pattern(one)).collect())
            }
            "object_pattern" => {
                let one = |child: Node<'_>| {
                    let (key, value) = match child.kind() {
                        "pair_pattern" => (field(child, "key")?, field(child, "value")?),
                        _ => (child, child),
                    };
                    Some((self.0.word(key), self.pattern(value)))
                };
                Pattern::Members(children(node).into_iter().filter_map(one).collect())
            }
            "assignment_pattern" | "object_assignment_pattern" => match field(node, "left") {
                Some(left) => self.pattern(left),
                None => Pattern::Elements(Vec::new()),
            },
            "rest_pattern" => match children(node).first() {
                Some(inner) => self.pattern(*inner),
                None => Pattern::Elements(Vec::new()),
            },
            _ => Pattern::Place(Box::new(self.expr(node))),
        }
    }

    fn expr(&mut self, node: Node<'_>) -> Expr {
        if self.0.depth >= super::syntax::DEEPEST {
            self.0.is_cut = true;
            return Expr::default();
        }
        self.0.depth += 1;
        let done = self.expr_here(node);
        self.0.depth -= 1;
        done
    }

    fn boxed(&mut self, node: Option<Node<'_>>) -> Box<Expr> {
        Box::new(node.map(|node| self.expr(node)).unwrap_or_default())
    }

    fn exprs(&mut self, node: Node<'_>) -> Vec<Expr> {
        children(node).into_iter().map(|child| self.expr(child)).collect()
    }

    fn expr_here(&mut self, node: Node<'_>) -> Expr {
        match node.kind() {
            "identifier" | "shorthand_property_identifier" | "this" => {
                Expr::Name(self.0.word(node))
            }
            "property_identifier" | "number" => Expr::Text(self.0.bytes(node).to_vec()),
            "import" => Expr::Name("require".to_owned()),
            "string" => Expr::Text(self.literal(node)),
            "template_string" => self.template(node),
            "member_expression" => {
                let name = field(node, "property").map(|name| self.0.word(name));
                Expr::Member(self.boxed(field(node, "object")), name.unwrap_or_default())
            }
            "subscript_expression" => {
                let object = self.boxed(field(node, "object"));
                Expr::Index(object, self.boxed(field(node, "index")))
            }
            "call_expression" | "new_expression" => self.call(node),
            "binary_expression" => self.binary(node),
            "ternary_expression" => Expr::OneOf(self.exprs(node)),
            "unary_expression" => match children(node).as_slice() {
                [only] if only.kind() == "number" => Expr::Text(self.0.bytes(node).to_vec()),
                _ => Expr::Other(self.exprs(node)),
            },
            "array" => Expr::List(self.exprs(node)),
            "object" => self.object(node),
            "arrow_function" | "function_expression" | "generator_function" => {
                Expr::Function(self.function(node))
            }
            "assignment_expression" => match (field(node, "left"), field(node, "right")) {
                (Some(left), Some(right)) => {
                    let left = self.pattern(left);
                    Expr::Assigned(left, Box::new(self.expr(right)))
                }
                _ => Expr::default(),
            },
            "parenthesized_expression" | "await_expression" | "sequence_expression" => {
                let mut all = self.exprs(node);
                match all.len() {
                    1 => all.pop().unwrap_or_default(),
                    _ => Expr::OneOf(all),
                }
            }
            _ => Expr::Other(self.exprs(node)),
        }
    }

    /// What a string stands for.
    fn literal(&self, node: Node<'_>) -> Vec<u8> {
        let mut text = Vec::new();
        for part in children(node) {
            match part.kind() {
                "escape_sequence" => text.extend(escaped(self.0.bytes(part))),
                _ => text.extend_from_slice(self.0.bytes(part)),
            }
        }
        text
    }

    fn template(&mut self, node: Node<'_>) -> Expr {
        let mut parts = Vec::new();
        for part in children(node) {
            parts.push(match part.kind() {
                "template_substitution" => *self.boxed(children(part).first().copied()),
                "escape_sequence" => Expr::Text(escaped(self.0.bytes(part))),
                _ => Expr::Text(self.0.bytes(part).to_vec()),
            });
        }
        Expr::Joined(parts)
    }

    fn call(&mut self, node: Node<'_>) -> Expr {
        let function = field(node, "function").or_else(|| field(node, "constructor"));
        let function = self.boxed(function);
        let Some(list) = field(node, "arguments") else { return Expr::Call(function, Vec::new()) };
        if list.kind() == "template_string" {
            let value = self.template(list);
            return Expr::Call(function, vec![Argument { name: None, value, is_spread: false }]);
        }
        let one = |child: Node<'_>| {
            let is_spread = child.kind() == "spread_element";
            let value = match is_spread {
                true => *self.boxed(children(child).first().copied()),
                false => self.expr(child),
            };
            Argument { name: None, value, is_spread }
        };
        Expr::Call(function, children(list).into_iter().map(one).collect())
    }

    fn binary(&mut self, node: Node<'_>) -> Expr {
        let operator = field(node, "operator").map(|operator| self.0.word(operator));
        let left = self.boxed(field(node, "left"));
        let right = self.boxed(field(node, "right"));
        match operator.as_deref() {
            Some("+") => Expr::Joined(vec![*left, *right]),
            Some("||" | "??" | "&&") => Expr::OneOf(vec![*left, *right]),
            _ => Expr::Other(vec![*left, *right]),
        }
    }

    fn object(&mut self, node: Node<'_>) -> Expr {
        let mut pairs = Vec::new();
        for child in children(node) {
            pairs.push(match child.kind() {
                "pair" => {
                    let key = *self.boxed(field(child, "key"));
                    (key, *self.boxed(field(child, "value")))
                }
                "shorthand_property_identifier" => {
                    (Expr::Text(self.0.bytes(child).to_vec()), self.expr(child))
                }
                "method_definition" => {
                    (Expr::Text(Vec::new()), Expr::Function(self.function(child)))
                }
                _ => (Expr::Text(Vec::new()), *self.boxed(children(child).first().copied())),
            });
        }
        Expr::Map(pairs)
    }
}
