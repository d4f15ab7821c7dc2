#!/bin/bash
# Installs the package, runs it, upgrades it under a running process, and purges it, in private copies of a root file system:
# of this machine's own /usr, /etc and /var, or of a root that debootstrap made. Nothing of it is left.
# usage: package.sh ROOT OLD.deb NEW.deb      ROOT: / or a directory. Prints what happened, one line each.
set -euo pipefail
root=$(realpath "$1") old=$(realpath "$2") new=$(realpath "$3")
if [ "${4:-}" != inside ]; then
    exec unshare --pid --fork --kill-child=KILL --mount --mount-proc --net --ipc \
        /bin/bash "$(realpath "$0")" "$root" "$old" "$new" inside
fi
mount --make-rprivate /
stage=$(mktemp -d /tmp/stage.XXXXXX)
mount -t tmpfs tmpfs "$stage"
cp "$old" "$stage/old.deb"
cp "$new" "$stage/new.deb"
over() { # directory, where to
    local name=${1//\//-}
    mkdir -p "$stage/up$name" "$stage/work$name"
    mount -t overlay overlay -o "lowerdir=$1,upperdir=$stage/up$name,workdir=$stage/work$name" "$2"
}
if [ "$root" = / ]; then
    for dir in /usr /etc /var /root; do over "$dir" "$dir"; done
    mount -t tmpfs tmpfs /run
    inside=("$BASH")
    at=$stage
else
    mkdir "$stage/root"
    over "$root" "$stage/root"
    mount -t proc proc "$stage/root/proc"
    mount --bind /dev "$stage/root/dev"
    mount -t tmpfs tmpfs "$stage/root/run"
    mkdir "$stage/root/packages"
    mount --bind "$stage" "$stage/root/packages"
    inside=(chroot "$stage/root" /bin/bash)
    at=/packages
fi
exec env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive \
    "${inside[@]}" -s "$at" <<'SCENARIO'
at=$1
cd /
library=/usr/lib/rampart/librampart.so
dpkg -i "$at/old.deb" >"$at/log" 2>&1 || { cat "$at/log"; exit 1; }
echo "installed: $(dpkg-query -W -f '${Version} ${Status}' rampart)"
echo "user: $(getent passwd rampart | cut -d: -f 1)"
stat -c '%n %U %a' /etc/rampart/system.img /var/lib/rampart /var/spool/rampart "$library"
# The standard policy denies to make a file system; this one has nowhere to be. The text comes on standard input, so that
# the program's start is what is judged.
echo "guards: $(LD_PRELOAD=$library bash 2>&1 <<<'/sbin/mkfs.ext4 /dev/no-such-disk' | grep -c '^rampart: denied')"
echo "checks: $(rampart check -- mkfs.ext4 /dev/sda | head -n 1 | cut -d: -f 1)"
man=/usr/share/man/man1/rampart-run.1.gz
echo "manual: $([ -e /etc/dpkg/dpkg.cfg.d/docker ] || zcat "$man" | head -n 3 | grep -c rampart)"
# A policy of the machine that came after its image: doctor finds it, and root's doctor mends it.
cat >/etc/rampart/policy.d/late.yaml <<'POLICY'
version: "1"
policies: [{name: late, rules: [{name: rule, action: deny, when: {program: [rt-late]}}]}]
POLICY
machine() { "$@" --json | tr '{' '\n' | sed -n 's/.*"name":"machine","state":"\([a-z]*\)","text":"\([^"]*\)".*/\1 \2/p'; }
echo "stale: $(machine rampart doctor | grep -q '^failed .*doctor --fix' && echo FAILED)"
cp /etc/rampart/system.img "$at/stale.img"
echo "mended: $(machine rampart doctor --fix | sed -n 's/^ok //p')"
echo "then: $(machine rampart doctor | cut -d' ' -f 1), $(rampart check -- rt-late | head -n 1 | cut -d: -f 1)"
cp "$at/stale.img" /etc/rampart/system.img
echo "not mended by a user: $(machine setpriv --reuid 4242 --regid 4242 --clear-groups env HOME=/nonexistent rampart doctor --fix |
    grep -q '^failed' && cmp -s "$at/stale.img" /etc/rampart/system.img && echo FAILED)"
# A process that runs on while the library is replaced, and tries something before and after.
mkfifo "$at/go"
LD_PRELOAD=$library bash >"$at/told" 2>&1 <<RUNNER &
read -r _ <"$at/go"
/sbin/mkfs.ext4 /dev/no-such-disk
/bin/true
echo "\$?"
RUNNER
runner=$!
for _ in $(seq 500); do grep -q librampart "/proc/$runner/maps" && break; sleep 0.02; done
before=$(stat -c %i "$library")
dpkg -i "$at/new.deb" >"$at/log" 2>&1 || { cat "$at/log"; exit 1; }
echo "upgraded: $(dpkg-query -W -f '${Version}' rampart), $([ "$before" != "$(stat -c %i "$library")" ] && echo 'another file')"
echo "in use: $(rampart uninstall --prefix /usr --dry-run 2>&1 | grep -c '^in use by')"
grep -q 'librampart.so.*(deleted)' "/proc/$runner/maps" && echo "the old library is mapped still"
echo >"$at/go"
wait "$runner"
echo "after the upgrade: $(grep -c '^rampart: denied' "$at/told"), $(tail -n 1 "$at/told")"
dpkg -P rampart >"$at/log" 2>&1 || { cat "$at/log"; exit 1; }
left=$(find /usr /etc /var /run -xdev -name '*rampart*' ! -path '/var/lib/dpkg/*' ! -path '/var/tmp/*')
echo "left: ${left:-nothing}"
echo "user left: $(getent passwd rampart | wc -l)"
SCENARIO
