/* Two generals: agreement over a link that may lose any message, which no bound on messages achieves.
 *
 * Akkoyunlu, Ekanadham and Huber, "Some constraints and tradeoffs in the design of network communications" (SOSP 1975);
 * Gray, "Notes on data base operating systems" (1978), section 5.8.3.3.1; Halpern and Moses, "Knowledge and common
 * knowledge in a distributed environment" (JACM 1990), for why. Specification: AG-1.
 *
 * A protocol for every bound r: a general proposes to attack, and messengers go to and fro, each with the
 * acknowledgement of the last, r of them at most (odd ones from the proposer). Each general attacks when it has
 * received the last message that it is to receive (a proposer who is to receive none, at once). With r = 0 nobody
 * ever attacks.
 *
 * What it shows. If all messages arrive, both attack. If one is lost before the last, nobody does. If the last one is
 * lost, its sender attacks alone: it cannot wait for the answer that would tell it, since that would be message r + 1.
 * Sending each message in c copies makes that rarer (p^c for the last message with loss p), never impossible.
 *
 * TG-1: at dawn, both attack or none does. That holds over reliable links only.
 *
 * Here every member may propose, and its partner is the next member, the first one's that of the last. A command's
 * first argument is r, a second one c; both may be a raw byte as the explorer's requests are: the byte b stands for
 * r = b + 1. At dawn, TWO_GENERALS_DAWN + r times heartbeat_ns after the plan was made, the proposer's client is
 * told `attack` or `stay`.
 *
 * Limits: r to TWO_GENERALS_MESSAGES_MAX, c to TWO_GENERALS_COPIES_MAX, one plan of a proposer at a time. A crash
 * forgets all plans. */
#ifndef LOCKSTEP_PROTOCOL_CONSENSUS_TWO_GENERALS_H
#define LOCKSTEP_PROTOCOL_CONSENSUS_TWO_GENERALS_H

#include "contract/protocol.h"

enum {
    TWO_GENERALS_MESSAGES_MAX = 64,
    TWO_GENERALS_COPIES_MAX = 16,
    TWO_GENERALS_DAWN = 2,
    TWO_GENERALS_TIMER = 1, /* its name */
};

enum { TG_LETTER, TG_MESSAGES };

extern const struct protocol two_generals_protocol;

/* ---- what the laboratory looks at ---- */

/* A plan as one of the two generals knows it. */
struct two_generals_plan {
    uint64_t number; /* of the proposer's plans: its incarnation and a counter; 0: there was none */
    uint32_t bound, copies;
    uint32_t received; /* number of the last message that came; 0: none */
    bool attacks;
    bool dawned; /* it will not decide otherwise any more; known to the proposer only */
};

/* The newest plan that this member made, and the newest one that it has heard of as a partner. */
void two_generals_proposed(const void *self, struct two_generals_plan *out);
void two_generals_heard(const void *self, struct two_generals_plan *out);

#endif
