//! The deepest nesting has to fit the stack that the interposer brings: 256 KiB in a release
//! build. Frames of a debug build are several times as large.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test stops where it fails")]

mod support;

use evaluator::command::Outcome;
use support::understand_shell;

/// Stack that every case gets.
const STACK: usize = if cfg!(debug_assertions) { 4 << 20 } else { 256 << 10 };

/// What is repeated, and what closes one repetition.
const NESTINGS: &[(&str, &str)] = &[
    ("$(", ")"),
    ("(", ")"),
    ("{ ", ";}"),
    ("echo \"$(", ")\""),
    ("echo \"${x:-$(", ")}\""),
    ("${x:-", "}"),
    ("${x:-\"", "\"}"),
    ("if a; then ", "; fi"),
    ("while a; do ", "; done"),
    ("for i in 1; do ", "; done"),
    ("case x in x) ", ";; esac"),
    ("f() { ", "; }"),
    ("function f { ", "; }"),
    ("a=( $(", ") )"),
    ("cat <(", ")"),
    ("[[ -n $(", ") ]]"),
    ("echo $((1+$(", ")))"),
    ("echo {a,", "}"),
    ("echo @(", ")"),
    ("sudo ", ""),
    ("eval ", ""),
    ("echo x | ", ""),
    ("! ", ""),
    ("x=1 ", ""),
    ("sh -c '", "'"),
    ("coproc ", ""),
    ("xargs ", ""),
    ("env -S ", ""),
    ("find . -exec ", ""),
    ("ssh h ", ""),
    ("git -c alias.x=! ", ""),
    ("$SUDO ", ""),
    ("x=$(y=`", "`)"),
];

/// The same in code of other languages: interpreter, what is repeated, what closes it.
const CODE: &[(&str, &str, &str)] = &[
    ("python3 -c", "a(", ")"),
    ("python3 -c", "os.system(", ")"),
    ("python3 -c", "x = [", "]"),
    ("python3 -c", "getattr(a)(", ")"),
    ("python3 -c", "exec(\"", "\")"),
    ("node -e", "a.b(c => {", "})"),
    ("node -e", "child_process; exec(", ")"),
    ("perl -e", "system ", ""),
    ("ruby -e", "open a[", "]"),
    ("emacs --eval", "(system ", ")"),
    ("awk", "system(", ")"),
];

#[test]
fn code_of_other_languages_fits_the_stack() {
    for (program, open, close) in CODE {
        for levels in [20, 64, 400, 2000] {
            let text = format!("{program} '{}1{}'", open.repeat(levels), close.repeat(levels));
            let thread = std::thread::Builder::new().stack_size(STACK);
            let outcome = thread.spawn(move || understand_shell(text.as_bytes(), "bash").outcome);
            outcome.unwrap().join().unwrap();
        }
    }
}

#[test]
fn the_deepest_nesting_fits_the_stack() {
    for (open, close) in NESTINGS {
        for levels in [20, 63, 64, 65, 400, 4000] {
            let text = format!("{}true{}", open.repeat(levels), close.repeat(levels));
            let thread = std::thread::Builder::new().stack_size(STACK);
            let outcome = thread.spawn(move || understand_shell(text.as_bytes(), "bash").outcome);
            let outcome = outcome.unwrap().join().unwrap();
            // What matters is that it came back.
            assert!(matches!(
                outcome,
                Outcome::Complete | Outcome::TooComplex | Outcome::Unparseable
            ));
        }
    }
}

#[test]
fn text_that_feeds_itself_ends() {
    for text in [
        "f() { f; }; f",
        "f() { g; }; g() { f; }; f",
        "alias a=b b=a; a",
        "x='eval \"$x\"'; eval \"$x\"",
        "x='$x$x'; eval eval eval $x",
        "while :; do eval \"$0\"; done",
    ] {
        let thread = std::thread::Builder::new().stack_size(STACK);
        thread
            .spawn(move || understand_shell(text.as_bytes(), "bash").outcome)
            .unwrap()
            .join()
            .unwrap();
    }
}
