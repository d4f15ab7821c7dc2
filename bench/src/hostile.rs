//! Inputs of 8 KiB that cost as much as anybody found: every piece of grammar, every kind of
//! wrapper, quote and path, repeated to that size. A verdict on each has to end soon, whatever it is.

use std::fmt::Write as _;

use evaluator::Image;
use policy_schema::OwnedScratch;

use crate::report::Report;
use crate::verdict::{open, time, time_understanding};

/// Length of the inputs.
const SIZE: usize = 8192;

/// Most that a verdict on one may take, in microseconds.
const BUDGET: f64 = 500.0;

/// What stands at the start, what is repeated, what stands at the end, and whether the repeated
/// part stands behind `sh -c` or an interpreter as one argument.
const TEXTS: &[(&str, &str, &str)] = &[
    // Grammar.
    ("", "a ", ""),
    ("", "a;", ""),
    ("", "a\n", ""),
    ("", "a|", "a"),
    ("", "a&&", "a"),
    ("", "a||", "a"),
    ("", "a&", ""),
    ("", "! ", "a"),
    ("", "time ", "a"),
    ("", "#", ""),
    ("", "# a\n", ""),
    ("", "\\\n", ""),
    ("", "(", ""),
    ("", "((", ""),
    ("", "( a ) ", ""),
    ("", "{ ", "a"),
    ("", "{ a; };", ""),
    ("", "if a;then ", "b"),
    ("", "if a;then b;elif c;then d;fi;", ""),
    ("", "while a;do ", "b"),
    ("x=1;", "while a;do x=$x$x;", "b"),
    ("", "until a;do b;done;", ""),
    ("", "for i in 1 2 3 4;do ", "a"),
    ("", "for i in 1 2 3 4;do a $i;done;", ""),
    ("", "for((i=0;i<9;i++));do ", "a"),
    ("", "case a in a)", "b"),
    ("", "case a in a|b|c)d;;*)e;;esac;", ""),
    ("case a in ", "a)b;;", "esac"),
    ("", "f(){ ", "a"),
    ("", "f(){ f;};f;", ""),
    ("f(){ ", "f|", "f;};f"),
    ("f(){ g;g;};g(){ h;h;};h(){ ", "a;", "};f"),
    ("", "function f { a; };", ""),
    ("", "coproc ", "a"),
    ("", "select x in a b;do ", "c"),
    ("", "[[ a ]];", ""),
    ("[[ ", "( ", "a"),
    ("[[ ", "a && ", "a ]]"),
    ("", "((x=1));", ""),
    ("", "((", "1))"),
    ("", "((x+=1,", "1))"),
    ("echo $((", "1+", "1))"),
    ("echo $((", "(", "1))"),
    ("echo $((", "-", "1))"),
    ("echo ", "$((1+", "1"),
    ("", ">a ", ""),
    ("", "2>&1 ", "a"),
    ("", "cat <<E\n", ""),
    ("", "cat <<E\na\nE\n", ""),
    ("", "cat <<-'E' <<F\n", ""),
    ("", "cat <<E;", "\n"),
    ("", "cat <<< a;", ""),
    ("", "trap a EXIT;", ""),
    ("", "alias a=b;", "a"),
    ("", "alias a=a\\ a;a;", ""),
    ("", "eval ", "a"),
    ("", "eval a;", ""),
    ("", "source ", "a"),
    ("", "exec ", "a"),
    ("", "set -- a;", "$@"),
    ("set -- a b c d e f g h;", "set -- $@ $@;", "$@"),
    ("", "shift;", ""),
    ("", "cd ..;", "rm -rf x"),
    ("", "cd a;", "rm -rf x"),
    // Words.
    ("echo ", "'a'", ""),
    ("echo ", "\"'\"", ""),
    ("echo ", "\\a", ""),
    ("echo ", "$'\\x41'", ""),
    ("echo $'", "\\x41", "'"),
    ("echo ", "$x", ""),
    ("echo ", "$x ", ""),
    ("x=a;echo ", "$x ", ""),
    ("echo ", "${x}", ""),
    ("echo ", "${x:-", ""),
    ("echo ", "${x:-a}", ""),
    ("echo ", "${x#a}", ""),
    ("echo ", "${x/a/b}", ""),
    ("echo ", "\"${x:-", ""),
    ("echo ", "${!x}", ""),
    ("echo ", "${a[0]}", ""),
    ("echo ", "$(a)", ""),
    ("echo ", "$(a ", ""),
    ("", "$(", ""),
    ("echo ", "`a`", ""),
    ("echo ", "`", ""),
    ("echo ", "$(<a)", ""),
    ("echo ", "<(a) ", ""),
    ("", "cat <(", ""),
    ("echo \"", "$(echo \"", ""),
    ("echo ", "{a,b}", ""),
    ("echo ", "{a,b} ", ""),
    ("echo ", "{a,", ""),
    ("echo ", "{a", ""),
    ("echo {", "a,", "b}"),
    ("echo {", "{a,b},", "c}"),
    ("echo ", "{1..9}", ""),
    ("echo ", "{1..500} ", ""),
    ("echo ", "*", ""),
    ("echo ", "[a", ""),
    ("echo ", "@(a|", ""),
    ("echo ", "?(", ""),
    ("echo ", "~", ""),
    ("echo ", "~ ", ""),
    ("echo ", "=", ""),
    ("", "a=b ", "c"),
    ("", "a=$a$a;", ""),
    ("a=xxxxxxxx;", "a=$a$a;", "echo $a"),
    ("a=xxxxxxxx;", "b=$a;", "echo $b"),
    ("", "a=b;", "$a $a $a $a"),
    ("", "a+=b;", "$a"),
    ("a=(", "b ", "); ${a[@]}"),
    ("", "a+=(b);", "${a[@]}"),
    ("", "c && a=b;", "$a"),
    ("", "c && a=b;$a;", ""),
    ("", "export a=b;", ""),
    ("", "export a;", ""),
    ("", "declare -n a=b;", "$a"),
    ("", "local a=b;", ""),
    ("", "read a <<< b;", "$a"),
    ("", "printf -v a b;", "$a"),
    ("", "let a=1;", ""),
    ("", "IFS=,;", "a"),
    ("IFS=abcdefgh;x=aaaaaaaaaaaaaaaaaaaa;", "$x ", ""),
    // Data on its way.
    ("", "echo a|", "sh"),
    ("", "cat|", "sh"),
    ("echo a", "|cat", "|sh"),
    ("echo a", "|tee b", "|sh"),
    ("echo a", "|base64|base64 -d", "|sh"),
    ("echo a", "|tr a b", "|sh"),
    ("echo a", "|rev", "|sh"),
    ("echo ", "YWFhYQ", "|base64 -d|sh"),
    ("printf '", "\\141", "'|sh"),
    ("printf '", "%s", "' a b c d|sh"),
    ("printf ", "%d", " 1|sh"),
    ("printf '%200s' ", "a ", "|sh"),
    ("echo ", "a ", "|xargs -n1 rm"),
    ("echo ", "a ", "|xargs -I{} rm {}{}{}{}"),
    ("", "echo a>f;", "sh f"),
    ("", "echo a>>f;", "sh f"),
    ("", "echo rm -rf x|sh;", ""),
    ("", "sh<<<a;", ""),
    ("", "sh -c a;", ""),
    ("", "x=$(cat a);", "$x"),
    ("make -f - <<'E'\n", "a:;b\n", "E\n"),
    ("make -f - <<'E'\nX=", "$(X)", "\nE\n"),
    ("make -f - <<'E'\na:\n", "\t$(X)\n", "E\n"),
    // Paths and operands.
    ("rm -rf ", "a ", ""),
    ("rm -rf ", "/ ", ""),
    ("rm -rf ", "/a/b/c/d ", ""),
    ("rm -rf ", "a/b/c/d/e/f/g ", ""),
    ("rm -rf ", "../", ""),
    ("rm -rf ", "../a ", ""),
    ("rm -rf ", "/./", ""),
    ("rm -rf ", "a/../", ""),
    ("rm -rf /", "a/", ""),
    ("rm -rf ", "~/.ssh/x ", ""),
    ("rm -rf ", "$x/y ", ""),
    ("rm -rf ", "$x ", ""),
    ("rm -rf ", "*/a ", ""),
    ("rm ", "-r ", "a"),
    ("rm -", "rf", " a"),
    ("rm ", "-rf a ", ""),
    ("cat ", "/etc/passwd ", ""),
    ("cat ", "/proc/self/environ ", ""),
    ("cat ", "$HOME/.aws/credentials ", ""),
    ("cat ", ".env ", ""),
    ("cp ", ".ssh/id_rsa ", "x"),
    ("", "cat a/b;", ""),
    ("", "rm -rf a;", ""),
    ("", "cat /etc/a;", ""),
    ("", "cat $x/b;", ""),
    ("", "a/b/c /d/e/f;", ""),
    ("", "a>/b/c;", ""),
    ("", "git push --force;", ""),
    ("git ", "--force ", "push"),
    ("git ", "-c a=b ", "x"),
    ("git ", "-c alias.x='!a' ", "x"),
    ("git push ", "origin ", ""),
    ("chmod ", "777 ", "/"),
    ("curl ", "http://a/b ", ""),
    ("curl ", "-d @/etc/passwd ", "http://x"),
    ("dd ", "of=/dev/sda ", ""),
    ("docker run ", "-v /:/x ", "y z"),
    ("kubectl ", "delete ", "ns x"),
    ("terraform ", "destroy ", ""),
    // Wrappers.
    ("", "sudo ", "rm a"),
    ("", "env ", "rm a"),
    ("", "env A=b ", "rm a"),
    ("", "env -S ", "rm a"),
    ("", "nohup ", "rm a"),
    ("", "nice -n 5 ", "rm a"),
    ("", "timeout 5 ", "rm a"),
    ("", "command ", "rm a"),
    ("", "busybox ", "rm a"),
    ("", "xargs ", "rm a"),
    ("", "xargs -I{} ", "rm {}"),
    ("", "parallel ", "rm"),
    ("", "find . -exec ", "rm {} \\;"),
    ("find ", "a ", "-delete"),
    ("find . ", "-exec rm {} \\; ", ""),
    ("find a b c d e f g h ", "-exec rm {} \\; ", ""),
    ("find . ", "-name a -o ", "-delete"),
    ("", "ssh h ", "rm a"),
    ("", "docker exec c ", "rm a"),
    ("", "kubectl exec p -- ", "rm a"),
    ("", "tmux new ", "rm a"),
    ("", "flock l ", "rm a"),
    ("", "watch ", "rm a"),
    ("", "strace ", "rm a"),
    ("", "su -c ", "rm a"),
    ("", "sh -c ", "a"),
    ("", "git -c alias.x=!", "a"),
    ("", "$SUDO ", "rm a"),
    ("", "npx ", "rm a"),
    ("", "uv run ", "rm a"),
    ("", "systemd-run ", "rm a"),
    ("", "ld.so ", "rm a"),
    ("", "sudo env nice timeout 5 ", "rm a"),
    ("tar ", "--to-command=a ", "x"),
    ("sed '", "e a\n", "' f"),
    ("sed ", "-e 1ea ", "f"),
    ("vim ", "-c !a ", "f"),
    ("ssh ", "-o ProxyCommand=a ", "h"),
    ("psql -c '", "drop table a;", "'"),
    ("psql ", "-c 'drop table a' ", ""),
    ("psql -c '", "\\! a\n", "'"),
    ("sqlite3 x '", ".shell a\n", "'"),
    // Code of other languages.
    ("python3 -c 'requests;", "a ", "'"),
    ("python3 -c 'requests;", "get(", "'"),
    ("python3 -c 'requests;", "get(a);", "'"),
    ("python3 -c 'import os;", "os.system(\"a\");", "'"),
    ("python3 -c 'import os;", "os.system(", "'"),
    ("python3 -c 'import os;", "os.remove(\"a\");", "'"),
    ("python3 -c 'import os;", "x=x+\"a\";", "os.system(x)'"),
    ("python3 -c 'import os,subprocess;input;", "run(a);", "'"),
    ("python3 -c '", "\"a\"+", "b'"),
    ("python3 -c '", "print(1)\n", "'"),
    ("python3 -c '", "open(\"a\")\n", "'"),
    ("python3 -c '", "open(\"/etc/passwd\",\"w\")\n", "'"),
    ("python3 -c '", "a.b(c).d(e)\n", "'"),
    ("python3 -c '", "f\"{a}\"\n", "'"),
    ("python3 -c '", "exec(\"a\")\n", "'"),
    ("python3 -c '", "exec(", "'"),
    ("python3 -c '", "[", "'"),
    ("python3 -c '", "a[b]", "'"),
    ("python3 -c '", "# a\n", "'"),
    ("python3 -c '", "a=b\n", "a'"),
    ("python3 -c '", "import a as b;", "b()'"),
    ("node -e 'child_process;", "exec(\"a\");", "'"),
    ("node -e 'child_process;", "exec(", "'"),
    ("node -e '", "a=>{", "'"),
    ("node -e 'fs;", "rmSync(\"a\");", "'"),
    ("perl -e '", "system \"a\";", "'"),
    ("perl -e '", "`a`;", "'"),
    ("perl -e '", "system ", "'"),
    ("ruby -e '", "%x(a);", "'"),
    ("php -r '", "unlink(\"a\");", "'"),
    ("awk '{ ", "system(\"a\");", "}'"),
    ("awk '{ ", "print \"a\" | \"sh\";", "}'"),
    ("emacs --eval '", "(system \"a\")", "'"),
];

/// An input of [`SIZE`] bytes.
fn text(head: &str, part: &str, tail: &str) -> String {
    let count = SIZE.saturating_sub(head.len() + tail.len()) / part.len();
    let mut text = String::with_capacity(SIZE);
    let _ = write!(text, "{head}{}{tail}", part.repeat(count));
    text
}

/// Inputs that are no repetition of one part.
fn others() -> Vec<(String, String)> {
    let variables: String = (0..900).map(|n| format!("v{n}={n};")).collect();
    let functions: String = (0..600).map(|n| format!("f{n}(){{ a;}};")).collect();
    let calls: String = (0..600).map(|n| format!("f{n};")).collect();
    vec![
        ("900 variables".into(), format!("{variables}echo {}", "$v1 ".repeat(300))),
        ("functions and calls".into(), format!("{functions}{calls}")),
        (
            "a pattern of stars".into(),
            format!("x={}; echo ${{x##*{}}}", "a".repeat(4000), "?*".repeat(2000)),
        ),
        ("one long word".into(), "a".repeat(SIZE)),
        ("one long operand".into(), format!("rm -rf {}", "a".repeat(SIZE))),
        ("NULs".into(), "\0".repeat(SIZE)),
        ("quotes of quotes".into(), format!("sh -c '{}'", "'\\''a'\\''".repeat(900))),
    ]
}

/// Measures every input against the standard policy; the slowest count. `HOSTILE=TEXT` leaves only
/// those whose name holds the text.
pub fn measure(report: &mut Report, show: usize) -> Result<(), String> {
    let standard: Image<'_> = open(policies::STANDARD)?;
    let images = std::slice::from_ref(&standard);
    let mut scratch = OwnedScratch::default();
    let only = std::env::var("HOSTILE").unwrap_or_default();
    let mut all = others();
    all.extend(TEXTS.iter().map(|(head, part, tail)| {
        (format!("{head}{part}…{tail}").escape_debug().to_string(), text(head, part, tail))
    }));
    let mut times: Vec<(f64, f64, &str)> = all
        .iter()
        .filter(|(name, _)| name.contains(&only))
        .map(|(name, text)| {
            let text = text.as_bytes();
            let whole = time(images, text, 1000, &mut scratch) / 1e3;
            (whole, time_understanding(text, &mut scratch) / 1e3, name.as_str())
        })
        .collect();
    let count = times.len();
    let over = times.iter().filter(|(whole, _, _)| *whole > BUDGET).count();
    let name = format!("verdict, {count} inputs of 8 KiB: over {BUDGET} µs");
    report.absolute(&name, over as f64, "", Some(0.0));
    let over = times.iter().filter(|(_, part, _)| *part > BUDGET).count();
    let name = format!("understanding, {count} inputs of 8 KiB: over {BUDGET} µs");
    report.absolute(&name, over as f64, "", Some(0.0));
    times.sort_by(|one, other| other.1.total_cmp(&one.1));
    for (_, part, name) in times.iter().take(show) {
        report.absolute(&format!("understanding, 8 KiB of `{name}`"), *part, "µs", Some(BUDGET));
    }
    times.sort_by(|one, other| other.0.total_cmp(&one.0));
    for (whole, _, name) in times.iter().take(show) {
        report.absolute(&format!("verdict, 8 KiB of `{name}`"), *whole, "µs", Some(BUDGET));
    }
    Ok(())
}
