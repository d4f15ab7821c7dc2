#!/usr/bin/env bash
# The library and the command for AArch64: they build, the library passes the gate, its entry stubs (the variadic functions,
# syscall, the stub for denied programs, what programs do themselves) and the command's verdicts work under qemu-user. What is not installed is skipped
# with a line. qemu-user executes a started AArch64 program only with binfmt_misc, so the calls
# here replace the process: a denied one returns EPERM.
set -euo pipefail
cd "$(dirname "$0")/.."
skip() { echo "aarch64: skipped: $1"; exit 0; }
triple=aarch64-unknown-linux-gnu
command -v aarch64-linux-gnu-gcc >/dev/null || skip "no aarch64-linux-gnu-gcc (Debian: gcc-aarch64-linux-gnu)"
command -v qemu-aarch64 >/dev/null || skip "no qemu-aarch64 (Debian: qemu-user)"
[ -d "$(rustc --print sysroot)/lib/rustlib/$triple" ] || skip "no Rust target (rustup target add $triple)"

export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=aarch64-linux-gnu-gcc
cargo build --quiet --profile preload -p preload --target "$triple"
target=${CARGO_TARGET_DIR:-target}
lib=$(realpath "$target/$triple/preload/librampart_preload.so")
.ci/symbols.sh "$lib"

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
aarch64-linux-gnu-gcc -O1 -w -o "$dir/launch" tests/probes/launch.c
aarch64-linux-gnu-gcc -O1 -w -o "$dir/mark" tests/probes/mark.c
export QEMU_LD_PREFIX=/usr/aarch64-linux-gnu
fail=0
bad() { echo "aarch64: $*" >&2; fail=1; }

status=0
line=$(qemu-aarch64 "$lib" 'a line' 2>&1) || status=$?
[ "$line/$status" = 'a line/126' ] || bad "the stub printed '$line' and exited $status"

# The standard policy denies to make a file system; the program of that name only leaves a file.
cp "$dir/mark" "$dir/mkfs.ext4"
for route in execve execv execvp execl execlp execle execl-9 execle-9 fexecve syscall syscall-execveat; do
    out=$(cd "$dir" && PATH="$dir:$PATH" qemu-aarch64 -E LD_PRELOAD="$lib" -E HOME="$dir" \
        ./launch "$route" "$dir/mkfs.ext4" /dev/no-such-disk 2>"$dir/err") || true
    [ "$out" = 'errno 1' ] || bad "$route: expected errno 1, got '$out'"
    grep -q '^rampart: denied: ' "$dir/err" || bad "$route: no denial: $(head -c 200 "$dir/err")"
done

# The command: without optimisation and debug information, which is what takes the time.
CARGO_INCREMENTAL=0 CARGO_PROFILE_DEV_DEBUG=0 cargo build --quiet -p rampart --target "$triple" \
    --config profile.dev.package.oxc_parser.opt-level=0 --config profile.dev.package.ruff_python_parser.opt-level=0
rampart() { qemu-aarch64 -E HOME="$dir" "$target/$triple/debug/rampart" "$@"; }
version=$(rampart --version) || bad "rampart --version exited $?"
[ "$version" = "rampart $(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)" ] || bad "rampart --version: '$version'"
for case in 'deny:mkfs.ext4 /dev/sda' "deny:bash -c 'x=rm; \$x -r --force /'" "allow:echo 'rm -rf /'"; do
    said=$(rampart check --profile standard --shell "${case#*:}" | head -n 1) || true
    [ "${said%%:*}" = "${case%%:*}" ] || bad "check of ${case#*:}: $said"
done

# What a program does itself, against a rule on it. This kernel's openat2(2) is qemu's to know.
cat >"$dir/sealed.yaml" <<'EOF'
version: "1"
default_action: allow
policies:
  - name: sealed
    match: {tool: [read, write, delete], by: program}
    rules: [{name: vault, action: deny, when: {path_matches: ["**/vault/**"]}}]
  - name: near
    match: {tool: [connect], by: program}
    rules: [{name: port, action: deny, when: {url_matches: ["socket://127.0.0.1:9"]}}]
EOF
rampart policy compile -o "$dir/sealed.img" "$dir/sealed.yaml" >/dev/null || bad "the policy was not compiled"
aarch64-linux-gnu-gcc -O1 -w -o "$dir/operations" tests/probes/operations.c
mkdir "$dir/vault" "$dir/free"
echo secret | tee "$dir/vault/file" >"$dir/free/file"
operation() {
    (cd "$dir" && qemu-aarch64 -E LD_PRELOAD="$lib" -E HOME="$dir" -E RAMPART_IMAGE="$dir/sealed.img" \
        ./operations "$@" 2>"$dir/err") || true
}
for case in open openat fopen open-write truncate chmod mkdir syscall-openat rename unlink; do
    path=file
    [ "$case" != mkdir ] || path=new
    out=$(operation "$case" "$dir/vault/$path" "$dir/moved")
    [ "$out" = 'Permission denied' ] || bad "$case: expected a denial, got '$out'"
    grep -q '^rampart: denied: ' "$dir/err" || bad "$case: no denial: $(head -c 200 "$dir/err")"
    out=$(operation "$case" "$dir/free/$path" "$dir/moved" | tail -n 1)
    [ "$out" = ok ] || bad "$case: expected ok, got '$out' $(head -c 200 "$dir/err")"
    echo secret >"$dir/free/file"
done
[ "$(cat "$dir/vault/file")" = secret ] || bad "the sealed file was changed"
out=$(operation connect 9)
[ "$out" = 'Permission denied' ] || bad "connect: expected a denial, got '$out'"
out=$(operation connect 10)
[ "$out" = 'Connection refused' ] || bad "connect: expected the kernel's answer, got '$out'"
[ "$fail" -ne 0 ] || echo "aarch64: built, sound, entry stubs and verdicts work under qemu-user"
exit "$fail"
