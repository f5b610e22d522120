/* Anti-entropy: every member takes updates at any time, and all of them come to hold the same.
 *
 * Demers, Greene, Hauser, Irish, Larson, Shenker, Sturgis, Swinehart and Terry, "Epidemic algorithms for replicated
 * database maintenance" (PODC 1987), sections 1.2 (direct mail) and 1.3 (anti-entropy by push and pull); Terry, Theimer,
 * Petersen, Demers, Spreitzer and Hauser, "Managing update conflicts in Bayou" (SOSP 1995), section 4, for the version
 * vectors; Shapiro, Preguiça, Baquero and Zawirski, "Conflict-free replicated data types" (SSS 2011), for asking at the
 * source; Brewer, "CAP twelve years later" (2012). Specification: AG-11.
 *
 * The question: where are the copies, and how equal are they? A member that is up answers every request by itself,
 * whoever else can be reached: the available side of CAP. The price is that two members may answer what one of them
 * alone would not have: the service must be such that updates of different members commute, and say what is to be done
 * about what should not have happened together (service/till).
 *
 * An update of a client: the own service is asked whether it can be done, by delivering it as read; an error is the
 * answer, and nothing has happened. Else it gets the next number of this member's updates, is stored, and once it is
 * durable it is delivered, which answers the client, and mailed to all. Mail may be lost: at random times every member
 * tells another one which updates it holds (a number for each origin); the other sends what that one lacks, and tells
 * its own numbers in return. An update of another member is stored and delivered once it is the next one of its
 * origin. So each member delivers every update of every member once, those of one origin in their order, and says that
 * it holds an update only when its disk does.
 *
 * Invariants. AE-1: what is delivered of an origin is a prefix of its updates, without a gap, twice nothing, the same
 * everywhere. AE-2: an update that was answered is in its origin's log after any crash, and at all members in the end.
 * CAP-AP: an answer waits for nothing but the own disk, and members that hold the same updates are in the same state.
 *
 * An update leaves the log when all members are known to hold it. While a member is away nothing leaves, so each member
 * keeps only so many own updates (anti_entropy_own_max) and refuses more: the room for what others send is never taken
 * by the own. A member that lost its disk takes no part any more, since nobody can tell which numbers it has used. */
#ifndef LOCKSTEP_PROTOCOL_REPLICA_ANTI_ENTROPY_H
#define LOCKSTEP_PROTOCOL_REPLICA_ANTI_ENTROPY_H

#include <stdbool.h>
#include <stdint.h>

#include "contract/protocol.h"

enum { ANTI_ENTROPY_BYTES_MAX = 60 << 10, /* of one command */ ANTI_ENTROPY_QUEUE_MAX = 256 };

extern const struct protocol anti_entropy_protocol;

/* Updates of that node which this member has delivered. */
uint64_t anti_entropy_delivered(const void *self, uint32_t node);
/* The most own updates that a member of this group keeps while some member lacks them. */
uint32_t anti_entropy_own_max(const struct group_spec *spec);
/* True when it takes no part any more: it has lost what it stored. */
bool anti_entropy_is_inert(const void *self);
/* Updates that its log holds, because some member may lack them. */
uint32_t anti_entropy_logged(const void *self);

#endif
