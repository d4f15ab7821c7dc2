//! The proof: under a policy made for it, one stub that must not run and one that must.

use super::{Check, State, Trial, written};
use crate::audit::event::Event;
use crate::failure::reason;
use crate::launch::environment::Environment;
use policy_schema::{Options, Source, compile};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

/// The name that the canary's policy denies.
pub const DENIED: &str = "rampart-canary-denied";
/// A name that it does not.
pub const ALLOWED: &str = "rampart-canary-allowed";

/// A stub that leaves a file beside itself if it runs.
const STUB: &str = "#!/bin/sh\n: > \"$0.ran\"\n";

/// How long a stub may take; a library that hangs its host must be found out too.
const PATIENCE: Duration = Duration::from_secs(20);

/// Whether the library loads, whether a denied program stays unstarted, and whether it is
/// recorded.
pub fn checks(library: &Path, environment: &Environment) -> Vec<Check> {
    let prepared = Trial::new().and_then(|trial| prepare(&trial).map(|()| trial));
    let trial = match prepared {
        Ok(trial) => trial,
        Err(why) => return vec![Check::new("canary", State::Skipped, why)],
    };
    let environment = guarded(environment, library, &trial);
    let loads = loads(library, &environment);
    if loads.is_err() {
        return vec![Check::of("loading", loads)];
    }
    vec![
        Check::of("loading", loads),
        Check::of("allowing", allows(&trial, &environment)),
        Check::of("denying", denies(&trial, &environment)),
        Check::of("recording", records(&trial)),
        kernel(&trial, library, &environment),
    ]
}

/// Writes the policy and the stubs.
pub fn prepare(trial: &Trial) -> Result<(), String> {
    let policy = format!(
        "version: \"1\"\ndefault_action: allow\npolicies:\n  - name: doctor\n    rules:\n      \
         - {{name: canary, action: deny, when: {{program: [{DENIED}]}}}}\n"
    );
    let source = Source { name: "canary", text: policy.as_bytes() };
    let image = compile(&[source], &Options::default()).map_err(|found| {
        let lines: Vec<String> = found.iter().map(ToString::to_string).collect();
        lines.join("\n")
    })?;
    written(&trial.path("canary.img"), &image, 0o600)?;
    for name in [DENIED, ALLOWED] {
        written(&trial.path(name), STUB.as_bytes(), 0o700)?;
    }
    Ok(())
}

/// This environment, as `rampart run` would prepare it for the canary's policy.
pub fn guarded(environment: &Environment, library: &Path, trial: &Trial) -> Environment {
    let mut guarded = environment.clone();
    for name in ["RAMPART_TREE", "RAMPART_WARNED", "RAMPART_MODE", "RAMPART_ON_DENY"] {
        guarded.remove(name);
    }
    guarded.preload(library);
    guarded.set("RAMPART_IMAGE", trial.path("canary.img").as_os_str());
    guarded.set("RAMPART_AUDIT_DIR", trial.root.as_os_str());
    guarded
}

/// Runs `script` in a shell, with `argument` as `$1`.
fn shell(script: &str, argument: &OsStr, environment: &Environment) -> Result<Output, String> {
    let entries = environment.entries().iter().filter_map(|entry| {
        let at = entry.iter().position(|byte| *byte == b'=')?;
        let (name, value) = entry.split_at_checked(at)?;
        Some((OsStr::from_bytes(name), OsStr::from_bytes(value.get(1..)?)))
    });
    let mut command = Command::new("/bin/sh");
    command
        .args(["-c", script, "sh"])
        .arg(argument)
        .env_clear()
        .envs(entries)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let failed = |error: std::io::Error| format!("cannot run /bin/sh: {}", reason(&error));
    let mut child = command.spawn().map_err(failed)?;
    let end = Instant::now() + PATIENCE;
    while child.try_wait().map_err(failed)?.is_none() {
        if Instant::now() > end {
            child.kill().map_err(failed)?;
            child.wait().map_err(failed)?;
            return Err(format!("/bin/sh did not end within {} s", PATIENCE.as_secs()));
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    child.wait_with_output().map_err(failed)
}

fn loads(library: &Path, environment: &Environment) -> Result<String, String> {
    let script = "while read -r line; do echo \"$line\"; done < /proc/self/maps";
    let output = shell(script, OsStr::new(""), environment)?;
    let real = std::fs::canonicalize(library).unwrap_or_else(|_| library.to_owned());
    let wanted = real.as_os_str().as_bytes();
    let found = output.stdout.split(|byte| *byte == b'\n').any(|line| line.ends_with(wanted));
    if found {
        return Ok("the library loads into a new process".to_owned());
    }
    Err(format!("/bin/sh did not load {}: {}", library.display(), said(&output)))
}

fn allows(trial: &Trial, environment: &Environment) -> Result<String, String> {
    let output = stub(trial, ALLOWED, environment)?;
    let ran = trial.path(ALLOWED).with_extension("ran").exists();
    if ran && output.status.success() && output.stderr.is_empty() {
        return Ok("an allowed stub ran undisturbed".to_owned());
    }
    Err(format!("an allowed stub was disturbed: {} {}", output.status, said(&output)))
}

fn denies(trial: &Trial, environment: &Environment) -> Result<String, String> {
    let output = stub(trial, DENIED, environment)?;
    if trial.path(DENIED).with_extension("ran").exists() {
        return Err(format!("a denied stub RAN: {}", said(&output)));
    }
    let told = String::from_utf8_lossy(&output.stderr).contains("rampart: denied: ");
    if output.status.code() == Some(126) && told {
        return Ok("a denied stub did not run, and its caller was told why".to_owned());
    }
    Err(format!(
        "a denied stub did not run, but not in the way it should: {} {}",
        output.status,
        said(&output)
    ))
}

/// Runs a stub as a child of a shell.
fn stub(trial: &Trial, name: &str, environment: &Environment) -> Result<Output, String> {
    shell("\"$1\"; exit $?", trial.path(name).as_os_str(), environment)
}

/// Whether the kernel stops what no library sees: the first program of a tree, which `rampart run`
/// itself starts.
fn kernel(trial: &Trial, library: &Path, environment: &Environment) -> Check {
    let found = std::env::current_exe().map_err(|error| reason(&error)).and_then(|program| {
        let mut environment = environment.clone();
        environment.remove("LD_PRELOAD");
        environment.set("RAMPART_LIB", library.as_os_str());
        environment.set("RAMPART_NO_PROJECT_POLICY", OsStr::new("1"));
        environment.set("CANARY_POLICY", trial.path("canary.img").as_os_str());
        environment.set("CANARY", trial.path(DENIED).as_os_str());
        let script = "exec \"$1\" run --policy \"$CANARY_POLICY\" --enforce kernel -- \"$CANARY\"";
        shell(script, program.as_os_str(), &environment)
    });
    let output = match found {
        Ok(output) => output,
        Err(why) => return Check::new("kernel", State::Skipped, why),
    };
    let told = said(&output);
    if trial.path(DENIED).with_extension("ran").exists() {
        return Check::new("kernel", State::Failed, format!("a denied stub RAN: {told}"));
    }
    if let Some((_, why)) = told.split_once("cannot enforce the policy in the kernel: ") {
        let why = why.split(". `--enforce best`").next().unwrap_or(why);
        let text = format!("--enforce kernel cannot be had here: {why}");
        return Check::new("kernel", State::Warning, text);
    }
    if told.contains("rampart: denied: ") {
        let text =
            "--enforce kernel can be had: the kernel stopped a denied stub that no library sees";
        return Check::new("kernel", State::Ok, text);
    }
    Check::new("kernel", State::Failed, format!("a denied stub was not seen: {told}"))
}

fn records(trial: &Trial) -> Result<String, String> {
    let files = crate::audit::spool::files(&trial.root).map_err(|failure| failure.message)?;
    let content: Vec<u8> =
        files.iter().filter_map(|file| std::fs::read(file).ok()).flatten().collect();
    let events = content.split(|byte| *byte == b'\n').filter_map(Event::parse);
    let denials = events.filter(Event::is_denial).count();
    match denials {
        1 => Ok("the denial was recorded, once".to_owned()),
        0 => Err("the denial was not recorded".to_owned()),
        count => Err(format!("the denial was recorded {count} times")),
    }
}

/// What a child said on standard error, so that it can be shown.
fn said(output: &Output) -> String {
    match crate::bytes::visible(output.stderr.trim_ascii()) {
        empty if empty.is_empty() => "(it said nothing)".to_owned(),
        text => text,
    }
}
