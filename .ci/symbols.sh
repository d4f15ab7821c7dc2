#!/usr/bin/env bash
# The gate on the built library, before anything is stripped: what it needs, what it takes, what it
# gives, and that nothing in it can panic. A library that fails here breaks other people's processes.
# Usage: .ci/symbols.sh [FILE]; by default what `make build` built.
set -euo pipefail
cd "$(dirname "$0")/.."
lib=${1:-${CARGO_TARGET_DIR:-target}/release/librampart.so}
if [ ! -f "$lib" ]; then
    echo "symbols: $lib does not exist; run \`make build\` first" >&2
    exit 2
fi
export LC_ALL=C
fail=0
bad() {
    echo "symbols: $lib $1" >&2
    shift
    [ $# -eq 0 ] || printf '    %s\n' "$@" >&2
    fail=1
}
lines() { grep -v '^#' "$1" | grep . | sort; }

dynamic=$(readelf -dW "$lib")
symbols=$(readelf --dyn-syms -W "$lib" | awk '$1 ~ /^[0-9]+:$/ && $4 != "SECTION" && $8 != ""')

needed=$(sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' <<<"$dynamic")
[ "$needed" = libc.so.6 ] || bad "must need libc.so.6 and nothing else (anything more costs every process, and kills musl's); it needs:" $needed
grep -q 'FLAGS_1.*NOW' <<<"$dynamic" || bad "is not linked with -z now"
grep -q 'FLAGS_1.*INITFIRST' <<<"$dynamic" || bad "is not linked with -z initfirst"
grep -qE '\((VERNEED|VERDEF|VERSYM)\)' <<<"$dynamic" && bad "has version tables: it would be tied to this machine's glibc (did preload/build.rs see the profile?)"
grep -qE '\((INIT|FINI|FINI_ARRAY|TEXTREL)\)' <<<"$dynamic" && bad "has start files, destructors or text relocations"
segments=$(readelf -lW "$lib")
grep -qE '^ +TLS ' <<<"$segments" && bad "has thread-local storage"
grep -qE '^ +INTERP ' <<<"$segments" && bad "has an interpreter: then it cannot be its own stub"
grep -E '^ +LOAD ' <<<"$segments" | grep -q 'RWE' && bad "has a segment that is writable and executable"

taken=$(awk '$7 == "UND" { print $8 }' <<<"$symbols" | sort)
extra=$(comm -23 <(printf '%s\n' "$taken") <(lines preload/imports.txt))
[ -z "$extra" ] || bad "takes symbols from libc that preload/imports.txt does not list:" $extra
strong=$(awk '$7 == "UND" && $5 == "GLOBAL" && ($8 == "dlsym" || $8 == "gnu_get_libc_version") { print $8 }' <<<"$symbols")
[ -z "$strong" ] || bad "must take these weakly, some libc lacks them:" $strong
given=$(awk '$7 != "UND" { print $8 }' <<<"$symbols" | sort)
[ "$given" = "$(lines preload/exports.txt)" ] || bad "must export exactly preload/exports.txt; the difference (< list, > file):" "$(diff <(lines preload/exports.txt) <(printf '%s\n' "$given") | grep '^[<>]')"

if ! readelf -SW "$lib" | grep -q '\.symtab'; then
    bad "is stripped: the check for panics needs its symbols"
fi
panics=$(nm "$lib" | awk '{ print $NF }' | grep -iE 'panic|rust_eh|unwind_' || true)
[ -z "$panics" ] || bad "contains code that can panic:" $panics

# What every start runs comes first (preload/order.ld): strewn over the library, it costs page faults.
begin=$(nm -n "$lib" | awk 'tolower($2) == "t" && $3 !~ /^[$]/ && !n++ { print $3 }')
[[ $begin == *rampart_preload*start* ]] || bad "begins with $begin, not with its start: preload/order.ld has lost its effect"

# The file is the stub for denied programs, too.
chmod_ok=$([ -x "$lib" ] && echo yes || echo no)
[ "$chmod_ok" = yes ] || bad "must be executable (mode 0755): denied programs are replaced by it"
# Only what passed so far is executed.
if [ "$fail" -eq 0 ] && [ "$(readelf -h "$lib" | sed -n 's/.*Machine: *//p')" = "$(readelf -h /proc/self/exe | sed -n 's/.*Machine: *//p')" ]; then
    status=0
    # Harmless even if the file is some other program that takes a file name.
    line=$("$lib" /dev/null 2>&1 >/dev/null) || status=$?
    { [ "$line" = /dev/null ] && [ "$status" = 126 ]; } || bad "run as a stub must print its argument and exit 126; it printed '$line' and exited $status"
fi
[ "$fail" -ne 0 ] || echo "symbols: $lib is sound ($(stat -c %s "$lib") bytes)"
exit "$fail"
