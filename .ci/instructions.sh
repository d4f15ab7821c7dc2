#!/usr/bin/env bash
# Instructions in user space that the costs of docs/performance.md come down to, counted by callgrind: counts do not
# depend on how busy a machine is. More than a tenth over `instructions.txt` fails; a change that is meant is written
# down with --write. Usage: .ci/instructions.sh [--write], after `make build`
set -euo pipefail
cd "$(dirname "$0")/.."
target=${CARGO_TARGET_DIR:-target}
rampart=$(realpath "$target/release/rampart")
library=$(realpath "$target/release/librampart.so")
known=.ci/instructions.txt
command -v valgrind >/dev/null || { echo "instructions: valgrind is not installed: .ci/install.sh installs it" >&2; exit 1; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/home"
head -n 60 -q tests/corpus/*.jsonl >"$work/cases"
echo '{"session_id":"s","cwd":"/","hook_event_name":"PreToolUse","tool_name":"Bash","tool_input":{"command":"git status"},"tool_use_id":"t"}' \
    >"$work/call"

# Of the last program that the words start, with the file $1 as its standard input.
count() {
    local input=$1
    shift
    env -i PATH=/usr/bin:/bin HOME="$work/home" RAMPART_AUDIT_DIR="$work/audit" \
        valgrind --tool=callgrind --callgrind-out-file=/dev/null --trace-children=yes "$@" 2>&1 >/dev/null <"$input" |
        sed -n 's/.*Collected : //p' | tail -1
}
judge=("$rampart" check --profile standard)
bare=$(count /dev/null env true)
guarded=$(count /dev/null env LD_PRELOAD="$library" true)
none=$(count /dev/null "${judge[@]}" --jsonl)
cases=$(count "$work/cases" "${judge[@]}" --jsonl)
{
    echo "start $((guarded - bare)) a program's start under the library, more than without it"
    echo "case $(((cases - none) / $(wc -l <"$work/cases"))) one of tests/corpus, read, judged and answered by check --jsonl"
    echo "check $(count /dev/null "${judge[@]}" -- ls) rampart check -- ls, the whole process"
    echo "hook $(count "$work/call" "$rampart" hook --format claude-code --profile standard) rampart hook, the whole process"
} >"$work/found"
[ "${1:-}" != --write ] || cp "$work/found" "$known"
failed=0
while read -r name found what; do
    limit=$(awk -v name="$name" '$1 == name { printf "%d", $2 * 1.1 }' "$known")
    verdict=ok
    [ "$found" -gt 0 ] && [ "$found" -le "${limit:-0}" ] || { verdict="OVER: see what has changed, or .ci/instructions.sh --write"; failed=1; }
    echo "instructions: $name: $found (limit ${limit:-none}; $what): $verdict"
done <"$work/found"
exit $failed
