#!/usr/bin/env bash
# Formatting, file sizes and forbidden words.
set -euo pipefail
cd "$(dirname "$0")/.."
cargo fmt --all --check
fail=0
while IFS= read -r file; do
    lines=$(wc -l <"$file")
    if [ "$lines" -gt 400 ]; then
        echo "format: $file has $lines lines; split it (at most 400)" >&2
        fail=1
    fi
done < <(git ls-files '*.rs' '*.c' '*.h')
if git grep -nE '\b(dbg!|todo!|unimplemented!)|\b(FIXME|TODO|XXX)\b' -- '*.rs' '*.sh' '*.toml' ':!.ci/format.sh'; then
    echo "format: the lines above are unfinished work; finish or remove them" >&2
    fail=1
fi
if git grep -nE '^(<{7}|>{7}) '; then
    echo "format: the lines above are left of a merge" >&2
    fail=1
fi
exit $fail
