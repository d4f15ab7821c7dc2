//! `rampart wrap`: an agent that the library cannot be loaded into, and its shells.

use super::{Denied, Fine, Is, NO, named, stubbed};
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::{Command, Stdio};
use tests::{Guard, find, rampart, run};

/// Starts the program that it is given, without an environment but for `PATH`, and ends as that does.
pub const AGENT: &str = r#"
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
int main(int argc, char **argv) {
    char *path = getenv("PATH");
    int status;
    if (fork()) {
        wait(&status);
        return WIFEXITED(status) ? WEXITSTATUS(status) : 98;
    }
    clearenv();
    setenv("PATH", path, 1);
    execvp(argv[1], argv + 1);
    return 99;
}
"#;

/// `rampart wrap`, with that agent told to start `words`.
pub fn wrapped(guard: &Guard, words: &[&str]) -> Command {
    let mut command = guard.bare(rampart());
    command.env("RAMPART_AUDIT_DIR", guard.audit()).env("RAMPART_LIB", tests::library());
    command.env("RAMPART_ASK_TIMEOUT", "1").arg("wrap").arg("--policy").arg(guard.image());
    command.arg("--").arg(guard.path("agent")).args(words);
    command
}

/// However a shell is given its commands.
#[test]
fn the_shells_of_wrap() {
    let guard = stubbed();
    fs::write(guard.path("script"), "x-fine\nx-deny\n").unwrap();
    fs::write(guard.path("fine"), "echo it ran\n").unwrap();
    let secret = Denied("test/secret");
    let cases: [(&[&str], &str, Is); 17] = [
        (&["sh", "-c", "echo it ran"], "", Fine),
        (&["bash", "-lc", "x-deny"], "", NO),
        (&["bash", "-ec", "x-deny"], "", NO),
        (&["bash", "-o", "pipefail", "-c", "x-deny"], "", NO),
        (&["bash", "-eo", "pipefail", "-c", "x-deny"], "", NO),
        (&["bash", "--norc", "-c", "x-deny"], "", NO),
        (&["dash", "-c", "x-deny"], "", NO),
        (&["sh", "fine"], "", Fine),
        (&["sh", "script"], "", NO),
        (&["bash", "./script", "a"], "", NO),
        (&["sh"], "echo it ran\n", Fine),
        (&["sh"], "x-deny\n", NO),
        (&["sh", "-s", "a"], "echo it ran $1\n", Fine),
        (&["sh", "-s", "a"], ": >/x-secret/a\n", secret),
        (&["bash", "-e"], "cat <<E\n$(x-deny)\nE\n", NO),
        (&["sh"], "read a\nx-deny\necho it ran\n", NO),
        (&["sh"], "", Fine),
    ];
    for (words, input, is) in cases {
        if find(words[0]).is_none() {
            continue;
        }
        for is_pipe in [false, true] {
            let mut command = wrapped(&guard, words);
            if is_pipe {
                // The same through a pipe.
                let inner = command;
                command = guard.bare("/bin/sh");
                command.args(["-c", "cat | \"$@\"", "sh"]).arg(inner.get_program());
                command.args(inner.get_args());
                command.envs(inner.get_envs().filter_map(|(name, value)| Some((name, value?))));
            }
            let ran = run(&mut command, input);
            let said = match ran.stderr.contains("rampart: denied: ") {
                true => Denied(named(&ran.stderr)),
                false => Fine,
            };
            assert_eq!(said, is, "{words:?}, {input:?}, a pipe: {is_pipe}: {ran:?}");
            let has_run = is == Fine && (words.len() > 1 || !input.is_empty());
            assert_eq!(ran.stdout.contains("it ran"), has_run, "{words:?}, {input:?}: {ran:?}");
            assert_eq!(
                ran.status,
                if is == Fine { 0 } else { 126 },
                "{words:?}, {input:?}: {ran:?}"
            );
        }
    }
}

/// A shell that an agent talks to: it answers before it is told more.
#[test]
fn a_shell_of_wrap_that_is_talked_to() {
    let guard = stubbed();
    let mut command = wrapped(&guard, &["sh"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    for (text, answer) in [("a=1; echo one\n", "one\n"), ("if true; then\necho $a\nfi\n", "1\n")] {
        input.write_all(text.as_bytes()).unwrap();
        let mut line = String::new();
        output.read_line(&mut line).unwrap();
        assert_eq!(line, answer);
    }
    input.write_all(b": >/x-secret/a\necho too late\n").unwrap();
    let (mut said, mut more) = (String::new(), String::new());
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    output.read_to_string(&mut more).unwrap();
    assert_eq!((named(&said), more.as_str()), ("test/secret", ""), "{said}");
    assert_eq!(child.wait().unwrap().code(), Some(126));
}

#[test]
fn a_shell_of_wrap_outside_of_a_tree() {
    let guard = stubbed();
    let link = guard.path("bin/dash");
    std::os::unix::fs::symlink(rampart(), &link).unwrap();
    let ran = run(guard.bare(&link).args(["-c", "echo it ran"]), "");
    assert_eq!((ran.status, ran.stdout.as_str()), (126, ""), "{ran:?}");
    assert!(ran.stderr.contains("rampart wrap"), "{ran:?}");
}
