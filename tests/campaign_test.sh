#!/bin/sh
# The campaigns that the README and the cards promise: no violation under the faults that each protocol claims.
# CAMPAIGN_SEEDS bounds Raft's and Paxos' (2000); longer ones are run by hand.
set -eu
program=${LOCKSTEP_PROGRAM:-build/lockstep}
jobs=$(nproc)
"$program" sim raft --nodes 5 --seeds "1..${CAMPAIGN_SEEDS:-2000}" --faults all --jobs "$jobs"
"$program" sim raft --nodes 3 --seeds 1..200 --faults all --jobs "$jobs"
"$program" sim paxos --nodes 5 --seeds "1..${CAMPAIGN_SEEDS:-2000}" --faults all --jobs "$jobs"
"$program" sim paxos --nodes 3 --seeds 1..200 --faults all --jobs "$jobs"
"$program" sim raft --nodes 1 --seeds 1..50 --faults crash,power,disk,pause,clock --jobs "$jobs"
"$program" sim raft --nodes 5 --seeds 1..50 --faults none --jobs "$jobs"
# The bound on faults is tight: with as many dead as the card says the others go on, with one more they stand still; and
# a class of faults that it does not claim to mask breaks it.
for protocol in raft paxos; do
    "$program" sim "$protocol" --nodes 5 --dead 2 --seeds 1..200 --time 20s --jobs "$jobs" \
        --faults crash,power,omission,pause,slow,partition,loss,duplicate,reorder,corrupt,delay,bandwidth,clock
    out=$("$program" sim "$protocol" --nodes 5 --dead 3 --seeds 1..10 --time 20s --jobs "$jobs" --faults none) && exit 1
    [ "$(echo "$out" | grep -c 'PROGRESS no write')" -eq 10 ] || { echo "campaign: $out" >&2 && exit 1; }
    out=$("$program" sim "$protocol" --nodes 5 --k 1 --seeds 1..100 --jobs "$jobs" --faults byzantine) && exit 1
    echo "$out" | grep -q 'outside the contract: byzantine' || { echo "campaign: $out" >&2 && exit 1; }
done
"$program" sim two-phase-commit --nodes 4 --seeds 1..200 --time 20s --jobs "$jobs"
"$program" sim chandy-lamport --nodes 3 --seeds 1..200 --time 10s --jobs "$jobs"

# Interrupted and resumed: by kill -9 again and again, by SIGINT; the report is that of one uninterrupted run.
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
fail() {
    echo "campaign: $1" >&2
    exit 1
}
sums() { sed 's/, [0-9]* events\/s$//' "$1"; }
rule='--break sessions-not-kept --seeds 1..200'
# shellcheck disable=SC2086
"$program" sim raft $rule >"$work/whole" || true
for part in 1 2 3; do
    # shellcheck disable=SC2086
    "$program" sim raft $rule --resume "$work/journal" >/dev/null 2>&1 &
    victim=$!
    sleep 1
    kill -9 "$victim" 2>/dev/null || true
    wait "$victim" 2>/dev/null || true
done
status=0
# shellcheck disable=SC2086
timeout -s INT 1 "$program" sim raft $rule --jobs 2 --resume "$work/journal" >"$work/interrupted" || status=$?
tail -1 "$work/interrupted" | grep -Eq '^[0-9]+ runs, ' || fail "an interrupted campaign does not say what it did"
# shellcheck disable=SC2086
"$program" sim raft $rule --jobs "$jobs" --resume "$work/journal" >"$work/resumed" || true
sums "$work/whole" >"$work/a"
sums "$work/resumed" >"$work/b"
diff "$work/a" "$work/b" || fail "a resumed campaign has another report"
status=0
error=$("$program" sim raft --seeds 1..200 --resume "$work/journal" 2>&1) || status=$?
[ "$status" -eq 1 ] || fail "a journal of other options ended with $status"
case $error in *"other options"*) ;; *) fail "a journal of other options is not refused: $error" ;; esac

# The seeds dealt out over ranks: the report of one process.
if ! command -v mpirun >/dev/null; then
    echo "campaign: mpirun is not installed, so the ranks of an MPI job were not tried"
    exit 0
fi
rule='--break sessions-not-kept --seeds 1..40 --hash'
# shellcheck disable=SC2086
"$program" sim raft $rule >"$work/alone" || true
mpi() { OMPI_MCA_rmaps_base_oversubscribe=1 mpirun --oversubscribe --allow-run-as-root -n 2 "$@" 2>"$work/error"; }
# shellcheck disable=SC2086
mpi "$program" sim raft $rule >"$work/ranks" || true
sums "$work/alone" >"$work/a"
sums "$work/ranks" >"$work/b"
diff "$work/a" "$work/b" || fail "the ranks' report is another one: $(cat "$work/error")"
# Without its plugin the program says what is missing.
cp "$program" "$work/lonely"
mpi "$work/lonely" sim raft --seeds 1..2 >/dev/null && fail "a program without its plugin ran under mpirun"
grep -q 'the plugin for Open MPI is neither' "$work/error" || fail "what is missing is not said: $(cat "$work/error")"
echo "campaigns go on, and ranks agree with one process"
