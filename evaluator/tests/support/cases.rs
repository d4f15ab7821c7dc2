//! One case a line: why, the text, the commands that it comes to.

use super::understand_shell;

/// `(why, text, commands)`; `⏎` is a line end, `⇥` a tab, `□` a part that is not known.
pub type Case = (&'static str, &'static str, &'static str);

/// Fails if some case comes to other commands, after printing all that do.
pub fn check(cases: &[Case]) {
    check_by("bash", cases);
}

/// As [`check`], for texts that `shell` reads.
pub fn check_by(shell: &str, cases: &[Case]) {
    let mut wrong = 0;
    for (why, text, expected) in cases {
        let source = text.replace('⏎', "\n").replace('⇥', "\t");
        let understood = understand_shell(source.as_bytes(), shell);
        let mut lines = understood.lines();
        if !understood.complete {
            lines.push(format!("{:?}", understood.outcome));
        }
        let found = lines.join(" || ");
        if found != *expected {
            wrong += 1;
            println!("{why}\n  text     {text}\n  expected {expected}\n  found    {found}");
        }
    }
    assert!(wrong == 0, "{wrong} of {} cases", cases.len());
}
