//! What well-known programs do, a line each. Options that turn a program into another one are in
//! `special`.

use super::Kind;
use super::marks::{self, Line};
use crate::list::{Names, count, is_listed};

/// Which operands an effect is on.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Operands {
    /// None of them.
    None,
    /// All behind the words that the row asks for.
    All,
    /// All of those but the first.
    ButFirst,
    /// The first of those.
    First,
    /// The last of those.
    Last,
}

/// One line: if the operands begin with these words and one of these options is there, the program
/// has this effect on these operands.
pub struct Row {
    /// The alternatives for each of the first operands, behind a `/` each.
    begin: &'static [u8],
    /// Options of which one has to be there, if any are listed.
    options: &'static [u8],
    pub kind: Kind,
    pub operands: Operands,
}

impl Row {
    /// Whether it is about a call with these operands and options.
    pub fn applies<'t>(
        &self,
        mut operands: impl Iterator<Item = &'t [u8]>,
        has: impl Fn(&[u8]) -> bool,
    ) -> bool {
        let begins = self.words_begin().all(|alternatives| {
            operands.next().is_some_and(|operand| is_listed(alternatives, operand))
        });
        begins && (self.options.is_empty() || has(self.options))
    }

    fn words_begin(&self) -> impl Iterator<Item = &'static [u8]> + use<> {
        self.begin.split(|byte| *byte == b'/').filter(|words| !words.is_empty())
    }

    /// How many operands are words that it asks for.
    pub fn words(&self) -> usize {
        self.words_begin().count()
    }

    /// The row that a line says, if it is about the program `name`.
    fn of(line: &'static [u8], name: &[u8]) -> Option<Self> {
        let mut fields = line.split(|byte| *byte == b'|');
        if !is_listed(fields.next()?, name) {
            return None;
        }
        let (begin, options) = (fields.next()?, fields.next()?);
        let kind = Kind::of_line(fields.next()?)?;
        let operands = match fields.next()? {
            b"All" => Operands::All,
            b"ButFirst" => Operands::ButFirst,
            b"First" => Operands::First,
            b"Last" => Operands::Last,
            b"None" => Operands::None,
            _ => return None,
        };
        Some(Self { begin, options, kind, operands })
    }
}

impl Kind {
    fn of_line(name: &[u8]) -> Option<Self> {
        Some(match name {
            b"Deletes" => Self::Deletes,
            b"DeletesOutside" => Self::DeletesOutside,
            b"Writes" => Self::Writes,
            b"Fetches" => Self::Fetches,
            b"Sends" => Self::Sends,
            b"RunsElsewhere" => Self::RunsElsewhere,
            b"RunsFetchedCode" => Self::RunsFetchedCode,
            b"RunsScript" => Self::RunsScript,
            b"Installs" => Self::Installs,
            b"Persists" => Self::Persists,
            b"Escalates" => Self::Escalates,
            b"ChangesShared" => Self::ChangesShared,
            b"ChangesSystem" => Self::ChangesSystem,
            b"Stops" => Self::Stops,
            _ => return None,
        })
    }
}

/// Puts lines together.
macro_rules! rows {
    ($(($programs:literal, $begin:literal, $options:literal, $kind:ident, $operands:ident);)*) => {
        concat!($(
            $programs, "|", $begin, "|", $options, "|", stringify!($kind), "|", stringify!($operands), "\n",
        )*)
    };
}

/// The lines about the program `name`.
pub fn rows(name: &[u8]) -> impl Iterator<Item = Row> {
    marks::about(ROWS, &LINES, name).filter_map(move |line| Row::of(line, name))
}

/// Whether the program `name` has no effect but what it writes to its output, or on its own shell.
pub fn is_harmless(name: &[u8]) -> bool {
    static NAMES: Names<{ count(HARMLESS) }> = Names::of(HARMLESS);
    NAMES.has(name)
}

/// Whether the program `name` does not put out what is in files that it is given.
pub fn reads_nothing(name: &[u8]) -> bool {
    static NAMES: Names<{ count(NO_READERS) }> = Names::of(NO_READERS);
    NAMES.has(name)
}

/// Programs that only compute, look, or print.
const HARMLESS: &str = "[ [[ : true false test echo printf cd pwd pushd popd dirs exit return break continue shift set \
    unset export declare typeset local readonly alias unalias read mapfile readarray getopts wait \
    trap type command which whereis hash ulimit umask times let eval exec source . jobs fg bg \
    disown builtin shopt bind complete cat tac head tail less more most bat nl od xxd hexdump \
    strings base32 base64 wc sort uniq cut paste tr rev fold column cmp diff comm md5sum sha1sum \
    sha224sum sha256sum sha384sum sha512sum b2sum cksum grep egrep fgrep zgrep rg ag ack jq yq zcat \
    bzcat xzcat expand unexpand join look shuf seq numfmt fmt pr expr bc dc factor ls dir tree stat \
    file find fd locate du df realpath readlink basename dirname pathchk id whoami groups who w \
    users last uname hostname arch nproc date cal uptime free vmstat ps top htop pgrep pidof lsof \
    lsblk lscpu lsmod printenv env tty stty tput clear reset sleep mktemp yes getent locale getconf git \
    svn hg sed awk gawk mawk nawk rustc gcc cc g++ c++ clang clang++ ld ar nm objdump readelf javac \
    tsc eslint prettier mypy ruff black flake8 pylint npm yarn pnpm uv poetry pip pip3 cargo go \
    rustfmt gofmt shellcheck tar docker podman kubectl helm terraform tofu gh mongo redis-cli xargs \
    parallel timeout nice nohup stdbuf time watch tmux screen script man info help ping openssl gpg \
    systemctl journalctl dmesg mount ip ifconfig ss netstat route apt apt-get apt-cache dpkg brew \
    snap dnf yum rpm apk pacman";

/// Options of the program `name` whose value is the next word.
pub fn valued(name: &[u8]) -> &'static [u8] {
    let found = marks::about(VALUED, &VALUED_LINES, name).find_map(|line| {
        let mut fields = line.split(|byte| *byte == b'|');
        is_listed(fields.next()?, name).then(|| fields.next())?
    });
    found.unwrap_or(b"")
}

/// Programs, and behind the `|` such options.
const VALUED: &str = concat!(
    "git|-C -c --git-dir --work-tree --namespace -m -b -o --message --file\n",
    "kubectl oc|-n --namespace --context --cluster --user --kubeconfig -f --filename -l --selector -o --output -c --container -p\n",
    "helm|-n --namespace --kube-context --kubeconfig -f --values --set --version\n",
    "docker podman nerdctl|-v --volume -e --env -p --publish --name -w --workdir -u --user --network --net --mount -H --host --context --entrypoint --env-file -f --file --platform -m --memory --cpus --gpus -l --label -t --tag\n",
    "aws|--profile --region --output --endpoint-url --query\n",
    "gcloud gsutil az|--project --account --zone --region --format --subscription -g --resource-group\n",
    "npm pnpm yarn bun npx|--prefix -C --dir --filter --workspace -p --package --registry\n",
    "ssh mosh|-i -p -l -o -F -J -L -R -D -E -b -c -e -I -m -O -Q -S -W -w -B\n",
    "scp rsync sftp|-i -P -o -F -J -l -c -e --rsh --exclude --include --exclude-from --filter -f\n",
    "pip pip3 uv poetry|-r --requirement -i --index-url --extra-index-url -t --target -c --constraint -f -p --python\n",
    "sed|-e -f --expression --file\n",
);

/// Programs whose operands are names, not files that they put out.
const NO_READERS: &str = "rm rmdir unlink chmod chown chgrp touch mkdir ls stat test [ [[ echo printf find fd tree du df file basename dirname realpath readlink cd pushd ssh ssh-add ssh-keygen ssh-copy-id sftp which type export declare local read alias set unset git-add pytest shred : true false";

/// The lines: programs; words that the operands begin with, the alternatives for each behind a `/`; options
/// of which one has to be there; the kind; the operands. One text: a table of texts would have to be
/// relocated in every process that loads this.
const ROWS: &str = rows! {
    // Files.
    ("rm rmdir unlink shred trash rimraf del", "", "", Deletes, All);
    ("git", "clean", "-f --force", Deletes, None);
    ("git", "reset", "--hard", Writes, None);
    ("git", "checkout restore", "", Writes, All);
    ("git", "rm", "", Deletes, All);
    ("git", "worktree/remove", "", Deletes, All);
    ("rsync", "", "--delete --delete-after --delete-before --delete-excluded", Deletes, Last);
    ("tee truncate touch mkdir mkfifo", "", "", Writes, All);
    ("mv", "", "", Writes, All);
    ("cp install ln", "", "", Writes, Last);
    ("chmod chown chgrp chattr setfacl", "", "", Writes, ButFirst);
    ("sed perl", "", "-i --in-place", Writes, Last);
    ("unzip", "", "", Writes, None);
    ("gzip gunzip bzip2 xz zstd", "", "", Writes, All);
    ("tar", "", "-x --extract --get", Writes, None);
    ("zip", "", "", Writes, First);
    ("patch", "", "", Writes, None);
    // The network.
    ("wget", "", "", Fetches, All);
    ("git", "clone fetch pull ls-remote", "", Fetches, First);
    ("nc ncat netcat socat telnet ftp tftp lftp", "", "", Sends, All);
    ("mail mailx mutt sendmail msmtp swaks", "", "", Sends, All);
    ("gh", "gist", "", Sends, None);
    ("dig nslookup host", "", "", Fetches, All);
    ("ssh mosh", "", "", RunsElsewhere, First);
    ("docker podman nerdctl", "run exec", "", RunsElsewhere, First);
    ("docker podman", "pull", "", Fetches, All);
    ("kubectl oc", "exec run debug cp", "", RunsElsewhere, First);
    // Other people's code.
    ("npx bunx uvx pipx", "", "", RunsFetchedCode, First);
    ("pnpm yarn", "dlx", "", RunsFetchedCode, First);
    ("npm pnpm yarn bun", "run start test exec run-script x", "", RunsScript, All);
    ("make gmake ninja tox rake pytest jest vitest mocha gradle gradlew mvn bundle ctest just task nox", "", "", RunsScript, None);
    ("cargo", "run test bench build check clippy", "", RunsScript, None);
    ("go", "run test generate", "", RunsScript, None);
    ("poetry uv pipenv", "run", "", RunsScript, All);
    ("npm pnpm yarn bun", "install i add ci update up", "", Installs, All);
    ("pip pip3", "install", "", Installs, All);
    ("uv", "add sync", "", Installs, All);
    ("uv", "pip/install", "", Installs, All);
    ("poetry", "add install", "", Installs, All);
    ("cargo go gem", "install", "", Installs, All);
    ("brew", "install upgrade", "", Installs, All);
    // Later.
    ("crontab", "", "-r -e", Persists, None);
    ("at batch", "", "", Persists, None);
    ("systemctl", "enable link edit add-wants", "", Persists, All);
    ("launchctl", "load bootstrap enable submit", "", Persists, All);
    ("update-rc.d chkconfig", "", "", Persists, All);
    // Rights.
    ("sudo su doas pkexec runuser gosu", "", "", Escalates, None);
    ("setcap visudo", "", "", Escalates, All);
    ("usermod gpasswd adduser useradd passwd chpasswd deluser userdel groupadd", "", "", ChangesSystem, All);
    ("usermod gpasswd", "", "-a -G -aG --groups", Escalates, All);
    ("docker podman", "run", "--privileged --pid --cap-add", Escalates, None);
    ("nsenter", "", "", Escalates, None);
    // What others use.
    ("git", "push", "", ChangesShared, First);
    ("git", "push send-email", "", Sends, First);
    ("gh", "pr/create merge close comment review edit", "", ChangesShared, None);
    ("gh", "release issue repo secret workflow/create delete edit upload set run close comment archive rename enable disable", "", ChangesShared, None);
    ("kubectl oc", "apply create delete patch replace scale edit set rollout drain cordon uncordon taint label annotate expose autoscale", "", ChangesShared, All);
    ("helm", "install upgrade uninstall delete rollback", "", ChangesShared, All);
    ("terraform tofu terragrunt", "apply destroy import taint untaint", "", ChangesShared, None);
    ("terraform tofu", "state/rm mv push", "", ChangesShared, All);
    ("pulumi", "up destroy import cancel", "", ChangesShared, None);
    ("ansible ansible-playbook fly flyctl heroku vercel netlify wrangler firebase serverless sls cdk eb", "", "", ChangesShared, First);
    ("npm pnpm yarn cargo", "publish unpublish deprecate yank", "", ChangesShared, None);
    ("npm pnpm yarn cargo", "publish", "", Sends, None);
    ("twine", "upload", "", ChangesShared, All);
    ("gem", "push yank", "", ChangesShared, All);
    ("docker podman", "push", "", ChangesShared, First);
    ("docker podman", "push", "", Sends, First);
    ("dropdb createdb dropuser mysqladmin", "", "", ChangesShared, All);
    ("redis-cli", "flushall flushdb FLUSHALL FLUSHDB del DEL", "", ChangesShared, None);
    ("gsutil", "rm cp mv rsync", "", ChangesShared, Last);
    // The machine.
    ("apt apt-get aptitude dnf yum zypper apk pacman snap flatpak port", "install remove purge autoremove upgrade dist-upgrade full-upgrade update erase add del", "", ChangesSystem, None);
    ("apt apt-get dnf yum zypper apk snap flatpak", "install add", "", Installs, All);
    ("dpkg rpm pacman", "", "-i -r -P -U -e -S -R --install --remove --purge", ChangesSystem, All);
    ("systemctl", "start stop restart reload disable mask unmask isolate kill set-default reboot poweroff halt daemon-reload", "", ChangesSystem, All);
    ("service", "", "", ChangesSystem, First);
    ("umount swapon swapoff losetup modprobe insmod rmmod sysctl iptables ip6tables nft ufw firewall-cmd hostnamectl timedatectl", "", "", ChangesSystem, All);
    ("mount", "", "", ChangesSystem, Last);
    ("mkfs mkfs.ext4 mkfs.xfs mkfs.btrfs mkfs.vfat mkswap fdisk sfdisk parted wipefs blkdiscard cryptsetup mdadm lvremove vgremove pvremove", "", "", ChangesSystem, All);
    ("mkfs mkfs.ext4 mkfs.xfs mkfs.btrfs mkfs.vfat wipefs blkdiscard lvremove vgremove pvremove", "", "", DeletesOutside, Last);
    ("shutdown reboot halt poweroff init telinit", "", "", ChangesSystem, None);
    ("kill pkill killall xkill fuser", "", "", Stops, All);
    ("docker podman", "rm rmi stop kill prune system volume", "", Deletes, None);
};

/// The same with marks.
static VALUED_LINES: [Line; marks::count(VALUED)] = marks::lines(VALUED);

/// The same with marks.
static LINES: [Line; marks::count(ROWS)] = marks::lines(ROWS);

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &'static str) -> impl Iterator<Item = &'static [u8]> {
        text.as_bytes().split(|byte| *byte == b'\n').filter(|line| !line.is_empty())
    }

    /// What marks pass over is about other programs.
    #[test]
    fn marks_hide_nothing() {
        for (text, marked) in [(ROWS, &LINES[..]), (VALUED, &VALUED_LINES[..])] {
            let words = |line: &'static [u8]| {
                line.split(|byte| *byte == b'|').next().unwrap().split(|byte| *byte == b' ')
            };
            for name in lines(text).flat_map(words).chain([&b"none"[..], b""]) {
                let all = lines(text).filter(|line| words(line).any(|word| word == name));
                let found = marks::about(text, marked, name);
                let found = found.filter(|line| words(line).any(|word| word == name));
                assert!(all.eq(found), "{:?}", core::str::from_utf8(name));
            }
        }
        for name in HARMLESS.split(' ') {
            assert!(is_harmless(name.as_bytes()), "{name}");
        }
        for name in NO_READERS.split(' ') {
            assert!(reads_nothing(name.as_bytes()), "{name}");
        }
        assert!(!is_harmless(b"rm") && !is_harmless(b"") && !reads_nothing(b"cat"));
    }

    #[test]
    fn every_line_is_a_row() {
        for line in lines(ROWS) {
            let name = line.split(|byte| matches!(byte, b' ' | b'|')).next().unwrap();
            assert!(Row::of(line, name).is_some(), "{:?}", core::str::from_utf8(line));
        }
        assert!(lines(VALUED).all(|line| line.iter().filter(|byte| **byte == b'|').count() == 1));
    }
}
