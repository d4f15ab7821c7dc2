#!/usr/bin/env bash
# Installs what the tests need: by apt as root, else says exactly what is missing; then programs
# that no package installs (programs.sh).
set -euo pipefail
cd "$(dirname "$0")"
need=(gcc:gcc make:make python3:python3 git:git dash:dash bash:bash zsh:zsh busybox:busybox-static
    musl-gcc:musl-tools perl:perl sqlite3:sqlite3 strace:strace gdb:gdb readelf:binutils valgrind:valgrind
    unshare:util-linux node:nodejs npm:npm tclsh:tcl lua:lua5.4 ruby:ruby tmux:tmux awk:mawk php:php-cli xxd:xxd
    rsyslogd:rsyslog openssl:openssl javac:default-jdk-headless go:golang-go sudo:sudo bwrap:bubblewrap chromium:chromium bzip2:bzip2 rsync:rsync curl:curl setcap:libcap2-bin systemctl:systemd runc:runc
    debootstrap:debootstrap lintian:lintian dpkg-deb:dpkg
    aarch64-linux-gnu-gcc:gcc-aarch64-linux-gnu qemu-aarch64:qemu-user)
missing=()
for pair in "${need[@]}"; do
    command -v "${pair%%:*}" >/dev/null 2>&1 || missing+=("${pair##*:}")
done
# Holds policies against the JSON Schema.
/usr/bin/python3 -W ignore -c 'import jsonschema' 2>/dev/null || missing+=(python3-jsonschema)
# What `pip install` of a local package takes; Debian splits it off Python.
/usr/bin/python3 -c 'import ensurepip, setuptools, wheel' 2>/dev/null ||
    missing+=(python3-venv python3-setuptools python3-wheel)
# Libraries that are preloaded beside ours.
for pair in libjemalloc.so.2:libjemalloc2 libeatmydata.so:libeatmydata1; do
    LD_PRELOAD=${pair%%:*} /bin/true 2>&1 | grep -q . && missing+=("${pair##*:}")
done
[ -n "$(ls /usr/lib/*/rsyslog/lmnsd_ossl.so 2>/dev/null)" ] || missing+=(rsyslog-openssl)
[ -e /usr/aarch64-linux-gnu/include/stdio.h ] || missing+=(libc6-dev-arm64-cross)
# The library is built for AArch64 too; without the target (no rustup, no network) that is skipped.
if command -v rustup >/dev/null 2>&1 && ! rustup target list --installed | grep -qx aarch64-unknown-linux-gnu; then
    rustup target add aarch64-unknown-linux-gnu >/dev/null 2>&1 || true
fi
add() {
    [ $# -ne 0 ] || return 0
    if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null 2>&1; then
        echo "the tests need these Debian packages: $*" >&2
        echo "install them: sudo apt-get install $*" >&2
        exit 1
    fi
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq || true
    apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}
add "${missing[@]}"
# Programs of 32 bits. Not gcc-multilib: it excludes the compiler for AArch64.
if [ "$(uname -m)" = x86_64 ] && ! echo 'int main(void) { return 0; }' | cc -m32 -xc -o /dev/null - 2>/dev/null; then
    add libc6-dev-i386 "lib32gcc-$(cc -dumpversion | cut -d. -f1)-dev"
fi
./programs.sh
./roots.sh
# What reads our formats independently of us.
python=${CARGO_TARGET_DIR:-../target}/python
if ! "$python/bin/python3" -c 'import pycef, opentelemetry.proto.collector.logs.v1.logs_service_pb2' 2>/dev/null; then
    /usr/bin/python3 -m venv "$python" && "$python/bin/pip" install -q pycef==1.11 opentelemetry-proto==1.45.2 ||
        echo "pycef and opentelemetry-proto could not be installed: the tests with them are skipped" >&2
fi
# Says whether what packaging/sbom.py writes is CycloneDX.
"$python/bin/python3" -c 'import cyclonedx.validation.json, jsonschema' 2>/dev/null ||
    "$python/bin/python3" -m pip install -q 'cyclonedx-python-lib[json-validation]==11.12.0' ||
    echo "cyclonedx-python-lib could not be installed: the test with it is skipped" >&2
# Two public MCP servers, and the protocol's own SDK to drive them.
mcp=${CARGO_TARGET_DIR:-../target}/mcp
if [ ! -d "$mcp/node_modules/@modelcontextprotocol/server-everything" ] && command -v npm >/dev/null 2>&1; then
    mkdir -p "$mcp"
    npm install --silent --no-audit --no-fund --ignore-scripts --prefix "$mcp" @modelcontextprotocol/sdk@1.32.2 \
        @modelcontextprotocol/server-filesystem@2026.8.31 @modelcontextprotocol/server-everything@2026.8.31 >/dev/null ||
        echo "the MCP servers could not be installed: the tests with them are skipped" >&2
fi
# Makes requests from the HTTP API's own document.
[ -x "$python/bin/schemathesis" ] || "$python/bin/pip" install -q schemathesis==4.32.5 ||
    echo "schemathesis could not be installed: the test with it is skipped" >&2
