#!/bin/bash
# What docs/deployment.md says of sudo and of /etc/ld.so.preload, tried in private copies of this machine's /usr and /etc.
# usage: recipes.sh LIBRARY SUDO_ENV      SUDO_ENV: the line of the document for sudo's file. Prints what happened.
set -euo pipefail
library=$(realpath "$1") line=$2
if [ "${3:-}" != inside ]; then
    exec unshare --pid --fork --kill-child=KILL --mount --mount-proc --net --uts --ipc /bin/bash "$(realpath "$0")" "$library" "$line" inside
fi
mount --make-rprivate /
stage=$(mktemp -d /tmp/stage.XXXXXX)
mount -t tmpfs tmpfs "$stage"
for dir in usr etc; do
    mkdir -p "$stage/$dir/up" "$stage/$dir/work"
    mount -t overlay overlay -o "lowerdir=/$dir,upperdir=$stage/$dir/up,workdir=$stage/$dir/work" "/$dir"
done
mount -t tmpfs tmpfs /run
export PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8
own=/usr/lib/rampart/librampart.so
install -D -m 755 "$library" "$own"
# The standard policy denies to make a file system; this one has nowhere to be, and needs no program of that name.
printf '#!/bin/sh\necho mkfs ran\n' >/usr/sbin/mkfs.ext4
chmod 755 /usr/sbin/mkfs.ext4
try() { # a command that starts a shell: what came of it
    local said
    said=$("$@" <<<'mkfs.ext4 /dev/no-such-disk' 2>&1) || true
    case $said in
    *'rampart: denied'*) echo denied ;;
    *'mkfs ran'*) echo ran ;;
    *) echo "neither: $said" ;;
    esac
}
if command -v sudo >/dev/null; then
    rm -rf /etc/sudoers.d
    printf 'Defaults secure_path=%s\nnobody ALL=(ALL) NOPASSWD: NOSETENV: ALL\n' "$PATH" >/etc/sudoers
    chmod 440 /etc/sudoers
    user() { setpriv --reuid nobody --regid nogroup --clear-groups "$@"; }
    echo "sudo: $(try user sudo -n sh)"
    mkdir -p /etc/rampart
    echo "$line" >/etc/rampart/sudo.env
    chmod 644 /etc/rampart/sudo.env
    echo 'Defaults env_file=/etc/rampart/sudo.env' >>/etc/sudoers
    echo "sudo with env_file: $(try user sudo -n sh)"
    echo "another value on its line: $(user sudo -n LD_PRELOAD= sh -c 'echo ran' 2>/dev/null || echo refused)"
else
    echo "no sudo"
fi
echo "env -i: $(try env -i "PATH=$PATH" sh)"
echo "$own" >/etc/ld.so.preload
echo "env -i with ld.so.preload: $(try env -i "PATH=$PATH" sh)"
# The administrator's own tools are guarded now: the static ones are not.
busybox mv "$own" "$own.away"
echo "its library is missing: $(sh -c 'echo works' 2>/dev/null)"
busybox mv "$own.away" "$own"
busybox rm /etc/ld.so.preload
echo "env -i after the way out: $(try env -i "PATH=$PATH" sh)"
