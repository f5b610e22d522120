#!/bin/sh
# The campaigns that the README and the cards promise: no violation under the faults that each protocol claims.
# CAMPAIGN_SEEDS bounds Raft's (2000); longer ones are run by hand.
set -eu
program=${LOCKSTEP_PROGRAM:-build/lockstep}
jobs=$(nproc)
"$program" sim raft --nodes 5 --seeds "1..${CAMPAIGN_SEEDS:-2000}" --faults all --jobs "$jobs"
"$program" sim raft --nodes 3 --seeds 1..200 --faults all --jobs "$jobs"
"$program" sim raft --nodes 1 --seeds 1..50 --faults crash,power,disk,pause,clock --jobs "$jobs"
"$program" sim raft --nodes 5 --seeds 1..50 --faults none --jobs "$jobs"
"$program" sim two-phase-commit --nodes 4 --seeds 1..200 --time 20s --jobs "$jobs"
"$program" sim chandy-lamport --nodes 3 --seeds 1..200 --time 10s --jobs "$jobs"
