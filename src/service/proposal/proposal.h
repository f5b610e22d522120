/* Proposals to a protocol that agrees on values and executes nothing: the smallest service.
 *
 * A client proposes a value at a member, and is answered by the protocol with what was decided (flooding consensus,
 * Byzantine agreement, two generals). Nothing is delivered for that, so the service holds nothing; a read answers how
 * many updates were delivered, for protocols that do deliver. */
#ifndef LOCKSTEP_SERVICE_PROPOSAL_PROPOSAL_H
#define LOCKSTEP_SERVICE_PROPOSAL_PROPOSAL_H

#include "contract/service.h"

enum proposal_op {
    PROPOSAL_PROPOSE = 230,   /* an integer, and where the protocol takes one, a second: answered with the decision */
    PROPOSAL_DELIVERED = 231, /* no arguments: how many updates were delivered here */
};

extern const struct service proposal_service;

#endif
