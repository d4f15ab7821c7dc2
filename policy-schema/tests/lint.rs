//! What is probably not meant: one line for each finding, and what must not be reported.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may panic")]

use policy_schema::diagnostic::Level::{self, Note, Warning};
use policy_schema::{Diagnostic, Layer, Source, lint::lint, read_policy};

const NOW: u64 = 1_800_000_000;

fn findings(text: &str, layer: Layer) -> Vec<Diagnostic> {
    let source = Source { name: "p.yaml", text: text.as_bytes() };
    let (document, errors) = read_policy::read(&source);
    assert!(errors.iter().all(|found| found.level < Level::Error), "{text}: {errors:?}");
    lint(&[source], &[document], layer, Some(NOW))
}

/// The findings on a policy with these rules, scope first.
fn of_rules(scope: &str, rules: &[&str]) -> Vec<Diagnostic> {
    let mut text =
        format!("default_action: deny\npolicies:\n  - name: p\n    match: {scope}\n    rules:\n");
    for rule in rules {
        text += &format!("      - {rule}\n");
    }
    findings(&text, Layer::User)
}

/// What the caret underlines.
fn mark(found: &Diagnostic) -> String {
    found.excerpt.chars().skip(found.caret).take(found.width).collect()
}

#[test]
fn one_rule() {
    let exec = "{tool: exec}";
    let any = "{}";
    for (scope, rule, level, code, marked, fragment) in [
        (
            "{tool: [exec, excec]}",
            "{action: watch, when: {program: x}}",
            Warning,
            "unknown-tool",
            "excec",
            "did you mean `exec`",
        ),
        (
            "{tool: Exec}",
            "{action: watch, when: {program: x}}",
            Warning,
            "unknown-tool",
            "Exec",
            "did you mean `exec`",
        ),
        (any, "{action: deny, when: {program: x}}", Note, "no-message", "{", "p/1"),
        (any, "{action: allow}", Warning, "allows-everything", "{", "every call in scope"),
        (any, "{action: watch, when: {}}", Note, "no-conditions", "{", "always matches"),
        (
            any,
            "{action: allow, when: {program: x}, expires_at: 2020-01-01}",
            Warning,
            "expired",
            "expires_at",
            "has expired",
        ),
        (
            any,
            "{action: watch, when: {program: x}, once: true}",
            Warning,
            "useless-key",
            "once",
            "`once`",
        ),
        (
            any,
            "{action: watch, when: {program: x}, ask: {audit: true}}",
            Warning,
            "useless-key",
            "ask",
            "action: ask",
        ),
        (
            any,
            "{action: watch, when: {program: x}, webhook: {url: 'https://x.test'}}",
            Warning,
            "useless-key",
            "webhook",
            "action: webhook",
        ),
        (
            exec,
            "{action: watch, when: {path_matches: /x}}",
            Warning,
            "never-in-scope",
            "path_matches",
            "operands",
        ),
        (
            exec,
            "{action: watch, when: {domain_matches: x.test}}",
            Warning,
            "never-in-scope",
            "domain_matches",
            "operand_matches",
        ),
        (
            "{tool: [read, write]}",
            "{action: watch, when: {program: x}}",
            Warning,
            "never-in-scope",
            "{",
            "read, write",
        ),
        (
            any,
            "{action: watch, when: {agent_depth: {gte: 3, lte: 1}}}",
            Warning,
            "never-matches",
            "agent_depth",
            "no depth",
        ),
        (
            any,
            "{action: watch, when: {agent_depth: {eq: 3, lte: 1}}}",
            Warning,
            "never-matches",
            "agent_depth",
            "no depth",
        ),
        (
            any,
            "{action: watch, when: {operands: [/etc/]}}",
            Warning,
            "never-matches",
            "/etc/",
            "`/etc/**`",
        ),
        (
            any,
            "{action: watch, when: {not: {all: [{operands: [/etc/]}]}}}",
            Warning,
            "never-matches",
            "/etc/",
            "slash",
        ),
        (
            any,
            "{action: watch, when: {path_matches: /a/../b}}",
            Warning,
            "never-matches",
            "/a/../b",
            "after resolving",
        ),
        (
            any,
            "{action: watch, when: {domain_matches: 'https://x.test/*'}}",
            Warning,
            "never-matches",
            "'https://x.test/*'",
            "`x.test`",
        ),
        (
            any,
            "{action: watch, when: {domain_matches: 'x.test:80'}}",
            Warning,
            "never-matches",
            "'x.test:80'",
            "`x.test`",
        ),
        (
            any,
            "{action: watch, when: {domain_matches: x.test.}}",
            Warning,
            "never-matches",
            "x.test.",
            "`x.test`",
        ),
        (
            any,
            "{action: watch, when: {url_matches: x.test/a}}",
            Warning,
            "never-matches",
            "x.test/a",
            "scheme",
        ),
        (
            any,
            "{action: watch, when: {command_matches: 'a [b'}}",
            Warning,
            "never-matches",
            "'a [b'",
            "ordinary character",
        ),
        (
            any,
            "{action: watch, when: {command_matches: [a, a]}}",
            Note,
            "redundant-pattern",
            "a",
            "twice",
        ),
        (
            any,
            "{action: watch, when: {command_matches: ['rm *', 'rm -r *']}}",
            Note,
            "redundant-pattern",
            "'rm -r *'",
            "covered by `rm *`",
        ),
        (
            any,
            "{action: watch, when: {command_matches: [a], command_not_matches: [a]}}",
            Warning,
            "never-matches",
            "command_not_matches",
            "takes away",
        ),
        (
            any,
            "{action: watch, when: {path_matches: [/a], path_not_matches: ['**']}}",
            Warning,
            "never-matches",
            "path_not_matches",
            "takes away",
        ),
    ] {
        let found = of_rules(scope, &[rule]);
        let shown: Vec<String> = found.iter().map(ToString::to_string).collect();
        assert_eq!(found.len(), 1, "{scope} {rule}: {shown:#?}");
        let one = &found[0];
        assert_eq!(
            (one.level, one.code, mark(one).as_str()),
            (level, code, marked),
            "{rule}: {}",
            shown[0]
        );
        assert_eq!(one.line, if code == "unknown-tool" { 4 } else { 6 }, "{}", shown[0]);
        assert!(shown[0].contains(fragment), "{rule}: {}", shown[0]);
        assert!(shown[0].contains("\n      | ") && shown[0].contains('^'), "{}", shown[0]);
    }
}

#[test]
fn what_is_fine() {
    for (scope, rule) in [
        ("{tool: my_tool}", "{action: watch, when: {program: x}}"),
        ("{tool: 'mcp*'}", "{action: watch, when: {program: x}}"),
        ("{tool: read}", "{action: watch, when: {any: [{program: x}, {path_matches: /x}]}}"),
        ("{tool: [exec, read]}", "{action: watch, when: {path_matches: /x}}"),
        (
            "{}",
            "{action: deny, message: m, when: {program: ['[', '[['], operands: [/, '**/a', ~/b]}}",
        ),
        (
            "{}",
            "{action: ask, message: m, ask: {audit: true}, when: {domain_matches: ['*.x.test', '::1']}}",
        ),
        (
            "{}",
            "{action: allow, once: true, expires_at: 2099-01-01, when: {url_matches: ['https://x.test/*', 'x.test*', 'data:*']}}",
        ),
        (
            "{}",
            "{action: watch, when: {operands: [/a/**, /a/b], command_matches: ['a [bc]', 'a *d']}}",
        ),
    ] {
        let found = of_rules(scope, &[rule]);
        let shown: Vec<String> = found.iter().map(ToString::to_string).collect();
        assert!(found.is_empty(), "{scope} {rule}: {shown:#?}");
    }
}

#[test]
fn rules_behind_others() {
    let program = |action: &str, name: &str| {
        format!("{{action: {action}, message: m, when: {{program: {name}}}}}")
    };
    let text = |action: &str, glob: &str| {
        format!("{{action: {action}, message: m, when: {{command_matches: '{glob}'}}}}")
    };
    let always =
        |action: &str| format!("{{action: {action}, message: m, when: {{default: true}}}}");
    let path = |action: &str, glob: &str| {
        format!("{{action: {action}, message: m, when: {{path_matches: '{glob}'}}}}")
    };
    let both = "{action: deny, message: m, when: {program: [rm], flags: ['-r']}}".to_owned();
    let either = "{action: ask, message: m, when: {any: [{program: [rm, mv]}, {fact: fork-bomb}]}}"
        .to_owned();
    let ended =
        "{action: deny, message: m, expires_at: 2099-01-01, when: {program: rm}}".to_owned();
    let response = "{action: deny, message: m, when: {response_matches: x}}".to_owned();
    for (first, second, expected) in [
        (always("deny"), program("allow", "rm"), Some((Warning, "unreachable-rule"))),
        (always("allow"), program("deny", "rm"), Some((Warning, "unreachable-rule"))),
        (program("deny", "rm"), program("allow", "rm"), Some((Warning, "shadowed-rule"))),
        (program("deny", "rm"), program("deny", "rm"), Some((Note, "shadowed-rule"))),
        (program("ask", "rm"), both.clone(), Some((Warning, "shadowed-rule"))),
        (either.clone(), both.clone(), Some((Warning, "shadowed-rule"))),
        (text("ask", "git *"), text("deny", "git push *"), Some((Warning, "shadowed-rule"))),
        (text("ask", "git *"), text("deny", "git push"), Some((Warning, "shadowed-rule"))),
        (path("ask", "**/.env"), path("deny", "/a/.env"), Some((Warning, "shadowed-rule"))),
        (path("allow", "/a/**"), path("deny", "/a/b/*"), Some((Warning, "shadowed-rule"))),
        (both.clone(), program("ask", "rm"), None),
        (both, either, None),
        (text("ask", "git p*"), text("deny", "git *"), None),
        (text("ask", "git [ab]*"), text("deny", "git [ab]c"), None),
        (path("ask", "**/.env"), path("deny", "/a.env"), None),
        // A command beside it is not covered by the allow.
        (program("allow", "rm"), program("deny", "rm"), None),
        (ended, program("ask", "rm"), None),
        (always("deny"), response, None),
    ] {
        let found = of_rules("{}", &[&first, &second]);
        let second_line = found.iter().find(|found| found.line == 7);
        let got = second_line.map(|found| (found.level, found.code));
        assert_eq!(got, expected, "{first} {second}");
    }
}

#[test]
fn files() {
    let rule = "rules: [{action: watch, when: {program: x}}]";
    for (text, layer, level, code, line) in [
        ("version: '1'\n".to_owned(), Layer::Project, Warning, "empty-file", 1),
        (format!("policies:\n- {{name: p, {rule}}}"), Layer::User, Note, "no-default", 1),
        (
            format!("default_action: allow\npolicies:\n- {{name: p, {rule}}}"),
            Layer::System,
            Note,
            "default-allow",
            1,
        ),
        (
            "default_action: deny\npolicies:\n- {name: p, rules: []}".to_owned(),
            Layer::User,
            Warning,
            "empty-policy",
            3,
        ),
        (
            format!(
                "policies:\n- {{name: p, {rule}}}\n- {{name: q, rules: [{{action: deny, message: m, when: {{default: true}}}}]}}"
            ),
            Layer::Project,
            Warning,
            "deny-all",
            3,
        ),
    ] {
        let found = findings(&text, layer);
        let got: Vec<_> = found.iter().map(|found| (found.level, found.code, found.line)).collect();
        assert_eq!(got, [(level, code, line)], "{text}");
    }
    assert!(findings(&format!("policies:\n- {{name: p, {rule}}}"), Layer::Project).is_empty());
}

/// A file of thousands of rules ends: comparing them has a budget.
#[test]
fn many_rules_end() {
    let rules: String = (0..6000)
        .map(|number| format!("      - {{action: watch, when: {{program: x{number}}}}}\n"))
        .collect();
    let text = format!("default_action: deny\npolicies:\n  - name: p\n    rules:\n{rules}");
    assert!(findings(&text, Layer::User).is_empty());
}
