#!/usr/bin/env bash
# Builds a C project over and over, bare and under the library with a daemon and its audit log in turns, and
# prints what that costs, and whether the daemon grows or an event is missing. Every build starts as many programs
# as the first one did, so every build has to leave as many events.
# Usage: bench/soak.sh PROJECT [MINUTES]   PROJECT: a configured source tree with a Makefile; `make build` first
set -euo pipefail
cd "$(dirname "$0")/.."
project=${1:?usage: bench/soak.sh PROJECT [MINUTES]}
minutes=${2:-30}
target=${CARGO_TARGET_DIR:-target}
rampart=$(realpath "$target/release/rampart")
work=$(mktemp -d)
mkdir "$work/home"
export HOME="$work/home" XDG_STATE_HOME="$work/state" XDG_RUNTIME_DIR="$work/run"
mkdir -p "$XDG_RUNTIME_DIR"
chmod 700 "$XDG_RUNTIME_DIR"
"$rampart" serve --profile standard 2>"$work/serve.log" &
daemon=$!
trap 'kill $daemon 2>/dev/null; wait $daemon 2>/dev/null; rm -rf "$work"' EXIT
for _ in $(seq 100); do [ -S "$XDG_RUNTIME_DIR/rampart/evaluator.sock" ] && break; sleep 0.1; done

build() { # what comes before make
    make -C "$project" -s clean >"$work/clean.log" 2>&1 || { tail -5 "$work/clean.log" >&2; exit 1; }
    local start=$EPOCHREALTIME
    "$@" make -C "$project" -s -j2 >"$work/make.log" 2>&1 || { tail -5 "$work/make.log" >&2; exit 1; }
    local end=$EPOCHREALTIME
    echo $(((${end/./} - ${start/./}) / 1000))
}
events() { "$rampart" audit stats --json 2>/dev/null | python3 -c 'import json,sys; print(json.load(sys.stdin)["events"])'; }
memory() { awk '/^VmRSS/ { print $2 }' "/proc/$daemon/status"; }
descriptors() { find "/proc/$daemon/fd" -mindepth 1 | wc -l; }

end=$((SECONDS + minutes * 60))
bare=() guarded=() counts=() memories=() opened=()
while [ $SECONDS -lt $end ] || [ ${#guarded[@]} -lt 3 ]; do
    bare+=("$(build env)")
    before=$(events)
    guarded+=("$(build "$rampart" run --)")
    counts+=($(($(events) - before)))
    memories+=("$(memory)")
    opened+=("$(descriptors)")
    echo "build ${#guarded[@]}: bare ${bare[-1]} ms, guarded ${guarded[-1]} ms, ${counts[-1]} events, daemon ${memories[-1]} KiB, ${opened[-1]} descriptors"
done
"$rampart" audit verify >/dev/null || { echo "soak: the chain does not verify" >&2; exit 1; }
python3 - "${bare[*]}" "${guarded[*]}" "${counts[*]}" "${memories[*]}" "${opened[*]}" <<'PY'
import statistics, sys
bare, guarded, counts, memories, opened = ([int(word) for word in row.split()] for row in sys.argv[1:])
ratio = statistics.median(guarded) / statistics.median(bare)
print(f"{len(guarded)} builds: {ratio:.3f} x bare (budget 1.05); events a build {min(counts)}..{max(counts)}; "
      f"daemon {memories[0]} -> {memories[-1]} KiB; descriptors {min(opened)}..{max(opened)}")
sys.exit(0 if len(set(counts)) == 1 and max(opened) == min(opened) else 1)
PY
