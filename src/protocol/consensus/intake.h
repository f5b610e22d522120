/* What clients ask for, from the own node and from other members: who takes it, hands it on, or refuses it. Reads go to
 * reads.h.
 *
 * The leader orders an update at once; a follower forwards it. Duplicates are not this module's matter: sessions filter
 * them when commands are delivered (Ongaro's thesis, 6.3). But it must know of them in one respect: REPLY_REFUSED
 * promises that a number will never execute. So a number that may lie in some log already, because it was handed in or
 * forwarded before, is never refused, and what was refused is never taken: messages may be doubled and late. Whatever
 * is dropped here, its node hands in again after a while, or when it learns who else orders.
 *
 * A session need not be a member's: a client of the group that is none of its nodes sends bundles to whichever member it
 * reaches. Such a bundle is ordered, forwarded, or given back to the own node, which keeps it a while (REPLY_AGAIN); it is
 * never refused, so the numbers of the own session and of the forwarding member stay as they are. A member that does not
 * lead drops what was forwarded to it: two members that take each other for the leader would send it to and fro. */
#ifndef LOCKSTEP_PROTOCOL_CONSENSUS_INTAKE_H
#define LOCKSTEP_PROTOCOL_CONSENSUS_INTAKE_H

#include "protocol/consensus/leader_messages.h"
#include "protocol/consensus/peers.h"
#include "protocol/consensus/reads.h"

/* What a protocol offers; `self` is its member. */
struct intake_order {
    const struct leader_wire *wire;
    /* Can this leader bear no more at present? */
    bool (*overloaded)(void *self);
    /* The leader orders a bundle of a session of the node `origin`. */
    void (*append)(void *self, const struct event *event, struct span bundle, uint32_t count, uint32_t origin,
                   struct effects *out);
    /* Members whose disks hold the command at `index`, as far as this member can know. */
    uint32_t (*count_stored)(void *self, uint64_t index);
};

struct intake {
    const struct intake_order *order;
    void *self;
    struct peers *peers;
    struct reads *reads;
    /* own numbers handed in: the highest taken, and the highest taken more than once */
    uint64_t incarnation, last, repeated_last;
};

/* The member's part at present. */
struct intake_role {
    bool leads;
    uint32_t leader; /* node that orders, the own one if `leads`; 0: nobody is known to */
    bool disk_full;
};

/* REQUEST_UPDATE (of any session), REQUEST_READ, REQUEST_COUNT. */
void intake_on_request(struct intake *intake, struct intake_role role, const struct event *event, struct effects *out);

/* A message of struct leader_wire, from a member. NULL, or why it was rejected. */
const char *intake_on_message(struct intake *intake, struct intake_role role, const struct event *event,
                              struct effects *out);

void intake_canonical(const struct intake *intake, struct canon *out);

#endif
