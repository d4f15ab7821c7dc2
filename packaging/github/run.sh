#!/usr/bin/env bash
# Runs $COMMAND under the policy (of $POLICY, if that is not empty), and says each denial as an error of the job.
set -uo pipefail
audit=$(mktemp -d)
export RAMPART_AUDIT_DIR=$audit
options=()
[ -z "${POLICY:-}" ] || options=(--policy "$POLICY")
rampart run "${options[@]}" -- bash -eo pipefail -c "$COMMAND"
status=$?
# Workflow commands end at a newline, and `%` introduces their escapes.
rampart audit tail --deny -n 50 | while IFS= read -r line; do
    line=${line//'%'/%25}
    echo "::error title=Rampart::${line//$'\r'/%0D}"
done
rm -rf "$audit"
exit "$status"
