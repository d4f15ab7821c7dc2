//! The functions of libc by which programs change files and reach others themselves (docs/operations.md), as numbers and
//! pointers in their order: the linker's name is all that a caller needs.

use Arg::{
    At, Attribute, Empty, List, Nowhere, Number, Opened, Other, Path, Pattern, Read, Stream, Tmpfs,
};

/// One argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arg {
    /// The path that the attempt is about.
    Path,
    /// A second one, where nothing is.
    Other,
    /// A number.
    Number(usize),
    /// `AT_FDCWD`.
    At,
    /// A path where nothing is.
    Nowhere,
    /// `"r"`, as of fopen(3).
    Read,
    /// A stream.
    Stream,
    /// A descriptor of the path, opened past every hook.
    Opened,
    /// `"tmpfs"`.
    Tmpfs,
    /// An empty directory there.
    Empty,
    /// The name of an attribute, as of xattr(7), and where its value lies.
    Attribute,
    /// A file beside the second path whose name ends in `XXXXXX`.
    Pattern,
    /// Where a pointer is put.
    List,
}

/// The function, its arguments, and whether it gives a pointer.
pub type Row = (&'static str, &'static [Arg], bool);

/// One line a function. `chown` keeps the owner: -1 changes nothing (chown(2)).
pub const FILES: &[Row] = &[
    ("open", &[Path, Number(0)], false),
    ("open64", &[Path, Number(0)], false),
    ("__open", &[Path, Number(0)], false),
    ("__open64", &[Path, Number(0)], false),
    ("__open_2", &[Path, Number(0)], false),
    ("__open64_2", &[Path, Number(0)], false),
    ("openat", &[At, Path, Number(0)], false),
    ("openat64", &[At, Path, Number(0)], false),
    ("__openat_2", &[At, Path, Number(0)], false),
    ("__openat64_2", &[At, Path, Number(0)], false),
    ("creat", &[Path, Number(0o600)], false),
    ("creat64", &[Path, Number(0o600)], false),
    ("fopen", &[Path, Read], true),
    ("fopen64", &[Path, Read], true),
    ("freopen", &[Path, Read, Stream], true),
    ("freopen64", &[Path, Read, Stream], true),
    ("opendir", &[Empty], true),
    ("scandir", &[Empty, List, Number(0), Number(0)], false),
    ("scandir64", &[Empty, List, Number(0), Number(0)], false),
    ("scandirat", &[At, Empty, List, Number(0), Number(0)], false),
    ("scandirat64", &[At, Empty, List, Number(0), Number(0)], false),
    ("mkdir", &[Other, Number(0o700)], false),
    ("mkdirat", &[At, Other, Number(0o700)], false),
    ("mkfifo", &[Other, Number(0o600)], false),
    ("mkfifoat", &[At, Other, Number(0o600)], false),
    ("mknod", &[Other, Number(FIFO), Number(0)], false),
    ("mknodat", &[At, Other, Number(FIFO), Number(0)], false),
    ("mkstemp", &[Pattern], false),
    ("mkstemp64", &[Pattern], false),
    ("mkostemp", &[Pattern, Number(0)], false),
    ("mkostemp64", &[Pattern, Number(0)], false),
    ("mkstemps", &[Pattern, Number(0)], false),
    ("mkstemps64", &[Pattern, Number(0)], false),
    ("mkostemps", &[Pattern, Number(0), Number(0)], false),
    ("mkostemps64", &[Pattern, Number(0), Number(0)], false),
    ("mkdtemp", &[Pattern], true),
    ("unlink", &[Path], false),
    ("unlinkat", &[At, Path, Number(0)], false),
    ("remove", &[Path], false),
    ("rmdir", &[Empty], false),
    ("rename", &[Path, Other], false),
    ("renameat", &[At, Path, At, Other], false),
    ("renameat2", &[At, Path, At, Other, Number(0)], false),
    ("truncate", &[Path, Number(0)], false),
    ("truncate64", &[Path, Number(0)], false),
    ("chmod", &[Path, Number(0o600)], false),
    ("fchmod", &[Opened, Number(0o600)], false),
    ("fchmodat", &[At, Path, Number(0o600), Number(0)], false),
    ("lchmod", &[Path, Number(0o600)], false),
    ("chown", &[Path, Number(usize::MAX), Number(usize::MAX)], false),
    ("lchown", &[Path, Number(usize::MAX), Number(usize::MAX)], false),
    ("fchown", &[Opened, Number(usize::MAX), Number(usize::MAX)], false),
    ("fchownat", &[At, Path, Number(usize::MAX), Number(usize::MAX), Number(0)], false),
    ("link", &[Path, Other], false),
    ("linkat", &[At, Path, At, Other, Number(0)], false),
    ("symlink", &[Nowhere, Other], false),
    ("symlinkat", &[Nowhere, At, Other], false),
    ("mount", &[Number(0), Empty, Tmpfs, Number(0), Number(0)], false),
    ("umount", &[Empty], false),
    ("umount2", &[Empty, Number(0)], false),
    ("open_tree", &[At, Path, Number(0)], false),
    ("move_mount", &[At, Path, At, Other, Number(0)], false),
    ("mount_setattr", &[At, Path, Number(0), List, Number(32)], false),
    ("setxattr", &[Path, Attribute, Attribute, Number(4), Number(0)], false),
    ("lsetxattr", &[Path, Attribute, Attribute, Number(4), Number(0)], false),
    ("fsetxattr", &[Opened, Attribute, Attribute, Number(4), Number(0)], false),
    ("removexattr", &[Path, Attribute], false),
    ("lremovexattr", &[Path, Attribute], false),
    ("fremovexattr", &[Opened, Attribute], false),
];

/// Those that need a privilege, a mount or a file system that has attributes: only the denial is tried.
pub const UNSURE: &[&str] = &[
    "lchmod",
    "setxattr",
    "lsetxattr",
    "fsetxattr",
    "removexattr",
    "lremovexattr",
    "fremovexattr",
    "mount",
    "umount",
    "umount2",
    "open_tree",
    "move_mount",
    "mount_setattr",
];

/// `S_IFIFO`, readable and writable.
const FIFO: usize = 0o10_600;

/// Those about addresses; each has its own way of being called.
pub const ADDRESSES: &[&str] = &[
    "connect",
    "bind",
    "listen",
    "sendto",
    "sendmsg",
    "sendmmsg",
    "getaddrinfo",
    "gethostbyname",
    "gethostbyname2",
    "gethostbyname_r",
    "gethostbyname2_r",
];
