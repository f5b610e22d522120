/* The voter: a client that believes an answer when enough members gave the same.
 *
 * It is no member. It hands its node's requests to the members of a group, each of which executes them, and compares
 * what they answer (Schneider, "Implementing fault-tolerant services using the state machine approach", ACM Computing
 * Surveys 1990, section 3; RED-6: triple modular redundancy). With k members that may lie, k+1 equal answers contain one
 * of a correct member. Two uses, told by the specification:
 *
 *   - of a group that masks arbitrary failures (served_by->masks): all members are asked, k+1 equal answers are believed
 *     (Castro and Liskov, OSDI 1999, section 4.1). Reads are looks first: executed where they arrive, and believed when
 *     2k+1 are equal (section 4.4; linearizable because a member answers a look only when all that it has prepared is
 *     executed, which any 2k+1 members share with the k+1 correct ones that prepared an acknowledged update). Reads
 *     are answered in the order of their numbers; if the first one does not agree in time, it and all behind it get
 *     places in the order instead.
 *   - of a group that masks crashes (--vote 3): the request goes to who orders, the answers of `spec.vote` = 2k+1 members
 *     are compared, all reads get a place in the order. A member with a wrong value is masked and reported (TMR-1); where
 *     no k+1 agree, the answer says so and is never a guess (TMR-2).
 *
 * A member whose answer differs from the one believed is told of: SUSPECT with the number of its wrong answers, and a
 * NOTE. Nothing is stored: a voter that restarts is another session, which ends the former one.
 *
 * Of executions whose answer the members have not kept, and of those that no k+1 agree on, nobody can say what came out:
 * the node is told so (REPLY_INDETERMINATE). Members that are silent are waited for; the node's deadline ends that.
 *
 * `spec`: self is the client's node, members those of the group, served_by and vote as in contract/spec.h; k follows from
 * them, as (members - 1) / 3 of a group that masks arbitrary failures, else as (vote - 1) / 2, and 0 without a vote. It
 * names itself as who orders (VIEW) while so many members can be reached that requests may be answered; else nobody. */
#ifndef LOCKSTEP_PROTOCOL_REPLICA_VOTER_H
#define LOCKSTEP_PROTOCOL_REPLICA_VOTER_H

#include <stdint.h>

#include "contract/protocol.h"

/* Rules that the laboratory can switch off. */
enum {
    VOTER_ABLATION_BELIEVE_FIRST = ABLATION_PROTOCOL_FIRST << 0,    /* the first answer is believed */
    VOTER_ABLATION_LOOKS_BY_K_PLUS_1 = ABLATION_PROTOCOL_FIRST << 1, /* looks by k+1 equal answers instead of 2k+1 */
};

extern const struct protocol voter_protocol; /* its messages are client_messages (contract/client.h) */

/* For checkers and status; `self` is what voter_protocol.create returned. */
uint64_t voter_wrong_answers(const void *self, uint32_t place); /* of the member at that place */
uint64_t voter_looks_agreed(const void *self), voter_looks_ordered(const void *self);

#endif
