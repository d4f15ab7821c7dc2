//! Which policy is in force: from the command line, the environment or the installed files to
//! images. One loading order for every verb.

pub mod image_store;
pub mod installed;
pub mod inventory;
pub mod source;

use crate::failure::{Failure, reason};
use crate::launch::environment::Environment;
use evaluator::Image;
use sha2::{Digest, Sha256};
use std::borrow::Cow;
use std::fmt;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// Which policy to use; without either, the installed ones
#[derive(clap::Args, Clone, Debug, Default)]
pub struct Choice {
    /// Policy to use in place of the installed ones: a YAML file, or a compiled image
    #[arg(long, value_name = "FILE", conflicts_with = "profile")]
    pub policy: Option<PathBuf>,
    /// Shipped policy to use in place of the installed ones (`rampart policy list` names them)
    #[arg(long, value_name = "NAME")]
    pub profile: Option<String>,
}

/// Where an image came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Compiled into this program.
    Profile(String),
    /// Compiled from these files just now.
    Files(Vec<PathBuf>),
    /// An image that somebody named on the command line.
    Copy(PathBuf),
    /// An image that `RAMPART_IMAGE` names, which the library maps where it is.
    Image(PathBuf),
}

impl fmt::Display for Origin {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Profile(name) => write!(out, "profile {name}"),
            Self::Copy(path) | Self::Image(path) => write!(out, "{}", path.display()),
            Self::Files(paths) => {
                let shown: Vec<_> = paths.iter().map(|path| path.display().to_string()).collect();
                out.write_str(&shown.join(", "))
            }
        }
    }
}

/// One layer of policy: an image.
#[derive(Clone, Debug)]
pub struct Layer {
    /// Where it came from.
    pub origin: Origin,
    /// The image.
    pub bytes: Cow<'static, [u8]>,
}

/// The layers in force, lowest first.
#[derive(Clone, Debug)]
pub struct Layers {
    /// At least one.
    pub all: Vec<Layer>,
}

impl Choice {
    /// Whether a policy was named on the command line.
    pub fn is_explicit(&self) -> bool {
        self.policy.is_some() || self.profile.is_some()
    }

    /// Loads and compiles what was chosen: `--policy`, else `--profile`, else the images that
    /// `RAMPART_IMAGE` names (those of the guarded tree, inside one), else, inside a tree, the
    /// standard profile, and outside, the installed files.
    /// Warnings about the policy go to standard error.
    ///
    /// # Errors
    /// Exit status 2 with every diagnostic if a policy does not compile; or if a file cannot be
    /// read or trusted, or there is no such profile.
    pub fn load(&self, environment: &Environment) -> Result<Layers, Failure> {
        let layers = match (&self.policy, &self.profile) {
            (Some(path), _) => vec![source::file(path)?],
            (None, Some(name)) => vec![profile(name)?],
            (None, None) => match environment.value("RAMPART_IMAGE") {
                Some(list) if !list.is_empty() => from_environment(list)?,
                // The library in this tree was given no image: it uses its own.
                _ if environment.is_guarded() => vec![profile("standard")?],
                _ => installed::layers(environment)?,
            },
        };
        let layers = Layers { all: layers };
        layers.images()?;
        Ok(layers)
    }
}

fn profile(name: &str) -> Result<Layer, Failure> {
    match policies::profile(name) {
        Some(bytes) => {
            Ok(Layer { origin: Origin::Profile(name.to_owned()), bytes: Cow::Borrowed(bytes) })
        }
        None => Err(unknown_profile(name)),
    }
}

/// The failure for a profile that is not shipped: names those that are.
pub fn unknown_profile(name: &str) -> Failure {
    let known: Vec<&str> = policies::PROFILES.iter().map(|(name, _)| *name).collect();
    Failure::usage(format!(
        "there is no profile `{}`; the shipped ones are {}. Use --policy for a file",
        crate::bytes::visible(name.as_bytes()),
        known.join(", ")
    ))
}

/// The images that a list as in `RAMPART_IMAGE` names: absolute paths separated by `:`.
fn from_environment(list: &std::ffi::OsStr) -> Result<Vec<Layer>, Failure> {
    let paths = list.as_bytes().split(|byte| *byte == b':');
    let paths = paths.filter(|path| !path.is_empty());
    paths
        .map(|path| {
            let path = Path::new(std::ffi::OsStr::from_bytes(path));
            let layer = source::read(path).map_err(|error| {
                Failure::usage(format!(
                    "cannot read the policy image that RAMPART_IMAGE names, `{}`: {}",
                    path.display(),
                    reason(&error)
                ))
            })?;
            Ok(Layer { origin: Origin::Image(path.to_owned()), bytes: Cow::Owned(layer) })
        })
        .collect()
}

impl Layers {
    /// The images, opened and checked whole.
    ///
    /// # Errors
    /// If one is not intact, or was made by another version.
    pub fn images(&self) -> Result<Vec<Image<'_>>, Failure> {
        self.all.iter().map(Layer::image).collect()
    }

    /// Whether this is what the library has compiled in, so that it needs no file.
    pub fn is_built_in_standard(&self) -> bool {
        matches!(self.all.as_slice(), [only] if only.bytes == policies::STANDARD)
    }
}

impl Layer {
    fn image(&self) -> Result<Image<'_>, Failure> {
        let failed = |what: &str| {
            Failure::usage(format!(
                "cannot use {}: it {what}; compile the policy again with `rampart policy compile`",
                self.origin
            ))
        };
        let image = Image::open(&self.bytes).map_err(|error| failed(error.text()))?;
        if !image.is_intact() {
            return Err(failed("is corrupt (its checksum does not fit)"));
        }
        Ok(image)
    }
}

/// The digest of an image's sources and options, in hexadecimal.
pub fn digest(image: &Image<'_>) -> String {
    let (low, high) = (image.header.digest_low, image.header.digest_high);
    let bytes = low.to_le_bytes().into_iter().chain(high.to_le_bytes());
    hexadecimal(bytes)
}

impl Layer {
    /// What this layer's file in the store is called. An image that we compiled bears the digest
    /// of its sources; what a foreign one says of itself is not believed.
    pub fn stored_name(&self, image: &Image<'_>) -> String {
        match self.origin {
            Origin::Profile(_) | Origin::Files(_) => digest(image),
            Origin::Copy(_) | Origin::Image(_) => hexadecimal(Sha256::digest(&self.bytes)),
        }
    }
}

/// `value` as one line of JSON.
///
/// # Errors
/// If it cannot be written so, which is a defect.
pub fn json(value: &impl serde::Serialize) -> Result<String, Failure> {
    serde_json::to_string(value)
        .map_err(|error| Failure::other(format!("cannot write the answer as JSON: {error}")))
}

fn hexadecimal(bytes: impl IntoIterator<Item = u8>) -> String {
    bytes.into_iter().map(|byte| format!("{byte:02x}")).collect()
}
