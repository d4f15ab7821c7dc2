#!/usr/bin/env bash
# Runs every fuzz target for SECONDS each (default 60) and keeps what it finds under
# fuzz/regressions/TARGET, where evaluator/tests/regressions.rs replays it (that of `mcp`: rampart/src/mcp/message). Needs nightly and
# cargo-fuzz (`cargo install cargo-fuzz`). Usage: fuzz/run.sh [SECONDS [TARGET…]]
set -euo pipefail
cd "$(dirname "$0")"
seconds=${1:-60}
[ $# -gt 0 ] && shift
targets=("$@")
[ ${#targets[@]} -gt 0 ] || targets=(shell_text argv decode wrap image policy_yaml glob redact wire mcp)
work=${CARGO_TARGET_DIR:-$PWD/target}/corpus

# Starting points for the targets that read commands: the labelled commands of tests/corpus.
seeds() { # target
    case $1 in
    shell_text | argv | decode | wrap) ;;
    policy_yaml) cp ../policies/*.yaml "$work/$1" && return ;;
    mcp)
        printf '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","arguments":{"b":["c",{"d":null}]}}}' >"$work/$1/call"
        printf '{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"x"}}' >"$work/$1/told"
        printf '{"jsonrpc":"2.0","id":"x","result":{"content":[{"type":"text","text":"\\u017f"}]}}' >"$work/$1/answer"
        return
        ;;
    *) return 0 ;;
    esac
    python3 - "$1" "$work/$1" <<'PY'
import glob, json, os, shlex, sys
target, out = sys.argv[1:]
for path in glob.glob("../tests/corpus/*.jsonl"):
    for line in open(path, encoding="utf-8"):
        row = json.loads(line)
        command = row.get("command", "")
        if target == "argv":
            words = row.get("argv") or ["sh", "-c", command]
            text = "\0" + "\n".join(word.replace("\n", "\1") for word in words)
        else:
            text = ("\2" if target == "decode" else "") + command
        with open(os.path.join(out, row["id"]), "w", encoding="utf-8") as file:
            file.write(text)
PY
}

# Each for its time, as many at once as there are processors: what each says comes in one piece.
one() { # target
    local status=0
    cargo +nightly fuzz run --fuzz-dir . "$1" "$work/$1" "regressions/$1" -- \
        -max_total_time="$seconds" -timeout=10 -rss_limit_mb=4096 -max_len=8192 \
        -artifact_prefix="regressions/$1/" -dict=shell.dict -print_final_stats=1 >"$work/$1.log" 2>&1 || status=1
    echo "== $1: $seconds s"
    cat "$work/$1.log"
    [ $status -eq 0 ] || echo "$1: found something, see fuzz/regressions/$1" >&2
    return $status
}

for target in "${targets[@]}"; do
    mkdir -p "$work/$target" "regressions/$target"
    seeds "$target"
    cargo +nightly fuzz build --fuzz-dir . "$target"
done
status=0
running=0
for target in "${targets[@]}"; do
    if [ "$running" -ge "$(nproc)" ]; then
        wait -n || status=1
        running=$((running - 1))
    fi
    one "$target" &
    running=$((running + 1))
done
while [ "$running" -gt 0 ]; do
    wait -n || status=1
    running=$((running - 1))
done
exit $status
