//! Where things are installed, and putting them there: by rename, as root's, and only if they differ.

use crate::failure::{Failure, reason};
use crate::output::Output;
use rustix::rand::{GetRandomFlags, getrandom};
use std::fs::{self, OpenOptions, Permissions};
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// The name of our drop-ins.
pub const DROP_IN: &str = "50-rampart.conf";

/// Where Rampart is, or will be.
#[derive(clap::Args, Clone, Debug)]
pub struct Places {
    /// Directory above `bin` and `lib`
    #[arg(long, value_name = "DIR", default_value = "/usr/local")]
    pub prefix: PathBuf,
    /// Root of the file system to install into, as for an image
    #[arg(long, value_name = "DIR", default_value = "/")]
    pub root: PathBuf,
}

impl Places {
    /// `path` below the root.
    pub fn at(&self, path: impl AsRef<Path>) -> PathBuf {
        let path = path.as_ref();
        self.root.join(path.strip_prefix("/").unwrap_or(path))
    }

    /// The library.
    pub fn library(&self) -> PathBuf {
        self.at(self.prefix.join("lib/rampart/librampart.so"))
    }

    /// The command.
    pub fn program(&self) -> PathBuf {
        self.at(self.prefix.join("bin/rampart"))
    }

    /// Units of the evaluator.
    pub fn units(&self) -> PathBuf {
        self.at(self.prefix.join("lib/systemd/system"))
    }
}

/// What changes, said line by line.
pub struct Change<'o> {
    output: &'o mut Output,
    is_dry: bool,
}

impl<'o> Change<'o> {
    /// `is_dry` changes nothing.
    pub fn new(output: &'o mut Output, is_dry: bool) -> Self {
        Self { output, is_dry }
    }

    /// Whether nothing is to be changed.
    pub fn is_dry(&self) -> bool {
        self.is_dry
    }

    /// A line for the user.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn say(&mut self, text: &str) -> Result<(), Failure> {
        self.output.line(text)
    }

    /// Makes `path` hold `content` with `mode`. Missing directories are made, mode 0755.
    ///
    /// # Errors
    /// If it cannot be written; then what was there is there still.
    pub fn file(&mut self, path: &Path, content: &[u8], mode: u32) -> Result<(), Failure> {
        let found = fs::symlink_metadata(path);
        let is_same = found
            .as_ref()
            .is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o7777 == mode)
            && fs::read(path).is_ok_and(|bytes| bytes == content);
        if is_same {
            return self.say(&format!("unchanged  {}", path.display()));
        }
        if !self.is_dry {
            let written = replaced(path, content, mode);
            written.map_err(|error| {
                Failure::other(format!("cannot write `{}`: {}", path.display(), reason(&error)))
            })?;
        }
        let what = if found.is_ok() { "replaced" } else { "created" };
        self.say(&format!("{what:<10} {}", path.display()))
    }

    /// Removes a file or a directory with all that is in it, if it is there.
    ///
    /// # Errors
    /// If it cannot be removed.
    pub fn gone(&mut self, path: &Path) -> Result<bool, Failure> {
        let Ok(found) = fs::symlink_metadata(path) else {
            return Ok(false);
        };
        if !self.is_dry {
            let removed =
                if found.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
            removed.map_err(|error| {
                Failure::other(format!("cannot remove `{}`: {}", path.display(), reason(&error)))
            })?;
        }
        self.say(&format!("removed    {}", path.display()))?;
        Ok(true)
    }

    /// Removes `directory` if it is empty.
    pub fn tidy(&mut self, directory: &Path) {
        if !self.is_dry {
            // Somebody else's files stay, and so does the directory.
            let _ = fs::remove_dir(directory);
        }
    }
}

/// Writes `content` beside `path` and renames it there; missing directories are made.
///
/// # Errors
/// What the system says; then what was there is there still.
pub fn replaced(path: &Path, content: &[u8], mode: u32) -> std::io::Result<()> {
    let directory = path.parent().unwrap_or(Path::new("/"));
    fs::create_dir_all(directory)?;
    let mut random = [0u8; 8];
    let _ = getrandom(&mut random, GetRandomFlags::NONBLOCK);
    let mut name = std::ffi::OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(format!(".{}.{:016x}.tmp", std::process::id(), u64::from_ne_bytes(random)));
    let temporary = path.with_file_name(name);
    let written = (|| {
        let mut file =
            OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary)?;
        file.write_all(content)?;
        file.set_permissions(Permissions::from_mode(mode))?;
        file.sync_all()?;
        fs::rename(&temporary, path)
    })();
    if written.is_err() {
        let _ = fs::remove_file(&temporary);
    }
    written
}

/// Processes that have a file of this name mapped, replaced or removed since or not: number and name. Those of
/// other users are seen by root alone.
pub fn users_of(library: &Path) -> Vec<(u32, String)> {
    let name = library.as_os_str().as_bytes();
    let is_it = |line: &[u8]| {
        let line = line.strip_suffix(b" (deleted)").unwrap_or(line);
        line.strip_suffix(name).is_some_and(|before| before.ends_with(b" "))
    };
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        // Gone meanwhile, or another user's.
        let maps = fs::read(entry.path().join("maps")).unwrap_or_default();
        if maps.split(|byte| *byte == b'\n').any(is_it) {
            let name = fs::read(entry.path().join("comm")).unwrap_or_default();
            found.push((pid, crate::bytes::visible(name.trim_ascii_end())));
        }
    }
    found
}
