/* What must hold across members while a protocol is explored (host/explore/explore.h), and the timers that it has.
 *
 * Raft (thesis, figure 3.2): RAFT-1 election safety, RAFT-3 log matching, RAFT-4 leader completeness, RAFT-5 state
 * machine safety; with RAFT-2, 6 and 7 in the member's own check().
 * Paxos (Lamport 2001, 2.2): PAX-1 one value a slot and ballot, PAX-3 later ballots propose what was chosen, PAX-4
 * agreement; with PAX-2, PAX-5 and MPX-2 in the member's own check().
 * PBFT (Castro and Liskov 1999): PBFT-1 one request a number and view, PBFT-2 what is committed stays; with PBFT-3 and
 * PBFT-6 in the member's own check().
 * Two-phase commit (Bernstein, Hadzilacos and Goodman 1987, section 7.3): AC1 all that decide decide the same, AC2 a
 * decision is final, AC3 commit only if all voted so, AC-D who voted commit can still commit after a crash; and as
 * progress AC5: from wherever a run has come, everybody can still decide. */
#ifndef LOCKSTEP_LAB_EXPLORE_PROPERTIES_H
#define LOCKSTEP_LAB_EXPLORE_PROPERTIES_H

#include "host/explore/explore.h"
#include "protocol/commit/two_phase_commit.h"

extern const struct explore_property explore_raft_property;
extern const struct explore_property explore_paxos_property;
extern const struct explore_property explore_pbft_property;
extern const struct explore_property explore_two_phase_commit_property;

/* The property of a protocol, or NULL when there is none beyond its own check(). */
const struct explore_property *explore_property_of(const struct protocol *protocol);

/* Fills in the kinds of timers, with limits that keep an exploration small. Returns how many. */
uint32_t explore_timers_of(const struct protocol *protocol, struct explore_timer *out);

/* What is explored of a protocol when nothing else is said: small enough to be complete within seconds. The memory is
 * to be set. Some of it follows from how many nodes there are in the end: explore_settle() fills that in. */
void explore_usual(const struct protocol *protocol, struct explore_config *out);
void explore_settle(struct explore_config *config);

enum { EXPLORE_TPC_SEQUENCES = 4 };

/* What the property notes of a member of two-phase commit, for those who count states. */
struct explore_tpc_part {
    uint8_t state;          /* enum transaction_state, as participant */
    uint8_t restored_state; /* the same, as a crash now would leave it */
    uint8_t voted_commit, restored_voted;
};

struct explore_tpc_facts {
    struct explore_tpc_part parts[EXPLORE_NODES_MAX][EXPLORE_TPC_SEQUENCES]; /* by coordinator's place, sequence - 1 */
    uint8_t decision, restored_decision; /* enum transaction_state, as coordinator of its newest transaction */
    uint8_t sequence, restored_sequence; /* of that */
    uint8_t votes;                       /* bit by place: commit votes that the coordinator has counted */
    uint8_t up, blocked, undecided, restored_undecided;
};

#endif
