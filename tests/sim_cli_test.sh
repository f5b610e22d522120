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
for word in 'START first' 'SEND to' 'STORE HARD_STATE position=' 'APPEND term=' 'VIOLATION' 'DELIVER' 'client 0'; do
    grep -q "$word" "$work/trace" || fail "the trace lacks '$word'"
done
echo "$out" | grep -m1 '^  shrink: lockstep sim raft ' | grep -q -- '--shrink seed-[0-9]*.lua$' ||
    fail "no way to shrink is said"

# Names of rules: with their owner or without; a list of them.
"$LOCKSTEP_PROGRAM" sim raft --break help | grep -qx 'raft:vote-not-stored' || fail "--break help lacks vote-not-stored"
"$LOCKSTEP_PROGRAM" sim raft --break help | grep -qx 'node:ack-before-sync' || fail "--break help lacks ack-before-sync"
status=0
"$LOCKSTEP_PROGRAM" sim raft --break raft:vote-not-stored --seeds 1..20 >"$work/found" || status=$?
[ "$status" -eq 1 ] || fail "raft:vote-not-stored ended with $status"
refuses "no rule 'node:vote-not-stored'" raft --break node:vote-not-stored
refuses "no rule ''" raft --break ,
refuses "not '0'" raft --k 0
refuses "more than there are nodes" raft --nodes 3 --k 4

refuses "missing after '--faults'" raft --faults=
refuses "missing after '--break'" raft --break=
refuses "none stands alone" raft --faults crash,none
refuses "do not go with --resume" raft --resume "$work/j" --trace "$work/trace"
refuses "draws nothing" raft --shrink "$work/x.lua" --html "$work/x.html"
refuses "--from is later than --to" raft --from 5 --to 2 --diagram "$work/x.svg"
"$LOCKSTEP_PROGRAM" sim raft --help | grep -q '^usage: lockstep sim' || fail "--help behind the protocol is not understood"

# More than the card claims is labelled.
out=$("$LOCKSTEP_PROGRAM" sim raft --nodes 3 --k 3 --faults crash,pause --seeds 1..5) || true
echo "$out" | grep -q 'outside the contract' || fail "three faulty of three are not outside the contract: $out"
out=$("$LOCKSTEP_PROGRAM" sim raft --nodes 3 --faults timing --seeds 1..5) || fail "timing faults violate something"
echo "$out" | grep -q 'outside the contract' && fail "what Raft masks is called outside the contract: $out"

# A stall comes with the transition after which it was inevitable.
status=0
seed=$("$LOCKSTEP_PROGRAM" sim raft --break election-timer-not-rearmed --seeds 1..200 --jobs 2 | grep -m1 '^seed' |
    sed 's/seed \([0-9]*\): .*/\1/')
[ -n "$seed" ] || fail "no stall was found in 200 seeds"
out=$("$LOCKSTEP_PROGRAM" sim raft --break election-timer-not-rearmed --seed "$seed") || status=$?
echo "$out" | grep -Eq '^  inevitable since [0-9.]+ s, ' || fail "a stall is not explained: $out"

# A failing run becomes a small scenario that replays it.
status=0
seed=$("$LOCKSTEP_PROGRAM" sim raft --break vote-not-stored --seeds 1..50 | grep -m1 '^seed' |
    sed 's/seed \([0-9]*\): .*/\1/')
out=$("$LOCKSTEP_PROGRAM" sim raft --break vote-not-stored --seed "$seed" --shrink "$work/small.lua") ||
    fail "shrinking ended with $?"
echo "$out" | grep -q 'minimal: without any one' || fail "what was shrunk is not minimal: $out"
grep -q 'violates "RAFT-6"' "$work/small.lua" || fail "the scenario does not expect RAFT-6"
"$LOCKSTEP_PROGRAM" run "$work/small.lua" >"$work/run" || fail "the shrunk scenario does not replay: $(cat "$work/run")"
refuses "--shrink wants one --seed" raft --seeds 1..2 --shrink "$work/x.lua"
status=0
error=$("$LOCKSTEP_PROGRAM" sim raft --time 2s --seed 1 --shrink "$work/x.lua" 2>&1) || status=$?
[ "$status" -eq 1 ] || fail "shrinking a sound run ended with $status"
case $error in *"seed 1 violates nothing"*) ;; *) fail "shrinking a sound run says '$error'" ;; esac
status=0
error=$("$LOCKSTEP_PROGRAM" sim raft --break vote-not-stored --seed "$seed" --shrink "$work/no/x.lua" 2>&1) || status=$?
[ "$status" -eq 1 ] || fail "shrinking to nowhere ended with $status"
case $error in *"cannot write $work/no/x.lua: No such"*) ;; *) fail "shrinking to nowhere says '$error'" ;; esac
[ ! -e "$work/x.lua" ] || fail "shrinking a sound run left a file behind"
echo "sim is as documented"
