#!/usr/bin/env bash
# Dependencies point one way (ARCHITECTURE.md): nothing below may know what is above it, and the
# library may contain nothing but the evaluator, the shipped policies and libc.
set -euo pipefail
cd "$(dirname "$0")/.."
fail=0
crates() { cargo tree -e normal -p "$1" --prefix none --format '{p}' | awk '{print $1}' | sort -u; }
only() { # package, then every crate that it may contain
    local package=$1
    shift
    for crate in $(crates "$package"); do
        case " $package $* " in
        *" $crate "*) ;;
        *)
            echo "dependencies: $package must not depend on $crate (allowed: ${*:-nothing})" >&2
            fail=1
            ;;
        esac
    done
}
only evaluator
only policies
only preload evaluator policies libc
if crates policy-schema | grep -qxE 'rampart|preload|policies'; then
    echo "dependencies: policy-schema must not depend on rampart, preload or policies" >&2
    fail=1
fi
exit $fail
