//! What a tree's policy is made from, and the one file that holds what it was made to.
//!
//! A guarded tree pins the *path* of its policy: a file with the images of all layers, one behind
//! the other. When that is replaced, each verdict from then on is made from the new one. The recipe
//! lies beside it, so that everything that changes a policy can bring it to the trees that run.

use super::{Layer, Layers, Origin, image_store, installed, packs, source};
use crate::directories::Directories;
use crate::failure::{Failure, reason};
use crate::launch::environment::Environment;
use evaluator::image::format::VERSION;
use policy_schema::Layer as Level;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// What the layers are made from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recipe {
    /// The file that is used in place of the installed ones, absolute.
    pub policy: Option<PathBuf>,
    /// The same as it was named.
    #[serde(skip)]
    pub shown: Option<PathBuf>,
    /// The profile that is used in place of the installed ones.
    pub profile: Option<String>,
    /// Packs that were named on the command line.
    pub packs: BTreeSet<String>,
    /// Where the user's policies are, if they are used.
    pub user: Option<PathBuf>,
    /// The project's policy, if it is used.
    pub project: Option<PathBuf>,
}

impl Recipe {
    /// What is used where these were chosen, in this environment and directory.
    ///
    /// # Errors
    /// Exit status 2 if there is no such pack; or if the working directory is gone.
    pub fn of(choice: &super::Choice, environment: &Environment) -> Result<Self, Failure> {
        let named = choice.pack.iter().map(String::as_str);
        let mut recipe = Self { packs: packs::named(named)?, ..Self::default() };
        if let Some(path) = &choice.policy {
            let absolute = std::path::absolute(path).map_err(|error| {
                let why = reason(&error);
                Failure::usage(format!("cannot use policy `{}`: {why}", path.display()))
            })?;
            recipe.policy = Some(absolute);
            recipe.shown = Some(path.clone());
        } else if let Some(profile) = &choice.profile {
            recipe.profile = Some(profile.clone());
        } else {
            recipe.user = installed::user_directory(environment);
            recipe.project = installed::project(environment);
        }
        Ok(recipe)
    }

    /// Whether nothing but an upgrade, or a rule that the system locks, can change what it makes.
    pub fn is_fixed(&self) -> bool {
        self.profile.is_some() && self.packs.is_empty()
    }

    /// The layers, lowest first.
    ///
    /// # Errors
    /// If a file cannot be read or trusted, or a layer does not compile, and it has not before.
    pub fn layers(&self, directories: &Directories) -> Result<Vec<Layer>, Failure> {
        let (base, mut more) = match (&self.policy, &self.profile) {
            (Some(path), _) => (None, source::file(self.shown.as_deref().unwrap_or(path))?),
            (None, Some(name)) => (Some(super::profile(name)?), Vec::new()),
            (None, None) => (Some(super::profile("standard")?), self.installed(directories)?),
        };
        let locked = match (&self.policy, &self.profile) {
            (None, None) => Vec::new(),
            _ => installed::locked(directories)?,
        };
        let is_strict =
            self.profile.as_deref().is_some_and(|name| policies::STRICT_PROFILES.contains(&name));
        let of_level = |is_project: bool| {
            let of = more.iter().filter(|found| (found.level == Level::Project) == is_project);
            packs::named(of.flat_map(|found| found.packs.iter().map(String::as_str)))
        };
        let (mut wanted, project) = (of_level(false)?, of_level(true)?);
        wanted.extend(self.packs.iter().cloned());
        let only_project: BTreeSet<String> = project.difference(&wanted).cloned().collect();
        let mut all: Vec<Layer> = base.into_iter().chain(locked).collect();
        all.extend(packs::layer(&wanted, is_strict, Level::BuiltIn)?);
        all.extend(packs::layer(&only_project, is_strict, Level::Project)?);
        all.extend(more.drain(..).map(|found| found.layer));
        Ok(all)
    }

    fn installed(&self, directories: &Directories) -> Result<Vec<source::Found>, Failure> {
        let user = self.user.as_deref();
        installed::layers(directories, user, self.project.as_deref())
    }

    /// The file that holds these layers, for versions of the library that can read it.
    ///
    /// # Errors
    /// If there is no place for it, or the recipe names something that is not UTF-8.
    fn file(&self, directories: &Directories) -> Result<(PathBuf, Vec<u8>), Failure> {
        let text = serde_json::to_vec(self).map_err(|_| {
            Failure::usage("the paths of policies must be UTF-8, so that they can be reloaded")
        })?;
        let key: String =
            Sha256::digest(&text).iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        Ok((directories.make_images()?.join(format!("set-v{VERSION}-{key}.img")), text))
    }

    /// Writes `layers`, which this recipe makes, to the file that trees with this recipe pin.
    ///
    /// # Errors
    /// If it cannot be written, or its path cannot stand in `RAMPART_IMAGE`.
    pub fn write(&self, directories: &Directories, layers: &Layers) -> Result<PathBuf, Failure> {
        let (path, text) = self.file(directories)?;
        image_store::put_at(&path.with_extension("json"), &text)?;
        image_store::put_at(&path, &joined(layers))?;
        Ok(path)
    }
}

/// The images one behind the other. The standard policy is only referred to: the library has it.
pub fn joined(layers: &Layers) -> Vec<u8> {
    let standard = Origin::Profile("standard".to_owned());
    let mut bytes = Vec::new();
    for layer in &layers.all {
        match layer.origin == standard {
            true => bytes.extend(policy_schema::stand_in()),
            false => bytes.extend_from_slice(&layer.bytes),
        }
    }
    bytes
}

/// What became of one set of layers.
#[derive(Debug)]
pub struct Reloaded {
    /// The file.
    pub path: PathBuf,
    /// Whether it is another one now, or why it stays as it is.
    pub result: Result<bool, Failure>,
}

/// Makes every set of layers in the store again, for the trees that run with it. One that cannot be
/// made stays as it is.
///
/// # Errors
/// If the store cannot be read.
pub fn reload(directories: &Directories) -> Result<Vec<Reloaded>, Failure> {
    let store = directories.images()?;
    let mut all = Vec::new();
    let entries = match fs::read_dir(&store) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(all),
        Err(error) => {
            let why = reason(&error);
            return Err(Failure::other(format!("cannot read `{}`: {why}", store.display())));
        }
    };
    let prefix = format!("set-v{VERSION}-");
    let mut recipes: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|kind| kind == "json"))
        .filter(|path| {
            path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(&prefix))
        })
        .collect();
    recipes.sort();
    for recipe in recipes {
        let path = recipe.with_extension("img");
        let result = again(&recipe, &path, directories);
        all.push(Reloaded { path, result });
    }
    Ok(all)
}

fn again(recipe: &Path, path: &Path, directories: &Directories) -> Result<bool, Failure> {
    let text = source::read(recipe).map_err(|error| Failure::other(reason(&error)))?;
    let recipe: Recipe = serde_json::from_slice(&text)
        .map_err(|_| Failure::other(format!("`{}` is no recipe", recipe.display())))?;
    let layers = Layers { all: recipe.layers(directories)?, recipe: None };
    layers.images()?;
    image_store::put_at(path, &joined(&layers))
}
