/* The rules of Paxos for one slot, without messages, disks or time (Lamport, "Paxos Made Simple", 2001, section 2.2).
 *
 * A *ballot* is a round and the node that uses it, ordered by round, then node, so two proposers never share one
 * (PAX-5). Phase 1: an acceptor promises a ballot if it has promised no higher one (P1a), and reports what it has
 * accepted. The proposer that has a majority's promises takes, of what they report, the value of the highest ballot,
 * and its own only where none reports any (P2c, MPX-3). Phase 2: an acceptor accepts a proposal unless it has
 * promised a higher ballot (P1a again). A value is chosen once a majority has accepted it in one ballot.
 *
 * The leader's code asks these functions for each slot; their test runs them through all interleavings of a small
 * group, with and without each rule. */
#ifndef LOCKSTEP_PROTOCOL_CONSENSUS_PAXOS_RULES_H
#define LOCKSTEP_PROTOCOL_CONSENSUS_PAXOS_RULES_H

#include <stdbool.h>
#include <stdint.h>

struct paxos_ballot {
    uint64_t round; /* 0: no ballot at all */
    uint32_t node;
};

/* Negative, zero or positive, as a is lower than, equal to or higher than b. */
static inline int paxos_ballot_compare(struct paxos_ballot a, struct paxos_ballot b)
{
    if (a.round != b.round)
        return a.round < b.round ? -1 : 1;
    return a.node < b.node ? -1 : a.node > b.node;
}

static inline bool paxos_ballot_same(struct paxos_ballot a, struct paxos_ballot b)
{
    return paxos_ballot_compare(a, b) == 0;
}

/* Phase 1b: may an acceptor that promised `promised` promise `asked`? The same again is the same promise. */
static inline bool paxos_may_promise(struct paxos_ballot promised, struct paxos_ballot asked)
{
    return paxos_ballot_compare(asked, promised) >= 0;
}

/* Phase 2b: may it accept a proposal of this ballot? */
static inline bool paxos_may_accept(struct paxos_ballot promised, struct paxos_ballot proposed)
{
    return paxos_ballot_compare(proposed, promised) >= 0;
}

/* Phase 2a: does a report replace what the proposer would propose so far, which was accepted in `best`? */
static inline bool paxos_report_wins(struct paxos_ballot best, struct paxos_ballot reported)
{
    return paxos_ballot_compare(reported, best) > 0;
}

#endif
