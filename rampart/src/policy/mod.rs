//! Which policy is in force: from the command line, the environment or the installed files to
//! images. One loading order for every verb.

pub mod authority;
pub mod image_store;
pub mod installed;
pub mod inventory;
mod last_good;
pub mod overrides;
pub mod packs;
pub mod recipe;
pub mod renewal;
pub mod source;
pub mod starter;

use crate::directories::Directories;
use crate::failure::{Failure, reason};
use crate::launch::environment::Environment;
use evaluator::image::format::{feature, level, record_events};
use evaluator::{Image, Images};
use installed::SYSTEM;
use recipe::Recipe;
use std::borrow::Cow;
use std::fmt;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// Which policy to use; without either, the installed ones
#[derive(clap::Args, Clone, Debug, Default)]
pub struct Choice {
    /// Policy to use in place of the installed ones, except what /etc/rampart locks: a YAML file, or a
    /// compiled image
    #[arg(long, value_name = "FILE", conflicts_with = "profile")]
    pub policy: Option<PathBuf>,
    /// Shipped policy to use in place of the installed ones (`rampart policy list` names them)
    #[arg(long, value_name = "NAME")]
    pub profile: Option<String>,
    /// Shipped rules to add: git, cloud … or `all` (`rampart policy list` names them)
    #[arg(long, value_name = "NAME", action = clap::ArgAction::Append)]
    pub pack: Vec<String>,
}

/// Where an image came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Compiled into this program.
    Profile(String),
    /// Compiled from these files just now.
    Files(Vec<PathBuf>),
    /// Shipped packs, by name.
    Packs(Vec<String>),
    /// What of it the system's policy locks.
    Locked(String),
    /// What was compiled from these files when they last could be.
    LastGood(PathBuf),
    /// An image that somebody named on the command line.
    Copy(PathBuf),
    /// An image that `RAMPART_IMAGE` names, which the library maps where it is.
    Image(PathBuf),
}

impl fmt::Display for Origin {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Profile(name) => write!(out, "profile {name}"),
            Self::Locked(of) => write!(out, "what {SYSTEM} locks of {of}"),
            Self::Packs(names) => write!(out, "packs {}", names.join(", ")),
            Self::LastGood(path) => write!(out, "{} as it last compiled", path.display()),
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
    /// What they were made from; `None` for images that somebody else made.
    pub recipe: Option<Recipe>,
}

impl Choice {
    /// Whether a policy was named on the command line.
    pub fn is_explicit(&self) -> bool {
        self.policy.is_some() || self.profile.is_some() || !self.pack.is_empty()
    }

    /// Loads and compiles what was chosen: `--policy`, else `--profile`, else the images that
    /// `RAMPART_IMAGE` names (those of the guarded tree, inside one), else, inside a tree, the
    /// standard profile, and outside, the installed files; with the packs. What the system's
    /// policy locks holds beside what was named.
    /// Warnings about the policy go to standard error.
    ///
    /// # Errors
    /// Exit status 2 with every diagnostic if a policy does not compile; or if a file cannot be
    /// read or trusted, or there is no such profile or pack.
    pub fn load(&self, environment: &Environment) -> Result<Layers, Failure> {
        let list = environment.value("RAMPART_IMAGE").filter(|list| !list.is_empty());
        let layers = match list.filter(|_| !self.is_explicit()) {
            Some(list) => Layers { all: from_environment(list)?, recipe: None },
            // The library in this tree was given no image: it uses its own.
            None if environment.is_guarded() && !self.is_explicit() => {
                Layers { all: vec![profile("standard")?], recipe: None }
            }
            None => {
                let recipe = Recipe::of(self, environment)?;
                let all = recipe.layers(&Directories::from_environment())?;
                Layers { all, recipe: Some(recipe) }
            }
        };
        layers.images()?;
        Ok(layers)
    }
}

/// The shipped profile `name`.
///
/// # Errors
/// If there is none.
pub fn profile(name: &str) -> Result<Layer, Failure> {
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
    let mut layers = Vec::new();
    for path in paths.filter(|path| !path.is_empty()) {
        let path = Path::new(std::ffi::OsStr::from_bytes(path));
        let bytes = source::read(path).map_err(|error| {
            Failure::usage(format!(
                "cannot read the policy image that RAMPART_IMAGE names, `{}`: {}",
                path.display(),
                reason(&error)
            ))
        })?;
        layers.extend(in_a_file(&bytes, &Origin::Image(path.to_owned()))?);
    }
    Ok(layers)
}

/// The layers whose images stand in `bytes`, one behind the other.
fn in_a_file(bytes: &[u8], origin: &Origin) -> Result<Vec<Layer>, Failure> {
    let own = |bytes: &[u8]| Layer { origin: origin.clone(), bytes: Cow::Owned(bytes.to_vec()) };
    let mut layers = Vec::new();
    for image in Images::of(bytes) {
        layers.push(match image {
            Ok(image) if image.is_stand_in() => profile("standard")?,
            Ok(image) => own(image.bytes()),
            // What is wrong with it is said when the layers are opened.
            Err(_) => own(bytes),
        });
    }
    if layers.is_empty() {
        layers.push(own(bytes));
    }
    Ok(layers)
}

impl Layers {
    /// The images, opened and checked whole.
    ///
    /// # Errors
    /// If one is not intact, or was made by another version.
    pub fn images(&self) -> Result<Vec<Image<'_>>, Failure> {
        self.all.iter().map(Layer::image).collect()
    }

    /// Whether every event is recorded, as the library decides it: unless a layer that may loosen says
    /// `record: notable`.
    pub fn records_all(&self) -> bool {
        let is_quiet = |image: &Image<'_>| {
            image.header.level != level::PROJECT && image.header.record == record_events::NOTABLE
        };
        self.images().is_ok_and(|all| !all.iter().any(is_quiet))
    }

    /// What has to stand before the commands of a tree, by the strictest layer: the kernel where that can be had,
    /// or, the second, in any case.
    pub fn enforced(&self) -> (bool, bool) {
        let all = self.images().unwrap_or_default();
        let has = |bit| all.iter().any(|image| image.header.features & bit != 0);
        (has(feature::ENFORCE_BEST), has(feature::ENFORCE_KERNEL))
    }

    /// The paths that some layer puts out of reach, as they were written.
    pub fn out_of_reach(&self) -> Vec<Vec<u8>> {
        let all = self.images().unwrap_or_default();
        all.iter().flat_map(policy_schema::out_of_reach::paths).collect()
    }

    /// Whether this is what the library has compiled in.
    pub fn is_built_in_standard(&self) -> bool {
        matches!(self.all.as_slice(), [only] if only.bytes == policies::STANDARD)
    }
}

impl Layer {
    /// Its image, checked whole. One that is compiled in is a part of this program, whose other parts
    /// nobody checks either: summing it up would be the largest part of a hook's work.
    ///
    /// # Errors
    /// If it is not intact, or was made by another version.
    pub fn image(&self) -> Result<Image<'_>, Failure> {
        let failed = |what: &str| {
            Failure::usage(format!(
                "cannot use {}: it {what}; compile the policy again with `rampart policy compile`",
                self.origin
            ))
        };
        let image = Image::open(&self.bytes).map_err(|error| failed(error.text()))?;
        if matches!(self.bytes, Cow::Owned(_)) && !image.is_intact() {
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
