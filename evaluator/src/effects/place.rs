//! Where a path leads, as far as its spelling says: inside the working directory, to what is only
//! there for a while, or elsewhere. Symbolic links are not looked at.

use crate::command::{Command, CommandFlags, Tree, UNKNOWN, Via};
use crate::glob;
use crate::path::{clean, file_name};
use crate::request::{Cwd, Request};

/// Longest path that is looked at.
const LONGEST: usize = 4096;

/// What a command's paths are seen from.
#[derive(Clone, Copy, Debug)]
pub struct Around<'a> {
    /// Where the call starts.
    pub cwd: Cwd<'a>,
    /// The user's own directory; empty if it is not known.
    pub home: &'a [u8],
}

impl<'a> Around<'a> {
    /// What the paths of `request` are seen from.
    #[must_use]
    pub fn of(request: &Request<'a>) -> Self {
        Self { cwd: request.cwd, home: request.env.get(b"HOME").unwrap_or(b"") }
    }
}

/// Where a path leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Into the working directory, not to itself.
    Inside,
    /// Into a directory for temporary files.
    Temporary,
    /// To a device that keeps nothing, or a descriptor.
    Nowhere,
    /// Elsewhere.
    Outside,
    /// That is not known.
    Unknown,
}

/// Directories for temporary files.
const TEMPORARY: [&[u8]; 3] = [b"/tmp/", b"/var/tmp/", b"/dev/shm/"];

/// Devices that keep nothing.
const NOWHERE: [&[u8]; 8] = [
    b"/dev/null",
    b"/dev/stdout",
    b"/dev/stderr",
    b"/dev/stdin",
    b"/dev/tty",
    b"/dev/zero",
    b"/dev/full",
    b"-",
];

/// Files that hold credentials, by their ends or as a whole.
const SECRETS: [&[u8]; 34] = [
    b"**/.ssh/id_*",
    b"**/.ssh/*.pem",
    b"**/.ssh/*_key",
    b"**/.ssh",
    b"**/.aws/credentials",
    b"**/.aws/sso/cache/**",
    b"**/.netrc",
    b"**/.pgpass",
    b"**/.my.cnf",
    b"**/.kube/config",
    b"**/.docker/config.json",
    b"**/.npmrc",
    b"**/.pypirc",
    b"**/.git-credentials",
    b"**/.gnupg",
    b"**/.gnupg/**",
    b"**/.password-store/**",
    b"**/.vault-token",
    b"**/.config/gcloud/**",
    b"**/.config/gh/hosts.yml",
    b"**/.azure/*token*",
    b"**/.terraform.d/credentials.tfrc.json",
    b"**/.cargo/credentials*",
    b"**/.env",
    b"**/.env.local",
    b"**/.env.prod*",
    b"**/*.tfstate",
    b"**/Login Data",
    b"**/logins.json",
    b"/etc/shadow",
    b"/etc/gshadow",
    b"/etc/sudoers",
    b"/proc/*/environ",
    b"**/secrets.y*ml",
];

/// Files whose content runs later.
const LATER: [&[u8]; 27] = [
    b"**/.bashrc",
    b"**/.bash_profile",
    b"**/.bash_login",
    b"**/.bash_logout",
    b"**/.profile",
    b"**/.zshrc",
    b"**/.zshenv",
    b"**/.zprofile",
    b"**/.zlogin",
    b"**/.config/fish/**",
    b"**/.ssh/authorized_keys*",
    b"**/.ssh/rc",
    b"**/.ssh/config",
    b"**/.config/autostart/**",
    b"**/.config/systemd/**",
    b"**/.git/hooks/**",
    b"**/.git/config",
    b"**/.gitconfig",
    b"/etc/cron*",
    b"/etc/cron*/**",
    b"/var/spool/cron/**",
    b"/etc/systemd/**",
    b"/lib/systemd/**",
    b"/usr/lib/systemd/**",
    b"/etc/profile*",
    b"/etc/ld.so.preload",
    b"/etc/rc.local",
];

/// Directories that belong to the machine.
const SYSTEM: [&[u8]; 9] =
    [b"/etc", b"/usr", b"/bin", b"/sbin", b"/lib", b"/lib64", b"/boot", b"/sys", b"/opt"];

/// The path that is given behind `name=`, `@` or `file://`; else the word.
pub fn embedded(word: &[u8]) -> &[u8] {
    let value = match word.iter().position(|byte| *byte == b'=') {
        Some(at) => word.get(at.saturating_add(1)..).unwrap_or(word),
        None => word,
    };
    let path = value.strip_prefix(b"@").unwrap_or(value);
    path.strip_prefix(b"file://").unwrap_or(path)
}

/// Where `path`, an operand of `command`, leads.
pub fn of(tree: &Tree<'_>, command: &Command, around: &Around<'_>, path: &[u8]) -> Place {
    if NOWHERE.contains(&path) || path.is_empty() {
        return Place::Nowhere;
    }
    let mut room = [0; LONGEST];
    let Some(path) = absolute(tree, command, around, path, &mut room) else {
        return Place::Unknown;
    };
    if NOWHERE.contains(&path) || path.starts_with(b"/dev/fd/") {
        return Place::Nowhere;
    }
    if let Cwd::Known(cwd) = around.cwd
        && let Some(rest) = path.strip_prefix(cwd.strip_suffix(b"/").unwrap_or(cwd))
        && rest.first() == Some(&b'/')
    {
        // What is behind the directory has to be known as far as its first name.
        // What a search finds lies below where it starts.
        let is_known = rest.get(1) != Some(&UNKNOWN) || command.via == Via::Batch;
        return if is_known { Place::Inside } else { Place::Unknown };
    }
    if TEMPORARY.iter().any(|start| path.strip_prefix(*start).is_some_and(|rest| rest != b"*")) {
        return Place::Temporary;
    }
    Place::Outside
}

/// Whether `path` names a file that holds credentials.
pub fn is_secret(tree: &Tree<'_>, command: &Command, around: &Around<'_>, path: &[u8]) -> bool {
    let sample = [&b".example"[..], b".sample", b".template", b".dist", b".pub"];
    if path.len() < 4 || sample.iter().any(|end| path.ends_with(end)) {
        return false;
    }
    named(tree, command, around, path, &SECRETS)
}

/// Whether the content of the file at `path` runs later.
pub fn persists(tree: &Tree<'_>, command: &Command, around: &Around<'_>, path: &[u8]) -> bool {
    named(tree, command, around, path, &LATER)
}

/// Whether `path` leads into a directory that belongs to the machine, or to a disk.
pub fn is_system(tree: &Tree<'_>, command: &Command, around: &Around<'_>, path: &[u8]) -> bool {
    let mut room = [0; LONGEST];
    let Some(path) = absolute(tree, command, around, path, &mut room) else {
        return false;
    };
    let disk =
        [&b"/dev/sd"[..], b"/dev/nvme", b"/dev/vd", b"/dev/hd", b"/dev/mapper/", b"/dev/mmc"];
    let below = |start: &&[u8]| {
        path.strip_prefix(*start).is_some_and(|rest| matches!(rest.first(), None | Some(b'/')))
    };
    SYSTEM.iter().any(below) && !path.starts_with(b"/usr/local/src/")
        || disk.iter().any(|start| path.starts_with(start))
}

fn named(
    tree: &Tree<'_>,
    command: &Command,
    around: &Around<'_>,
    path: &[u8],
    patterns: &[&[u8]],
) -> bool {
    let mut room = [0; LONGEST];
    // Where it is not known what it is relative to, its name alone has to say it.
    let path = absolute(tree, command, around, path, &mut room).unwrap_or(path);
    if file_name(path).is_empty() {
        return false;
    }
    patterns.iter().any(|pattern| glob::path(pattern, path, false) == Some(true))
}

/// `path` made absolute and clean.
fn absolute<'r>(
    tree: &Tree<'_>,
    command: &Command,
    around: &Around<'_>,
    path: &[u8],
    room: &'r mut [u8; LONGEST],
) -> Option<&'r [u8]> {
    if path.first() == Some(&UNKNOWN) {
        return None;
    }
    if let Some(rest) = path.strip_prefix(b"~") {
        let known = matches!(rest.first(), None | Some(b'/')) && !around.home.is_empty();
        let rest = rest.strip_prefix(b"/").unwrap_or(rest);
        return if known { clean(around.home, rest, room) } else { None };
    }
    let moved = command.flags.has(CommandFlags::CWD_CHANGED);
    let base = match (path.first(), moved, around.cwd) {
        (Some(b'/'), _, _) => b"/",
        (_, true, _) => tree.bytes(command.cwd),
        (_, false, Cwd::Known(cwd)) => cwd,
        (_, false, Cwd::Unknown) => b"",
    };
    clean(base, path, room)
}
