/* Flooding consensus: all tell all what they know, round by round, until nobody can know less than another.
 *
 * Lynch, "Distributed algorithms" (1996), section 6.2 (FloodSet); Cachin, Guerraoui and Rodrigues, "Introduction to
 * reliable and secure distributed programming" (2nd edition, 2011), sections 5.1 (flooding consensus) and 5.2 (its
 * uniform variant). Specification: AG-2.
 *
 * Intuition. A process that crashes in the midst of a multicast leaves some who heard it and some who did not. Among
 * k + 1 rounds there is one without a crash, and after it all know the same.
 *
 * Two variants, two protocols of the registry. `flooding` is uniform: it runs all rounds and decides at the end.
 * `flooding-early` decides in the first round in which it hears from exactly those that it heard from in the round
 * before (round 0: all), and then tells the decision; it agrees among correct members only: who decides early and
 * crashes before it has told may have decided otherwise than the rest.
 *
 * Who has no proposal proposes nothing, which is decided only where nothing else is known. A decision is the
 * smallest value of the set. The set is a row of cells by proposer (cells.h).
 *
 * Rounds: n - 1 for n members (at least 1), which is k + 1 for k = n - 2; where n - 1 crash, one is left, who
 * agrees with itself. A crash is noticed by silence in a round (rounds.h): in the synchronous model that is a
 * perfect detector.
 *
 * Invariants. FLD-1 validity: what is decided was proposed. FLD-2 agreement. FLD-3 termination within the last round.
 * FLD-4 (early variant) nobody goes on undecided unless somebody fell silent in this round.
 *
 * Deviation: links are taken to be reliable as in [Cachin11], not unreliable as the lectures list them: rounds that end
 * by time over lossy links do not agree, which the laboratory shows with `--faults loss`.
 *
 * Limits: ROUNDS_MEMBERS_MAX members. Synchronous networks only: an oracle for the laboratory, not for production. */
#ifndef LOCKSTEP_PROTOCOL_CONSENSUS_FLOODING_H
#define LOCKSTEP_PROTOCOL_CONSENSUS_FLOODING_H

#include "contract/protocol.h"
#include "protocol/consensus/rounds.h"

/* Numbers of the ablations, as bits: ABLATION_PROTOCOL_FIRST << n. */
enum flooding_ablation {
    FLD_ONE_ROUND_LESS,  /* k rounds instead of k + 1 */
    FLD_CHOOSE_OWN,      /* who proposed something decides that: no common function */
    FLD_TELL_OWN_ONLY,   /* the set is not passed on */
    FLD_DECIDE_AT_ONCE,  /* early variant: decides after round 1, whoever fell silent */
};

enum flooding_message { FLOODING_PROPOSAL, FLOODING_DECIDED, FLOODING_MESSAGES };

#define FLOODING_PROPOSAL_FIELDS(FIELD, S) FIELD(S, U64, instance) FIELD(S, U32, round) FIELD(S, BYTES, set)
#define FLOODING_DECIDED_FIELDS(FIELD, S) \
    FIELD(S, U64, instance) FIELD(S, U32, round) FIELD(S, U8, known) FIELD(S, U64, value)
MESSAGE_STRUCT(flooding_proposal, FLOODING_PROPOSAL_FIELDS)
MESSAGE_STRUCT(flooding_decided, FLOODING_DECIDED_FIELDS)

extern const struct protocol flooding_protocol;
extern const struct protocol flooding_early_protocol;

/* ---- what the laboratory looks at ---- */

struct flooding_seen {
    struct rounds_seen rounds;
    bool decided;
    struct cell decision; /* UNKNOWN: nobody had proposed anything */
};
void flooding_look(const void *self, struct flooding_seen *out);

#endif
