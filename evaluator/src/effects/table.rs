//! What well-known programs do, a line each. Options that turn a program into another one are in
//! `special`.

use super::Kind;

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
    programs: &'static [u8],
    /// The alternatives for each of the first operands.
    begin: &'static [&'static [u8]],
    /// Options of which one has to be there, if any are listed.
    options: &'static [&'static [u8]],
    pub kind: Kind,
    pub operands: Operands,
}

impl Row {
    /// Whether it is about a call with these operands and options.
    pub fn applies<'t>(
        &self,
        mut operands: impl Iterator<Item = &'t [u8]>,
        has: impl Fn(&[&[u8]]) -> bool,
    ) -> bool {
        let begins = self.begin.iter().all(|alternatives| {
            operands.next().is_some_and(|operand| is_listed(alternatives, operand))
        });
        begins && (self.options.is_empty() || has(self.options))
    }

    /// How many operands are words that it asks for.
    pub const fn words(&self) -> usize {
        self.begin.len()
    }
}

fn is_listed(list: &[u8], name: &[u8]) -> bool {
    !name.is_empty() && list.split(|byte| *byte == b' ').any(|word| word == name)
}

/// The lines about the program `name`.
pub fn rows(name: &[u8]) -> impl Iterator<Item = &'static Row> {
    ROWS.iter().filter(move |row| is_listed(row.programs, name))
}

/// Whether the program `name` has no effect but what it writes to its output, or on its own shell.
pub fn is_harmless(name: &[u8]) -> bool {
    HARMLESS.iter().any(|list| is_listed(list, name))
}

/// Whether the program `name` does not put out what is in files that it is given.
pub fn reads_nothing(name: &[u8]) -> bool {
    is_listed(NO_READERS, name)
}

/// Programs that only compute, look, or print.
const HARMLESS: [&[u8]; 6] = [
    b"[ [[ : true false test echo printf cd pwd pushd popd dirs exit return break continue shift set unset export declare typeset local readonly alias unalias read mapfile readarray getopts wait trap type command which whereis hash ulimit umask times let eval exec source . jobs fg bg disown builtin shopt bind complete",
    b"cat tac head tail less more most bat nl od xxd hexdump strings base32 base64 wc sort uniq cut paste tr rev fold column cmp diff comm md5sum sha1sum sha224sum sha256sum sha384sum sha512sum b2sum cksum grep egrep fgrep zgrep rg ag ack jq yq zcat bzcat xzcat expand unexpand join look shuf seq numfmt fmt pr expr bc dc factor",
    b"ls dir tree stat file find fd locate du df realpath readlink basename dirname pathchk id whoami groups who w users last uname hostname arch nproc date cal uptime free vmstat ps top htop pgrep pidof lsof lsblk lscpu lsmod printenv env tty stty tput clear reset sleep yes getent locale getconf",
    b"git svn hg sed awk gawk mawk nawk rustc gcc cc g++ c++ clang clang++ ld ar nm objdump readelf javac tsc eslint prettier mypy ruff black flake8 pylint npm yarn pnpm uv poetry pip pip3 cargo go rustfmt gofmt shellcheck",
    b"tar docker podman kubectl helm terraform tofu gh mongo redis-cli xargs parallel timeout nice nohup stdbuf time watch tmux screen script man info help ping",
    b"openssl gpg systemctl journalctl dmesg mount ip ifconfig ss netstat route apt apt-get apt-cache dpkg brew snap dnf yum rpm apk pacman",
];

/// Options of the program `name` whose value is the next word.
pub fn valued(name: &[u8]) -> &'static [&'static [u8]] {
    VALUED.iter().find(|(names, _)| is_listed(names, name)).map_or(&[], |(_, options)| *options)
}

static VALUED: [(&[u8], &[&[u8]]); 11] = [
    (
        b"git",
        &[
            b"-C",
            b"-c",
            b"--git-dir",
            b"--work-tree",
            b"--namespace",
            b"-m",
            b"-b",
            b"-o",
            b"--message",
            b"--file",
        ],
    ),
    (
        b"kubectl oc",
        &[
            b"-n",
            b"--namespace",
            b"--context",
            b"--cluster",
            b"--user",
            b"--kubeconfig",
            b"-f",
            b"--filename",
            b"-l",
            b"--selector",
            b"-o",
            b"--output",
            b"-c",
            b"--container",
            b"-p",
        ],
    ),
    (
        b"helm",
        &[
            b"-n",
            b"--namespace",
            b"--kube-context",
            b"--kubeconfig",
            b"-f",
            b"--values",
            b"--set",
            b"--version",
        ],
    ),
    (
        b"docker podman nerdctl",
        &[
            b"-v",
            b"--volume",
            b"-e",
            b"--env",
            b"-p",
            b"--publish",
            b"--name",
            b"-w",
            b"--workdir",
            b"-u",
            b"--user",
            b"--network",
            b"--net",
            b"--mount",
            b"-H",
            b"--host",
            b"--context",
            b"--entrypoint",
            b"--env-file",
            b"-f",
            b"--file",
            b"--platform",
            b"-m",
            b"--memory",
            b"--cpus",
            b"--gpus",
            b"-l",
            b"--label",
            b"-t",
            b"--tag",
        ],
    ),
    (b"aws", &[b"--profile", b"--region", b"--output", b"--endpoint-url", b"--query"]),
    (
        b"gcloud gsutil az",
        &[
            b"--project",
            b"--account",
            b"--zone",
            b"--region",
            b"--format",
            b"--subscription",
            b"-g",
            b"--resource-group",
        ],
    ),
    (
        b"npm pnpm yarn bun npx",
        &[
            b"--prefix",
            b"-C",
            b"--dir",
            b"--filter",
            b"--workspace",
            b"-p",
            b"--package",
            b"--registry",
        ],
    ),
    (
        b"ssh mosh",
        &[
            b"-i", b"-p", b"-l", b"-o", b"-F", b"-J", b"-L", b"-R", b"-D", b"-E", b"-b", b"-c",
            b"-e", b"-I", b"-m", b"-O", b"-Q", b"-S", b"-W", b"-w", b"-B",
        ],
    ),
    (
        b"scp rsync sftp",
        &[
            b"-i",
            b"-P",
            b"-o",
            b"-F",
            b"-J",
            b"-l",
            b"-c",
            b"-e",
            b"--rsh",
            b"--exclude",
            b"--include",
            b"--exclude-from",
            b"--filter",
            b"-f",
        ],
    ),
    (
        b"pip pip3 uv poetry",
        &[
            b"-r",
            b"--requirement",
            b"-i",
            b"--index-url",
            b"--extra-index-url",
            b"-t",
            b"--target",
            b"-c",
            b"--constraint",
            b"-f",
            b"-p",
            b"--python",
        ],
    ),
    (b"sed", &[b"-e", b"-f", b"--expression", b"--file"]),
];

/// Programs whose operands are names, not files that they put out.
const NO_READERS: &[u8] = b"rm rmdir unlink chmod chown chgrp touch mkdir ls stat test [ [[ echo printf find fd tree du df file basename dirname realpath readlink cd pushd ssh ssh-add ssh-keygen ssh-copy-id sftp which type export declare local read alias set unset git-add pytest shred : true false";

use Operands::{All, ButFirst, First, Last, None as Nothing};

const fn row(
    programs: &'static [u8],
    begin: &'static [&'static [u8]],
    options: &'static [&'static [u8]],
    (kind, operands): (Kind, Operands),
) -> Row {
    Row { programs, begin, options, kind, operands }
}

/// The lines.
static ROWS: [Row; 83] = [
    // Files.
    row(b"rm rmdir unlink shred trash rimraf del", &[], &[], (Kind::Deletes, All)),
    row(b"git", &[b"clean"], &[b"-f", b"--force"], (Kind::Deletes, Nothing)),
    row(b"git", &[b"reset"], &[b"--hard"], (Kind::Writes, Nothing)),
    row(b"git", &[b"checkout restore"], &[], (Kind::Writes, All)),
    row(b"git", &[b"rm"], &[], (Kind::Deletes, All)),
    row(b"git", &[b"worktree", b"remove"], &[], (Kind::Deletes, All)),
    row(b"rsync", &[], &[b"--delete", b"--delete-after", b"--delete-before", b"--delete-excluded"], (Kind::Deletes, Last)),
    row(b"tee truncate touch mkdir mkfifo", &[], &[], (Kind::Writes, All)),
    row(b"mv", &[], &[], (Kind::Writes, All)),
    row(b"cp install ln", &[], &[], (Kind::Writes, Last)),
    row(b"chmod chown chgrp chattr setfacl", &[], &[], (Kind::Writes, ButFirst)),
    row(b"sed perl", &[], &[b"-i", b"--in-place"], (Kind::Writes, Last)),
    row(b"unzip", &[], &[], (Kind::Writes, Nothing)),
    row(b"gzip gunzip bzip2 xz zstd", &[], &[], (Kind::Writes, All)),
    row(b"tar", &[], &[b"-x", b"--extract", b"--get"], (Kind::Writes, Nothing)),
    row(b"zip", &[], &[], (Kind::Writes, First)),
    row(b"patch", &[], &[], (Kind::Writes, Nothing)),
    // The network.
    row(b"wget", &[], &[], (Kind::Fetches, All)),
    row(b"git", &[b"clone fetch pull ls-remote"], &[], (Kind::Fetches, First)),
    row(b"nc ncat netcat socat telnet ftp tftp lftp", &[], &[], (Kind::Sends, All)),
    row(b"mail mailx mutt sendmail msmtp swaks", &[], &[], (Kind::Sends, All)),
    row(b"gh", &[b"gist"], &[], (Kind::Sends, Nothing)),
    row(b"dig nslookup host", &[], &[], (Kind::Fetches, All)),
    row(b"ssh mosh", &[], &[], (Kind::RunsElsewhere, First)),
    row(b"docker podman nerdctl", &[b"run exec"], &[], (Kind::RunsElsewhere, First)),
    row(b"docker podman", &[b"pull"], &[], (Kind::Fetches, All)),
    row(b"kubectl oc", &[b"exec run debug cp"], &[], (Kind::RunsElsewhere, First)),
    // Other people's code.
    row(b"npx bunx uvx pipx", &[], &[], (Kind::RunsFetchedCode, First)),
    row(b"pnpm yarn", &[b"dlx"], &[], (Kind::RunsFetchedCode, First)),
    row(b"npm pnpm yarn bun", &[b"run start test exec run-script x"], &[], (Kind::RunsScript, All)),
    row(b"make gmake ninja tox rake pytest jest vitest mocha gradle gradlew mvn bundle ctest just task nox", &[], &[], (Kind::RunsScript, Nothing)),
    row(b"cargo", &[b"run test bench build check clippy"], &[], (Kind::RunsScript, Nothing)),
    row(b"go", &[b"run test generate"], &[], (Kind::RunsScript, Nothing)),
    row(b"poetry uv pipenv", &[b"run"], &[], (Kind::RunsScript, All)),
    row(b"npm pnpm yarn bun", &[b"install i add ci update up"], &[], (Kind::Installs, All)),
    row(b"pip pip3", &[b"install"], &[], (Kind::Installs, All)),
    row(b"uv", &[b"add sync"], &[], (Kind::Installs, All)),
    row(b"uv", &[b"pip", b"install"], &[], (Kind::Installs, All)),
    row(b"poetry", &[b"add install"], &[], (Kind::Installs, All)),
    row(b"cargo go gem", &[b"install"], &[], (Kind::Installs, All)),
    row(b"brew", &[b"install upgrade"], &[], (Kind::Installs, All)),
    // Later.
    row(b"crontab", &[], &[b"-r", b"-e"], (Kind::Persists, Nothing)),
    row(b"at batch", &[], &[], (Kind::Persists, Nothing)),
    row(b"systemctl", &[b"enable link edit add-wants"], &[], (Kind::Persists, All)),
    row(b"launchctl", &[b"load bootstrap enable submit"], &[], (Kind::Persists, All)),
    row(b"update-rc.d chkconfig", &[], &[], (Kind::Persists, All)),
    // Rights.
    row(b"sudo su doas pkexec runuser gosu", &[], &[], (Kind::Escalates, Nothing)),
    row(b"setcap visudo", &[], &[], (Kind::Escalates, All)),
    row(b"usermod gpasswd adduser useradd passwd chpasswd deluser userdel groupadd", &[], &[], (Kind::ChangesSystem, All)),
    row(b"usermod gpasswd", &[], &[b"-a", b"-G", b"-aG", b"--groups"], (Kind::Escalates, All)),
    row(b"docker podman", &[b"run"], &[b"--privileged", b"--pid", b"--cap-add"], (Kind::Escalates, Nothing)),
    row(b"nsenter", &[], &[], (Kind::Escalates, Nothing)),
    // What others use.
    row(b"git", &[b"push"], &[], (Kind::ChangesShared, First)),
    row(b"git", &[b"push send-email"], &[], (Kind::Sends, First)),
    row(b"gh", &[b"pr", b"create merge close comment review edit"], &[], (Kind::ChangesShared, Nothing)),
    row(b"gh", &[b"release issue repo secret workflow", b"create delete edit upload set run close comment archive rename enable disable"], &[], (Kind::ChangesShared, Nothing)),
    row(b"kubectl oc", &[b"apply create delete patch replace scale edit set rollout drain cordon uncordon taint label annotate expose autoscale"], &[], (Kind::ChangesShared, All)),
    row(b"helm", &[b"install upgrade uninstall delete rollback"], &[], (Kind::ChangesShared, All)),
    row(b"terraform tofu terragrunt", &[b"apply destroy import taint untaint"], &[], (Kind::ChangesShared, Nothing)),
    row(b"terraform tofu", &[b"state", b"rm mv push"], &[], (Kind::ChangesShared, All)),
    row(b"pulumi", &[b"up destroy import cancel"], &[], (Kind::ChangesShared, Nothing)),
    row(b"ansible ansible-playbook fly flyctl heroku vercel netlify wrangler firebase serverless sls cdk eb", &[], &[], (Kind::ChangesShared, First)),
    row(b"npm pnpm yarn cargo", &[b"publish unpublish deprecate yank"], &[], (Kind::ChangesShared, Nothing)),
    row(b"npm pnpm yarn cargo", &[b"publish"], &[], (Kind::Sends, Nothing)),
    row(b"twine", &[b"upload"], &[], (Kind::ChangesShared, All)),
    row(b"gem", &[b"push yank"], &[], (Kind::ChangesShared, All)),
    row(b"docker podman", &[b"push"], &[], (Kind::ChangesShared, First)),
    row(b"docker podman", &[b"push"], &[], (Kind::Sends, First)),
    row(b"dropdb createdb dropuser mysqladmin", &[], &[], (Kind::ChangesShared, All)),
    row(b"redis-cli", &[b"flushall flushdb FLUSHALL FLUSHDB del DEL"], &[], (Kind::ChangesShared, Nothing)),
    row(b"gsutil", &[b"rm cp mv rsync"], &[], (Kind::ChangesShared, Last)),
    // The machine.
    row(b"apt apt-get aptitude dnf yum zypper apk pacman snap flatpak port", &[b"install remove purge autoremove upgrade dist-upgrade full-upgrade update erase add del"], &[], (Kind::ChangesSystem, Nothing)),
    row(b"apt apt-get dnf yum zypper apk snap flatpak", &[b"install add"], &[], (Kind::Installs, All)),
    row(b"dpkg rpm pacman", &[], &[b"-i", b"-r", b"-P", b"-U", b"-e", b"-S", b"-R", b"--install", b"--remove", b"--purge"], (Kind::ChangesSystem, All)),
    row(b"systemctl", &[b"start stop restart reload disable mask unmask isolate kill set-default reboot poweroff halt daemon-reload"], &[], (Kind::ChangesSystem, All)),
    row(b"service", &[], &[], (Kind::ChangesSystem, First)),
    row(b"umount swapon swapoff losetup modprobe insmod rmmod sysctl iptables ip6tables nft ufw firewall-cmd hostnamectl timedatectl", &[], &[], (Kind::ChangesSystem, All)),
    row(b"mount", &[], &[], (Kind::ChangesSystem, Last)),
    row(b"mkfs mkfs.ext4 mkfs.xfs mkfs.btrfs mkfs.vfat mkswap fdisk sfdisk parted wipefs blkdiscard cryptsetup mdadm lvremove vgremove pvremove", &[], &[], (Kind::ChangesSystem, All)),
    row(b"mkfs mkfs.ext4 mkfs.xfs mkfs.btrfs mkfs.vfat wipefs blkdiscard lvremove vgremove pvremove", &[], &[], (Kind::DeletesOutside, Last)),
    row(b"shutdown reboot halt poweroff init telinit", &[], &[], (Kind::ChangesSystem, Nothing)),
    row(b"kill pkill killall xkill fuser", &[], &[], (Kind::Stops, All)),
    row(b"docker podman", &[b"rm rmi stop kill prune system volume"], &[], (Kind::Deletes, Nothing)),
];
