//! The wrappers: programs that run another command, and where in their arguments that stands.
//!
//! Adding one is adding a line. The table is one text, so that it needs no relocation in a library
//! that every process loads; the index over its names is made when this is compiled.

use super::Via;

/// A line has five fields, separated by `|`:
///
/// 1. Names of the program. `docker:exec` is the subcommand `exec` of `docker`.
/// 2. The provenance of what it runs, as [`Via::name`] spells it.
/// 3. What its operands are: `argv` (the words of a command), `text` (shell text, joined by
///    blanks), `sub` (a subcommand, with a line of its own), `none`; or a rule of its own, written
///    in code, `@name`. Then, where they apply: a number, of operands before it; `=`, assignments
///    may stand before it; `late`, options count behind
///    operands too, and only what follows a `--` is a command; `--`, it begins behind a
///    `--`; `stdin`, what it reads is code if there are no operands left;
///    `own`, it does more than run the command; a capital letter, the option whose value is the
///    directory that the command runs in.
/// 4. Options with a value: letters behind a `-`, then long names without dashes.
/// 5. Options whose value is shell text, by letter or name; with a `+`, from whose value on the
///    words are a command; with an `=`, which are followed by words of an environment.
const TABLE: &str = concat!(
    "sudo|sudo|argv = D|-CDghpRrTtUu user group host prompt chdir chroot role type other-user close-from command-timeout|\n",
    "faketime|wrapper|argv 1|-f|\n",
    "doas|sudo|argv|-aCu|\n",
    "su runuser|sudo|@su late|-gGsuw group supp-group shell user whitelist-environment|c command session-command\n",
    "pkexec|sudo|argv|-u user|\n",
    "run0|sudo|argv|-ugD user group nice chdir setenv property unit slice description machine background|\n",
    "gosu su-exec setuidgid|sudo|argv 1||\n",
    "chpst|sudo|argv|-ubUenlmdofcrst/|\n",
    "sg|sudo|@su late||c\n",
    "runcon|sudo|argv 1|-curtl user role type range|\n",
    "capsh|sudo|@capsh||c\n",
    "setpriv|sudo|argv|-p reuid regid groups ruid euid rgid egid inh-caps bounding-set ambient-caps securebits pdeathsig selinux-label apparmor-profile|\n",
    "env|wrapper|argv = C|-uCa unset chdir argv0|S split-string\n",
    "nohup setsid eatmydata fakeroot catchsegv unbuffer tsocks torsocks torify dbus-run-session rtk firejail vglrun primusrun optirun ccache distcc sccache|wrapper|argv||\n",
    "time gtime|wrapper|argv own|-fo format output|\n",
    "caffeinate|wrapper|argv|-tw|\n",
    "rlwrap|wrapper|argv|-abCDefgHhlmMNopPqRSstwz|\n",
    "choom cpulimit|wrapper|argv|-npleic|\n",
    "proxychains proxychains4|wrapper|argv|-f|\n",
    "command builtin|wrapper|@command||\n",
    "noglob nocorrect -|wrapper|argv||\n",
    "exec|wrapper|argv|-a|\n",
    "nice|wrapper|argv|-n adjustment|\n",
    "ionice|wrapper|argv|-cnpPu class classdata pid pgid uid|\n",
    "chrt|wrapper|argv 1|-TPD sched-runtime sched-period sched-deadline|\n",
    "taskset|wrapper|argv 1||\n",
    "numactl|wrapper|argv|-iNmCpP interleave cpunodebind membind physcpubind preferred|\n",
    "timeout gtimeout|wrapper|argv 1|-ks kill-after signal|\n",
    "stdbuf gstdbuf|wrapper|argv|-ioe input output error|\n",
    "prlimit|wrapper|argv|-pocdefilmnqrstuvxy pid output|\n",
    "softlimit|wrapper|argv|-acdfilmoprst|\n",
    "chroot|wrapper|argv 1 own|userspec groups|\n",
    "unshare|wrapper|argv|-SGRw setuid setgid root wd map-user map-group map-users map-groups setgroups load-interp|\n",
    "nsenter|container|argv|-tSG target setuid setgid|\n",
    "bwrap|container|@bwrap||\n",
    "flock|wrapper|argv 1|-wE timeout wait conflict-exit-code|c command\n",
    "script|wrapper|none late own|-EIOBTmot echo log-in log-out log-io log-timing logging-format output-limit|c command\n",
    "watch|wrapper|@watch|-nq interval equexit shotsdir|\n",
    "entr|wrapper|argv own||\n",
    "watchexec|wrapper|argv own|-ewifnsd exts watch ignore filter signal debounce delay-run workdir|\n",
    "nodemon|wrapper|none late|-weid watch ext ignore delay|x exec\n",
    "hyperfine|wrapper|@each|-wrmMspLIPnNu warmup runs min-runs max-runs shell time-unit parameter-scan parameter-list export-json export-csv export-markdown|\n",
    "strace ltrace|wrapper|argv own|-abeEIoOpPsSuUXnlAFDx|\n",
    "perf:stat perf:record perf:trace|wrapper|argv own|-eoprtTCGIgFc event output pid repeat freq count|\n",
    "perf|wrapper|sub own||\n",
    "valgrind|wrapper|argv own||\n",
    "gdb lldb|wrapper|@gdb|-xcdpbl command core directory pid symbols se|\n",
    "rr:record|wrapper|argv own||\n",
    "rr|wrapper|sub own||\n",
    "busybox toybox coreutils|wrapper|@applet||\n",
    "bfs|batch|@find||\n",
    "find gfind|batch|@find||\n",
    "fd fdfind|batch|@fd||\n",
    "xargs gxargs|batch|@xargs|-adEILnPs arg-file delimiter max-args max-procs max-chars process-slot-var|\n",
    "parallel|batch|@parallel|-jajSnNIsdCEL jobs arg-file sshlogin sshloginfile max-args max-replace-args delay timeout joblog results tmpdir workdir wd colsep retries halt load memfree nice delimiter basefile env line-buffer recstart recend block tagstring|\n",
    "sem|batch|@parallel|-j jobs id semaphorename semaphoretimeout|\n",
    "ssh autossh sshpass:ssh|ssh|@ssh 1 stdin|-BbcDEeFIiJLlmOoPpQRSWwM|\n",
    "sshpass|wrapper|argv own|-pfdPe|\n",
    "mosh|ssh|argv 1|ssh port predict|\n",
    "rsh rexec remsh|ssh|text 1 stdin|-lk|\n",
    "pdsh clush|ssh|text|-wxlftugac|\n",
    "vagrant:ssh|ssh|none late||c command\n",
    "vagrant|ssh|sub||\n",
    "gcloud:compute|ssh|sub||\n",
    "gcloud|ssh|sub|project account configuration|\n",
    "gcloud:compute:ssh|ssh|none late|zone project|command\n",
    "fly:ssh flyctl:ssh|ssh|sub||\n",
    "fly:ssh:console flyctl:ssh:console|ssh|none late|-arus app region user|C command\n",
    "fly flyctl|ssh|sub||\n",
    "adb:shell|ssh|text||\n",
    "adb|ssh|sub|-sHPLt|\n",
    "wsl|container|argv|-du distribution user cd|\n",
    "ansible|ssh|none late|-imfuelMtbck|a args\n",
    "docker:exec podman:exec nerdctl:exec docker:container:exec podman:container:exec|container|argv 1|-euw env env-file user workdir detach-keys preserve-fds|\n",
    "docker:run podman:run nerdctl:run docker:create podman:create docker:container:run|container|argv 1|-acehlmpuvw add-host annotation attach blkio-weight cap-add cap-drop cgroup-parent cgroupns cidfile cpu-period cpu-quota cpu-shares cpus cpuset-cpus cpuset-mems device dns dns-search entrypoint env env-file expose gpus group-add health-cmd hostname ip ipc isolation label label-file link log-driver log-opt mac-address memory memory-swap mount name network network-alias net oom-score-adj pid pids-limit platform publish pull restart runtime security-opt shm-size stop-signal stop-timeout storage-opt sysctl tmpfs ulimit user userns uts volume volume-driver volumes-from workdir|\n",
    "docker:compose:exec docker-compose:exec podman-compose:exec|container|argv 1|-euw env user workdir index|\n",
    "docker:compose:run docker-compose:run podman-compose:run|container|argv 1|-elpuvw env label name publish user volume workdir entrypoint|\n",
    "docker podman nerdctl|container|sub|-cHl config context host log-level tlscacert tlscert tlskey url connection|\n",
    "docker:compose docker-compose podman-compose|container|sub|-fp file project-name project-directory profile env-file ansi parallel|\n",
    "docker:container podman:container|container|sub||\n",
    "kubectl:exec oc:exec k:exec microk8s.kubectl:exec k3s:kubectl:exec|container|argv 1|-cfn container filename namespace pod-running-timeout context kubeconfig|\n",
    "kubectl:run oc:run|container|argv --|-nl image namespace env labels port overrides restart command|\n",
    "kubectl:debug oc:debug|container|argv --|-cnf image namespace target container profile copy-to|\n",
    "kubectl oc k|container|sub|-nsv namespace context cluster kubeconfig user server token as as-group request-timeout|\n",
    "crictl:exec ctr:exec|container|argv 1|-e timeout exec-id|\n",
    "crictl|container|sub|-cirt config image-endpoint runtime-endpoint timeout|\n",
    "lxc:exec incus:exec|container|argv 1|-tn env user group cwd mode|\n",
    "lxc incus|container|sub|project|\n",
    "lxc-attach|container|argv|-nPSkefoluvg name lxcpath elevated-privileges|\n",
    "pct:exec|container|argv 1||\n",
    "pct|container|sub||\n",
    "machinectl:shell|container|argv 1|-M machine uid setenv|\n",
    "machinectl|container|sub|-HMnops|\n",
    "systemd-nspawn|container|argv|-DiMuUE directory image machine user bind bind-ro setenv property template|\n",
    "distrobox:enter toolbox:run|container|argv --|-nc name container distro|\n",
    "distrobox toolbox|container|sub||\n",
    "flatpak-spawn|container|argv|env directory forward-fd unset-env|\n",
    "systemd-run|wrapper|argv own|-puEHMt unit property uid gid slice nice working-directory setenv on-active on-boot on-startup on-calendar timer-property service-type description machine host path-property socket-property background|\n",
    "systemd-inhibit|wrapper|argv|what who why mode|\n",
    "systemd-cat|wrapper|argv|-tp identifier priority stderr-priority level-prefix|\n",
    "start-stop-daemon|wrapper|argv -- own|-pxnugscrdRNPImiK exec startas pidfile name user chuid group signal chdir chroot retry nicelevel|\n",
    "daemonize|wrapper|argv own|-aceEoplu|\n",
    "cgexec|wrapper|argv|-g|\n",
    "xvfb-run|wrapper|argv own|-efnpsw server-num error-file auth-file wait server-args xauth-protocol|\n",
    "at batch|wrapper|none late stdin|-qft|\n",
    "tmux|wrapper|@tmux|-cfLST|\n",
    "screen|wrapper|@screen|-cehpsStTX|\n",
    "conda:run mamba:run micromamba:run|wrapper|argv own|-npr name prefix cwd|\n",
    "conda mamba micromamba|wrapper|sub own||\n",
    "poetry:run pipenv:run pdm:run hatch:run rye:run bundle:exec asdf:exec|wrapper|argv own|-pC project|\n",
    "poetry pipenv pdm hatch rye bundle asdf|wrapper|sub own|-C directory project python gemfile|\n",
    "uv:run|wrapper|argv own|-pmC with with-editable with-requirements python directory project extra group env-file index package module|\n",
    "uv:tool:run uvx|wrapper|argv own|-p from with python index directory|\n",
    "uv:tool|wrapper|sub||\n",
    "uv|wrapper|sub own|directory project cache-dir config-file color|\n",
    "pipx:run|wrapper|argv own|spec python pip-args index-url|\n",
    "pipx|wrapper|sub own||\n",
    "npx bunx pnpx|wrapper|argv own|-pw package workspace cache|c call\n",
    "npm:exec npm:x pnpm:exec pnpm:dlx yarn:exec yarn:dlx bun:x|wrapper|argv own|-pwC package workspace dir filter|c call\n",
    "npm pnpm yarn bun|wrapper|sub own|-C prefix dir filter cwd registry|\n",
    "direnv:exec|wrapper|argv 1 own||\n",
    "direnv|wrapper|sub own||\n",
    "mise:exec mise:x|wrapper|argv -- own|-jC cd jobs env|c command\n",
    "mise rtx|wrapper|sub own|-CE cd env|\n",
    "nix:develop nix:shell|wrapper|none late|-f file expr profile|c+ command+\n",
    "nix|wrapper|sub||\n",
    "nix-shell|wrapper|none late|-ApEIj attr packages expr|run command\n",
    "guix:shell guix:environment|wrapper|argv -- own|-DefmMLE|\n",
    "guix|wrapper|sub own||\n",
    "op:run doppler:run infisical:run chamber:exec dotenvx:run teller:run phase:run|wrapper|argv -- own|-fcepE env-file env file account project config path projectId|\n",
    "op doppler infisical chamber dotenvx teller|wrapper|sub own|account project config|\n",
    "dotenv dotenv-cli|wrapper|argv = own|-efvcp file|\n",
    "aws-vault:exec|wrapper|argv 1 own|-dt duration mfa-token backend prompt region|\n",
    "aws-vault|wrapper|sub own||\n",
    "sops:exec-env sops:exec-file|wrapper|text 1|-u user filename|\n",
    "sops|wrapper|sub||\n",
    "ssh-agent|wrapper|argv own|-aEtPO|\n",
    "git|wrapper|@git||\n",
    "tar gtar bsdtar|wrapper|@tar||\n",
    "rsync|wrapper|none late|-fBMT exclude include filter files-from exclude-from include-from|e rsh rsync-path\n",
    "sed gsed|wrapper|@sed||\n",
    "vim vi nvim ex view gvim vimdiff|wrapper|@vim||\n",
    "psql mysql mariadb sqlite3 sqlite pgcli mycli litecli usql duckdb sqlcmd isql sqlplus clickhouse-client clickhouse cockroach snowsql trino|wrapper|@sql own||\n",
    "make gmake|wrapper|@make||\n",
    "man|wrapper|none late||P pager\n",
    "ld.so ld-linux-x86-64.so.2 ld-linux-aarch64.so.1 ld-linux.so.2 ld-linux-armhf.so.3 ld-musl-x86_64.so.1 ld-musl-aarch64.so.1|wrapper|argv own|library-path inhibit-rpath audit preload argv0 glibc-hwcaps-prepend glibc-hwcaps-mask|\n",
    "qemu-x86_64 qemu-aarch64 qemu-x86_64-static qemu-aarch64-static|wrapper|argv own|-EULgsBRDd|\n",
    "wine wine64 mono|wrapper|argv own||\n",
    "sh bash dash ash zsh ksh mksh rbash lksh yash oksh posh fish rksh bash5 pwsh|shell|@shell||\n",
);

/// One line of the table.
#[derive(Clone, Copy)]
pub(super) struct Wrapper {
    pub via: Via,
    /// The first item of the third field.
    pub payload: &'static [u8],
    /// The whole third field.
    pub traits: &'static [u8],
    pub valued: &'static [u8],
    pub code: &'static [u8],
}

impl Wrapper {
    /// The wrapper called `name`.
    pub fn of(name: &[u8]) -> Option<Self> {
        let hash = hash(name);
        let mut slot = hash as usize % SLOTS;
        loop {
            let [offset, tag] = *INDEX.get(slot)?;
            if offset == EMPTY {
                return None;
            }
            if tag == tag_of(hash)
                && let Some(wrapper) = Self::at(offset as usize, name)
            {
                return Some(wrapper);
            }
            slot = slot.wrapping_add(1) % SLOTS;
        }
    }

    fn at(offset: usize, name: &[u8]) -> Option<Self> {
        let line = TABLE.get(offset..)?.lines().next()?;
        let mut fields = line.as_bytes().split(|byte| *byte == b'|');
        if !items(fields.next()?).any(|known| known == name) {
            return None;
        }
        let via = fields.next()?;
        let via = *Via::ALL.iter().find(|known| known.name().as_bytes() == via)?;
        let traits = fields.next()?;
        Some(Self {
            via,
            payload: items(traits).next()?,
            traits,
            valued: fields.next()?,
            code: fields.next()?,
        })
    }

    /// Whether it does nothing but run the other command.
    pub fn is_transparent(&self) -> bool {
        let here = matches!(self.via, Via::Wrapper | Via::Privilege | Via::Batch);
        let payload: [&[u8]; 8] =
            [b"argv", b"text", b"sub", b"@su", b"@command", b"@applet", b"@watch", b"@xargs"];
        here && !self.is("own") && payload.contains(&self.payload)
    }

    /// Whether the third field has this item.
    pub fn is(&self, item: &str) -> bool {
        items(self.traits).skip(1).any(|known| known == item.as_bytes())
    }

    /// Whether the value of the option of this letter is the directory to run in.
    pub fn names_directory(&self, letter: u8) -> bool {
        items(self.traits).any(|item| item == [letter])
    }

    /// Number of operands before the command: the one item that is a digit.
    pub fn skipped(&self) -> u32 {
        items(self.traits)
            .skip(1)
            .find_map(|item| match item {
                [digit @ b'0'..=b'9'] => Some(u32::from(digit.wrapping_sub(b'0'))),
                _ => None,
            })
            .unwrap_or(0)
    }

    /// Whether the option of this letter has a value.
    pub fn letter_has_value(&self, letter: u8) -> bool {
        let letters = items(self.valued).next().and_then(|first| first.strip_prefix(b"-"));
        letters.is_some_and(|letters| letters.contains(&letter))
    }

    /// Whether the option of this long name has a value. Unambiguous beginnings count.
    pub fn name_has_value(&self, name: &[u8]) -> bool {
        items(self.valued).any(|known| known.first() != Some(&b'-') && known == name)
    }

    /// Whether the value of the option `name` (a letter, or a long name) is code; and if so,
    /// whether it is the first word of a command.
    pub fn is_code(&self, name: &[u8]) -> Option<bool> {
        items(self.code).filter(|known| !known.is_empty()).find_map(|known| {
            let (known, argv) = match known.strip_suffix(b"+") {
                Some(known) => (known, true),
                None => (known, false),
            };
            (known == name).then_some(argv)
        })
    }
}

/// The items of a field. (`str::split` leaves a panic path in the library, slices do not.)
fn items(field: &'static [u8]) -> impl Iterator<Item = &'static [u8]> {
    field.split(|byte| *byte == b' ')
}

/// 32-bit FNV-1a.
const fn hash(name: &[u8]) -> u32 {
    let mut value = 0x811c_9dc5_u32;
    let mut rest = name;
    while let Some((byte, tail)) = rest.split_first() {
        value = (value ^ *byte as u32).wrapping_mul(0x0100_0193);
        rest = tail;
    }
    value
}

/// Slots of the index: a power of two, more than twice as many as there are names.
const SLOTS: usize = 1024;

/// A slot without a name.
const EMPTY: u16 = u16::MAX;

/// A hash table with linear probing: where the line of a name starts, and what of the name's hash
/// the slot does not say.
static INDEX: [[u16; 2]; SLOTS] = index();

const fn tag_of(hash: u32) -> u16 {
    (hash >> 16) as u16
}

#[allow(
    clippy::indexing_slicing,
    reason = "runs only when this is compiled: out of range is an error there"
)]
const fn index() -> [[u16; 2]; SLOTS] {
    let table = TABLE.as_bytes();
    assert!(table.len() < EMPTY as usize, "offsets are 16 bits wide");
    let mut index = [[EMPTY, 0]; SLOTS];
    let (mut at, mut line, mut count, mut start) = (0, 0, 0, 0);
    let mut names = true;
    while at < table.len() {
        let byte = table[at];
        if names && (byte == b' ' || byte == b'|') {
            let (_, tail) = table.split_at(start);
            let (name, _) = tail.split_at(at - start);
            let hash = hash(name);
            let mut slot = hash as usize % SLOTS;
            while index[slot][0] != EMPTY {
                slot = (slot + 1) % SLOTS;
            }
            index[slot] = [line as u16, tag_of(hash)];
            count += 1;
            start = at + 1;
        }
        if byte == b'|' {
            names = false;
        }
        if byte == b'\n' {
            names = true;
            line = at + 1;
            start = at + 1;
        }
        at += 1;
    }
    assert!(count * 2 < SLOTS, "the index is too full: make it larger");
    index
}
