/* Tills: accounts that are paid into and out of at any of several counters, also while these cannot talk.
 *
 * Brewer, "CAP twelve years later" (2012), on automated tellers: both sides of a partition go on, and what should not
 * have happened together is found at the merge and compensated. Specification: AG-11.
 *
 * The state is a function of the set of payments alone, so that members which have delivered the same payments of each
 * origin, in whatever order these met, hold the same: deposits are summed, withdrawals are kept, each under (number,
 * origin), where the number counts the updates of its origin. A member asked to pay out (the command delivered as read:
 * the question of a protocol before it stores) refuses what its own books do not cover. What it accepted counts
 * everywhere. When the books are merged, withdrawals are honoured in the order of (number, origin) as long as the
 * deposits cover them; the others are reversed: the balance never falls below zero, and what was paid out in vain
 * stands under `name/reversed`, until a later deposit covers it.
 *
 * The commands are those of Redis' counters, so that any client can use a group of tills:
 *   INCRBY name amount   pays in: the balance
 *   DECRBY name amount   pays out: the balance, or an error, and then nothing has happened anywhere
 *   GET name             the balance, or null; GET name/reversed: the sum of what was reversed
 * The laboratory's clients call them DEPOSIT, WITHDRAW and BALANCE.
 *
 * Needs FIFO order: the numbers are counted as updates of an origin are delivered. Limits: TILL_NAME_SIZE_MAX bytes a
 * name; an amount is 1 to TILL_AMOUNT_MAX. Withdrawals are never forgotten (24 bytes each), since a payment that is
 * still under way may come before any of them; updates are refused when the books fill an eighth of the service's heap. */
#ifndef LOCKSTEP_SERVICE_TILL_TILL_H
#define LOCKSTEP_SERVICE_TILL_TILL_H

#include "contract/service.h"

enum { TILL_NAME_SIZE_MAX = 63 };
#define TILL_AMOUNT_MAX INT64_C(1000000000000)

extern const struct service till_service;

/* Updates of that node which have been delivered here, and a digest of them in their order: members of a group that
 * have seen the same number have seen the same updates. */
uint64_t till_updates(const void *self, uint32_t node);
uint64_t till_chain(const void *self, uint32_t node);

#endif
