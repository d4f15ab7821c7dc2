//! What the file to be executed is, and whether it goes by a name that is not its own.

use crate::path::file_name;
use crate::request::{Call, TargetKinds};

use super::condition::{Judge, Tri};
use crate::list::is_listed;

/// Programs that are worth hiding: those that run others or code, that read or move files, that
/// reach other machines. A version behind the name does not matter.
const KNOWN: &[u8] = b" sh bash dash zsh ksh mksh fish csh tcsh python perl ruby node deno bun php lua tclsh awk gawk mawk sudo su doas pkexec env xargs find rm rmdir unlink shred truncate dd mv cp ln install cat tee tar rsync chmod chown chattr mkfs mount umount nc ncat netcat socat telnet curl wget ssh scp sftp git gdb strace kill pkill killall crontab at systemctl docker podman kubectl helm terraform tofu aws gcloud az psql mysql mariadb redis-cli mongosh base64 openssl gpg ";

/// Files that are many programs, told apart by the name that they are called by.
const MULTI_CALL: &[u8] = b" busybox toybox coreutils sbase-box uutils hardlink ";

/// The shells: the same file may be called by the name of another (`sh`).
pub const SHELLS: &[u8] = b" sh bash dash zsh ksh mksh ash rbash rzsh ";

impl Judge<'_, '_> {
    /// Whether the file to be executed is of one of `kinds`.
    pub fn target(&self, kinds: TargetKinds) -> Tri {
        let is_renamed = kinds.intersects(TargetKinds::RENAMED) && self.is_renamed();
        Tri::from(is_renamed || self.request.target.kinds.intersects(kinds))
    }

    /// Whether a known program goes by another name: in `argv[0]`, or by a link outside the
    /// system's directories.
    fn is_renamed(&self) -> bool {
        let Call::Exec { file, argv } = self.request.call else {
            return false;
        };
        let own = file_name(self.request.target.resolved.unwrap_or(file));
        if !is_listed(KNOWN, unversioned(own)) {
            return false;
        }
        let said = argv.get(0).map(|text| file_name(text.strip_prefix(b"-").unwrap_or(text)));
        let name = file_name(file);
        // The system's own links are the names that its maker gave.
        let is_given = self.is_system_file();
        let said = said.filter(|said| !(is_given && *said == name));
        let link = Some(name).filter(|_| !is_given);
        [said, link].into_iter().flatten().any(|name| !is_alias(name, own))
    }
}

/// Whether a program whose file is called `own` is honestly called `name`.
fn is_alias(name: &[u8], own: &[u8]) -> bool {
    let (plain, known) = (unversioned(name), unversioned(own));
    name.is_empty()
        || plain.eq_ignore_ascii_case(known)
        || is_listed(MULTI_CALL, own)
        || (is_listed(SHELLS, plain) && is_listed(SHELLS, known))
        // `mawk` is `awk`, `git-shell` is `git`.
        || (plain.len() > 1 && (own.starts_with(plain) || own.ends_with(plain)))
        || plain.strip_prefix(known).is_some_and(|rest| rest.first() == Some(&b'-'))
}

/// `name` without a version (`python3.11`, `gcc-12`).
pub fn unversioned(name: &[u8]) -> &[u8] {
    let is_version = |byte: &u8| byte.is_ascii_digit() || matches!(byte, b'.' | b'-');
    let end = name.iter().rposition(|byte| !is_version(byte)).map_or(0, |at| at.saturating_add(1));
    match name.get(..end) {
        Some(plain) if !plain.is_empty() => plain,
        _ => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn honest_names() {
        for (name, own, honest) in [
            ("python3", "python3.11", true),
            ("python", "python3.11", true),
            ("sh", "dash", true),
            ("awk", "mawk", true),
            ("ls", "busybox", true),
            ("bash", "bash", true),
            ("", "rm", true),
            ("ls", "rm", false),
            ("innocent", "python3.11", false),
            ("git-upload-pack", "git", true),
            ("r", "rm", false),
            ("[kworker/0:1]", "nc", false),
        ] {
            assert_eq!(is_alias(name.as_bytes(), own.as_bytes()), honest, "{name} {own}");
        }
        assert_eq!(unversioned(b"7z"), b"7z");
        assert_eq!(unversioned(b"12"), b"12");
    }
}
