#!/bin/sh
# Each rule that the laboratory can switch off is missed within a bounded number of seeds, by the property that it is
# there for; with all rules in place the same seeds violate nothing.
set -eu

seeds_max=1000

fail() {
    echo "mutants: $1" >&2
    exit 1
}

# found PROTOCOL RULE PROPERTIES [OPTION...]: a campaign finds it, and what breaks is one of the properties.
found() {
    protocol=$1 rule=$2 properties=$3
    shift 3
    out=$("$LOCKSTEP_PROGRAM" mutants "$protocol" --rule "$rule" --campaigns 1 --seeds "$seeds_max" --jobs 2 "$@" |
        tail -1) ||
        fail "$protocol without $rule violated nothing in $seeds_max seeds: $out"
    echo "$out"
    echo "$out" | grep -Eq " ($properties)\$" || fail "$protocol without $rule fails in another way: $out"
}

found raft vote-not-stored 'RAFT-[1-8]'
found raft commit-old-term 'RAFT-[1-8D]|DIGEST'
found raft read-without-round 'RAFT-8'
found raft vote-any-log 'RAFT-[1-8D]|DIGEST'
found raft truncate-always 'RAFT-[1-8]|DIGEST|INVARIANT|PROGRESS'
found raft amnesiac-votes 'RAFT-[1-8D]|DIGEST'
found raft count-self-early 'RAFT-[1-8D]|DIGEST|PROGRESS'
found raft election-timer-not-rearmed 'PROGRESS'
found raft ack-before-sync 'RAFT-[1-8D]|DIGEST|PROGRESS'
found raft sessions-not-kept 'DIGEST|RAFT-8'
found paxos promise-not-stored 'PAX-[2-5D]|PROGRESS'
found paxos accept-not-stored 'PAX-[2-5D]'
found paxos choose-own-value 'PAX-[1345D]|MPX-[12]|DIGEST'
found paxos choose-first-seen 'PAX-[1345D]|MPX-[12]|DIGEST'
found paxos accept-lower-ballot 'PAX-[1-5D]|MPX-[12]|DIGEST'
found paxos quorum-too-small 'PAX-[1345D]'
found paxos no-gap-filling 'PROGRESS'
found paxos learn-before-quorum 'PAX-D'
found paxos read-without-round 'MPX-4'
found paxos amnesiac-promises 'PAX-[2-5D]'
found paxos ack-before-sync 'PAX-[2-5D]|DIGEST|PROGRESS'
found paxos sessions-not-kept 'DIGEST|MPX-4'
found pbft no-prepare-phase 'PBFT-[125]|DIGEST|AGREEMENT|PROGRESS'
found pbft view-change-without-certificates 'PBFT-[125]|DIGEST|AGREEMENT|PROGRESS'
found pbft commit-quorum-2k 'PBFT-[125]|DIGEST|AGREEMENT|PROGRESS'
found pbft checkpoint-without-proof 'PBFT-[1-5]|DIGEST|AGREEMENT|INVARIANT|PROGRESS'
found pbft request-unproven 'REPLY|PBFT-5|DIGEST|INVARIANT|PROGRESS'
found pbft vote-not-stored 'PBFT-[1-6]|DIGEST|AGREEMENT|PROGRESS|STOP'
found pbft believe-first 'PBFT-5|REPLY'
found two-phase-commit vote-before-ready-stored 'AC-D|AC[1-5]'
found two-phase-commit init-answers-abort-without-moving 'AC[1-5]'
found two-phase-commit decide-alone 'AC[1-5]'
found two-phase-commit send-before-decision-stored 'AC[1-5]'
found two-phase-commit forget-before-all-acks 'AC[1-5]|INVARIANT|PROGRESS'
found flooding one-round-less 'FLD-2' --nodes 3
found flooding choose-own 'FLD-2' --nodes 3
found flooding tell-own-only 'FLD-2' --nodes 3
found flooding-early choose-own 'FLD-2' --nodes 4
found flooding-early decide-at-once 'FLD-2' --nodes 4
found byzantine-vectors lecture-majority 'BV-2' --nodes 4
found byzantine-vectors no-second-round 'BV-2' --nodes 4
found oral-messages one-round-less 'IC1' --nodes 4
found oral-messages last-word 'IC[12]' --nodes 4
found oral-messages wait-for-all 'IC0' --nodes 4
found signed-messages accept-forged 'IC[12]' --nodes 3
found signed-messages accept-short-chain 'IC[12]' --nodes 3
found signed-messages one-round-less 'IC[12]' --nodes 3
found synod promise-not-stored 'PAX-[1-5D]'
found synod accept-not-stored 'PAX-[1-5D]'
found synod promise-forgotten-on-restart 'PAX-[1-5D]'
found synod accept-below-promise 'PAX-[1-5D]'
found synod choose-own-value 'PAX-[1-5D]'
found synod choose-first-seen 'PAX-[1-5D]'
found synod quorum-too-small 'PAX-[1-5D]'
found synod amnesiac-votes 'PAX-[1-5D]'
found synod no-back-off 'PROGRESS'
found synod ack-before-sync 'PAX-[1-5D]'
found anti-entropy ack-before-stored 'AE-[12]|CAP-AP'
found anti-entropy deliver-out-of-order 'AE-1'
found anti-entropy execute-duplicates 'AE-1'
found anti-entropy digest-not-exchanged 'CAP-AP'
found anti-entropy wait-for-others 'CAP-AP'
found anti-entropy prune-too-early 'CAP-AP'
found anti-entropy ack-before-sync 'AE-[12]|CAP-AP'
found chandy-lamport marker-not-first 'CL-[1-3]'
found chandy-lamport channel-not-recorded 'CL-[1-3]'
found chandy-lamport non-fifo 'CL-[1-3]'
found chandy-lamport record-without-quiet 'CL-[1-3]'

# What seeds hardly draw is explored.
out=$("$LOCKSTEP_PROGRAM" mutants flooding-early --rule tell-own-only --campaigns 1 --seeds 5) ||
    fail "flooding-early without tell-own-only was not found by exploration: $out"
echo "$out" | grep -Eq ' FLD-2 explored, after [0-9]+ steps$' || fail "it is not said that a rule was explored: $out"

# A rule that nobody has, and bad options.
"$LOCKSTEP_PROGRAM" mutants raft --rule gravity >/dev/null 2>&1 && fail "a rule that is not there was measured"
"$LOCKSTEP_PROGRAM" mutants rafft >/dev/null 2>&1 && fail "a protocol that is not there was measured"
"$LOCKSTEP_PROGRAM" mutants raft --campaigns 0 >/dev/null 2>&1 && fail "no campaigns at all were run"
"$LOCKSTEP_PROGRAM" mutants raft --seeds=0 >/dev/null 2>&1 && fail "campaigns of no seeds were run"
"$LOCKSTEP_PROGRAM" mutants raft --rule= >/dev/null 2>&1 && fail "a rule without a name was measured"

# What is not found is said, with exit status 1.
status=0
out=$("$LOCKSTEP_PROGRAM" mutants raft --rule commit-old-term --campaigns 1 --seeds 1 2>/dev/null) || status=$?
[ "$status" -eq 1 ] || fail "a rule that was not missed ended with $status: $out"
echo "$out" | grep -q '>1 ' || fail "the table does not say that one seed was too few: $out"

for protocol in raft paxos synod two-phase-commit anti-entropy chandy-lamport; do
    "$LOCKSTEP_PROGRAM" sim "$protocol" --nodes 5 --seeds 1..40 --jobs 2 || fail "$protocol violates without any break"
done
