//! `rampart init`: a policy to start from.

use crate::audit::suggest;
use crate::failure::{Failure, reason};
use crate::launch::environment::Environment;
use crate::output::Output;
use crate::policy::starter::{self, Suggestions, text};
use crate::policy::{self, Choice, authority, image_store, installed, inventory, source};
use policy_schema::{Layer, Options, Source, compile};
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// Writes a commented policy to start from, into the project's .rampart/policy.yaml or, with --user, into
/// one's own policies
///
/// Nothing is ever overwritten. As written it changes nothing, unless --profile names a shipped policy
/// to start from. A project's policy may only restrict; one's own cannot be written from inside a
/// guarded tree.
#[derive(clap::Args, Debug)]
pub struct Arguments {
    /// For the project: .rampart/policy.yaml at the root of the git work tree, else here (the default)
    #[arg(long, conflicts_with = "user")]
    project: bool,
    /// For oneself: own.yaml in ~/.config/rampart/policy.d
    #[arg(long)]
    user: bool,
    /// Shipped policy to start from (`rampart policy list` names them)
    #[arg(long, value_name = "NAME")]
    profile: Option<String>,
    /// Suggest, as comments, rules for exactly what the audit log shows was stopped or asked about
    #[arg(long)]
    from_audit: bool,
}

/// Runs the verb.
///
/// # Errors
/// If there is a file already; with --user inside a guarded tree; if there is no such profile; or if
/// the log cannot be read or the file not be written.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let environment = Environment::own();
    let (path, layer) = match arguments.user {
        true => {
            authority::refuse_inside_a_tree("write one's own policy")?;
            let directory = installed::user_directory(&environment);
            let directory = directory.ok_or_else(|| {
                Failure::usage("neither HOME nor XDG_CONFIG_HOME is an absolute path; set HOME")
            })?;
            (directory.join("own.yaml"), Layer::User)
        }
        false => (installed::project_root()?.join(".rampart/policy.yaml"), Layer::Project),
    };
    if fs::symlink_metadata(&path).is_ok() {
        return Err(exists(&path));
    }
    let profile = match &arguments.profile {
        Some(wanted) => {
            let found = policies::SOURCES.iter().find(|(name, _)| name == wanted);
            Some(found.copied().ok_or_else(|| policy::unknown_profile(wanted))?)
        }
        None => None,
    };
    let found = match arguments.from_audit {
        true => {
            let all = inventory::inventory(&Choice::default().load(&environment)?)?;
            let root = path.parent().and_then(Path::parent).filter(|_| layer == Layer::Project);
            suggest::suggestions(root, &all)?
        }
        false => Suggestions::default(),
    };
    let count = found.disable.len() + found.rules.len();
    let text = text(layer, profile, &found);
    // What is suggested has to hold, too, once it is taken.
    for text in [&text, &starter::with_suggestions(&text)] {
        compiles(&path, text, layer)?;
    }
    write_new(&path, text.as_bytes())?;
    source::compile(std::slice::from_ref(&path), layer)?;
    let mut output = Output::new();
    output.line(&format!("written to {}", path.display()))?;
    if arguments.from_audit {
        output.line(&format!("{count} suggestions in it, as comments"))?;
    }
    output.flush()
}

fn compiles(path: &Path, text: &str, layer: Layer) -> Result<(), Failure> {
    let name = path.display().to_string();
    let source = Source { name: &name, text: text.as_bytes() };
    let found = compile(&[source], &Options { layer, run_examples: true });
    found.map(drop).map_err(|found| source::refused(&found))
}

fn exists(path: &Path) -> Failure {
    Failure::usage(format!(
        "`{}` is there already, and is left as it is; move it away, or change it by hand",
        path.display()
    ))
}

/// Writes a file that is not there yet, as a whole.
fn write_new(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let failed = |error: &std::io::Error| {
        Failure::other(format!("cannot write `{}`: {}", path.display(), reason(error)))
    };
    let directory: PathBuf = path.parent().unwrap_or(Path::new(".")).to_owned();
    fs::create_dir_all(&directory).map_err(|error| failed(&error))?;
    let whole = directory.join(format!(".new.{}.yaml", std::process::id()));
    image_store::write_atomically(&whole, bytes)?;
    // A second name, and not another one in its place: what is there stays.
    let linked = fs::hard_link(&whole, path);
    let _ = fs::remove_file(&whole);
    match linked {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Err(exists(path)),
        Err(error) => Err(failed(&error)),
        Ok(()) => Ok(()),
    }
}
