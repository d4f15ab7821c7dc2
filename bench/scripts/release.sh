#!/usr/bin/env bash
# Builds, checks and packs a release of this project into dist/.
set -euo pipefail
cd "$(dirname "$0")"

name=report
version=$(sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml | head -n 1)
out=dist
stage=build/stage
log=build/release.log
platforms="linux-x86_64 linux-aarch64 macos-arm64"
quiet=0
keep=0

usage() {
    cat <<TEXT
usage: release.sh [-q] [-k] [version]
  -q  say only what fails
  -k  keep build/
TEXT
}

say() {
    if [ "$quiet" -eq 0 ]; then
        printf '%s %s\n' "$(date +%H:%M:%S)" "$*"
    fi
    printf '%s %s\n' "$(date +%FT%T)" "$*" >>"$log"
}

fail() {
    printf 'release: %s\n' "$*" >&2
    exit 1
}

need() {
    command -v "$1" >/dev/null 2>&1 || fail "$1 is missing"
}

while getopts qkh option; do
    case $option in
    q) quiet=1 ;;
    k) keep=1 ;;
    h)
        usage
        exit 0
        ;;
    *)
        usage >&2
        exit 2
        ;;
    esac
done
shift $((OPTIND - 1))

if [ $# -gt 0 ]; then
    version=$1
fi

case $version in
[0-9]*.[0-9]*.[0-9]*) ;;
*) fail "no version: $version" ;;
esac

need git
need python3
need tar
need sha256sum

mkdir -p build "$out" "$stage"
: >"$log"

say "release $name $version"

if [ -n "$(git status --porcelain)" ]; then
    fail "there are changes that are not committed"
fi

branch=$(git rev-parse --abbrev-ref HEAD)
commit=$(git rev-parse --short HEAD)
if [ "$branch" != main ]; then
    say "note: this is $branch, not main"
fi

# What the last release left.
rm -rf "$stage"
rm -f "$out/$name-$version"*.tar.gz "$out/$name-$version".sha256
mkdir -p "$stage/bin" "$stage/share/doc/$name" "$stage/share/man/man1"

say "checks"
python3 -m compileall -q src
python3 -m pytest -q tests >>"$log" 2>&1 || fail "tests have failed, see $log"
if command -v ruff >/dev/null 2>&1; then
    ruff check src tests >>"$log" 2>&1 || fail "ruff complains, see $log"
fi
if command -v mypy >/dev/null 2>&1; then
    mypy src >>"$log" 2>&1 || fail "mypy complains, see $log"
fi

say "changelog"
previous=$(git describe --tags --abbrev=0 2>/dev/null || echo "")
if [ -n "$previous" ]; then
    git log --no-merges --format='- %s (%h)' "$previous"..HEAD >build/changes.txt
else
    git log --no-merges --format='- %s (%h)' >build/changes.txt
fi
count=$(wc -l <build/changes.txt)
if [ "$count" -eq 0 ]; then
    fail "nothing has changed since $previous"
fi
{
    printf '# %s %s\n\n' "$name" "$version"
    printf 'Built from %s on %s.\n\n' "$commit" "$(date +%F)"
    grep -v -e '^- chore' -e '^- ci' build/changes.txt || true
} >"$stage/share/doc/$name/CHANGES.md"

say "files"
cp README.md LICENSE "$stage/share/doc/$name/"
cp -R src/"$name" "$stage/share/$name"
find "$stage/share/$name" -name '__pycache__' -type d -prune -exec rm -rf {} +
find "$stage/share/$name" -name '*.pyc' -delete

cat >"$stage/bin/$name" <<'SCRIPT'
#!/bin/sh
here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)
PYTHONPATH="$here/../share${PYTHONPATH:+:$PYTHONPATH}" exec python3 -m report "$@"
SCRIPT
chmod 755 "$stage/bin/$name"

if [ -f docs/report.1 ]; then
    sed "s/@VERSION@/$version/" docs/report.1 >"$stage/share/man/man1/$name.1"
    gzip -9n "$stage/share/man/man1/$name.1"
fi

say "archives"
export SOURCE_DATE_EPOCH
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
for platform in $platforms; do
    archive=$out/$name-$version-$platform.tar.gz
    tar --sort=name --owner=0 --group=0 --numeric-owner \
        --mtime="@$SOURCE_DATE_EPOCH" -C "$stage" -cf - . |
        gzip -9n >"$archive"
    size=$(wc -c <"$archive")
    if [ "$size" -lt 1024 ]; then
        fail "$archive is too small: $size bytes"
    fi
    say "  $archive: $size bytes"
done

say "checksums"
(
    cd "$out"
    sha256sum "$name-$version"-*.tar.gz >"$name-$version.sha256"
    sha256sum -c --quiet "$name-$version.sha256"
)

say "a look inside"
check=$(mktemp -d)
trap 'rm -rf "$check"' EXIT
first=$(printf '%s\n' $platforms | head -n 1)
tar -xzf "$out/$name-$version-$first.tar.gz" -C "$check"
for file in bin/$name share/doc/$name/LICENSE share/doc/$name/CHANGES.md; do
    if [ ! -s "$check/$file" ]; then
        fail "$file is not in the archive"
    fi
done
said=$("$check/bin/$name" --version 2>>"$log" || true)
if [ "$said" != "$name $version" ]; then
    say "note: it says: $said"
fi

say "summary"
{
    echo "version:  $version"
    echo "commit:   $commit"
    echo "previous: ${previous:-none}"
    echo "changes:  $count"
    echo "files:    $(find "$stage" -type f | wc -l)"
    du -sh "$out" | awk '{print "size:     " $1}'
} | tee build/summary.txt

if [ "$keep" -eq 0 ]; then
    rm -rf "$stage"
fi
say "done; next: git tag -s v$version, and upload $out/$name-$version*"
