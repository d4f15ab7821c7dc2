//! Scripts are judged by their text when they are started, whatever working memory that takes: what a
//! shell does by itself never comes by again.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use tests::{Guard, run};

const POLICY: &str = "version: '1'\ndefault_action: allow\npolicies: [{name: p, rules: \
    [{action: deny, when: {writes: ['**/victim']}}]}]";

/// What stands before the line that is denied, so and so often.
const FILLERS: &[(&str, usize)] = &[
    ("", 1),
    ("true\n", 14),
    ("true\n", 15),
    ("true\n", 16),
    ("true\n", 17),
    ("true\n", 300),
    ("x=$(echo a b c d e f g h i j k l m n o p)\n", 12),
    ("echo a >/dev/null 2>&1 </dev/null\n", 9),
    ("a=1 b=2 c=3; echo $a $b $c\n", 20),
    ("# a long comment that is no command, but takes room all the same\n", 200),
];

#[test]
fn the_last_line_of_a_script_counts_as_the_first() {
    let guard = Guard::new(POLICY);
    for (filler, count) in FILLERS {
        let text = format!("#!/bin/sh\n{}: >victim\n", filler.repeat(*count));
        fs::write(guard.path("script"), text).unwrap();
        let mode = fs::Permissions::from_mode(0o755);
        fs::set_permissions(guard.path("script"), mode).unwrap();
        for words in [&["dash", "script"][..], &["bash", "./script"], &["./script"]] {
            let text = words.join(" ");
            for by in ["dash", "bash"] {
                let ran = run(guard.command(by).args(["-c", &format!("{text}; exit $?")]), "");
                assert_eq!(ran.status, 126, "{by}: {text}, {count} x {filler:?}: {ran:?}");
                assert!(!guard.path("victim").exists(), "{by}: {text}, {count} x {filler:?}");
            }
        }
        // Its own start, not as a part of another's text.
        let ran = run(guard.command("env").arg("./script"), "");
        assert_eq!((ran.status, guard.path("victim").exists()), (126, false), "{ran:?}");
    }
}
