//! What children inherit: exactly one `LD_PRELOAD` that holds us, the tree's own variables and no
//! others of that name, everything else byte for byte, whatever the program does to the
//! environment.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use tests::{Guard, LibC, cc, library, probe, rampart, run};

use crate::{POLICY, denials, forbidden, guard, mark};

/// The entries that `env` printed, ours apart.
fn split(text: &str) -> (Vec<&str>, Vec<&str>) {
    text.lines().partition(|line| line.starts_with("LD_PRELOAD=") || line.starts_with("RAMPART_"))
}

/// What the child must have got of ours.
fn expected(guard: &Guard) -> BTreeMap<String, String> {
    let image = guard.image().display().to_string();
    let library = library().display().to_string();
    [
        ("LD_PRELOAD", library.clone()),
        ("RAMPART_LIB", library),
        ("RAMPART_IMAGE", image),
        ("RAMPART_AUDIT_DIR", guard.audit().display().to_string()),
        ("RAMPART_HELPER", rampart().display().to_string()),
        ("RAMPART_SOCKET", guard.path("run/rampart/evaluator.sock").display().to_string()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into()
}

/// Asserts that the environment printed in `text` is guarded, and returns the rest of it.
fn guarded<'t>(guard: &Guard, case: &str, text: &'t str) -> Vec<&'t str> {
    let (ours, rest) = split(text);
    let mut found: BTreeMap<String, String> = BTreeMap::new();
    for entry in &ours {
        let (name, value) = entry.split_once('=').unwrap();
        let twice = found.insert(name.to_owned(), value.to_owned());
        assert!(twice.is_none(), "{case}: {name} twice: {ours:?}");
    }
    assert!(found.remove("RAMPART_TREE").is_some_and(|id| id.len() == 26), "{case}: {ours:?}");
    let since = found.remove("RAMPART_SINCE").and_then(|since| since.parse::<u64>().ok());
    assert!(since.is_some_and(|since| since > 1_700_000_000_000), "{case}: {ours:?}");
    assert_eq!(found, expected(guard), "{case}");
    rest
}

/// Shell text that starts `/usr/bin/env` after it did something to the environment.
const CASES: &[&str] = &[
    "env",
    "env -i /usr/bin/env",
    "env -u LD_PRELOAD -u RAMPART_TREE -u RAMPART_LIB /usr/bin/env",
    "unset LD_PRELOAD RAMPART_IMAGE; env",
    "LD_PRELOAD= env",
    "LD_PRELOAD=\"$LIB $LIB\" env",
    "LD_PRELOAD=\"$LIB:$LIB\" env",
    "LD_PRELOAD=\" : $LIB : \" env",
    "RAMPART_MODE=disabled env",
    "RAMPART_MODE=monitor RAMPART_IMAGE=/dev/null RAMPART_AUDIT_DIR=/nonexistent RAMPART_FAIL_OPEN=1 env",
    "RAMPART_ANYTHING=1 env",
    "RAMPART_SINCE=99999999999999 env",
    "RAMPART_TREE=00000000000000000000000000 env",
    "bash -c 'exec -c /usr/bin/env'",
    "bash -c 'unset LD_PRELOAD; exec env'",
    "python3 -c \"import subprocess; subprocess.run(['/usr/bin/env'], env={})\"",
    "python3 -c \"import os; os.environ.clear(); os.system('/usr/bin/env')\"",
    "python3 -c \"import os; os.unsetenv('LD_PRELOAD'); os.execv('/usr/bin/env', ['env'])\"",
    "python3 -c \"import os; os.posix_spawn('/usr/bin/env', ['env'], {}); os.wait()\"",
    "perl -e '%ENV=(); exec \"/usr/bin/env\"'",
    "cd /; env",
];

#[test]
fn nothing_gets_rid_of_us() {
    let (guard, _) = guard(POLICY);
    for case in CASES {
        let mut command = guard.command("/bin/sh");
        let ran = run(command.args(["-c", case]).env("LIB", library()), "");
        assert_eq!((ran.status, ran.stderr.as_str()), (0, ""), "{case}: {ran:?}");
        guarded(&guard, case, &ran.stdout);
    }
}

#[test]
fn everything_else_is_kept_byte_for_byte() {
    let (guard, edge) = guard(POLICY);
    for count in [0, 50, 63, 200, 300, 2000] {
        let names: Vec<_> =
            (0..count).map(|index| (format!("V{index}"), format!("{index}"))).collect();
        let shell = "unset LD_PRELOAD; exec /usr/bin/env";
        let bare = run(guard.bare("/bin/bash").args(["-c", shell]).envs(names.clone()), "");
        let ours = run(guard.command("/bin/bash").args(["-c", shell]).envs(names), "");
        let mut rest = guarded(&guard, &format!("{count} variables"), &ours.stdout);
        let mut bare = split(&bare.stdout).1;
        rest.sort_unstable();
        bare.sort_unstable();
        assert_eq!(rest, bare, "{count}");
    }
    let ran = run(guard.command(&edge).args(["duplicates", "/usr/bin/env"]), "");
    let rest = guarded(&guard, "duplicates", &ran.stdout);
    assert_eq!(rest, ["A=1", "no-equals-sign", "B=\u{fffd}\u{fffd}"]);
}

#[test]
fn other_libraries_are_kept_behind_us_and_asan_before_us() {
    let (guard, _) = guard(POLICY);
    let source = guard.path("empty.c");
    fs::write(&source, "int nothing_of_note;\n").unwrap();
    let (other, asan) = (guard.path("libother.so"), guard.path("libasan.so.99"));
    for library in [&other, &asan] {
        cc("cc", &source, library, &["-shared", "-fPIC"]);
    }
    let ours = library();
    let (other, asan, ours) = (other.display(), asan.display(), ours.display());
    for (given, wanted) in [
        (format!("{other}"), format!("{ours}:{other}")),
        (format!("{other} {ours}"), format!("{ours}:{other}")),
        (format!("{ours}:{other}"), format!("{ours}:{other}")),
        (format!("{other}:{asan}"), format!("{asan}:{ours}:{other}")),
    ] {
        let shell = format!("LD_PRELOAD='{given}' /usr/bin/env");
        let ran = run(guard.command("/bin/sh").args(["-c", &shell]), "");
        let preload = ran.stdout.lines().find(|line| line.starts_with("LD_PRELOAD="));
        assert_eq!(preload, Some(format!("LD_PRELOAD={wanted}").as_str()), "{given}: {ran:?}");
    }
}

#[test]
fn real_libraries_go_on_working_beside_us() {
    for name in ["libjemalloc.so.2", "libeatmydata.so"] {
        let (guard, _) = guard(POLICY);
        let target = forbidden(&guard, LibC::Glibc);
        let shell = "cat /proc/self/maps | grep -c NAME >count; test $(cat count) -gt 0 && echo loaded
            python3 -c 'import os; print(len(os.urandom(100000)), os.system(\"exit 3\") >> 8)'; env -i /bin/true; echo $?";
        let shell = shell.replace("NAME", name);
        let once = |preload: String| {
            let mut command = guard.command("/bin/sh");
            run(command.env("LD_PRELOAD", preload), &shell)
        };
        let bare = once(name.to_owned());
        if !bare.stdout.contains("loaded") {
            println!("skipped: {name} is not installed");
            continue;
        }
        for separator in [" ", ":"] {
            for preload in [
                format!("{}{separator}{name}", library().display()),
                format!("{name}{separator}{}", library().display()),
            ] {
                assert_eq!(once(preload), bare, "{name}");
            }
        }
        let mut command = guard.command("/bin/sh");
        command.env("LD_PRELOAD", format!("{name}:{}", library().display()));
        let text = format!("{} {}; exit $?", target.display(), mark(&guard).display());
        let ran = run(&mut command, &text);
        assert_eq!((ran.status, denials(&ran.stderr)), (126, 1), "{name}: {ran:?}");
    }
}

#[test]
fn a_library_behind_us_gets_its_turn() {
    let (guard, edge) = guard(POLICY);
    let (source, other) = (guard.path("other.c"), guard.path("libother.so"));
    let text = "#define _GNU_SOURCE\n#include <dlfcn.h>\n#include <unistd.h>\n\
        int execve(const char *p, char *const *a, char *const *e) {\n\
        write(1, \"other\\n\", 6);\n\
        return ((int (*)(const char *, char *const *, char *const *))dlsym(RTLD_NEXT, \"execve\"))(p, a, e); }\n";
    fs::write(&source, text).unwrap();
    cc("cc", &source, &other, &["-shared", "-fPIC", "-ldl"]);
    let both = format!("{}:{}", library().display(), other.display());
    let target = forbidden(&guard, LibC::Glibc);
    for (program, expected) in [
        ("/bin/echo", "other\na\nstatus 0\nerrno 0\n"),
        ("/dev/null", "status 55\nerrno 13\n"),
        (target.to_str().unwrap(), "status 126\nerrno 0\n"),
    ] {
        let mut command = guard.command(&edge);
        command.args(["execve", program, "a"]).env("LD_PRELOAD", &both);
        let ran = run(&mut command, "");
        assert_eq!(ran.stdout, expected, "{program}: {ran:?}");
    }
}

#[test]
fn a_relative_path_and_a_bare_name_become_absolute() {
    let (guard, _) = guard(POLICY);
    let target = forbidden(&guard, LibC::Glibc);
    let copy = guard.path("bin/librampart.so");
    fs::copy(library(), &copy).unwrap();
    fs::set_permissions(&copy, fs::Permissions::from_mode(0o755)).unwrap();
    let dir = guard.path("bin");
    for (given, cwd, path) in [
        ("bin/librampart.so", guard.dir(), ""),
        ("./librampart.so", dir.as_path(), ""),
        ("librampart.so", Path::new("/"), dir.to_str().unwrap()),
    ] {
        let shell =
            format!("cd /; /usr/bin/env; {} {}; exit $?", target.display(), mark(&guard).display());
        let mut command: Command = guard.command("/bin/sh");
        command.current_dir(cwd).env("LD_PRELOAD", given);
        command.env("LD_LIBRARY_PATH", path).env("RAMPART_IMAGE", guard.image());
        let ran = run(&mut command, &shell);
        let wanted = format!("LD_PRELOAD={}", copy.display());
        assert!(ran.stdout.lines().any(|line| line == wanted), "{given}: {ran:?}");
        assert_eq!((ran.status, denials(&ran.stderr)), (126, 1), "{given}: {ran:?}");
        assert!(!mark(&guard).exists(), "{given}");
    }
}

#[test]
fn musl_children_inherit_it_and_static_ones_pass_it_on() {
    let guard = Guard::new(POLICY);
    let target = forbidden(&guard, LibC::Glibc);
    for libc in [LibC::Musl, LibC::MuslStatic, LibC::GlibcStatic] {
        let launch = guard.path("launch");
        if !probe("launch", libc, &launch) {
            println!("skipped: no compiler for {libc:?}");
            continue;
        }
        let mut command = guard.command("/bin/sh");
        let shell = format!(
            "exec env -i HOME=/ {} execve {} {}",
            launch.display(),
            target.display(),
            mark(&guard).display()
        );
        let ran = run(command.args(["-c", &shell]), "");
        assert!(!mark(&guard).exists(), "{libc:?}: {ran:?}");
        assert_eq!(denials(&ran.stderr), 1, "{libc:?}: {ran:?}");
    }
}
