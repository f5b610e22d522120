/* Which protocols of this build keep a question's promise, and with how many members: their cards (contract/protocol.h)
 * beside what is known (plan_feasible.h). */
#ifndef LOCKSTEP_LAB_PLAN_PROTOCOLS_H
#define LOCKSTEP_LAB_PLAN_PROTOCOLS_H

#include <stdbool.h>
#include <stdint.h>

#include "lab/plan/plan_feasible.h"

enum { PLAN_WHY_SIZE = 320 };

struct plan_protocol {
    const struct protocol *protocol;
    enum plan_can can;
    char members_rule[16];     /* "2k+1" */
    uint64_t members;          /* fewest for this k */
    enum plan_theorem theorem; /* of a "no" or a "safe only" */
    char why[PLAN_WHY_SIZE];   /* one sentence */
};

/* True when this table places the protocol: cards do not say which bounds on time a protocol relies on. */
bool plan_protocol_is_known(const struct protocol *protocol);

/* Judges a protocol that is known (an invariant). */
void plan_protocol_judge(const struct plan_question *question, const struct protocol *protocol,
                         struct plan_protocol *out);

/* Members that must be up for the protocol to go on, in a group of that size that is to mask k faults: a majority, or
 * ⌈(n+k+1)/2⌉ where members may lie, or n - k where rounds have bounds, or all; one where each answers alone. */
uint32_t plan_protocol_quorum(const struct protocol *protocol, uint32_t members, uint32_t k);

#endif
