//! Policy files on their way to an image.

use super::{Layer, Origin};
use crate::failure::{Failure, reason};
use evaluator::image::format::MAGIC;
use policy_schema::diagnostic::Level as Severity;
use policy_schema::document::{Document, Packs};
use policy_schema::{Diagnostic, Layer as Level, Options, Source, compile_with_warnings};
use std::borrow::Cow;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Nothing that is read as a policy may be larger, so that a wrong path cannot fill the memory.
const LARGEST: u64 = 64 * 1024 * 1024;

/// The bytes of a regular file.
///
/// # Errors
/// If it cannot be read, is no regular file, or is larger than 64 MiB.
pub fn read(path: &Path) -> io::Result<Vec<u8>> {
    let file = File::open(path)?;
    let found = file.metadata()?;
    if !found.is_file() {
        return Err(io::Error::other("it is no regular file"));
    }
    let mut bytes = Vec::new();
    file.take(LARGEST + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > LARGEST {
        return Err(io::Error::other("it is larger than 64 MiB"));
    }
    Ok(bytes)
}

/// Seconds since the epoch, if the clock says so.
pub fn now() -> Option<u64> {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.ok().map(|since| since.as_secs())
}

/// A layer from files, and what they ask for beside themselves.
#[derive(Clone, Debug)]
pub struct Found {
    /// The layer.
    pub layer: Layer,
    /// Whose it is.
    pub level: Level,
    /// The packs that the files take in.
    pub packs: Vec<String>,
}

/// The layers in the one file that somebody named: YAML, or one or more images.
///
/// # Errors
/// As [`compile`].
pub fn file(path: &Path) -> Result<Vec<Found>, Failure> {
    let bytes = trusted(path, None)?;
    if !bytes.starts_with(&MAGIC) {
        return Ok(vec![compile_texts(&[(path.to_owned(), bytes)], Level::User)?]);
    }
    let found = |layer| Found { layer, level: Level::User, packs: Vec::new() };
    Ok(super::in_a_file(&bytes, &Origin::Copy(path.to_owned()))?.into_iter().map(found).collect())
}

/// Compiles `paths` to one layer. Warnings go to standard error.
///
/// # Errors
/// Exit status 2 with every diagnostic if they do not compile, or if one cannot be read or others
/// may write to it.
pub fn compile(paths: &[PathBuf], level: Level) -> Result<Found, Failure> {
    let texts = paths.iter().map(|path| Ok((path.clone(), trusted(path, Some(level))?)));
    compile_texts(&texts.collect::<Result<Vec<_>, _>>()?, level)
}

/// What nobody can do without of the files of a layer: what they lock. `None` if that is nothing.
///
/// # Errors
/// As [`compile`].
pub fn compile_locked(paths: &[PathBuf], level: Level) -> Result<Option<Found>, Failure> {
    let mut texts = Vec::with_capacity(paths.len());
    for path in paths {
        texts.push((path.display().to_string(), trusted(path, Some(level))?));
    }
    let sources: Vec<Source<'_>> = texts.iter().map(|(name, text)| Source { name, text }).collect();
    let options = Options { layer: level, run_examples: false };
    let image = policy_schema::compile_locked(&sources, &options, &[]);
    let Some(image) = image.map_err(|found| refused(&found))? else {
        return Ok(None);
    };
    let documents: Vec<Document> =
        sources.iter().map(|source| policy_schema::read_policy::read(source).0).collect();
    let origin = Origin::Locked("itself".to_owned());
    let layer = Layer { origin, bytes: Cow::Owned(image) };
    Ok(Some(Found { layer, level, packs: packs_of(&documents) }))
}

/// The bytes of a file that nobody else can have written: the system's must be root's, the user's
/// own or root's. A project's belongs to whoever checked it out, and what somebody names is his
/// own choice, as long as not everybody may write to it.
fn trusted(path: &Path, level: Option<Level>) -> Result<Vec<u8>, Failure> {
    let failed =
        |what: &str| Failure::usage(format!("cannot use policy `{}`: {what}", path.display()));
    let bytes = read(path).map_err(|error| failed(&reason(&error)))?;
    let found = std::fs::metadata(path).map_err(|error| failed(&reason(&error)))?;
    if found.mode() & 0o002 != 0 {
        return Err(failed("everybody may write to it; `chmod o-w` it if you trust what is in it"));
    }
    if level == Some(Level::System)
        && (found.uid() != 0 || found.mode() & 0o020 != 0 && found.gid() != 0)
    {
        return Err(failed("others than root may write to it; `chown root` and `chmod go-w` it"));
    }
    let own = rustix::process::geteuid().as_raw();
    if level == Some(Level::User) && found.uid() != 0 && found.uid() != own {
        return Err(failed(&format!(
            "it belongs to another user (uid {}); `chown` it if you trust what is in it",
            found.uid()
        )));
    }
    Ok(bytes)
}

fn compile_texts(texts: &[(PathBuf, Vec<u8>)], level: Level) -> Result<Found, Failure> {
    let names: Vec<String> = texts.iter().map(|(path, _)| path.display().to_string()).collect();
    let sources: Vec<Source<'_>> =
        names.iter().zip(texts).map(|(name, (_, text))| Source { name, text }).collect();
    let options = Options { layer: level, ..Options::default() };
    let compiled = compile_with_warnings(&sources, &options).map_err(|found| refused(&found))?;
    for warning in &compiled.warnings {
        complain!("{warning}");
    }
    let origin = Origin::Files(texts.iter().map(|(path, _)| path.clone()).collect());
    let layer = Layer { origin, bytes: Cow::Owned(compiled.image) };
    Ok(Found { layer, level, packs: packs_of(&compiled.documents) })
}

/// The packs that files take in.
fn packs_of(documents: &[Document]) -> Vec<String> {
    let mut names = Vec::new();
    for packs in documents.iter().filter_map(|document| document.packs.as_ref()) {
        match packs {
            Packs::All => names.push("all".to_owned()),
            Packs::Named(all) => names.extend(all.iter().map(|name| name.value.clone())),
        }
    }
    names
}

/// The failure for a policy that does not compile, with everything that was found.
pub fn refused(found: &[Diagnostic]) -> Failure {
    let errors = found.iter().filter(|found| found.level == Severity::Error).count();
    let shown: Vec<String> = found.iter().map(Diagnostic::to_string).collect();
    Failure::usage(format!(
        "the policy does not compile ({errors} {})\n{}",
        if errors == 1 { "error" } else { "errors" },
        shown.join("\n")
    ))
}

/// Fails if one of `found` is an error.
///
/// # Errors
/// Exit status 2 with every diagnostic.
pub fn refuse_errors(found: &[Diagnostic]) -> Result<(), Failure> {
    match found.iter().any(|found| found.level == Severity::Error) {
        true => Err(refused(found)),
        false => Ok(()),
    }
}
