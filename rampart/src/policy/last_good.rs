//! What each place of policies was compiled to when it last could be: a mistake in a file must not
//! leave its user without the rules that were in force a moment before.

use super::source::Found;
use super::{Layer, Origin, image_store, source};
use crate::directories::Directories;
use crate::failure::Failure;
use evaluator::Image;
use evaluator::image::format::VERSION;
use policy_schema::Layer as Level;
use sha2::{Digest, Sha256};
use std::borrow::Cow;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// `compiled`, which is remembered for `place` (a directory or a file); or, where that failed, what
/// is remembered, with the failure and a warning on standard error.
///
/// # Errors
/// The failure, if nothing is remembered.
pub fn or(
    directories: &Directories,
    place: &Path,
    level: Level,
    compiled: Result<Option<Found>, Failure>,
) -> Result<Option<Found>, Failure> {
    let failure = match compiled {
        Ok(found) => {
            if let Some(found) = &found {
                remember(directories, place, found);
            }
            return Ok(found);
        }
        Err(failure) => failure,
    };
    let Some((bytes, packs)) = recall(directories, place, level) else {
        return Err(failure);
    };
    complain!("{failure}");
    complain!(
        "rampart: warning: the policy in `{}` stays in force as it was when it last compiled; \
         repair it",
        place.display()
    );
    let layer = Layer { origin: Origin::LastGood(place.to_owned()), bytes: Cow::Owned(bytes) };
    Ok(Some(Found { layer, level, packs }))
}

fn file(directories: &Directories, place: &Path, level: Level) -> Option<PathBuf> {
    let digest = Sha256::digest(place.as_os_str().as_bytes());
    let key: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    let name = format!("last-v{VERSION}-{}-{key}.img", level.code());
    Some(directories.images().ok()?.join(name))
}

/// Without a place to remember it, nothing is; then a mistake is an error.
fn remember(directories: &Directories, place: &Path, found: &Found) {
    if directories.make_images().is_ok()
        && let Some(file) = file(directories, place, found.level)
    {
        let _ = image_store::put_at(&packs(&file), found.packs.join("\n").as_bytes());
        let _ = image_store::put_at(&file, &found.layer.bytes);
    }
}

/// Where the names of the packs that the files take in are remembered.
fn packs(image: &Path) -> PathBuf {
    image.with_extension("packs")
}

fn recall(directories: &Directories, place: &Path, level: Level) -> Option<(Vec<u8>, Vec<String>)> {
    let file = file(directories, place, level)?;
    let bytes = source::read(&file).ok()?;
    let names = String::from_utf8(source::read(&packs(&file)).ok()?).ok()?;
    let image = Image::open(&bytes).ok()?;
    let is_good = image.is_intact() && image.header.level == level.code();
    is_good.then(|| (bytes, names.lines().map(str::to_owned).collect()))
}
