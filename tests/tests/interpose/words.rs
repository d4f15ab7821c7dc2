//! `wordexp(3)`: its words are no command, the substitutions in them are. The line of a denial has
//! to come from the caller, as the shells that run them print to nobody.

use tests::{LibC, probe, run};

use crate::{POLICY, denials, forbidden, guard, mark};

/// What may be expanded, and comes to the same as without us.
const PERMITTED: &[&str] = &[
    "a 'b c' \"d\" $HOME/x ~",
    "a $(echo b c) d",
    "\"$(echo b c)\" `echo d`",
    "$((1 + 2)) $((`echo 3` + 4))",
    "${UNSET:-$(echo deep)}",
    "'$(forbidden @M)' '`forbidden @M`'",
    "echo forbidden @M $(:)",
    "$(exit 3) after",
    "a;b",
    "*.no-such-file",
];

/// What may not, each with one line and nothing run.
const DENIED: &[&str] = &[
    "$(forbidden @M)",
    "`forbidden @M`",
    "a \"b $(forbidden @M) c\"",
    "${UNSET:-$(forbidden @M)}",
    "$(echo $(forbidden @M))",
    "$(x=forbidden; $x @M)",
];

#[test]
fn what_is_substituted_is_judged_in_the_caller() {
    for libc in [LibC::Glibc, LibC::Musl] {
        let (guard, _) = guard(POLICY);
        forbidden(&guard, LibC::Glibc);
        let words = guard.path("words");
        if !probe("words", libc, &words) {
            println!("skipped: {libc:?} (no compiler)");
            continue;
        }
        let fill = |text: &str| text.replace("@M", &mark(&guard).to_string_lossy());
        for text in PERMITTED {
            let bare = run(guard.bare(&words).arg(fill(text)), "");
            let ours = run(guard.command(&words).arg(fill(text)), "");
            assert_eq!(bare, ours, "{libc:?} {text}");
            assert!(bare.status == 0 && !mark(&guard).exists(), "{libc:?} {text}: {bare:?}");
        }
        for text in DENIED {
            for on_deny in ["", "errno"] {
                guard.forget();
                let mut command = guard.command(&words);
                let ran = run(command.env("RAMPART_ON_DENY", on_deny).arg(fill(text)), "");
                // WRDE_CMDSUB, as if no substitution were allowed.
                assert_eq!(ran.stdout, "4\n", "{libc:?} {text}: {ran:?}");
                assert_eq!((ran.status, denials(&ran.stderr)), (0, 1), "{libc:?} {text}: {ran:?}");
                assert!(!mark(&guard).exists(), "{libc:?} {text}: it ran: {ran:?}");
                let events = guard.events();
                let denied = events.iter().filter(|event| event["outcome"] == "denied");
                assert_eq!(denied.count(), 1, "{libc:?} {text}: {events:#?}");
            }
            let ran = run(guard.bare(&words).arg(fill(text)), "");
            assert!(mark(&guard).exists(), "{libc:?} {text} runs nothing: {ran:?}");
            std::fs::remove_file(mark(&guard)).unwrap();
        }
    }
}
