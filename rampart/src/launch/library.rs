//! Finding `librampart.so`.
//!
//! A library that cannot be loaded would be a warning of ld.so and no protection at all, so what
//! would make it fail is checked here, where it can still be said.

use crate::failure::{Failure, reason};
use std::env;
use std::ffi::OsStr;
use std::fs::File;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// The file name of the interposer.
const NAME: &str = "librampart.so";

/// The absolute path of the library: `$RAMPART_LIB`, else the first that exists next to this
/// program, in `../lib/rampart`, in `../lib`, in `/usr/lib/rampart` and in
/// `/usr/local/lib/rampart`.
///
/// # Errors
/// If none is there (the message lists what was tried), or the one found cannot be preloaded.
pub fn find() -> Result<PathBuf, Failure> {
    if let Some(path) = env::var_os("RAMPART_LIB").filter(|value| !value.is_empty()) {
        let path = std::path::absolute(&path).unwrap_or_else(|_| PathBuf::from(&path));
        return match check(&path) {
            Ok(()) => Ok(path),
            Err(why) => Err(Failure::usage(format!(
                "cannot use the library that RAMPART_LIB names, `{}`: {why}",
                path.display()
            ))),
        };
    }
    let own = env::current_exe().unwrap_or_default();
    let candidates = candidates(&own);
    match candidates.iter().find(|path| path.exists()) {
        Some(path) => check(path)
            .map(|()| path.clone())
            .map_err(|why| Failure::usage(format!("cannot use `{}`: {why}", path.display()))),
        None => {
            let tried: Vec<String> =
                candidates.iter().map(|path| format!("\n  {}", path.display())).collect();
            Err(Failure::usage(format!(
                "cannot find {NAME}, so the command would run unguarded; install it, or set \
                 RAMPART_LIB to its path. Tried:{}",
                tried.concat()
            )))
        }
    }
}

/// Where the library may be, for a program at `own`.
fn candidates(own: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    if let Some(bin) = own.parent() {
        found.push(bin.join(NAME));
        if let Some(prefix) = bin.parent() {
            found.push(prefix.join("lib/rampart").join(NAME));
            found.push(prefix.join("lib").join(NAME));
        }
    }
    for directory in ["/usr/lib/rampart", "/usr/local/lib/rampart"] {
        let path = Path::new(directory).join(NAME);
        if !found.contains(&path) {
            found.push(path);
        }
    }
    found
}

/// Whether ld.so can load `path` from `LD_PRELOAD` into a program of this machine, and nobody
/// else can have changed it; else what is wrong.
pub fn check(path: &Path) -> Result<(), String> {
    let bytes = path.as_os_str().as_bytes();
    if bytes.iter().any(|byte| matches!(byte, b' ' | b':' | b'\t' | b'\n')) {
        return Err("LD_PRELOAD cannot hold a path with a space or a colon; move it".into());
    }
    let mut file = File::open(path).map_err(|error| reason(&error))?;
    let found = file.metadata().map_err(|error| reason(&error))?;
    if !found.is_file() {
        return Err("it is no regular file".into());
    }
    let own = rustix::process::geteuid().as_raw();
    if found.uid() != 0 && found.uid() != own {
        return Err(format!("it belongs to another user (uid {})", found.uid()));
    }
    if found.mode() & 0o022 != 0 {
        return Err("others may write to it; `chmod go-w` it if you trust what is in it".into());
    }
    let mut header = [0u8; 20];
    file.read_exact(&mut header).map_err(|_| "it is no shared library (too short)".to_owned())?;
    if header.get(..4) != Some(b"\x7fELF") || header.get(16..18) != Some(&3u16.to_ne_bytes()) {
        return Err("it is no shared library".into());
    }
    let machine = own_machine();
    if machine.is_some_and(|own| header.get(18..20) != Some(&own)) {
        return Err("it was built for another machine".into());
    }
    Ok(())
}

/// The ELF machine of this very program, as it stands in the file.
fn own_machine() -> Option<[u8; 2]> {
    let mut header = [0u8; 20];
    File::open("/proc/self/exe").ok()?.read_exact(&mut header).ok()?;
    header.get(18..20)?.try_into().ok()
}

/// Whether the value of `LD_PRELOAD` already holds `library`.
pub fn is_preloaded(value: &OsStr, library: &Path) -> bool {
    entries(value).any(|entry| entry == library.as_os_str().as_bytes())
}

/// The entries of an `LD_PRELOAD` value: ld.so(8) takes spaces and colons.
pub fn entries(value: &OsStr) -> impl Iterator<Item = &[u8]> {
    value.as_bytes().split(|byte| matches!(byte, b' ' | b':')).filter(|entry| !entry.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn where_it_is_looked_for() {
        let found = candidates(Path::new("/opt/r/bin/rampart"));
        let expected = [
            "/opt/r/bin/librampart.so",
            "/opt/r/lib/rampart/librampart.so",
            "/opt/r/lib/librampart.so",
            "/usr/lib/rampart/librampart.so",
            "/usr/local/lib/rampart/librampart.so",
        ];
        assert_eq!(found, expected.map(PathBuf::from));
        // Installed in /usr, the same directory is named once.
        assert_eq!(candidates(Path::new("/usr/bin/rampart")).len(), 4);
    }

    #[test]
    fn preload_entries() {
        let cases: [(&str, &[&str]); 4] = [
            ("", &[]),
            ("/a.so", &["/a.so"]),
            ("/a.so:/b.so /c.so", &["/a.so", "/b.so", "/c.so"]),
            (" ::/a.so: ", &["/a.so"]),
        ];
        for (value, expected) in cases {
            let found: Vec<_> = entries(OsStr::new(value)).collect();
            let expected: Vec<_> = expected.iter().map(|entry| entry.as_bytes()).collect();
            assert_eq!(found, expected, "{value:?}");
        }
        assert!(is_preloaded(OsStr::new("/x.so /a.so"), Path::new("/a.so")));
        assert!(!is_preloaded(OsStr::new("/x.so/a.so"), Path::new("/a.so")));
    }

    #[test]
    fn what_cannot_be_preloaded_is_said() {
        let temporary = tempfile::tempdir().unwrap();
        let write = |name: &str, bytes: &[u8], mode: u32| {
            let path = temporary.path().join(name);
            fs::write(&path, bytes).unwrap();
            fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            path
        };
        let mut elf = fs::read("/proc/self/exe").unwrap();
        elf.truncate(64);
        elf[16..18].copy_from_slice(&3u16.to_ne_bytes());
        let mut program = elf.clone();
        program[16..18].copy_from_slice(&2u16.to_ne_bytes());
        let mut foreign = elf.clone();
        foreign[18..20].copy_from_slice(&0xfffeu16.to_ne_bytes());
        let cases = [
            (write("good.so", &elf, 0o644), None),
            (write("open.so", &elf, 0o666), Some("others may write")),
            (write("short.so", b"\x7fELF", 0o644), Some("too short")),
            (write("text.so", &[b'x'; 64], 0o644), Some("no shared library")),
            (write("program", &program, 0o755), Some("no shared library")),
            (write("foreign.so", &foreign, 0o644), Some("another machine")),
            (write("a b.so", &elf, 0o644), Some("space")),
            (temporary.path().join("none.so"), Some("no such file")),
            (temporary.path().to_owned(), Some("no regular file")),
        ];
        for (path, expected) in cases {
            match (check(&path), expected) {
                (Ok(()), None) => {}
                (Err(why), Some(part)) => assert!(why.contains(part), "{path:?}: {why}"),
                (found, _) => panic!("{path:?}: {found:?}"),
            }
        }
    }
}
