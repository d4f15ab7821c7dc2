#!/usr/bin/env bash
# Makes the tarball for any Linux: a static rampart, the library, manual pages and completions. Sorted, without times and
# owners, so that the same binaries give the same bytes.
# usage: packaging/tarball.sh STATIC_BINARY LIBRARY OUTPUT_DIRECTORY
set -euo pipefail
cd "$(dirname "$0")/.."
binary=$(realpath "$1") library=$(realpath "$2") output=$(realpath "$3")
if readelf -lW "$binary" | grep -q INTERP; then
    echo "tarball: $binary is not static" >&2
    exit 1
fi
version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
name=rampart-$version-$(uname -m)-linux
stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT
umask 022
root=$stage/$name
install -D -m 755 "$binary" "$root/bin/rampart"
install -D -m 755 "$library" "$root/lib/rampart/librampart.so"
strip --strip-unneeded "$root/bin/rampart" "$root/lib/rampart/librampart.so"
mkdir -p "$root/share/man/man1" "$root/share/completions"
"$binary" manual "$root/share/man/man1"
for shell in bash zsh fish; do
    "$binary" completions "$shell" >"$root/share/completions/rampart.$shell"
done
cp -r packaging/systemd "$root/share/systemd"
cp LICENSE README.md CHANGELOG.md "$root/"
tar --sort=name --owner=0 --group=0 --numeric-owner --mtime="@${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}" \
    -C "$stage" -cf - "$name" | xz -1 >"$output/$name.tar.xz"
echo "$output/$name.tar.xz"
