#!/bin/sh
# Runs every script of DIR/scripts in a throw-away root, each under the library and in an empty
# directory of its own. To be started in new user, mount, pid and network namespaces:
#   jail.sh DIR LIBRARY SHELL...
# DIR/audit/NAME gets what the library records; DIR/programs holds what stands in for programs.
set -eu
dir=$1 library=$2
shift 2
root=$dir/root
mkdir -p "$root"
mount -t tmpfs tmpfs "$root"
cd "$root"
mkdir -p usr etc dev proc tmp root home/u scripts audit programs lib-rampart work
bind() { # what, where: read-only
    mount --rbind "$1" "$2"
    mount -o remount,bind,ro "$2" 2>/dev/null || mount -o remount,bind,ro,nosuid,nodev "$2"
}
bind /usr usr
for name in bin sbin lib lib32 lib64 libx32; do
    if [ -L "/$name" ]; then
        cp -P "/$name" "$name"
    elif [ -d "/$name" ]; then
        mkdir "$name"
        bind "/$name" "$name"
    fi
done
for name in ld.so.cache alternatives passwd group; do
    [ -e "/etc/$name" ] && cp -a "/etc/$name" etc/
done
for name in null zero urandom; do
    : > "dev/$name"
    mount --bind "/dev/$name" "dev/$name"
done
ln -s /proc/self/fd dev/fd
for fd in 0:stdin 1:stdout 2:stderr; do ln -s "fd/${fd%%:*}" "dev/${fd#*:}"; done
mkdir dev/pts
mount -t devpts -o newinstance,ptmxmode=0666 devpts dev/pts && ln -s pts/ptmx dev/ptmx
mount -t proc proc proc
mount --bind "$dir/scripts" scripts
mount --bind "$dir/audit" audit
mount --bind "$dir/programs" programs
: > lib-rampart/librampart.so
mount --bind "$library" lib-rampart/librampart.so
exec chroot "$root" /bin/sh -eu -c '
    PATH=/usr/bin:/bin
    for script in /scripts/*; do
        name=${script##*/}
        cd /
        rm -rf /work
        mkdir /work "/audit/$name"
        cp -a /programs/fixture.sh /work/
        cd /work
        timeout -s KILL 10 env -i PATH=/programs:/usr/bin:/bin HOME=/home/u LC_ALL=C.UTF-8 \
            RAMPART_MODE=monitor RAMPART_AUDIT_DIR="/audit/$name" \
            LD_PRELOAD=/lib-rampart/librampart.so \
            "$@" -c "$(cat "$script")" </dev/null >/dev/null 2>"/audit/$name.err" || :
    done' sh "$@"
