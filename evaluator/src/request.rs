//! What is asked: one call, as the entrance observed it. Everything is borrowed and in bytes,
//! because argv, environment and paths need not be UTF-8.

use crate::world::World;

/// One call to be judged. Built by an entrance (the interposer, `rampart check`, a hook …).
#[derive(Clone, Copy)]
pub struct Request<'a> {
    /// The tool class that policies match on: `exec`, `read`, `write`, `fetch`, `mcp` …
    pub tool: &'a [u8],
    /// What is to be run, if the call runs something.
    pub call: Call<'a>,
    /// Directory that relative paths are resolved against.
    pub cwd: Cwd<'a>,
    /// Environment that the new program would see.
    pub env: &'a dyn Env,
    /// What is known of the file that would be executed.
    pub target: Target<'a>,
    /// Who is asking.
    pub caller: Caller<'a>,
    /// File that a `read`, `write` or `edit` tool would touch.
    pub path: Option<&'a [u8]>,
    /// Address that a `fetch` tool would open.
    pub url: Option<&'a [u8]>,
    /// The tool's own parameters, for rules that look at them by name.
    pub params: &'a dyn Params,
}

/// What a call would start.
#[derive(Clone, Copy)]
pub enum Call<'a> {
    /// A program with its arguments, as `execve(2)` gets them.
    Exec {
        /// The file that the kernel would open, after any `PATH` search; may be relative to cwd.
        file: &'a [u8],
        /// The argument vector, `argv[0]` included; may be empty.
        argv: &'a dyn Argv,
    },
    /// Text that a shell would run (a tool call, `system(3)`, `popen(3)`).
    Shell(&'a [u8]),
    /// Nothing is started (file and network tools).
    Nothing,
    /// Nothing is started: a running program does something itself.
    Operation {
        /// The function that it called.
        hook: &'a str,
        /// The file that it was started from, as it was named. What that leads to is the target's
        /// [`Target::resolved`].
        program: &'a [u8],
    },
}

impl Call<'_> {
    /// Whether a running program does something itself.
    #[must_use]
    pub const fn is_operation(&self) -> bool {
        matches!(self, Self::Operation { .. })
    }
}

/// An argument vector without a copy: the interposer reads the caller's own `char *const[]`.
pub trait Argv {
    /// Number of arguments, `argv[0]` included.
    fn len(&self) -> usize;
    /// Whether there is no argument at all (the kernel then supplies an empty `argv[0]`).
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// The argument at `index`, without its NUL, or `None` past the end.
    fn get(&self, index: usize) -> Option<&[u8]>;
}

impl Argv for &[&[u8]] {
    fn len(&self) -> usize {
        <[&[u8]]>::len(self)
    }
    fn get(&self, index: usize) -> Option<&[u8]> {
        <[&[u8]]>::get(self, index).copied()
    }
}

/// The environment of the program that would be started.
pub trait Env {
    /// The value of `name` (first entry of that name, as `getenv(3)`), or `None`.
    fn get(&self, name: &[u8]) -> Option<&[u8]>;
}

/// An environment in which nothing is known to be set.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoEnv;

impl Env for NoEnv {
    fn get(&self, _name: &[u8]) -> Option<&[u8]> {
        None
    }
}

impl Env for &[(&[u8], &[u8])] {
    fn get(&self, name: &[u8]) -> Option<&[u8]> {
        self.iter().find(|(key, _)| *key == name).map(|(_, value)| *value)
    }
}

/// Named parameters of a tool call, already flattened to text by the entrance.
pub trait Params {
    /// Calls `each(name, value)` for every top-level parameter until it answers `true`; returns
    /// whether it did.
    fn any(&self, each: &mut dyn FnMut(&[u8], &[u8]) -> bool) -> bool;
}

/// A call without parameters.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoParams;

impl Params for NoParams {
    fn any(&self, _each: &mut dyn FnMut(&[u8], &[u8]) -> bool) -> bool {
        false
    }
}

/// The working directory, which an entrance may be unable to know (spawn file actions that
/// change it). Rules that depend on an unknown directory count as a match if they restrict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cwd<'a> {
    /// An absolute path.
    Known(&'a [u8]),
    /// Not known at the moment of the verdict.
    Unknown,
    /// The world knows it ([`World::directory`]), and is asked where it matters: finding it out costs something.
    OnDemand,
}

impl<'a> Cwd<'a> {
    /// The same, asked for if need be: never [`Cwd::OnDemand`].
    #[must_use]
    pub fn known_to(self, world: &'a dyn World) -> Self {
        match self {
            Self::OnDemand => world.directory().map_or(Self::Unknown, Self::Known),
            found => found,
        }
    }
}

/// What the entrance found out about the file that would be executed.
#[derive(Clone, Copy, Debug, Default)]
pub struct Target<'a> {
    /// The kinds that hold; empty where nobody looked.
    pub kinds: TargetKinds,
    /// The `#!` interpreter, if the file is a script.
    pub interpreter: Option<&'a [u8]>,
    /// The one argument on the `#!` line, if any.
    pub interpreter_arg: Option<&'a [u8]>,
    /// The file itself, after every symbolic link, where the entrance knows it.
    pub resolved: Option<&'a [u8]>,
}

/// A set of facts about an executable file. Most of them mean that `LD_PRELOAD` cannot follow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TargetKinds(pub u32);

impl TargetKinds {
    /// An ELF file without `PT_INTERP`: the loader, and so the library, never runs in it.
    pub const STATIC: Self = Self(1);
    /// Set-user-ID or set-group-ID: the loader drops `LD_PRELOAD`.
    pub const SETID: Self = Self(2);
    /// Starts with `#!`.
    pub const SCRIPT: Self = Self(4);
    /// Lives in a `memfd_create(2)` file.
    pub const MEMFD: Self = Self(8);
    /// An ELF file of another class or machine than this library.
    pub const OTHER_ARCH: Self = Self(16);
    /// Neither ELF nor `#!`: `binfmt_misc(5)` or a shell's `ENOEXEC` fallback decides.
    pub const FOREIGN: Self = Self(32);
    /// Could not be opened for reading; it may still be executable.
    pub const UNREADABLE: Self = Self(64);
    /// Has file capabilities (`security.capability`): treated by the loader as set-ID.
    pub const FILE_CAPS: Self = Self(128);
    /// Lies in a root directory (`chroot(2)`, a container) in which this library does not exist.
    pub const OTHER_ROOT: Self = Self(256);
    /// Goes by a name that is not its own. Found by the evaluator, which knows the call and the
    /// programs; nobody sets it.
    pub const RENAMED: Self = Self(512);

    /// Name in policies and events, for each single kind.
    pub const NAMES: [(Self, &'static str); 10] = [
        (Self::STATIC, "static"),
        (Self::SETID, "set-id"),
        (Self::SCRIPT, "script"),
        (Self::MEMFD, "memfd"),
        (Self::OTHER_ARCH, "other-arch"),
        (Self::FOREIGN, "foreign"),
        (Self::UNREADABLE, "unreadable"),
        (Self::FILE_CAPS, "file-caps"),
        (Self::OTHER_ROOT, "other-root"),
        (Self::RENAMED, "renamed"),
    ];

    /// Both sets together.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether any kind of `other` is in this set.
    #[must_use]
    pub const fn intersects(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }
}

/// Who is asking, as far as the entrance knows.
#[derive(Clone, Copy, Debug, Default)]
pub struct Caller<'a> {
    /// Name of the agent (`claude-code`, `codex` …); empty if unknown.
    pub agent: &'a [u8],
    /// Session label; empty if unknown.
    pub session: &'a [u8],
    /// How many agents deep this call is; 0 for the agent a person started.
    pub agent_depth: u32,
}
