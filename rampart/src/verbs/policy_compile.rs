//! `rampart policy compile`: YAML to the image that the library maps.

use crate::directories::Directories;
use crate::failure::{Failure, reason};
use crate::output::Output;
use crate::policy::{Layers, authority, digest, image_store, source};
use crate::verdict::names::counts;
use policy_schema::Layer;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Compiles policy files to one image
///
/// Prints where it is, its digest, and what is in it. Every error of the files is shown; then the
/// exit status is 2 and nothing is written.
#[derive(clap::Args, Debug)]
pub struct Arguments {
    /// YAML files, joined to one layer
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Where to write the image, in place of the user's image store
    #[arg(short, long, value_name = "OUT")]
    output: Option<PathBuf>,
    /// The layer that it is for
    #[arg(long, value_enum, default_value_t = Level::User)]
    layer: Level,
}

/// The layers that can be compiled from files.
#[derive(clap::ValueEnum, Clone, Copy, Debug)]
pub enum Level {
    /// /etc/rampart
    System,
    /// A user's own policy
    User,
    /// A project's policy, which may only restrict
    Project,
}

impl Level {
    /// As the compiler names it.
    pub const fn layer(self) -> Layer {
        match self {
            Self::System => Layer::System,
            Self::User => Layer::User,
            Self::Project => Layer::Project,
        }
    }
}

/// Runs the verb.
///
/// # Errors
/// Exit status 2 if the files do not compile.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let level = arguments.layer.layer();
    let layers =
        Layers { all: vec![source::compile(&arguments.files, level)?.layer], recipe: None };
    let images = layers.images()?;
    for (layer, image) in layers.all.iter().zip(&images) {
        let name = digest(image);
        let path = match &arguments.output {
            Some(path) => written(path, &layer.bytes)?,
            None => image_store::put(&Directories::from_environment(), &layer.bytes, &name)?,
        };
        let (policies, rules) = counts(image);
        let mut output = Output::new();
        output.line(&format!("image     {}", path.display()))?;
        output.line(&format!("digest    sha256:{name}"))?;
        output.line(&format!("contents  {policies} policies, {rules} rules"))?;
        output.line(&format!("size      {} bytes", layer.bytes.len()))?;
        output.flush()?;
    }
    Ok(())
}

fn written(path: &Path, bytes: &[u8]) -> Result<PathBuf, Failure> {
    refuse_in_force(path)?;
    image_store::write_atomically(path, bytes)?;
    std::path::absolute(path).map_err(|error| {
        Failure::other(format!("cannot name `{}`: {}", path.display(), reason(&error)))
    })
}

/// Refuses to replace an image that this very process is guarded by.
fn refuse_in_force(path: &Path) -> Result<(), Failure> {
    let Some(guardian) = authority::guardian() else {
        return Ok(());
    };
    let list = guardian.environment.value("RAMPART_IMAGE").unwrap_or_default();
    let identity =
        |path: &Path| std::fs::metadata(path).ok().map(|found| (found.dev(), found.ino()));
    let target = identity(path);
    let mut images = list.as_bytes().split(|byte| *byte == b':').map(OsStr::from_bytes);
    let in_force = images.any(|image| target.is_some() && identity(Path::new(image)) == target);
    let is_store =
        Directories::from_environment().images().is_ok_and(|store| path.starts_with(store));
    if in_force || is_store {
        return Err(Failure::usage(format!(
            "`{}` is the policy of the guarded tree that this runs in, and cannot be replaced from \
             inside it",
            path.display()
        )));
    }
    Ok(())
}
