#!/usr/bin/env bash
# Makes the Debian package from built binaries, by dpkg-deb alone: the same input gives the same bytes.
# usage: packaging/deb.sh BINARY LIBRARY OUTPUT_DIRECTORY [VERSION]
set -euo pipefail
cd "$(dirname "$0")/.."
binary=$(realpath "$1") library=$(realpath "$2") output=$(realpath "$3")
version=${4:-$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)}
export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || echo 0)}
# Whoever gives the package out; the name of nobody stands in it by default.
maintainer=${DEB_MAINTAINER:-The Rampart authors <maintainers@rampart.example>}
arch=$(dpkg --print-architecture)
stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT
root=$stage/root
doc=$root/usr/share/doc/rampart
umask 022

install -D -m 755 "$binary" "$root/usr/bin/rampart"
# Executable: the library is also the program that stands in for a denied one.
install -D -m 755 "$library" "$root/usr/lib/rampart/librampart.so"
strip --strip-unneeded "$root/usr/bin/rampart" "$root/usr/lib/rampart/librampart.so"
for unit in packaging/systemd/*; do
    install -D -m 644 "$unit" "$root/lib/systemd/system/$(basename "$unit")"
done
install -D -m 644 packaging/sysusers.d/rampart.conf "$root/usr/lib/sysusers.d/rampart.conf"
install -D -m 644 packaging/tmpfiles.d/rampart.conf "$root/usr/lib/tmpfiles.d/rampart.conf"
install -d "$root/etc/rampart/policy.d"

mkdir -p "$root/usr/share/man/man1"
"$binary" manual "$root/usr/share/man/man1"
gzip -9n "$root"/usr/share/man/man1/*
completion() { # shell, file
    mkdir -p "$(dirname "$root/$2")"
    "$binary" completions "$1" >"$root/$2"
}
completion bash usr/share/bash-completion/completions/rampart
completion zsh usr/share/zsh/vendor-completions/_rampart
completion fish usr/share/fish/vendor_completions.d/rampart.fish

mkdir -p "$doc" "$root/usr/share/lintian/overrides"
cp packaging/deb/copyright "$doc/copyright"
gzip -9nc CHANGELOG.md >"$doc/changelog.gz"
printf 'rampart (%s-1) unstable; urgency=medium\n\n  * See changelog.gz.\n\n -- %s  %s\n' "$version" \
    "$maintainer" "$(date -Ru -d "@$SOURCE_DATE_EPOCH")" |
    gzip -9nc >"$doc/changelog.Debian.gz"
cp docs/*.md "$doc/"
cp packaging/deb/lintian-overrides "$root/usr/share/lintian/overrides/rampart"

mkdir -p "$root/DEBIAN"
for script in postinst prerm postrm; do
    install -m 755 "packaging/deb/$script" "$root/DEBIAN/$script"
done
# What the binary takes from libc, by the highest version that it names.
glibc=$(readelf -VW "$binary" | grep -o 'GLIBC_2\.[0-9]*' | sort -uV | tail -n 1)
cat >"$root/DEBIAN/control" <<CONTROL
Package: rampart
Version: $version-1
Architecture: $arch
Maintainer: $maintainer
Installed-Size: $(du -sk --apparent-size "$root" | cut -f 1)
Depends: libc6 (>= ${glibc#GLIBC_}), libgcc-s1, passwd
Section: admin
Priority: optional
Description: policy engine that checks the commands of AI agents
 Every command that an agent's process tree starts is checked against a policy
 before it runs: by an interposed library, by the kernel where that is wanted,
 and by a service that asks a person where the policy says so.
CONTROL
(cd "$root" && find . -type f ! -path './DEBIAN/*' -printf '%P\0' | sort -z | xargs -0 md5sum >DEBIAN/md5sums)
find "$root" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
dpkg-deb --root-owner-group -Z"${DEB_COMPRESSION:-xz}" --build "$root" "$output/rampart_$version-1_$arch.deb" >/dev/null
echo "$output/rampart_$version-1_$arch.deb"
