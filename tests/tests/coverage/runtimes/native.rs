//! Languages whose programs are compiled first: the programs lie in `tests/probes/`.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::cases::Case;
use crate::place::Place;
use tests::{cc, find};

const fn rust(way: &'static str, script: &'static str) -> Case {
    Case::new("Rust std", "rustc", "", way, script)
}
const fn go(way: &'static str, script: &'static str) -> Case {
    Case::new("Go (static)", "go", "", way, script).past()
}
const fn dynamic_go(way: &'static str, script: &'static str) -> Case {
    Case::new("Go (dynamic)", "go", "", way, script).past()
}
const fn jdk(runtime: &'static str, args: &'static str, script: &'static str) -> Case {
    Case::new(runtime, "javac", args, "ProcessBuilder", script)
}
/// Its own loader cannot load the library, and is given none to complain about: what such a program
/// starts is out of reach.
const fn i386(way: &'static str, script: &'static str) -> Case {
    Case::new("C for i386", "dash", "", way, script).gap()
}
const fn asan(way: &'static str, script: &'static str) -> Case {
    Case::new("C with AddressSanitizer", "cc", "", way, script)
}

/// In the default mode a helper of the JDK's is replaced by the program: it gets an error number,
/// and `ProcessBuilder` throws.
const REPLACED: (i32, &str) = (0, "error\n");

/// One line a way.
pub const CASES: &[Case] = &[
    rust("Command::status", "status @T @M"),
    rust("Command::output", "output @T @M"),
    rust("Command, env_clear", "env_clear @T @M"),
    rust("Command, current_dir", "current_dir @T @M"),
    rust("Command, pre_exec", "pre_exec @T @M"),
    rust("CommandExt::exec", "exec @T @M").says(0, "error PermissionDenied\n"),
    go("exec.Command", "run @T @M"),
    go("exec.Command, sh -c", "shell @T @M").past_by_shell(),
    go("exec.Command, other environment", "empty @T @M").gap(),
    go("syscall.Exec", "exec @T @M").says(126, ""),
    dynamic_go("exec.Command", "run @T @M"),
    dynamic_go("exec.Command, sh -c", "shell @T @M").past_by_shell(),
    jdk("JDK", "-Djdk.lang.Process.launchMechanism=POSIX_SPAWN -cp @G Start", "run @T @M")
        .says(REPLACED.0, REPLACED.1),
    jdk("JDK, VFORK", "-Djdk.lang.Process.launchMechanism=VFORK -cp @G Start", "run @T @M"),
    jdk("JDK, FORK", "-Djdk.lang.Process.launchMechanism=FORK -cp @G Start", "run @T @M"),
    jdk(
        "JDK, empty environment",
        "-Djdk.lang.Process.launchMechanism=POSIX_SPAWN -cp @G Start",
        "empty @T @M",
    )
    .says(REPLACED.0, REPLACED.1),
    i386("execve in a fork child", "@G/i386/launch -f execve @T @M"),
    i386("posix_spawn", "@G/i386/launch posix_spawn @T @M"),
    i386("system", "@G/i386/launch system @T @M"),
    asan("execve in a fork child", "@G/start-cc -f execve @T @M"),
    asan("posix_spawn", "@G/start-cc posix_spawn @T @M"),
    asan("system", "@G/start-cc system @T @M"),
];

/// Compiles the program of `case`, unless that was done, and gives what has to be run. `None` if
/// its compiler is not installed.
pub fn build(place: &Place, case: &Case) -> Option<PathBuf> {
    let compiler = find(case.program)?;
    let source = |name: &str| Path::new(env!("CARGO_MANIFEST_DIR")).join("probes").join(name);
    let linked = if case.runtime == "Go (dynamic)" { "-dynamic" } else { "" };
    let output = place.guard.path(&format!("start-{}{linked}", case.program));
    let mut command = Command::new(&compiler);
    match case.program {
        "dash" => return Some(compiler).filter(|_| place.has("i386")),
        "rustc" => command.args(["-O", "-o"]).arg(&output).arg(source("start.rs")),
        "go" => command
            .args(["build", "-ldflags"])
            .arg(if linked.is_empty() { "" } else { "-linkmode=external" })
            .arg("-o")
            .arg(&output)
            .arg(source("start.go"))
            .env("CGO_ENABLED", if linked.is_empty() { "0" } else { "1" })
            .env("GOFLAGS", "-buildvcs=false"),
        "javac" => command.arg("-d").arg(place.guard.dir()).arg(source("Start.java")),
        _ => {
            // ASan refuses to start where another library is loaded before it; the library puts
            // it first for whatever a guarded process starts, so a guarded shell starts it.
            if !output.exists() {
                cc("cc", &source("launch.c"), &output, &["-fsanitize=address", "-ldl"]);
            }
            return find("dash");
        }
    };
    if case.program == "javac" {
        let done = place.guard.path("Start.class").exists();
        assert!(done || command.status().is_ok_and(|status| status.success()), "{command:?}");
        return find("java");
    }
    if !output.exists() {
        let done = command.output().expect("the compiler");
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    }
    Some(output)
}
