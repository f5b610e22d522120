/* Properties of agreement in synchronous rounds, for the explorer: those that the judges of runs check
 * (judge_flooding.c, judge_interactive.c), by the same tags. A run has one agreement: each member may propose once,
 * before the first round.
 *
 * Flooding (AG-2): FLD-1 validity, FLD-2 agreement (of the uniform variant with all that ever decided, of the early one
 * among those that are up), with FLD-3 and FLD-4 in the member's own check().
 * Vectors, oral and signed messages (AG-7, AG-8): BV-1 and IC2, a loyal member's element is its value; BV-2 and IC1,
 * loyal members hold equal elements. As progress: whoever takes part decides. */
#ifndef LOCKSTEP_LAB_EXPLORE_ROUNDS_H
#define LOCKSTEP_LAB_EXPLORE_ROUNDS_H

#include "host/explore/explore.h"

extern const struct explore_property explore_flooding_property;
extern const struct explore_property explore_flooding_early_property;
extern const struct explore_property explore_byzantine_vectors_property;
extern const struct explore_property explore_oral_messages_property;
extern const struct explore_property explore_signed_messages_property;

/* What a traitor may say (explore_property.lie): while a member takes messages of a round, any message of that round.
 * Vectors and oral messages: each value that is read may be any of those to choose from. Signed messages: chains that
 * it can sign, pass on, or forge (explore_lies_signed.c). What comes in another round is dropped by the rounds whoever
 * sent it, and would be silence in this one. */
bool explore_byzantine_vectors_lie(const struct explore_listener *listener, uint32_t index, struct explore_lie *out);
bool explore_oral_messages_lie(const struct explore_listener *listener, uint32_t index, struct explore_lie *out);
bool explore_signed_messages_lie(const struct explore_listener *listener, uint32_t index, struct explore_lie *out);

#endif
