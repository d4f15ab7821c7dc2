//! Where a path leads, as far as its spelling says: inside the working directory, to what is only
//! there for a while, or elsewhere. Symbolic links are not looked at.

use crate::command::{Command, CommandFlags, Tree, UNKNOWN, Via};
use crate::glob;
use crate::path::{clean, file_name};
use crate::request::{Cwd, Request};

/// Longest path that is looked at.
const LONGEST: usize = 4096;

/// Where a path is made absolute. Clearing it is what costs, so whoever looks at several has one for all.
pub type Room = [u8; LONGEST];

/// One that is empty.
pub const ROOM: Room = [0; LONGEST];

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
const TEMPORARY: &str = "\
    /tmp/\n\
    /var/tmp/\n\
    /dev/shm/";

/// Devices that keep nothing.
const NOWHERE: &str = "\
    /dev/null\n\
    /dev/stdout\n\
    /dev/stderr\n\
    /dev/stdin\n\
    /dev/tty\n\
    /dev/zero\n\
    /dev/full\n\
    -";

/// Files that hold credentials, by their ends or as a whole: those that name something hidden, which few paths have
/// in them.
const SECRETS_HIDDEN: &str = "\
    **/.ssh/id_*\n\
    **/.ssh/*.pem\n\
    **/.ssh/*_key\n\
    **/.ssh\n\
    **/.aws/credentials\n\
    **/.aws/sso/cache/**\n\
    **/.netrc\n\
    **/.pgpass\n\
    **/.my.cnf\n\
    **/.kube/config\n\
    **/.docker/config.json\n\
    **/.npmrc\n\
    **/.pypirc\n\
    **/.git-credentials\n\
    **/.gnupg\n\
    **/.gnupg/**\n\
    **/.password-store/**\n\
    **/.vault-token\n\
    **/.config/gcloud/**\n\
    **/.config/gh/hosts.yml\n\
    **/.azure/*token*\n\
    **/.terraform.d/credentials.tfrc.json\n\
    **/.cargo/credentials*\n\
    **/.env\n\
    **/.env.local\n\
    **/.env.prod*";

/// The others.
const SECRETS_SHOWN: &str = "\
    **/*.tfstate\n\
    **/Login Data\n\
    **/logins.json\n\
    /etc/shadow\n\
    /etc/gshadow\n\
    /etc/sudoers\n\
    /proc/*/environ\n\
    **/secrets.y*ml";

/// Files whose content runs later: those that name something hidden, which few paths have
/// in them.
const LATER_HIDDEN: &str = "\
    **/.bashrc\n\
    **/.bash_profile\n\
    **/.bash_login\n\
    **/.bash_logout\n\
    **/.profile\n\
    **/.zshrc\n\
    **/.zshenv\n\
    **/.zprofile\n\
    **/.zlogin\n\
    **/.config/fish/**\n\
    **/.ssh/authorized_keys*\n\
    **/.ssh/rc\n\
    **/.ssh/config\n\
    **/.config/autostart/**\n\
    **/.config/systemd/**\n\
    **/.git/hooks/**\n\
    **/.git/config\n\
    **/.gitconfig";

/// The others.
const LATER_SHOWN: &str = "\
    /etc/cron*\n\
    /etc/cron*/**\n\
    /var/spool/cron/**\n\
    /etc/systemd/**\n\
    /lib/systemd/**\n\
    /usr/lib/systemd/**\n\
    /etc/profile*\n\
    /etc/ld.so.preload\n\
    /etc/rc.local";

/// Directories that belong to the machine.
const SYSTEM: &str = "\
    /etc\n\
    /usr\n\
    /bin\n\
    /sbin\n\
    /lib\n\
    /lib64\n\
    /boot\n\
    /sys\n\
    /opt";

/// The lines of a table. One text: a table of texts would have to be relocated in every process that
/// loads this.
fn entries(text: &'static str) -> impl Iterator<Item = &'static [u8]> {
    text.as_bytes().split(|byte| *byte == b'\n')
}

/// The path that is given behind `name=`, `@` or `file://`; else the word.
pub fn embedded(word: &[u8]) -> &[u8] {
    let value = match word.iter().position(|byte| *byte == b'=') {
        Some(at) => word.get(at.saturating_add(1)..).unwrap_or(word),
        None => word,
    };
    let path = value.strip_prefix(b"@").unwrap_or(value);
    path.strip_prefix(b"file://").unwrap_or(path)
}

/// Where `path`, an operand of `command`, leads; `whole` is what it is made absolute.
pub fn of(command: &Command, around: &Around<'_>, path: &[u8], whole: Option<&[u8]>) -> Place {
    if entries(NOWHERE).any(|entry| entry == path) || path.is_empty() {
        return Place::Nowhere;
    }
    let Some(path) = whole else {
        return Place::Unknown;
    };
    if entries(NOWHERE).any(|entry| entry == path) || path.starts_with(b"/dev/fd/") {
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
    if entries(TEMPORARY).any(|start| path.strip_prefix(start).is_some_and(|rest| rest != b"*")) {
        return Place::Temporary;
    }
    Place::Outside
}

/// Whether `path`, as it is spelled, may be a file that holds credentials; not if it says that it is a sample.
pub fn may_be_secret(path: &[u8]) -> bool {
    let samples = ".example\n.sample\n.template\n.dist\n.pub";
    path.len() >= 4 && !entries(samples).any(|end| path.ends_with(end))
}

/// Whether `path` names a file that holds credentials. Where it is not known what a path is relative to, its name
/// alone has to say it, here and below.
pub fn is_secret(path: &[u8]) -> bool {
    named(path, SECRETS_HIDDEN, SECRETS_SHOWN)
}

/// Whether the content of the file at `path` runs later.
pub fn persists(path: &[u8]) -> bool {
    named(path, LATER_HIDDEN, LATER_SHOWN)
}

/// Whether an absolute path leads into a directory that belongs to the machine, or to a disk.
pub fn is_system(path: &[u8]) -> bool {
    let below = |start: &[u8]| {
        path.strip_prefix(start).is_some_and(|rest| matches!(rest.first(), None | Some(b'/')))
    };
    entries(SYSTEM).any(below) && !path.starts_with(b"/usr/local/src/") || is_disk(path)
}

/// Whether an absolute path is a disk, or a part of one.
#[must_use]
pub fn is_disk(path: &[u8]) -> bool {
    let disks = "/dev/sd\n/dev/nvme\n/dev/vd\n/dev/hd\n/dev/mapper/\n/dev/mmc";
    entries(disks).any(|start| path.starts_with(start))
}

fn named(path: &[u8], hidden: &'static str, shown: &'static str) -> bool {
    if file_name(path).is_empty() {
        return false;
    }
    let is_hidden = path.first() == Some(&b'.')
        || path.windows(2).any(|pair| matches!(pair, [b'/' | b'\\', b'.']));
    let fits = |pattern: &[u8]| glob::path(pattern, path, false) == Some(true);
    is_hidden && entries(hidden).any(fits) || entries(shown).any(fits)
}

/// `path` made absolute and clean.
pub fn absolute<'r>(
    tree: &Tree<'_>,
    command: &Command,
    around: &Around<'_>,
    path: &[u8],
    room: &'r mut Room,
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
        (_, false, Cwd::Unknown | Cwd::OnDemand) => b"",
    };
    clean(base, path, room)
}
