#!/bin/bash
# Boots systemd as process 1 of namespaces of its own, with private copies of /usr, /etc and /var above the
# machine's (overlays in memory) and a private /tmp and /run: whatever it does, nothing of it is left.
# usage: nested-systemd.sh RAMPART LIBRARY RESULTS      RESULTS gets what the scenario finds; `done` at its end
set -euo pipefail
rampart=$1 library=$2 results=$3 here=$(dirname "$(realpath "$0")")
if [ "${4:-}" != inside ]; then
    exec unshare --pid --fork --kill-child=KILL --mount --mount-proc --net --uts --ipc --cgroup \
        /bin/bash "$(realpath "$0")" "$rampart" "$library" "$results" inside
fi
mount --make-rprivate /
stage=$(mktemp -d /tmp/stage.XXXXXX)
mount -t tmpfs tmpfs "$stage"
mkdir "$stage/results" "$stage/files"
mount --bind "$results" "$stage/results"
cp "$rampart" "$stage/files/rampart"
cp "$library" "$stage/files/librampart.so"
cp "$here"/nested-systemd/* "$stage/files/"
cp -r "$here/../../packaging" "$stage/files/"
for dir in usr etc var root; do
    mkdir -p "$stage/$dir/up" "$stage/$dir/work"
    mount -t overlay overlay -o "lowerdir=/$dir,upperdir=$stage/$dir/up,workdir=$stage/$dir/work" "/$dir"
done
mkdir -p /var/results /var/lib/rampart-test
mount --move "$stage/results" /var/results
mount --bind "$stage/files" /var/lib/rampart-test
# The stage itself goes out of sight with it: it holds nothing but what is mounted elsewhere now.
mount -t tmpfs tmpfs /tmp
mount -t tmpfs tmpfs /run
mount -t tmpfs -o mode=755 tmpfs /home
mount -t tmpfs -o mode=1777 tmpfs /dev/shm
mount -t cgroup2 none /sys/fs/cgroup
mount -t tmpfs tmpfs /etc/systemd/system
rm -rf /etc/rampart /var/lib/rampart
bash /var/lib/rampart-test/prepare.sh
# As systemd finds a machine's: what it mounts for a service's credentials comes in from another namespace.
mount --make-rshared /
touch /var/results/booting
export container=rampart
exec /lib/systemd/systemd --system --unit=scenario.target --log-target=console --show-status=no \
    </dev/null >/var/results/systemd.log 2>&1
