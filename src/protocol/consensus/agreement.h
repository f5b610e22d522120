/* Interactive consistency as the laboratory sees it: the result of a member, whichever protocol reached it (vectors,
 * oral or signed messages). */
#ifndef LOCKSTEP_PROTOCOL_CONSENSUS_AGREEMENT_H
#define LOCKSTEP_PROTOCOL_CONSENSUS_AGREEMENT_H

#include "protocol/consensus/cells.h"
#include "protocol/consensus/rounds.h"

struct agreement_seen {
    struct rounds_seen rounds;
    bool decided;              /* about the instance of `rounds` */
    const struct cell *vector; /* by place; borrowed until the next step */
};

#endif
