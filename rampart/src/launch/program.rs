//! Which file a command name means, and what can be told from the file.
//!
//! The search is that of execvp(3), because what is judged must be what runs. The facts are those
//! of `evaluator::Target`: most of them mean that `LD_PRELOAD` cannot follow.

use evaluator::{Target, TargetKinds};
use rustix::fs::{Access, AtFlags, CWD, Mode, OFlags, accessat};
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::Read;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// What is searched if `PATH` is not set (glibc's `_CS_PATH`).
const DEFAULT_PATH: &[u8] = b"/bin:/usr/bin";

/// How much of a file is read to tell what it is. The kernel reads 256 bytes for `#!`; program
/// headers stand right behind the ELF header in every file that a linker makes.
const HEADER: usize = 4096;

/// Why a command name means no file that could run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// No such file anywhere: exit status 127.
    NotFound,
    /// There is one, but it is a directory or may not be executed: exit status 126.
    NotExecutable,
}

/// The file that execvp(3) would execute for `name` in the directory `cwd`, with `path` as the
/// value of `PATH`; it may be relative to `cwd`. As there, a name with a slash is not searched
/// for, and an empty element is the working directory.
///
/// # Errors
/// If there is none.
pub fn find(cwd: &Path, name: &OsStr, path: Option<&OsStr>) -> Result<PathBuf, Missing> {
    let bytes = name.as_bytes();
    if bytes.is_empty() {
        return Err(Missing::NotFound);
    }
    if bytes.contains(&b'/') {
        return runnable(&cwd.join(name)).map(|()| PathBuf::from(name));
    }
    let mut worst = Missing::NotFound;
    let path = path.map_or(DEFAULT_PATH, OsStr::as_bytes);
    for directory in path.split(|byte| *byte == b':') {
        let candidate = Path::new(OsStr::from_bytes(directory)).join(name);
        match runnable(&cwd.join(&candidate)) {
            Ok(()) => return Ok(candidate),
            Err(Missing::NotExecutable) => worst = Missing::NotExecutable,
            Err(Missing::NotFound) => {}
        }
    }
    Err(worst)
}

fn runnable(file: &Path) -> Result<(), Missing> {
    match std::fs::metadata(file) {
        Ok(found) if found.is_file() => {}
        Ok(_) => return Err(Missing::NotExecutable),
        Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
            return Err(Missing::NotExecutable);
        }
        Err(_) => return Err(Missing::NotFound),
    }
    accessat(CWD, file, Access::EXEC_OK, AtFlags::EACCESS).map_err(|_| Missing::NotExecutable)
}

/// What is known of an executable file. Owns what [`Target`] borrows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// The kinds that hold.
    pub kinds: TargetKinds,
    /// The `#!` interpreter.
    pub interpreter: Option<OsString>,
    /// The argument on the `#!` line.
    pub interpreter_arg: Option<OsString>,
    /// The file after every symbolic link, if its name is one.
    pub resolved: Option<OsString>,
}

impl Facts {
    /// Looks at `file`. One that cannot be read has the one kind `UNREADABLE`.
    pub fn of(file: &Path) -> Self {
        let unreadable = Self { kinds: TargetKinds::UNREADABLE, ..Self::default() };
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
        let Ok(descriptor) = rustix::fs::open(file, flags, Mode::empty()) else {
            return unreadable;
        };
        let opened = File::from(descriptor);
        let Ok(found) = opened.metadata() else {
            return unreadable;
        };
        let mut header = Vec::with_capacity(HEADER);
        if !found.is_file() || opened.take(HEADER as u64).read_to_end(&mut header).is_err() {
            return unreadable;
        }
        let mut facts = Self::of_header(&header);
        if found.mode() & 0o6000 != 0 {
            facts.kinds = facts.kinds.with(TargetKinds::SETID);
        }
        let mut capabilities = [0u8; 64];
        if rustix::fs::getxattr(file, "security.capability", &mut capabilities).is_ok() {
            facts.kinds = facts.kinds.with(TargetKinds::FILE_CAPS);
        }
        if file.is_symlink() {
            facts.resolved = file.canonicalize().ok().map(PathBuf::into_os_string);
        }
        facts
    }

    fn of_header(header: &[u8]) -> Self {
        if let Some(line) = header.strip_prefix(b"#!") {
            return Self::of_script(line);
        }
        Self { kinds: elf_kinds(header), ..Self::default() }
    }

    /// As Linux reads the line: blanks are spaces and tabs, the first word is the interpreter,
    /// all the rest is one argument (execve(2), "Interpreter scripts").
    fn of_script(line: &[u8]) -> Self {
        let line = line.get(..254).unwrap_or(line);
        let line = line.split(|byte| *byte == b'\n').next().unwrap_or(line);
        let line = line.trim_ascii();
        let blank = |byte: &u8| matches!(byte, b' ' | b'\t');
        let end = line.iter().position(blank).unwrap_or(line.len());
        let (interpreter, rest) = line.split_at_checked(end).unwrap_or((line, &[]));
        let argument = rest.trim_ascii();
        let owned = |bytes: &[u8]| (!bytes.is_empty()).then(|| OsString::from_vec(bytes.to_vec()));
        Self {
            kinds: TargetKinds::SCRIPT,
            interpreter: owned(interpreter),
            interpreter_arg: owned(argument),
            resolved: None,
        }
    }

    /// The borrowed form for a request.
    pub fn target(&self) -> Target<'_> {
        Target {
            kinds: self.kinds,
            interpreter: self.interpreter.as_deref().map(OsStr::as_bytes),
            interpreter_arg: self.interpreter_arg.as_deref().map(OsStr::as_bytes),
            resolved: self.resolved.as_deref().map(OsStr::as_bytes),
        }
    }
}

/// The facts of the program that the kernel loads for `file` in the end: itself, or the
/// interpreter of a script (scripts may nest four deep, execve(2)).
pub fn loaded(file: &Path) -> (PathBuf, Facts) {
    let mut file = file.to_owned();
    let mut facts = Facts::of(&file);
    for _ in 0..4 {
        let Some(interpreter) = facts.interpreter.take() else {
            break;
        };
        file = PathBuf::from(interpreter);
        facts = Facts::of(&file);
    }
    (file, facts)
}

/// Why `LD_PRELOAD` does not reach a program with these facts, in words; `None` if it does.
pub fn unfollowed(kinds: TargetKinds) -> Option<&'static str> {
    let reasons = [
        (TargetKinds::STATIC, "is statically linked"),
        (TargetKinds::SETID, "is set-user-ID or set-group-ID"),
        (TargetKinds::FILE_CAPS, "has file capabilities"),
        (TargetKinds::OTHER_ARCH, "was built for another machine"),
        (TargetKinds::FOREIGN, "is neither an ELF program nor a script"),
    ];
    let found = reasons.iter().find(|(kind, _)| kinds.intersects(*kind));
    found.map(|(_, text)| *text)
}

/// `STATIC`, `OTHER_ARCH` or `FOREIGN`, from the first bytes of a file (elf(5)).
fn elf_kinds(header: &[u8]) -> TargetKinds {
    const PT_INTERP: u32 = 3;
    if !header.starts_with(b"\x7fELF") {
        return TargetKinds::FOREIGN;
    }
    if header.get(..6) != Some(&[0x7f, b'E', b'L', b'F', class(), data()])
        || half(header, 18) != Some(machine())
    {
        return TargetKinds::OTHER_ARCH;
    }
    let wide = cfg!(target_pointer_width = "64");
    let (table, size, count) = if wide { (32, 54, 56) } else { (28, 42, 44) };
    let start = if wide { long(header, table) } else { word(header, table).map(u64::from) };
    let (Some(start), Some(size), Some(count)) =
        (start.and_then(|at| usize::try_from(at).ok()), half(header, size), half(header, count))
    else {
        return TargetKinds::UNREADABLE;
    };
    for index in 0..usize::from(count) {
        let at = start.saturating_add(index.saturating_mul(usize::from(size)));
        match word(header, at) {
            Some(PT_INTERP) => return TargetKinds::default(),
            Some(_) => {}
            // The table lies outside of what was read: nothing is certain.
            None => return TargetKinds::UNREADABLE,
        }
    }
    TargetKinds::STATIC
}

fn half(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_ne_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn long(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_ne_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// `EI_CLASS` of this machine.
const fn class() -> u8 {
    if cfg!(target_pointer_width = "64") { 2 } else { 1 }
}

/// `EI_DATA` of this machine.
const fn data() -> u8 {
    if cfg!(target_endian = "little") { 1 } else { 2 }
}

/// `e_machine` of this machine.
const fn machine() -> u16 {
    if cfg!(target_arch = "x86_64") {
        62
    } else if cfg!(target_arch = "aarch64") {
        183
    } else if cfg!(target_arch = "riscv64") {
        243
    } else if cfg!(target_arch = "x86") {
        3
    } else {
        0
    }
}

#[cfg(test)]
mod tests;
