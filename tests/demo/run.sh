#!/usr/bin/env bash
# Shows the main job: `tests/demo/run.sh path/to/rampart path/to/librampart.so`.
# Dangerous programs are stubs that come first on PATH and only leave a mark when they run.
set -euo pipefail
bin=$(realpath "$1") lib=$(realpath "$2") demo=$(realpath "$(dirname "$0")")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/bin" "$work/home/.ssh"
for name in rm mkfs.ext4 dd curl psql sudo; do
    printf '#!/bin/sh\necho "%s $*" >>"%s/ran"\n' "$name" "$work" >"$work/bin/$name"
    chmod +x "$work/bin/$name"
done
echo "not a key" >"$work/home/.ssh/id_rsa"
touch "$work/ran"
cd "$work"
echo "rampart run -- python3 agent.py   (policy: the built-in standard)"
status=0
HOME="$work/home" PATH="$work/bin:$PATH" RAMPART_AUDIT_DIR="$work/audit" RAMPART_LIB="$lib" \
    "$bin" run -- python3 "$demo/agent.py" || status=$?
echo
echo "What the stubs of dangerous programs saw (only the harmless call):"
sed 's/^/  /' "$work/ran"
echo
echo "The last events of the audit, from $work/audit/spool-$(id -u).jsonl:"
RAMPART_AUDIT_DIR="$work/audit" "$bin" audit tail --each -n 4 | sed 's/^/  /'
exit "$status"
