//! Which scripts on the disk are read before they run: those that anybody may have written. One that
//! the system brings is a program like others of the system.

#![allow(clippy::unwrap_used, reason = "a test stops where it fails")]

mod support;

use evaluator::request::{NoEnv, NoParams};
use evaluator::{Action, Call, Caller, Cwd, Image, Request, Target, decide};
use policy_schema::{Layer, Options, OwnedScratch, Source, compile};
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
    let source = Source { name: "p.yaml", text: POLICY.as_bytes() };
    let image = compile(&[source], &Options { layer: Layer::User, ..Options::default() }).unwrap();
    let images = [Image::open(&image).unwrap()];
    for (why, text, judged) in CASES {
        let request = Request {
            tool: b"exec",
            call: Call::Shell(text.as_bytes()),
            cwd: Cwd::Known(b"/work"),
            env: &NoEnv,
            target: Target::default(),
            caller: Caller::default(),
            path: None,
            url: None,
            params: &NoParams,
        };
        let mut scratch = OwnedScratch::for_request(&request, 8);
        let action = decide(&images, &request, &SCRIPTS, &mut scratch.borrow()).action;
        assert_eq!(action == Action::Deny, *judged, "{why}: {text}");
    }
}
