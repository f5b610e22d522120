#!/bin/sh
# `lockstep explore` from outside: what it prints, its exit status, its errors, and that each rule that concerns a small
# configuration is found when it is switched off.
set -eu

fail() {
    echo "explore: $1" >&2
    exit 1
}

# refuses TEXT ARGUMENT...: exit status 2 and an error that names what is wrong.
refuses() {
    text=$1
    shift
    status=0
    error=$("$LOCKSTEP_PROGRAM" explore "$@" 2>&1 >/dev/null) || status=$?
    [ "$status" -eq 2 ] || fail "'$*' ended with $status"
    case $error in *"$text"*) ;; *) fail "'$*' does not say '$text': $error" ;; esac
}

# says STATUS TEXT ARGUMENT...
says() {
    wanted=$1
    text=$2
    shift 2
    status=0
    output=$("$LOCKSTEP_PROGRAM" explore "$@" 2>&1) || status=$?
    [ "$status" -eq "$wanted" ] || fail "'$*' ended with $status: $output"
    case $output in *"$text"*) ;; *) fail "'$*' does not say '$text': $output" ;; esac
}

refuses "no protocol 'rafft'" rafft
refuses "no such rule to break: 'gravity'" raft --break gravity
refuses "no timer 'tea'" raft --timers tea=1
refuses "not 'election'" raft --timers election
refuses "node:ack-before-sync" raft --break gravity
refuses "missing after '--break'" raft --break=
refuses "--nodes takes a number up to 5, not '6'" raft --nodes 6
refuses "--nodes takes a number up to 5, not '6'" raft --nodes=6
refuses "missing after '--html'" raft --html
refuses "after '--depth'" raft --depth
refuses "not 'pigeon'" raft --channel pigeon
refuses "option '--deep'" raft --deep
refuses "does not exist" raft --request-at 4
refuses "not 'pigeon'" oral-messages --traitors pigeon
refuses "a traitor must be one of the nodes" oral-messages --traitors 5
refuses "not known what a traitor under this protocol could say" flooding --traitors 1
refuses "over a synchronous network" oral-messages --channel any
refuses "ask for rounds" raft --skew
refuses "--values takes a number up to 8, not '9'" oral-messages --values 9

says 0 "raft:vote-not-stored" raft --break help
says 0 "usage: lockstep explore" raft --help
says 0 "across members nothing is checked" chandy-lamport
says 0 "complete: no violation" two-phase-commit --channel doubling --refusals --timers wait=1,ready=1,resend=1
says 0 "0 differ" raft --timers election=1 --audit
says 0 "complete: no violation" raft --channel fifo --synchronous
says 0 "0 differ" anti-entropy --requests 2 --crashes 1 --losses 1 --audit
says 0 "0 differ" anti-entropy --nodes 3 --audit
says 1 "CAP-AP something durable is not delivered" anti-entropy --break wait-for-others
says 0 "bound that was hit (states)" raft --states 1000
says 0 "bound that was hit (depth)" raft --depth 5
says 0 "bound that was hit (memory)" raft --crashes 1 --memory 20
says 0 "complete: no violation" raft --requests 0 --timers election=1 --losses 1 --duplicates 1
says 1 "AC5 blocked" two-phase-commit --nodes 2 --request-at 1 --crashes 1 --channel doubling --progress --no-restart

for rule in vote-before-ready-stored decide-alone init-answers-abort-without-moving send-before-decision-stored \
    ack-before-sync; do
    says 1 "violation after" two-phase-commit --nodes 2 --crashes 1 --channel doubling \
        --timers wait=1,ready=1,resend=1 --break $rule
done
says 1 "AC1" two-phase-commit --crashes 1 --channel doubling --timers wait=1,ready=1,resend=1 \
    --break forget-before-all-acks
for rule in vote-not-stored vote-any-log ack-before-sync; do
    says 1 "violation after" raft --channel fifo --synchronous --crashes 1 --break $rule
done

# Paxos: agreement with every member's disk and messages at their own pace; and what one rule less does.
says 0 "complete: no violation" paxos --nodes 3 --channel fifo --synchronous --timers election=2
says 0 "0 differ" paxos --nodes 2 --timers election=1 --audit
says 1 "violation after" paxos --nodes 3 --channel fifo --synchronous --break quorum-too-small
says 1 "violation after" paxos --nodes 3 --channel fifo --synchronous --crashes 1 --break promise-not-stored

# Single-decree Paxos: two proposers, three ballots; a crash; and what one rule less does.
says 0 "complete: no violation" synod --requests 1 --timers retry=2 --crashes 1
says 0 "complete: no violation" synod --request-at 1 --timers retry=0 --crashes 1
says 1 "PAX-3" synod --timers retry=0 --break choose-own-value
says 1 "PAX-1" synod --timers retry=0 --crashes 1 --break promise-forgotten-on-restart

# PBFT: one request in one view, from the primary's node, in every ordering; and with view changes as far as it goes.
says 0 "complete: no violation" pbft
says 0 "0 differ" pbft --timers view=2,status=1 --depth 15 --audit

# A shortest trace ends in the state that violates; each step says who did what and what the member is then.
says 1 "CANDIDATE -> LEADER" raft --channel fifo --synchronous --crashes 1 --break vote-not-stored
says 1 "its disk has everything up to record" raft --channel fifo --synchronous --crashes 1 --break vote-not-stored
says 1 "of 1 records that it wrote, 0 survive" raft --channel fifo --synchronous --crashes 1 --break ack-before-sync

# Agreement in rounds: every crash in the midst of a multicast, and every strategy of a traitor.
says 0 "complete: no violation" flooding
says 0 "complete: no violation" flooding-early
says 0 "complete: no violation" flooding --break one-round-less --crashes 1
says 1 "FLD-2" flooding --break one-round-less
says 1 "FLD-2" flooding --nodes 3 --crashes 0 --losses 3
says 0 "complete: no violation" oral-messages
says 0 "complete: no violation" signed-messages
says 0 "complete: no violation" byzantine-vectors --value 1 --values 1
says 1 "BV-2" byzantine-vectors --break lecture-majority
says 1 "BV-1" byzantine-vectors --nodes 3
says 1 "IC2" oral-messages --nodes 3
says 1 "IC2" oral-messages --traitors 3,4
says 1 "IC2" signed-messages --break accept-forged
says 1 "IC0" oral-messages --traitors none --crashes 1 --break wait-for-all --progress
says 1 "everything has arrived: the clocks move on" oral-messages --nodes 3
says 1 "node 4 says, as a traitor" byzantine-vectors --break no-second-round
says 0 "0 differ" flooding-early --nodes 3 --skew --audit

# Two generals: whatever the bound on messages, the last one may be lost.
for bound in 1 2 3 4 5 6; do
    says 0 "complete: no violation" two-generals --value $((bound - 1)) --progress
    says 1 "violation after $((bound + 1)) steps: TG-1" two-generals --value $((bound - 1)) --losses 1 --progress
done
