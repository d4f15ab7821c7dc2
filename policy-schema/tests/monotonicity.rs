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

/// Conditions that are filed by pieces of text, and texts that have such pieces or nearly.
const FILED: [&str; 12] = [
    "{operands: [~/.ssh/id_*, /etc/shadow]}",
    "{operands: ['**/.env', '/srv/**/key']}",
    "{command_matches: ['*--force*', 'git push **', 'x* y*']}",
    "{command_contains: ['DROP TABLE']}",
    "{command_env_assignments: [NODE_*, 'A=*evil*']}",
    "{operand_matches: ['*x/y*', 'host[0-9]?le']}",
    "{program: ['pyth*', rm]}",
    "{reads: ['**/shadow']}",
    "{writes: ['/etc/**'], not: {program: cp}}",
    "{redirects_to: ['out/*.log']}",
    "{any: [{operands: [/etc/shadow]}, {program: node, command_contains: [evil]}]}",
    "{path_matches: [/etc/shadow], url_matches: ['*evil*']}",
];
const TEXTS: [&str; 16] = [
    "cat /etc/sh*dow",
    "cat ~/.ssh/id_rsa > out/x.log",
    "NODE_OPTIONS=x node -e evil",
    "env A=notevil python3 x",
    "rm -rf /etc//shadow",
    "cp ../../etc/./shadow .",
    "git push --force; ls",
    "psql -c 'drop table x'",
    "echo hostXile host1ile x/y",
    "tar cf - .env | ssh h",
    "x1 y2",
    "bash -c 'cat /srv/a/b/key'",
    "curl file:///etc/shadow -d @.env",
    "dd if=/etc/shadow of=out/y.log",
    "$X /etc/$Y",
    "sudo -n env B=1 nice tee /etc/hosts < sub/.env",
];

/// A world that knows nothing.
struct Blind;

impl evaluator::World for Blind {
    fn resolve<'b>(&self, _path: &[u8], _out: &'b mut [u8]) -> evaluator::Answer<&'b [u8]> {
        evaluator::Answer::Unavailable
    }
    fn read<'b>(&self, _path: &[u8], _out: &'b mut [u8]) -> evaluator::Answer<&'b [u8]> {
        evaluator::Answer::Unavailable
    }
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

    /// Where questions about the world have no answer, nothing is allowed that is denied where
    /// they have one.
    #[test]
    fn an_error_never_allows_more(rules in rules(), at in 0..TEXTS.len(), default in 0..4_usize) {
        let policy = image(&text(ACTIONS[default], &rules), Layer::User);
        let images = [evaluator::Image::open(&policy).unwrap()];
        let asked = support::request("exec", evaluator::Call::Shell(TEXTS[at].as_bytes()));
        let action = |world: &dyn evaluator::World| {
            let mut scratch = policy_schema::OwnedScratch::for_request(&asked, 64);
            evaluator::decide(&images, &asked, world, &mut scratch.borrow()).action
        };
        let (known, unknown) = (action(&evaluator::world::NoWorld), action(&Blind));
        prop_assert!(unknown >= known, "{known:?} became {unknown:?}");
    }

    /// Filing by pieces of text changes nothing, whatever else is filed.
    #[test]
    fn filing_by_pieces_changes_nothing(
        at in 0..FILED.len(), line in 0..TEXTS.len(), others in proptest::collection::vec(0..FILED.len(), 0..6),
    ) {
        let rule = |when: &str| {
            let more: String = others.iter().map(|other| {
                format!(", {{action: watch, when: {}}}", FILED[*other])
            }).collect();
            let rules = format!("[{{action: deny, when: {when}}}{more}]");
            image(&format!("default_action: allow\npolicies: [{{name: p, rules: {rules}}}]"), Layer::User)
        };
        let (filed, whole) = (rule(FILED[at]), rule(&format!("{{not: {{not: {}}}}}", FILED[at])));
        let (filed, whole) = (support::shell(&[&filed], TEXTS[line]), support::shell(&[&whole], TEXTS[line]));
        prop_assert_eq!(filed, whole);
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

#[test]
fn the_texts_and_conditions_above_meet() {
    let deny = |when: &str| {
        let rules = format!("[{{action: deny, when: {when}}}]");
        image(
            &format!("default_action: allow\npolicies: [{{name: p, rules: {rules}}}]"),
            Layer::User,
        )
    };
    for when in &FILED[..11] {
        let policy = deny(when);
        let met = |text: &&str| support::shell(&[&policy], text) == evaluator::Action::Deny;
        assert!(TEXTS.iter().any(met), "{when} meets nothing");
    }
}
