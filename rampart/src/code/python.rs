//! Python, by tree-sitter's grammar.

use super::lowered::{Argument, Expr, Function, Pattern, Program, Statement};
use super::syntax::{Source, children, escaped, field, parsed};
use std::rc::Rc;
use tree_sitter::Node;

/// Parses `text`; nothing, and that not whole, if it is no code.
pub fn parse(text: &[u8]) -> Program {
    let language = tree_sitter_python::LANGUAGE.into();
    let Some(tree) = parsed(text, &language) else { return Program::default() };
    let mut source = Source { text, depth: 0, is_cut: false };
    let statements = source.block(tree.root_node());
    Program { statements, is_whole: !tree.root_node().has_error() && !source.is_cut }
}

impl Source<'_> {
    fn block(&mut self, node: Node<'_>) -> Vec<Statement> {
        children(node).into_iter().map(|child| self.statement(child)).collect()
    }

    fn statement(&mut self, node: Node<'_>) -> Statement {
        self.deeper(|source| source.statement_here(node))
    }

    fn statement_here(&mut self, node: Node<'_>) -> Statement {
        match node.kind() {
            "expression_statement" => match children(node).as_slice() {
                [only] if only.kind() == "assignment" => self.assignment(*only),
                [only] if only.kind() == "augmented_assignment" => {
                    let [left, right] = [field(*only, "left"), field(*only, "right")];
                    let (Some(left), Some(right)) = (left, right) else {
                        return Statement::default();
                    };
                    Statement::Append(self.pattern(left), self.expr(right))
                }
                all => {
                    Statement::Block(all.iter().map(|one| Statement::Do(self.expr(*one))).collect())
                }
            },
            "import_statement" => self.import(node),
            "import_from_statement" => self.import_from(node),
            "function_definition" => {
                let name = field(node, "name").map(|name| self.word(name)).unwrap_or_default();
                Statement::Define(name, self.function(node))
            }
            "class_definition" => {
                let name = field(node, "name").map(|name| self.word(name)).unwrap_or_default();
                let body = field(node, "body").map(|body| self.block(body)).unwrap_or_default();
                Statement::Class(name, body)
            }
            "for_statement" => {
                let (Some(left), Some(right)) = (field(node, "left"), field(node, "right")) else {
                    return Statement::default();
                };
                let mut body = Vec::new();
                for part in [field(node, "body"), field(node, "alternative")].into_iter().flatten()
                {
                    body.extend(self.block(part));
                }
                Statement::For(self.pattern(left), self.expr(right), body)
            }
            "return_statement" => {
                let value = children(node).first().map(|value| self.expr(*value));
                Statement::Return(value.unwrap_or_default())
            }
            kind if kind.ends_with("_statement")
                || kind.ends_with("_clause")
                || kind.ends_with("_definition")
                || kind == "block"
                || kind == "with_item" =>
            {
                Statement::Block(self.block(node))
            }
            _ => Statement::Do(self.expr(node)),
        }
    }

    fn assignment(&mut self, node: Node<'_>) -> Statement {
        match (field(node, "left"), field(node, "right")) {
            (Some(left), Some(right)) => Statement::Assign(self.pattern(left), self.expr(right)),
            _ => Statement::default(),
        }
    }

    fn import(&mut self, node: Node<'_>) -> Statement {
        let one = |child: Node<'_>| {
            if child.kind() == "aliased_import" {
                let name = self.word(field(child, "name")?);
                let alias = self.word(field(child, "alias")?);
                return Some(Statement::Assign(Pattern::Name(alias), Expr::Module(name)));
            }
            // `import a.b` binds `a`.
            let name = self.word(child);
            let head = name.split('.').next()?.to_owned();
            Some(Statement::Assign(Pattern::Name(head.clone()), Expr::Module(head)))
        };
        Statement::Block(children(node).into_iter().filter_map(one).collect())
    }

    fn import_from(&mut self, node: Node<'_>) -> Statement {
        let Some(module) = field(node, "module_name") else { return Statement::default() };
        let from = self.word(module);
        let mut all = Vec::new();
        for child in children(node).into_iter().filter(|child| child.id() != module.id()) {
            let (name, alias) = match child.kind() {
                "aliased_import" => (field(child, "name"), field(child, "alias")),
                "dotted_name" => (Some(child), Some(child)),
                _ => (None, None),
            };
            if let (Some(name), Some(alias)) = (name, alias) {
                let module = Expr::Module(format!("{from}.{}", self.word(name)));
                all.push(Statement::Assign(Pattern::Name(self.word(alias)), module));
            }
        }
        Statement::Block(all)
    }

    fn function(&mut self, node: Node<'_>) -> Rc<Function> {
        let mut parameters = Vec::new();
        for child in field(node, "parameters").map(children).unwrap_or_default() {
            let named = field(child, "name").or_else(|| children(child).first().copied());
            parameters.push(Pattern::Name(self.word(named.unwrap_or(child))));
        }
        let body = match field(node, "body") {
            Some(body) if node.kind() == "lambda" => vec![Statement::Return(self.expr(body))],
            Some(body) => self.block(body),
            None => Vec::new(),
        };
        Rc::new(Function { parameters, body })
    }

    fn pattern(&mut self, node: Node<'_>) -> Pattern {
        match node.kind() {
            "identifier" => Pattern::Name(self.word(node)),
            "pattern_list" | "tuple_pattern" | "list_pattern" | "tuple" | "list" => {
                Pattern::Elements(children(node).into_iter().map(|one| self.pattern(one)).collect())
            }
            "as_pattern_target" | "list_splat_pattern" => match children(node).first() {
                Some(inner) => self.pattern(*inner),
                None => Pattern::Name(self.word(node)),
            },
            _ => Pattern::Place(Box::new(self.expr(node))),
        }
    }

    fn expr(&mut self, node: Node<'_>) -> Expr {
        self.deeper(|source| source.expr_here(node))
    }

    fn boxed(&mut self, node: Option<Node<'_>>) -> Box<Expr> {
        Box::new(node.map(|node| self.expr(node)).unwrap_or_default())
    }

    fn exprs(&mut self, node: Node<'_>) -> Vec<Expr> {
        children(node).into_iter().map(|child| self.expr(child)).collect()
    }

    fn expr_here(&mut self, node: Node<'_>) -> Expr {
        match node.kind() {
            "identifier" => Expr::Name(self.word(node)),
            "integer" | "float" => Expr::Text(self.bytes(node).to_vec()),
            "string" => self.string(node),
            "concatenated_string" => Expr::Joined(self.exprs(node)),
            "attribute" => {
                let name = field(node, "attribute").map(|name| self.word(name));
                Expr::Member(self.boxed(field(node, "object")), name.unwrap_or_default())
            }
            "subscript" => self.subscript(node),
            "call" => self.call(node),
            "binary_operator" => self.binary(node),
            "unary_operator" => match children(node).as_slice() {
                [only] if only.kind() == "integer" => Expr::Text(self.bytes(node).to_vec()),
                _ => Expr::Other(self.exprs(node)),
            },
            "boolean_operator" | "conditional_expression" => Expr::OneOf(self.exprs(node)),
            "list" | "tuple" | "set" | "expression_list" => Expr::List(self.exprs(node)),
            "dictionary" => self.dictionary(node),
            "lambda" => Expr::Function(self.function(node)),
            "list_comprehension"
            | "set_comprehension"
            | "generator_expression"
            | "dictionary_comprehension" => self.comprehension(node),
            "parenthesized_expression" | "await" | "interpolation" => {
                children(node).first().map(|inner| self.expr(*inner)).unwrap_or_default()
            }
            "named_expression" => {
                let name = field(node, "name").map(|name| self.word(name)).unwrap_or_default();
                Expr::Assigned(Pattern::Name(name), self.boxed(field(node, "value")))
            }
            "as_pattern" => {
                let all = children(node);
                let (Some(value), Some(target)) = (all.first(), all.get(1)) else {
                    return Expr::default();
                };
                let target = self.pattern(*target);
                Expr::Assigned(target, Box::new(self.expr(*value)))
            }
            _ => Expr::Other(self.exprs(node)),
        }
    }

    fn string(&mut self, node: Node<'_>) -> Expr {
        let start = children(node).first().map(|start| self.word(*start)).unwrap_or_default();
        let is_raw = start.to_ascii_lowercase().contains('r');
        let mut parts = Vec::new();
        for part in children(node) {
            match part.kind() {
                "interpolation" => parts.push(self.expr(part)),
                "string_content" => parts.push(Expr::Text(self.content(part, is_raw))),
                _ => {}
            }
        }
        match parts.len() {
            0 => Expr::Text(Vec::new()),
            1 => parts.pop().unwrap_or_default(),
            _ => Expr::Joined(parts),
        }
    }

    /// What a string stands for between its quotes.
    fn content(&self, node: Node<'_>, is_raw: bool) -> Vec<u8> {
        let mut text = Vec::new();
        let mut from = node.start_byte();
        for escape in children(node).into_iter().filter(|one| one.kind() == "escape_sequence") {
            if is_raw {
                break;
            }
            text.extend_from_slice(self.text.get(from..escape.start_byte()).unwrap_or_default());
            text.extend(escaped(self.bytes(escape)));
            from = escape.end_byte();
        }
        text.extend_from_slice(self.text.get(from..node.end_byte()).unwrap_or_default());
        text
    }

    fn subscript(&mut self, node: Node<'_>) -> Expr {
        let value = self.boxed(field(node, "value"));
        match field(node, "subscript") {
            Some(slice) if slice.kind() == "slice" => match self.bytes(slice) {
                b"::-1" => Expr::Reversed(value),
                // A part of a list is what the list is; of a text it is not known.
                _ => Expr::Call(Box::new(Expr::Member(value, "slice".to_owned())), Vec::new()),
            },
            index => Expr::Index(value, self.boxed(index)),
        }
    }

    fn call(&mut self, node: Node<'_>) -> Expr {
        let function = self.boxed(field(node, "function"));
        let Some(list) = field(node, "arguments") else { return Expr::Call(function, Vec::new()) };
        if list.kind() == "generator_expression" {
            let value = self.expr(list);
            return Expr::Call(function, vec![Argument { name: None, value, is_spread: false }]);
        }
        let one = |child: Node<'_>| match child.kind() {
            "keyword_argument" => Argument {
                name: field(child, "name").map(|name| self.word(name)),
                value: *self.boxed(field(child, "value")),
                is_spread: false,
            },
            "list_splat" | "dictionary_splat" => Argument {
                name: None,
                value: *self.boxed(children(child).first().copied()),
                is_spread: child.kind() == "list_splat",
            },
            _ => Argument { name: None, value: self.expr(child), is_spread: false },
        };
        Expr::Call(function, children(list).into_iter().map(one).collect())
    }

    fn binary(&mut self, node: Node<'_>) -> Expr {
        let operator = field(node, "operator").map(|operator| self.word(operator));
        let left = self.boxed(field(node, "left"));
        let right = self.boxed(field(node, "right"));
        match operator.as_deref() {
            Some("+") => Expr::Joined(vec![*left, *right]),
            Some("/") => Expr::Slash(left, right),
            Some("%") => Expr::Filled(left, right),
            _ => Expr::Other(vec![*left, *right]),
        }
    }

    fn dictionary(&mut self, node: Node<'_>) -> Expr {
        let mut pairs = Vec::new();
        for child in children(node) {
            if child.kind() == "pair" {
                let key = self.boxed(field(child, "key"));
                pairs.push((*key, *self.boxed(field(child, "value"))));
            } else {
                let spread = self.boxed(children(child).first().copied());
                pairs.push((Expr::Text(Vec::new()), *spread));
            }
        }
        Expr::Map(pairs)
    }

    fn comprehension(&mut self, node: Node<'_>) -> Expr {
        let mut done = *self.boxed(field(node, "body"));
        for clause in children(node).into_iter().skip(1).rev() {
            done = match (field(clause, "left"), field(clause, "right")) {
                (Some(left), Some(right)) if clause.kind() == "for_in_clause" => {
                    let pattern = self.pattern(left);
                    Expr::Each(pattern, Box::new(self.expr(right)), Box::new(done))
                }
                _ => {
                    // A condition is read, and has no say; the value is the last.
                    let mut all = self.exprs(clause);
                    all.push(done);
                    Expr::OneOf(all)
                }
            };
        }
        done
    }
}
