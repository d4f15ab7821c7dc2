#!/usr/bin/env bash
# What makes the tests of the packages whole, and takes too long for CI: lintian, and a root file system (Debian's smallest by
# debootstrap, a minute and a half), once, into <target>/roots. The tests say that they skip what is missing.
set -euo pipefail
cd "$(dirname "$0")/.."
command -v lintian >/dev/null || apt-get install -y -qq --no-install-recommends lintian >/dev/null
root=${CARGO_TARGET_DIR:-target}/roots/glibc
[ ! -e "$root/etc/debian_version" ] || exit 0
command -v debootstrap >/dev/null || apt-get install -y -qq --no-install-recommends debootstrap
. /etc/os-release
uri=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' "Codename: $VERSION_CODENAME" | sort -u | head -n 1)
mkdir -p "$(dirname "$root")"
debootstrap --variant=minbase "$VERSION_CODENAME" "$root.new" "$uri"
mv "$root.new" "$root"
