//! Where things live: the XDG base directories, and the rule that Rampart's own are private.

use crate::failure::{Failure, reason};
use std::env;
use std::fs::{self, DirBuilder, Permissions};
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// The variables that say where things live, so that tests need not change the process's own.
#[derive(Clone, Debug, Default)]
pub struct Directories {
    home: Option<PathBuf>,
    state_home: Option<PathBuf>,
    audit: Option<PathBuf>,
}

impl Directories {
    /// Reads `HOME`, `XDG_STATE_HOME` and `RAMPART_AUDIT_DIR`. As the XDG base directory
    /// specification says, a relative or empty value counts as unset.
    pub fn from_environment() -> Self {
        let absolute =
            |name: &str| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
        Self {
            home: absolute("HOME"),
            state_home: absolute("XDG_STATE_HOME"),
            audit: env::var_os("RAMPART_AUDIT_DIR")
                .filter(|value| !value.is_empty())
                .map(PathBuf::from),
        }
    }

    /// `$XDG_STATE_HOME/rampart`, else `~/.local/state/rampart`.
    ///
    /// # Errors
    /// If neither `XDG_STATE_HOME` nor `HOME` is an absolute path.
    pub fn state(&self) -> Result<PathBuf, Failure> {
        match (&self.state_home, &self.home) {
            (Some(state), _) => Ok(state.join("rampart")),
            (None, Some(home)) => Ok(home.join(".local/state/rampart")),
            (None, None) => Err(Failure::other(
                "neither HOME nor XDG_STATE_HOME is set to an absolute path, so there is no \
                 place for compiled policies and the audit log; set HOME",
            )),
        }
    }

    /// The list of what held once and was used up.
    ///
    /// # Errors
    /// As [`Directories::state`].
    pub fn uses(&self) -> Result<PathBuf, Failure> {
        Ok(self.state()?.join("evaluator/once"))
    }

    /// Where compiled policies are kept.
    ///
    /// # Errors
    /// As [`Directories::state`].
    pub fn images(&self) -> Result<PathBuf, Failure> {
        Ok(self.state()?.join("images"))
    }

    /// `RAMPART_AUDIT_DIR` made absolute, else `audit` in the state directory.
    ///
    /// # Errors
    /// As [`Directories::state`]; or if `RAMPART_AUDIT_DIR` is relative and the working directory
    /// is gone.
    pub fn audit(&self) -> Result<PathBuf, Failure> {
        match &self.audit {
            Some(path) => std::path::absolute(path).map_err(|error| {
                Failure::other(format!(
                    "cannot make RAMPART_AUDIT_DIR `{}` absolute: {}",
                    path.display(),
                    reason(&error)
                ))
            }),
            None => Ok(self.state()?.join("audit")),
        }
    }

    /// Whether `RAMPART_AUDIT_DIR` says where the audit log is.
    pub fn is_audit_chosen(&self) -> bool {
        self.audit.is_some()
    }

    /// Creates the directory of compiled policies, for this user alone.
    ///
    /// # Errors
    /// As [`Directories::images`] and [`make_private`].
    pub fn make_images(&self) -> Result<PathBuf, Failure> {
        let images = self.images()?;
        make_private(&self.state()?)?;
        make_private(&images)?;
        Ok(images)
    }

    /// Creates the audit directory and what is missing above it, for this user alone.
    ///
    /// # Errors
    /// As [`Directories::audit`]; or if it cannot be created, is no directory, belongs to
    /// somebody else, or others may write to it.
    pub fn make_audit(&self) -> Result<PathBuf, Failure> {
        let directory = self.audit()?;
        match self.audit {
            Some(_) => make_chosen(&directory)?,
            None => {
                make_private(&self.state()?)?;
                make_private(&directory)?;
            }
        }
        Ok(directory)
    }
}

/// Creates `directory` and what is missing above it, for this user alone (0700); one of
/// Rampart's own that others may use is taken back from them.
///
/// # Errors
/// If it cannot be created, is no directory, or belongs to somebody else.
pub fn make_private(directory: &Path) -> Result<(), Failure> {
    let found = make(directory)?;
    let own = rustix::process::geteuid().as_raw();
    if found.uid() != own {
        return Err(unusable(
            directory,
            &match found.uid() {
                0 => "it belongs to root; `chown` it to yourself".to_owned(),
                other => format!("it belongs to another user (uid {other})"),
            },
        ));
    }
    if found.mode() & 0o077 != 0 {
        fs::set_permissions(directory, Permissions::from_mode(0o700))
            .map_err(|error| unusable(directory, &reason(&error)))?;
    }
    Ok(())
}

/// Creates `directory` as [`make_private`] does; one that is there already was chosen by the
/// user and is left as it is.
///
/// # Errors
/// If it cannot be created, is no directory, or everybody may write to it.
fn make_chosen(directory: &Path) -> Result<(), Failure> {
    let found = make(directory)?;
    if found.mode() & 0o002 != 0 {
        let what = "everybody may write to it; choose one that is yours, or `chmod o-w` it";
        return Err(unusable(directory, what));
    }
    Ok(())
}

fn make(directory: &Path) -> Result<fs::Metadata, Failure> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(directory);
    if let Err(error) = made
        && error.kind() != ErrorKind::AlreadyExists
    {
        return Err(unusable(directory, &reason(&error)));
    }
    let found = fs::metadata(directory).map_err(|error| unusable(directory, &reason(&error)))?;
    if !found.is_dir() {
        return Err(unusable(directory, "it is no directory; move it out of the way"));
    }
    Ok(found)
}

fn unusable(directory: &Path, what: &str) -> Failure {
    Failure::other(format!("cannot use directory `{}`: {what}", directory.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(home: Option<&str>, state: Option<&str>, audit: Option<&str>) -> Directories {
        Directories {
            home: home.map(PathBuf::from),
            state_home: state.map(PathBuf::from),
            audit: audit.map(PathBuf::from),
        }
    }

    #[test]
    fn where_things_live() {
        let home = Some("/h");
        let cases = [
            (
                with(home, None, None),
                "/h/.local/state/rampart/images",
                "/h/.local/state/rampart/audit",
            ),
            (with(home, Some("/s"), None), "/s/rampart/images", "/s/rampart/audit"),
            (with(None, Some("/s"), None), "/s/rampart/images", "/s/rampart/audit"),
            (with(home, None, Some("/a/b")), "/h/.local/state/rampart/images", "/a/b"),
        ];
        for (directories, images, audit) in cases {
            assert_eq!(directories.images().unwrap(), Path::new(images));
            assert_eq!(directories.audit().unwrap(), Path::new(audit));
        }
        let relative = with(home, None, Some("x")).audit().unwrap();
        assert_eq!(relative, env::current_dir().unwrap().join("x"));
        assert!(with(None, None, None).images().is_err());
    }

    #[test]
    fn own_directories_become_private() {
        let temporary = tempfile::tempdir().unwrap();
        let deep = temporary.path().join("a/b");
        make_private(&deep).unwrap();
        assert_eq!(fs::metadata(&deep).unwrap().mode() & 0o777, 0o700);
        fs::set_permissions(&deep, Permissions::from_mode(0o777)).unwrap();
        make_private(&deep).unwrap();
        assert_eq!(fs::metadata(&deep).unwrap().mode() & 0o777, 0o700);
        let file = temporary.path().join("file");
        fs::write(&file, "").unwrap();
        assert!(make_private(&file).unwrap_err().message.contains("no directory"));
        assert!(make_private(&file.join("below")).is_err());
    }

    #[test]
    fn chosen_directories_stay_as_they_are() {
        let temporary = tempfile::tempdir().unwrap();
        let cases = [(0o755, true), (0o770, true), (0o777, false), (0o1777, false)];
        for (mode, usable) in cases {
            let path = temporary.path().join(format!("{mode:o}"));
            fs::create_dir(&path).unwrap();
            fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            let directories = with(None, None, path.to_str());
            assert_eq!(directories.make_audit().is_ok(), usable, "{mode:o}");
            assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, mode, "{mode:o}");
        }
        let new = temporary.path().join("new/audit");
        assert_eq!(with(None, None, new.to_str()).make_audit().unwrap(), new);
        assert_eq!(fs::metadata(&new).unwrap().mode() & 0o777, 0o700);
    }
}
