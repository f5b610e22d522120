#!/bin/sh
# `lockstep sim` from outside: its last line, its exit status, its errors, its replays, its trace.
set -eu

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fail() {
    echo "sim: $1" >&2
    exit 1
}

# refuses TEXT ARGUMENT...: exit status 2 and an error that names what is wrong.
refuses() {
    text=$1
    shift
    status=0
    error=$("$LOCKSTEP_PROGRAM" sim "$@" 2>&1 >/dev/null) || status=$?
    [ "$status" -eq 2 ] || fail "'$*' ended with $status"
    case $error in *"$text"*) ;; *) fail "'$*' does not say '$text': $error" ;; esac
}

refuses "no protocol 'rafft'" rafft
refuses "no fault 'fire'" raft --faults fire
refuses "no rule 'gravity'" raft --break gravity
refuses "not '0'" raft --nodes 0
refuses "not '9..1'" raft --seeds 9..1
refuses "not 'soon'" raft --time soon
refuses "missing after '--seed'" raft --seed
refuses "no option '--sneed'" raft --sneed 3
refuses "one --seed" raft --seeds 1..2 --trace "$work/trace"

out=$("$LOCKSTEP_PROGRAM" sim raft --seeds 1..3 --time 2s --faults crash,loss --trace=/dev/null --seed 2) ||
    fail "a sound run ended with $?"
echo "$out" | grep -Eqx '1 runs, 0 violations, [0-9]+ events, [0-9]+ events/s' || fail "the last line is '$out'"

# A violation's replay command finds the same violation.
status=0
out=$("$LOCKSTEP_PROGRAM" sim raft --break sessions-not-kept --seeds 1..20) || status=$?
[ "$status" -eq 1 ] || fail "violations ended with $status"
violation=$(echo "$out" | grep -m1 '^seed')
replay=$(echo "$out" | grep -m1 '^  replay: lockstep ' | sed 's/^  replay: lockstep //')
# shellcheck disable=SC2086
again=$("$LOCKSTEP_PROGRAM" $replay --trace "$work/trace" | grep -m1 '^seed') || true
[ "$violation" = "$again" ] || fail "'$replay' gives '$again', not '$violation'"
for word in 'START first' 'SEND to' 'STORE position' 'APPEND {term=' 'VIOLATION' 'DELIVER' 'client 0'; do
    grep -q "$word" "$work/trace" || fail "the trace lacks '$word'"
done
echo "sim is as documented"
