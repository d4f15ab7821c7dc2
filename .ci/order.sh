#!/usr/bin/env bash
# The gate on rampart/order.ld: the functions that answer calls lie in a row only as long as its lines name functions. One that
# fits none costs part of a microsecond, many cost what the file is for. `bench order` makes it anew.
# Usage: .ci/order.sh [FILE]; by default the command that `make build` built.
set -euo pipefail
cd "$(dirname "$0")/.."
command=${1:-${CARGO_TARGET_DIR:-target}/release/rampart}
if [ ! -f "$command" ]; then
    echo "order: $command does not exist; run \`make build\` first" >&2
    exit 2
fi
if [ "$(uname -m)" != x86_64 ]; then
    echo "order: rampart/order.ld is for x86_64 alone"
    exit 0
fi
export LC_ALL=C
names=$(mktemp)
trap 'rm -f "$names"' EXIT
nm "$command" | awk '$2 ~ /[tT]/ { print $3 }' >"$names"
lines=0
lost=()
while read -r pattern; do
    lines=$((lines + 1))
    # A pattern of the linker, as a regular expression.
    expression=$(sed 's/[.$+^[]/\\&/g; s/\*/.*/g; s/?/./g' <<<"$pattern")
    grep -qx -- "$expression" "$names" || lost+=("$pattern")
done < <(sed -n 's/^ *\*(\.text\.\(.*\))$/\1/p' rampart/order.ld)
if [ "$lines" -eq 0 ] || [ $((${#lost[@]} * 10)) -gt "$lines" ]; then
    echo "order: ${#lost[@]} of $lines lines of rampart/order.ld fit no function of $command; make it anew: bench order target/release/librampart.so > rampart/order.ld" >&2
    printf '    %s\n' "${lost[@]}" >&2
    exit 1
fi
echo "order: ${#lost[@]} of $lines lines fit no function"
