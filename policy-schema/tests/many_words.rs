//! Commands of many words are first asked which patterns they can match at all. That only saves
//! work: options that no pattern is about never change a verdict.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use policy_schema::{Layer, Options, Source, compile};
use proptest::prelude::*;
use support::shell;

const SEGMENTS: [&str; 20] = [
    "a", "b", "etc", "home", "user", "root", ".ssh", "work", "project", "..", "*", "**", "?",
    "[ab]", "a*", "*.b", "a?", "[*]", ".[*]", "\\\\",
];

/// Paths and path patterns, of the same material so that they meet.
fn path() -> impl Strategy<Value = String> {
    let start = prop_oneof!["/", "~/", "", "/work/project/", "/home/user/"];
    let segments = proptest::collection::vec(0..SEGMENTS.len(), 0..4);
    (start, segments).prop_map(|(start, segments)| {
        let segments: Vec<&str> =
            segments.iter().filter_map(|at| SEGMENTS.get(*at).copied()).collect();
        format!("{start}{}", segments.join("/"))
    })
}

/// The condition, the command, and what stands before the path in it.
const KINDS: [(&str, &str); 6] = [
    ("operands", "ls"),
    ("operand_matches", "ls"),
    ("writes", "tee"),
    ("reads", "cat"),
    ("redirects_to", "ls >"),
    ("operands", "dd of="),
];

fn compiled(action: &str, key: &str, patterns: &[String]) -> Option<Vec<u8>> {
    let quoted: Vec<String> = patterns.iter().map(|pattern| format!("\"{pattern}\"")).collect();
    let default = if action == "allow" { "deny" } else { "allow" };
    let text = format!(
        "default_action: {default}\npolicies:\n  - name: p\n    rules:\n      - {{action: {action}, \
         when: {{{key}: [{}]}}}}\n",
        quoted.join(", ")
    );
    let source = Source { name: "p.yaml", text: text.as_bytes() };
    compile(&[source], &Options { layer: Layer::User, ..Options::default() }).ok()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    #[test]
    fn options_of_no_rule_change_nothing(
        patterns in proptest::collection::vec(path(), 1..4),
        words in proptest::collection::vec(path(), 1..3),
        kind in 0..KINDS.len(),
        action in prop_oneof!["allow", "deny"],
    ) {
        let (key, command) = KINDS.get(kind).unwrap();
        let Some(image) = compiled(&action, key, &patterns) else {
            return Ok(());
        };
        let words = words.join(" ");
        let (program, before) = command.split_once(' ').unwrap_or((command, ""));
        let few = format!("{program} {before}{words}");
        let many = format!("{program} -1 -2 -3 -4 -5 -6 -7 {before}{words}");
        let verdicts = (shell(&[&image], &few), shell(&[&image], &many));
        prop_assert_eq!(verdicts.0, verdicts.1, "{} for {:?}", many, patterns);
    }
}
