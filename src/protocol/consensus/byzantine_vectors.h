/* Byzantine agreement by vectors: one traitor among n >= 4, two rounds, everybody ends with the same vector.
 *
 * Pease, Shostak and Lamport, "Reaching agreement in the presence of faults" (JACM 1980), sections 2 and 3: interactive
 * consistency for one fault. Specification: AG-7.
 *
 * Round 1: each tells each other its value. Round 2: each tells each other the vector that it collected. Then
 * element j at member i is the strict majority of what j told i directly and what the n - 2 others, neither i nor
 * j, report that j told them; without a majority it is UNKNOWN. The own element is the own value.
 *
 * Intuition. About a loyal j at most one of the n - 1 votes is a lie. About a traitor j everybody takes the majority
 * of the same n - 1 votes: what it told each, by the word of those it told, who are all loyal.
 *
 * Invariants. BV-1: for loyal i and j, V_i[j] is j's value. BV-2: loyal members hold equal vectors, elements of
 * traitors included.
 *
 * Deviation from the lectures' step 4, which takes the majority of the n - 1 vectors received, so counts j's own
 * second-round word about itself and leaves out what it said directly: BV-1 holds and BV-2 does not (36 of the 64
 * binary strategies of a traitor among four; byzantine_vectors_test.c counts them). `--break lecture-majority`
 * brings it back.
 *
 * Limits. One fault only, whatever n is; n >= 4. For more faults: oral-messages. Rounds, restarts: rounds.h. */
#ifndef LOCKSTEP_PROTOCOL_CONSENSUS_BYZANTINE_VECTORS_H
#define LOCKSTEP_PROTOCOL_CONSENSUS_BYZANTINE_VECTORS_H

#include "contract/protocol.h"
#include "protocol/consensus/agreement.h"
#include "protocol/consensus/rounds.h"

/* Numbers of the ablations, as bits: ABLATION_PROTOCOL_FIRST << n. */
enum byzantine_vectors_ablation {
    BV_LECTURE_MAJORITY, /* over the vectors received only */
    BV_NO_SECOND_ROUND,  /* what was told directly is believed */
};

enum byzantine_vectors_message { BV_VALUE, BV_VECTOR, BV_MESSAGES };

#define BV_VALUE_FIELDS(FIELD, S) FIELD(S, U64, instance) FIELD(S, U8, known) FIELD(S, U64, value)
#define BV_VECTOR_FIELDS(FIELD, S) FIELD(S, U64, instance) FIELD(S, BYTES, vector)
MESSAGE_STRUCT(bv_value, BV_VALUE_FIELDS)
MESSAGE_STRUCT(bv_vector, BV_VECTOR_FIELDS)

extern const struct protocol byzantine_vectors_protocol;

/* ---- what the laboratory looks at ---- */

void byzantine_vectors_look(const void *self, struct agreement_seen *out);

#endif
