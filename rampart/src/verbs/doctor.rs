//! `rampart doctor`: is everything in its place, and does it hold? Nothing is believed that can be
//! tried.

pub mod attack;
mod canary;
mod installed;
mod kernel;

use crate::directories::{Directories, make_private};
use crate::failure::{Failure, reason};
use crate::launch::environment::Environment;
use crate::launch::library;
use crate::output::Output;
use crate::policy::{Choice, Layers, digest};
use crate::verdict::names::counts;
use serde::Serialize;
use std::path::{Path, PathBuf};

/// Checks that everything is in its place, and that a denied command really does not run
///
/// Exit status: 0 if nothing failed, 1 otherwise.
#[derive(clap::Args, Debug)]
pub struct Arguments {
    #[command(flatten)]
    choice: Choice,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    /// Put right what can be: as root, the machine's image is made again from its policy files
    #[arg(long, conflicts_with = "attack")]
    fix: bool,
    /// Instead: try every way of starting a program on this machine, against a harmless one that is denied
    #[arg(long)]
    attack: bool,
    /// With --attack: only this row or group (functions, shells, …); may be given again
    #[arg(long, value_name = "TEXT", requires = "attack")]
    only: Vec<String>,
}

/// How a check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum State {
    Ok,
    /// It works, but not as somebody may think.
    Warning,
    Failed,
    /// It could not be tried.
    Skipped,
}

/// One thing that was looked at.
#[derive(Debug, Serialize)]
struct Check {
    name: &'static str,
    state: State,
    /// What was found, and what to do about it.
    text: String,
}

#[derive(Serialize)]
struct Report<'a> {
    version: &'static str,
    healthy: bool,
    checks: &'a [Check],
}

impl Check {
    fn new(name: &'static str, state: State, text: impl Into<String>) -> Self {
        Self { name, state, text: text.into() }
    }

    /// `Ok` with its text, or `Failed` with the message.
    fn of(name: &'static str, result: Result<String, String>) -> Self {
        match result {
            Ok(text) => Self::new(name, State::Ok, text),
            Err(text) => Self::new(name, State::Failed, text),
        }
    }
}

/// Runs the verb and returns the exit status.
///
/// # Errors
/// If standard output cannot be written.
pub fn run(arguments: &Arguments) -> Result<u8, Failure> {
    if arguments.attack {
        return attack::run(&arguments.only, arguments.json);
    }
    let environment = Environment::own();
    let directories = Directories::from_environment();
    let mut checks = vec![program()];
    let library = library::find();
    checks.push(Check::of(
        "library",
        library.as_ref().map(|path| path.display().to_string()).map_err(message),
    ));
    checks.push(tree(&environment));
    let layers = arguments.choice.load(&environment);
    checks.push(Check::of("policy", layers.as_ref().map_err(message).and_then(described)));
    checks.push(Check::of(
        "images",
        directories.make_images().and_then(writable).map_err(|f| f.message),
    ));
    checks.push(Check::of(
        "audit",
        directories.make_audit().and_then(writable).map_err(|f| f.message),
    ));
    checks.extend(switches(&environment));
    checks.extend(installed::checks(arguments.fix));
    checks.extend(kernel::checks());
    match (&library, environment.is_guarded()) {
        (Ok(library), false) => checks.extend(canary::checks(library, &environment)),
        (_, true) => {
            let text = "the policy of the tree that this runs in cannot be replaced by a test's; \
                        run it outside";
            checks.push(Check::new("canary", State::Skipped, text));
        }
        (Err(_), false) => {
            checks.push(Check::new("canary", State::Skipped, "there is no library to try"));
        }
    }
    report(&checks, arguments.json)
}

fn report(checks: &[Check], json: bool) -> Result<u8, Failure> {
    let healthy = checks.iter().all(|check| check.state != State::Failed);
    let mut output = Output::new();
    if json {
        let version = env!("CARGO_PKG_VERSION");
        let report = Report { version, healthy, checks };
        let text = serde_json::to_string(&report);
        output.line(&text.map_err(|error| Failure::other(error.to_string()))?)?;
    } else {
        for check in checks {
            let state = match check.state {
                State::Ok => "ok",
                State::Warning => "warning",
                State::Failed => "FAILED",
                State::Skipped => "skipped",
            };
            let text = check.text.replace('\n', "\n                    ");
            output.line(&format!("{state:<8} {:<10} {text}", check.name))?;
        }
    }
    output.flush()?;
    Ok(u8::from(!healthy))
}

fn message(failure: &Failure) -> String {
    failure.message.clone()
}

fn program() -> Check {
    let version = env!("CARGO_PKG_VERSION");
    let path = std::env::current_exe();
    let text = path.map(|path| format!("rampart {version}, {}", path.display()));
    Check::of("program", text.map_err(|error| reason(&error)))
}

/// Whether this very process is guarded.
fn tree(environment: &Environment) -> Check {
    let value = |name: &str| {
        let value = environment.value(name).map(|value| value.to_string_lossy().into_owned());
        value.filter(|value| !value.is_empty())
    };
    let text = if environment.is_guarded() {
        let mode = value("RAMPART_MODE").unwrap_or_else(|| "enforce".to_owned());
        format!("inside guarded tree {}, mode {mode}", value("RAMPART_TREE").unwrap_or_default())
    } else {
        "this process is not guarded; `rampart run -- COMMAND` guards a command".to_owned()
    };
    Check::new("tree", State::Ok, text)
}

fn described(layers: &Layers) -> Result<String, String> {
    let images = layers.images().map_err(|failure| failure.message)?;
    let lines = layers.all.iter().zip(&images).map(|(layer, image)| {
        let (policies, rules) = counts(image);
        let digest = digest(image);
        let short = digest.get(..12).unwrap_or_default();
        format!("{}: {policies} policies, {rules} rules, sha256 {short}…", layer.origin)
    });
    Ok(lines.collect::<Vec<_>>().join("\n"))
}

/// The directory, if a file can be created in it.
fn writable(directory: PathBuf) -> Result<String, Failure> {
    let probe = directory.join(format!(".doctor.{}", std::process::id()));
    let written = std::fs::write(&probe, b"x").and_then(|()| std::fs::remove_file(&probe));
    written.map_err(|error| {
        Failure::other(format!("cannot write in `{}`: {}", directory.display(), reason(&error)))
    })?;
    Ok(format!("{} can be written", directory.display()))
}

/// Variables of this environment that weaken what `rampart run` would do from here.
fn switches(environment: &Environment) -> Vec<Check> {
    let is = |name: &str, value: &str| environment.value(name).is_some_and(|found| found == value);
    let known = [
        ("RAMPART_MODE", "disabled", "nothing is judged; unset it"),
        ("RAMPART_MODE", "monitor", "nothing is stopped, only recorded"),
        ("RAMPART_FAIL_OPEN", "1", "what cannot be decided is allowed"),
    ];
    let set = known.iter().filter(|(name, value, _)| is(name, value));
    set.map(|(name, value, means)| {
        Check::new("setting", State::Warning, format!("{name}={value} is set: {means}"))
    })
    .collect()
}

/// A private directory for a trial, gone when this is dropped.
struct Trial {
    root: PathBuf,
}

impl Trial {
    fn new() -> Result<Self, String> {
        Self::below(match Directories::from_environment().state() {
            Ok(state) if make_private(&state).is_ok() => state,
            _ => std::env::temp_dir(),
        })
    }

    /// At a path that can stand in a script without quotes.
    fn with_plain_path() -> Result<Self, String> {
        match Self::new() {
            Ok(trial) if attack::is_plain(&trial.root) => Ok(trial),
            _ => Self::below(PathBuf::from("/tmp")),
        }
    }

    fn below(base: PathBuf) -> Result<Self, String> {
        let root = base.join(format!("doctor-{}", std::process::id()));
        std::fs::create_dir(&root)
            .map_err(|error| format!("cannot create `{}`: {}", root.display(), reason(&error)))?;
        let trial = Self { root };
        make_private(&trial.root).map_err(|failure| failure.message)?;
        Ok(trial)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }
}

impl Drop for Trial {
    fn drop(&mut self) {
        // What cannot be removed is harmless, and the check's own result matters more.
        let _ = std::fs::remove_dir_all(&self.root);
    }
}

fn written(path: &Path, content: &[u8], mode: u32) -> Result<(), String> {
    use std::os::unix::fs::PermissionsExt;
    std::fs::write(path, content)
        .and_then(|()| std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)))
        .map_err(|error| format!("cannot write `{}`: {}", path.display(), reason(&error)))
}
