#!/usr/bin/env bash
# Programs for the tests that no Debian package installs, once, into <target>/programs: bun, from its
# npm package, and a shell, a toolbox and a language linked to musl, from Debian's sources as they
# were released. What cannot be had is said; the tests then skip its rows. Under CI that is an error.
set -euo pipefail
cd "$(dirname "$0")/.."
mkdir -p "${CARGO_TARGET_DIR:-target}/programs"
programs=$(realpath "${CARGO_TARGET_DIR:-target}/programs")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0

bun_version=1.4.5
# The package of the platform alone: nothing in it is run to install it.
bun() {
    local machine
    case $(uname -m) in x86_64) machine=x64 ;; aarch64) machine=aarch64 ;; *) return 1 ;; esac
    npm pack --silent "@oven/bun-linux-$machine@$bun_version" >/dev/null
    tar xzf oven-bun-*.tgz
    package/bin/bun --version >/dev/null
    install package/bin/bun "$programs/bun"
}

# Debian's package of sources, from the mirror that this machine installs from. Its lists are private,
# so that the machine's own sources stay as they are.
sources() {
    local uri key=/usr/share/keyrings/debian-archive-keyring.gpg
    . /etc/os-release
    uri=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' "Codename: $VERSION_CODENAME" | sort -u | head -n 1)
    mkdir -p "$work/apt/lists/partial"
    echo "deb-src [signed-by=$key] $uri $VERSION_CODENAME main" >"$work/apt/sources.list"
    chmod -R a+rX "$work"
    local options=(-qq -o Dir::Etc::sourcelist="$work/apt/sources.list" -o Dir::Etc::sourceparts=-
        -o Dir::State::lists="$work/apt/lists" -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache=
        -o APT::Sandbox::User=root)
    [ -e "$work/apt/updated" ] || apt-get "${options[@]}" update
    touch "$work/apt/updated"
    apt-get "${options[@]}" source --download-only "$1"
    tar xf "$1"_*.orig.tar.*
}

dash-musl() {
    sources dash
    cd dash-*/
    ./configure -q CC=musl-gcc CC_FOR_BUILD=cc CFLAGS='-O1 -w'
    make -s -j2
    install src/dash "$programs/dash-musl"
}

lua-musl() {
    sources lua5.4
    cd lua-*/src
    rm luac.c
    musl-gcc -O1 -w -DLUA_USE_POSIX -o "$programs/lua-musl" ./*.c -lm
}

busybox-musl() {
    sources busybox
    cd busybox-*/
    make -s allnoconfig
    local option
    for option in LFS ASH SH_IS_ASH ASH_ECHO ASH_PRINTF ASH_TEST ASH_CMDCMD ENV XARGS FIND \
        FEATURE_FIND_EXEC TIMEOUT NICE NOHUP SETSID AWK FEATURE_ALLOW_EXEC; do
        sed -i "s/^# CONFIG_$option is not set/CONFIG_$option=y/" .config
    done
    yes '' 2>/dev/null | make -s oldconfig || true
    # musl-gcc knows no headers of the kernel.
    mkdir "$work/kernel"
    ln -s /usr/include/{linux,asm-generic,mtd} "/usr/include/$(cc -print-multiarch)/asm" "$work/kernel/"
    make -s -j2 CC="musl-gcc -w -idirafter $work/kernel" HOSTCC=cc busybox
    install busybox "$programs/busybox-musl"
}

for name in bun dash-musl lua-musl busybox-musl; do
    [ ! -x "$programs/$name" ] || continue
    mkdir "$work/$name"
    # A subshell of its own, and no `if` around it: `set -e` shall hold inside.
    set +e
    (set -e; cd "$work/$name"; "$name") >"$work/$name.log" 2>&1
    status=$?
    set -e
    if [ "$status" -ne 0 ]; then
        echo "programs: no $name (exit status $status):" >&2
        tail -n 5 "$work/$name.log" >&2
        failed=1
    fi
done
[ -z "${CI:-}" ] || exit "$failed"
