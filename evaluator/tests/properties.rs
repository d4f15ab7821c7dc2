//! What holds for every text: it ends without a panic, and harmless changes change nothing.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test stops where it fails")]

mod support;

use evaluator::command::Outcome;
use proptest::prelude::*;
use support::{Understood, understand_argv, understand_shell};

/// Pieces that texts are made of, so that mixes of them reach deep.
fn piece() -> impl Strategy<Value = String> {
    let shell: Vec<&'static str> = vec![
        "rm -rf /",
        "echo a",
        "$x",
        "\"$x\"",
        "$(",
        ")",
        "`",
        "'",
        "\"",
        "{",
        "}",
        "{a,b}",
        "|",
        "&&",
        "||",
        ";",
        "\n",
        "&",
        "<<E\n",
        "\nE\n",
        "<<<",
        "<(",
        ">(",
        "((",
        "))",
        "$((",
        "[[",
        "]]",
        "if ",
        "then ",
        "fi",
        "for i in a b; do ",
        "done",
        "case x in ",
        "esac",
        ";;",
        "f() ",
        "${x:-",
        "${x#",
        "${x/",
        "${x:1:",
        "$'\\x41",
        "eval ",
        "sh -c ",
        "base64 -d",
        "sudo ",
        "env ",
        "xargs ",
        "find . -exec ",
        "\\;",
        "ssh h ",
        "a=",
        "a+=(",
        "python3 -c ",
        "perl -e ",
        "node -e ",
        "awk ",
        "sed ",
        "os.system(\"",
        "\")",
        "alias a=",
        "trap ",
        "read x",
        "while a; do ",
        "\\",
        "#",
        "~",
        "*",
        "\0",
        "\u{e9}",
        " ",
        " ",
        "printf '%s' ",
        "tr a b",
        "git -c a=!",
        "$@",
        "$1",
        "set -- ",
        "cd ",
        "> f",
        "2>&1",
        "{1..9}",
        "!",
        "time ",
        "function g ",
        "coproc ",
        "select x in ",
    ];
    prop_oneof![4 => proptest::sample::select(shell).prop_map(String::from), 1 => ".{0,8}"]
}

fn text() -> impl Strategy<Value = String> {
    proptest::collection::vec(piece(), 0..24).prop_map(|pieces| pieces.concat())
}

fn contains(understood: &Understood, line: &str) -> bool {
    understood.lines().iter().any(|found| found == line)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_end(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        understand_shell(&bytes, "bash");
        understand_shell(&bytes, "dash");
        understand_argv(&[b"python3", b"-c", &bytes]);
        understand_argv(&[b"perl", b"-e", &bytes]);
        understand_argv(&[b"sed", &bytes]);
    }

    #[test]
    fn any_mix_ends(text in text()) {
        understand_shell(text.as_bytes(), "bash");
        understand_shell(text.as_bytes(), "sh");
        for program in ["python3", "node", "perl", "ruby", "php", "lua", "awk", "emacs", "git", "xargs"] {
            understand_argv(&[program.as_bytes(), b"-e", text.as_bytes(), b"-c", text.as_bytes()]);
        }
    }

    #[test]
    fn the_same_text_gives_the_same_tree(text in text()) {
        let once = understand_shell(text.as_bytes(), "bash");
        let again = understand_shell(text.as_bytes(), "bash");
        prop_assert_eq!(once.lines(), again.lines());
        prop_assert_eq!(once.outcome, again.outcome);
    }

    #[test]
    fn quoting_a_literal_word_changes_nothing(word in "[a-z][a-z0-9_./-]{0,12}", arg in "[a-z0-9_./-]{1,12}") {
        let plain = understand_shell(format!("/bin/{word} {arg}").as_bytes(), "bash");
        for quoted in [format!("'/bin/{word}' '{arg}'"), format!("\"/bin/{word}\" \"{arg}\""), format!("\\/bin/{word} $'{arg}'")] {
            let other = understand_shell(quoted.as_bytes(), "bash");
            prop_assert_eq!(plain.lines(), other.lines());
        }
    }

    #[test]
    fn appending_a_command_loses_none(text in text()) {
        let before = understand_shell(text.as_bytes(), "bash");
        let open = text.ends_with('\\') || text.contains("<<");
        if before.outcome != Outcome::Complete || open {
            return Ok(());
        }
        let after = understand_shell(format!("{text}\ntrue").as_bytes(), "bash");
        for line in before.lines() {
            prop_assert!(contains(&after, &line), "{line} is gone from {:?}", after.lines());
        }
    }

    #[test]
    fn wrapping_loses_no_command(word in "[a-z]{1,8}", arg in "[a-z/]{1,8}") {
        let line = format!("{word} {arg}");
        for (text, via) in [
            (format!("env A=b {line}"), "wrapper"),
            (format!("sudo -n {line}"), "sudo"),
            (format!("sh -c '{line}'"), "shell"),
            (format!("nohup timeout 5 {line}"), "wrapper"),
            (format!("echo {line} | sh"), "stdin"),
            (format!("eval {line}"), "eval"),
            (format!("x=$({line})"), "substitution"),
            (format!("f() {{ {line}; }}; f"), "function"),
        ] {
            // Programs with a meaning of their own are a case apart.
            let plain = understand_shell(line.as_bytes(), "bash");
            prop_assume!(plain.commands.len() == 1 && plain.outcome == Outcome::Complete);
            let found = understand_shell(text.as_bytes(), "bash");
            prop_assert!(contains(&found, &format!("{via}: {line}")), "{text}: {:?}", found.lines());
        }
    }
}
