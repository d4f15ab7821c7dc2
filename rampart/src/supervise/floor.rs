//! Paths that the policy puts out of reach (`out_of_reach`), held by the kernel for all that runs in the tree.
//!
//! Landlock only grants, and a right holds for all that is below a directory. So a path is taken out by
//! granting every entry beside it and beside each directory above it, as they are at the start; what is
//! made in those directories later cannot be used. A path is held only where nobody in the tree could make
//! anything there, so that nothing else breaks. Root can everywhere: of root's, only what lies in `/` itself
//! is held.

use super::landlock::{RENAMES, Ruleset, abi, lacks};
use crate::bytes::visible;
use crate::failure::reason;
use crate::launch::environment::Environment;
use rustix::fs::{Access, AtFlags, CWD, Mode, OFlags, accessat};
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Variables that name what the library and its helper need in every process of the tree.
const NEEDED: [&str; 4] = ["RAMPART_IMAGE", "RAMPART_LIB", "RAMPART_HELPER", "RAMPART_AUDIT_DIR"];

/// What can be held, and what cannot, in words.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Floor {
    /// Resolved paths, none below another.
    held: Vec<PathBuf>,
    /// Each with the reason, for people.
    unheld: Vec<String>,
}

impl Floor {
    /// For `paths` as the policy has them, in a tree with this environment.
    pub fn new(paths: &[Vec<u8>], environment: &Environment) -> Self {
        let mut floor = Self::default();
        let mut others = Vec::new();
        for path in paths {
            let place = place(path, environment);
            match place.clone().and_then(|place| may_hold(&place, environment)) {
                Ok(()) => floor.held.extend(place),
                Err(why) => others.push((place.ok(), format!("`{}` ({why})", visible(path)))),
            }
        }
        floor.held.sort();
        floor.held.dedup_by(|below, above| below.starts_with(above));
        // What lies below what is held is held with it.
        let is_held = |place: &PathBuf| floor.held.iter().any(|held| place.starts_with(held));
        others.retain(|(place, _)| !place.as_ref().is_some_and(is_held));
        floor.unheld = others.into_iter().map(|(_, told)| told).collect();
        floor
    }

    /// Puts this process, which is about to become the command, into a domain without what is held. What the
    /// kernel does not hold is returned, for people.
    pub fn enter(&self) -> Vec<String> {
        let mut told = Vec::new();
        let mut unheld = self.unheld.clone();
        if !self.held.is_empty() {
            match abi().and_then(|abi| self.domain(abi)) {
                Ok(abi) if lacks(abi).is_empty() => {}
                Ok(abi) => told.push(format!(
                    "Landlock ABI {abi} does not keep {} from what is out of reach",
                    lacks(abi)
                )),
                Err(error) => {
                    let why = format!("Landlock cannot be had: {}", reason(&error));
                    let all = self.held.iter();
                    unheld.extend(all.map(|path| format!("`{}` ({why})", path.display())));
                }
            }
        }
        if !unheld.is_empty() {
            let list = unheld.join(", ");
            told.push(format!(
                "out of reach by the policy's rules alone, not in the kernel: {list}"
            ));
        }
        told
    }

    /// Enters a domain by version `abi`, which is returned.
    fn domain(&self, abi: u32) -> io::Result<u32> {
        if abi < RENAMES {
            let what = format!("ABI {abi} forbids to move files between directories");
            return Err(io::Error::new(io::ErrorKind::Unsupported, what));
        }
        let ruleset = Ruleset::new(abi)?;
        self.grant_beside(Path::new("/"), &ruleset)?;
        ruleset.enter()?;
        Ok(abi)
    }

    /// Grants what lies in `directory` and not on the way to what is held.
    fn grant_beside(&self, directory: &Path, ruleset: &Ruleset) -> io::Result<()> {
        for entry in fs::read_dir(directory)? {
            let path = entry?.path();
            if self.held.contains(&path) {
                continue;
            }
            if self.held.iter().any(|held| held.starts_with(&path)) {
                self.grant_beside(&path, ruleset)?;
                continue;
            }
            let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            // What has gone meanwhile, or cannot be reached, is nothing to grant.
            let Ok(file) = rustix::fs::open(&path, flags, Mode::empty()) else { continue };
            let kind = fs::File::from(file.try_clone()?).metadata()?.file_type();
            // Where a link leads has an entry of its own.
            if !kind.is_symlink() {
                ruleset.grant(file.as_fd(), kind.is_dir())?;
            }
        }
        Ok(())
    }
}

/// Where `path` really lies.
fn place(path: &[u8], environment: &Environment) -> Result<PathBuf, String> {
    let path = match path.strip_prefix(b"~/") {
        None => PathBuf::from(OsStr::from_bytes(path)),
        Some(below) => {
            let home = environment.value("HOME").map(Path::new).filter(|home| home.is_absolute());
            home.ok_or("HOME is not set")?.join(OsStr::from_bytes(below))
        }
    };
    fs::canonicalize(path).map_err(|error| reason(&error))
}

/// Whether nobody in the tree loses anything but `place`.
fn may_hold(place: &Path, environment: &Environment) -> Result<(), String> {
    for directory in place.ancestors().skip(1) {
        let is_root = directory.parent().is_none() && rustix::process::geteuid().is_root();
        if !is_root && is_writable(directory) {
            return Err(format!("`{}` can be written to", directory.display()));
        }
        let _ = fs::read_dir(directory).map_err(|error| {
            format!("`{}` cannot be read: {}", directory.display(), reason(&error))
        })?;
    }
    let values = NEEDED.iter().filter_map(|name| environment.value(name));
    let mut paths = values.flat_map(|value| value.as_bytes().split(|byte| *byte == b':'));
    let is_in_it = |path: &[u8]| {
        let path = Path::new(OsStr::from_bytes(path));
        fs::canonicalize(path).is_ok_and(|path| path.starts_with(place))
    };
    match paths.find(|path| is_in_it(path)) {
        Some(path) => Err(format!("`{}` is needed in the tree", visible(path))),
        None => Ok(()),
    }
}

/// Whether this user can make anything in `directory`, or could let himself do so.
fn is_writable(directory: &Path) -> bool {
    let may = || accessat(CWD, directory, Access::WRITE_OK, AtFlags::EACCESS);
    match may() {
        Ok(()) => true,
        Err(rustix::io::Errno::ROFS) => false,
        Err(_) => {
            let own = rustix::process::geteuid().as_raw();
            fs::metadata(directory).map_or(true, |found| found.uid() == own)
        }
    }
}
