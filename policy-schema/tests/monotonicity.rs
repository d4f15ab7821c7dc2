//! What a policy author may rely on whatever else a policy says: more restrictions never allow
//! more.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod support;

use policy_schema::{Layer, Options, Source, compile};
use proptest::prelude::*;
use support::{argv, image};

const WHENS: [&str; 12] = [
    "{program: rm}",
    "{program: [git, ls]}",
    "{flags: -r}",
    "{operands: ['/**']}",
    "{operands: ['~/**']}",
    "{command_matches: ['git *']}",
    "{command_contains: [force]}",
    "{not: {program: ls}}",
    "{any: [{program: rm}, {flags: --force}]}",
    "{default: true}",
    "{subcommand: push}",
    "{writes: ['/etc/**']}",
];
const ACTIONS: [&str; 5] = ["allow", "watch", "ask", "deny", "allow"];
const LINES: [&str; 8] = [
    "ls",
    "rm -r /etc/x",
    "git push --force",
    "tee /etc/passwd",
    "git status",
    "cat /home/user/x",
    "sudo rm -r x",
    "dd of=/etc/x",
];

fn rules() -> impl Strategy<Value = Vec<(usize, usize, usize)>> {
    proptest::collection::vec((0..3_usize, 0..ACTIONS.len(), 0..WHENS.len()), 0..8)
}

fn text(default: &str, rules: &[(usize, usize, usize)]) -> String {
    let mut text = format!("default_action: {default}\npolicies:\n");
    for policy in 0..3 {
        text += &format!("  - name: p{policy}\n    rules:\n");
        for (_, action, when) in rules.iter().filter(|(of, _, _)| *of == policy) {
            let (action, when) = (ACTIONS[*action], WHENS[*when]);
            text += &format!("      - {{action: {action}, when: {when}}}\n");
        }
    }
    text
}

/// Conditions, nested a few groups deep.
fn conditions() -> impl Strategy<Value = String> {
    let leaf = (0..WHENS.len()).prop_map(|index| WHENS[index].to_owned());
    leaf.prop_recursive(3, 24, 4, |inner| {
        let group = proptest::collection::vec(inner.clone(), 1..4);
        prop_oneof![
            group.clone().prop_map(|parts| format!("{{any: [{}]}}", parts.join(", "))),
            group.prop_map(|parts| format!("{{all: [{}]}}", parts.join(", "))),
            inner.prop_map(|part| format!("{{not: {part}}}")),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_deny_rule_never_allows_more(
        mut rules in rules(), at in 0..9_usize, policy in 0..3_usize,
        when in 0..WHENS.len(), line in 0..LINES.len(), default in 0..4_usize,
    ) {
        let before = image(&text(ACTIONS[default], &rules), Layer::User);
        rules.insert(at.min(rules.len()), (policy, 3, when));
        let after = image(&text(ACTIONS[default], &rules), Layer::User);
        let (before, after) = (argv(&[&before], LINES[line]), argv(&[&after], LINES[line]));
        prop_assert!(after >= before, "{before:?} became {after:?}");
    }

    #[test]
    fn a_project_never_allows_more(
        own in rules(), project in rules(), line in 0..LINES.len(), default in 0..4_usize,
        other in 0..4_usize,
    ) {
        let own = image(&text(ACTIONS[default], &own), Layer::User);
        let project = image(&text(ACTIONS[other], &project), Layer::Project);
        let alone = argv(&[&own], LINES[line]);
        let both = argv(&[&own, &project], LINES[line]);
        prop_assert!(both >= alone, "{alone:?} became {both:?}");
    }

    #[test]
    fn order_of_files_does_not_matter_to_deny(
        one in rules(), other in rules(), line in 0..LINES.len(),
    ) {
        let first = text("allow", &one);
        let second = text("allow", &other).replace("name: p", "name: q");
        let join = |texts: [&str; 2]| {
            let sources = texts.map(|text| Source { name: "f", text: text.as_bytes() });
            compile(&sources, &Options::default()).unwrap()
        };
        let (there, back) = (join([&first, &second]), join([&second, &first]));
        prop_assert_eq!(argv(&[&there], LINES[line]), argv(&[&back], LINES[line]));
    }

    /// What a double negation holds back from being taken apart is filed under every program.
    #[test]
    fn filing_by_program_changes_nothing(when in conditions(), line in 0..LINES.len()) {
        let rule = |when: &str| {
            let rules = format!("[{{action: deny, when: {when}}}]");
            let text = format!("default_action: allow\npolicies: [{{name: p, rules: {rules}}}]");
            image(&text, Layer::User)
        };
        let (filed, whole) = (rule(&when), rule(&format!("{{not: {{not: {when}}}}}")));
        let (filed, whole) = (argv(&[&filed], LINES[line]), argv(&[&whole], LINES[line]));
        prop_assert_eq!(filed, whole);
    }
}
