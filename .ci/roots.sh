#!/usr/bin/env bash
# A root file system of Debian's own, its smallest by debootstrap, once, into <target>/roots/glibc: containers and the package
# are tried in it. It is made in memory: dpkg waits for the disk at every file. Where it cannot be had that is said, and the
# tests skip it.
set -euo pipefail
cd "$(dirname "$0")/.."
root=${CARGO_TARGET_DIR:-target}/roots/glibc
[ ! -e "$root/etc/debian_version" ] || exit 0
skip() {
    echo "roots: no root by debootstrap: $1" >&2
    exit 0
}
[ "$(id -u)" -eq 0 ] || skip "it needs root"
command -v debootstrap >/dev/null || skip "debootstrap is not installed"
. /etc/os-release
uri=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' "Codename: $VERSION_CODENAME" | sort -u | head -n 1)
mkdir -p "$(dirname "$root")"
rm -rf "$root.new"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# A mount that goes with its namespace.
unshare --mount bash -euo pipefail -c '
    mount -t tmpfs -o mode=755 tmpfs "$1"
    debootstrap --variant=minbase "$2" "$1" "$3" >"$4" 2>&1 || { tail -n 5 "$4" >&2; exit 1; }
    rm -rf "$1"/var/cache/apt/archives/*.deb "$1"/var/lib/apt/lists/*
    cp -a "$1" "$5"
' - "$work" "$VERSION_CODENAME" "$uri" "$root.log" "$root.new" || skip "it failed, see $root.log"
mv "$root.new" "$root"
