//! How much of a caller's stack a guarded call takes: coroutines, green threads and threads with small
//! stacks make such calls, and nothing below them says when it was too much (docs/operations.md has the
//! figures).

use std::fs;
use std::os::unix::fs::symlink;

use tests::{Evaluator, LibC, find, probe, run};

use crate::place::{Place, VAULT};

/// The coroutine's stack, in bytes. Below it lies nothing that may be touched.
const STACK: usize = 16 * 1024;

/// The most that a call may take where it is judged, and where somebody is asked about it.
const JUDGED: usize = 2560;
const ASKED: usize = 3072;

/// The same for a start of a program, arrays of pointers for its arguments and environment included: few of
/// either, and as many as still lie on the stack.
const STARTED: usize = 4608;
const STARTED_WITH_MANY: usize = 6144;

/// Vaults: `vault` is closed, about `asked` somebody is asked; so is the program `forbidden`, and `asks`.
fn policy() -> String {
    let asks = "
      - name: asked
        action: ask
        when: {path_matches: ['**/asked/**']}
  - name: net
    match: {tool: [connect, listen], by: program}
    rules: [{name: net, action: deny, when: {url_matches: ['socket://127.0.0.1:9']}}]
  - name: programs
    match: {tool: [exec]}
    rules:
      - {name: forbidden, action: deny, when: {program: [forbidden]}}
      - {name: asks, action: ask, when: {program: [asks]}}
";
    format!("{}{asks}", VAULT.trim_end())
}

/// The function, its first argument, entries of the environment, what the probe prints before the
/// figure, and the limit.
type Row = (&'static str, &'static str, usize, &'static str, usize);

const ROWS: &[Row] = &[
    ("open", "@O/file", 0, "ok", JUDGED),
    ("open", "@O/link", 0, "ok", JUDGED),
    ("open", "@S", 0, "Permission denied", JUDGED),
    ("open", "@O/to-secret", 0, "Permission denied", JUDGED),
    ("open", "@A/file", 0, "Permission denied", ASKED),
    ("open-write", "@O/to-secret", 0, "Permission denied", JUDGED),
    ("open-write", "@A/file", 0, "Permission denied", ASKED),
    ("openat", "@O/file", 0, "ok", JUDGED),
    ("openat", "@S", 0, "Permission denied", JUDGED),
    ("openat2", "@O/to-secret", 0, "Permission denied", JUDGED),
    ("fopen", "@S", 0, "Permission denied", JUDGED),
    ("fopen", "@A/file", 0, "Permission denied", ASKED),
    ("opendir", "@V", 0, "Permission denied", JUDGED),
    ("unlink", "@S", 0, "Permission denied", JUDGED),
    ("unlinkat", "@A/file", 0, "Permission denied", ASKED),
    ("rename", "@S", 0, "Permission denied", JUDGED),
    ("chmod", "@S", 0, "Permission denied", JUDGED),
    ("connect", "9", 0, "Permission denied", JUDGED),
    ("bind", "9", 0, "Permission denied", JUDGED),
    ("listen", "0", 0, "ok", JUDGED),
    ("execve", "@T", 0, "status 0", STARTED),
    ("execve-bare", "@T", 0, "status 0", STARTED),
    ("execve-bare", "@T", 150, "status 0", STARTED),
    ("execve", "@F", 0, "status 126", STARTED),
    ("execve", "@K", 0, "status 126", STARTED),
    ("execvp", "true", 150, "status 0", STARTED_WITH_MANY),
    ("execvp-many", "@F", 150, "status 126", STARTED_WITH_MANY),
    ("execvp-many", "@K", 150, "status 126", STARTED_WITH_MANY),
    ("posix_spawn", "@T", 0, "ok", STARTED),
    ("posix_spawn", "@K", 0, "ok", STARTED),
    ("posix_spawnp", "true", 150, "ok", STARTED_WITH_MANY),
    ("posix_spawn", "@F", 0, "ok", STARTED),
    ("system", "true", 0, "ok", STARTED),
    ("system", "exec @F", 0, "status 126", STARTED),
    ("popen", "true", 0, "ok", STARTED),
];

fn measure(libc: LibC) {
    let place = Place::under(&policy());
    let program = place.guard.path("stack");
    if !probe("stack", libc, &program) {
        return println!("skipped: no compiler for {libc:?}");
    }
    for name in ["forbidden", "asks"] {
        symlink("/bin/true", place.guard.path("bin").join(name)).unwrap();
    }
    let evaluator = Evaluator::start(&place.guard);
    let mut wrong = Vec::new();
    for (function, argument, entries, printed, limit) in ROWS {
        let at = |name: &str| place.guard.path(name).to_string_lossy().into_owned();
        let argument = place
            .filled(argument)
            .replace("@A", &at("asked"))
            .replace("@T", &find("true").unwrap().to_string_lossy())
            .replace("@F", &at("bin/forbidden"))
            .replace("@K", &at("bin/asks"));
        let once = |mut command: std::process::Command| {
            for entry in 0..*entries {
                command.env(format!("ENTRY{entry}"), "");
            }
            prepare(&place);
            // Else libc's first call of a function is the loader's, too.
            command.env("LD_BIND_NOW", "1").env("RAMPART_ASK_TIMEOUT", "1");
            let ran = run(command.args([&STACK.to_string(), *function, &argument]), "");
            let figure = ran.stdout.trim().rsplit_once(' ').map(|(text, figure)| {
                (text.to_owned(), figure.parse::<usize>().expect("a number"))
            });
            (figure, ran)
        };
        let (bare, _) = once(place.guard.bare(&program));
        let (guarded, ran) = once(evaluator.inside(&program));
        match guarded {
            Some((text, bytes)) if text == *printed => {
                let bare = bare.map_or(0, |(_, bytes)| bytes);
                println!("{libc:?}: {function} {argument} ({entries}): {bytes}, {bare} bare");
                // What libc takes for itself comes on top where it makes the call.
                if bytes > limit + bare {
                    wrong.push(format!("{function} {argument}: {bytes} bytes"));
                }
            }
            _ => wrong.push(format!("{function} {argument}: {ran:?}")),
        }
    }
    assert!(wrong.is_empty(), "{libc:?}: {}", wrong.join("\n"));
}

/// What the calls are about, as it was.
fn prepare(place: &Place) {
    place.fill();
    let _ = fs::create_dir(place.guard.path("asked"));
    fs::write(place.guard.path("asked/file"), "asked\n").unwrap();
    for (link, to) in [("link", "file"), ("to-secret", "../vault/secret")] {
        symlink(to, place.guard.path("open").join(link)).unwrap();
    }
}

#[test]
fn of_a_coroutine_with_glibc() {
    measure(LibC::Glibc);
}

#[test]
fn of_a_thread_with_musl() {
    measure(LibC::Musl);
}
