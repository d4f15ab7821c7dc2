//! The root directory of another process. Where it lives in another mount namespace, or below another
//! root directory (chroot(2), pivot_root(2)), a path means there what it means to it, and every link on the way,
//! too (`RESOLVE_IN_ROOT`, openat2(2)).

use rustix::fs::{Mode, OFlags, ResolveFlags, openat2, readlink};
use std::ffi::OsStr;
use std::io::{Error, ErrorKind, Result};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;

/// A root directory.
#[derive(Debug)]
pub struct Root {
    directory: OwnedFd,
    /// What stands before its paths as we see them: nothing where it is the root of its namespace.
    before: Vec<u8>,
    /// How the file of a process that lives there is named to us: `/proc/PID/root`.
    link: String,
    /// What else is named by way of that process: `/proc/PID/`.
    own: String,
}

impl Root {
    /// That of `process`.
    ///
    /// # Errors
    /// If it has ended, or may not be looked into.
    pub fn of(process: u32) -> Result<Self> {
        let own = format!("/proc/{process}/");
        let link = format!("{own}root");
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let directory = rustix::fs::open(&link, flags, Mode::empty())?;
        let mut before = named(&directory)?;
        if before == b"/" {
            before.clear();
        }
        Ok(Self { directory, before, link, own })
    }

    /// The file that `path`, a link, leads to there, as we find it; `None` if it leads nowhere.
    pub fn target(&self, path: &[u8]) -> Option<Vec<u8>> {
        let real = self.real(self.inside(path)?).ok()?;
        Some([self.link.as_bytes(), &real].concat())
    }

    /// `path` as its process would write it; `None` for what only we find, by way of its process.
    pub fn inside<'p>(&self, path: &'p [u8]) -> Option<&'p [u8]> {
        match path.strip_prefix(self.link.as_bytes()) {
            Some(rest) if rest.starts_with(b"/") => Some(rest),
            _ if path.starts_with(self.own.as_bytes()) => None,
            _ => Some(path),
        }
    }

    /// Opens what `path` leads to there.
    ///
    /// # Errors
    /// What openat2(2) says.
    pub fn open(&self, path: &[u8], flags: OFlags) -> Result<OwnedFd> {
        let flags = flags | OFlags::CLOEXEC;
        let path = OsStr::from_bytes(path);
        Ok(openat2(&self.directory, path, flags, Mode::empty(), ResolveFlags::IN_ROOT)?)
    }

    /// The path of what `path` leads to there, after every link, as realpath(3) gives it there.
    ///
    /// # Errors
    /// As [`Root::open`]; if it has no name there.
    pub fn real(&self, path: &[u8]) -> Result<Vec<u8>> {
        let found = named(&self.open(path, OFlags::PATH)?)?;
        self.seen_there(&found).ok_or_else(|| Error::from(ErrorKind::Unsupported))
    }

    /// What its processes call the file that a link in `/proc` gives us as `found`; `None` if it does not lie
    /// below this root.
    pub fn seen_there(&self, found: &[u8]) -> Option<Vec<u8>> {
        match found.strip_prefix(self.before.as_slice())? {
            b"" => Some(b"/".to_vec()),
            rest => rest.starts_with(b"/").then(|| rest.to_vec()),
        }
    }
}

/// The name of an open file, from the root directory that can be reached from it.
fn named(file: &OwnedFd) -> Result<Vec<u8>> {
    Ok(readlink(format!("/proc/self/fd/{}", file.as_raw_fd()), Vec::new())?.into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    #[test]
    fn paths_are_those_of_the_process() {
        let base = tempfile::tempdir().unwrap();
        let jail = base.path().canonicalize().unwrap();
        fs::create_dir(jail.join("data")).unwrap();
        fs::write(jail.join("data/file"), "x").unwrap();
        symlink("/data/file", jail.join("link")).unwrap();
        symlink("../../../../data", jail.join("up")).unwrap();
        symlink("loop", jail.join("loop")).unwrap();
        let own = std::process::id();
        let mut root = Root::of(own).unwrap();
        let path = [jail.as_os_str().as_bytes(), b"/link"].concat();
        assert_eq!(
            root.real(&path).unwrap_err().kind(),
            ErrorKind::NotFound,
            "`/data/file` is ours"
        );
        // As if it had called chroot(2).
        root.directory = rustix::fs::open(&jail, OFlags::PATH, Mode::empty()).unwrap();
        root.before = jail.as_os_str().as_bytes().to_vec();
        for (path, real) in [
            ("/link", "/data/file"),
            ("/up/file", "/data/file"),
            ("/up", "/data"),
            ("/..", "/"),
            ("/data/../link", "/data/file"),
        ] {
            assert_eq!(root.real(path.as_bytes()).unwrap(), real.as_bytes(), "{path}");
        }
        assert_eq!(root.real(b"/none").unwrap_err().kind(), ErrorKind::NotFound);
        assert!(root.real(b"/loop").is_err());
        let inside = |path: &str| root.inside(path.as_bytes()).map(<[u8]>::to_vec);
        assert_eq!(inside("/data/file").unwrap(), b"/data/file");
        assert_eq!(inside(&format!("/proc/{own}/root/data/file")).unwrap(), b"/data/file");
        assert_eq!(inside(&format!("/proc/{own}/cwd/file")), None);
        let of_another = format!("/proc/{own}0/cwd/file");
        assert_eq!(inside(&of_another).unwrap(), of_another.as_bytes());
        assert_eq!(root.seen_there(jail.as_os_str().as_bytes()).unwrap(), b"/");
        assert_eq!(root.seen_there(b"/data/file"), None);
        let target = root.target(b"/link").unwrap();
        assert_eq!(target, format!("/proc/{own}/root/data/file").as_bytes());
        assert!(Root::of(u32::MAX).is_err());
    }
}
