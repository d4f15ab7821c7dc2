#!/usr/bin/env bash
# Fuzzes the parsers for SECONDS each (default 30) from the kept inputs on. Needs nightly Rust and
# cargo-fuzz, and gets both where it can; else it says so and replays the kept inputs on stable.
# Usage: .ci/fuzz.sh [SECONDS]
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=${1:-30}
targets=(shell_text argv decode image policy_yaml)

missing() { # what
    cat >&2 <<MESSAGE
==================================================================
fuzz: NOT FUZZED: $1.
fuzz: only the kept inputs are replayed, on stable Rust.
fuzz: to fuzz: rustup toolchain install nightly && cargo install cargo-fuzz
==================================================================
MESSAGE
    exec cargo test -p evaluator --test regressions
}

if ! rustup run nightly rustc --version >/dev/null 2>&1; then
    rustup toolchain install nightly --profile minimal >/dev/null 2>&1 ||
        missing "there is no nightly toolchain, and none could be installed"
fi
if ! cargo fuzz --version >/dev/null 2>&1; then
    echo "fuzz: installing cargo-fuzz"
    cargo install --quiet --locked cargo-fuzz >/dev/null 2>&1 || missing "cargo-fuzz could not be installed"
fi
fuzz/run.sh "$seconds" "${targets[@]}"
exec fuzz/run.sh $((seconds / 4)) mcp
