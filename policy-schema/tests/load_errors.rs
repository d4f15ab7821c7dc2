//! What a broken policy is told: the place, the words, the advice.

#![allow(
    clippy::panic,
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use policy_schema::diagnostic::Level;
use policy_schema::{Diagnostic, Layer, Options, Source, compile, compile_with_warnings};

fn source(text: &str) -> Source<'_> {
    Source { name: "p.yaml", text: text.as_bytes() }
}

fn errors(text: &str) -> Vec<Diagnostic> {
    let found = compile(&[source(text)], &Options::default()).expect_err(text);
    found.into_iter().filter(|item| item.level == Level::Error).collect()
}

/// A policy with one rule, `rule` being lines of it at 8 columns.
fn with_rule(rule: &str) -> String {
    format!(
        "version: \"1\"\npolicies:\n  - name: p\n    rules:\n      - action: deny\n        {rule}\n"
    )
}

#[test]
fn documents() {
    #[rustfmt::skip]
    let cases = [
        ("", 1, 1, "must be a mapping", ""),
        ("- a\n", 1, 1, "a policy file must be a mapping, not a list", ""),
        ("version: 2\n", 1, 10, "version `2`", "version: \"1\""),
        ("defualt_action: deny\n", 1, 1, "unknown key `defualt_action`", "did you mean `default_action`?"),
        ("default_action: dney\n", 1, 17, "`dney` is no value of `default_action`", "did you mean `deny`?"),
        ("default_action: webhook\n", 1, 17, "`webhook` is no value", "one of: allow, watch"),
        ("on_no_approver: ask\n", 1, 17, "`ask` is no value of `on_no_approver`", "allow, deny"),
        ("on_too_complex: watch\n", 1, 17, "`watch` is no value", "allow, ask, deny"),
        ("packs: [Git]\n", 1, 9, "`Git` is no name of a pack", "packs: all"),
        ("packs: [git, all]\n", 1, 14, "`all` is no name of a pack", "packs: all"),
        ("packs: [git, git]\n", 1, 14, "pack `git` stands twice", ""),
        ("out_of_reach: /a\n", 1, 15, "`out_of_reach` must be a list", ""),
        ("out_of_reach: [/a, /b/*]\n", 1, 20, "`/b/*` is a pattern", "write a rule"),
        ("out_of_reach: [a]\n", 1, 16, "`a` is no path for `out_of_reach`", "start with `/` or `~/`"),
        ("out_of_reach: [/]\n", 1, 16, "`/` is no path for `out_of_reach`", ""),
        ("out_of_reach: [~/]\n", 1, 16, "`~/` is no path for `out_of_reach`", ""),
        ("out_of_reach: [/a/../b]\n", 1, 16, "`/a/../b` is no path", "without `.`"),
        ("out_of_reach: [/a/]\n", 1, 16, "`/a/` is no path", "a slash at the end"),
        ("out_of_reach: [/a]\npolicies: [{name: out-of-reach, rules: []}]\n", 1, 16, "policy `out-of-reach` stands twice", "another name"),
        ("lists: [a]\n", 1, 8, "`lists` must be a mapping", ""),
        ("lists: {a: x}\n", 1, 12, "list `a` must be a list", ""),
        ("lists: {a: []}\n", 1, 9, "list `a` is empty", ""),
        ("lists: {a: [{list: b}], b: [x]}\n", 1, 20, "there is no list `b`", "lists: {name"),
        ("lists: {a: [x], b: [{list: aa}]}\n", 1, 28, "there is no list `aa`", "did you mean `a`?"),
        ("lists: {a: [x], a: [y]}\n", 1, 17, "`a` stands twice", ""),
        ("lists: {a: [[x]]}\n", 1, 13, "an entry of list `a` must be text", ""),
        ("record: some\n", 1, 9, "`some` is no value of `record`", "all, notable"),
        ("policies: {}\n", 1, 11, "`policies` must be a list, not a mapping", ""),
        ("default_action: deny\ndefault_action: allow\n", 2, 1, "stands twice", "remove one"),
        ("default_action: [deny]\n", 1, 17, "must be text, not a list", ""),
        ("policies:\n  - rules: []\n", 2, 5, "a policy without a name", "name:"),
        ("policies:\n  - name: a\n    rules: []\n  - name: a\n    rules: []\n", 4, 11, "policy `a` stands twice", "another name"),
        ("policies:\n  - name: a\n    when: {}\n", 3, 5, "unknown key `when` in a policy", "belongs to a rule"),
        ("policies:\n  - name: a\n    priority: high\n", 3, 15, "must be a whole number", ""),
        ("policies:\n  - name: a\n    enabled: yes\n", 3, 14, "must be `true` or `false`", ""),
        ("policies:\n  - name: a\n    match: {tools: exec}\n", 3, 13, "unknown key `tools`", "did you mean `tool`?"),
        ("policies:\n  - name: a\n    match: {agent: [x]}\n", 3, 20, "must be text", ""),
        ("notify: {url: x, platform: slak}\n", 1, 28, "`slak`", "did you mean `slack`?"),
        ("policies: [{name: a, rules: [{action: deny, when: {flags: []}}]}]\n", 1, 59, "`flags` is empty", "remove the key"),
        ("policies: [{name: a, rules: [{action: deny, when: {agent_depth: {}}}]}]\n", 1, 65, "`agent_depth` is empty", ""),
        ("policies: [{name: a, rules: [{action: deny, when: {tool_param_matches: {}}}]}]\n", 1, 72, "`tool_param_matches` is empty", ""),
        ("policies: [{name: a, rules: [{action: deny, when: {response_matches: []}}]}]\n", 1, 70, "`response_matches` is empty", ""),
        ("policies: [{name: a, rules: [{action: deny, examples: {match: [{argv: [x], tool: exec}]}}]}]\n", 1, 64, "both `argv` and another call", ""),
        ("tests:\n  - {tool: exec}\n", 2, 5, "without `expect`", "expect: deny"),
        ("<<: {version: \"1\"}\n", 1, 1, "unknown key `<<`", ""),
        ("a: 1\n---\nb: 1\n", 3, 1, "multiple YAML documents", "exactly one document"),
        ("version: \"1\nx: 2\n", 1, 10, "not valid YAML", ""),
        ("policies:\n\t- name: a\n", 2, 2, "not valid YAML", ""),
        ("version: \u{0}\n", 1, 10, "not valid YAML", ""),
    ];
    for (text, line, column, message, help) in cases {
        let found = errors(text);
        let first = &found[0];
        assert_eq!((first.line, first.column), (line, column), "{text}\n{first}");
        assert!(first.message.contains(message), "{text}\n{first}");
        assert!(first.help.contains(help), "{text}\n{first}");
    }
}

#[test]
fn rules() {
    // Line 6 is the line under test, from column 9.
    #[rustfmt::skip]
    let cases = [
        ("acton: x", 9, "unknown key `acton` in a rule", "did you mean `action`?"),
        ("match: {tool: exec}", 9, "unknown key `match`", "`match` belongs to the policy"),
        ("reason: no", 9, "unknown key `reason`", "write `message`"),
        ("severity: extreme", 19, "`extreme` is no value of `severity`", "low, medium, high, critical"),
        ("technique: T12", 20, "`T12` is no technique", "T1059.004"),
        ("expires_at: tomorrow", 21, "no point in time", "2027-01-31T12:00:00Z"),
        ("once: 1", 15, "must be `true` or `false`, not a number", ""),
        ("webhook: {}", 18, "`webhook` without a `url`", "https://"),
        ("webhook: {url: ftp://x}", 19, "no web address", "https://"),
        ("webhook: {url: 'https://x', timeout: soon}", 46, "no duration", "5s"),
        ("examples: {matches: [x]}", 20, "unknown key `matches`", "did you mean `match`?"),
        ("examples: {match: x}", 27, "`match` must be a list", ""),
        ("examples: {match: [{path: /x}]}", 28, "calls nothing", "argv"),
        ("when: {command_match: [x]}", 16, "unknown key `command_match`", "did you mean `command_matches`?"),
        ("when: {tool: exec}", 16, "unknown key `tool` in a condition", "policy's `match`"),
        ("when: [program]", 15, "a condition must be a mapping, not a list", ""),
        ("when: {program: []}", 25, "`program` is empty", "remove the key"),
        ("when: {program: [rm, '']}", 30, "an empty pattern", ""),
        ("when: {program: [/bin/rm]}", 26, "`/bin/rm` is no name for `program`", "the name alone"),
        ("when: {flags: [r]}", 24, "`r` is no flag", "with its dashes"),
        ("when: {operands: [../passwd]}", 27, "can never match a resolved path", "without `.`"),
        ("when: {writes: [/etc//x]}", 25, "can never match a resolved path", "`//`"),
        ("when: {inside: [sudoo]}", 25, "`sudoo` is no value of `inside`", "did you mean `sudo`?"),
        ("when: {target: [statick]}", 25, "`statick`", "did you mean `static`?"),
        ("when: {fact: [evil]}", 23, "`evil` is no value of `fact`", "unknown-code"),
        ("when: {default: 1}", 25, "must be `true` or `false`", ""),
        ("when: {agent_depth: {gt: 1}}", 30, "unknown key `gt`", "did you mean `gte`?"),
        ("when: {agent_depth: {gte: -1}}", 35, "out of bounds", "from 0"),
        ("when: {call_count: {gte: 3}}", 28, "`call_count` without `window`", "window: 10m"),
        ("when: {call_count: {gte: 1001, window: 1h}}", 34, "out of bounds", "to 1000"),
        ("when: {call_count: {gte: 3, window: 31d}}", 45, "`31d` is no window", "up to 30d"),
        ("when: {any: []}", 21, "`any` is an empty group", ""),
        ("when: {not: [x]}", 21, "a condition must be a mapping", ""),
        ("when: {command_matches: ['**a**b**']}", 34, "a pattern with 3 `**`", "split it"),
        ("when: {command_contains: ['  ']}", 35, "an empty pattern", ""),
        ("when: {path_matches: {a: b}}", 31, "unknown key `a` in an entry", "known keys: list"),
        ("when: {path_matches: {list: none}}", 37, "there is no list `none`", "lists: {name"),
        ("when: {writes_to: [/x]}", 16, "unknown key `writes_to`", "write `writes`"),
        ("when: {reads_from: [/x]}", 16, "unknown key `reads_from`", "write `reads`"),
        ("when: {env: ['A*=x']}", 22, "`A*` is no name of a variable", "wildcards stand in the value"),
        ("when: {exe_sha256: abc}", 28, "`abc` is no SHA-256", "sha256sum"),
        ("when: {context: {}}", 25, "`context` is empty", "kube_context"),
        ("when: {context: {branch: main}}", 26, "unknown key `branch` in `context`", "write `git_branch`"),
        ("when: {context: {kube_contxt: x}}", 26, "unknown key `kube_contxt`", "did you mean `kube_context`?"),
        ("when: {context: [x]}", 25, "must be a mapping", ""),
        ("when: {cwd_matches: [a/../b]}", 30, "can never match a resolved path", "without `.`"),
        ("when: {parent: [/bin/sh]}", 25, "`/bin/sh` is no name for `parent`", "the name alone"),
        ("when: {tool_param_matches: [x]}", 36, "must be a mapping, not a list", ""),
        ("when: {program: *rm}", 25, "anchor", "must be quoted"),
    ];
    for (rule, column, message, help) in cases {
        let text = with_rule(rule);
        let found = errors(&text);
        let first = &found[0];
        assert_eq!((first.line, first.column), (6, column), "{text}\n{first}");
        assert!(first.message.contains(message), "{text}\n{first}");
        assert!(first.help.contains(help), "{text}\n{first}");
    }
}

#[test]
fn actions() {
    #[rustfmt::skip]
    let cases = [
        ("require_approval", "`require_approval` is no action", "write `action: ask`"),
        ("block", "`block` is no value of `action`", "one of: allow"),
        ("alow", "`alow` is no value", "did you mean `allow`?"),
        ("webhook", "without the address", "webhook: {url:"),
        ("[deny]", "must be text", ""),
    ];
    for (action, message, help) in cases {
        let text = format!("policies:\n  - name: p\n    rules:\n      - action: {action}\n");
        let first = errors(&text).remove(0);
        assert!(first.message.contains(message), "{action}: {first}");
        assert!(first.help.contains(help), "{action}: {first}");
    }
    let missing = errors("policies:\n  - name: p\n    rules:\n      - message: x\n").remove(0);
    assert!(missing.message.contains("without an action"), "{missing}");
}

#[test]
fn limits() {
    let rule = |pattern: &str| with_rule(&format!("when: {{command_matches: [\"{pattern}\"]}}"));
    #[rustfmt::skip]
    let cases = [
        ("x".repeat(8193), Some("a pattern of 8193 bytes; the limit is 8192")),
        ("x".repeat(8192), None),
        (format!("**{}", "x".repeat(255)), Some("a pattern with `**` of 257 bytes")),
        (format!("**{}", "x".repeat(254)), None),
        ("a**b**c**".to_owned(), Some("a pattern with 3 `**`; the limit is 2")),
        ("a**b**c*".to_owned(), None),
        // Single stars cost nothing that has to be limited.
        ("a*".repeat(4096), None),
    ];
    for (pattern, message) in cases {
        match (compile(&[source(&rule(&pattern))], &Options::default()), message) {
            (Ok(_), None) => {}
            (Err(found), Some(message)) => {
                assert!(found[0].message.contains(message), "{}", found[0]);
                // It names the pattern: its place, and its line with a caret under it.
                let text = found[0].to_string();
                assert!(text.contains("p.yaml:6:34"), "{text}");
                assert_eq!((found[0].line, found[0].column), (6, 34), "{text}");
                let start: String = pattern.chars().take(8).collect();
                assert!(found[0].excerpt.contains(&start), "{text}");
            }
            (Ok(_), Some(message)) => panic!("accepted: {message}"),
            (Err(found), None) => panic!("{}", found[0]),
        }
    }
    let large = format!("# {}", "x".repeat(policy_schema::MAX_SOURCE));
    assert!(errors(&large)[0].message.contains("the limit is 1048576"));
}

#[test]
fn every_error_in_one_run() {
    let text = "versoin: 1\npolicies:\n  - name: a\n    rules:\n      - action: dney\n        when: {programm: [x], flags: [x]}\n      - acton: deny\n  - rules: [{action: allow, when: {target: [x], fact: y}}]\n";
    let found = errors(text);
    let places: Vec<(usize, usize)> = found.iter().map(|item| (item.line, item.column)).collect();
    assert_eq!(
        places,
        [(1, 1), (5, 17), (6, 16), (6, 39), (7, 9), (7, 9), (8, 5), (8, 45), (8, 55)]
    );
}

#[test]
fn errors_show_the_line() {
    let shown = errors(&with_rule("when: {programm: [rm]}"))[0].to_string();
    assert_eq!(
        shown,
        "p.yaml:6:16: error: unknown key `programm` in a condition\n    6 |         when: {programm: [rm]}\n      |                ^^^^^^^^\n      = did you mean `program`?"
    );
}

#[test]
fn warnings_do_not_refuse() {
    let text = "policies:\n  - name: a\n  - name: b\n    rules: [{action: log}, {action: webhook, webhook: {url: 'http://x'}}]\n";
    let compiled = compile_with_warnings(&[source(text)], &Options::default()).unwrap();
    let messages: Vec<&str> = compiled.warnings.iter().map(|item| item.message.as_str()).collect();
    assert_eq!(messages.len(), 3, "{messages:?}");
    assert!(messages[0].contains("no rules"));
    assert!(messages[1].contains("old name"));
    assert!(messages[2].contains("unencrypted"));
}

#[test]
fn a_project_may_not_call_webhooks() {
    let text =
        "policies:\n  - name: a\n    rules: [{action: webhook, webhook: {url: 'https://x'}}]\n";
    let options = Options { layer: Layer::Project, ..Options::default() };
    let found = compile(&[source(text)], &options).unwrap_err();
    assert!(found[0].message.contains("may not call webhooks"), "{}", found[0]);
    assert!(compile(&[source(text)], &Options::default()).is_ok());
}

#[test]
fn names_are_unique_across_files() {
    let (a, b) = ("policies: [{name: x, rules: []}]", "policies: [{name: x, rules: []}]");
    let sources =
        [Source { name: "a", text: a.as_bytes() }, Source { name: "b", text: b.as_bytes() }];
    let found = compile(&sources, &Options::default()).unwrap_err();
    assert!(found[0].message.contains("first in a"), "{}", found[0]);
    assert_eq!(found[0].file, "b");
}

#[test]
fn examples_refuse_a_policy() {
    #[rustfmt::skip]
    let cases = [
        ("examples: {match: [{argv: [ls]}]}\n        when: {program: rm}", 6, "does not fire"),
        ("when: {program: rm}\n        examples: {not_match: [{argv: [rm, x]}]}", 7, "must not match"),
        ("when: {operands: [/etc/passwd]}\n        examples: {match: [{argv: [cat, ../../etc/passwd]}], not_match: [{argv: [cat, etc/passwd]}]}", 0, ""),
        ("when: {path_matches: [~/.ssh/**]}\n        examples: {match: [{tool: read, path: /home/user/.ssh/id}], not_match: [{tool: read, path: /etc/ssh}]}", 0, ""),
        ("when: {domain_matches: ['*.x.com']}\n        examples: {match: [{tool: fetch, url: 'https://A.x.com/'}], not_match: [{tool: fetch, url: 'https://x.com'}]}", 0, ""),
    ];
    for (rule, line, message) in cases {
        let text = with_rule(rule);
        let found = compile(&[source(&text)], &Options::default()).err().unwrap_or_default();
        assert_eq!(found.first().map_or(0, |item| item.line), line, "{rule}: {found:?}");
        if let Some(first) = found.first() {
            assert!(first.message.contains(message), "{first}");
        }
    }
}

#[test]
fn a_mistake_in_a_named_list_is_told_once() {
    let text = "lists: {a: ['**a**b**', x], b: [y]}\npolicies: [{name: p, rules: [{action: deny, when: {operands: {list: a}}}, {action: ask, when: {command_matches: {list: a}}}]}]\n";
    let found = compile(&[source(text)], &Options::default()).expect_err(text);
    let lines: Vec<String> = found.iter().map(ToString::to_string).collect();
    assert_eq!(found.len(), 2, "{lines:#?}");
    assert!(found[0].message.contains("3 `**`"), "{lines:#?}");
    assert!(found[1].message.contains("list `b` is not used"), "{lines:#?}");
}
