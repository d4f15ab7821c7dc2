//! The file that would be executed: what kind it is, and whether the new process will load us.
//! One open, `fstat`, `pread` and close for a native binary; a `#!` chain adds the same for each
//! interpreter, as the kernel would follow it.

use core::ffi::CStr;

use evaluator::{Argv, TargetKinds};
use libc::{
    AT_EMPTY_PATH, AT_FDCWD, AT_SYMLINK_NOFOLLOW, O_NOCTTY, O_NOFOLLOW, O_NONBLOCK, O_RDONLY,
};

use crate::observe::{Call, Stage, elf, process};
use crate::snapshot;
use crate::strings::{AnyPath, PathBytes};
use crate::sys::{self, Errno, Fd};
use crate::world;

/// Bytes of a file that are looked at first: the ELF header with the usual program headers, and
/// more than the kernel reads of a `#!` line (`BINPRM_BUF_SIZE`, 256).
const HEAD: usize = 1024;

/// How many `#!` interpreters the kernel follows (`exec_binprm`).
const CHAIN: usize = 5;

/// What a path that was looked up is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    /// None was.
    Nothing,
    /// The file behind a descriptor or a `/proc` link, whose spelling says nothing.
    Name,
    /// The file after every symbolic link, where its last component is one.
    Resolved,
}

/// What was found out.
pub struct Target<'p> {
    /// For policies and events.
    pub kinds: TargetKinds,
    /// Major version of the `libasan.so` that must stand before us, 0 if none.
    pub asan: u8,
    /// Whether the new process surely loads us, and so judges itself and records its start.
    pub loads_us: bool,
    /// What `path` is.
    role: Role,
    path: &'p mut AnyPath,
    /// The interpreter that the `#!` line leads to; empty if there is none.
    pub interpreter: PathBytes<256>,
    /// Its argument; empty if there is none.
    pub argument: PathBytes<256>,
}

impl<'p> Target<'p> {
    /// Nothing is known yet; a path that is found goes to `path`.
    #[inline]
    pub fn unknown(path: &'p mut AnyPath) -> Self {
        Self {
            kinds: TargetKinds::default(),
            asan: 0,
            loads_us: true,
            role: Role::Nothing,
            path,
            interpreter: PathBytes::new(),
            argument: PathBytes::new(),
        }
    }

    /// Looks at what `call` would execute.
    #[inline(never)]
    pub fn find(&mut self, call: &Call<'_>) {
        match open(call) {
            Ok((file, is_link)) => {
                if is_indirect(call) {
                    self.role = Role::Name;
                    let _ = world::path_of(&file, self.path);
                } else if is_link {
                    self.role = Role::Resolved;
                    let _ = world::path_of(&file, self.path);
                }
                self.note_memfd();
                self.follow(file);
            }
            Err(_) => self.unreadable(call),
        }
        self.look_for_us();
    }

    /// Whether the loader of the new process would find us: not after `chroot(2)` to a directory
    /// without us, nor as a user who may not read us. It would only print an error.
    fn look_for_us(&mut self) {
        let Some(snapshot) = snapshot::current() else {
            return;
        };
        if !sys::can_read(snapshot.library) {
            self.doubt(TargetKinds::OTHER_ROOT);
        }
    }

    /// The program that this process is: it has loaded us, so only its name is to be found. The
    /// kernel's `AT_EXECFN` is the script if there is one, and says nothing where the loader was
    /// started by name or the file by descriptor.
    #[inline(never)]
    pub fn find_this_process(&mut self, call: &Call<'_>) {
        let file = call.file.to_bytes();
        let is_script = (1..=2 * CHAIN).any(|index| call.argv.get(index) == Some(file));
        if is_script {
            self.add(TargetKinds::SCRIPT);
        }
        if call.stage == Stage::StartedByLoader {
            self.role = Role::Name;
            let _ = process::mapped_program(self.path);
            return;
        }
        if is_script || is_proc(file) {
            self.role = Role::Name;
        } else if sys::is_link(AT_FDCWD, call.file) {
            self.role = Role::Resolved;
        } else {
            return;
        }
        let _ = sys::read_link(c"/proc/self/exe", self.path);
        self.note_memfd();
    }

    /// Whether a name is not what it should be, because there was no room for it.
    pub const fn lacked_room(&self) -> bool {
        self.path.lacked_room()
    }

    /// The name that was found, else `spelling`.
    pub fn name_or<'b>(&'b self, spelling: &'b [u8]) -> &'b [u8] {
        match self.role {
            Role::Name if !self.path.as_bytes().is_empty() => self.path.as_bytes(),
            _ => spelling,
        }
    }

    /// Puts the interpreter's name and argument into the evaluator's form.
    pub fn facts(&self) -> evaluator::Target<'_> {
        let some = |bytes: &'_ [u8]| !bytes.is_empty();
        evaluator::Target {
            kinds: self.kinds,
            interpreter: Some(self.interpreter.as_bytes()).filter(|bytes| some(bytes)),
            interpreter_arg: Some(self.argument.as_bytes()).filter(|bytes| some(bytes)),
            resolved: Some(self.path.as_bytes())
                .filter(|bytes| self.role == Role::Resolved && some(bytes)),
        }
    }

    fn add(&mut self, kind: TargetKinds) {
        self.kinds = self.kinds.with(kind);
    }

    fn doubt(&mut self, kind: TargetKinds) {
        self.add(kind);
        self.loads_us = false;
    }

    fn note_memfd(&mut self) {
        if self.path.as_bytes().starts_with(b"/memfd:") {
            self.add(TargetKinds::MEMFD);
        }
    }

    fn unreadable(&mut self, call: &Call<'_>) {
        self.doubt(TargetKinds::UNREADABLE);
        if let Ok(stat) = sys::stat(call.dir, call.file, call.flags) {
            self.privileges(&stat);
        }
    }

    /// Set-ID bits. They cost us the new process only if they really change who it is, which they
    /// do not for a process that gave up new privileges.
    fn privileges(&mut self, stat: &libc::stat) {
        let sets_user = stat.st_mode & libc::S_ISUID != 0;
        let sets_group =
            stat.st_mode & (libc::S_ISGID | libc::S_IXGRP) == libc::S_ISGID | libc::S_IXGRP;
        if sets_user || sets_group {
            self.add(TargetKinds::SETID);
        }
        let changes = (sets_user && stat.st_uid != sys::real_user())
            || (sets_group && stat.st_gid != sys::real_group());
        if changes && !sys::has_no_new_privileges() {
            self.loads_us = false;
        }
    }

    /// Looks at the file, and at its interpreters if it is a script.
    fn follow(&mut self, file: Fd) {
        let mut file = file;
        for _ in 0..=CHAIN {
            let mut head = [0; HEAD];
            let read = file.read_at(&mut head, 0).unwrap_or(0);
            let head = head.get(..read).unwrap_or(&[]);
            let Some((interpreter, argument)) = script_line(head) else {
                self.binary(&file, head);
                return;
            };
            self.add(TargetKinds::SCRIPT);
            // An interpreter that is a script itself becomes an argument of the next one, which is
            // what runs in the end. If that has an argument of its own, there is room for one only.
            self.argument.truncate(0);
            let operand = if argument.is_empty() { self.interpreter.as_bytes() } else { argument };
            let _ = self.argument.push(operand);
            self.interpreter.truncate(0);
            let _ = self.interpreter.push(interpreter);
            let mut path = PathBytes::<257>::new();
            let opened = path.push(interpreter).map(|path| {
                Fd::open(AT_FDCWD, path.as_c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY, 0)
            });
            let Some(Ok(next)) = opened else {
                self.doubt(TargetKinds::UNREADABLE);
                return;
            };
            file = next;
        }
    }

    fn binary(&mut self, file: &Fd, head: &[u8]) {
        if let Ok(stat) = file.stat() {
            self.privileges(&stat);
        }
        if sys::real_user() != 0 && file.has_capabilities() {
            self.doubt(TargetKinds::FILE_CAPS);
        }
        if !elf::is_elf(head) {
            self.doubt(TargetKinds::FOREIGN);
            return;
        }
        let facts = elf::look(file, head);
        if facts.is_foreign {
            self.doubt(TargetKinds::OTHER_ARCH);
        } else if facts.is_static {
            self.doubt(TargetKinds::STATIC);
        }
        self.asan = facts.asan;
    }
}

/// Opens what is to be executed; and whether the last component of its path is a symbolic link.
fn open(call: &Call<'_>) -> Result<(Fd, bool), Errno> {
    let flags = O_RDONLY | O_NONBLOCK | O_NOCTTY;
    if call.file.is_empty() && call.flags & AT_EMPTY_PATH != 0 {
        // The caller's descriptor may be O_PATH, and its offset is the caller's.
        let mut link = PathBytes::<40>::new();
        let link = link
            .push(b"/proc/self/fd/")
            .and_then(|link| link.push_number(call.dir.unsigned_abs()))
            .ok_or(Errno(libc::ENAMETOOLONG))?;
        return Ok((Fd::open(AT_FDCWD, link.as_c_str(), flags, 0)?, false));
    }
    // Most are no links, and then this one call tells.
    match Fd::open(call.dir, call.file, flags | O_NOFOLLOW, 0) {
        Err(Errno(libc::ELOOP)) if call.flags & AT_SYMLINK_NOFOLLOW == 0 => {
            Ok((Fd::open(call.dir, call.file, flags, 0)?, true))
        }
        other => Ok((other?, false)),
    }
}

/// Whether the caller's spelling does not say which file it is.
fn is_indirect(call: &Call<'_>) -> bool {
    let path: &CStr = call.file;
    let path = path.to_bytes();
    is_proc(path) || (call.dir != AT_FDCWD && !path.starts_with(b"/"))
}

/// Whether a path leads through links that only the kernel can follow.
fn is_proc(path: &[u8]) -> bool {
    path.starts_with(b"/proc/") || path.starts_with(b"/dev/fd/")
}

/// The interpreter and its one argument, as the kernel reads them (`load_script`): the first 256
/// bytes up to a newline, blanks around each part dropped. `None` if the file is no script.
fn script_line(head: &[u8]) -> Option<(&[u8], &[u8])> {
    let line = head.strip_prefix(b"#!")?;
    let line = line.get(..254).unwrap_or(line);
    let line = line.split(|byte| matches!(byte, b'\n' | 0)).next()?;
    let is_blank = |byte: &u8| matches!(byte, b' ' | b'\t');
    let start = line.iter().position(|byte| !is_blank(byte))?;
    let line = line.get(start..)?;
    let end = line.iter().position(is_blank).unwrap_or(line.len());
    let (interpreter, rest) = line.split_at_checked(end)?;
    Some((interpreter, rest.trim_ascii()))
}
