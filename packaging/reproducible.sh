#!/usr/bin/env bash
# Builds the library twice, in directories of different names, and compares the bytes. Paths of the machine are replaced:
# the compiler writes them into what it makes.
set -euo pipefail
cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for name in one another-and-longer; do
    mkdir -p "$work/$name"
    git archive HEAD | tar x -C "$work/$name"
    (
        cd "$work/$name"
        export CARGO_TARGET_DIR=$work/$name/target
        export RUSTFLAGS="--remap-path-prefix=$work/$name=/build --remap-path-prefix=${CARGO_HOME:-$HOME/.cargo}=/cargo"
        cargo build --quiet --locked --profile preload -p preload
        strip --strip-unneeded target/preload/librampart_preload.so
    )
    sha256sum <"$work/$name/target/preload/librampart_preload.so" | tee "$work/$name.sum"
done
cmp "$work"/*.sum && echo "reproducible: the same bytes"
