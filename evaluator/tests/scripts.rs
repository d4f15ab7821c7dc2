//! Which scripts on the disk are read before they run: those that anybody may have written. One that
//! the system brings is a program like others of the system.

mod support;

use evaluator::Action;
use support::verdict::{compiled, judged};
use support::world::OneText;

const POLICY: &str = "version: '1'\ndefault_action: allow\npolicies: [{name: p, rules: \
    [{action: deny, when: {writes: ['**/victim']}}]}]";

/// Every file called `script` is one that writes to a victim.
const SCRIPTS: OneText = OneText { path: "/script", text: "echo a\n: > victim\n" };

/// `(why, text, whether the script's text is judged)`.
#[rustfmt::skip]
const CASES: &[(&str, &str, bool)] = &[
    ("in the working directory", "sh script", true),
    ("by a path", "bash ./script a b", true),
    ("by an absolute path", "sh /work/script", true),
    ("with options", "bash -eu /opt/x/script", true),
    ("of another's making", "sh /usr/local/bin/script", true),
    ("where the system keeps nothing", "sh /usr/script; sh /binx/script", true),
    ("out of a system's directory", "sh /usr/bin/../../tmp/script", true),
    ("written just before", "printf ': >victim' > /usr/bin/script && sh /usr/bin/script", true),
    ("read by the running shell", ". /usr/share/script", true),
    ("a program of the system", "sh /usr/bin/script", false),
    ("one of its parts", "bash /usr/lib/git-core/script x", false),
    ("by a way round", "cd /usr; sh share/../bin//script", false),
];

#[test]
fn scripts_of_the_system_are_programs_of_the_system() {
    let image = compiled(POLICY.as_bytes());
    for (why, text, is_judged) in CASES {
        let (action, _) = judged(&image, text, "/work", &SCRIPTS);
        assert_eq!(action == Action::Deny, *is_judged, "{why}: {text}");
    }
}
