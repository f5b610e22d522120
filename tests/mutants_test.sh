#!/bin/sh
# Each rule that the laboratory can switch off is missed within a bounded number of seeds; with all rules in place the
# same seeds violate nothing.
set -eu

seeds_max=200
step=20

fail() {
    echo "mutants: $1" >&2
    exit 1
}

# found PROTOCOL RULE PROPERTIES: some seed violates one of the properties.
found() {
    first=1
    while [ "$first" -le "$seeds_max" ]; do
        last=$((first + step - 1))
        status=0
        out=$("$LOCKSTEP_PROGRAM" sim "$1" --nodes 5 --break "$2" --seeds "$first..$last" --jobs 2) || status=$?
        if [ "$status" -ne 0 ]; then
            line=$(echo "$out" | grep -E "^seed [0-9]+: ($3) " | head -1) || fail "$1 without $2 fails in another way: $out"
            echo "$1 without $2: $line"
            return
        fi
        first=$((last + 1))
    done
    fail "$1 without $2 violated nothing in $seeds_max seeds"
}

found raft vote-not-stored 'RAFT-[1-8]'
found raft commit-old-term 'RAFT-[1-8]|DIGEST'
found raft read-without-round 'RAFT-8'
found raft ack-before-sync 'RAFT-[1-8]|DIGEST|PROGRESS'
found raft sessions-not-kept 'DIGEST|RAFT-8'
found raft truncate-always 'RAFT-[1-8]|DIGEST|INVARIANT'
found two-phase-commit decide-alone 'AC[1-5]'
found chandy-lamport marker-not-first 'CL-[1-3]'

for protocol in raft two-phase-commit chandy-lamport; do
    "$LOCKSTEP_PROGRAM" sim "$protocol" --nodes 5 --seeds 1..40 --jobs 2 || fail "$protocol violates without any break"
done
