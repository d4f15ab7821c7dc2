//! `rampart wrap -- AGENT`: as `rampart run`, with shells of ours first on `PATH` and in `SHELL`. For an
//! agent that the library cannot be loaded into, and that may start its commands without the
//! environment that would load it there.
//!
//! Each of those shells is this program under a shell's name. Which tree it belongs to it learns from the
//! kernel, not from its environment: there is no token that an agent could read. It judges what the shell
//! would run (`-c` in any spelling, a script, standard input), has the tree's evaluator asked where that
//! is needed, and becomes the real shell under the library.

mod commands;
mod input;

use super::{run, stub};
use crate::asked::Asked;
use crate::directories::{Directories, make_private};
use crate::failure::{Failure, reason, status};
use crate::launch::environment::Environment;
use crate::launch::program;
use crate::policy::{Choice, authority};
use commands::Commands;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

/// Names under which this program is a shell.
const SHELLS: [&str; 8] = ["sh", "bash", "dash", "zsh", "ksh", "mksh", "ash", "yash"];

/// Variables from which agents take the shell that they use.
const VARIABLES: [&str; 2] = ["SHELL", "CLAUDE_CODE_SHELL"];

/// Runs an agent that librampart.so cannot be loaded into, and judges what it has shells do
///
/// As `rampart run`, with shells of Rampart's own first on PATH and in SHELL. An agent that names /bin/sh by
/// its path, or starts programs without a shell, passes them by: where the kernel can be had,
/// `rampart run --enforce kernel` sees that as well.
#[derive(clap::Args, Debug)]
pub struct Arguments {
    #[command(flatten)]
    choice: Choice,
    /// Whether the policy is enforced, only recorded, or switched off
    #[arg(long, value_enum)]
    mode: Option<run::Mode>,
    /// The command and its arguments
    #[arg(required = true, trailing_var_arg = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

/// Runs the verb. As [`run::run`].
///
/// # Errors
/// As there; or if the shells cannot be put in place.
pub fn run(arguments: Arguments) -> Result<u8, Failure> {
    let Arguments { choice, mode, command } = arguments;
    run::run(&run::Arguments::wrapping(choice, mode, command))
}

/// Puts the shells in the way of what is started with `environment`.
///
/// # Errors
/// If there is no place for them.
pub fn put_shells(environment: &mut Environment) -> Result<(), Failure> {
    let failed = |path: &Path, error: &std::io::Error| {
        Failure::other(format!("cannot put a shell at `{}`: {}", path.display(), reason(error)))
    };
    let own = std::env::current_exe().map_err(|error| failed(Path::new("?"), &error))?;
    let state = Directories::from_environment().state()?;
    let place = state.join("shells");
    make_private(&state)?;
    make_private(&place)?;
    if place.as_os_str().as_bytes().contains(&b':') {
        let shown = crate::bytes::visible(place.as_os_str().as_bytes());
        return Err(Failure::usage(format!(
            "PATH cannot hold `{shown}`, which has a colon; set XDG_STATE_HOME to another directory"
        )));
    }
    let path = environment.value("PATH").map(OsStr::to_owned);
    for name in SHELLS.map(OsStr::new) {
        if real(name, path.as_deref(), &own).is_none() {
            continue;
        }
        let link = place.join(name);
        if fs::read_link(&link).is_ok_and(|to| to == own) {
            continue;
        }
        let new = place.join(format!("{}.{}", name.display(), std::process::id()));
        let made = std::os::unix::fs::symlink(&own, &new).and_then(|()| fs::rename(&new, &link));
        made.map_err(|error| failed(&link, &error))?;
    }
    for variable in VARIABLES {
        let named = environment.value(variable).and_then(|path| Path::new(path).file_name());
        let ours = place.join(named.unwrap_or(OsStr::new("sh")));
        if ours.exists() && (variable == "SHELL" || named.is_some()) {
            environment.set(variable, ours.as_os_str());
        }
    }
    let mut first = place.into_os_string().into_vec();
    if let Some(path) = path {
        first.push(b':');
        first.extend(path.into_vec());
    }
    environment.set("PATH", &OsString::from_vec(first));
    Ok(())
}

/// The shell that this program is called as, if it is.
pub fn called_as() -> Option<&'static str> {
    let first = std::env::args_os().next()?;
    let name = Path::new(&first).file_name()?.to_str()?;
    let name = name.strip_prefix('-').unwrap_or(name);
    SHELLS.into_iter().find(|shell| *shell == name)
}

/// Is the shell `name`: judges, and becomes the real one. Returns its exit status where it had to be
/// started, so that its input could be judged.
///
/// # Errors
/// If it was not started.
pub fn shell(name: &str) -> Result<u8, Failure> {
    let cannot = |what: String| Failure::with(status::NOT_EXECUTABLE, what);
    let mut environment = Environment::own();
    if !environment.has_library() {
        let guardian = authority::guardian().ok_or_else(|| {
            cannot("this shell is for agents under `rampart wrap`, and none is above it".to_owned())
        })?;
        environment.join_tree_of(&guardian.environment);
    }
    let own = std::env::current_exe().map_err(|error| cannot(reason(&error)))?;
    let file = real(OsStr::new(name), environment.value("PATH"), &own)
        .or_else(|| real(OsStr::new(name), None, &own))
        .ok_or_else(|| cannot(format!("there is no `{name}` behind this one on PATH")))?;
    let cwd = std::env::current_dir().ok();
    let asked = Asked {
        tool: b"exec".to_vec(),
        file: file.into_os_string().into_vec(),
        argv: std::env::args_os().map(OsString::into_vec).collect(),
        cwd: cwd.map(|path| path.into_os_string().into_vec()).into(),
        environment,
        ..Asked::default()
    };
    if asked.environment.value("RAMPART_MODE").is_some_and(|mode| mode != "enforce") {
        // The library in the shell records what there is to be recorded.
        return Err(stub::become_program(&asked, &asked.facts()));
    }
    let facts = stub::decided(&asked).map_err(|failure| cannot(failure.message))?;
    if Commands::of(&asked.argv) == Commands::Input {
        return input::judged(&asked, &facts);
    }
    Err(stub::become_program(&asked, &facts))
}

/// The program that `name` means on `path` behind those that are this one.
fn real(name: &OsStr, path: Option<&OsStr>, own: &Path) -> Option<PathBuf> {
    let path = path.unwrap_or(OsStr::new("/bin:/usr/bin"));
    std::env::split_paths(path).filter(|directory| directory.is_absolute()).find_map(|directory| {
        let file = program::find(Path::new("/"), name, Some(directory.as_os_str())).ok()?;
        file.canonicalize().is_ok_and(|found| found != own).then_some(file)
    })
}
