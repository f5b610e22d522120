/* Attacks of the laboratory: strategies of an adversary who knows the protocol (their door: host/world/world_attack.h).
 *
 * A protocol that claims to mask arbitrary failures has a table here. Each attack aims at one rule that the protocol
 * lives by: with the rule switched off it wins within few runs (`lockstep mutants`), with the rule in place never. */
#ifndef LOCKSTEP_LAB_ATTACK_H
#define LOCKSTEP_LAB_ATTACK_H

#include "host/world/world_attack.h"

/* Those that campaigns of the protocol draw from; NULL: there are none. */
const struct world_attacks *attacks_find(const char *protocol);

/* ---- attack_common.c: of no protocol in particular ---- */

/* Two instances under one name, in groups that do not hear of one another for as long as elections take (Bano et al.,
 * "Twins: BFT systems made robust", OPODIS 2021). */
extern const struct world_attack attack_twins;
/* Says nothing to one half, another one for each stretch of time. */
extern const struct world_attack attack_half_silent;
/* Nobody lies: the power of all nodes fails at the very moment at which this one has executed something. */
extern const struct world_attack attack_power_at_execution;

/* ---- pbft_attack.c, pbft_attack_view.c ---- */

extern const struct world_attacks pbft_attacks;
extern const struct world_attack pbft_attack_commit_alone;
extern const struct world_attack pbft_attack_false_certificates;

#endif
